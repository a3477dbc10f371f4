"""What is asked again, and what never is, with both back ends against real far ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from time import monotonic, time
from typing import Any

import pytest
from test_http import IDLE, Heard, assert_left, hear, seen
from upstream import (
    Play,
    closes,
    cloudflare_error,
    data_lines,
    hangs,
    json_answer,
    recording,
    refusing,
    resets,
    sse,
    unreachable,
)

from neptun_demo.backends.http import Upstream as FarEnd
from neptun_demo.backends.neptun import Neptun
from neptun_demo.backends.protocol import Question, Retry
from neptun_demo.backends.retries import BACKOFF, LONGEST_WAIT, seconds_of, spoken, with_retries
from neptun_demo.backends.workers_ai import WorkersAI
from neptun_demo.contract import Message
from neptun_demo.errors import NoConnection, Rejected, TimedOut
from neptun_demo.models import NEPTUN_MODEL, WORKERS_AI_MODELS
from neptun_demo.streams import Event, Text, Thinking, Usage

pytestmark = pytest.mark.anyio

QUICK = (0.01, 0.02)

NEPTUN = Question(model=NEPTUN_MODEL, messages=[Message(role="user", content="hi")])
STORED = Question(model=NEPTUN_MODEL, messages=NEPTUN.messages, chat_id=7, is_playground=False)
WORKERS_AI = Question(model=WORKERS_AI_MODELS[0], messages=NEPTUN.messages, parameters={"max_tokens": 77})


@asynccontextmanager
async def backend_for(
    question: Question, url: str, *, idle: float = 10, connect: float = 10, backoff: tuple[float, ...] = QUICK
) -> AsyncIterator[Neptun | WorkersAI]:
    far_end = FarEnd("The far end", connect_timeout=connect, idle_timeout=idle)
    backend = (
        Neptun(far_end, url, "session", backoff=backoff)
        if question.model is NEPTUN_MODEL
        else WorkersAI(far_end, url, "account", "token", backoff=backoff)
    )
    try:
        yield backend
    finally:
        await backend.aclose()


async def ask(question: Question, url: str, **more: Any) -> Heard:
    async with backend_for(question, url, **more) as backend:
        return await hear(backend.answer(question))


def refusal(status: int, **headers: str) -> Play:
    return json_answer({"message": "no"}, status, headers={"content-type": "application/json", **headers})


BUSY = cloudflare_error(3040, "Capacity temporarily exceeded, please try again.", 429)
QUOTA = cloudflare_error(4006, "you have used up your daily free allocation of 10,000 neurons", 429)
FAILED_LATER = Play(chunks=('0:"so far"\n3:"no"\n',))

AGAIN = [
    (NEPTUN, refusal(429)),
    (NEPTUN, refusal(503)),
    (WORKERS_AI, BUSY),
    (WORKERS_AI, cloudflare_error(3040, "busy", 400)),
    (WORKERS_AI, refusal(429)),
    (WORKERS_AI, cloudflare_error(9999, "too many requests", 429)),
    (WORKERS_AI, refusal(500)),
    (WORKERS_AI, refusal(502)),
    (WORKERS_AI, refusal(503)),
    (WORKERS_AI, refusal(599)),
]
NEVER = [
    *[(STORED, refusal(status)) for status in (400, 401, 408, 413, 429, 500, 502, 503, 504)],
    *[(NEPTUN, refusal(status)) for status in (302, 400, 401, 403, 404, 408, 413, 500, 502, 504)],
    (NEPTUN, recording("up_err429")),
    (NEPTUN, recording("up_err500")),
    (NEPTUN, recording("up_empty_stream")),
    (NEPTUN, FAILED_LATER),
    (WORKERS_AI, QUOTA),
    (WORKERS_AI, cloudflare_error(3036, "quota", 429)),
    *[(WORKERS_AI, cloudflare_error(code, "timeout", 408)) for code in (3007, 3008, 3046)],
    *[(WORKERS_AI, refusal(status)) for status in (302, 400, 401, 403, 404, 408, 413, 422)],
    (WORKERS_AI, sse({"response": "so far"}, {"error": "no"})),
    (WORKERS_AI, sse({"choices": [{"delta": {"reasoning": "so far"}}]}, {"error": "no"})),
    *[(question, play) for question in (NEPTUN, STORED, WORKERS_AI) for play in (closes(), resets())],
]


def named(value: object) -> str:
    """Part of a test's name."""
    match value:
        case Question():
            return "stored" if value is STORED else value.model.backend
        case Play(status=status):
            return f"{status} {b''.join(piece for piece in value.pieces() if isinstance(piece, bytes))[-60:]!r}"
    return str(value)


