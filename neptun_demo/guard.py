"""What stands in front of every route, Gradio's and ours: hosts, sizes, closed paths, headers, packing.

It is plain ASGI around the finished application, so that it also sees what Gradio's own middleware adds.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .ahead import files, links
from .api import PREFIX
from .api.completion_errors import outside
from .contract import quoted
from .errors import PHRASES
from .packed import Packed, path_of
from .settings import Settings

LARGEST_BODY = 2_000_000
"""Bytes that a request may have on any path: as many as the endpoint reads."""

LONGEST_QUERY = 32_000
"""Bytes of an address's query. Links of the page are shorter; Gradio fails at those of 65,537 and more."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'none'; object-src 'none';"
    " base-uri 'self'; frame-ancestors 'self' https://huggingface.co https://*.hf.space"
)

# Gradio's routes that this page has no use for: they write a visitor's input to disk (upload, deep
# links, which also hold password boxes), keep it (runs), show who is here (monitoring), or take an
# address or a path from a visitor (proxy, file, recordings, components, the editor of "vibe" mode).
# Starlette's own patterns end in `$`, which a newline may follow: here it may too.
_CLOSED = re.compile(
    r"/gradio_api/(upload|upload_progress|deep_link|runs|run-history|process_recording|component_server"
    r"|custom_component|vibe-[a-z-]+|undo-vibe-edit|dev|proxy=.*|file=.*|file|stream|profiling)(/.*)?\n?"
    r"|/monitoring(/.*)?\n?",
    re.DOTALL,
)

_CHAT = "/api/ai/"
_OPENAI = "/v1/"

_ON_SPACES = ("*.hf.space", "huggingface.co")


class Guard:
    """The application *app*, guarded."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = Packed(app, named=links(files()))
        self._backend = settings.playground_backend
        # It only decides: its own refusal is no door's shape, and it knows of no name that a proxy forwards.
        names = [name.lower() for name in allowed_hosts(settings)]
        self._trusted = TrustedHostMiddleware(_known, allowed_hosts=names, www_redirect=False)
        self._on_spaces = settings.on_spaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        answerer = self._backend if path.startswith(_CHAT) else None
        sending = _Sending(send, ours=path.startswith(PREFIX), answerer=answerer)
        try:
            await self._guarded(path, scope, receive, sending)
        except asyncio.CancelledError:
            # Only the server cancels a request, when it ends; it would log each as a failure of the app.
            if not sending.begun:
                await _refusal(path, 503, "The playground is being ended.")(scope, receive, sending)

    async def _guarded(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if _CLOSED.fullmatch(path):
            await _refusal(path, 404, "This path is closed here.")(scope, receive, send)
            return
        if len(scope["query_string"]) > LONGEST_QUERY:
            long = f"The query of an address may have {LONGEST_QUERY:,} bytes here."
            await _refusal(path, 414, long)(scope, receive, send)
            return
        scope = await self._without_foreign_roots(scope)
        headers = Headers(scope=scope)
        if (name := await self._foreign_name(headers)) is not None:
            unknown = f"This playground does not go by the name {quoted(name)}."
            await _refusal(path, 400, f"{unknown} Its host can add it to PLAYGROUND_HOSTS.")(
                scope, receive, send
            )
            return
        if scope["method"] == "POST":
            # A length beside chunks does not count (RFC 9112, 6.3).
            chunked = "transfer-encoding" in headers or "content-length" not in headers
            body = await _read(receive) if chunked else b""
            if body is None or _announced(headers) >= LARGEST_BODY:
                large = f"A request may have less than {LARGEST_BODY:,} bytes here."
                await _refusal(path, 413, large)(scope, receive, send)
                return
            receive = _again(body, receive) if chunked else receive
        await self._app(scope, receive, send)

    async def _foreign_name(self, headers: Headers) -> str | None:
        """The name of somebody else under which the app is asked, if it is."""
        host = headers.get("host", "")
        # A page of another name that was made to point here (DNS rebinding) cannot have an address
        # for its own name, so addresses need no list.
        if _address(host) is None and not await self._goes_by(host):
            return host
        forwarded = _forwarded(headers)
        return forwarded if forwarded is not None and await self._leads_away(forwarded) else None

    async def _without_foreign_roots(self, scope: Scope) -> Scope:
        """Without the headers by which a caller could make Gradio take another's address for the page's own."""
        dropped = {b"x-gradio-server"}
        forwarded = _forwarded(Headers(scope=scope))
        # What the proxy of Spaces writes there is no configuration of the host's: nothing is refused for it.
        if self._on_spaces and forwarded is not None and await self._leads_away(forwarded):
            dropped.add(b"x-forwarded-host")
        return {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in dropped]}

    async def _leads_away(self, forwarded: str) -> bool:
        # Gradio makes the address of its page of it.
        address = _address(forwarded)
        return (address is None or not address.is_private) and not await self._goes_by(forwarded)

    async def _goes_by(self, host: str) -> bool:
        asked = {"type": "http", "headers": [(b"host", host.lower().encode("latin-1"))], "known": False}
        await self._trusted(asked, _nothing, _unheard)
        return bool(asked["known"])


def allowed_hosts(settings: Settings) -> list[str]:
    """The names under which the app may be asked."""
    hosts = ["localhost", *settings.playground_hosts]
    if settings.gradio_server_name != "0.0.0.0":  # noqa: S104 - compared, not bound
        hosts.append(settings.gradio_server_name)
    if settings.on_spaces:
        hosts += [*_ON_SPACES, *([settings.space_host] if settings.space_host else [])]
    return hosts


async def _known(scope: Scope, _receive: Receive, _send: Send) -> None:
    """What only a trusted name reaches."""
    scope["known"] = True


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _unheard(_message: Message) -> None:
    """Pass over the refusal."""


def _forwarded(headers: Headers) -> str | None:
    """The name under which a proxy says that it was asked: the first one, as Gradio takes it."""
    return headers.get("x-forwarded-host", "").split(",")[0].strip() or None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else 0


async def _read(receive: Receive) -> bytes | None:
    """A body that announced no length, or `None` once it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) >= LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A *receive* that gives the body that was read, and then what comes after it."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


class _Sending:
    """*send*, with our headers. *begun*: the response has. *answerer*: who would answer."""

    def __init__(self, send: Send, *, ours: bool, answerer: str | None) -> None:
        self._send = send
        self._ours = ours
        self._answerer = answerer
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            if self._answerer is not None:
                headers.setdefault("X-Chat-Backend", self._answerer)
            if self._ours and "access-control-allow-credentials" in headers:
                # Gradio lets every origin of a public host ask with the visitor's cookies.
                del headers["access-control-allow-credentials"]
        await self._send(message)


def _refusal(path: str, status: int, message: str) -> Response:
    """A refusal in the shape of the door at *path*."""
    closing = {"Connection": "close"}
    if path.startswith(_OPENAI):
        return outside(status, message, PHRASES[status].lower().replace(" ", "_"), closing)
    body = {"statusCode": status, "statusMessage": PHRASES[status], "message": message}
    return Response(json.dumps(body), status, closing, media_type="application/json")


class BrokenOffOnPurpose(logging.Filter):
    """Keeps one line of the server out of the log: that an answer was broken off, which api.py has said."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()
