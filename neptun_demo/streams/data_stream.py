"""The data stream protocol v1 of the AI SDK (3.0.20 to 4): lines of `code:json`.

Lines end with LF only: U+2028, U+2029 and U+0085 stand raw inside the strings. Codes came in patch
releases, so an unknown one is left out, not refused; so is `4`, a whole message of the Assistants API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .characters import Joined
from .ending import Ending
from .events import Event, Text, Thinking
from .units import Units
from .usage import usage
from .values import closes_itself, parsed, spelling, spelt


class DataStream:
    """Reads parts into events."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._lines = Units(b"\n", ending.who)
        self._text = Joined(Text)
        self._thinking = Joined(Thinking)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Give the events that *chunk* completes; `Malformed` for a line over the bound."""
        for line in self._lines.feed(chunk):
            yield from self._line(line)

    def end(self, *, broken: bool) -> Iterator[Event]:
        """Give what the body's last bytes hold: a last line counts without its LF if it is whole.

        A half of a character is shown as lost only if the body was not *broken* off before the other.
        """
        line = self._lines.rest()
        if closes_itself(line.partition(b":")[2]):
            yield from self._line(line)
        elif line.strip():
            self._ending.cut = True
        if not broken:
            yield from self._thinking.end()
            yield from self._text.end()

    def _line(self, line: bytes) -> Iterable[Event]:
        try:
            return self._part(line)
        except ValueError:
            self._ending.malformed = True
            return ()

    def _part(self, line: bytes) -> Iterable[Event]:
        """Give the events of one line; `ValueError` if it is no part."""
        code, colon, data = line.partition(b":")
        if not colon:
            if line.strip():
                raise ValueError("no colon")
            return ()
        value = parsed(data)
        match code:
            case b"0":
                return self._text.piece(spelt(value, lambda: spelling(data)))
            case b"g":
                return self._thinking.piece(spelt(value, lambda: spelling(data)))
            case b"3":
                self._ending.report(spelt(value, lambda: spelling(data)))
            case b"d" | b"e":
                return self._finish(code, value)
        return ()

    def _finish(self, code: bytes, value: Any) -> Iterable[Event]:
        """Read the end of the answer (`d`) or of one of its steps (`e`), which a later step may follow."""
        match code, value:
            case b"d", {"finishReason": str(reason)}:
                self._ending.reason = reason
            case b"e", {"finishReason": str(reason)}:
                self._ending.step = reason
            case _, {}:
                pass
            case _:
                raise ValueError("not an object")
        return usage(value.get("usage"))
