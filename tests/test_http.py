"""The one place that opens streams: every failure by its stage, secrets, cookies, redirects, and leaving."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest
from upstream import (
    Exchange,
    Gate,
    Play,
    Upstream,
    closes,
    data_lines,
    forever,
    garbage,
    gzipped,
    hangs,
    json_answer,
    recording,
    redirect,
    refusing,
    resets,
    unreachable,
)

from neptun_demo.backends.http import LONGEST_BODY, LONGEST_QUOTE, Incoming, Outgoing
from neptun_demo.backends.http import Upstream as FarEnd
from neptun_demo.backends.protocol import Retry
from neptun_demo.errors import Cut, Malformed, NoConnection, PlaygroundError, Rejected, TimedOut
from neptun_demo.streams import Event, Finish, Text, Thinking, Usage

pytestmark = pytest.mark.anyio

# Where a test is about silence; elsewhere the limit is far above what a busy machine takes.
IDLE = 1.2
SECRET = "Fe26.2*1*aff*secret/of+the~host"
WHO = "The far end"


# What the tests of the back ends share


@dataclass
class Heard:
    """What came of one question."""

    events: list[Event | Retry] = field(default_factory=list)
    failure: PlaygroundError | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Text))

    @property
    def thinking(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Thinking))

    @property
    def usage(self) -> Usage | None:
        return next((event for event in reversed(self.events) if isinstance(event, Usage)), None)

    @property
    def retries(self) -> list[Retry]:
        return [event for event in self.events if isinstance(event, Retry)]

    @property
    def reason(self) -> str | None:
        """The reason for the end, after a look at where it stands: last, once, and never with a failure."""
        ends = [at for at, event in enumerate(self.events) if isinstance(event, Finish)]
        assert ends == ([] if self.failure else [len(self.events) - 1])
        last = self.events[-1] if self.events else None
        return last.reason if isinstance(last, Finish) else None

    @property
    def error(self) -> PlaygroundError:
        assert self.failure is not None, self.events
        assert self.reason is None
        return self.failure

    @property
    def end(self) -> tuple[type, int]:
        return type(self.error), self.error.status


async def hear(events: AsyncGenerator[Event | Retry, None]) -> Heard:
    heard = Heard()
    try:
        async with aclosing(events):
            async for event in events:
                heard.events.append(event)
    except PlaygroundError as error:
        heard.failure = error
    return heard


async def seen(far_end: Upstream, number: int = 1) -> Exchange:
    return await asyncio.to_thread(far_end.arrived, number)


async def assert_left(exchange: Exchange) -> None:
    """The client closed the connection, within a second of now, before the far end's last byte."""
    assert await asyncio.to_thread(exchange.left.wait, 1)


def words_of(error: PlaygroundError) -> str:
    """All that an exception says, in a traceback also with those behind it."""
    return f"{error!r} {error} {vars(error)} {''.join(traceback.format_exception(error))}"


