"""Raw text: each byte is content, nothing is said about errors, usage or the end."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from .events import Event, Text


class RawText:
    """Gives text as it comes, with U+FFFD for bytes that are no UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, chunk: bytes) -> Iterable[Event]:
        """Give the characters that *chunk* completes."""
        text = self._decoder.decode(chunk)
        return (Text(text),) if text else ()

    def end(self, *, broken: bool) -> Iterable[Event]:
        """Give one U+FFFD for a character that a whole body leaves unfinished."""
        text = "" if broken else self._decoder.decode(b"", final=True)
        return (Text(text),) if text else ()
