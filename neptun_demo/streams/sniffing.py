"""Which protocol a body is in: its first bytes decide, headers only where they can be trusted.

The data stream is seen as text/plain, text/event-stream, octet-stream and with no type at all, and
Neptun documents text/event-stream for it. Only the SDK's own headers are an announcement; a
Content-Type of text/event-stream does no more than widen what may begin a server-sent event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from .values import parsed

Protocol = Literal["data", "sse", "text"]

BOM = b"\xef\xbb\xbf"

# Blank lines may come first. A body of nothing else has to be shown at some point.
_MOST_BLANK = 1024

# The first three bytes of a part: its code, the colon, and how the JSON of that code begins.
_PART = re.compile(rb'[03g]:"|[28]:\[|[14-79a-fh-k]:\{')
_PART_BEGUN = re.compile(rb"[0-9a-k]:?\Z")

# A text part may hold a bare JSON value (`0:6`). So may a text ("0:30 h"): the whole line decides.
_VALUE = re.compile(rb"0:(-?\d[-+.\deE]{0,64}|true|false|null)\r?\n")
_VALUE_BEGUN = re.compile(
    rb"0:(?:-|-?\d[-+.\deE]{0,64}|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?)\r?\Z"
)

_FIELD = re.compile(rb":|(?:data|event|id|retry)[:\r\n]")
_FIELD_BEGUN = (b"data", b"event", b"id", b"retry")
_FIELD_AS_TEXT = re.compile(rb'data: ?[{\["]|event:')
_FIELD_AS_TEXT_BEGUN = (b"data: ", b"event:")


def announced(headers: Mapping[str, str]) -> Protocol | None:
    """Give the protocol that a header of the AI SDK names. *headers* may be in any case."""
    names = {name.lower() for name in headers}
    if "x-vercel-ai-ui-message-stream" in names:
        return "sse"
    return "data" if "x-vercel-ai-data-stream" in names else None


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """Tell whether the Content-Type is text/event-stream, in any case and with any parameter."""
    types = [value for name, value in headers.items() if name.lower() == "content-type"]
    return any(value.partition(";")[0].strip().lower() == "text/event-stream" for value in types)


def sniffed(head: bytes, *, event_stream: bool) -> Protocol | None:
    """Give the protocol of a body that begins with *head*, `None` if that needs more bytes."""
    if BOM.startswith(head):
        return None
    start = head.removeprefix(BOM).lstrip(b"\r\n")
    if len(head) - len(start) > _MOST_BLANK:
        return "text"
    if _PART.match(start) or _holds_value(start):
        return "data"
    if (_FIELD if event_stream else _FIELD_AS_TEXT).match(start):
        return "sse"
    fields = _FIELD_BEGUN if event_stream else _FIELD_AS_TEXT_BEGUN
    if any(field.startswith(start) for field in fields):
        return None
    return None if _PART_BEGUN.match(start) or _VALUE_BEGUN.match(start) else "text"


def _holds_value(start: bytes) -> bool:
    line = _VALUE.match(start)
    if not line:
        return False
    try:
        parsed(line[1])
    except ValueError:
        return False
    return True
