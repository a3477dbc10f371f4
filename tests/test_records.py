"""What is kept of an answer: what went over the wire, what was made of it, and no more than the bounds say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import pytest
from upstream import Gate, Play, Upstream, data_lines, json_answer, recording, sse

from neptun_demo.access import Access, Budget
from neptun_demo.access import Gate as Doorkeeper
from neptun_demo.answer import Start
from neptun_demo.backends import Retry, connect
from neptun_demo.backends.offline import Offline
from neptun_demo.catalogue import Catalogue
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message
from neptun_demo.errors import Cut, PlaygroundError
from neptun_demo.settings import load
from neptun_demo.streams import Finish, Text, Thinking, Usage
from neptun_demo.ui.inspector import records as bounds
from neptun_demo.ui.inspector.records import Piece, Record, Records

pytestmark = pytest.mark.anyio

HOST = {"NEPTUN_SESSION": "the-hosts-own-session", "CLOUDFLARE_ACCOUNT_ID": "the-hosts-account-id"}
TOKEN = {"CLOUDFLARE_API_TOKEN": "the-hosts-own-token"}
HI = [Message(role="user", content="Hi")]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def chat(url: str) -> Any:
    """A chat with real back ends, all of them at *url*; what is shown of the guide comes at once."""
    bases = {"NEPTUN_BASE_URL": url, "CLOUDFLARE_BASE_URL": url, "PLAYGROUND_IDLE_TIMEOUT": "1"}
    settings = load({**HOST, **TOKEN, **bases, "PLAYGROUND_OPEN": "true"})
    connections = connect(settings)
    doorkeeper = Doorkeeper(connections.key, connections.host, open_to_visitors=True)
    backends = {**connections.backends, "offline": Offline(pace=0)}
    try:
        yield Chat(settings, Catalogue(), backends, doorkeeper, Budget(100, 8))
    finally:
        await connections.aclose()


async def recorded(
    upstream: Upstream, *plays: Play, backend: str = "neptun", messages: list[Message] = HI, **more: Any
) -> Record:
    """The record of one answer, to its end."""
    if plays:
        upstream.plays(*plays)
    record, options = Record("a1"), Options(backend=backend, **more)
    async with chat(upstream.url) as asked:
        record.asked(messages, options)
        reply = asked.reply(messages, options, Access("page", ""), record)
        with suppress(PlaygroundError):
            async for _ in record.follow(reply):
                pass
    return record


def made(record: Record) -> list[tuple[bytes, list[Any]]]:
    return [(piece.data, piece.made) for attempt in record.attempts for piece in attempt.pieces.kept]


# One answer


async def test_the_request_is_kept_as_it_was_sent(upstream):
    record = await recorded(upstream, data_lines("Yes."))
    (attempt,) = record.attempts
    arrived = upstream.arrived().request
    assert attempt.method == "POST"
    assert attempt.url == f"{upstream.url}{arrived.target}"
    assert attempt.body == arrived.body
    assert attempt.body_size == len(arrived.body)
    assert attempt.headers == {**dict(arrived.headers), "Cookie": "neptun-session=$NEPTUN_SESSION"}
    assert record.messages == HI
    assert record.start == Start(model="cloudflare/llama-3.3-70b-instruct-fp8-fast", backend="neptun")


async def test_each_piece_knows_what_it_was_decoded_to(upstream):
    gates = Gate(), Gate()
    upstream.plays(data_lines(chunks=('0:"One"\n0:" two"\n0:"', gates[0], ' three"\n', gates[1], '0:"."\n')))
    record = Record("a1")
    async with (
        chat(upstream.url) as asked,
        aclosing(
            record.follow(asked.reply(HI, Options(backend="neptun"), Access("page", ""), record))
        ) as reply,
    ):
        async for event in reply:
            if event == Text(" two"):
                gates[0].open()
            if event == Text(" three"):
                gates[1].open()
    assert made(record) == [
        (b'0:"One"\n0:" two"\n0:"', [Text("One"), Text(" two")]),
        (b' three"\n', [Text(" three")]),
        (b'0:"."\n', [Text(".")]),
    ]
    assert record.outcome == "complete"
    assert record.finish is not None
    times = [piece.at for piece in record.attempts[0].pieces.kept]
    assert 0 < record.attempts[0].at < record.attempts[0].head_at < times[0] < times[1] < times[2]
    assert times[2] <= record.ended_at


async def test_thinking_and_usage_are_a_pieces_too(upstream):
    thinks = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]}
    says = {"choices": [{"index": 0, "delta": {"content": "Yes."}}], "usage": {"prompt_tokens": 3}}
    record = await recorded(upstream, sse(thinks, says), backend="workers-ai", model="gpt-oss-20b")
    events = [event for _, events in made(record) for event in events]
    assert events[:2] == [Thinking("Hm."), Text("Yes.")]
    assert record.usage == Usage(prompt_tokens=3)
    assert "the-hosts" not in repr([record.attempts, record.messages, record.options])
    assert "$CLOUDFLARE_ACCOUNT_ID" in record.attempts[0].url


@pytest.mark.parametrize("name", ["ok_playground", "up_unicode", "up_all_in_one_chunk", "up_u2028"])
async def test_the_pieces_of_a_recorded_answer_are_its_bytes_and_its_text(upstream, name):
    play = recording(name)
    record = await recorded(upstream, play)
    assert b"".join(data for data, _ in made(record)) == "".join(map(str, play.chunks)).encode()
    assert all(isinstance(event, Text) for _, events in made(record) for event in events)
    assert record.attempts[0].status == 200


async def test_a_refusal_is_kept_with_its_head_and_body(upstream):
    record = await recorded(upstream, recording("invalid_cookie"))
    (attempt,) = record.attempts
    assert attempt.status == 401
    assert attempt.answered["set-cookie"] == "…"
    assert b"Unauthorized" in attempt.pieces.kept[0].data
    assert record.outcome == "failed"
    assert "does not accept" in record.failure.sentence


async def test_each_try_is_kept_with_the_reason_for_the_next(upstream):
    busy = json_answer(
        {"message": "Busy."}, 503, headers={"content-type": "application/json", "retry-after": "0"}
    )
    record = await recorded(upstream, busy, data_lines("Yes."))
    assert [attempt.status for attempt in record.attempts] == [503, 200]
    assert record.attempts[0].retry.reason.startswith("The Neptun endpoint answered 503")
    assert record.attempts[0].pieces.kept[0].made == []
    assert record.attempts[1].pieces.kept[0].made == [Text("Yes.")]


async def test_a_cut_answer_keeps_what_came(upstream):
    record = await recorded(upstream, data_lines("So far", ended="cut"))
    assert made(record) == [(b'0:"So far"\n', [Text("So far")])]
    assert isinstance(record.failure, Cut)
    assert record.outcome == "failed"


async def test_the_guide_has_pieces_without_a_wire(upstream):
    record = await recorded(upstream, backend="offline")
    assert record.attempts == []
    assert record.guided.count > 5
    assert all(piece.data == b"" and len(piece.made) == 1 for piece in record.guided.kept)
    assert record.outcome == "complete"
    assert upstream.requests == []


async def test_what_is_refused_before_it_is_sent_is_a_record_too(upstream):
    record = await recorded(upstream, backend="neptun", system="Be kind.")
    assert (record.start, record.attempts, record.outcome) == (None, [], "failed")
    assert "no system prompt" in record.failure.sentence


async def endless() -> AsyncGenerator[Any, None]:
    while True:
        yield Text("more")
        await asyncio.sleep(0)


async def test_whoever_stops_it_closes_it_and_the_record_says_so():
    source, record = endless(), Record("a1")
    async with aclosing(record.follow(source)) as reply:
        await anext(reply)
    assert record.outcome == "stopped"
    with pytest.raises(StopAsyncIteration):  # it was closed
        await anext(source)


async def test_a_fault_of_the_app_is_no_stop():
    async def faulty() -> AsyncGenerator[Any, None]:
        yield Text("one")
        raise ZeroDivisionError

    record = Record("a1")
    with pytest.raises(ZeroDivisionError):
        async for _ in record.follow(faulty()):
            pass
    assert record.outcome == "broken"


async def test_times_are_seconds_after_the_question():
    clock = Clock()
    record = Record("a1", clock=clock)
    clock.now += 1
    record.sent("POST", "http://far.end", {}, b"{}")
    clock.now += 2
    record.headers(200, {})
    clock.now += 3
    record.piece(b"x")
    clock.now += 4
    record.end("complete")
    (attempt,) = record.attempts
    assert (attempt.at, attempt.head_at, attempt.pieces.kept[0].at, record.ended_at) == (1, 3, 6, 10)
    clock.now += 5
    record.end("stopped")
    assert (record.outcome, record.ended_at) == ("complete", 10)


# Bounds


def test_a_body_is_kept_up_to_its_bound_in_whole_characters():
    record = Record("a1")
    record.sent("POST", "http://far.end", {}, ("x" + "é" * bounds.MOST_BODY_BYTES).encode())
    (attempt,) = record.attempts
    assert attempt.body_size == 1 + 2 * bounds.MOST_BODY_BYTES
    assert len(attempt.body) == bounds.MOST_BODY_BYTES - 1
    attempt.body.decode()


def test_pieces_beyond_the_bytes_are_counted(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PIECE_BYTES", 10)
    record = sent()
    for piece in (b"12345", b"1234", b"12", b"3"):
        record.piece(piece)
        record.event(Text(piece.decode()))
    pieces = record.attempts[0].pieces
    # The last would have had room, but what is kept has no holes.
    assert [(piece.data, piece.made) for piece in pieces.kept] == [
        (b"12345", [Text("12345")]),
        (b"1234", [Text("1234")]),
    ]
    assert (pieces.more, pieces.more_bytes, pieces.count, pieces.size) == (2, 3, 4, 12)


def test_pieces_beyond_the_number_are_counted_over_all_tries(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PIECES", 3)
    record = sent()
    for _ in range(2):
        record.piece(b"x")
    record.event(Retry(1, 2, "No."))
    record.sent("POST", "http://far.end", {}, b"")
    for _ in range(2):
        record.piece(b"x")
    assert [(len(attempt.pieces.kept), attempt.pieces.more) for attempt in record.attempts] == [(2, 0), (1, 1)]


def test_the_guides_text_counts_as_bytes(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PIECE_BYTES", 10)
    record = Record("a1")
    for _ in range(3):
        record.event(Text("12345"))
    assert record.guided == bounds.Pieces(
        [Piece(at, b"", [Text("12345")]) for at in (piece.at for piece in record.guided.kept)],
        1,
        0,
        record.guided.last_at,
    )


def test_of_many_tries_the_first_and_the_newest_stay():
    record = Record("a1")
    for number in range(bounds.MOST_ATTEMPTS + 3):
        record.sent("POST", f"http://far.end/{number}", {}, b"")
    assert len(record.attempts) == bounds.MOST_ATTEMPTS
    assert record.attempts[0].url.endswith("/0")
    assert record.attempts[-1].url.endswith(f"/{bounds.MOST_ATTEMPTS + 2}")
    assert record.more_attempts == 3


def test_the_finish_is_no_pieces():
    record = sent()
    record.piece(b"x")
    record.event(Finish("stop"))
    assert record.attempts[0].pieces.kept[0].made == []
    assert (record.finish, record.outcome) == (Finish("stop"), "complete")


# Many answers


def sent(record: Record | None = None, headers: Mapping[str, str] | None = None) -> Record:
    record = record or Record("a1")
    record.sent("POST", "http://far.end", headers or {}, b"{}")
    return record


def test_a_session_finds_its_own_answers_only():
    records = Records()
    one = records.begin("s1", "a1")
    assert records.find("s1", "a1") is one
    assert records.find("s2", "a1") is None
    assert records.find(None, "a1") is None
    assert records.find("", "a1") is None
    assert records.answers("s1") == ["a1"]
    assert records.answers("s2") == []
    records.forget("s1")
    assert records.find("s1", "a1") is None
    records.forget("s1")


def test_without_a_session_nothing_is_kept():
    records = Records()
    assert records.begin(None, "a1").answer == "a1"
    assert records.find(None, "a1") is None


def test_the_newest_answers_of_the_newest_sessions_stay():
    records = Records(per_session=2, most_sessions=2)
    for answer in ("a1", "a2", "a3"):
        records.begin("s1", answer)
    assert records.answers("s1") == ["a2", "a3"]
    records.begin("s2", "b1")
    records.begin("s1", "a4")
    records.begin("s3", "c1")  # s2 asked longest ago
    assert records.answers("s2") == []
    assert records.answers("s1") == ["a3", "a4"]
    assert records.answers("s3") == ["c1"]


def test_all_together_take_no_more_than_the_bound():
    records = Records(most_bytes=5000)
    for session in ("s1", "s2", "s3"):
        for answer in ("a1", "a2"):
            sent(records.begin(session, answer)).piece(bytes(1500))
    assert records.answers("s1") == []
    assert records.answers("s3") == ["a1", "a2"]
    huge = Records(most_bytes=1)
    sent(huge.begin("s1", "a1")).piece(bytes(1500))
    newest = huge.begin("s1", "a2")
    assert huge.find("s1", "a2") is newest
    assert huge.answers("s1") == ["a2"]
