"""Bytes are cut into units before anything is decoded.

A unit ends with a byte sequence of its protocol: a line with LF, a server-sent event with two line
ends. Chunks may be cut anywhere, also inside that sequence or inside a character. Each byte is searched
and copied a bounded number of times, however many chunks a unit comes in: what was searched is held in
one growing buffer, and only a new chunk is split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from neptun_demo.errors import Malformed

LONGEST_UNIT = 8 * 1024 * 1024
"""The longest unit in bytes, its end not counted. Far above any token, far below what memory holds."""


class Units:
    """The units of one body, each without its *end*. *who* sends it, as a sentence begins with it."""

    def __init__(self, end: bytes, who: str, longest: int = LONGEST_UNIT) -> None:
        self._end = end
        self._overlap = len(end) - 1
        self._who = who
        self._longest = longest
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """Give the units that *chunk* completes.

        A unit over the bound raises `Malformed`, behind the units before it: reading on would mean to
        swallow what has no end.
        """
        if self._held and self._overlap:
            chunk = bytes(self._held[-self._overlap :]) + chunk  # the end may be cut in two
            del self._held[-self._overlap :]
        room = self._longest - len(self._held) - len(chunk)
        units = chunk.split(self._end)
        tail = units.pop()
        if units and self._held:
            units[0] = bytes(self._held) + units[0]
            self._held.clear()
        if tail:
            self._held += tail
        return units if room >= 0 else self._bounded(units)

    def rest(self) -> bytes:
        """Give what came after the last end: empty if the body stopped between two units."""
        return bytes(self._held)

    def _bounded(self, units: list[bytes]) -> Iterator[bytes]:
        for unit in units:
            self._check(len(unit))
            yield unit
        begun = self._overlap if self._held.endswith(self._end[: self._overlap]) else 0
        self._check(len(self._held) - begun)

    def _check(self, size: int) -> None:
        if size > self._longest:
            self._held.clear()
            raise Malformed(
                f"{self._who} sent a single piece of more than {self._longest:,} bytes, which no reply needs.",
                "Ask again; if it happens again, choose another model.",
            )
