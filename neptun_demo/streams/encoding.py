"""Events become the bytes of an HTTP door: one row of `WIRES` for each way to write them.

JSON is written in ASCII with escapes. A client that decodes chunk by chunk, or that takes U+2028 for
a line end, reads it right all the same.

An encoder passes over what its wire has no place for, events of other modules included. Each writes
its end when the events end; a failure of ours becomes the wire's error part, and where a wire has none
it goes through, so that the door breaks the body off.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neptun_demo.errors import PlaygroundError

from .events import UNKNOWN, Finish, Text, Thinking, Usage

Encoder = Callable[[AsyncIterable[object]], AsyncGenerator[bytes, None]]

# The AI SDK takes these words for a reason and refuses others; `unknown` is not among those of 6 and 7.
_REASONS = {
    reason: reason for reason in ("stop", "length", "content-filter", "tool-calls", "error", "other", UNKNOWN)
} | {"content_filter": "content-filter", "tool_calls": "tool-calls", "function_call": "tool-calls"}


@dataclass(frozen=True, slots=True)
class Wire:
    """One way to write events: its *name*, the response's *headers*, and the encoder."""

    name: str
    headers: Mapping[str, str]
    encode: Encoder
    kinds: tuple[type, ...]

    def carries(self, event: object) -> bool:
        """Tell whether a client sees *event* while the answer runs."""
        return isinstance(event, self.kinds)


async def encode_text(events: AsyncIterable[object]) -> AsyncGenerator[bytes, None]:
    """Write the text and nothing else, as UTF-8."""
    async for event in events:
        if isinstance(event, Text) and event.text:
            yield event.text.encode("utf-8", "replace")


async def encode_data(events: AsyncIterable[object]) -> AsyncGenerator[bytes, None]:
    """Write lines of the AI SDK 4 data stream: `0:` text, `g:` thinking, `3:` a failure, `e:` and `d:`."""
    end = _End()
    try:
        async for event in events:
            match event:
                case Text(text) if text:
                    yield _line("0", text)
                case Thinking(text) if text:
                    yield _line("g", text)
                case _:
                    end.take(event)
    except PlaygroundError as error:
        end.reason = "error"
        yield _line("3", error.message)
    finish: dict[str, Any] = {"finishReason": _REASONS.get(end.reason, "other")}
    if end.usage:
        finish["usage"] = {
            "promptTokens": end.usage.prompt_tokens,
            "completionTokens": end.usage.completion_tokens,
        }
    yield _line("e", finish | {"isContinued": False}) + _line("d", finish)


async def encode_ui(events: AsyncIterable[object]) -> AsyncGenerator[bytes, None]:
    """Write server-sent events of the AI SDK 5, 6 and 7 UI message stream.

    Text and thinking stand in blocks of their own, each with an id; usage goes with the end as
    `messageMetadata.usage`, under the SDK's names and `neurons`. An unknown reason is left out.
    """
    end, blocks = _End(), _Blocks()
    yield _part("start") + _part("start-step")
    try:
        async for event in events:
            match event:
                case Text(text) if text:
                    yield b"".join(blocks.delta("text", text))
                case Thinking(text) if text:
                    yield b"".join(blocks.delta("reasoning", text))
                case _:
                    end.take(event)
    except PlaygroundError as error:
        end.reason = "error"
        yield b"".join(blocks.close()) + _part("error", errorText=error.message)
    finish: dict[str, Any] = {}
    if end.reason != UNKNOWN:
        finish["finishReason"] = _REASONS.get(end.reason, "other")
    if end.usage:
        finish["messageMetadata"] = {"usage": _sdk_usage(end.usage)}
    yield b"".join(blocks.close()) + _part("finish-step") + _part("finish", **finish) + b"data: [DONE]\n\n"


class _End:
    """The reason and the last usage: they are written when nothing can fail any more."""

    def __init__(self) -> None:
        self.reason = UNKNOWN
        self.usage: Usage | None = None

    def take(self, event: object) -> None:
        match event:
            case Usage():
                self.usage = event
            case Finish(reason):
                self.reason = reason


class _Blocks:
    """The blocks of a UI message, of which one is open at a time."""

    def __init__(self) -> None:
        self._kind = ""
        self._id = 0

    def delta(self, kind: str, text: str) -> Iterator[bytes]:
        if kind != self._kind:
            yield from self.close()
            self._kind = kind
            self._id += 1
            yield _part(f"{kind}-start", id=str(self._id))
        yield _part(f"{kind}-delta", id=str(self._id), delta=text)

    def close(self) -> Iterator[bytes]:
        if self._kind:
            yield _part(f"{self._kind}-end", id=str(self._id))
        self._kind = ""


def _sdk_usage(usage: Usage) -> dict[str, float]:
    counts = {
        "inputTokens": usage.prompt_tokens,
        "outputTokens": usage.completion_tokens,
        "cachedInputTokens": usage.cached_tokens,
        "neurons": usage.neurons,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _line(code: str, value: object) -> bytes:
    return f"{code}:{_json(value)}\n".encode()


def _part(kind: str, **fields: object) -> bytes:
    return f"data: {_json({'type': kind, **fields})}\n\n".encode()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


_NO_BUFFERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

_ROWS = (
    # The endpoint documents text/event-stream for its raw text, so the documented route says that too.
    Wire("text", {"Content-Type": "text/event-stream"} | _NO_BUFFERS, encode_text, (Text,)),
    Wire(
        "data",
        {"Content-Type": "text/plain; charset=utf-8", "X-Vercel-AI-Data-Stream": "v1"} | _NO_BUFFERS,
        encode_data,
        (Text, Thinking),
    ),
    Wire(
        "ui",
        {"Content-Type": "text/event-stream", "x-vercel-ai-ui-message-stream": "v1"} | _NO_BUFFERS,
        encode_ui,
        (Text, Thinking),
    ),
)

WIRES: Mapping[str, Wire] = {wire.name: wire for wire in _ROWS}
