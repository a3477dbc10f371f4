"""Server-sent events, framed by the rules of WHATWG HTML 9.2.5 and 9.2.6.

Lines end with CRLF, CR or LF and with nothing else; a blank line ends an event. Two liberties, both
about the end of the body: a last event whose JSON is whole counts though its blank line is missing,
and one that is not whole is a cut, where the standard drops either in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .ending import Ending
from .events import Event, Usage
from .payloads import Payloads
from .units import Units
from .values import closes_itself

_DONE = b"[DONE]"

# As numbers: `in` finds a byte ten times as fast by its number as by `bytes` of length one.
_LF, _CR = b"\n\r"


class ServerSentEvents:
    """Reads events into ours. From `[DONE]` on only usage still counts."""

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._payloads = Payloads(ending)
        self._blocks = Units(b"\n\n", ending.who)
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Give the events that *chunk* completes; `Malformed` for one over the bound."""
        if self._after_cr or _CR in chunk:
            chunk = self._with_lf(chunk)
        for block in self._blocks.feed(chunk):
            if block.startswith(b"data:") and _LF not in block:
                yield from self._dispatch(b"", block[5:].removeprefix(b" "))
            else:
                name, data = _fields(block)
                if data is not None:
                    yield from self._dispatch(name, data)

    def end(self, *, broken: bool) -> Iterator[Event]:
        """Give what the body's last bytes hold.

        A half of a character is shown as lost only if the body was not *broken* off before the other.
        """
        if not self._ending.done:
            yield from self._last(self._blocks.rest())
        if not broken:
            yield from self._payloads.end()

    def _with_lf(self, chunk: bytes) -> bytes:
        """Make every line end LF. A CR at the end of a chunk counts at once: the LF behind it is dropped."""
        if not chunk:
            return chunk
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _dispatch(self, name: bytes, data: bytes) -> Iterable[Event]:
        if self._ending.done:
            return self._after_done(data)
        if name == b"error":
            self._payloads.error(data)
            return ()
        try:
            return self._payloads.events(data)
        except ValueError:
            return self._no_json(data)

    def _no_json(self, data: bytes) -> Iterable[Event]:
        """Read data that is not JSON: it is the text itself, unless JSON was meant."""
        meant = data.strip()
        if meant == _DONE:
            self._ending.done = True
        elif meant.startswith(b"{"):
            self._ending.malformed = True
        else:
            return self._payloads.plain(data.decode("utf-8", "replace"))
        return ()

    def _after_done(self, data: bytes) -> Iterable[Event]:
        """Give a total that comes behind `[DONE]`. Nothing is text any more: openai-python stops here."""
        try:
            return [event for event in Payloads(Ending()).events(data) if isinstance(event, Usage)]
        except ValueError:
            return ()

    def _last(self, block: bytes) -> Iterable[Event]:
        *lines, begun = block.split(b"\n")
        if not begun and all(not line or line.startswith(b":") for line in lines):
            return ()
        name, data = _fields(block)
        if data is None or not (_is_text(data, begun) or data.strip() == _DONE or closes_itself(data)):
            self._ending.cut = True
            return ()
        events = self._dispatch(name, data)
        self._ending.cut = not self._ending.done and bool(begun) and not begun.startswith(b"data:")
        return events


def _is_text(data: bytes, begun: bytes) -> bool:
    """Tell text from JSON that was cut, and from text whose line was: the line *begun* may go on."""
    return not begun and not data.lstrip().startswith(b"{")


def _fields(block: bytes) -> tuple[bytes, bytes | None]:
    """Give the event's name and its data, `None` without a data line: then nothing is dispatched."""
    name = b""
    data = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return name, b"\n".join(data) if data else None
