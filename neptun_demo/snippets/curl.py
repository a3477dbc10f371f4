"""cURL in a POSIX shell. It prints what comes over the wire as it is."""

from __future__ import annotations

from collections.abc import Mapping

from .call import Call, Wire, needs
from .literals import JSON, literal

# Linux passes a program no argument of 131,072 bytes or more.
_LONGEST_ARGUMENT = 100_000

_WIRES: Mapping[Wire, str] = {
    "text": "",
    "lines": '; the text comes in lines 0:"…"',
    "events": "; the text comes in lines data: {…}",
    "chunks": "; the text comes in lines data: {…}",
}


def curl(call: Call) -> str:
    """The command, for sh, bash and zsh."""
    headers = {**call.headers, "Content-Type": "application/json"}
    options = "".join(f'  -H "{name}: {value}" \\\n' for name, value in headers.items())
    body = literal(call.body, JSON)
    return f"""\
# {needs(call.variables)}{_WIRES[call.wire]}
curl -sSN --fail-with-body "{call.address}" \\
{options}  {_data(body)}
"""


def _data(body: str) -> str:
    if len(body.encode()) <= _LONGEST_ARGUMENT:
        return f"--data-raw {_quoted(body)}"
    # No line of the body is the word at its end: line ends inside of texts are escaped. Neither is a `!` left,
    # at which an interactive zsh would put in commands of the past.
    escaped = body.replace("!", "\\u0021")
    return f"--data-binary @- <<'JSON'\n{escaped}\nJSON"


def _quoted(text: str) -> str:
    """*text* in single quotes, in which a shell reads nothing but the next one."""
    return "'" + text.replace("'", "'\\''") + "'"
