"""The one way from bytes to events."""

from __future__ import annotations

from asyncio import timeout
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import suppress

from neptun_demo.errors import PlaygroundError

from .data_stream import DataStream
from .ending import FAR_END, Ending
from .events import UNKNOWN, Event, Finish
from .raw_text import RawText
from .sniffing import BOM, Protocol, announced, is_event_stream, sniffed
from .sse import ServerSentEvents

AFTER_DONE = 1.0
"""Seconds that a body may take to end behind `[DONE]`, for a late total and to free the connection."""

Reader = DataStream | ServerSentEvents | RawText


async def decode(
    chunks: AsyncIterable[bytes],
    headers: Mapping[str, str] | None = None,
    *,
    protocol: Protocol | None = None,
    who: str = FAR_END,
) -> AsyncGenerator[Event, None]:
    """Give the events of a body that arrives in *chunks*, cut anywhere.

    *headers* are the response's, in any case. *protocol* is for a caller who knows it: raw text that
    begins like a protocol cannot be told from that protocol. *who* sends the body, as the sentence of a
    failure begins with it.

    Text, thinking and usage come as soon as their unit is whole. At the end comes one `Finish`, if the
    body was complete or the far end named a reason, and then the failure, if there was one:

    - `Reported`: the far end reported an error, or "error" as the reason for the end;
    - what *chunks* raised (of ours: `Cut`, `TimedOut` and so on), or `Malformed` for a unit over
      `LONGEST_UNIT`: reading ended there;
    - `Cut`: the body ended inside a unit;
    - `Malformed`: a unit was not valid and is missing from the text.

    Of several the first in this list. After `[DONE]` nothing can fail any more. A body without text is
    no failure here.
    """
    body = _Body(headers or {}, protocol, who)
    arriving = aiter(chunks)
    broken: PlaygroundError | None = None
    try:
        async for chunk in arriving:
            for event in body.feed(chunk):
                yield event
            if body.ending.done:
                break
    except PlaygroundError as error:
        broken = error
    if body.ending.done:
        broken = None
        for event in await _after_done(arriving, body):
            yield event
    for event in body.end(broken=broken is not None):
        yield event
    failure = body.ending.failure(broken)
    if failure is None or body.ending.named:
        yield Finish(body.ending.named or UNKNOWN)
    if failure:
        raise failure from (broken if failure is not broken else broken.__cause__)


async def _after_done(arriving: AsyncIterator[bytes], body: _Body) -> list[Event]:
    """Read on to the end: only a body that was read leaves a connection that can be used again."""
    events: list[Event] = []
    with suppress(PlaygroundError, TimeoutError):
        async with timeout(AFTER_DONE):
            async for chunk in arriving:
                events += body.feed(chunk)
    return events


class _Body:
    """One body: its first bytes are held until they tell its protocol."""

    def __init__(self, headers: Mapping[str, str], protocol: Protocol | None, who: str) -> None:
        self.ending = Ending(who)
        self._known = protocol or announced(headers)
        self._event_stream = is_event_stream(headers)
        self._head = b""
        self._reader: Reader | None = None

    def feed(self, chunk: bytes) -> Iterable[Event]:
        if self._reader:
            return self._reader.feed(chunk)
        self._head += chunk
        protocol = sniffed(self._head, event_stream=self._event_stream)
        if self._known and not BOM.startswith(self._head):
            protocol = self._known
        return self._opened(protocol) if protocol else ()

    def end(self, *, broken: bool) -> Iterable[Event]:
        if not self._reader:
            if broken:  # nothing says that these few bytes are text
                return ()
            return (*self._opened(self._known or "text"), *self.end(broken=broken))
        return self._reader.end(broken=broken)

    def _opened(self, protocol: Protocol) -> Iterable[Event]:
        match protocol:
            case "data":
                self._reader = DataStream(self.ending)
            case "sse":
                self._reader = ServerSentEvents(self.ending)
            case "text":
                self._reader = RawText()
        return self._reader.feed(self._head.removeprefix(BOM))
