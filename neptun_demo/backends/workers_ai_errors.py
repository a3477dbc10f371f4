"""What Workers AI's error codes mean, and what to do about each.

Source: Cloudflare's documentation, and captures that users published (October 2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from neptun_demo.errors import AccountTrouble, Rejected

from .http import Incoming

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
_TOO_LARGE = (
    "The request is too large for Workers AI.",
    "Begin a new conversation, or shorten the message.",
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
    3006: _TOO_LARGE,
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
    413: _TOO_LARGE,
    422: _INPUT,
    429: (
        "Workers AI is asked too often (300 requests a minute; 20 on paid models).",
        "Try again in a minute.",
    ),
}
# Those that are about the host's account, and not about what was asked.
_TROUBLES: Mapping[tuple[str, str], AccountTrouble] = {_TOKEN: "token", _ACCOUNT: "account", _QUOTA: "quota"}
_REDIRECTED = (
    "Workers AI redirects, which is not followed with a token.",
    "The host checks CLOUDFLARE_BASE_URL.",
)
_FAILED = ("Workers AI failed.", "Try again.")


def rejection(incoming: Incoming, body: bytes) -> Rejected:
    """The error for an answer that is a refusal, in the words of the table and of the far end."""
    status = incoming.status
    code, words = _said(body)
    words = incoming.quoted(cleaned(words))
    by_status = _BY_STATUS.get(status, _REDIRECTED if 300 <= status < 400 else _FAILED)
    sentence, advice = MEANINGS.get(code or 0, by_status)
    source = f"{status}, code {code}" if code else f"{status}"
    said = f"{source}: {words}" if words else source
    return incoming.rejected(
        f"{sentence.removesuffix('.')} ({said}).",
        advice,
        status=_ours(status),
        code=code,
        trouble=_TROUBLES.get((sentence, advice)),
    )


def cleaned(words: str) -> str:
    """Without `AiError: ` before the words, and without the request's id behind them."""
    bare = re.sub(r"^(AiError:\s*)+", "", words.strip())
    # No white space in the pattern: each run of it would be searched again from each of its characters.
    return re.sub(r"\([0-9a-f]{8}-[0-9a-f-]{27}\)$", "", bare, flags=re.IGNORECASE).rstrip()


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
    """The code and the words of an error body: Cloudflare's, an AI Gateway's, OpenAI's, or plain text."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None, body.decode("utf-8", "replace")
    match said:
        case {"errors": [dict(error), *_]} | {"error": [dict(error), *_]} | {"error": dict(error)}:
            words = error.get("message")
            return _code(error.get("code")), words if isinstance(words, str) else ""
        case {"error": str(words)} | {"message": str(words)}:
            return None, words
        case _:
            return None, ""


def _code(value: Any) -> int | None:
    """The code as a number; some servers write it as text, and OpenAI's has words in its place."""
    return int(value) if re.fullmatch(r"[0-9]{1,9}", str(value)) else None
