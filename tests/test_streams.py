"""Decoding: the vectors, each trap by its name, and every cut."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from neptun_demo.errors import Cut, Malformed, PlaygroundError, Reported, TimedOut
from neptun_demo.streams import LONGEST_UNIT, UNKNOWN, Event, Finish, Protocol, Text, Thinking, Usage, decode
from neptun_demo.streams.ending import FAR_END
from neptun_demo.streams.units import Units

SSE = {"content-type": "text/event-stream"}
PLAIN = {"content-type": "text/plain; charset=utf-8"}
OPENAI_USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_bytes())


@dataclass
class Read:
    """What came out of one body."""

    events: list[Event] = field(default_factory=list)
    failure: PlaygroundError | None = None

    def joined(self, kind: type[Text | Thinking]) -> str:
        return "".join(event.text for event in self.events if isinstance(event, kind))

    @property
    def text(self) -> str:
        return self.joined(Text)

    @property
    def thinking(self) -> str:
        return self.joined(Thinking)

    @property
    def usages(self) -> list[Usage]:
        return [event for event in self.events if isinstance(event, Usage)]

    @property
    def reason(self) -> str | None:
        """The reason for the end, after a look at where it stands."""
        ends = [at for at, event in enumerate(self.events) if isinstance(event, Finish)]
        assert ends in ([], [len(self.events) - 1])
        return self.events[-1].reason if ends else None

    @property
    def end(self) -> type | str | None:
        """How it ended: the kind of the failure, else the reason."""
        return type(self.failure) if self.failure else self.reason

    @property
    def whole(self) -> tuple[Any, ...]:
        """All that may not depend on how the body was cut into chunks."""
        return self.text, self.thinking, self.usages, self.reason, type(self.failure), str(self.failure)


async def collected(events: AsyncIterator[Event]) -> Read:
    read = Read()
    try:
        async for event in events:
            assert not isinstance(event, Text | Thinking) or event.text.encode()  # never empty, never half
            read.events.append(event)
    except PlaygroundError as failure:
        read.failure = failure
    return read


async def arriving(chunks: Iterable[bytes], broken: Exception | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if broken:
        raise broken


def read(
    *chunks: bytes,
    headers: Mapping[str, str] = SSE,
    protocol: Protocol | None = None,
    broken: Exception | None = None,
) -> Read:
    return asyncio.run(collected(decode(arriving(chunks, broken), headers, protocol=protocol)))


def reads(bodies: Iterable[Iterable[bytes]], headers: Mapping[str, str] = SSE) -> list[Read]:
    """Many bodies, in one event loop."""

    async def all_of_them() -> list[Read]:
        return [await collected(decode(arriving(chunks), headers)) for chunks in bodies]

    return asyncio.run(all_of_them())


def single_bytes(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def halves(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every cut in two."""
    return ((body[:at], body[at:]) for at in range(len(body) + 1))


