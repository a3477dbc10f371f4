"""Cloudflare Workers AI, called natively: `POST {base}/accounts/{account_id}/ai/run/{model}`.

Not its OpenAI-compatible route: on Llama 3, Mistral and Qwen 2.5 that one was seen to lose every `0`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from math import isfinite
from urllib.parse import quote

from neptun_demo.contract import Message
from neptun_demo.errors import EmptyAnswer, Malformed, NoConnection, PlaygroundError, Rejected, Reported
from neptun_demo.listings import pages_of, workers_ai_rows
from neptun_demo.models import Model
from neptun_demo.settings import BackendName
from neptun_demo.streams import UNKNOWN, Event, Finish, Text, Thinking, Usage, decode, inline_thinking

from .asking import is_gateway, workers_ai_address, workers_ai_body
from .http import Incoming, Outgoing, Upstream, gather
from .protocol import Question, Retry
from .retries import BACKOFF, with_retries
from .workers_ai_answers import BEFORE, is_json, whole_answer
from .workers_ai_errors import QUOTA, cleaned, rejection

# Cloudflare itself gives up after about this many seconds (its codes 3007, 3008, 3046).
WHOLE_ANSWER_TIMEOUT = 240.0
# The cap on output tokens where a request names none.
DEFAULT_CAP = 256

# Models on a page of the list, and the most pages that are asked for; there are two.
PAGE = 100
MOST_PAGES = 20

TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105 - the name of the variable, shown in place of its value
ACCOUNT = "CLOUDFLARE_ACCOUNT_ID"


class WorkersAI:
    """One account. An AI Gateway's address (it ends in `/workers-ai`) is a base too."""

    name: BackendName = "workers-ai"

    def __init__(
        self, upstream: Upstream, base: str, account: str, token: str, *, backoff: Sequence[float] = BACKOFF
    ) -> None:
        self._upstream = upstream
        self._base = base
        self._account = account
        self._search = f"{base}/accounts/{account}/ai/models/search"
        self._token = token
        self._secrets = {token: TOKEN, account: ACCOUNT}
        self._backoff = backoff

    def escaped(self, messages: Sequence[Message]) -> int:  # noqa: ARG002 - the protocol's
        """Nothing is escaped."""
        return 0

    def check(self, question: Question) -> None:
        """Everything that it refuses was refused by the check of the parameters."""

    def answer(self, question: Question) -> AsyncGenerator[Event | Retry, None]:
        """The events of the answer; see `Backend.answer`."""
        return with_retries(lambda: self._attempt(question), _worth_it, self._backoff)

    async def models(self) -> list[Model]:
        """The rows of all pages of the account's list. Raises `UpstreamError`."""
        rows: list[Model] = []
        if is_gateway(self._base):  # a gateway has no list
            return rows
        for page in range(1, MOST_PAGES + 1):
            listing = await self._upstream.json(
                Outgoing(
                    "GET",
                    f"{self._search}?task=Text%20Generation&per_page={PAGE}&page={page}",
                    headers=self._authorization(),
                    secrets=self._secrets,
                )
            )
            rows += workers_ai_rows(listing)
            if page >= pages_of(listing, PAGE):
                break
        return rows

    async def aclose(self) -> None:
        """Close the connections."""
        await self._upstream.aclose()

    async def _attempt(self, question: Question) -> AsyncGenerator[Event, None]:
        """One try: streamed, and once more in one piece where the stream was empty.

        gpt-oss answers some streaming requests with `{"result": {}}` and has to be asked again.
        """
        seen = _Seen()
        for stream in (True, False):
            async with aclosing(self._events(question, stream=stream)) as events:
                async for event in events:
                    seen.see(event)
                    if not isinstance(event, Finish):
                        yield event
            if not seen.nothing:
                break
        if not seen.text:
            raise _empty(seen, question)
        yield seen.finish

    async def _events(self, question: Question, *, stream: bool) -> AsyncGenerator[Event, None]:
        request = self._request(question, stream=stream)
        idle = None if stream else WHOLE_ANSWER_TIMEOUT
        async with self._upstream.open(request, question.watch, idle) as incoming:
            if incoming.status != 200:
                raise rejection(incoming, await incoming.body())
            if incoming.content_type == "text/html":
                raise Malformed(
                    "Workers AI sent a web page instead of an answer.", "The host checks CLOUDFLARE_BASE_URL."
                )
            try:
                async with (
                    aclosing(_decoded(incoming)) as decoded,
                    aclosing(inline_thinking(decoded) if question.model.inline_thinking else decoded) as apart,
                    aclosing(_priced(apart, incoming.headers)) as events,
                ):
                    async for event in events:
                        yield event
            except Reported as error:
                raise incoming.reported(cleaned(error.words)) from error.__cause__

    def _request(self, question: Question, *, stream: bool) -> Outgoing:
        body = workers_ai_body(question.messages, question.system, question.parameters, stream=stream)
        headers = {"Content-Type": "application/json", **self._authorization()}
        if question.conversation:
            # Lets Cloudflare send one conversation to where its beginning is cached: cheaper.
            headers["x-session-affinity"] = quote(question.conversation, errors="replace")  # a caller chose it
        return Outgoing(
            "POST",
            workers_ai_address(self._base, self._account, question.model.id),
            headers=headers,
            body=json.dumps(body, ensure_ascii=False).encode(),
            secrets=self._secrets,
        )

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


