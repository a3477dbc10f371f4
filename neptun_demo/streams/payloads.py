"""The payloads of server-sent events: Workers AI, OpenAI chunks, AI SDK UI messages, in any mixture.

The family is decided for each payload: newer models of Workers AI answer in OpenAI chunks and end with
a total in the native shape, within one stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .characters import Joined
from .ending import Ending, error_words
from .events import Event, Text, Thinking
from .usage import usage
from .values import Json, parsed, spelling, spelt

# A field out of a payload and the `delta` in it, empty if there is none.
Field = Callable[[Json, Json], Any]

# Keys that say "chat completion" before `type` may say "UI message part": vLLM's errors have both.
_CHAT = frozenset({"choices", "response", "error", "errors", "object"})

# What a native payload may hold beside its text. Most hold no more than padding, so they are asked once.
_MORE = frozenset({"choices", "usage", "finish_reason", "error", "errors", "object"})

# A lone `"response":null` is the word null; beside one of these it only says that there is no text.
_NO_WORD_BESIDE = frozenset({"choices", "usage", "tool_calls", "finish_reason"})

_SCALARS = (str, int, float)


class Payloads:
    """Reads payloads into events, and tells *ending* what they say about the end."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._text = Joined(Text)
        self._thinking = Joined(Thinking)

    def events(self, data: bytes) -> Iterable[Event]:
        """Give the events of one payload; `ValueError` if it is not JSON, or lacks what it announces."""
        payload = parsed(data)
        if not isinstance(payload, dict):
            # A string was written by an encoder; a bare number or list is text that looks like JSON.
            return self.plain(payload if isinstance(payload, str) else data.decode("utf-8", "replace"))
        response = payload.get("response")
        if isinstance(response, str) and _MORE.isdisjoint(payload):
            return self._text.piece(response)
        if "type" in payload and _CHAT.isdisjoint(payload):
            return self._part(payload, data)
        return self._chat(payload, data)

    def plain(self, text: str) -> Iterable[Event]:
        """Give the event of a payload that is text and no JSON."""
        return self._text.piece(text)

    def error(self, data: bytes) -> None:
        """Take a payload of an event that is named `error`, whatever its shape."""
        try:
            payload = parsed(data)
        except ValueError:
            payload = data.decode("utf-8", "replace")
        match payload:
            case {"message": str(words)} | str(words):
                self._ending.report(words)
            case {"error": _} | {"errors": _}:
                self._ending.report(error_words(payload) or "")
            case _:
                self._ending.report("")

    def end(self) -> Iterable[Event]:
        """Give the halves of characters that still wait for the other one."""
        return (*self._thinking.end(), *self._text.end())

    def _chat(self, payload: Json, data: bytes) -> Iterable[Event]:
        """Read a chat completion, in the shape of OpenAI, of Workers AI, or both in one."""
        choice = _choice(payload)
        delta = _delta(choice)
        events: tuple[Event, ...] = ()
        if "reasoning_content" in delta or "reasoning" in delta:
            events = self._thinking.piece(_words(_thought(payload, delta), data, _thought))
        events += self._text.piece(_words(_answer(payload, delta), data, _answer))
        if "usage" in payload:
            events += usage(payload["usage"])
        reason = choice.get("finish_reason") or payload.get("finish_reason")
        if reason and isinstance(reason, str):
            self._ending.reason = reason
        if (error := error_words(payload)) is not None:
            self._ending.report(error)
        return events

    def _part(self, payload: Json, data: bytes) -> Iterable[Event]:
        """Read a part of an AI SDK 5, 6 or 7 UI message; unknown types are left out.

        `reset-step` (7) takes the step's text back. What was sent on cannot be taken back, so the text
        stays and what comes after it follows.
        """
        match payload:
            case {"type": "text-delta", "delta": delta}:
                return self._text.piece(_words(delta, data, _part_delta))
            case {"type": "reasoning-delta", "delta": delta}:
                return self._thinking.piece(_words(delta, data, _part_delta))
            case {"type": "text-delta" | "reasoning-delta"}:
                raise ValueError("a delta without its delta")
            case {"type": "error"}:
                self._ending.report(spelt(payload.get("errorText", ""), lambda: ""))
            case {"type": "abort"}:
                self._ending.reason = "abort"
            case {"type": "finish", "finishReason": str(reason)}:
                self._ending.reason = reason
        match payload:
            case {"messageMetadata": {"usage": counted}}:
                return usage(counted)
        return ()


def _words(value: Any, data: bytes, field: Field) -> str:
    """Give *value*, which is *field* of *data*, as text."""
    if isinstance(value, str):
        return value

    def again() -> Any:
        payload = spelling(data)
        return field(payload, _delta(_choice(payload)))

    return spelt(value, again)


def _answer(payload: Json, delta: Json) -> Any:
    """Give the text: that of the first choice, else the native one, never both (they are the same)."""
    content = delta.get("content")
    if content is not None and content != "":
        return content
    response = payload.get("response", "")
    if response is None and not _NO_WORD_BESIDE.isdisjoint(payload):
        return ""
    return response


def _thought(_: Json, delta: Json) -> Any:
    """Give the thinking: its name changes from call to call, and some servers send it under both."""
    for name in ("reasoning_content", "reasoning"):
        thought = delta.get(name)
        if thought != "" and isinstance(thought, _SCALARS):
            return thought
    return ""


def _part_delta(payload: Json, _: Json) -> Any:
    return payload["delta"]


def _choice(payload: Json) -> Json:
    choices = payload.get("choices")
    return _mapping(choices[0]) if choices and isinstance(choices, list) else {}


def _delta(choice: Json) -> Json:
    return _mapping(choice.get("delta"))


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