def at_random(body: bytes, seed: int) -> list[bytes]:
    dice = random.Random(seed)  # noqa: S311 - the same cuts in every run
    cuts = sorted(dice.sample(range(len(body) + 1), min(len(body), 9)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def sse(*payloads: object) -> bytes:
    return b"".join(f"data: {json.dumps(payload)}\n\n".encode() for payload in payloads)


def chunk(delta: object, reason: str | None = None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


# The vectors


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    given = [base64.b64decode(part) for part in vector["chunks_b64"]]
    body = b"".join(given)
    ways = [given, [body], single_bytes(body), *(at_random(body, seed) for seed in range(5))]
    if len(body) < 1000:
        ways += halves(body)
    headers = {"content-type": vector["content_type"]} if vector["content_type"] else {}
    kinds = {None: type(None), "truncated": Cut, "malformed": Malformed}
    for answer in reads(ways, headers):
        assert answer.text == vector["expect_text"]
        assert type(answer.failure) is kinds.get(vector["expect_error"], Reported)
        if isinstance(answer.failure, Reported):
            assert vector["expect_error"] in answer.failure.words
        unnamed = None if answer.failure else UNKNOWN
        assert answer.reason == (vector["expect_finish"] or unnamed)


# Several failures, and a source that fails


def test_what_the_far_end_reports_comes_before_a_cut_and_a_malformed_unit() -> None:
    assert read(b'0:"a"\n0:b\n3:"boom"\n0:"c').end is Reported
    assert read(b'0:"a"\n0:b\n0:"c').end is Cut
    assert read(b'0:"a"\n3:"boom"\n', broken=Cut("The reply broke off.")).end is Reported


@pytest.mark.parametrize("failure", [Cut("The reply broke off."), TimedOut("The far end fell silent.")])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (sse({"response": "a"}), "a"),
        (b'data: {"response":"a"}\n\ndata: {"response":"b"}', "ab"),
        (b'data: {"response":"a"}\n\ndata: {"respon', "a"),
        (b'data: {"response":"a"}\n\ndata: {"respon}\n\ndata: {"response":"b"}\n\n', "ab"),
        (b'0:"a"\n0:"b"', "ab"),
        (b'0:"a"\n0:"b', "a"),
        (b'0:"a\\ud83d"\n', "a"),
        (b"plain te", "plain te"),
        (b"plain \xf0\x9f", "plain "),
        (b"dat", ""),
        (b"", ""),
    ],
)
def test_a_broken_source_keeps_the_good_text(failure: PlaygroundError, body: bytes, text: str) -> None:
    for chunks in ([body], single_bytes(body)):
        answer = read(*chunks, broken=failure)
        assert (answer.text, answer.reason) == (text, None)
        assert answer.failure is failure


def test_a_broken_source_after_the_reason() -> None:
    answer = read(sse(chunk({"content": "a"}, "stop")), broken=Cut("The reply broke off."))
    assert (answer.text, answer.reason, type(answer.failure)) == ("a", "stop", Cut)


def test_after_done_nothing_can_fail() -> None:
    done = sse({"response": "a"}) + b"data: [DONE]\n\n"
    too_long = b"x" * (LONGEST_UNIT + 1)
    for chunks in ([done, b"data: {"], [done + too_long], [done, too_long]):
        answer = read(*chunks, broken=Cut("The reply broke off."))
        assert (answer.text, answer.end) == ("a", UNKNOWN)


def test_a_total_after_done_counts() -> None:
    late = sse({"response": "", "usage": OPENAI_USAGE}) + b"data: [DONE]\n\n"
    for chunks in ([late], single_bytes(late)):
        answer = read(sse(chunk({"content": "a"}, "stop")) + b"data: [DONE]\n\n", *chunks)
        assert (answer.text, answer.usages, answer.end) == ("a", [Usage(3, 4)], "stop")


def test_after_done_a_silent_far_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptun_demo.streams.decoding.AFTER_DONE", 0.01)

    async def never_ending() -> AsyncIterator[bytes]:
        yield sse({"response": "a"}) + b"data: [DONE]\n\n"
        await asyncio.Event().wait()

    answer = asyncio.run(collected(decode(never_ending(), SSE)))
    assert (answer.text, answer.end) == ("a", UNKNOWN)


def test_an_error_of_another_kind_goes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        read(b'0:"a"\n', broken=ZeroDivisionError())


# As early as possible


@pytest.mark.parametrize(
    ("first", "text"),
    [
        (b'0:"a"\n', "a"),
        (b'data: {"response":"a"}\n\n', "a"),
        (b'data: {"response":"a"}\r\r', "a"),
        (b'data: {"response":"a"}\r\n\r', "a"),
        (b"Hello", "Hello"),
        (b"databa", "databa"),
        (b"0:30 h", "0:30 h"),
        (b"\xe2\x82\xacx\xe2", "€x"),
        (b'0:"a\\ud83d"\n', "a"),
    ],
)
def test_text_is_not_held_back(first: bytes, text: str) -> None:
    async def so_far() -> str:
        seen = ""

        async def silent() -> AsyncIterator[bytes]:
            yield first
            raise EOFError

        with suppress(EOFError):
            async for event in decode(silent(), SSE):
                assert isinstance(event, Text)
                seen += event.text
        return seen

    assert asyncio.run(so_far()) == text


# Telling protocols apart


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        (PLAIN, b'0:"a"\n', "a"),
        ({}, b'0:"a"\n', "a"),
        ({"Content-Type": "application/octet-stream"}, b'g:"t"\n0:"a"\n', "a"),
        (SSE, b'0:"a"\n', "a"),
        (PLAIN, b'd:{"finishReason":"stop"}\n', ""),
        (PLAIN, b"0:6\n", "6"),
        (PLAIN, b"0:-1\n", "-1"),
        (PLAIN, b"0:true\r\n", "true"),
        (PLAIN, b"0:6", "0:6"),
        (PLAIN, b"0:30 h\n", "0:30 h\n"),
        (PLAIN, b"0:1.2.3\n", "0:1.2.3\n"),
        (PLAIN, b"0:trust\n", "0:trust\n"),
        (PLAIN, b"0:" + b"1" * 99 + b"\n", "0:" + "1" * 99 + "\n"),
        (PLAIN, b"1: first", "1: first"),
        (PLAIN, b"a: b", "a: b"),
        (PLAIN, b"0 is", "0 is"),
        (PLAIN, b'1:"x"\n', '1:"x"\n'),
        (PLAIN, b"0", "0"),
        (PLAIN, b"0:", "0:"),
        (PLAIN, b"3:[a]", "3:[a]"),
        (PLAIN, b'data:{"response":"a"}\n\n', "a"),
        (PLAIN, b'data: "a"\n\n', "a"),
        (PLAIN, b"event: x\ndata: a\n\n", "a"),
        (PLAIN, b"data: sqlite", "data: sqlite"),
        (PLAIN, b"data: ", "data: "),
        (PLAIN, b":) hi", ":) hi"),
        (PLAIN, b"id: 1", "id: 1"),
        (SSE, b"data\n\ndata: a\n\n", "a"),
        (SSE, b": hi\n\ndata: a\n\n", "a"),
        (SSE, b"id: 1\n\ndata: a\n\n", "a"),
        (SSE, b"retry\r\rdata: a\n\n", "a"),
        (SSE, b"database", "database"),
        (SSE, b"data", "data"),
        (SSE, b"re", "re"),
        ({"CONTENT-TYPE": "Text/Event-Stream; charset=iso-8859-1"}, "data: é\n\n".encode(), "é"),
        ({"X-Vercel-AI-Data-Stream": "v1"}, b'0: "a"\n', "a"),
        ({"X-VERCEL-AI-UI-MESSAGE-STREAM": "v1"}, b": stream-open\n\ndata: a\n\n", "a"),
        ({"x-vercel-ai-ui-message-stream": "v1"}, b"\xef\xbb\xbfdata: a\n\n", "a"),
        (PLAIN, b"\n" * 2000 + b'0:"a"\n', "\n" * 2000 + '0:"a"\n'),
        (PLAIN, b"\n" * 200 + b'0:"a"\n', "a"),
        (PLAIN, b"\n\nText", "\n\nText"),
        (PLAIN, b"\xef\xbb", "\ufffd"),
        (PLAIN, b"\xef\xbb\xbf", ""),
        (PLAIN, b"", ""),
    ],
)
def test_the_first_bytes_decide(headers: dict[str, str], body: bytes, text: str) -> None:
    for answer in reads([[body], [b"", *single_bytes(body), b""]], headers):
        assert (answer.text, answer.failure) == (text, None)


