"""A small picture of how an answer arrived: a tick for each piece with text, pauses shaded.

It is SVG, written once, and takes its colours from the style sheet, so that light and dark work. Ticks are one
path per tone, at most one per column: 2,000 pieces are no more shapes than ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median

from neptun_demo.streams import Text, Thinking
from neptun_demo.ui.inspector.records import Piece, Record
from neptun_demo.ui.words import english, word

from .markup import plural

WIDTH, HEIGHT = 440, 92
_LEFT, _RIGHT = 6, WIDTH - 6
_TOP, _BASE = 26, 68
_COLUMN = 2
"""Width of a tick with the room beside it: what arrives closer together is one tick."""

MOST_PAUSES = 6

SHORTEST_PAUSE = 0.25
"""Seconds from which on silence is a pause, if it stands out."""

# A pause is as many times longer than what is usual between two pieces.
_STANDS_OUT = 4
# Signs of a label, about; a label that is wider than its place is left out.
_SIGN = 6.2


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence from *begin* to *end*, in seconds after the question."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Arrival:
    """When text and thinking came, in seconds, and when the answer ended."""

    text: Sequence[float]
    thinking: Sequence[float]
    total: float

    @property
    def first(self) -> float | None:
        """The first text."""
        return self.text[0] if self.text else None

    @property
    def both(self) -> list[float]:
        return sorted({*self.text, *self.thinking})

    def pauses(self) -> list[Pause]:
        """The longest silences between two pieces, or between the last and the end, in order."""
        times = self.both
        if not times:
            return []
        gaps = [Pause(before, after) for before, after in pairwise([*times, self.total])]
        usual = median(gap.seconds for gap in gaps[:-1]) if len(gaps) > 3 else 0.0
        least = max(SHORTEST_PAUSE, _STANDS_OUT * usual, self.total / 50)
        longest = sorted((gap for gap in gaps if gap.seconds >= least), key=lambda gap: -gap.seconds)
        return sorted(longest[:MOST_PAUSES], key=lambda gap: gap.begin)


def arrival(record: Record) -> Arrival:
    """When the pieces of *record* came that text or thinking was made of."""
    pieces = [piece for attempt in record.attempts for piece in attempt.pieces.kept] + record.guided.kept
    text, thinking = _times(pieces, Text), _times(pieces, Thinking)
    last = max([*text[-1:], *thinking[-1:], *(piece.at for piece in pieces[-1:])], default=0.0)
    return Arrival(text, thinking, max(record.ended_at or last, last))


def picture(seen: Arrival, name: str) -> str:
    """The SVG, with its words; *name* makes its ids unlike those of other pictures."""
    title, described = "How the text arrived", in_words(seen)
    ids = f"arrival-{escape(name)}"
    return (
        f'<svg class="arrival" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-labelledby="{ids}-title {ids}-words">'
        f'<title id="{ids}-title">{title}</title><desc id="{ids}-words">{escape(described)}</desc>'
        f"{''.join(_shapes(seen))}</svg>"
    )


def in_words(seen: Arrival) -> str:
    """The same in sentences, for those who do not see it."""
    return " ".join(_sentences(seen))


def _sentences(seen: Arrival) -> Iterator[str]:
    if not seen.both:
        yield f"No text arrived in {_short(seen.total)}."
        return
    if seen.thinking:
        yield f"Thinking came from {_short(seen.thinking[0])} to {_short(seen.thinking[-1])}."
    if seen.first is None:
        yield "No text followed."
    else:
        yield f"The first text came after {_short(seen.first)}, the last after {_short(seen.text[-1])},"
        yield f"in {plural(len(seen.text), 'piece')}."
    pauses = seen.pauses()
    if not pauses:
        yield "It never paused for long."
    for pause in pauses:
        yield f"From {_short(pause.begin)} on it paused for {_short(pause.seconds)}."
    yield f"It ended after {_short(seen.total)}."


def _shapes(seen: Arrival) -> Iterator[str]:
    scale = (_RIGHT - _LEFT) / seen.total if seen.total > 0 else 0.0

    def x(at: float) -> float:
        return _LEFT + at * scale

    for pause in seen.pauses():
        yield _shade("pause", x(pause.begin), x(pause.end), _short(pause.seconds))
    first = seen.both[:1]
    if first:
        yield _shade("wait", _LEFT, x(first[0]), "")
    yield f'<path class="axis" d="M{_LEFT} {_BASE}H{_RIGHT}"/>'
    for tone, times in (("thinking", seen.thinking), ("text", seen.text)):
        if ticks := _ticks(x(at) for at in times):
            yield f'<path class="{tone}" d="{ticks}"/>'
    if seen.first is not None:
        yield _first_text(x(seen.first), seen.first)
    yield _label(_LEFT, HEIGHT - 6, "0 s", "start")
    yield _label(_RIGHT, HEIGHT - 6, _short(seen.total), "end")


def _shade(kind: str, begin: float, end: float, words: str) -> str:
    width = max(end - begin, 0.5)
    shade = f'<rect class="{kind}" x="{begin:.1f}" y="{_TOP}" width="{width:.1f}" height="{_BASE - _TOP}"/>'
    fits = words and width >= len(words) * _SIGN
    return shade + (_label((begin + end) / 2, _BASE + 13, words, "middle") if fits else "")


def _first_text(at: float, seconds: float) -> str:
    figure = _short(seconds)
    half = len(english("first_text", figure)) * _SIGN / 2
    place = min(max(at, _LEFT + half), _RIGHT - half)
    return f'<path class="first" d="M{at:.1f} {_TOP - 8}V{_BASE}"/>' + _label(
        place, _TOP - 12, word("first_text", figure, tag="tspan"), "middle"
    )


def _label(x: float, y: float, words: str, anchor: str) -> str:
    """*words* are SVG."""
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{words}</text>'


def _ticks(places: Iterable[float]) -> str:
    columns = sorted({round(place / _COLUMN) * _COLUMN for place in places})
    return "".join(f"M{column} {_TOP + 6}V{_BASE}" for column in columns)


def _times(pieces: Iterable[Piece], kind: type[Text | Thinking]) -> list[float]:
    return [piece.at for piece in pieces if any(isinstance(event, kind) for event in piece.made)]


def _short(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.1f} s" if seconds >= 10 else f"{seconds:.2f} s"
