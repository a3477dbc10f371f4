"""Links to the page: what shall stand in its controls and in the message box, as a query.

Names come from a fixed list and values are checked. A credential has no name there, a conversation neither,
and whoever opens a link sends nothing by it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import parse_qsl, quote

from neptun_demo.chat import Chat
from neptun_demo.contract import quoted, whole_characters
from neptun_demo.settings import BackendName
from neptun_demo.ui.connecting.ranges import VALUES

from .document import LONGEST_NAME, Settings
from .usable import differing, usable

LONGEST: Mapping[str, int] = {
    "backend": 40,
    "model": LONGEST_NAME,
    "system": 4_000,
    **dict.fromkeys(VALUES, 20),
    "stop": 400,
    "prompt": 8_000,
}
"""The names that a link may have, and the characters that each value may: no address is read endlessly."""

LONGEST_QUERY = 8_000
"""Characters of the query of a link that is made here: what servers and proxies on its way still take."""

WORDS: Mapping[str, str] = {
    "backend": "back end",
    "model": "model",
    "system": "system prompt",
    "max_tokens": "max tokens",
    "temperature": "temperature",
    "top_p": "top p",
    "reasoning_effort": "reasoning effort",
    "seed": "seed",
    "stop": "texts to stop at",
    "prompt": "message",
}

_NUMBERS = ("max_tokens", "temperature", "top_p", "seed")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Link:
    """What a link asks for: *settings*, the text for the message box, the names of *taken* values, and a
    sentence about each value that was *left_out*."""

    settings: Settings
    prompt: str = ""
    taken: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """What was done with it; empty where it asked for nothing."""
        filled = ", ".join(WORDS[name] for name in self.taken)
        words = [f"Filled in from the link: {filled}. Nothing was sent."] if filled else []
        return " ".join([*words, *(f"Left out: {why}" for why in self.left_out)])


def read(chat: Chat, query: Iterable[tuple[str, str]]) -> Link:
    """The link whose *query* this is: pairs of names and values. Other names are nobody's business."""
    pairs = [(name, value) for name, value in query if name in LONGEST and value]
    doubled = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    left_out = [f"{name} stands there more than once." for name in doubled]
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in doubled:
            continue
        try:
            given[name] = _value(name, value)
        except ValueError as error:
            left_out.append(str(error))
    prompt = given.pop("prompt", "")
    settings, refused = usable(chat, Settings(**given))
    filled = {*given, "prompt"} if prompt else {*given}
    taken = [name for name in LONGEST if name in filled and name not in refused]
    return Link(settings, prompt, tuple(taken), (*left_out, *refused.values()))


def _value(name: str, value: str) -> Any:
    if len(value) > LONGEST[name]:
        raise ValueError(f"{name} is longer than {LONGEST[name]:,} characters.")
    if name in _NUMBERS:
        if not _NUMBER.fullmatch(value):
            raise ValueError(f"{name} must be a number, not {quoted(value)}.")
        return _number(name, value)
    if name == "backend" and value not in get_args(BackendName):
        raise ValueError(f"backend must be {', '.join(get_args(BackendName))}, not {quoted(value)}.")
    return value


def _number(name: str, value: str) -> float:
    number = float(value)
    if name not in ("max_tokens", "seed"):
        return number
    if number != int(number) or number < 1:
        raise ValueError(f"{name} must be a whole number, 1 or more.")
    return int(number)


def build(chat: Chat, settings: Settings, prompt: str) -> tuple[str, list[str]]:
    """The query (without its `?`) that leads to *settings* and *prompt*, and what did not fit into it.

    It names the back end and the model, since another start may begin with others; of the rest it has what
    differs from the app's defaults.
    """
    settings, _ = usable(chat, settings)
    model = chat.catalogue.find(settings.backend or chat.default_backend, settings.model or "")
    values = {
        "backend": model.backend,
        "model": model.id,
        "system": settings.system,
        **differing(chat, model, settings),
        "prompt": prompt,
    }
    texts = {name: whole_characters(str(value)) for name, value in values.items() if value not in (None, "")}
    too_long = [name for name, text in texts.items() if len(text) > LONGEST[name]]
    written = {name: quote(text, safe="") for name, text in texts.items() if name not in too_long}
    while len(query := "&".join(f"{name}={text}" for name, text in written.items())) > LONGEST_QUERY:
        too_long.append(max(written, key=lambda name: len(written[name])))
        del written[too_long[-1]]
    return query, [f"The {WORDS[name]} is too long for a link and is not in it." for name in too_long]


def in_words(query: str) -> str:
    """What is in a *query* that was made here."""
    return ", ".join(WORDS[name] for name, _ in parse_qsl(query))
