"""Encoding: what stands on each wire, and what a client makes of it. And thinking inside the text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import pairwise

import pytest
from test_streams import Read, collected, read, single_bytes

from neptun_demo.errors import Cut, Malformed, PlaygroundError, Reported
from neptun_demo.streams import (
    UNKNOWN,
    WIRES,
    Event,
    Finish,
    Text,
    Thinking,
    Timing,
    Usage,
    Wire,
    encode_data,
    encode_text,
    encode_ui,
    inline_thinking,
)

ANSWER: list[object] = [
    "an event of another module",
    Thinking("hm"),
    Thinking(" é"),
    Text("a\u2028"),
    Text(""),
    Usage(1, 1),
    Text("😀"),
    Thinking("more"),
    Text("!"),
    Usage(3, 5, 2, 1.5),
    Finish("tool_calls", Timing(0.1, 0.2, 3.0, "tokens")),
]


async def happening(events: Sequence[object], failure: Exception | None = None) -> AsyncIterator[object]:
    for event in events:
        yield event
    if failure:
        raise failure


def written(wire: Wire, events: Sequence[object], failure: Exception | None = None) -> list[bytes]:
    async def pieces() -> list[bytes]:
        return [piece async for piece in wire.encode(happening(events, failure))]

    return asyncio.run(pieces())


def payloads(body: bytes) -> list[dict[str, object]]:
    events = body.decode("ascii").removesuffix("data: [DONE]\n\n").split("\n\n")
    return [json.loads(event.removeprefix("data: ")) for event in events if event]


# The three wires


def test_text_wire() -> None:
    assert written(WIRES["text"], ANSWER) == ["a\u2028".encode(), "😀".encode(), b"!"]


def test_data_wire() -> None:
    assert b"".join(written(WIRES["data"], ANSWER)) == (
        b'g:"hm"\ng:" \\u00e9"\n0:"a\\u2028"\n0:"\\ud83d\\ude00"\ng:"more"\n0:"!"\n'
        b'e:{"finishReason":"tool-calls","usage":{"promptTokens":3,"completionTokens":5},"isContinued":false}\n'
        b'd:{"finishReason":"tool-calls","usage":{"promptTokens":3,"completionTokens":5}}\n'
    )


def test_ui_wire() -> None:
    body = b"".join(written(WIRES["ui"], ANSWER))
    assert body.endswith(b"\n\ndata: [DONE]\n\n")
    usage = {"inputTokens": 3, "outputTokens": 5, "cachedInputTokens": 2, "neurons": 1.5}
    assert payloads(body) == [
        {"type": "start"},
        {"type": "start-step"},
        {"type": "reasoning-start", "id": "1"},
        {"type": "reasoning-delta", "id": "1", "delta": "hm"},
        {"type": "reasoning-delta", "id": "1", "delta": " é"},
        {"type": "reasoning-end", "id": "1"},
        {"type": "text-start", "id": "2"},
        {"type": "text-delta", "id": "2", "delta": "a\u2028"},
        {"type": "text-delta", "id": "2", "delta": "😀"},
        {"type": "text-end", "id": "2"},
        {"type": "reasoning-start", "id": "3"},
        {"type": "reasoning-delta", "id": "3", "delta": "more"},
        {"type": "reasoning-end", "id": "3"},
        {"type": "text-start", "id": "4"},
        {"type": "text-delta", "id": "4", "delta": "!"},
        {"type": "text-end", "id": "4"},
        {"type": "finish-step"},
        {"type": "finish", "finishReason": "tool-calls", "messageMetadata": {"usage": usage}},
    ]


@pytest.mark.parametrize("name", ["data", "ui"])
def test_what_is_written_is_read_again(name: str) -> None:
    wire = WIRES[name]
    pieces = written(wire, ANSWER)
    for chunks in (pieces, [b"".join(pieces)], single_bytes(b"".join(pieces))):
        answer = read(*chunks, headers=wire.headers)
        assert (answer.text, answer.thinking) == ("a\u2028😀!", "hm émore")
        assert (answer.end, answer.usages[-1].prompt_tokens) == ("tool-calls", 3)


def test_wires_are_named_by_their_keys() -> None:
    assert {name: wire.name for name, wire in WIRES.items()} == {"text": "text", "data": "data", "ui": "ui"}
    assert [wire.encode for wire in WIRES.values()] == [encode_text, encode_data, encode_ui]
    for wire in WIRES.values():
        assert wire.headers["Cache-Control"] == "no-cache"
        assert wire.headers["X-Accel-Buffering"] == "no"


def test_what_a_wire_carries() -> None:
    seen = {
        name: [wire.carries(event) for event in (Text("a"), Thinking("t"), Usage(), Finish(), "x")]
        for name, wire in WIRES.items()
    }
    both = [True, True, False, False, False]
    assert seen == {"text": [True, False, False, False, False], "data": both, "ui": both}


@pytest.mark.parametrize(
    ("reason", "data", "ui"),
    [
        ("stop", "stop", "stop"),
        ("length", "length", "length"),
        ("content_filter", "content-filter", "content-filter"),
        ("content-filter", "content-filter", "content-filter"),
        ("function_call", "tool-calls", "tool-calls"),
        ("error", "error", "error"),
        ("abort", "other", "other"),
        ("probably cut at the endpoint's 256 tokens", "other", "other"),
        (UNKNOWN, UNKNOWN, None),
    ],
)
def test_reasons_are_words_of_the_sdk(reason: str, data: str, ui: str | None) -> None:
    end = written(WIRES["data"], [Text("a"), Finish(reason)])[-1]
    assert end == f'e:{{"finishReason":"{data}","isContinued":false}}\nd:{{"finishReason":"{data}"}}\n'.encode()
    finish = payloads(b"".join(written(WIRES["ui"], [Text("a"), Finish(reason)])))[-1]
    assert finish == {"type": "finish"} | ({"finishReason": ui} if ui else {})


# Failures


def test_a_failure_goes_through_the_text_wire() -> None:
    with pytest.raises(Cut):
        written(WIRES["text"], [Text("a")], Cut("The reply broke off.", "Ask again."))


@pytest.mark.parametrize("name", ["data", "ui"])
@pytest.mark.parametrize("before", [[], [Thinking("t")], [Text("a")], [Text("a"), Finish("stop")]])
def test_a_failure_is_a_part_of_the_other_wires(name: str, before: list[Event]) -> None:
    wire = WIRES[name]
    answer = read(*written(wire, before, Cut("The reply broke off.", "Ask again.")), headers=wire.headers)
    assert answer.text == "".join(event.text for event in before if isinstance(event, Text))
    assert answer.reason == "error"
    assert isinstance(answer.failure, Reported)
    assert answer.failure.words == "The reply broke off. Ask again."


@pytest.mark.parametrize("name", WIRES)
def test_a_foreign_failure_breaks_every_wire(name: str) -> None:
    with pytest.raises(ZeroDivisionError):
        written(WIRES[name], [Text("a")], ZeroDivisionError())


@pytest.mark.parametrize("name", WIRES)
def test_an_encoder_may_be_closed_early(name: str) -> None:
    async def first() -> bytes:
        async with aclosing(WIRES[name].encode(happening(ANSWER))) as pieces:
            return await anext(pieces)

    assert asyncio.run(first())


def test_halves_of_characters_cannot_break_a_wire() -> None:
    for wire in WIRES.values():
        assert read(*written(wire, [Text("a\ud83d"), Text("\ude00b")]), headers=wire.headers).text in (
            "a😀b",
            "a??b",
        )


# Thinking inside the text


def unfolded(texts: Sequence[str], *, failure: PlaygroundError | None = None) -> Read:
    return asyncio.run(collected(inline_thinking(happening([*map(Text, texts), Finish()], failure))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<think>hm</think>a", "hm", "a"),
        ("<think>\nhm\n</think>\n\na", "\nhm\n", "\na"),
        (" \n\t<think>hm</think>\r\na", "hm", "a"),
        ("<think>hm</think>\ra", "hm", "\ra"),
        ("<think>hm</think>\r", "hm", "\r"),
        ("<think></think>a", "", "a"),
        ("<think>hm", "hm", ""),
        ("<think>hm</thin", "hm</thin", ""),
        ("<think>a < b </b></think >c</think>d", "a < b </b></think >c", "d"),
        ("<think><think>a</think>b</think>c", "<think>a", "b</think>c"),
        ("a<think>hm</think>b", "", "a<think>hm</think>b"),
        ("hm</think>a", "", "hm</think>a"),
        (" \na", "", " \na"),
        ("<thin", "", "<thin"),
        ("<thing>", "", "<thing>"),
        ("  ", "", "  "),
        ("", "", ""),
        (" " * 2000 + "<think>a", "", " " * 2000 + "<think>a"),
    ],
)
def test_inline_thinking_at_every_cut(text: str, thinking: str, answer: str) -> None:
    ways = [[text], list(text), *([text[:at], text[at:]] for at in range(min(len(text), 60)))]
    for texts in ways:
        seen = unfolded([part for part in texts if part])
        assert (seen.thinking, seen.text, seen.end) == (thinking, answer, UNKNOWN)


def test_inline_thinking_comes_as_it_is_written() -> None:
    pieces = [
        event
        for event in unfolded(["<think>a", "b</", "c", "</think>d", "e"]).events
        if not isinstance(event, Finish)
    ]
    assert pieces == [Thinking("a"), Thinking("b"), Thinking("</c"), Text("d"), Text("e")]


def test_what_is_held_comes_before_the_end_and_before_a_failure() -> None:
    failure = Malformed("A part of the reply could not be read.")

    async def broken() -> AsyncIterator[Event]:
        yield Text("<thi")
        raise failure

    seen = asyncio.run(collected(inline_thinking(broken())))
    assert (seen.events, seen.failure) == ([Text("<thi")], failure)
    assert unfolded(["<thi"]).events == [Text("<thi"), Finish()]


def test_other_events_pass_inline_thinking() -> None:
    events: list[Event] = [
        Usage(1),
        Thinking("t"),
        Text("<think>"),
        Usage(2),
        Text("hm</think>a"),
        Finish("stop"),
    ]
    seen = asyncio.run(collected(inline_thinking(happening(events))))  # type: ignore[arg-type]
    assert seen.events == [Usage(1), Thinking("t"), Usage(2), Thinking("hm"), Text("a"), Finish("stop")]
    assert all(one != other for one, other in pairwise(seen.events))
