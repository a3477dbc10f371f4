"""The one place that opens a stream, and translates httpx's failures into ours.

No redirect is followed: it would carry a credential elsewhere. No cookie is kept: the endpoint's 401
sets a new, empty session, which a jar would hand to the next visitor.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from typing import Any

import httpx

from neptun_demo.errors import (
    AccountTrouble,
    Cut,
    Malformed,
    NoConnection,
    PlaygroundError,
    Rejected,
    Reported,
    TimedOut,
    UpstreamError,
)

from .asking import ACCEPT
from .protocol import NoWatch, Watch
from .retries import seconds_of, spoken

# Bodies that are not a stream (errors, lists, answers in one piece) are read up to here.
LONGEST_BODY = 8 * 1024 * 1024
# As much of a far end's words as a person wants to read.
LONGEST_QUOTE = 300

_HEADERS = {
    "Accept": ACCEPT,
    # What is packed on the way is held back until there is enough of it to pack.
    "Accept-Encoding": "identity",
    "User-Agent": "neptun-playground",
}

# Control characters, and those that turn the direction of the text around them.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")

# At INFO httpx logs every address (an account's id is in it), at DEBUG httpcore every header of an answer.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. *secrets* maps each secret that it holds to the name that is shown in its place."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def shown(self, text: str) -> str:
        """*text* with every secret replaced by its name; the longest first, which may hold a shorter one."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, f"${self.secrets[secret]}")
        return text

    def begun(self, text: str) -> int:
        """How many characters at the end of *text* may be the beginning of a secret."""
        return max((_overlap(text, secret) for secret in self.secrets), default=0)


def _overlap(text: str, secret: str) -> int:
    at = text.find(secret[0], max(0, len(text) - len(secret) + 1))
    while at >= 0 and not secret.startswith(text[at:]):
        at = text.find(secret[0], at + 1)
    return len(text) - at if at >= 0 else 0


class _Discreet:
    """Tells *watch* about one request and its answer, with each secret replaced, also one cut in two."""

    def __init__(self, watch: Watch, request: Outgoing) -> None:
        self._watch = watch
        self._request = request
        self._held = ""

    def sent(self, sent: httpx.Request) -> None:
        self._watch.sent(
            sent.method,
            self._request.shown(str(sent.url)),
            {name.decode(): self._request.shown(value.decode("latin-1")) for name, value in sent.headers.raw},
            self._request.shown(sent.content.decode()).encode(),
        )

    def headers(self, status: int, headers: Mapping[str, str]) -> None:
        """Pass the head on, without the cookies that it sets: one of them may be a session."""
        shown = {name: self._request.shown(value) for name, value in headers.items()}
        self._watch.headers(status, shown | ({"set-cookie": "…"} if "set-cookie" in shown else {}))

    def piece(self, piece: bytes) -> None:
        text = self._request.shown(self._held + piece.decode("latin-1"))
        passed = len(text) - self._request.begun(text)
        self._held = text[passed:]
        self._pass(text[:passed])

    def end(self) -> None:
        """Pass on what was held for the rest of a secret that did not come."""
        self._pass(self._held)

    def _pass(self, text: str) -> None:
        if text:
            self._watch.piece(text.encode("latin-1"))


