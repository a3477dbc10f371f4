"""The HTTP doors. Each converts shapes and nothing else: every rule of a chat is in `Chat.reply()`."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from .access import Access
from .answer import Start
from .backends import Retry
from .chat import Chat, Options
from .contract import ChatRequest, ErrorBody, Message
from .errors import PHRASES, PlaygroundError, Refused
from .streams import WIRES, Event, Wire

log = logging.getLogger(__name__)

CHAT_PATH = "/api/ai/cloudflare/{model_name:path}/chat"

# Every route of ours begins like this; guard.py takes credentials away from other origins here.
PREFIX = "/api/"

COOKIE = "neptun-session"

_TRUTH: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


def routes(chat: Chat) -> Sequence[BaseRoute]:
    """The routes of *chat*, for the application that serves them."""
    router = APIRouter()

    @router.post(CHAT_PATH, response_class=Response)
    async def answer(request: Request, model_name: str) -> Response:
        """The documented route: the text of the answer as it comes."""
        return Answering(chat, await _asked(request, model_name), WIRES["text"])

    @router.api_route(CHAT_PATH, methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
    async def not_this_method(model_name: str) -> Response:  # noqa: ARG001 - part of the path
        headers = {"Allow": "POST", "X-Chat-Backend": chat.default_backend}
        return _error(405, PHRASES[405], "This route takes POST.", headers)

    return router.routes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as `Chat.reply()` takes it."""

    conversation: Callable[[], Sequence[Message]]
    options: Options
    access: Access
    wants_storing: bool


async def _asked(request: Request, model_name: str) -> Asked:
    body = await request.body()
    query, complaint = _query(request.query_params)

    def conversation() -> Sequence[Message]:
        """Called by `reply()` once it is known who may: a wrong credential is answered before this."""
        if complaint is not None:
            raise complaint
        return ChatRequest.of_json(body).messages

    options = Options(
        backend=request.query_params.get("backend", ""),
        model=model_name,
        chat_id=query.chat_id,
        is_playground=query.is_playground,
    )
    return Asked(conversation, options, Access("http", credential(request)), not query.is_playground)


def credential(request: Request) -> str:
    """The one credential of a request: the bearer token, else the session cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.cookies.get(COOKIE, "")


@dataclass(frozen=True, slots=True)
class Query:
    """The documented query. The documentation calls `is_playground` optional: absent is false."""

    chat_id: int = -1
    is_playground: bool = False


def _query(given: QueryParams) -> tuple[Query, Refused | None]:
    """The query, and what is wrong with it, to be raised in its turn."""
    try:
        chat_id = _one(given, "chat_id")
        is_playground = _one(given, "is_playground")
        _one(given, "backend")
        return Query(_whole(chat_id), _truth(is_playground)), None
    except Refused as complaint:
        return Query(), complaint


def _one(given: QueryParams, name: str) -> str | None:
    values = given.getlist(name)
    if len(values) > 1:
        raise Refused(f"{name} is given {len(values)} times.", "Give it once.")
    return values[0] if values else None


def _whole(chat_id: str | None) -> int:
    if chat_id is None:
        raise Refused("chat_id is missing.", "Add it to the query; -1 with is_playground=true stores nothing.")
    digits = chat_id.strip()
    if not digits.removeprefix("-").isascii() or not digits.removeprefix("-").isdigit() or len(digits) > 20:
        raise Refused(f"chat_id must be a whole number, not {chat_id[:40]!r}.")
    return int(digits)


def _truth(is_playground: str | None) -> bool:
    if is_playground is None:
        return False
    if is_playground.strip().lower() not in _TRUTH:
        raise Refused(f"is_playground must be true or false, not {is_playground[:40]!r}.")
    return _TRUTH[is_playground.strip().lower()]


class Answering(Response):
    """An answer on its way: the status is decided by the first event that the wire carries.

    It watches for a caller that leaves from the beginning on, also while the upstream is silent. A
    failure after the first text breaks the body off without its end, so that no client takes half an
    answer for a whole one.
    """

    def __init__(self, chat: Chat, asked: Asked, wire: Wire) -> None:
        super().__init__()
        self._chat = chat
        self._asked = asked
        self._wire = wire
        self._start: Start | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as tasks:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            await self._send(scope, receive, send)
            tasks.cancel_scope.cancel()

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._asked
        async with (
            aclosing(self._chat.reply(asked.conversation, asked.options, asked.access)) as events,
            aclosing(self._wire.encode(self._noted(events))) as pieces,
        ):
            try:
                first = await anext(pieces, b"")
            except PlaygroundError as error:
                await _failure(error, self._notes())(scope, receive, send)
                return
            except Exception:  # whatever it is, the caller gets the documented body, and we the traceback
                log.exception("The documented route failed.")
                await _error(500, PHRASES[500], None, self._notes())(scope, receive, send)
                return
            await self._stream(first, pieces, send)

    async def _stream(self, first: bytes, pieces: AsyncGenerator[bytes, None], send: Send) -> None:
        headers = {**self._wire.headers, **self._notes()}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        try:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except PlaygroundError as error:
            # Returning without the end makes the server close the connection: the caller sees a
            # broken body. guard.py keeps the server's own line about it out of the log.
            log.warning("An answer broke off: %s", error.sentence)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _noted(self, events: AsyncGenerator[Start | Retry | Event, None]) -> AsyncGenerator[Any, None]:
        async for event in events:
            if isinstance(event, Start):
                self._start = event
            yield event

    def _notes(self) -> dict[str, str]:
        """Which back end answers, and whether a chat that was to be stored is not."""
        asked = self._asked
        headers = {"X-Chat-Backend": self._start.backend if self._start else _named(self._chat, asked.options)}
        if self._start and asked.wants_storing and not self._start.stored:
            headers["X-Chat-Stored"] = "false"
        return headers


def _named(chat: Chat, options: Options) -> str:
    """The back end that was asked, if there is one of that name: a header takes no visitor's words."""
    return options.backend if options.backend in chat.backends else chat.default_backend


def _failure(error: PlaygroundError, headers: Mapping[str, str]) -> Response:
    after = {"Retry-After": str(max(1, round(error.retry_after)))} if error.retry_after is not None else {}
    return _error(error.status, error.status_message, error.message, {**headers, **after})


def _error(status: int, phrase: str, message: str | None, headers: Mapping[str, str]) -> Response:
    """The documented error body."""
    body = ErrorBody(statusCode=status, statusMessage=phrase, message=message).model_dump(exclude_none=True)
    return Response(
        json.dumps(body, ensure_ascii=False).encode(),
        status,
        {**headers, "Cache-Control": "no-cache"},
        media_type="application/json",
    )
