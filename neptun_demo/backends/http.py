"""The one place that opens a stream, and translates httpx's failures into ours.

No redirect is followed: it would carry a credential elsewhere. No cookie is kept: the endpoint's 401
sets a new, empty session, which a jar would hand to the next visitor.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import time
from typing import Any

import httpx

from neptun_demo.errors import Cut, Malformed, NoConnection, PlaygroundError, Rejected, TimedOut, UpstreamError

from .protocol import NoWatch, Watch

# Bodies that are not a stream (errors, lists, answers in one piece) are read up to here.
LONGEST_BODY = 8 * 1024 * 1024
# As much of a far end's words as a person wants to read.
LONGEST_QUOTE = 300

_NEVER_NAMED_HTML = "text/event-stream, text/plain, application/json"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. *secrets* maps each secret that its URL or headers hold to the name shown in its place."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def shown(self, text: str) -> str:
        """*text* with every secret replaced by its name."""
        for secret, name in self.secrets.items():
            text = text.replace(secret, f"${name}")
        return text


class Incoming:
    """The head of an answer, and its body as it comes."""

    def __init__(self, who: str, response: httpx.Response, watch: Watch) -> None:
        self._who = who
        self._response = response
        self._watch = watch
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces, as they came. Raises `Cut`, `TimedOut` or `Malformed`."""
        with _translated(self._who, during="answer"):
            async for piece in self._response.aiter_bytes():
                self._watch.piece(piece)
                yield piece

    async def body(self) -> bytes:
        """The whole body, cut off at `LONGEST_BODY`."""
        whole = bytearray()
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                whole += piece
                if len(whole) > LONGEST_BODY:
                    break
        return bytes(whole[:LONGEST_BODY])


class Upstream:
    """One far end: its name for people, its time limits in seconds, and its connections."""

    def __init__(self, who: str, *, connect_timeout: float, idle_timeout: float) -> None:
        self.who = who
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def open(
        self, request: Outgoing, watch: Watch | None = None, idle_timeout: float | None = None
    ) -> AsyncIterator[Incoming]:
        """Send *request*; gives the head of the answer, whatever its status.

        Leaving the context closes the connection unless the body was read to its end. Raises
        `NoConnection`, `TimedOut`, `Cut`.
        """
        watch = watch or NoWatch()
        watch.sent(
            request.method,
            request.shown(request.url),
            {name: request.shown(value) for name, value in request.headers.items()},
            request.body,
        )
        limits = httpx.Timeout(idle_timeout or self._idle_timeout, connect=self._connect_timeout)
        outgoing = self._opened().build_request(
            request.method,
            request.url,
            headers={"Accept": _NEVER_NAMED_HTML, "Accept-Encoding": "identity", **request.headers},
            content=request.body,
            timeout=limits,
        )
        with _translated(self.who, during="request"):
            response = await self._opened().send(outgoing, stream=True)
        try:
            incoming = Incoming(self.who, response, watch)
            watch.headers(incoming.status, _without_sessions(incoming.headers))
            yield incoming
        finally:
            await response.aclose()

    async def json(self, request: Outgoing) -> Any:
        """The JSON value that a GET answers. Raises `UpstreamError`."""
        async with self.open(request) as incoming:
            body = await incoming.body()
        if incoming.status != 200:
            raise Rejected(f"{self.who} answered {incoming.status}.", status=incoming.status)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"{self.who} sent something that is not JSON.") from error

    async def aclose(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _opened(self) -> httpx.AsyncClient:
        """The client, made on first use: it belongs to the event loop that uses it."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                follow_redirects=False,
                # A jar whose policy takes no cookie from, and gives none to, any host.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                # Else a .netrc of the host's home would add an Authorization header of its own.
                trust_env=False,
                # How many answers run at a time is the budget's rule, not the pool's.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
                headers={"User-Agent": "neptun-playground"},
            )
        return self._client


@contextmanager
def _translated(who: str, *, during: str) -> Iterator[None]:
    """Turn httpx's exceptions into ours, chained. *during* is what was under way."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise _translation(who, during, error) from error


def _translation(who: str, during: str, error: Exception) -> PlaygroundError:
    match error:
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return TimedOut(f"{who} could not be reached in time.", "Try again later.")
        case httpx.TimeoutException():
            return TimedOut(
                f"{who} fell silent: nothing came within the time limit.",
                "The text so far is kept. Try again; if it stays silent, the model behind it has failed.",
            )
        case httpx.ConnectError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return NoConnection(
                f"{who} could not be reached.", "Check the network and the configured address, then try again."
            )
        case httpx.DecodingError():
            return Malformed(f"{who} sent a body that cannot be decompressed.", "Try again.")
        case httpx.TransportError() if during == "answer":
            return Cut(f"{who} broke the answer off before its end.", "The text so far is kept. Try again.")
        case httpx.TransportError():
            return Cut(f"{who} closed the connection without an answer.", "Try again.")
        case _:
            return UpstreamError(f"{who} could not be asked.", "Try again.")


def _without_sessions(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer, without the values of cookies that it sets."""
    return {name: "…" if name == "set-cookie" else value for name, value in headers.items()}


def quoted(words: str) -> str:
    """A far end's own words as one short line; empty for a web page, which nobody wants to read."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+", " ", words).split())
    if line.startswith("<"):
        return ""
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"


def seconds_of(retry_after: str | None) -> float | None:
    """The seconds that a `Retry-After` header asks for; it holds a number or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except ValueError:
        return None
