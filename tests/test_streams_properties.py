"""Properties of decoders and encoders: text in is text out, however it is cut, and no bytes do harm."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

pytest.importorskip("hypothesis", reason="property tests need tests/requirements.txt")

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_streams import VECTORS, Read, arriving, collected, read
from test_streams_encoding import happening, written

from neptun_demo.errors import PlaygroundError
from neptun_demo.streams import WIRES, Event, Finish, Text, Thinking, Usage, decode, inline_thinking

# The same examples in every run, and no clock: a newcomer's first run is not where luck is tried.
steady = settings(derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples = settings(steady, max_examples=150)
many_examples = settings(steady, max_examples=500)

ODD = st.sampled_from(
    [
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x1c",
        "\0",
        "\ufeff",
        "\r\n",
        "\n\n",
        "😀",
        '0:"',
        "data: {",
        "[DONE]",
    ]
)
TEXT = st.lists(st.text() | ODD, max_size=6).map("".join)
PIECES = st.lists(st.builds(Text, TEXT) | st.builds(Thinking, TEXT), max_size=8)
COUNT = st.none() | st.integers(0, 10**12)
CUTS = st.lists(st.integers(0, 10**6), max_size=12)
HEADERS = st.sampled_from(
    [
        {},
        {"Content-Type": "text/event-stream"},
        {"content-type": "text/plain"},
        WIRES["data"].headers,
        WIRES["ui"].headers,
    ]
)


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(body), *(at % (len(body) + 1) for at in cuts)})
    return [body[start:end] for start, end in pairwise(places)]


def joined(kind: type, events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


@given(TEXT, CUTS)
@examples
def test_raw_text(text: str, cuts: list[int]) -> None:
    """Raw text announces nothing: a caller says that it is some. One leading BOM is the wire's."""
    body = b"".join(written(WIRES["text"], [Text(text)]))
    answer = read(*cut(body, cuts), headers=WIRES["text"].headers, protocol="text")
    assert (answer.text, answer.failure) == (text.removeprefix("\ufeff"), None)


@given(TEXT, CUTS, HEADERS.filter(lambda headers: len(headers) < 2))
@examples
def test_raw_text_that_begins_like_none_of_the_protocols(
    text: str, cuts: list[int], headers: dict[str, str]
) -> None:
    text = f"Answer: {text}"
    body = b"".join(written(WIRES["text"], [Text(text)]))
    answer = read(*cut(body, cuts), headers=headers)
    assert (answer.text, answer.failure) == (text, None)


@pytest.mark.parametrize("name", ["data", "ui"])
@pytest.mark.parametrize("announced", [True, False])
@given(PIECES, st.builds(Usage, COUNT, COUNT), st.sampled_from(["stop", "length", "unknown"]), CUTS)
@examples
def test_what_is_written_is_read(
    name: str, announced: bool, pieces: list[Event], usage: Usage, reason: str, cuts: list[int]
) -> None:
    wire = WIRES[name]
    headers = wire.headers if announced else {}
    body = b"".join(written(wire, [*pieces, usage, Finish(reason)]))
    answer = read(*cut(body, cuts), headers=headers)
    assert answer.text == joined(Text, pieces)
    assert answer.thinking == joined(Thinking, pieces)
    assert set(answer.usages) == ({usage} if usage != Usage() else set())
    assert answer.end == reason


@given(TEXT, CUTS, CUTS)
@example("😀", [1], [])
@examples
def test_text_cut_between_its_utf_16_units(text: str, halves: list[int], cuts: list[int]) -> None:
    """So JavaScript servers cut it: in two strings, each with half of a character."""
    units = text.encode("utf-16-le")
    places = sorted({0, len(units), *(at * 2 % (len(units) + 2) for at in halves)})
    parts = [units[start:end].decode("utf-16-le", "surrogatepass") for start, end in pairwise(places)]
    lines = "".join(f"0:{json.dumps(part)}\n" for part in parts)
    events = "".join(f"data: {json.dumps({'response': part})}\n\n" for part in parts)
    chunks = "".join(
        f"data: {json.dumps({'choices': [{'delta': {'content': part}}]})}\r\n\r\n" for part in parts
    )
    for body in (lines, events, chunks):
        answer = read(*cut(body.encode(), cuts))
        assert (answer.text, answer.failure) == (text, None)