@pytest.mark.parametrize("protocol", ["text", "data", "sse"])
def test_a_caller_who_knows_the_protocol(protocol: Protocol) -> None:
    body = {"text": b'0:"x"', "data": b'0: "x"\n', "sse": b": \n\ndata: x\n\n"}[protocol]
    shown = {"text": '0:"x"', "data": "x", "sse": "x"}[protocol]
    for chunks in ([body], single_bytes(b"\xef\xbb\xbf" + body)):
        assert read(*chunks, headers=PLAIN, protocol=protocol).text == shown


# Thinking and usage


def test_thinking_is_read_under_one_of_its_names() -> None:
    answer = read(
        sse(
            chunk({"reasoning_content": "a", "reasoning": "a"}),
            chunk({"reasoning": "b", "reasoning_content": None}),
            chunk({"reasoning_content": "c", "content": "A"}),
            chunk({"reasoning_content": "", "reasoning": "d", "content": None}),
            chunk({"reasoning": 1, "reasoning_content": {}}),
            {"type": "reasoning-delta", "id": "r", "delta": "e"},
        )
    )
    assert (answer.thinking, answer.text) == ("abcd1e", "A")


def test_thinking_comes_before_the_text_of_its_event() -> None:
    kinds = [type(event) for event in read(sse(chunk({"content": "A", "reasoning": "t"}))).events]
    assert kinds == [Thinking, Text, Finish]


