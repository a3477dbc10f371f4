"""Python with gradio_client, which speaks to a playground: its `/complete` takes a whole conversation."""

from __future__ import annotations

from typing import Any

from .call import Asked, needs
from .literals import PYTHON, literal

# The parameters that `/complete` has a name for; the others stand in its `parameters`.
_NAMED = ("max_tokens", "temperature", "top_p")


def gradio_client(asked: Asked) -> str:
    """The script."""
    arguments = "".join(
        f"    {name}={literal(value, PYTHON, '    ')},\n" for name, value in _arguments(asked).items()
    )
    return f"""\
# {needs([asked.key])}; pip install gradio_client
import os

from gradio_client import Client

client = Client({PYTHON.text(asked.base)}, verbose=False)
job = client.submit(
{arguments}    credential=os.environ["{asked.key}"],
    api_name="/complete",
)
shown = 0
for frame in job:  # each frame is the whole answer so far
    print(frame["text"][shown:], end="", flush=True)
    shown = len(frame["text"])
print()
job.result()  # a failure is raised here
"""


def _arguments(asked: Asked) -> dict[str, Any]:
    """Those that say something: an absent one is its default."""
    others = {name: value for name, value in asked.sampling.items() if name not in _NAMED}
    arguments: dict[str, Any] = {
        "messages": [{"role": message.role, "content": message.content} for message in asked.said],
        "backend": asked.model.backend,
        "model": asked.name,
    }
    if asked.model.backend == "neptun":
        arguments |= {"chat_id": asked.chat_id, "temporary": asked.temporary}
    elif asked.system:
        arguments["system"] = asked.system
    arguments |= {name: asked.sampling[name] for name in _NAMED if name in asked.sampling}
    return arguments | ({"parameters": others} if others else {})
