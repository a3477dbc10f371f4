"""Code that asks what was asked on the page: for the far end itself, and for this playground.

Text in, text out. No credential ever comes here: the code reads them from its environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .call import Asked, Target, call
from .curl import curl
from .gradio_client import gradio_client
from .python import python
from .typescript import typescript

__all__ = ["LANGUAGES", "SYNTAX", "TARGETS", "Asked", "Language", "Target", "snippet"]

Language = Literal["curl", "python", "typescript", "gradio_client"]

LANGUAGES: Mapping[Language, str] = {
    "curl": "cURL",
    "python": "Python (httpx)",
    "typescript": "TypeScript (fetch)",
    "gradio_client": "gradio_client",
}
"""The languages, with their titles."""

TARGETS: Mapping[Target, str] = {"playground": "This playground", "upstream": "The far end itself"}
"""Whom the code can speak to, with their titles."""

SYNTAX: Mapping[Language, Literal["shell", "python", "typescript"]] = {
    "curl": "shell",
    "python": "python",
    "typescript": "typescript",
    "gradio_client": "python",
}
"""What `gr.Code` colours each language as."""

_NO_UPSTREAM = "The offline guide has no far end: it answers inside of the playground."
_NO_ROUTE = "gradio_client speaks to a playground only, not to the far end behind it."


def snippet(language: Language, target: Target, asked: Asked) -> str:
    """The code, a whole file; where *target* cannot be spoken to, one comment that says why."""
    if target == "upstream" and language == "gradio_client":
        return f"# {_NO_ROUTE}\n"
    if target == "upstream" and asked.model.backend == "offline":
        return f"{'//' if language == 'typescript' else '#'} {_NO_UPSTREAM}\n"
    match language:
        case "curl":
            return curl(call(asked, target))
        case "python":
            return python(call(asked, target))
        case "typescript":
            return typescript(call(asked, target))
        case "gradio_client":
            return gradio_client(asked)
