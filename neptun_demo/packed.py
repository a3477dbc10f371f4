"""How the page's files travel: packed, and packed only once.

Gradio sends the page itself as it is, and packs each script anew for every visitor, which costs the server
more than anything else in a visit. Nothing that streams is touched here: packing would hold it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .ahead import Ahead

ROOM = 32_000_000
"""Bytes of files that are kept; those of the page, as one browser takes them, are half a million."""

_PAGE, _PAGE_AS_DATA = "/", "/config"
_NAMED_BY_CONTENT = "/assets/"
_FILES = (_NAMED_BY_CONTENT, "/static/")
# What is asked for with one of these gets an answer of its own: a part, or nothing new.
_OF_ITS_OWN = ("range", "if-range", "if-none-match", "if-modified-since")

Key = tuple[str, bool, bool]


def path_of(scope: Scope) -> str:
    """The path below the root path, which a proxy may have left in front of it."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


@dataclass(frozen=True, slots=True)
class _File:
    """A whole response."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


class Packed:
    """The application *app*, its page packed for whoever takes it so.

    Its files are given as they were sent first, out of *room* bytes of memory; *named* stands in its head.
    """

    def __init__(self, app: ASGIApp, room: int = ROOM, named: bytes = b"") -> None:
        self._app = app
        self._packing = GZipMiddleware(app, compresslevel=6)
        self._page = GZipMiddleware(Ahead(app, named), compresslevel=6)
        self._kept: dict[Key, _File] = {}
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        if path == _PAGE:
            await self._page(scope, receive, send)
        elif path == _PAGE_AS_DATA:
            await self._packing(scope, receive, send)
        elif path.startswith(_FILES) and _is_for_anybody(Headers(scope=scope)):
            await self._file(path, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _file(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the file at *path* again, or have it given and keep it."""
        takes = Headers(scope=scope).get("accept-encoding", "")
        key = path, "br" in takes, "gzip" in takes
        if kept := self._kept.get(key):
            await kept(scope, receive, send)
            return
        seen: list[Message] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and path.startswith(_NAMED_BY_CONTENT):
                _cacheable(message)
            # Whoever stands in front adds headers of its own.
            seen.append({**message, "headers": list(message.get("headers", []))})
            await send(message)

        await self._app(scope, receive, sending)
        self._keep(key, seen)

    def _keep(self, key: Key, seen: list[Message]) -> None:
        start, *bodies = seen
        body = b"".join(message.get("body", b"") for message in bodies)
        if start["status"] == 200 and _whole(bodies) and len(body) <= self._room and key not in self._kept:
            self._room -= len(body)
            headers = MutableHeaders(raw=start["headers"])
            headers["content-length"] = str(len(body))
            del headers["access-control-allow-origin"]  # the page's own scripts need no leave
            del headers["access-control-allow-credentials"]
            self._kept[key] = _File(tuple(headers.raw), body)


def _is_for_anybody(headers: Headers) -> bool:
    """Whether an answer to that request is one for all others: no part, and not for another origin's page."""
    # A browser names the page's own origin with every script that is a module.
    origin = urlsplit(headers.get("origin", "")).netloc
    return origin in ("", headers.get("host")) and not any(name in headers for name in _OF_ITS_OWN)


def _whole(bodies: list[Message]) -> bool:
    return bool(bodies) and all(
        message["type"] == "http.response.body"
        and message.get("more_body", False) == (message is not bodies[-1])
        for message in bodies
    )


def _cacheable(start: Message) -> None:
    if start["status"] == 200:
        MutableHeaders(raw=start["headers"])["cache-control"] = "public, max-age=31536000, immutable"