class Wire:
    """A watch that notes all it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.heads: list[tuple[int, dict[str, str]]] = []
        self.pieces: list[bytes] = []

    def sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        self.requests.append((method, url, dict(headers), body))

    def headers(self, status: int, headers: Mapping[str, str]) -> None:
        self.heads.append((status, dict(headers)))

    def piece(self, piece: bytes) -> None:
        self.pieces.append(piece)

    @property
    def all(self) -> str:
        return f"{self.requests} {self.heads} {b''.join(self.pieces)!r}"


@asynccontextmanager
async def far_end(**limits: float) -> AsyncIterator[FarEnd]:
    link = FarEnd(WHO, **{"connect_timeout": 10, "idle_timeout": 10, **limits})
    try:
        yield link
    finally:
        await link.aclose()


# Here


def post(url: str, **more: Any) -> Outgoing:
    return Outgoing("POST", f"{url}/chat", **more)


async def read(asked: str | Outgoing, **limits: float) -> tuple[bytes, PlaygroundError | None]:
    """The body as far as it came, and what ended it."""
    request = asked if isinstance(asked, Outgoing) else post(asked, body=b"{}")
    came = b""
    try:
        async with (
            far_end(**limits) as link,
            link.open(request) as incoming,
            aclosing(incoming.pieces()) as pieces,
        ):
            async for piece in pieces:
                came += piece
    except PlaygroundError as error:
        return came, error
    return came, None


async def answered(upstream: Upstream, play: Play, look: Callable[[Incoming], Any]) -> Any:
    """What *look* makes of the answer *play* to a request that holds `SECRET`."""
    upstream.plays(play)
    async with far_end() as link, link.open(post(upstream.url, secrets={SECRET: "NAME"})) as incoming:
        return look(incoming)


# How it goes


async def test_a_body_comes_in_pieces_as_they_are_sent(upstream):
    gate = Gate()
    upstream.plays(data_lines("Hello", " world", chunks=('0:"Hello"\n', gate, '0:" world"\n')))
    async with far_end() as link, link.open(post(upstream.url)) as incoming:
        assert (incoming.status, incoming.content_type) == (200, "text/plain")
        async with aclosing(incoming.pieces()) as pieces:
            assert await anext(pieces) == b'0:"Hello"\n'
            gate.open()
            assert await anext(pieces) == b'0:" world"\n'
            assert await anext(pieces, None) is None


@pytest.mark.parametrize("ended", ["clean", "length", "close"])
async def test_each_clean_ending_is_the_end(upstream, ended):
    upstream.plays(data_lines("Hello", ended=ended))
    assert await read(upstream.url) == (b'0:"Hello"\n', None)


@pytest.mark.parametrize("status", [201, 204, 302, 401, 500])
async def test_any_status_is_an_answer(upstream, status):
    play = Play(status=status, chunks=(b"words",))
    assert await answered(upstream, play, lambda incoming: incoming.status) == status


async def test_pauses_within_the_limit_are_no_silence(upstream):
    upstream.plays(data_lines("a", "b", "c", "d", before=0.5, gap=0.6))  # 2.3 seconds in all
    assert await read(upstream.url, idle_timeout=2) == (b'0:"a"\n0:"b"\n0:"c"\n0:"d"\n', None)


async def test_no_page_is_asked_for_and_nothing_packed(upstream):
    upstream.plays(data_lines("Hello"))
    await read(upstream.url)
    sent = upstream.requests[0]
    assert "html" not in sent.header("accept")
    assert "*" not in sent.header("accept")
    assert sent.header("accept-encoding") == "identity"


async def test_what_is_packed_all_the_same_is_unpacked(upstream):
    upstream.plays(gzipped(data_lines("Hello", " world")))
    assert await read(upstream.url) == (b'0:"Hello"\n0:" world"\n', None)


async def test_a_connection_serves_again_after_a_whole_body(upstream):
    upstream.plays(data_lines("Hello"))
    async with far_end() as link:
        for _ in range(2):
            async with link.open(post(upstream.url)) as incoming:
                await incoming.body()
    assert [exchange.connection for exchange in upstream.exchanges] == [1, 1]


async def test_the_environment_is_the_settings_business(upstream, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(netrc))
    upstream.plays(data_lines("Hello"))
    with refusing() as nobody:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, nobody)
        assert (await read(upstream.url))[1] is None
    assert upstream.requests[0].header("authorization") is None


async def test_json_is_given_as_it_is(upstream):
    upstream.plays(json_answer({"models": [1, "zwei"]}))
    async with far_end() as link:
        assert await link.json(Outgoing("GET", f"{upstream.url}/models")) == {"models": [1, "zwei"]}


@pytest.mark.parametrize(
    ("play", "kind"),
    [
        (json_answer({"error": "no"}, 503), Rejected),
        (redirect("/elsewhere"), Rejected),
        (Play(chunks=("<!DOCTYPE html>",), headers={"content-type": "text/html"}), Malformed),
        (json_answer({"cut": 1}, ended="cut", chunks=('{"models": [',)), Malformed),
        (json_answer({}, chunks=("[" * 100_000,)), Malformed),
        (closes(), Cut),
        (hangs(), TimedOut),
    ],
)
async def test_json_that_does_not_come_is_a_failure_of_ours(upstream, play, kind):
    upstream.plays(play)
    async with far_end(idle_timeout=IDLE if kind is TimedOut else 10) as link:
        with pytest.raises(kind, match=f"^{WHO}"):
            await link.json(Outgoing("GET", f"{upstream.url}/models"))


async def test_a_body_without_an_end_is_read_up_to_the_bound(upstream):
    upstream.plays(Play(status=500, chunks=(forever(b"x" * 65536),)))
    async with far_end() as link, link.open(post(upstream.url)) as incoming:
        assert len(await incoming.body()) == LONGEST_BODY
    await assert_left(upstream.exchanges[0])


@pytest.mark.parametrize("ended", ["cut", "reset", "open"])
async def test_of_a_refusal_what_comes_is_enough(upstream, ended):
    upstream.plays(Play(status=503, chunks=('{"message":', '"busy'), ended=ended))
    async with far_end(idle_timeout=IDLE) as link, link.open(post(upstream.url)) as incoming:
        assert await incoming.body() == b'{"message":"busy'


# How it fails


SILENT = f"{WHO} fell silent: nothing came for {IDLE} seconds."
UNREADABLE = f"{WHO} closed the connection without an answer that can be read."
BROKEN_OFF = f"{WHO} broke the answer off before its end."
HELLO = b'0:"Hello"\n'
LYING = Play(headers={"content-length": "99"}, chunks=(HELLO,), ended="cut")
BADLY_PACKED = Play(headers={"content-encoding": "gzip"}, chunks=(b"this is no gzip",))


@pytest.mark.parametrize(
    ("play", "came", "kind", "status", "sentence"),
    [
        pytest.param(hangs(), b"", TimedOut, 504, SILENT, id="silence before the head"),
        pytest.param(Play(ended="open"), b"", TimedOut, 504, SILENT, id="silence before the first piece"),
        pytest.param(
            data_lines("Hello", ended="open"), HELLO, TimedOut, 504, SILENT, id="silence in the middle"
        ),
        pytest.param(closes(), b"", Cut, 502, UNREADABLE, id="closed before the head"),
        pytest.param(resets(), b"", Cut, 502, UNREADABLE, id="reset before the head"),
        pytest.param(garbage(), b"", Cut, 502, UNREADABLE, id="not HTTP"),
        pytest.param(garbage(b"HTTP/1.1 200 OK\r\nA: b\r\n"), b"", Cut, 502, UNREADABLE, id="cut in the head"),
        pytest.param(Play(ended="cut"), b"", Cut, 502, BROKEN_OFF, id="cut before the first piece"),
        pytest.param(Play(ended="reset"), b"", Cut, 502, BROKEN_OFF, id="reset before the first piece"),
        pytest.param(data_lines("Hello", ended="cut"), HELLO, Cut, 502, BROKEN_OFF, id="cut in the middle"),
        pytest.param(data_lines("Hello", ended="reset"), HELLO, Cut, 502, BROKEN_OFF, id="reset in the middle"),
        pytest.param(LYING, HELLO, Cut, 502, BROKEN_OFF, id="shorter than its length"),
        pytest.param(
            BADLY_PACKED, b"", Malformed, 502, f"{WHO} sent a body that cannot be unpacked.", id="gzip"
        ),
    ],
)
async def test_a_failure_is_told_by_its_stage(upstream, play, came, kind, status, sentence):
    upstream.plays(play)
    body, error = await read(upstream.url, idle_timeout=IDLE if kind is TimedOut else 10)
    assert (body, type(error), error.status, error.sentence) == (came, kind, status, sentence)
    assert error.advice
    assert isinstance(error.__cause__, httpx.HTTPError)


async def test_nobody_there():
    with refusing() as url:
        _, error = await read(url)
    assert (type(error), error.status) == (NoConnection, 502)
    assert isinstance(error.__cause__, httpx.ConnectError)


async def test_a_connection_that_is_never_made():
    with unreachable() as url:
        _, error = await read(url, connect_timeout=0.2)
    assert (type(error), error.status) == (TimedOut, 504)
    assert error.sentence == f"{WHO} could not be reached within 0.2 seconds."


@pytest.mark.parametrize("url", ["http://host:port", "http://", "gopher://host"])
async def test_an_address_that_is_none(url):
    _, error = await read(url)
    assert type(error) is NoConnection


# Nothing goes where it should not


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(upstream, status):
    upstream.plays(redirect(f"{upstream.url}/elsewhere", status))
    async with far_end() as link:
        request = post(upstream.url, headers={"Cookie": f"neptun-session={SECRET}"})
        async with link.open(request) as incoming:
            assert incoming.status == status
            await incoming.body()
    assert [request.path for request in upstream.requests] == ["/chat"]


async def test_a_cookie_that_an_answer_sets_goes_nowhere(upstream):
    answers = [
        recording("invalid_cookie"),
        recording("no_cookie", headers={"set-cookie": "neptun-session=new; Domain=127.0.0.1"}),
        data_lines("Hello"),
    ]
    upstream.plays(*answers)
    async with far_end() as link:
        for cookie in ("first", "second", None):
            headers = {"Cookie": f"neptun-session={cookie}"} if cookie else {}
            async with link.open(post(upstream.url, headers=headers)) as incoming:
                await incoming.body()
    sent = [request.header("cookie") for request in upstream.requests]
    assert sent == ["neptun-session=first", "neptun-session=second", None]


# Leaving


async def cancelled_task(url: str, play: Play, upstream: Upstream) -> Exchange:
    task = asyncio.create_task(read(url, idle_timeout=30))
    exchange = await reached(upstream, play)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return exchange


async def cancelled_scope(url: str, play: Play, upstream: Upstream) -> Exchange:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: read(url, idle_timeout=30))
        exchange = await reached(upstream, play)
        tasks.cancel_scope.cancel()
    return exchange


async def timed_out(url: str, play: Play, upstream: Upstream) -> Exchange:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(IDLE):
            await read(url, idle_timeout=30)
    return await reached(upstream, play)


async def reached(upstream: Upstream, play: Play) -> Exchange:
    exchange = await seen(upstream)
    if play.head:
        assert await asyncio.to_thread(exchange.begun.wait, 1)
    return exchange


@pytest.mark.parametrize("leave", [cancelled_task, cancelled_scope, timed_out])
@pytest.mark.parametrize(
    "play",
    [
        pytest.param(hangs(), id="before the head"),
        pytest.param(Play(ended="open"), id="before the first piece"),
        pytest.param(data_lines("Hello", ended="open"), id="in the middle, silent"),
        pytest.param(Play(chunks=(forever(HELLO),), gap=0.01), id="in the middle, talking"),
    ],
)
async def test_whoever_leaves_closes_the_connection(upstream, leave, play):
    upstream.plays(play)
    await assert_left(await leave(upstream.url, play, upstream))


async def test_leaving_ends_an_attempt_to_connect():
    with unreachable() as url, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await read(url, connect_timeout=30)


async def test_closing_the_pieces_and_the_context_closes_the_connection(upstream):
    upstream.plays(data_lines("Hello", ended="open"))
    async with far_end(idle_timeout=30) as link:
        async with link.open(post(upstream.url)) as incoming, aclosing(incoming.pieces()) as pieces:
            await anext(pieces)
        await assert_left(await seen(upstream))


async def test_an_exception_of_the_reader_closes_the_connection(upstream):
    upstream.plays(data_lines("Hello", ended="open"))
    async with far_end(idle_timeout=30) as link:
        with pytest.raises(ZeroDivisionError):
            async with link.open(post(upstream.url)):
                raise ZeroDivisionError
        await assert_left(await seen(upstream))


# Secrets


SHOWN = {SECRET: "NEPTUN_SESSION"}


def secretly(url: str, body: bytes = b"{}") -> Outgoing:
    return Outgoing(
        "POST",
        f"{url}/accounts/{SECRET}/chat",
        headers={"Cookie": f"neptun-session={SECRET}", "X-Other": "seen"},
        body=body,
        secrets=SHOWN,
    )


async def watched(upstream: Upstream, play: Play, body: bytes = b"{}") -> Wire:
    upstream.plays(play)
    wire = Wire()
    async with far_end() as link, link.open(secretly(upstream.url, body), wire) as incoming:
        await incoming.body()
    return wire


async def test_a_watch_sees_the_request_with_names_for_secrets(upstream):
    wire = await watched(upstream, data_lines("Hello"), f'{{"content":"my cookie is {SECRET}"}}'.encode())
    ((method, url, headers, body),) = wire.requests
    assert (method, url) == ("POST", f"{upstream.url}/accounts/$NEPTUN_SESSION/chat")
    assert headers["Cookie"] == "neptun-session=$NEPTUN_SESSION"
    assert body == b'{"content":"my cookie is $NEPTUN_SESSION"}'
    sent = upstream.requests[0]
    assert SECRET in sent.target
    assert SECRET in sent.header("cookie")
    assert SECRET.encode() in sent.body
    # What is shown is what was sent, also what httpx added.
    assert {name: value.replace(SECRET, "$NEPTUN_SESSION") for name, value in sent.headers} == headers


async def test_a_watch_sees_the_answer_without_its_cookies(upstream):
    headers = (
        ("set-cookie", "neptun-session=new"),
        ("set-cookie", "other=new"),
        ("x-echo", f"was {SECRET}"),
        ("content-type", "text/plain"),
    )
    wire = await watched(upstream, data_lines("Hello", headers=headers))
    ((status, seen_headers),) = wire.heads
    assert status == 200
    assert seen_headers["set-cookie"] == "…"
    assert seen_headers["x-echo"] == "was $NEPTUN_SESSION"
    assert b"".join(wire.pieces) == HELLO


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_a_secret_is_not_seen_where_pieces_cut_it_in_two(cut):
    """Every cut; the network's own part in this is the next test."""
    from neptun_demo.backends.http import _Discreet

    wire = Wire()
    discreet = _Discreet(wire, secretly("http://x"))
    echo = f"ab Fe {SECRET}{SECRET} Fe26.2*é".encode()
    for piece in (echo[: 6 + cut], echo[6 + cut :]):
        discreet.piece(piece)
    discreet.end()
    assert b"".join(wire.pieces).decode() == "ab Fe $NEPTUN_SESSION$NEPTUN_SESSION Fe26.2*é"


