"""The endpoint's documented types, and the sentences with which a wrong request is refused.

Source: the documentation of `POST /api/ai/cloudflare/{model_name}/chat`. Where the server that was
observed differs (it trims contents, and refuses a blank one anywhere), the comments say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .errors import Refused

# JavaScript's trim(), which the endpoint's server applies, also takes the byte order mark away;
# str.strip() does not. A content of these characters alone is blank to the far end.
BLANK = "\ufeff \t\n\r\v\f"


PROVIDERS_DEFAULT = -1
"""In `ModelParameters` this value means: send nothing, the provider decides."""


class AllowedCloudflarePublishers(StrEnum):
    Cloudflare = "cloudflare"


class AllowedCloudflareModelNames(StrEnum):
    CloudflareLlama = "llama-3.3-70b-instruct-fp8-fast"


class AllowedCloudflareModels(StrEnum):
    CloudflareLlama = "cloudflare/llama-3.3-70b-instruct-fp8-fast"


def is_blank(text: str) -> bool:
    """Whether *text* is empty once white space is trimmed, here or at the endpoint."""
    return not text.strip().strip(BLANK).strip()


class Message(BaseModel):
    """One turn. Other fields that AI SDKs send (`id`, `createdAt`, …) are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["user", "assistant"]
    content: str
    isStreaming: bool | None = None  # noqa: N815 - the contract's own spelling

    @model_validator(mode="before")
    @classmethod
    def _text_of_parts(cls, data: Any) -> Any:
        """AI SDK 5 and newer send `parts` instead of `content`: take their text."""
        if not isinstance(data, dict) or data.get("content") is not None or "parts" not in data:
            return data
        if not isinstance(data["parts"], list):
            raise ValueError("parts must be a list")  # noqa: TRY004 - pydantic collects ValueErrors
        return {**data, "content": "".join(_texts(data["parts"]))}

    @field_validator("content", mode="before")
    @classmethod
    def _whole_characters(cls, content: Any) -> Any:
        """Half a surrogate pair (`"\\ud83d"` in JSON) cannot be sent on: it becomes U+FFFD."""
        if isinstance(content, str):
            return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return content


def _texts(parts: list[Any]) -> Iterable[str]:
    for place, part in enumerate(parts):
        match part:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "step-start"}:  # a mark of AI SDK 5, without content
                pass
            case {"type": str(kind)}:
                raise ValueError(f"parts[{place}] is of type {kind!r}; only text can be sent")
            case _:
                raise ValueError(f"parts[{place}] has no type; only text can be sent")


class ChatRequest(BaseModel):
    """The body of a request: at least one message, none of them blank."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: list[Message] = Field(min_length=1)

    @model_validator(mode="after")
    def _nothing_blank(self) -> ChatRequest:
        for place, message in enumerate(self.messages):
            if is_blank(message.content):
                raise ValueError(f"messages[{place}].content is blank")
        return self

    @classmethod
    def of(cls, data: Any) -> ChatRequest:
        """The request that *data* (decoded JSON) holds. Raises `Refused`, naming the place."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise Refused(f"{complaint(error)}.", "See the request body in the documentation.") from error

    @classmethod
    def of_json(cls, body: bytes) -> ChatRequest:
        """The request that the JSON text *body* holds. Raises `Refused`."""
        try:
            # Not orjson: it refuses half a surrogate pair, which JavaScript's JSON.stringify writes.
            data = json.loads(body.decode())
        except (ValueError, RecursionError) as error:
            raise Refused("The body is not valid JSON.", 'Send {"messages": […]}.') from error
        return cls.of(data)


class ModelParameters(BaseModel):
    """The documented parameters. -1 for *typical_p* and *repetition_penalty* is the provider's default."""

    model_config = ConfigDict(frozen=True)

    max_new_tokens: int
    typical_p: float
    repetition_penalty: float
    truncate: int
    return_full_text: bool
    temperature: float | None = None


class ModelConfigurationData(BaseModel):
    model_config = ConfigDict(frozen=True)

    model: str
    parameters: ModelParameters


class ModelConfiguration(BaseModel):
    model_config = ConfigDict(frozen=True)

    publisher: str
    name: str
    description: str
    icon: str
    type: Literal["instruct", "chat"]
    configuration: ModelConfigurationData


class ErrorBody(BaseModel):
    """`{statusCode, statusMessage, message?, data?}`, as documented and as the server really sends it."""

    statusCode: int  # noqa: N815 - the contract's own spelling
    statusMessage: str  # noqa: N815 - the contract's own spelling
    message: str | None = None
    data: dict[str, Any] | None = None


def complaint(error: ValidationError) -> str:
    """The first thing that is wrong, as words that name its place: `messages[1].role must be …`."""
    first = error.errors(include_url=False)[0]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
    match first["type"]:
        case "value_error":
            words = str(first["ctx"]["error"])
            if words.startswith("messages["):  # names its place itself
                return words
            separator = "." if words.startswith("parts") else " "
            return f"{place}{separator}{words}" if place else words
        case "missing":
            return f"{place} is missing"
        case "literal_error":
            return f"{place} must be {first['ctx']['expected']}, not {first['input']!r}"
        case "too_short":
            return f"{place} is empty"
        case "string_type":
            return f"{place} must be text"
        case "list_type":
            return f"{place} must be a list"
        case _ if not place:
            return "The body must be a JSON object with a list of messages"
        case _:
            return f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}"
