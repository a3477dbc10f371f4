"""What Workers AI's error codes mean, and what to do about each.

Source: Cloudflare's documentation, and captures that users published (October 2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from neptun_demo.errors import Rejected

from .http import quoted, seconds_of

QUOTA = frozenset({3036, 4006})
"""The daily free allocation is used up; the documentation says 3036, captures show 4006."""

_TOKEN = (
    "Workers AI refused the host's API token.",
    "The host checks CLOUDFLARE_API_TOKEN: it needs the permissions Workers AI Read and Edit.",
)
_ACCOUNT = ("Workers AI knows no such account.", "The host checks CLOUDFLARE_ACCOUNT_ID.")
_MODEL = ("Workers AI does not have this model.", "Choose another; it may have been retired.")
_INPUT = ("Workers AI refused the request.", "Check the parameters, or use the model's defaults.")
_TOO_LONG = (
    "The conversation and the output cap together exceed the model's context window.",
    "Lower the cap, begin a new conversation, or choose a model with a larger window.",
)
_FORBIDDEN = ("The host's Cloudflare account may not use this model.", "Choose another model.")
_TIMEOUT = ("Workers AI gave up: the answer took too long.", "Ask for less, or choose a smaller model.")
_QUOTA = ("The host's daily free allocation at Cloudflare is used up.", "It is free again at 00:00 UTC.")

MEANINGS: Mapping[int, tuple[str, str]] = {
    10000: _TOKEN,
    7003: _ACCOUNT,
    7000: _ACCOUNT,
    5007: _MODEL,
    3042: _MODEL,
    5006: _INPUT,
    8001: _INPUT,
    5012: _INPUT,
    5021: _TOO_LONG,
    3010: _TOO_LONG,
    3030: _TOO_LONG,
    3006: ("The request is too large for Workers AI.", "Begin a new conversation, or shorten the message."),
    5016: (
        "The licence of this model was not accepted by the host's account.",
        "The host accepts it once in Cloudflare's dashboard; until then choose another model.",
    ),
    5035: ("This model needs Cloudflare's paid plan.", "Choose a model of the free plan."),
    5018: _FORBIDDEN,
    3041: _FORBIDDEN,
    3023: _FORBIDDEN,
    3007: _TIMEOUT,
    3008: _TIMEOUT,
    3046: _TIMEOUT,
    3040: ("Workers AI has no capacity for this model at the moment.", "Try again, or choose another model."),
    3036: _QUOTA,
    4006: _QUOTA,
}

# For an error without a code that we know.
_BY_STATUS: Mapping[int, tuple[str, str]] = {
    400: _INPUT,
    401: _TOKEN,
    403: _TOKEN,
    404: _ACCOUNT,
    408: _TIMEOUT,
    413: ("The request is too large for Workers AI.", "Begin a new conversation, or shorten the message."),
    422: _INPUT,
    429: (
        "Workers AI is asked too often (300 requests a minute; 20 on paid models).",
        "Try again in a minute.",
    ),
}
_FAILED = ("Workers AI failed.", "Try again.")


def rejection(status: int, headers: Mapping[str, str], body: bytes) -> Rejected:
    """The error for an answer with *status*, in the words of the table and of the far end."""
    code, words = _said(body)
    sentence, advice = MEANINGS.get(code or 0) or _BY_STATUS.get(status) or _FAILED
    said = f" ({status}{f', code {code}' if code else ''}: {words})" if words else f" ({status})"
    return Rejected(
        sentence.removesuffix(".") + said + ".",
        advice,
        status=_ours(status),
        upstream_status=status,
        code=code,
        retry_after=seconds_of(headers.get("retry-after")),
    )


def _ours(status: int) -> int:
    """The status for our callers: what concerns the host's account is no fault of theirs."""
    match status:
        case 401 | 403 | 404:
            return 500
        case 422:
            return 400
        case 408:
            return 504
        case 400 | 413 | 429 | 503:
            return status
        case _:
            return 502


def _said(body: bytes) -> tuple[int | None, str]:
    """The code and the words of an error body; see the shapes below."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None, quoted(body.decode("utf-8", "replace"))
    match said:
        case {"errors": [dict(first), *_]}:
            return _code(first.get("code")), _clean(first.get("message"))
        case {"error": {"message": words, **rest}}:
            return _code(rest.get("code")), _clean(words)
        case {"error": str(words)} | {"message": str(words)}:
            return None, _clean(words)
        case _:
            return None, ""


def _code(value: Any) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else None


def _clean(words: Any) -> str:
    """Without `AiError: ` before the words, and without the request's id behind them."""
    if not isinstance(words, str):
        return ""
    bare = re.sub(r"^(AiError:\s*)+", "", words.strip())
    return quoted(re.sub(r"\s*\([0-9a-f]{8}-[0-9a-f-]{27}\)\s*$", "", bare)).removesuffix(".")
