"""An answer of Workers AI that came as JSON in one piece, though a stream may have been asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from neptun_demo.errors import Malformed, Reported
from neptun_demo.streams import Event, Finish, Text, Thinking, Usage

from .http import quoted


def is_json(beginning: bytes) -> bool:
    """Whether a body that begins like this is JSON rather than a stream."""
    return beginning.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def whole_answer(body: bytes) -> Iterator[Event]:
    """The events of `{"result": …}`: `response`, or OpenAI's `choices`; none for an empty result.

    Raises `Malformed` for what is no JSON, `Reported` for an error that came with status 200.
    """
    try:
        # Numbers keep their spelling: `response` may be the number 1.50, which is text here.
        answer = json.loads(body.decode("utf-8-sig", "replace"), parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise Malformed("Workers AI sent JSON that cannot be read.", "Try again.") from error
    match answer:
        case (
            {"errors": [{"message": str(words)}, *_]}
            | {"error": {"message": str(words)}}
            | {"error": str(words)}
        ):
            raise Reported(f"Workers AI reported an error. {quoted(words)}", "Try again.", words=words)
        case {"result": dict(result)} | dict(result):
            yield from _events(result)


def _events(result: dict[str, Any]) -> Iterator[Event]:
    reason = result.get("finish_reason")
    match result:
        case {"choices": [{"message": dict(message), **choice}, *_]}:
            yield from _thinking(message)
            yield from _text(message.get("content"))
            reason = choice.get("finish_reason") or reason
        case {"response": response}:
            yield from _thinking(result)
            yield from _text(response)
    if isinstance(result.get("usage"), dict):
        yield _usage(result["usage"])
    yield Finish(reason) if isinstance(reason, str) else Finish()


def _text(content: Any) -> Iterator[Text]:
    """The content as text. An object (a model that was asked for JSON) is shown as JSON."""
    match content:
        case None | "":
            return
        case str():
            yield Text(content)
        case _:
            yield Text(json.dumps(content, ensure_ascii=False))


def _thinking(message: dict[str, Any]) -> Iterator[Thinking]:
    words = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(words, str) and words:
        yield Thinking(words)


def _usage(usage: dict[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details")
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        neurons=_amount(usage.get("neurons")),
    )


def _amount(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _count(value: Any) -> int | None:
    amount = _amount(value)
    return None if amount is None else int(amount)
