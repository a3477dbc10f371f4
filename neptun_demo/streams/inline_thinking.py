"""Some models write what they think into their text: `<think>…</think>`, then the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import Literal

from .events import Event, Finish, Text, Thinking

_OPEN, _CLOSE = "<think>", "</think>"

# White space that may stand before the block: more is an answer that begins oddly.
_LONGEST_SPACE = 1024

Place = Literal["before", "inside", "behind", "answer"]


async def inline_thinking(events: AsyncIterable[Event]) -> AsyncGenerator[Event, None]:
    """Give *events* with a leading `<think>` block of the text as `Thinking`.

    The tags may be cut anywhere. White space before the block and one line break behind it are dropped.
    A text that does not begin with the tag passes as it is, a later or a lone closing tag included; a
    block that never ends is thinking to its end. Only for models that are known to do it
    (deepseek-r1-distill). What *events* raises passes, behind what was held.
    """
    block = _Block()
    try:
        async for event in events:
            match event:
                case Text(text):
                    for piece in block.feed(text):
                        yield piece
                    continue
                case Finish():
                    for piece in block.end():
                        yield piece
            yield event
    except Exception:
        for piece in block.end():
            yield piece
        raise
    for piece in block.end():
        yield piece


class _Block:
    """Where the text stands, and the few characters that may be the beginning of a tag."""

    def __init__(self) -> None:
        self._place: Place = "before"
        self._held = ""

    def feed(self, text: str) -> Iterator[Event]:
        text, self._held = self._held + text, ""
        match self._place:
            case "before":
                yield from self._before(text)
            case "inside":
                yield from self._inside(text)
            case "behind" if text in {"", "\r"}:
                self._held = text
            case "behind":
                self._place = "answer"
                yield from _pieces(Text, text.removeprefix("\r\n" if text.startswith("\r\n") else "\n"))
            case "answer":
                yield from _pieces(Text, text)

    def end(self) -> Iterator[Event]:
        """Give what was held for a tag that did not come."""
        held, self._held = self._held, ""
        yield from _pieces(Thinking if self._place == "inside" else Text, held)

    def _before(self, text: str) -> Iterator[Event]:
        start = text.lstrip()
        may_open = len(text) - len(start) <= _LONGEST_SPACE
        if may_open and start.startswith(_OPEN):
            self._place = "inside"
            yield from self._inside(start.removeprefix(_OPEN))
        elif may_open and _OPEN.startswith(start):
            self._held = text
        else:
            self._place = "answer"
            yield from _pieces(Text, text)

    def _inside(self, text: str) -> Iterator[Event]:
        thought, close, answer = text.partition(_CLOSE)
        if close:
            yield from _pieces(Thinking, thought)
            self._place = "behind"
            yield from self.feed(answer)
            return
        sizes = range(min(len(text), len(_CLOSE) - 1), 0, -1)
        begun = next((size for size in sizes if _CLOSE.startswith(text[-size:])), 0)
        self._held = text[len(text) - begun :]
        yield from _pieces(Thinking, text[: len(text) - begun])


def _pieces(kind: type[Text | Thinking], text: str) -> Iterator[Event]:
    if text:
        yield kind(text)
