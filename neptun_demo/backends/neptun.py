"""The Neptun endpoint, right for its documentation and for what its server was observed to do."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from pydantic import SecretStr

from neptun_demo.contract import Message
from neptun_demo.conversation import BYTES_PER_TOKEN
from neptun_demo.errors import (
    EmptyAnswer,
    Malformed,
    NoConnection,
    PlaygroundError,
    Refused,
    Rejected,
    Reported,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownModel,
)
from neptun_demo.listings import neptun_rows
from neptun_demo.models import NEPTUN_OUTPUT_TOKENS, Model
from neptun_demo.settings import BackendName
from neptun_demo.streams import UNKNOWN, Event, Finish, Text, decode

from .asking import neptun_address, neptun_body
from .http import Incoming, Outgoing, Upstream
from .protocol import Question, Retry
from .retries import BACKOFF, with_retries

# The server refuses a body of this many bytes or more (recording `size_2000000`).
TOO_LARGE = 2_000_000

# An answer of this many estimated tokens was probably ended by the endpoint's cap of 256.
PROBABLY_CUT = 240
CUT_BY_THE_CAP = f"probably cut at the endpoint's {NEPTUN_OUTPUT_TOKENS} tokens (estimate)"

# Seconds that the check of a session may take: a person waits beside the button.
CHECK_TIMEOUT = 8.0

COOKIE = "NEPTUN_SESSION"
"""The name that stands for the cookie wherever a request is shown."""


class Neptun:
    """`POST {base}/api/ai/cloudflare/{model_name}/chat`, with the visitor's cookie or the host's."""

    name: BackendName = "neptun"

    def __init__(
        self, upstream: Upstream, base: str, session: str | None, *, backoff: Sequence[float] = BACKOFF
    ) -> None:
        self._upstream = upstream
        self._base = base
        self._session = session
        self._backoff = backoff

    def escaped(self, messages: Sequence[Message]) -> int:
        """How many `<` and `>` are sent as entities."""
        return sum(message.content.count("<") + message.content.count(">") for message in messages)

    def check(self, question: Question) -> None:
        """Raise `Refused` for a system prompt, `TooLarge` for what the server would not read."""
        if question.system:
            raise Refused(
                "The Neptun endpoint takes no system prompt: it knows the roles user and assistant only.",
                "Leave the system prompt empty, put it into the first message, or use Workers AI.",
            )
        size = len(_body(question.messages))
        if size >= TOO_LARGE:
            raise TooLarge(
                f"The conversation is {size:,} bytes long as it is sent; the Neptun endpoint reads less than"
                f" {TOO_LARGE:,}.",
                "Begin a new conversation, or shorten the message.",
            )

    def answer(self, question: Question) -> AsyncGenerator[Event | Retry, None]:
        """The events of the answer; see `Backend.answer`."""
        return with_retries(lambda: self._attempt(question), _worth_it(question), self._backoff)

    async def models(self) -> list[Model]:
        """The rows of the endpoint's public list. Raises `UpstreamError`."""
        return neptun_rows(await self._upstream.json(Outgoing("GET", f"{self._base}/models")))

    async def knows(self, cookie: SecretStr) -> bool:
        """Whether the endpoint knows this session: `HEAD /api/auth/check`, 204 or 401 (recorded).

        The 401 sets a new, empty session, which nobody keeps. Raises `UpstreamError`.
        """
        session = cookie.get_secret_value()
        request = Outgoing(
            "HEAD",
            f"{self._base}/api/auth/check",
            headers={"Cookie": f"neptun-session={session}"},
            secrets={session: COOKIE},
        )
        try:
            async with asyncio.timeout(CHECK_TIMEOUT), self._upstream.open(request) as incoming:
                if incoming.status in (204, 401):
                    return incoming.status == 204
                raise incoming.rejected(
                    f"The Neptun endpoint answered the check with {incoming.status}.",
                    _advice(incoming.status, ""),
                    status=502,
                )
        except TimeoutError as error:
            raise TimedOut(
                f"The Neptun endpoint did not answer the check within {CHECK_TIMEOUT:g} seconds.",
                "Try again later.",
            ) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._upstream.aclose()

    async def _attempt(self, question: Question) -> AsyncGenerator[Event, None]:
        size = 0
        finish = Finish()
        async with (
            self._upstream.open(self._request(question), question.watch) as incoming,
            aclosing(_events(incoming, own_cookie=question.cookie is not None)) as events,
        ):
            async for event in events:
                if isinstance(event, Finish):
                    finish = event
                    continue
                if isinstance(event, Text):
                    size += len(event.text.encode())
                yield event
        if not size:
            raise EmptyAnswer(
                "The Neptun endpoint ended its answer without any text: the model behind it failed.",
                "Try again.",
            )
        yield _finish(finish, size)

    def _request(self, question: Question) -> Outgoing:
        session = self._session if question.cookie is None else question.cookie.get_secret_value()
        if session is None:  # who_may() lets nobody come here without one
            raise Unauthorized("The Neptun endpoint needs a session.", "Give a neptun-session cookie.")
        name, chat_id = question.model.name, question.chat_id
        return Outgoing(
            "POST",
            neptun_address(self._base, name, chat_id, temporary=question.is_playground),
            headers={"Content-Type": "application/json", "Cookie": f"neptun-session={session}"},
            body=_body(question.messages),
            secrets={session: COOKIE},
        )


def _body(messages: Sequence[Message]) -> bytes:
    return json.dumps(neptun_body(messages), ensure_ascii=False).encode()


