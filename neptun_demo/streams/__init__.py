"""Bytes become events and events become bytes, with no network in here.

`decode` takes what a back end sent, whatever of the documented protocols that is, and gives `Text`,
`Thinking`, `Usage` and one last `Finish`. A row of `WIRES` writes events as the bytes of an HTTP door.

The life of a byte, file by file: `sniffing` tells the protocols apart, `units` cuts the bytes into
units, `data_stream`, `sse` (with `payloads` and `usage`) and `raw_text` read them; `values` and
`characters` mend what JSON did to numbers and to halves of characters; `ending` remembers how it ends;
`decoding` puts these together. `inline_thinking` sorts events, `encoding` writes them.

Whoever made an iterator that is handed in here closes it (`contextlib.aclosing`): it belongs to them.
"""

from .decoding import decode
from .encoding import WIRES, Wire, encode_data, encode_text, encode_ui
from .events import UNKNOWN, Event, Finish, Text, Thinking, Timing, Usage
from .inline_thinking import inline_thinking
from .sniffing import Protocol
from .units import LONGEST_UNIT

__all__ = [
    "LONGEST_UNIT",
    "UNKNOWN",
    "WIRES",
    "Event",
    "Finish",
    "Protocol",
    "Text",
    "Thinking",
    "Timing",
    "Usage",
    "Wire",
    "decode",
    "encode_data",
    "encode_text",
    "encode_ui",
    "inline_thinking",
]
