"""A character may come in two halves, in two units.

JavaScript servers cut text between the two UTF-16 halves of a character (`"\\ud83d"`, then `"\\ude00"`),
and Python's `json` hands the halves out as they are: such strings cannot be encoded, and do not join.
"""

from __future__ import annotations

import re

from .events import Event, Text, Thinking

_HALF = re.compile("[\ud800-\udfff]")


class Joined:
    """The pieces of one kind of text, with halves joined over pieces and lone halves as U+FFFD."""

    def __init__(self, kind: type[Text | Thinking]) -> None:
        self._kind = kind
        self._half = ""

    def piece(self, text: str) -> tuple[Event, ...]:
        """Give *text* as an event; nothing if it is empty, or a first half that has to wait."""
        if self._half or (not text.isascii() and _HALF.search(text)):
            text = self._joined(text)
        return (self._kind(text),) if text else ()

    def end(self) -> tuple[Event, ...]:
        """Give the half that nothing followed."""
        if not self._half:
            return ()
        self._half = ""
        return (self._kind("\ufffd"),)

    def _joined(self, text: str) -> str:
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        whole = text.removesuffix(self._half)
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
