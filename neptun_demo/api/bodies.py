"""What all doors share: reading a request's body and credential, and the documented error body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from neptun_demo.contract import ErrorBody
from neptun_demo.errors import PHRASES, PlaygroundError, Refused

COOKIE = "neptun-session"

LONGEST_NUMBER = 40
"""Digits; a whole number with more of them is read as a float, as JavaScript does."""


def credential(request: Request) -> str:
    """The one credential of a request: the bearer token, else the session cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.cookies.get(COOKIE, "")


async def whole_body(request: Request) -> bytes:
    """The body; what there is of it when the caller has left, since nobody will read what is made of it."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
    except ClientDisconnect:
        pass
    return bytes(body)


def decoded(body: bytes) -> Any:
    """The JSON value that *body* holds. Raises `Refused`."""
    try:
        # Not orjson: it refuses half a surrogate pair, which JavaScript's JSON.stringify writes.
        return json.loads(body.decode("utf-8-sig"), parse_int=_whole, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("The body is not valid JSON.", 'Send {"messages": […]}.') from error


def _whole(digits: str) -> float:
    # int() refuses one of thousands of digits, and none of our numbers has more than ten.
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def failure(error: PlaygroundError, headers: Mapping[str, str]) -> Response:
    """*error* in the documented shape."""
    return refusal(error.status, error.status_message, error.message, {**headers, **retry_after(error)})


def retry_after(error: PlaygroundError) -> dict[str, str]:
    """The header that says when the same request may work, in whole seconds, where that is known."""
    return {} if error.retry_after is None else {"Retry-After": str(max(1, round(error.retry_after)))}


def refusal(status: int, phrase: str, message: str, headers: Mapping[str, str]) -> Response:
    """The documented error body."""
    return json_response(ErrorBody(statusCode=status, statusMessage=phrase, message=message), status, headers)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """*body*, a model or plain JSON, as a response; what is absent is left out of a model."""
    plain = body.model_dump(exclude_none=True) if isinstance(body, BaseModel) else body
    return Response(
        json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"),
        status,
        {**(headers or {}), "Cache-Control": "no-cache"},
        media_type="application/json",
    )


def other_methods(path: str, allowed: str, headers: Mapping[str, str] | None = None) -> Route:
    """The route behind the ones of *path*: 405 for every method but the *allowed* ones (`GET, HEAD`)."""
    message = f"This route takes {allowed.replace(', ', ' and ')}."
    # A response is an ASGI application: as an endpoint it takes every method that is left.
    return Route(path, refusal(405, PHRASES[405], message, {"Allow": allowed, **(headers or {})}))