@given(st.lists(TEXT, max_size=5), TEXT, CUTS)
@examples
def test_inline_thinking_at_any_cut(thoughts: list[str], answer: str, cuts: list[int]) -> None:
    thought = "".join(thoughts).replace("</think>", "")
    answer = answer.removeprefix("\r\n").removeprefix("\n")
    whole = f" <think>{thought}</think>\n{answer}"
    places = sorted({0, len(whole), *(at % (len(whole) + 1) for at in cuts)})
    texts = [Text(whole[start:end]) for start, end in pairwise(places)]
    seen = asyncio.run(collected(inline_thinking(happening(texts))))  # type: ignore[arg-type]
    assert (seen.thinking, seen.text) == (thought, answer)


# Hostile input


def whole(body: bytes, headers: dict[str, str], cuts: list[int]) -> Iterator[Read]:
    """Read one body cut in three ways. Whatever is raised that is not ours fails the test."""
    for chunks in ([body], cut(body, cuts), [body[at : at + 1] for at in range(len(body))]):
        yield asyncio.run(collected(decode(arriving(chunks), headers)))


def check(body: bytes, headers: dict[str, str], cuts: list[int]) -> None:
    first, *others = whole(body, headers, cuts)
    assert first.failure is None or isinstance(first.failure, PlaygroundError)
    assert first.failure or first.reason
    assert all(other.whole == first.whole for other in others)


WORDS = rb"""
    0:" " data: data:{ {"response": [DONE] {"choices":[{"delta":{"content": } ] null 1e999 - \ud83d \ude00
    "usage":{ ,"finish_reason": NaN d:{"finishReason": 3: e: [ { "error": {"type":"text-delta","delta":
    "tool_calls" reasoning true id: retry
"""
ENDS = [b"\n", b"\n\n", b"\r", b"\r\n", b'"\n', b"}\n\n", b": ", b"event: error\n"]
CHARACTERS = [b"\xef\xbb\xbf", b"\xed\xa0\xbd", b"\xf0\x9f", b"\xe2\x80\xa8"]
WIRE_BYTES = st.sampled_from([*WORDS.split(), *ENDS, *CHARACTERS])


@given(st.lists(st.binary(max_size=20) | WIRE_BYTES, max_size=25).map(b"".join), HEADERS, CUTS)
@many_examples
@example(b"\n" * 1030 + b"data: a\n\n", {"Content-Type": "text/event-stream"}, [1025])
@example(b"0:" + b"1" * 70 + b"\n", {}, [67])
def test_any_bytes(body: bytes, headers: dict[str, str], cuts: list[int]) -> None:
    check(body, headers, cuts)


VECTOR_BODIES = [b"".join(map(base64.b64decode, vector["chunks_b64"])) for vector in VECTORS]
EDIT = st.tuples(st.integers(0, 10**6), st.integers(0, 30), st.binary(max_size=4) | WIRE_BYTES)


@given(
    st.sampled_from([body for body in VECTOR_BODIES if len(body) < 2000]),
    st.lists(EDIT, max_size=4),
    HEADERS,
    CUTS,
)
@many_examples
def test_any_change_of_a_vector(
    body: bytes, edits: list[tuple[int, int, bytes]], headers: dict[str, str], cuts: list[int]
) -> None:
    for at, removed, added in edits:
        place = at % (len(body) + 1)
        body = body[:place] + added + body[place + removed :]
    check(body, headers, cuts)
