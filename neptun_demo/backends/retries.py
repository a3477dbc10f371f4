"""Asking again: at most twice, before any text or thinking, after a wait that is shown."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from email.utils import parsedate_to_datetime
from math import ceil
from time import time

from neptun_demo.errors import PlaygroundError
from neptun_demo.streams import Event, Text, Thinking

from .protocol import Retry

BACKOFF: Sequence[float] = (1.0, 3.0)
"""Seconds before the second and the third try, where the far end does not say."""

# A wait that the far end asks for and that nobody would sit through is advice, not a wait.
LONGEST_WAIT = 60.0


async def with_retries(
    attempt: Callable[[], AsyncGenerator[Event, None]],
    worth_it: Callable[[PlaygroundError], bool],
    backoff: Sequence[float] = BACKOFF,
) -> AsyncGenerator[Event | Retry, None]:
    """The events of *attempt*, made again while it fails in a way that is *worth_it*."""
    for number, pause in enumerate([*backoff, None], start=1):
        output = False
        try:
            async with aclosing(attempt()) as events:
                async for event in events:
                    output = output or isinstance(event, Text | Thinking)
                    yield event
            return
        except PlaygroundError as error:
            if output or pause is None or not worth_it(error):
                raise
            wait = _wait(error, pause)
            if wait > LONGEST_WAIT:
                raise
            reason = error.sentence
        yield Retry(wait, number + 1, reason)
        await asyncio.sleep(wait)


def _wait(error: PlaygroundError, pause: float) -> float:
    """What the far end asked for, else *pause* with some chance in it, so that callers do not return as one."""
    if error.retry_after is not None:
        return error.retry_after
    return pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a `Retry-After` header asks for; it holds a number or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return None


def spoken(seconds: float) -> str:
    """A wait in the words of a sentence."""
    if seconds >= 120:
        return f"{ceil(seconds / 60):,} minutes"
    return "1 second" if seconds <= 1 else f"{ceil(seconds)} seconds"
