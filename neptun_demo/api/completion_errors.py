"""Failures in OpenAI's shape, with its statuses, types and codes.

Source: OpenAI's guide to error codes and the bodies that its API sends (October 2026).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from neptun_demo.backends.workers_ai_errors import QUOTA
from neptun_demo.errors import (
    NeedsACookie,
    OverBudget,
    PlaygroundError,
    Refused,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownModel,
    UpstreamError,
)

from .answering import Failure
from .bodies import json_response, retry_after

_HOW_TO_SHOW_ONE = (
    "Give as the API key this playground's key; or, with a model of the Neptun back end (neptun/NAME), the"
    " value of your own neptun-session cookie."
)

_HOW_TO_SHOW_A_COOKIE = (
    "Give as the API key the value of your own neptun-session cookie, or choose a model of another back end."
)

# A wait of more seconds than this is the day's quota, not a busy moment.
_BUSY = 60

# The sentences of a refusal begin with the place that it is about: "messages[1].role must be …",
# "'foo': …". Behind a colon follows that the model does not take it at all.
_PLACE = re.compile(r"'?(?P<place>(?P<name>\w+)[\w.\[\]]*)'?(?P<colon>:?) ")


class Unsupported(Refused):
    """Something that OpenAI's own service has, and this playground has not."""


def failure_of(names: frozenset[str]) -> Failure:
    """How a request with the fields *names* is refused."""

    def failure(error: PlaygroundError, headers: Mapping[str, str]) -> Response:
        # What may be asked again was asked again already, by the back end.
        final = {"X-Should-Retry": "false"} if isinstance(error, UpstreamError) else {}
        body = {"error": error_object(error, names)}
        return json_response(body, _kind(error)[0], {**headers, **retry_after(error), **final})

    return failure


def error_object(error: PlaygroundError, names: frozenset[str] = frozenset()) -> dict[str, Any]:
    """OpenAI's `error`; *names* are the fields of the request, of which `param` is one."""
    _, kind, code = _kind(error)
    sentence, param = error.sentence, None
    if "max_completion_tokens" in names and "max_tokens" not in names:
        sentence = sentence.replace("max_tokens", "max_completion_tokens", 1)
    if code == "model_not_found":
        param = "model"
    elif (found := _place(error, sentence)) and found["name"] in names | {"model", "messages"}:
        param = found["place"]
        code = code or ("unsupported_parameter" if found["colon"] else "invalid_value")
    advice = _advice(error)
    return {"message": f"{sentence} {advice}".strip(), "type": kind, "param": param, "code": code}


def _advice(error: PlaygroundError) -> str:
    """What to do in a client of OpenAI's, which has no cookie and no query."""
    match error:
        case NeedsACookie():
            return _HOW_TO_SHOW_A_COOKIE
        case Unauthorized():
            return _HOW_TO_SHOW_ONE
        case _:
            return error.advice


def _place(error: PlaygroundError, sentence: str) -> re.Match[str] | None:
    return _PLACE.match(sentence) if isinstance(error, Refused) else None


def outside(status: int, message: str, code: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request that is none of ours."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json_response({"error": error}, status, headers)


def _kind(error: PlaygroundError) -> tuple[int, str, str | None]:
    """Status, type and code."""
    if error.phrase in (UnknownModel.phrase, Unavailable.phrase):
        return 404, "invalid_request_error", "model_not_found"
    match error.status:
        case 401:
            return 401, "invalid_request_error", "invalid_api_key"
        case 413:
            return 400, "invalid_request_error", "context_length_exceeded"
        case 429 if _is_quota(error):
            return 429, "insufficient_quota", "insufficient_quota"
        case 429:
            return 429, "requests", "rate_limit_exceeded"
        case status if status >= 500:
            return status, "server_error", None
        case status:
            code = "unsupported_parameter" if isinstance(error, Unsupported) else None
            return status, "invalid_request_error", code


def _is_quota(error: PlaygroundError) -> bool:
    match error:
        case Rejected(code=code):
            return code in QUOTA
        case OverBudget(retry_after=float(wait)):
            return wait > _BUSY
        case _:
            return False
