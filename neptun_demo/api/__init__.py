"""The HTTP doors. Each converts shapes and nothing else: every rule of a chat is in `Chat.reply()`."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from neptun_demo.chat import Chat

from . import completions, documentation, documented, listings
from .bodies import credential, other_methods

PREFIX = ("/api/", "/v1/", "/models", "/health", "/mcp")
"""Every route of ours begins like one of these; guard.py takes credentials away from other origins there."""


def routes(chat: Chat) -> Sequence[BaseRoute]:
    """The routes of *chat*, for the application that serves them."""
    doors = [*documented.routes(chat), *completions.routes(chat), *listings.routes(chat)]
    doors += documentation.routes(doors)
    return [*_heads(doors), *doors]


def _heads(doors: Sequence[BaseRoute]) -> list[Route]:
    """What can be asked with GET can be asked with HEAD, as RFC 9110 (9.1) wants it."""
    readable = [door for door in doors if isinstance(door, APIRoute) and door.methods == {"GET"}]
    return [Route(door.path, door.endpoint, methods=["HEAD"]) for door in readable]


__all__ = ["PREFIX", "credential", "other_methods", "routes"]