def test_thinking_in_data_lines() -> None:
    answer = read(b'g:"th\\ud83d"\n0:"a"\ng:"\\ude00"\n')
    assert (answer.thinking, answer.text) == ("th😀", "a")


def test_usage_is_never_added_up() -> None:
    answer = read(
        sse(
            chunk({"content": "a"}, usage={"prompt_tokens": 9, "completion_tokens": 1}),
            chunk({"content": "b"}, "stop", usage={"prompt_tokens": 9, "completion_tokens": 1}),
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
            {
                "response": "",
                "usage": {
                    "prompt_tokens": 147,
                    "completion_tokens": 16,
                    "prompt_tokens_details": {"cached_tokens": 5},
                    "neurons": 1.77,
                },
            },
        )
    )
    assert answer.usages == [Usage(9, 1), Usage(9, 1), Usage(9, 2), Usage(147, 16, 5, 1.77)]
    assert (answer.text, answer.reason) == ("ab", "stop")


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        ({"promptTokens": 3, "completionTokens": None}, [Usage(3, None)]),
        ({"promptTokens": None, "completionTokens": None}, []),
        ({"prompt_tokens": True, "completion_tokens": 2}, [Usage(None, 2)]),
        ({"prompt_tokens": -1, "completion_tokens": "2"}, []),
        ({"prompt_tokens": 2.0, "neurons": 0}, [Usage(2, neurons=0)]),
        ({"prompt_tokens": 1, "prompt_tokens_details": None}, [Usage(1)]),
        ({"inputTokens": 1, "outputTokens": 2, "cachedInputTokens": 3}, [Usage(1, 2, 3)]),
        (None, []),
        ([], []),
    ],
)
def test_usage_in_every_spelling(counted: object, usage: list[Usage]) -> None:
    bodies = [
        [sse({"response": "", "usage": counted})],
        [sse({"type": "finish", "messageMetadata": {"usage": counted}})],
        [f"d:{json.dumps({'usage': counted})}\n".encode()],
    ]
    for answer in reads(bodies):
        assert [one.prompt_tokens for one in answer.usages] == pytest.approx(
            [one.prompt_tokens for one in usage]
        )
        if usage != [Usage(10**30)]:
            assert answer.usages == usage
        assert answer.failure is None


# Every byte

WORKERS_AI = (
    sse({"response": "", "tool_calls": [], "p": "abdefghij"}, {"response": "Ho 😀"})
    + b'data: {"response":3}\n\ndata: {"response":1.50}\n\n'
    + sse(
        chunk({"content": "", "reasoning_content": None, "role": "assistant"}, usage=OPENAI_USAGE, p="x"),
        chunk({"content": " \ud83d", "reasoning": "th"}),
        chunk({"content": "\ude00", "reasoning_content": "ink"}),
        chunk({}, "stop"),
        {"choices": [], "usage": OPENAI_USAGE},
        {"response": "", "usage": {**OPENAI_USAGE, "neurons": 1.77}},
    )
    + b"data: [DONE]\n\n"
)
OPENAI = sse(chunk({"content": "é"}), chunk({"content": "日本"}), chunk({}, "length")).replace(b"\n", b"\r\n")
DATA = (
    'f:{"messageId":"m"}\ng:"think"\n0:"é\u2028x"\n0:"\\ud83d"\n2:[1]\n0:"\\ude00"\n0:"日本"\n'
    'e:{"finishReason":"stop","usage":{"promptTokens":3,"completionTokens":5}}\n'
    'd:{"finishReason":"stop","usage":{"promptTokens":3,"completionTokens":5}}\n'
).encode()
UI = (
    sse(
        {"type": "start"},
        {"type": "reasoning-delta", "id": "r", "delta": "think"},
        {"type": "text-delta", "id": "t", "delta": "é 😀"},
        {"type": "text-delta", "id": "t", "delta": "!"},
        {"type": "finish", "finishReason": "stop", "messageMetadata": {"usage": {"inputTokens": 3}}},
    )
    + b"data: [DONE]\n\n"
)
BODIES = {"workers ai": WORKERS_AI, "openai": OPENAI, "data": DATA, "ui": UI}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_chunks_may_be_cut_at_every_byte(body: bytes) -> None:
    whole = read(body).whole
    sizes = ([body[at : at + size] for at in range(0, len(body), size)] for size in range(1, 40))
    assert all(answer.whole == whole for answer in reads([*halves(body), *sizes]))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_may_end_at_every_byte(body: bytes) -> None:
    """A prefix gives a prefix of the text; it is complete where a unit is, and cut everywhere else."""
    text = read(body).text
    ends = {line.end() for line in re.finditer(rb"[^\r\n]+", body)}
    decided = range(6, len(body) + 1)
    for size, answer in zip(decided, reads([body[:size]] for size in decided), strict=True):
        assert text.startswith(answer.text.removesuffix("\ufffd"))
        complete = len(body[:size].rstrip(b"\r\n")) in ends
        assert answer.failure is None if complete else type(answer.failure) is Cut, body[:size][-30:]


