"""An answer on its way to a caller, the same for every HTTP door: who listens, which status, how it ends."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import anyio
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from neptun_demo.access import Access
from neptun_demo.answer import Start
from neptun_demo.backends import Retry
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message
from neptun_demo.errors import PlaygroundError
from neptun_demo.models import TITLES
from neptun_demo.streams import Event, Wire

log = logging.getLogger(__name__)

GRACE = 1.0
"""Seconds beyond the limit of `reply()`, which says what happened to whoever still reads."""

Events = AsyncGenerator[Start | Retry | Event, None]

Way = Callable[[Events], Awaitable[Response]]
"""How a door answers: it may read from the events until it knows the status; what it raises decides it too."""

Failure = Callable[[PlaygroundError, Mapping[str, str]], Response]
"""An error as a response, in the shape of a door, with the headers that are given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as `Chat.reply()` takes it. *wants_storing*: the far end is asked to keep the chat."""

    conversation: Callable[[], Sequence[Message]]
    options: Options
    access: Access
    wants_storing: bool = False


class Answering(Response):
    """Asks, and answers in the *way* of a door.

    It watches for a caller that leaves from the beginning on, also while the upstream is silent: then
    the upstream is closed, whether the answer was to be streamed or not.
    """

    def __init__(self, chat: Chat, asked: Asked, way: Way, failure: Failure) -> None:
        super().__init__()
        self._chat = chat
        self._asked = asked
        self._way = way
        self._failure = failure
        self._start: Start | None = None
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._chat.settings.playground_max_seconds + GRACE
        async with anyio.create_task_group() as tasks:
            # A caller that reads nothing holds the answer up, and with it the limit of `reply()`.
            tasks.cancel_scope.deadline = deadline = anyio.current_time() + limit

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            await self._answer(scope, receive, send)
            tasks.cancel_scope.cancel()
        if anyio.current_time() >= deadline:
            log.warning("An answer broke off: its caller did not read it in time.")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._asked
        async with (
            aclosing(self._chat.reply(asked.conversation, asked.options, asked.access)) as events,
            aclosing(self._noted(events)) as noted,
        ):
            try:
                response = await self._way(noted)
            except PlaygroundError as error:
                response = self._failure(error, {})
            except Exception:  # whatever it is, the caller gets the door's error body, and we the traceback
                log.exception("An HTTP door failed.")
                response = self._failure(PlaygroundError("The playground itself failed.", "Try again."), {})
            response.headers.update(self._notes())
            self._begun = True
            await response(scope, receive, send)

    async def _noted(self, events: Events) -> Events:
        """The events; what a door must know of them is noted, and a failure after the status is logged."""
        try:
            async for event in events:
                if isinstance(event, Start):
                    self._start = event
                yield event
        except PlaygroundError as error:
            if self._begun:
                log.warning("An answer broke off: %s", error.sentence)
            raise

    def _notes(self) -> dict[str, str]:
        """Which back end answers, how many messages had no room, and whether a chat that was to be stored is
        not."""
        asked = self._asked
        headers = {"X-Chat-Backend": self._start.backend if self._start else _named(self._chat, asked.options)}
        if self._start and asked.wants_storing and not self._start.stored:
            headers["X-Chat-Stored"] = "false"
        if self._start and self._start.dropped:
            headers["X-Chat-Dropped"] = str(self._start.dropped)
        return headers


def _named(chat: Chat, options: Options) -> str:
    """The back end that was asked, if there is one of that name: a header takes no visitor's words."""
    return options.backend if options.backend in TITLES else chat.default_backend


def streamed(wire: Wire) -> Way:
    """Answer on *wire*, event by event; the status is decided by the first event that it carries."""

    async def way(events: Events) -> Response:
        held: list[object] = []
        async for event in events:
            held.append(event)
            if wire.carries(event):
                break
        return _Streamed(wire, _rejoined(held, events))

    return way


async def _rejoined(held: Sequence[object], rest: AsyncIterable[object]) -> AsyncGenerator[object, None]:
    for event in held:
        yield event
    async for event in rest:
        yield event


class _Streamed(StreamingResponse):
    """The body, without an eye on the caller: `Answering` has one."""

    def __init__(self, wire: Wire, events: AsyncGenerator[object, None]) -> None:
        pieces = wire.encode(events)
        super().__init__(pieces, headers=wire.headers)
        self._opened = (events, pieces)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        events, pieces = self._opened
        async with aclosing(events), aclosing(pieces):
            try:
                await self.stream_response(send)
            except PlaygroundError:
                # The wire has no part for a failure. Returning without the end makes the server close
                # the connection: no client takes half an answer for a whole one. guard.py keeps the
                # server's own line about it out of the log.
                pass
            except Exception:
                log.exception("An HTTP door failed in the middle of an answer.")