async def test_a_secret_is_not_seen_when_it_comes_in_many_pieces(upstream):
    echo = f"no session {SECRET}, sorry, Fe2"
    wire = await watched(upstream, Play(status=401, chunks=tuple(echo), gap=0.002))
    assert b"".join(wire.pieces) == b"no session $NEPTUN_SESSION, sorry, Fe2"
    assert len(wire.pieces) > 10


@pytest.mark.parametrize("play", [hangs(), closes(), data_lines("Hello", ended="cut"), garbage()])
async def test_no_failure_tells_a_secret(upstream, play, caplog):
    caplog.set_level(logging.DEBUG)
    upstream.plays(play)
    request = secretly(upstream.url)
    _, error = await read(request, idle_timeout=IDLE)
    assert SECRET not in words_of(error)
    assert SECRET not in repr(request)
    assert SECRET not in caplog.text


async def test_no_log_tells_an_address_or_a_session(upstream, caplog):
    caplog.set_level(logging.DEBUG)
    await watched(upstream, data_lines("Hello", headers={"set-cookie": "neptun-session=new"}))
    assert SECRET not in caplog.text
    assert "neptun-session" not in caplog.text


def test_a_longer_secret_that_holds_a_shorter_one_is_shown_by_its_own_name():
    request = Outgoing("GET", "", secrets={"acc": "ACCOUNT", "token-of-acc": "TOKEN"})
    assert request.shown("acc token-of-acc") == "$ACCOUNT $TOKEN"


