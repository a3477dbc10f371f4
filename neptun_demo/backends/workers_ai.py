"""Cloudflare Workers AI, called natively: `POST {base}/accounts/{account_id}/ai/run/{model}`.

Not its OpenAI-compatible route: on Llama 3, Mistral and Qwen 2.5 that one was seen to lose every `0`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from neptun_demo.contract import Message
from neptun_demo.errors import EmptyAnswer, NoConnection, PlaygroundError, Rejected, UpstreamError
from neptun_demo.listings import workers_ai_rows
from neptun_demo.models import Model
from neptun_demo.settings import BackendName
from neptun_demo.streams import Event, Finish, Text, Thinking, decode, inline_thinking

from .http import Incoming, Outgoing, Upstream
from .protocol import Question, Retry
from .retries import BACKOFF, with_retries
from .workers_ai_answers import is_json, whole_answer
from .workers_ai_errors import QUOTA, rejection

# Cloudflare itself gives up after about this many seconds (its codes 3007, 3008, 3046).
WHOLE_ANSWER_TIMEOUT = 240.0
# The most pages of models that are asked for; there are two.
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
        self._gateway = base.endswith("/workers-ai")
        self._run = base if self._gateway else f"{base}/accounts/{account}/ai/run"
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
        if self._gateway:  # a gateway has no list
            return rows
        for page in range(1, MOST_PAGES + 1):
            listing = await self._upstream.json(
                Outgoing(
                    "GET",
                    f"{self._search}?task=Text%20Generation&per_page=100&page={page}",
                    headers=self._authorization(),
                    secrets=self._secrets,
                )
            )
            rows += workers_ai_rows(listing.get("result"))
            if page >= _pages(listing):
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
        async with aclosing(self._events(question, stream=True)) as events:
            async for event in events:
                seen.see(event)
                if not isinstance(event, Finish):
                    yield event
        if seen.nothing:
            async with aclosing(self._events(question, stream=False)) as events:
                async for event in events:
                    seen.see(event)
                    if not isinstance(event, Finish):
                        yield event
        if not seen.text:
            raise _empty(seen, question)
        yield seen.finish

    async def _events(self, question: Question, *, stream: bool) -> AsyncGenerator[Event, None]:
        request = self._request(question, stream=stream)
        idle = None if stream else WHOLE_ANSWER_TIMEOUT
        async with self._upstream.open(request, question.watch, idle) as incoming:
            if incoming.status != 200:
                raise rejection(incoming.status, incoming.headers, await incoming.body())
            async with aclosing(_decoded(incoming)) as decoded:
                if not question.model.inline_thinking:
                    async for event in decoded:
                        yield event
                    return
                async with aclosing(inline_thinking(decoded)) as events:
                    async for event in events:
                        yield event

    def _request(self, question: Question, *, stream: bool) -> Outgoing:
        system = [{"role": "system", "content": question.system}] if question.system else []
        messages = [{"role": message.role, "content": message.content} for message in question.messages]
        body = {"messages": [*system, *messages], "stream": stream, **question.parameters}
        headers = {"Content-Type": "application/json", **self._authorization()}
        if question.conversation:
            # Lets Cloudflare send one conversation to where its beginning is cached: cheaper.
            headers["x-session-affinity"] = question.conversation
        return Outgoing(
            "POST",
            f"{self._run}/{question.model.id}",
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


def _decoded(incoming: Incoming) -> AsyncGenerator[Event, None]:
    return _either(incoming.pieces(), incoming)


async def _either(pieces: AsyncGenerator[bytes, None], incoming: Incoming) -> AsyncGenerator[Event, None]:
    """The events of a body that is a stream, or JSON in one piece, whatever its type claims."""
    async with aclosing(pieces):
        first = b""
        async for piece in pieces:
            first += piece
            if first.strip():
                break
        if is_json(first):
            for event in whole_answer(first + b"".join([piece async for piece in pieces])):
                yield event
            return
        async with aclosing(decode(_joined(first, pieces), incoming.headers)) as events:
            async for event in events:
                yield event


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    if first:
        yield first
    async for piece in rest:
        yield piece


def _empty(seen: _Seen, question: Question) -> EmptyAnswer:
    cap = question.parameters.get("max_tokens")
    if seen.thinking or seen.finish.reason == "length":
        return EmptyAnswer(
            f"{question.model.name} used up its cap of {cap} output tokens for thinking, and had none left for"
            " the answer. The tokens were billed.",
            "Raise the cap, or choose a lower reasoning effort.",
        )
    return EmptyAnswer(
        f"{question.model.name} ended its answer without any text, also when it was asked again in one piece.",
        "Try again, or choose another model.",
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


def _pages(listing: Any) -> int:
    """How many pages there are; `result_info` has `total_pages`, or `total_count` (of 100 a page)."""
    match listing:
        case {"result_info": {"total_pages": int(pages)}}:
            return pages
        case {"result_info": {"total_count": int(count)}}:
            return -(-count // 100)
        case _:
            return 1


__all__ = ["UpstreamError", "WorkersAI"]
