"""An answer of Workers AI that came as JSON in one piece, though a stream may have been asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neptun_demo.errors import Malformed, Reported
from neptun_demo.streams import UNKNOWN, Event, Finish, Text, Thinking
from neptun_demo.streams.characters import Joined
from neptun_demo.streams.ending import error_words
from neptun_demo.streams.usage import usage
from neptun_demo.streams.values import Json, parsed, spelling, spelt

BEFORE = b"\xef\xbb\xbf \t\r\n"
"""The bytes that may stand before the first one that tells what a body is."""


def is_json(beginning: bytes) -> bool:
    """Whether a body that begins like this is JSON rather than a stream."""
    return beginning.lstrip(BEFORE).startswith(b"{")


def whole_answer(body: bytes) -> Iterator[Event]:
    """The events of `{"result": …}`: `response`, or OpenAI's `choices`; no text for an empty result.

    Raises `Malformed` for what is no JSON, `Reported` for an error that came with status 200.
    """
    data = body.lstrip(BEFORE)
    try:
        answer = parsed(data)
        text = spelt(_content(_result(answer)), lambda: _content(_result(spelling(data))))
    except ValueError as error:
        raise Malformed("Workers AI sent JSON that cannot be read.", "Try again.") from error
    words = error_words(answer)
    if words is not None:
        raise Reported("Workers AI reported an error.", words=words)
    result = _result(answer)
    yield from _pieces(Thinking, _thought(result))
    yield from _pieces(Text, text)
    yield from usage(result.get("usage"))
    yield Finish(_reason(result))


def _result(answer: Json) -> Json:
    """What the answer is about: wrapped, as Cloudflare's own API does it, or bare, as OpenAI's does."""
    result = answer.get("result")
    return result if isinstance(result, dict) else answer


def _content(result: Json) -> Any:
    """The text, or what somebody took for JSON: a number, or the object that a model was asked for."""
    content = _message(result).get("content")
    if content is None or content == "":
        content = result.get("response")
    return "" if content is None else content


def _thought(result: Json) -> str:
    """The thinking, whose name changes from call to call; a native answer has it beside `response`."""
    for place in (_message(result), result):
        for name in ("reasoning_content", "reasoning"):
            if isinstance(thought := place.get(name), str) and thought:
                return thought
    return ""


def _reason(result: Json) -> str:
    reason = _choice(result).get("finish_reason") or result.get("finish_reason")
    return reason if isinstance(reason, str) else UNKNOWN


def _message(result: Json) -> Json:
    message = _choice(result).get("message")
    return message if isinstance(message, dict) else {}


def _choice(result: Json) -> Json:
    match result.get("choices"):
        case [dict(choice), *_]:
            return choice
    return {}


def _pieces(kind: type[Text | Thinking], text: str) -> Iterator[Event]:
    joined = Joined(kind)
    yield from joined.piece(text)
    yield from joined.end()
