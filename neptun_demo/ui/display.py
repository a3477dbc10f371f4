"""What a text looks like to Gradio's Markdown renderer, so that the page shows it as it was typed.

The renderer (marked, in the browser) takes raw HTML for HTML, loads images, draws Mermaid diagrams and takes
`$$`, `\\(` and `\\[` for formulas wherever they stand, also in code. None of that may be decided by a model.
`shown()` breaks every such mark in two with `GUARD`, a character without width: what follows `<` is then no
tag, what follows `!` no image. That holds in text and in code alike, so nothing has to be guessed about where
code begins. `typed()` takes the guards out again, exactly: the raw text is what is kept, sent and copied. The
page's script (`assets/page.js`) sweeps them out of what was drawn.
"""

from __future__ import annotations

import re
import string

GUARD = "\u2060"
"""WORD JOINER. One in `shown()` is a guard, two are one that was in the text."""

END = "\ufeff"
"""The same, but white space to the renderer (ZERO WIDTH NO-BREAK SPACE): the end of an address."""

DELIMITERS: list[dict[str, str | bool]] = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]
"""Of formulas, as `gr.Chatbot` takes them. A single `$` is none: prices stay prices."""

# Each alternative begins with a sign, not with a group: that makes the search several times faster.
_BREAKS = r"""
    </?(?=[A-Za-z!?])                                       # a tag, a comment, an autolink
  | &(?=(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|\w+);)       # a character reference
  | !(?=\[)                                                 # an image: becomes a link
  | \](?=\(\s*<|:\s*<)                                      # a link whose address is in angle brackets
  | ```(?=mermaid)                                          # a diagram
  | %%%(?=LATEX_BLOCK_)                                     # the renderer's own mark for a formula
  | ="(?=/file)                                             # Gradio puts its own address in front of the path
  | :(?P<address>//[^\s<>"!\[\]()\\$`\u2060\ufeff]+)        # left as it is, so that its link leads there
  | \u2060 | \ufeff
"""
_DELIMITERS = r" | \$(?=\$) | \\(?=[()\[\]])"
_IN_FORMULAS = re.compile(_BREAKS, re.VERBOSE)
_ELSEWHERE = re.compile(_BREAKS + _DELIMITERS, re.VERBOSE)

# A formula is whole within one paragraph and holds no code. The renderer would pair delimiters over any
# distance, and draw everything between a shell script's `$$` and the next one as a formula.
_INSIDE = r"""(?:
    [^\\$`\n]                           # most signs
  | \\[^()\[\]$`\n] | \\(?=[$`\n])      # a command, or a line's end
  | \$(?!\$) | \n(?![ \t]*\n)
)+?"""
_FORMULA = re.compile(rf"( \$\$ {_INSIDE} \$\$ | \\\[ {_INSIDE} \\\] | \\\( {_INSIDE} \\\) )", re.VERBOSE)
_GUARDS = re.compile(f"{GUARD}({GUARD}?)|{END}({END}?)")

_FENCE = re.compile(r"([ \t]*)(`{3,}(?=[^`]*$)|~{3,})")
_LEADING_TABS = re.compile(r" *(?=\t)")

_PUNCTUATION = {ord(sign): f"&#{ord(sign)};" for sign in string.punctuation}


def shown(text: str) -> str:
    """*text*, so that Gradio's renderer shows its Markdown and nothing else."""
    parts = _FORMULA.split(text)
    parts[::2] = [_ELSEWHERE.sub(_guarded, part) for part in parts[::2]]
    parts[1::2] = [_IN_FORMULAS.sub(_guarded, part) for part in parts[1::2]]
    guarded = "".join(parts)
    return _with_tabs(guarded) if "\t" in guarded else guarded


def typed(text: str) -> str:
    """The text that `shown()` was given."""
    return _GUARDS.sub(r"\1\2", text)


def _guarded(mark: re.Match[str]) -> str:
    if mark["address"]:
        # The renderer would take the `>` of `<https://…>` into the address.
        return mark[0] + (END if mark.string.startswith(">", mark.end()) else "")
    return mark[0] + (END if mark[0] == END else GUARD)


def literal(text: str) -> str:
    """*text* for a place that takes HTML or Markdown: no sign in it has a meaning there."""
    return " ".join(text.split()).translate(_PUNCTUATION)


def _with_tabs(text: str) -> str:
    """Guards before the tabs at the beginning of lines of code: the renderer would make each four spaces.

    Elsewhere such a tab is indentation of Markdown's own, which a guard would undo.
    """
    lines = text.split("\n")
    indent = fence = ""
    for number, line in enumerate(lines):
        opening = None if fence else _FENCE.match(line)
        if opening:
            indent, fence = opening.groups()
        elif fence and _ends(line, indent, fence):
            fence = ""
        elif fence:
            leading = _LEADING_TABS.match(line, len(indent)) if line.startswith(indent) else None
            if leading:
                lines[number] = line[: leading.end()] + GUARD + line[leading.end() :]
    return "\n".join(lines)


def _ends(line: str, indent: str, fence: str) -> bool:
    """Whether *line* is no code any more: the closing fence, or the end of the list that the fence is in."""
    rest = line.strip()
    return (rest.startswith(fence) and not rest.strip("`~")) or (bool(rest) and not line.startswith(indent))
