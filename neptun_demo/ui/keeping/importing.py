"""Reading a file that somebody wants to import: our own document, or messages as OpenAI's API takes them.

Whatever else it is, it is refused in a sentence. Nothing is taken over but checked text and checked numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NoReturn

from pydantic import ValidationError

from neptun_demo.contract import complaint, is_blank, quoted, whole_characters
from neptun_demo.errors import Refused, TooLarge

from .document import FORMAT, MOST_MESSAGES, VERSION, Document, Said, Settings

LARGEST = 1_800_000
"""Bytes of UTF-8 that a file may have: a request that carries it has to stay below `guard.LARGEST_BODY`."""

_ADVICE = "Choose a file that was exported here, or a JSON list of messages as OpenAI's API takes it."


def parse(text: str) -> Document:
    """The document that *text* holds. Raises `Refused`.

    *text* is our own JSON, a list of OpenAI's messages, or `{"messages": […]}` around one.
    """
    match _decoded(text):
        case {"format": str(name)} as data if name == FORMAT:
            return _ours(data)
        case {"format": name}:
            raise Refused(f"The file says that its format is {_shown(name)}, which is not known here.", _ADVICE)
        case {"messages": list(messages)} | list(messages):
            return _openai(messages)
        case {"messages": _}:
            raise Refused("messages must be a list.", _ADVICE)
        case dict():
            raise Refused("There are no messages in the file.", _ADVICE)
        case _:
            raise Refused("The file holds no conversation.", _ADVICE)


def _decoded(text: str) -> Any:
    if len(text) > LARGEST or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise TooLarge(f"The file is too large: at most {LARGEST / 1e6:.1f} MB can be read.")
    try:
        # Integers as floats: int() refuses one of thousands of digits. pydantic makes integers of them.
        return json.loads(text.removeprefix("\ufeff"), parse_int=float, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("The file is not valid JSON.", _ADVICE) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _ours(data: Mapping[str, Any]) -> Document:
    version = data.get("version")
    if version != VERSION or isinstance(version, bool):
        newer = isinstance(version, float) and version > VERSION
        why = "a newer playground wrote it" if newer else f"this playground reads version {VERSION}"
        raise Refused(f"The file is of version {_shown(version)}; {why}.", _ADVICE)
    try:
        return Document.model_validate({**data, "version": VERSION})
    except ValidationError as error:
        raise Refused(f"{complaint(error)}.", _ADVICE) from error


def _openai(messages: Sequence[Any]) -> Document:
    if len(messages) > MOST_MESSAGES:
        raise TooLarge(f"The file has {len(messages):,} messages; at most {MOST_MESSAGES:,} can be read.")
    turns = [turn for place, entry in enumerate(messages) if (turn := _turn(entry, f"messages[{place}]"))]
    system = "\n\n".join(text for role, text in turns if role == "system")
    said = list(_alternating([(role, text) for role, text in turns if role != "system"]))
    if not said:
        raise Refused("There are no messages of a user or an assistant in the file.", _ADVICE)
    return Document(settings=Settings(system=system), messages=tuple(said))


def _alternating(turns: Sequence[tuple[str, str]]) -> Iterator[Said]:
    """Messages of one speaker in a row become one: the page sends no question again that has no answer."""
    for role, run in groupby(turns, key=lambda turn: turn[0]):
        yield Said(role="user" if role == "user" else "assistant", content="\n\n".join(text for _, text in run))


def _turn(entry: Any, place: str) -> tuple[str, str] | None:
    """Who says what in the message at *place*; nothing where it is blank."""
    match entry:
        case {"role": "user" | "assistant" | "system" | "developer" as role, **more}:
            if more.get("tool_calls") or more.get("function_call"):
                raise Refused(f"{place} calls a tool.", "Only text can be imported.")
            text = _text(more.get("content"), f"{place}.content")
            return ("system" if role == "developer" else role, text) if not is_blank(text) else None
        case {"role": role}:
            raise Refused(f"{place}.role must be user, assistant or system, not {_shown(role)}.")
        case _:
            raise Refused(f"{place} must be an object with role and content.", _ADVICE)


def _text(content: Any, place: str) -> str:
    match content:
        case None:
            return ""
        case str():
            return whole_characters(content)
        case list():
            return "".join(_part(part, f"{place}[{at}]") for at, part in enumerate(content))
        case _:
            raise Refused(f"{place} must be text or a list of parts.", "Only text can be imported.")


def _part(part: Any, place: str) -> str:
    match part:
        case {"type": "text", "text": str(text)}:
            return whole_characters(text)
        case {"type": str(kind)} if kind != "text":
            raise Refused(f"{place} is of type {quoted(kind)}.", "Only text can be imported.")
        case _:
            raise Refused(f"{place} must be a part with text.", "Only text can be imported.")


def _shown(value: Any) -> str:
    """A value of the file, as a sentence shows it."""
    match value:
        case str():
            return quoted(value)
        case float() if abs(value) < 1e15 and value == int(value):
            return str(int(value))
        case None:
            return "nothing"
        case bool() | float():
            return json.dumps(value)
        case _:
            return "something else"
