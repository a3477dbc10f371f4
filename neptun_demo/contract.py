"""The endpoint's documented types, and the sentences with which a wrong request is refused.

Source: the documentation of `POST /api/ai/cloudflare/{model_name}/chat`. Where the server that was
observed differs (it trims contents, and refuses a blank one anywhere), the comments say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from .errors import Refused

PROVIDERS_DEFAULT = -1
"""In `ModelParameters` this value means: send nothing, the provider decides."""

# A refusal quotes this many characters of what was sent, so that a sentence stays one.
LONGEST_QUOTE = 60


class AllowedCloudflarePublishers(StrEnum):
    Cloudflare = "cloudflare"


class AllowedCloudflareModelNames(StrEnum):
    CloudflareLlama = "llama-3.3-70b-instruct-fp8-fast"


class AllowedCloudflareModels(StrEnum):
    CloudflareLlama = "cloudflare/llama-3.3-70b-instruct-fp8-fast"


def is_blank(text: str) -> bool:
    """Whether *text* is empty once white space is trimmed, here or at the endpoint.

    The endpoint's server trims as JavaScript does, to which the byte order mark is white space too.
    """
    return all(character.isspace() or character == "\ufeff" for character in text)


def whole_characters(text: str) -> str:
    """*text* as it can be sent: half a surrogate pair (`"\\ud83d"` in JSON) becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def quoted(text: str) -> str:
    """What a caller sent, as a refusal shows it: short, in quotes, control characters escaped."""
    return repr(text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…")


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

    @field_validator("content")
    @classmethod
    def _can_be_sent(cls, content: str) -> str:
        return whole_characters(content)


def _texts(parts: list[Any]) -> Iterable[str]:
    for place, part in enumerate(parts):
        match part:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "step-start" | "reasoning"}:  # AI SDK 5 sends its marks back, and what was thought
                pass
            case {"type": "text"}:
                raise ValueError(f"parts[{place}].text must be text")
            case {"type": str(kind)}:
                raise ValueError(f"parts[{place}] is of type {quoted(kind)}; only text can be sent")
            case _:
                raise ValueError(f"parts[{place}] has no type; only text can be sent")


def _not_blank(message: Message) -> Message:
    if is_blank(message.content):
        raise ValueError("content is blank")
    return message


class ChatRequest(BaseModel):
    """The body of a request: at least one message, none of them blank."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: list[Annotated[Message, AfterValidator(_not_blank)]] = Field(min_length=1)

    @classmethod
    def of(cls, data: Any) -> ChatRequest:
        """The request that *data* (decoded JSON) holds. Raises `Refused`, naming the place."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise Refused(f"{complaint(error)}.", "See the request body in the documentation.") from error


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


_WORDS = {
    "missing": "is missing",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "extra_forbidden": "is not known here",
    "string_type": "must be text",
    "string_unicode": "must be text",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be an object with role and content",
}


def complaint(error: ValidationError) -> str:
    """The first thing that is wrong, as words that name its place: `messages[1].role must be …`."""
    flaw = error.errors(include_url=False)[0]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in flaw["loc"]).lstrip(".")
    match flaw["type"]:
        case "value_error":  # raised in here: its words begin with the rest of the place
            return f"{place}.{flaw['ctx']['error']}".lstrip(".")
        case "literal_error":
            given = f", not {quoted(flaw['input'])}" if isinstance(flaw["input"], str) else ""
            return f"{place} must be {flaw['ctx']['expected']}{given}"
        case kind if place:
            return f"{place} {_WORDS.get(kind, 'cannot be read')}"
        case _:
            return "The body must be a JSON object with a list of messages"