@pytest.mark.parametrize(("question", "play"), AGAIN, ids=named)
async def test_asked_again_twice(upstream, question, play):
    upstream.plays(play)
    heard = await ask(question, upstream.url)
    assert isinstance(heard.error, Rejected)
    assert len(upstream.requests) == 3
    assert heard.events == heard.retries
    assert [retry.attempt for retry in heard.retries] == [2, 3]
    assert {retry.reason for retry in heard.retries} == {heard.error.sentence}
    assert len({(sent.target, sent.body) for sent in upstream.requests}) == 1


@pytest.mark.parametrize(("question", "play"), NEVER, ids=named)
async def test_never_asked_again(upstream, question, play):
    upstream.plays(play)
    heard = await ask(question, upstream.url)
    assert heard.error
    assert heard.retries == []
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("question", [NEPTUN, STORED, WORKERS_AI], ids=named)
async def test_a_connection_that_fails_is_made_again(question):
    with refusing() as url:
        heard = await ask(question, url)
    assert isinstance(heard.error, NoConnection)
    assert [retry.attempt for retry in heard.retries] == [2, 3]


@pytest.mark.parametrize("question", [NEPTUN, STORED, WORKERS_AI], ids=named)
async def test_our_own_limits_are_no_reason(upstream, question):
    upstream.plays(hangs())
    heard = await ask(question, upstream.url, idle=IDLE)
    assert (type(heard.error), heard.retries) == (TimedOut, [])
    assert len(upstream.requests) == 1
    with unreachable() as url:
        heard = await ask(question, url, connect=0.1)
    assert (type(heard.error), heard.retries) == (TimedOut, [])


@pytest.mark.parametrize("question", [NEPTUN, WORKERS_AI], ids=named)
@pytest.mark.parametrize("failures", [1, 2])
async def test_what_works_in_the_end_is_the_answer(upstream, question, failures):
    answer = data_lines("Hello") if question is NEPTUN else sse({"response": "Hello"})
    upstream.plays(*[refusal(503)] * failures, answer)
    heard = await ask(question, upstream.url)
    assert heard.text == "Hello"
    assert heard.reason
    assert heard.events[:failures] == heard.retries
    assert len(heard.retries) == failures


async def test_a_far_end_that_comes_up_while_we_wait_is_asked():
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b'"hi"}]}')
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0:"Hello"\n')
        writer.close()

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        async with backend_for(STORED, f"http://127.0.0.1:{held.getsockname()[1]}") as backend:
            answer = backend.answer(STORED)
            assert isinstance(await anext(answer), Retry)
            async with await asyncio.start_server(reply, sock=held):
                assert (await hear(answer)).text == "Hello"


@pytest.mark.parametrize(("event", "tries"), [(Text("so far"), 1), (Thinking("so far"), 1), (Usage(), 3)])
async def test_nothing_is_asked_again_behind_text_or_thinking(event, tries):
    """Whatever the failure: no far end here fails that late in such a way, but the rule does not hang on it."""
    made = []

    async def attempt() -> AsyncGenerator[Event, None]:
        made.append(event)
        yield event
        raise NoConnection("Gone.")

    heard = await hear(with_retries(attempt, lambda _: True, QUICK))
    assert (len(made), len(heard.retries)) == (tries, tries - 1)
    assert heard.error.sentence == "Gone."


