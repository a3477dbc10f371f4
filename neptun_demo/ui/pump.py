"""The pump: frames of events instead of single ones.

A task reads the source into a list. Whoever draws takes everything that has arrived, once per interval: a
loaded server draws fewer pictures and is never late with the answer. When nothing comes, an empty frame is
given, since Gradio notices a caller that left only when it is given something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic
from typing import TypeVar

Event = TypeVar("Event")

INTERVAL = 0.05
"""Seconds between two frames. Shorter ones cost more than they show."""

PATIENCE = 0.5
"""Seconds without an event after which an empty frame is given."""


async def pump(
    source: AsyncGenerator[Event, None],
    interval: float = INTERVAL,
    at_once: Callable[[Event], bool] = lambda event: True,  # noqa: ARG005 - any event is
    patience: float = PATIENCE,
) -> AsyncGenerator[list[Event], None]:
    """The events of *source*, in order, as frames.

    The first event that is to be seen *at_once* comes without delay; from then on there is a pause after
    each frame: *interval*, or as long as the frame took to draw, if that is longer, up to *patience*. The
    source is closed when it ends, fails, or whoever draws stops; what it raises is raised here, after the
    last frame.
    """
    arrived: list[Event] = []
    news = asyncio.Event()

    async def read() -> None:
        try:
            async with aclosing(source) as events:
                async for event in events:
                    arrived.append(event)
                    news.set()
        finally:
            news.set()

    reading = asyncio.create_task(read())
    paced = False
    try:
        while arrived or not reading.done():
            await _wait(news, patience)
            news.clear()
            frame, arrived[:] = arrived[:], []
            begun = monotonic()
            if frame or not reading.done():
                yield frame
            paced = paced or any(map(at_once, frame))
            if not reading.done():
                drawing = min(monotonic() - begun, patience)
                await asyncio.sleep(max(interval, drawing) if paced else 0)
        await reading  # raises what the source raised
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.exception()  # looked at, so that asyncio does not report it as lost


async def _wait(news: asyncio.Event, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await news.wait()
    except TimeoutError:
        pass