def _finish(finish: Finish, size: int) -> Finish:
    """The reason for the end; the endpoint names none, not even its own cap of output tokens."""
    capped = finish.reason == UNKNOWN and -(-size // BYTES_PER_TOKEN) >= PROBABLY_CUT
    return Finish(CUT_BY_THE_CAP) if capped else finish


def _worth_it(question: Question) -> Callable[[PlaygroundError], bool]:
    def worth_it(error: PlaygroundError) -> bool:
        match error:
            case NoConnection():
                return True  # nothing was sent
            case Rejected(upstream_status=429 | 503):
                # A stored chat has stored the question before the model was asked: again is twice.
                return question.is_playground and not _is_quota(error.sentence)
            case _:
                return False

    return worth_it


def _is_quota(words: str) -> bool:
    return "allocation" in words or "neurons" in words


async def _events(incoming: Incoming, *, own_cookie: bool) -> AsyncGenerator[Event, None]:
    """The events of an answer that is a stream. Raises `Rejected`, or `Malformed` for a page or JSON."""
    if incoming.status != 200:
        raise _rejection(incoming, _words(incoming, await incoming.body()), own_cookie=own_cookie)
    match incoming.content_type:
        case "text/html":
            raise Malformed(
                "The Neptun endpoint sent a web page instead of an answer.",
                "Check that NEPTUN_BASE_URL is right.",
            )
        case "application/json":
            said = _said(_words(incoming, await incoming.body()))
            raise Malformed(f"The Neptun endpoint sent JSON instead of an answer{said}.", "Try again.")
    try:
        async with (
            aclosing(incoming.pieces()) as pieces,
            aclosing(decode(pieces, incoming.headers, who=incoming.who)) as events,
        ):
            async for event in events:
                yield event
    except Reported as error:
        raise incoming.reported(error.words) from error.__cause__


def _rejection(incoming: Incoming, words: str, *, own_cookie: bool) -> Rejected:
    """What a refusal with these *words* means, and what to do."""
    status = incoming.status
    if status == 401 and _is_session(incoming, words):
        return _wrong_session(incoming, own_cookie=own_cookie)
    if status == 400 and "Service not available" in words:
        return incoming.rejected(
            "Neptun no longer serves this model.", "Choose another.", status=400, phrase=Unavailable.phrase
        )
    if status == 400 and re.search(r"Invalid model|model_?name", words, re.IGNORECASE):
        return incoming.rejected(
            "The Neptun endpoint does not know this model.",
            "Choose another.",
            status=400,
            phrase=UnknownModel.phrase,
        )
    return incoming.rejected(
        f"The Neptun endpoint answered {status}{_said(words)}.",
        _advice(status, words),
        status=status if 400 <= status <= 599 else 502,
    )


def _is_session(incoming: Incoming, words: str) -> bool:
    """Whether a 401 is about the session: it says "Unauthorized" and sets a new, empty one (recorded).

    The 401 of the Cloudflare behind it has other words and sets none.
    """
    return words == "Unauthorized" or "neptun-session=" in incoming.headers.get("set-cookie", "")


def _wrong_session(incoming: Incoming, *, own_cookie: bool) -> Rejected:
    if own_cookie:
        return incoming.rejected(
            "The Neptun endpoint does not accept this session.",
            "Log in to Neptun again and copy the new value of the neptun-session cookie.",
            status=401,
        )
    return incoming.rejected(
        "The Neptun endpoint does not accept the host's session.",
        "The host has to renew NEPTUN_SESSION; a cookie of your own works at once.",
        status=401,
        trouble="session",
    )


_ANOTHERS_401 = "The session is fine: Cloudflare refused Neptun's own account. Neptun's operator can mend it."
# A page, or nothing at all, from who knows whom.
_NOBODYS_401 = (
    "It does not say why. Log in to Neptun again and take the new value of the neptun-session cookie; if that"
    " changes nothing, Neptun's operator can mend it."
)


def _advice(status: int, words: str) -> str:
    match status:
        case 401:
            return _ANOTHERS_401 if words else _NOBODYS_401
        case 403:
            return "Neptun, or the Cloudflare account behind it, does not allow this."
        case 429 if _is_quota(words):
            return "Neptun's quota at Cloudflare is used up; it is free again at 00:00 UTC."
        case 408 | 429 | 503:
            return "It is busy. Try again in a minute."
        case 413:
            return "Begin a new conversation, or shorten the message."
        case 431:
            return "The cookie is too long. Copy the value of neptun-session alone."
        case 404 | 405:
            return "Check that NEPTUN_BASE_URL is right; an address of another server answers like this."
        case _ if 300 <= status < 400:
            return "It redirects, which is not followed with a session. Check that NEPTUN_BASE_URL is right."
        case _ if status >= 500:
            return "It failed before the first word. Try again."
        case _:
            return "Check the question and the settings."


def _said(words: str) -> str:
    return f": {words}" if words else ""


def _words(incoming: Incoming, body: bytes) -> str:
    """The far end's own words, from either of its two JSON shapes; empty for HTML and empty bodies.

    `message` says most, then the validation's `data.issues`, then `statusMessage`, which is often only
    "Server Error".
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return incoming.quoted(body.decode("utf-8", "replace"))
    match said:
        case {"message": str(message)} if message:
            return incoming.quoted(message)
        case {"data": {"issues": [{"message": str(message), "path": [*path]}, *_]}}:
            return incoming.quoted(f"{'.'.join(map(str, path))}: {message}")
        case {"statusMessage": str(message)}:
            return incoming.quoted(message)
        case _:
            return ""