class Incoming:
    """The head of an answer, and its body as it comes."""

    def __init__(
        self, who: str, response: httpx.Response, request: Outgoing, watch: _Discreet, limits: httpx.Timeout
    ) -> None:
        self.who = who
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._response = response
        self._request = request
        self._watch = watch
        self._limits = limits

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces, as they came. Raises `Cut`, `TimedOut` or `Malformed`."""
        with _translated(self.who, self._limits, during="answer"):
            async for piece in self._response.aiter_bytes():
                self._watch.piece(piece)
                yield piece

    async def body(self) -> bytes:
        """The body as far as it comes, cut off at `LONGEST_BODY`; whoever needs it whole parses it."""
        body = bytearray()
        with suppress(UpstreamError):  # of a refusal the status says enough
            async with aclosing(self.pieces()) as pieces:
                await gather(pieces, body)
        return bytes(body)

    def quoted(self, words: str) -> str:
        """The far end's own words, to stand within a sentence: one short line without our credentials.

        Empty for a web page, which nobody wants to read.
        """
        line = " ".join(_UNSEEN.sub(" ", self._request.shown(words)).split()).removesuffix(".")
        if line.startswith("<"):
            return ""
        return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"

    def rejected(
        self,
        sentence: str,
        advice: str,
        *,
        status: int,
        code: int | None = None,
        phrase: str | None = None,
        trouble: AccountTrouble | None = None,
    ) -> Rejected:
        """The error for this answer's status, with the wait that the far end asks for, if it does."""
        wait = seconds_of(self.headers.get("retry-after"))
        if wait is not None:
            advice = f"{advice} It asks to wait {spoken(wait)}.".strip()
        return Rejected(
            sentence,
            advice,
            status=status,
            upstream_status=self.status,
            code=code,
            phrase=phrase,
            retry_after=wait,
            trouble=trouble,
        )

    def reported(self, words: str) -> Reported:
        """The error for what the far end reported in the middle of its answer, in its own *words*."""
        quote = self.quoted(words)
        said = f": {quote}." if quote else ", and did not say which."
        return Reported(
            f"{self.who} reported an error in the middle of its answer{said}",
            "Any text so far is kept. Try again.",
            words=quote,
        )


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
        limits = httpx.Timeout(idle_timeout or self._idle_timeout, connect=self._connect_timeout)
        discreet = _Discreet(NoWatch() if watch is None else watch, request)
        with _translated(self.who, limits, during="request"):
            client = self._opened()
            asked = client.build_request(
                request.method, request.url, headers=request.headers, content=request.body, timeout=limits
            )
            discreet.sent(asked)
            response = await client.send(asked, stream=True)
        try:
            incoming = Incoming(self.who, response, request, discreet, limits)
            discreet.headers(incoming.status, incoming.headers)
            yield incoming
        finally:
            await response.aclose()
            discreet.end()

    async def json(self, request: Outgoing) -> Any:
        """The JSON value that a GET answers. Raises `UpstreamError`."""
        async with self.open(request) as incoming:
            body = await incoming.body()
        if incoming.status != 200:
            raise incoming.rejected(f"{self.who} answered {incoming.status}.", "", status=502)
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
                headers=_HEADERS,
                follow_redirects=False,
                # A jar whose policy takes no cookie from, and gives none to, any host.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                # The settings are the only reader of the environment.
                trust_env=False,
                verify=_certificates(),
                # How many answers run at a time is the budget's rule, not the pool's.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            )
        return self._client


@cache
def _certificates() -> SSLContext:
    """Whom to believe. To read it takes some 40 ms in which nothing else runs: once for all far ends."""
    return httpx.create_ssl_context(trust_env=False)


async def gather(pieces: AsyncIterable[bytes], body: bytearray) -> None:
    """Add *pieces* to *body*, up to `LONGEST_BODY`. What came before a failure is there."""
    async for piece in pieces:
        body += piece
        if len(body) > LONGEST_BODY:
            del body[LONGEST_BODY:]
            return


@contextmanager
def _translated(who: str, limits: httpx.Timeout, *, during: str) -> Iterator[None]:
    """Turn httpx's exceptions into ours, chained. *during* is what was under way."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _translation(who, limits, during, error) from error


def _translation(who: str, limits: httpx.Timeout, during: str, error: Exception) -> PlaygroundError:
    match error:
        case httpx.ConnectTimeout():
            return TimedOut(
                f"{who} could not be reached within {limits.connect:g} seconds.", "Try again later."
            )
        case httpx.TimeoutException():
            return TimedOut(
                f"{who} fell silent: nothing came for {limits.read:g} seconds.",
                "Any text so far is kept. Try again; if it stays silent, the model behind it has failed.",
            )
        case httpx.ConnectError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return NoConnection(
                f"{who} could not be reached.", "Check the network and the configured address, then try again."
            )
        case httpx.DecodingError():
            return Malformed(f"{who} sent a body that cannot be unpacked.", "Try again.")
        case _ if during == "answer":
            return Cut(f"{who} broke the answer off before its end.", "Any text so far is kept. Try again.")
        case _:
            return Cut(f"{who} closed the connection without an answer that can be read.", "Try again.")
