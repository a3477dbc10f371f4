"""Foreign text as HTML: every sign of it is shown, none of it means anything.

What goes over a wire was written by strangers. Besides `<` and `&` that concerns characters that nobody sees,
or that turn the direction of the text around them: those are named. Pieces are bytes: what is no UTF-8, as half
a character at the end of a piece, is shown in hexadecimal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from neptun_demo.ui.words import word

LONGEST_SHOWN = 100_000
"""Characters of one text that are drawn; the saved file has all that is kept."""

# Controls, formats (direction, width zero), separators of lines, halves of surrogate pairs, private use.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ue000-\uf8ff\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
_NAMES = {"\n": "↵", "\r": "CR", "\t": "TAB"}

# Halves of surrogate pairs stand for bytes that are no UTF-8 (PEP 383).
_RAW = range(0xDC80, 0xDD00)

# A token of JSON as Python writes it. A string that is followed by a colon is a name.
_TOKEN = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)"
)


def seen(text: str, limit: int = LONGEST_SHOWN) -> str:
    """*text* in one run: ends of lines and all that is unseen are named, what is beyond *limit* is counted."""
    return _literal(text[:limit], "") + _rest(len(text) - limit)


def laid_out(text: str, limit: int = LONGEST_SHOWN) -> str:
    """*text* for a `<pre>`: its own ends of lines and tabs stay what they are."""
    return _literal(text[:limit], "\n\t") + _rest(len(text) - limit)


def raw(data: bytes, limit: int = LONGEST_SHOWN) -> str:
    """Bytes as they came: see `seen()`."""
    return seen(data.decode("utf-8", "surrogateescape"), limit)


def json_or_text(data: bytes) -> str:
    """A body for a `<pre>`: JSON laid out with its parts told apart, anything else as it is."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return laid_out(text)
    return coloured(value)


def coloured(value: Any) -> str:
    """A JSON value, laid out, with names, texts, numbers and words told apart."""
    written = json.dumps(value, indent=2, ensure_ascii=False)
    if len(written) > LONGEST_SHOWN:  # a token must not be cut
        return laid_out(written)
    parts: list[str] = []
    at = 0
    for found in _TOKEN.finditer(written):
        kind = found.lastgroup
        parts += [escape(written[at : found.start()]), f'<span class="json-{kind}">{laid_out(found[0])}</span>']
        at = found.end()
    return "".join(parts) + escape(written[at:])


def table(rows: Iterable[tuple[str, str]], label: str) -> str:
    """Names and values, both HTML, as a list."""
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    return f'<dl class="pairs" aria-label="{escape(label)}">{listed}</dl>'


def headers(given: Mapping[str, str], label: str) -> str:
    """Header lines."""
    return table(((seen(name, 200), seen(value, 4000)) for name, value in given.items()), label)


def folded(title: str, content: str, *, opened: bool = False, note: str = "") -> str:
    """*content* behind the label of the key *title*, which opens it; *note* is text."""
    said = f' <span class="aside">{escape(note)}</span>' if note else ""
    state = " open" if opened else ""
    return f"<details{state}><summary>{word(title)}{said}</summary>{content}</details>"


def copyable(code: str, what: str, *, kind: str = "") -> str:
    """A `<pre>` of HTML with a button that copies what is to be read in it."""
    copy = f'{word("look_copy")}<span class="unseen"> {escape(what)}</span>'
    return (
        f'<div class="copyable {kind}"><button type="button" class="copy">{copy}</button>'
        f'<pre tabindex="0" role="region" aria-label="{escape(what)}"><code>{code}</code></pre></div>'
    )


def seconds(value: float | None) -> str:
    """A time, to the millisecond."""
    return "–" if value is None else f"{value:.3f} s"


def size(count: int) -> str:
    """A number of bytes in words."""
    return "1 byte" if count == 1 else f"{count:,} bytes"


def plural(count: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _literal(text: str, kept: str) -> str:
    parts: list[str] = []
    at = 0
    for found in _UNSEEN.finditer(text):
        parts += [escape(text[at : found.start()]), found[0] if found[0] in kept else _named(found[0])]
        at = found.end()
    return "".join(parts) + escape(text[at:])


def _named(sign: str) -> str:
    code = ord(sign)
    if code in _RAW:
        return f'<i class="sign">{code - 0xDC00:02X}</i>'
    # By its code the script that copies puts the character itself back.
    return f'<i class="sign" data-code="{code:x}">{_NAMES.get(sign) or f"U+{code:04X}"}</i>'


def _rest(count: int) -> str:
    return f'<i class="sign rest">… {count:,} more characters</i>' if count > 0 else ""