# The far end's words


QUOTES = {
    "Too many requests.": "Too many requests",
    "  two\n\nlines\tand\x00more ": "two lines and more",
    "right\u202eleft": "right left",
    "<!DOCTYPE html><p>500": "",
    "  <html>": "",
    "": "",
    "a < b": "a < b",
    f"no session {SECRET} here": "no session $NAME here",
    "x" * LONGEST_QUOTE: "x" * LONGEST_QUOTE,
    "x" * (LONGEST_QUOTE + 1): "x" * LONGEST_QUOTE + "…",
    "x" * (LONGEST_QUOTE - 5) + SECRET: "x" * (LONGEST_QUOTE - 5) + "$NAME",
}


async def test_the_far_ends_words_are_one_short_line_without_secrets(upstream):
    quotes = await answered(
        upstream, Play(), lambda incoming: {words: incoming.quoted(words) for words in QUOTES}
    )
    assert quotes == QUOTES


async def test_what_a_far_end_reports_is_told_in_its_name(upstream):
    error = await answered(upstream, Play(), lambda incoming: incoming.reported(f"no {SECRET}."))
    assert error.sentence == f"{WHO} reported an error in the middle of its answer: no $NAME."
    assert (error.words, error.status) == ("no $NAME", 502)
    error = await answered(upstream, Play(), lambda incoming: incoming.reported(""))
    assert error.sentence == f"{WHO} reported an error in the middle of its answer, and did not say which."


@pytest.mark.parametrize(
    ("header", "wait", "advice"),
    [
        ("7", 7.0, "Rest. It asks to wait 7 seconds."),
        ("3600", 3600.0, "Rest. It asks to wait 60 minutes."),
        ("soon", None, "Rest."),
        (None, None, "Rest."),
    ],
)
async def test_a_wait_that_is_asked_for_is_part_of_the_advice(upstream, header, wait, advice):
    play = Play(status=429, headers={"retry-after": header} if header else {})
    error = await answered(upstream, play, lambda incoming: incoming.rejected("No.", "Rest.", status=503))
    assert (error.retry_after, error.advice) == (wait, advice)
    assert (error.status, error.upstream_status) == (503, 429)
