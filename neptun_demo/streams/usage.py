"""What the far end counted, under the names that each family of servers has for it."""

from __future__ import annotations

from math import isfinite
from typing import Any

from .events import Usage
from .values import Json, is_number

_PROMPT = ("prompt_tokens", "promptTokens", "inputTokens")
_COMPLETION = ("completion_tokens", "completionTokens", "outputTokens")


def usage(counted: object) -> tuple[Usage, ...]:
    """Give *counted* as an event; nothing if it holds no count.

    Names: OpenAI and Workers AI, AI SDK v4, AI SDK v5 and later. A count that is `null` (AI SDK v4
    writes NaN so), a boolean or negative is "not said". Increments and totals look alike on the wire:
    each is an event, none is added up, the last one counts.
    """
    if not isinstance(counted, dict):
        return ()
    found = Usage(
        prompt_tokens=_tokens(counted, *_PROMPT),
        completion_tokens=_tokens(counted, *_COMPLETION),
        cached_tokens=_cached(counted),
        neurons=_number(counted.get("neurons")),
    )
    return (found,) if found != Usage() else ()


def _cached(counted: Json) -> int | None:
    match counted:
        case {"prompt_tokens_details": {"cached_tokens": _} as details}:
            return _tokens(details, "cached_tokens")
    return _tokens(counted, "cachedInputTokens")


def _tokens(counted: Json, *names: str) -> int | None:
    for name in names:
        count = _number(counted.get(name))
        if count is not None:
            return int(count)
    return None


def _number(value: Any) -> float | None:
    return value if is_number(value) and isfinite(value) and value >= 0 else None