# Long units


class Counted(bytes):
    """A chunk that counts the bytes that are searched in it."""

    searched = 0

    def split(self, *arguments: Any) -> list[bytes]:
        Counted.searched += len(self)
        return super().split(*arguments)


@pytest.mark.parametrize("end", [b"\n", b"\n\n"])
def test_a_long_unit_costs_linear_time(end: bytes) -> None:
    """Each byte is searched once, in its own chunk, and what was searched is not copied to a new place."""
    units, chunks = Units(end, FAR_END), 5000
    held = units._held
    Counted.searched = 0
    for _ in range(chunks):
        assert list(units.feed(Counted(b"x" * 100))) == []
        assert units._held is held  # grown in place
        assert len(held) % 100 == 0
    again = chunks * (len(end) - 1)  # the last bytes go before the next chunk: they may begin an end
    assert Counted.searched <= chunks * 100 + again
    assert list(units.feed(end)) == [b"x" * 100 * chunks]
    assert units.rest() == b""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'0:"a"\n0:"', b'"\n0:"b"\n'),
        (b'data: {"response":"a"}\n\ndata: {"response":"', b'"}\n\ndata: {"response":"b"}\n\n'),
    ],
)
def test_the_longest_unit(before: bytes, after: bytes) -> None:
    begun, ended = before.rpartition(b"\n")[2], after.partition(b"\n")[0]
    room = LONGEST_UNIT - len(begun) - len(ended)
    for size, text in ((room, "a" + "x" * room + "b"), (room + 1, "a")):
        body = before + b"x" * size + after
        for step in (len(body), 65536, LONGEST_UNIT - 1):
            answer = read(*(body[at : at + step] for at in range(0, len(body), step)))
            assert (answer.text, answer.end) == (text, Malformed if size > room else UNKNOWN)


@pytest.mark.parametrize("end", [b"\n", b"\n\n"])
@pytest.mark.parametrize("size", [9, 10, 11])
def test_the_bound_is_exact_however_a_unit_is_cut(end: bytes, size: int) -> None:
    body = b"ab" + end + b"x" * size + end + b"c" + end
    for chunks in (*halves(body), single_bytes(body)):
        units, given = Units(end, FAR_END, longest=10), list[bytes]()
        with pytest.raises(Malformed) if size > 10 else nullcontext():
            for part in chunks:
                given.extend(units.feed(part))
        assert given == ([b"ab"] if size > 10 else [b"ab", b"x" * size, b"c"])


def test_a_unit_without_end_is_not_read_to_its_end() -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        yield b'0:"a"\n0:"'
        while True:
            asked += 1
            yield b"x" * 1_000_000

    answer = asyncio.run(collected(decode(endless())))
    assert (answer.text, answer.end, asked) == ("a", Malformed, 9)


def test_raw_text_has_no_units() -> None:
    size = LONGEST_UNIT + 1000
    answer = read(b"x" * size, headers=PLAIN)
    assert (len(answer.text), answer.end) == (size, UNKNOWN)
