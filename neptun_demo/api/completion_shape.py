"""OpenAI's types, as far as this playground has them: what is read is checked here, and described.

Source: OpenAI's reference of `POST /v1/chat/completions` (October 2026).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema, model_validator

from neptun_demo.contract import is_blank, quoted

Schema = dict[str, JsonValue]

_NOT_BLANK: Schema = {"type": "string", "pattern": r"[^\s\ufeff]"}
_PARTS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
        "required": ["type", "text"],
    },
}
_SOME_PARTS: Schema = {**_PARTS, "contains": {"properties": {"text": _NOT_BLANK}}}
_ANY_TEXT: list[JsonValue] = [{"type": "string"}, _PARTS]
# What a content may be depends on the role: a question is not blank, an answer may be absent.
_BY_ROLE: list[JsonValue] = [
    {
        "properties": {"role": {"const": "user"}, "content": {"anyOf": [_NOT_BLANK, _SOME_PARTS]}},
        "required": ["content"],
    },
    {
        "properties": {"role": {"enum": ["system", "developer"]}, "content": {"anyOf": _ANY_TEXT}},
        "required": ["content"],
    },
    {"properties": {"role": {"const": "assistant"}}},
]


_TEXTS = {"type": "array", "items": {"type": "string"}}


def _number(description: str, high: float, kind: str = "number") -> WithJsonSchema:
    """The schema of a parameter. Its range is checked by the model's row, and may be narrower there."""
    schema = {"type": [kind, "null"], "minimum": -2, "maximum": high}
    return WithJsonSchema({**schema, "description": description} if description else schema)


class Turn(BaseModel):
    """A message. Fields besides these (`name`, thinking that is sent back) are passed over."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        json_schema_extra={"required": ["role"], "anyOf": _BY_ROLE},
    )

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, WithJsonSchema({"anyOf": [*_ANY_TEXT, {"type": "null"}]})]

    @model_validator(mode="before")
    @classmethod
    def _as_text(cls, message: Any) -> Any:
        """Make the text of the content's parts, and refuse what is no text."""
        if not isinstance(message, dict):
            return message
        for name in ("tool_calls", "function_call", "tool_call_id", "audio"):
            if message.get(name):
                raise ValueError(f"{name} cannot be sent; only text can")
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(_texts(content))
        if content is None and message.get("role") == "assistant":
            content = ""
        if isinstance(content, str) and message.get("role") == "user" and is_blank(content):
            raise ValueError("content is blank")
        return {**message, "content": content}


def _texts(parts: list[Any]) -> Iterable[str]:
    for place, part in enumerate(parts):
        match part:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "text"}:
                raise ValueError(f"content[{place}].text must be text")
            case {"type": str(kind)}:
                raise ValueError(f"content[{place}] is of type {quoted(kind)}; only text can be sent")
            case _:
                raise ValueError(f"content[{place}] has no type; only text can be sent")


class StreamOptions(BaseModel):
    """With *include_usage* a last chunk holds what the far end counted, if it did."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    include_usage: bool | None = None


class CompletionRequest(BaseModel):
    """A question. A model takes only the parameters that its back end has; others are refused by name.

    So is what OpenAI's own service has beyond them: tools, images, `n` above 1, and so on.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    parameters: ClassVar[tuple[str, ...]] = (
        *("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty"),
        "reasoning_effort",
    )

    model: Annotated[str, Field(min_length=1, description="Any name of a model; `backend/NAME` chooses.")]
    messages: Annotated[
        list[Turn],
        Field(min_length=1, json_schema_extra={"contains": {"properties": {"role": {"const": "user"}}}}),
    ]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[Any, _number("Output tokens.", 2**31, "integer")] = None
    max_completion_tokens: Annotated[Any, _number("Its newer name.", 2**31, "integer")] = None
    temperature: Annotated[Any, _number("", 5)] = None
    top_p: Annotated[Any, _number("", 1)] = None
    seed: Annotated[Any, _number("", 9_999_999_999, "integer")] = None
    frequency_penalty: Annotated[Any, _number("", 2)] = None
    presence_penalty: Annotated[Any, _number("", 2)] = None
    stop: Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, _TEXTS, {"type": "null"}]})] = None
    reasoning_effort: Annotated[Any, WithJsonSchema({"type": ["string", "null"]})] = None


class AnswerMessage(BaseModel):
    """What was answered; *reasoning_content* is what the model thought before it."""

    role: Literal["assistant"]
    content: str
    reasoning_content: str | None = None


class Choice(BaseModel):
    """The one choice. *native_finish_reason* is the far end's own word, or our estimate."""

    index: Literal[0]
    message: AnswerMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]
    native_finish_reason: str


class Delta(BaseModel):
    """What came: at first with the role, then text or thinking, at last nothing."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(BaseModel):
    """The one choice; the reasons come with the last delta."""

    index: Literal[0]
    delta: Delta
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] | None
    native_finish_reason: str | None = None


class CachedTokens(BaseModel):
    cached_tokens: int


class CompletionUsage(BaseModel):
    """What the far end counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens | None = None


class ChatCompletion(BaseModel):
    """An answer in one piece. *usage* is absent where the far end counted nothing."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: Annotated[list[Choice], Field(min_length=1, max_length=1)]
    usage: CompletionUsage | None = None


class ChatCompletionChunk(BaseModel):
    """A piece of an answer. The one with the usage, if that was asked for, has no choice."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: Annotated[list[ChunkChoice], Field(max_length=1)]
    usage: CompletionUsage | None = None


class OpenAIModel(BaseModel):
    """A model. Far ends do not say when it was made: *created* is 0."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class OpenAIModels(BaseModel):
    object: Literal["list"]
    data: list[OpenAIModel]


class OpenAIError(BaseModel):
    """*param* is the place in the request, *code* a word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """OpenAI's error body."""

    error: OpenAIError
