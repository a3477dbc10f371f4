"""TypeScript with fetch, for Node.js."""

from __future__ import annotations

from collections.abc import Mapping

from .call import VARIABLE, Call, Wire, needs
from .literals import JSON, literal

_LINES = """\
let rest = "";
for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split("\\n");
  rest = lines.pop()!;
  for (const line of lines) {
"""

_READING: Mapping[Wire, str] = {
    "text": """\
for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
  process.stdout.write(text);
}
""",
    "lines": f"""\
{_LINES}\
    const value = line.slice(2);
    if (line.startsWith("3:")) throw new Error(value);
    if (line.startsWith("0:")) process.stdout.write(value.startsWith('"') ? JSON.parse(value) : value);
  }}
}}
""",
    "events": f"""\
{_LINES}\
    if (!line.startsWith("data: {{")) continue;
    const event = JSON.parse(line.slice(6));
    if (event.error || event.errors?.length) throw new Error(line);
    const text = event.choices?.[0]?.delta?.content || event.response;
    process.stdout.write(String(text ?? ""));
  }}
}}
""",
    "chunks": f"""\
{_LINES}\
    if (!line.startsWith("data: {{")) continue;
    const chunk = JSON.parse(line.slice(6));
    if (chunk.error) throw new Error(chunk.error.message);
    process.stdout.write(chunk.choices[0]?.delta.content ?? "");
  }}
}}
""",
}


def typescript(call: Call) -> str:
    """The module: it awaits at its top, so its file ends in `.mts`."""
    headers = {**call.headers, "Content-Type": "application/json"}
    pairs = "".join(f'    "{name}": {_with_variables(value)},\n' for name, value in headers.items())
    return f"""\
// {needs(call.variables)}; node ask.mts (Node.js 24 or newer)
const answer = await fetch({_with_variables(call.address)}, {{
  method: "POST",
  headers: {{
{pairs}  }},
  body: JSON.stringify({literal(call.body, JSON, "  ")}),
}});
if (!answer.ok) throw new Error(`${{answer.status}}: ${{await answer.text()}}`);

{_READING[call.wire]}process.stdout.write("\\n");
"""


def _with_variables(text: str) -> str:
    """A string for *text*, an address or a header, each `$NAME` in it read from the environment."""
    if not VARIABLE.search(text):
        return JSON.text(text)
    return "`" + VARIABLE.sub(r"${process.env.\1}", text) + "`"
