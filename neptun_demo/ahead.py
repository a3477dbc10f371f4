"""Gradio's files that the first page needs, named in the page.

A browser would learn of them in four steps, each out of files that it had to load before: the page, its script,
what all pages share, the blocks, their components. What the page names is loaded at once. That saves three
round trips, and the work that a script has with each file that it asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import gradio
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In the order in which Chromium asked for them. A test says when these are not what it asks for.
_NAMES = Path(__file__).parents[1] / "assets" / "first-page.txt"
_THERE = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"

_END = b"</head>"


def files() -> list[str]:
    """The names that this Gradio has, in the order in which a browser would ask for them."""
    return [name for name in _NAMES.read_text(encoding="utf-8").split() if (_THERE / name).is_file()]


def links(names: Iterable[str]) -> bytes:
    """HTML that names them, as Gradio's own scripts would: they look for it, and then ask for nothing."""
    return "".join(map(_link, names)).encode()


def _link(name: str) -> str:
    kind = "stylesheet" if name.endswith(".css") else "modulepreload"
    return f'<link rel="{kind}" crossorigin href="./assets/{name}">'


class Ahead:
    """The application *app*, which gives pages, with *named* at the end of the head of each."""

    def __init__(self, app: ASGIApp, named: bytes) -> None:
        self._app = app
        self._named = named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen: list[Message] = []

        async def sending(message: Message) -> None:
            seen.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                for one in self._with_names(seen):
                    await send(one)

        await self._app(scope, receive, sending)

    def _with_names(self, seen: list[Message]) -> list[Message]:
        start, *bodies = seen
        body = b"".join(message.get("body", b"") for message in bodies).replace(_END, self._named + _END, 1)
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
        return [start, {"type": "http.response.body", "body": body}]
