"""Python with httpx."""

from __future__ import annotations

from collections.abc import Mapping

from .call import VARIABLE, Call, Wire, needs
from .literals import PYTHON, literal

# Far ends' lines are split as bytes: Python's own way takes U+2028 and its like, which stand in their texts,
# for line ends. The playground's chunks are ASCII.
_READING: Mapping[Wire, str] = {
    "text": """\
    for text in answer.iter_text():
        print(text, end="", flush=True)
""",
    "lines": """\
    rest = b""
    for piece in answer.iter_bytes():
        *lines, rest = (rest + piece).split(b"\\n")
        for line in lines:
            code, _, value = line.decode().partition(":")
            if code == "3":
                raise SystemExit(f"\\n{value}")
            if code == "0":
                text = json.loads(value) if value.startswith('"') else value
                print(text, end="", flush=True)
""",
    "events": """\
    rest = b""
    for piece in answer.iter_bytes():
        *lines, rest = (rest + piece).split(b"\\n")
        for line in lines:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if event.get("error") or event.get("errors"):
                raise SystemExit(f"\\n{line.decode()}")
            choice = (event.get("choices") or [{}])[0]
            text = choice.get("delta", {}).get("content") or event.get("response")
            if text is not None:
                print(text if isinstance(text, str) else json.dumps(text), end="", flush=True)
""",
    "chunks": """\
    for line in answer.iter_lines():
        if not line.startswith("data: {"):
            continue
        chunk = json.loads(line[6:])
        if "error" in chunk:
            raise SystemExit(f"\\n{chunk['error']['message']}")
        for choice in chunk["choices"]:
            print(choice["delta"].get("content", ""), end="", flush=True)
""",
}


def python(call: Call) -> str:
    """The script."""
    libraries = "import os" if call.wire == "text" else "import json\nimport os"
    return f"""\
# {needs(call.variables)}; pip install httpx
{libraries}

import httpx

with httpx.stream(
    "POST",
    {_with_variables(call.address)},
    headers={_headers(call)},
    json={literal(call.body, PYTHON, "    ")},
    timeout=60,
) as answer:
    if not answer.is_success:
        raise SystemExit(f"{{answer.status_code}}: {{answer.read().decode()}}")
{_READING[call.wire]}print()
"""


def _with_variables(text: str) -> str:
    """A string for *text*, an address or a header, each `$NAME` in it read from the environment."""
    if not VARIABLE.search(text):
        return PYTHON.text(text)
    return 'f"' + VARIABLE.sub(r"{os.environ['\1']}", text) + '"'


def _headers(call: Call) -> str:
    pairs = [f'"{name}": {_with_variables(value)}' for name, value in call.headers.items()]
    if len(pairs) == 1:
        return f"{{{pairs[0]}}}"
    return "{" + "".join(f"\n        {pair}," for pair in pairs) + "\n    }"