# The wait


async def test_the_wait_grows_and_has_some_chance_in_it(upstream):
    upstream.plays(BUSY)
    heard = await ask(WORKERS_AI, upstream.url, backoff=(0.1, 0.3))
    first, second = (retry.seconds for retry in heard.retries)
    assert 0.08 <= first <= 0.12
    assert 0.24 <= second <= 0.36
    times = [request.at for request in upstream.requests]
    assert times[1] - times[0] >= first
    assert times[2] - times[1] >= second


def test_the_pauses_are_a_second_and_three():
    assert BACKOFF == (1, 3)


async def test_a_wait_that_is_asked_for_is_kept(upstream):
    upstream.plays(refusal(429, **{"Retry-After": "1"}), sse({"response": "Hello"}))
    heard = await ask(WORKERS_AI, upstream.url)
    assert [retry.seconds for retry in heard.retries] == [1]
    assert upstream.requests[1].at - upstream.requests[0].at >= 1
    assert heard.text == "Hello"


async def test_a_wait_of_a_minute_is_still_a_wait(upstream):
    upstream.plays(refusal(503, **{"Retry-After": "60"}))
    async with backend_for(NEPTUN, upstream.url) as backend:
        answer = backend.answer(NEPTUN)
        assert (await anext(answer)).seconds == LONGEST_WAIT == 60
        await answer.aclose()


@pytest.mark.parametrize("question", [NEPTUN, WORKERS_AI], ids=named)
async def test_a_longer_one_is_advice(upstream, question):
    upstream.plays(refusal(429, **{"Retry-After": "61"}))
    heard = await ask(question, upstream.url)
    assert (heard.retries, len(upstream.requests)) == ([], 1)
    assert heard.error.retry_after == 61
    assert "It asks to wait 61 seconds." in heard.error.advice


async def test_what_is_not_asked_again_keeps_the_advice(upstream):
    upstream.plays(refusal(503, **{"Retry-After": "7"}))
    heard = await ask(STORED, upstream.url)
    assert (heard.retries, heard.error.retry_after) == ([], 7)
    assert "It asks to wait 7 seconds." in heard.error.advice


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_leaving_during_the_wait_ends_it_at_once(upstream, how):
    upstream.plays(refusal(503, **{"Retry-After": "30"}))
    async with backend_for(NEPTUN, upstream.url) as backend:
        answer = backend.answer(NEPTUN)
        await anext(answer)
        began = monotonic()
        if how == "close":
            await answer.aclose()
        else:
            task = asyncio.create_task(hear(answer))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert monotonic() - began < 10  # of thirty
        assert await asyncio.to_thread(upstream.quiet, 5)
    assert len(upstream.requests) == 1


async def test_leaving_the_second_try_closes_its_connection(upstream):
    upstream.plays(refusal(503), hangs())
    async with backend_for(NEPTUN, upstream.url, idle=30) as backend:
        task = asyncio.create_task(hear(backend.answer(NEPTUN)))
        exchange = await seen(upstream, 2)
        task.cancel()
        await assert_left(exchange)
        with pytest.raises(asyncio.CancelledError):
            await task


# Retry-After


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("999999999", 999_999_999),
        ("9999999999", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_the_seconds_of_a_retry_after(header, seconds):
    assert seconds_of(header) == seconds


def test_a_retry_after_may_be_a_date():
    wait = seconds_of(formatdate(time() + 90, usegmt=True))
    assert wait is not None
    assert 85 < wait <= 90


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (1.1, "2 seconds"),
        (61, "61 seconds"),
        (119.5, "120 seconds"),
        (120, "2 minutes"),
        (86_400, "1,440 minutes"),
    ],
)
def test_a_wait_in_words(seconds, words):
    assert spoken(seconds) == words
