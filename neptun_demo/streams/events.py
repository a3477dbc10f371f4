"""What an answer is made of: small frozen events, the same for every back end and every door."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"
"""The reason for the end when the far end named none."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer, never empty, without halves of surrogate pairs."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """A piece of what a reasoning model thinks before it answers; never part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What the far end counted, in tokens; `None` is "not said". A later one replaces an earlier one.

    *neurons* is Cloudflare's unit of cost.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    neurons: float | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, measured from the moment `reply()` was asked.

    *first* is the time to the first text (or `None`), *total* the time to the end, *rate* what came
    per second after the first text, in *unit*: tokens where the far end counted them, else characters.
    """

    first: float | None
    total: float
    rate: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a complete answer. *reason* is the far end's own word, or `unknown`."""

    reason: str = UNKNOWN
    timing: Timing | None = None


Event = Text | Thinking | Usage | Finish
