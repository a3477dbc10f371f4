"""JSON values as literals of a language, laid out for people: one message a line where it fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from neptun_demo.contract import whole_characters

# A list or an object without others in it stays on one line up to here.
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes texts and constants, indents, and ends the last of many lines."""

    text: Callable[[str], str]
    constants: Mapping[bool | None, str]
    step: str
    last: str


def _json_text(text: str) -> str:
    """As JSON, what cannot be seen escaped: line ends that JavaScript knows, marks that turn text around."""
    spelt = json.dumps(whole_characters(text), ensure_ascii=False)
    if spelt.isprintable():
        return spelt
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in spelt)


def _python_text(text: str) -> str:
    """As Python's repr() has it, but in double quotes where neither kind saves an escape."""
    quote = "'" if '"' in text and "'" not in text else '"'
    return quote + "".join(_python_character(one, quote) for one in whole_characters(text)) + quote


def _python_character(one: str, quote: str) -> str:
    if one == quote:
        return f"\\{one}"
    return one if one.isprintable() and one != "\\" else one.encode("unicode_escape").decode()


JSON = Language(_json_text, {True: "true", False: "false", None: "null"}, "  ", "")
PYTHON = Language(_python_text, {True: "True", False: "False", None: "None"}, "    ", ",")


def literal(value: Any, language: Language, indent: str = "") -> str:
    """*value*, which is plain JSON, on lines that begin with *indent* from the second on."""
    if not isinstance(value, Mapping | list | tuple):
        return _scalar(value, language)
    inner = indent + language.step
    members = _members(value, language, inner)
    ends = "{}" if isinstance(value, Mapping) else "[]"
    line = f"{ends[0]}{', '.join(members)}{ends[1]}"
    if _is_flat(value) and len(indent) + len(line) <= _WIDTH:
        return line
    lines = f",\n{inner}".join(members)
    return f"{ends[0]}\n{inner}{lines}{language.last}\n{indent}{ends[1]}"


def _members(value: Any, language: Language, inner: str) -> list[str]:
    if isinstance(value, Mapping):
        pairs = value.items()
        return [f"{language.text(name)}: {literal(member, language, inner)}" for name, member in pairs]
    return [literal(member, language, inner) for member in value]


def _scalar(value: Any, language: Language) -> str:
    if value is None or isinstance(value, bool):
        return language.constants[value]
    # Numbers are the same in JSON, Python and JavaScript.
    return language.text(value) if isinstance(value, str) else json.dumps(value)


def _is_flat(value: Any) -> bool:
    members = value.values() if isinstance(value, Mapping) else value
    return not any(isinstance(member, Mapping | list | tuple) for member in members)
