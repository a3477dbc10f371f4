"""An answer in OpenAI's shape, in one piece or as chunks.

Source: OpenAI's reference of `POST /v1/chat/completions` (October 2026); what a client makes of it is
tested with the `openai` package.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import Any

from starlette.responses import Response

from neptun_demo.answer import Answer
from neptun_demo.backends.neptun import CUT_BY_THE_CAP
from neptun_demo.errors import PlaygroundError
from neptun_demo.streams import WIRES, Text, Thinking, Usage, Wire

from .answering import Events
from .bodies import json_response
from .completion_errors import error_object

# OpenAI's words for why an answer ended. It has none for an end without a reason, which far ends often
# leave out: such an end was a clean one, so it is `stop`, and the far end's own word, or our estimate,
# stands beside it as `native_finish_reason` (OpenRouter's name for it).
_REASONS: Mapping[str, str] = {
    "length": "length",
    CUT_BY_THE_CAP: "length",
    "content_filter": "content_filter",
    "content-filter": "content_filter",
    "tool_calls": "tool_calls",
    "tool-calls": "tool_calls",
}


def listed(backend: str, name: str) -> str:
    """The name by which a model is listed, and said to have answered: `backend/NAME`."""
    return f"{backend}/{name.rsplit('/', 1)[-1]}"


async def whole(events: Events) -> Response:
    """The answer in one piece, once it has come to its end."""
    answer = Answer()
    async for event in events:
        answer.add(event)
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    body = _Head("chat.completion").of(answer, message=message, **_reasons(answer))
    return json_response(body | _counted(answer.usage))


def wire(*, include_usage: bool) -> Wire:
    """The wire of a streamed answer; with *include_usage* its last chunk holds what the far end counted."""

    def encode(events: AsyncIterable[object]) -> AsyncGenerator[bytes, None]:
        return _encode(events, include_usage=include_usage)

    return Wire("openai", WIRES["text"].headers, encode, (Text, Thinking))


async def _encode(events: AsyncIterable[Any], *, include_usage: bool) -> AsyncGenerator[bytes, None]:
    head, answer = _Head("chat.completion.chunk"), Answer()
    role = {"role": "assistant"}
    absent = {"usage": None} if include_usage else {}
    try:
        async for event in events:
            answer.add(event)
            match event:
                case Text(text):
                    delta = {"content": text}
                case Thinking(text):
                    delta = {"reasoning_content": text}
                case _:
                    continue
            yield _event(head.of(answer, delta=role | delta, finish_reason=None) | absent)
            role = {}
    except PlaygroundError as error:
        yield _event({"error": error_object(error)})  # at which a client raises
        return
    yield _event(head.of(answer, delta={}, **_reasons(answer)) | absent)
    if include_usage and (counted := _counted(answer.usage)):
        yield _event(head.of(answer) | counted)
    yield b"data: [DONE]\n\n"


class _Head:
    """What every object of one answer begins with."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    def of(self, answer: Answer, **choice: Any) -> dict[str, Any]:
        """An object of *answer* with one choice, or with none."""
        return {
            "id": self._id,
            "object": self._kind,
            "created": self._created,
            "model": listed(answer.backend, answer.model),
            "choices": [{"index": 0, "logprobs": None, **choice}] if choice else [],
        }


def _reasons(answer: Answer) -> dict[str, Any]:
    reason = answer.finish_reason or ""
    return {"finish_reason": _REASONS.get(reason, "stop"), "native_finish_reason": reason}


def _counted(usage: Usage | None) -> dict[str, Any]:
    """What the far end counted; empty where it did not say both numbers, since none is made up."""
    if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return {}
    counted: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
    if usage.cached_tokens is not None:
        counted["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    return {"usage": counted}


def _event(payload: object) -> bytes:
    # In ASCII with escapes: a client that takes U+2028 for a line end reads it right all the same.
    return f"data: {json.dumps(payload, separators=(',', ':'))}\n\n".encode()
