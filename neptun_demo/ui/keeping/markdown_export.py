"""A conversation as a Markdown file, for people: what was said stands in it as it was said."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from neptun_demo.models import TITLES
from neptun_demo.ui.notices import Notice
from neptun_demo.ui.numbers import Numbers, end_in_words, in_words

from .document import Document, Said, Settings


def markdown(document: Document) -> str:
    """The file. Texts and thinking are verbatim; numbers and notices are small lines."""
    blocks = [f"# {_line(document.name)}", *_settings(document.settings)]
    for said in document.messages:
        blocks += _message(said)
    return "\n\n".join(blocks) + "\n"


def _settings(settings: Settings) -> Iterator[str]:
    values = {
        "Back end": TITLES[settings.backend] if settings.backend else None,
        "Model": settings.model,
        "Max tokens": settings.max_tokens,
        "Temperature": settings.temperature,
        "Top p": settings.top_p,
        "Reasoning effort": settings.reasoning_effort,
        "Seed": settings.seed,
        "Stop at": settings.stop,
    }
    lines = [f"- {name}: {_code(str(value))}" for name, value in values.items() if value not in (None, "")]
    if lines:
        yield "\n".join(lines)
    if settings.system:
        yield f"System prompt:\n\n{_fenced(settings.system)}"


def _message(said: Said) -> Iterator[str]:
    yield "## You" if said.role == "user" else "## Answer"
    if said.thinking:
        seconds = "" if said.thinking_seconds is None else f" ({said.thinking_seconds:g} s)"
        yield f"<details><summary>Thinking{seconds}</summary>\n\n{said.thinking}\n\n</details>"
    if said.content:
        yield said.content
    if said.notice:
        yield _small(_noted(said.notice))
    if said.numbers:
        yield _small(_counted(said.numbers))


def _noted(notice: Notice) -> str:
    return " ".join(one for one in (notice.title, *notice.sentences) if one)


def _counted(numbers: Numbers) -> str:
    return " · ".join([*(words for words, _ in in_words(numbers)), end_in_words(numbers)[0]])


_MARKS = re.compile(r"([\\`*_\[\]~$|])")


def _small(words: str) -> str:
    """A small line; the words may be a far end's, so that no sign of them is taken for a mark."""
    plain = _MARKS.sub(r"\\\1", html.escape(_line(words), quote=False))
    return f"<sub>{plain}</sub>"


def _line(words: str) -> str:
    return " ".join(words.split())


def _code(value: str) -> str:
    ticks = "`" * (_longest_run(value) + 1)
    space = " " if len(ticks) > 1 else ""
    return f"{ticks}{space}{_line(value)}{space}{ticks}"


def _fenced(text: str) -> str:
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}text\n{text}\n{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
