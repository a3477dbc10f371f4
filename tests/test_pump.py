"""The pump alone: order, frames, keep-alives, and that the source is closed at once, however it ends."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neptun_demo.ui.pump import pump

pytestmark = pytest.mark.anyio


class Source:
    """Events, a pause before each, then an end; it knows whether it was closed, and when."""

    def __init__(self, *events: Any, pause: float = 0, then: BaseException | None = None, silent: bool = False):
        self._events, self._pause, self._then, self._silent = events, pause, then, silent
        self.given = 0
        self.all_given = asyncio.Event()
        self.closed = asyncio.Event()

    async def run(self) -> AsyncGenerator[Any, None]:
        try:
            for event in self._events:
                await asyncio.sleep(self._pause)
                self.given += 1
                yield event
            self.all_given.set()
            if self._silent:
                await asyncio.Event().wait()
            if self._then:
                raise self._then
        finally:
            await asyncio.sleep(0)  # closing a connection takes a turn of the loop
            self.closed.set()


async def drawn(source: Source, **options: Any) -> list[list[Any]]:
    async with aclosing(pump(source.run(), **options)) as frames:
        return [frame async for frame in frames]


async def test_everything_comes_in_order():
    source = Source(*range(100))
    frames = await drawn(source)
    assert [event for frame in frames for event in frame] == list(range(100))
    assert source.closed.is_set()


@settings(max_examples=50, deadline=None)  # it really waits
@given(st.lists(st.floats(0, 0.004), max_size=12), st.floats(0, 0.01))
def test_everything_comes_in_order_whatever_the_pace(pauses, between):
    async def paced() -> AsyncGenerator[int, None]:
        for number, pause in enumerate(pauses):
            await asyncio.sleep(pause)
            yield number

    async def all_of_them() -> list[int]:
        async with aclosing(pump(paced(), between)) as frames:
            return [event async for frame in frames for event in frame]

    assert asyncio.run(all_of_them()) == list(range(len(pauses)))


async def test_a_source_without_events_ends():
    assert [frame for frame in await drawn(Source()) if frame] == []


async def test_frames_are_an_interval_apart_and_hold_all_that_arrived():
    frames = await drawn(Source(*range(40), pause=0.005), interval=0.05)
    assert 3 <= len(frames) <= 10  # 40 events in at least 0.2 s
    assert max(map(len, frames)) >= 4


async def test_a_slow_reader_gets_fewer_and_larger_frames():
    source = Source(*range(50), pause=0.002)
    frames = []
    async with aclosing(pump(source.run(), 0.001)) as pumped:
        async for frame in pumped:
            frames.append(frame)
            await asyncio.sleep(0.05)  # a loaded server draws slowly
    assert [event for frame in frames for event in frame] == list(range(50))
    assert len(frames) <= 10


async def test_at_most_half_of_the_time_is_spent_on_drawing():
    source = Source(*range(100), pause=0.001)
    drawing = 0.0
    begun = time.monotonic()
    async with aclosing(pump(source.run(), 0.001)) as pumped:
        async for _ in pumped:
            started = time.monotonic()
            await asyncio.sleep(0.02)  # a long answer on a loaded server
            drawing += time.monotonic() - started
    frame = 0.02  # the last one has no pause behind it
    assert drawing - frame <= (time.monotonic() - begun) / 2 + 0.02


async def test_no_pause_is_longer_than_the_patience():
    """However long a frame took: Gradio notices a caller that left only when it is given the next one."""
    source = Source(*range(3), pause=0.01, silent=True)
    async with aclosing(pump(source.run(), 0.001, patience=0.05)) as pumped:
        await anext(pumped)
        await asyncio.sleep(3)  # a server that was held up
        begun = time.monotonic()
        await anext(pumped)
        assert time.monotonic() - begun < 2


async def test_the_first_text_does_not_wait_for_company():
    source = Source("start", "text", "more", pause=0.01)
    came: dict[str, float] = {}
    begun = time.monotonic()
    async with aclosing(pump(source.run(), 10, at_once=lambda event: event == "text")) as frames:
        async for frame in frames:
            came.update(dict.fromkeys(frame, time.monotonic() - begun))
            if "text" in frame:
                break
    assert came["start"] < came["text"] < 8  # company is waited for ten seconds


async def test_an_empty_frame_is_given_while_the_source_is_silent():
    source = Source("first", silent=True)
    async with aclosing(pump(source.run(), patience=0.2)) as frames:
        seen = [await anext(frames) for _ in range(4)]
    assert seen == [["first"], [], [], []]
    assert source.closed.is_set()


@pytest.mark.parametrize(
    "failure", [ValueError("broken"), asyncio.CancelledError()], ids=["error", "cancelled"]
)
async def test_what_the_source_raises_comes_after_its_events(failure):
    source = Source("a", "b", then=failure)
    seen: list[Any] = []

    async def reader() -> None:
        async with aclosing(pump(source.run())) as frames:
            async for frame in frames:
                seen.extend(frame)

    with pytest.raises(type(failure)):
        await reader()
    assert seen == ["a", "b"]
    assert source.closed.is_set()


async def _before_the_first_event(frames: AsyncGenerator[Any, None]) -> None:
    await anext(frames)  # an empty frame: the source is silent


async def _after_a_frame(frames: AsyncGenerator[Any, None]) -> None:
    while not await anext(frames):
        pass


STAGES: list[tuple[tuple[str, ...], Callable[..., Any]]] = [
    ((), _before_the_first_event),
    (("text",), _after_a_frame),
]


@pytest.mark.parametrize(("events", "until"), STAGES, ids=["before the first event", "after a frame"])
async def test_closing_the_frames_closes_the_source(events, until):
    source = Source(*events, silent=True)
    frames = pump(source.run(), patience=0.01)
    await until(frames)
    assert not source.closed.is_set()
    await frames.aclose()
    assert source.closed.is_set()


@pytest.mark.parametrize("events", [(), ("text",)], ids=["while it waits", "while it pauses"])
async def test_a_cancelled_reader_closes_the_source(events):
    source = Source(*events, silent=True)

    async def reader() -> None:
        async with aclosing(pump(source.run(), interval=60)) as frames:
            async for _ in frames:
                pass

    task = asyncio.create_task(reader())
    await source.all_given.wait()
    await asyncio.sleep(0.01)  # the reader took what there is, and waits or pauses now
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed.is_set()


async def test_a_reader_that_stops_before_anything_started_leaves_nothing_behind():
    source = Source("never", silent=True)
    before = asyncio.all_tasks()
    frames = pump(source.run())
    await frames.aclose()
    assert source.given == 0
    assert asyncio.all_tasks() == before


async def test_a_failure_that_nobody_waits_for_is_not_reported_as_lost():
    lost: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    frames = pump(Source("a", then=ValueError("unseen")).run(), interval=60)
    assert await anext(frames) == ["a"]
    await asyncio.sleep(0.01)  # the source fails meanwhile
    await frames.aclose()
    gc.collect()
    assert lost == []