class _Seen:
    """What an answer has brought so far."""

    def __init__(self) -> None:
        self.text = False
        self.thinking = False
        self.finish = Finish()

    def see(self, event: Event) -> None:
        match event:
            case Text():
                self.text = True
            case Thinking():
                self.thinking = True
            case Finish():
                self.finish = event

    @property
    def nothing(self) -> bool:
        """Whether it came to nothing at all, not even to a cap that thinking used up."""
        return not self.text and not self.thinking and self.finish.reason != "length"


async def _decoded(incoming: Incoming) -> AsyncGenerator[Event, None]:
    """The events of a body that is a stream, or JSON in one piece, whatever its type claims."""
    async with aclosing(incoming.pieces()) as pieces:
        head = b""
        async for piece in pieces:
            head += piece
            if head.strip(BEFORE):
                break
        if is_json(head):
            body = bytearray(head)
            await gather(pieces, body)
            for event in whole_answer(bytes(body)):
                yield event
            return
        async with (
            aclosing(_joined(head, pieces)) as whole,
            aclosing(decode(whole, incoming.headers, who=incoming.who)) as events,
        ):
            async for event in events:
                yield event


async def _joined(head: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield head
    async for piece in rest:
        yield piece


async def _priced(
    events: AsyncGenerator[Event, None], headers: Mapping[str, str]
) -> AsyncGenerator[Event, None]:
    """The events, and before the last one the cost that a header tells where the body does not."""
    counted, neurons = Usage(), _neurons(headers)
    async for event in events:
        match event:
            case Usage():
                counted = event
            case Finish() if counted.neurons is None and neurons is not None:
                yield replace(counted, neurons=neurons)
        yield event


def _neurons(headers: Mapping[str, str]) -> float | None:
    try:
        neurons = float(headers.get("cf-ai-neurons", ""))
    except ValueError:
        return None
    return neurons if isfinite(neurons) else None


def _empty(seen: _Seen, question: Question) -> EmptyAnswer:
    name, reason = question.model.name, seen.finish.reason
    if not seen.thinking and reason != "length":
        return EmptyAnswer(
            f"{name} ended its answer without any text, also when it was asked again in one piece.",
            "Try again, or choose another model.",
        )
    if reason not in ("length", UNKNOWN):
        return EmptyAnswer(f"{name} ended behind its thinking, without an answer.", "Try again.")
    # Models that write their thinking into the text seldom name a reason.
    probably = "" if reason == "length" else "probably "
    cap = question.parameters.get("max_tokens", DEFAULT_CAP)
    thought = seen.thinking or question.model.reasoning
    spent = "for thinking, and had none left for the answer" if thought else "before any text came"
    return EmptyAnswer(
        f"{name} {probably}used up its cap of {cap} output tokens {spent}. The tokens were billed.",
        "Raise the cap, or choose a lower reasoning effort." if question.model.efforts else "Raise the cap.",
    )


def _worth_it(error: PlaygroundError) -> bool:
    match error:
        case NoConnection():
            return True
        case Rejected(code=int(code)) if code in QUOTA:
            return False
        case Rejected(code=3040) | Rejected(upstream_status=429):
            return True
        case Rejected(upstream_status=status):
            return status >= 500
        case _:
            return False
