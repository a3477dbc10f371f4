"""Traps for decoders, each by its name, and the shapes in which an error comes."""

# ruff: noqa: E501 - one trap a line

from __future__ import annotations

import pytest
from test_streams import chunk, halves, read, reads, single_bytes, sse

from neptun_demo.errors import Cut, Malformed, Reported
from neptun_demo.streams import UNKNOWN

# Name, body, text, end: the reason, or the kind of failure.
TRAPS: list[tuple[str, bytes, str, str | type]] = [
    # Line ends
    ("separators are no line ends in SSE", 'data: {"response":"a\u2028b\u2029c\x85d"}\n\n'.encode(), "a\u2028b\u2029c\x85d", UNKNOWN),
    ("separators are no line ends in data lines", '0:"a\u2028b\u2029c\x85d"\n'.encode(), "a\u2028b\u2029c\x85d", UNKNOWN),
    ("control characters end no line", b'data: {"response":"a"}\x0b\n\n' + sse({"response": "b"}), "b", Malformed),
    ("CRLF", b'data: {"response":"a"}\r\n\r\ndata: {"response":"b"}\r\n\r\n', "ab", UNKNOWN),
    ("CR", b'data: {"response":"a"}\r\rdata: {"response":"b"}\r\r', "ab", UNKNOWN),
    ("blank lines first", b'\r\n\n\rdata: {"response":"a"}\n\n', "a", UNKNOWN),
    ("blank lines first in data lines", b'\r\n\n0:"a"\n', "a", UNKNOWN),
    ("CR is no line end in data lines", b'0:"a"\r0:"b"\n', "", Malformed),
    # Fields
    ("no space after the colon", b'data:{"response":"a"}\n\ndata:[DONE]\n\n', "a", UNKNOWN),
    ("tab after the colon", b'data:\t{"response":"a"}\n\n', "a", UNKNOWN),
    ("lstrip would eat the text", b"data: attack at data\n\n", "attack at data", UNKNOWN),
    ("data on several lines", b'data: {"response":\ndata: "a"}\n\n', "a", UNKNOWN),
    ("a second line that is no data", b'data: {"response":\n"a"}\n\n', "", Malformed),
    ("text on several lines", b"data: a\ndata:  b\n\n", "a\n b", UNKNOWN),
    ("comment inside an event", b'data: {"response":\n: ping\ndata: "a"}\n\n', "a", UNKNOWN),
    ("comments", b': OPENROUTER PROCESSING\n\ndata: {"response":"a"}\n\n: ping\n', "a", UNKNOWN),
    ("events without data", b'event: ping\n\nid: 1\n\nretry: 3\n\ndata: {"response":"a"}\n\n\n\n', "a", UNKNOWN),
    ("empty data", b'data\n\ndata:\n\ndata: {"response":"a"}\n\n', "a", UNKNOWN),
    ("names are exact", b'event: x\nDATA: {"response":"n"}\n data: {"response":"o"}\ndatabase: x\n\ndata: {"response":"a"}\n\n', "a", UNKNOWN),
    ("NUL in an id", b'id: \x00\ndata: {"response":"a"}\n\n', "a", UNKNOWN),
    # Characters
    ("BOM before SSE", b'\xef\xbb\xbfdata: {"response":"a"}\n\n', "a", UNKNOWN),
    ("BOM before data lines", b'\xef\xbb\xbf0:"a"\n', "a", UNKNOWN),
    ("BOM inside", '0:"\ufeffa"\n'.encode(), "\ufeffa", UNKNOWN),
    ("halves in two parts", b'0:"\\ud83d"\n0:"\\ude00"\n', "😀", UNKNOWN),
    ("halves with other parts between", b'0:"\\ud83d"\n2:[1]\n0:""\ng:"t"\n3:""\n0:"\\ude00"\n', "😀", Reported),
    ("halves with thinking between", sse(chunk({"content": "\ud83d"}), chunk({"reasoning": "t"}), chunk({"content": "\ude00"})), "😀", UNKNOWN),
    ("halves with text around", b'0:"a\\ud83d"\n0:"\\ude00b"\n', "a😀b", UNKNOWN),
    ("a half and a number", b'0:"\\ud83d"\n0:6\n', "\ufffd6", UNKNOWN),
    ("a half at the end", b'0:"a\\ud83d"\n', "a\ufffd", UNKNOWN),
    ("a lone second half", b'0:"\\ude00a"\n', "\ufffda", UNKNOWN),
    ("bytes that are no UTF-8", b'data: {"response":"a\xff\xed\xa0\xbd"}\n\n', "a\ufffd\ufffd\ufffd\ufffd", UNKNOWN),
    # JSON values that are text
    ("numbers as spelt", b"".join(b'data: {"response":%s}\n\n' % number for number in (b"3", b"1.50", b"-0", b"1e5", b"0", b"1E400")), "31.50-01e501E400", UNKNOWN),
    ("numbers of any length", b'data: {"response":' + b"7" * 5000 + b"}\n\n", "7" * 5000, UNKNOWN),
    ("numbers in chunks", b'data: {"choices":[{"delta":{"content":1.50}}]}\n\ndata: {"choices":[{"delta":{"content":0}}]}\n\n', "1.500", UNKNOWN),
    ("booleans in chunks", sse(chunk({"content": True}), chunk({"content": False})), "truefalse", UNKNOWN),
    ("numbers in data lines", b'0:"v"\n0:1.50\n0: -0 \n0:0\n', "v1.50-00", UNKNOWN),
    ("words in data lines", b'0:"is "\n0:true\n0:false\n0:null\n', "is truefalsenull", UNKNOWN),
    ("numbers in UI parts", b'data: {"type":"text-delta","id":"t","delta":1.50}\n\n', "1.50", UNKNOWN),
    ("words in events", b'data: {"response":true}\n\ndata: {"response":false}\n\ndata: {"response":null}\n\n', "truefalsenull", UNKNOWN),
    ("lists and objects", b'data: {"response":[]}\n\ndata: {"response":{}}\n\ndata: {"response":[1, "a"]}\n\n', '[]{}[1,"a"]', UNKNOWN),
    ("a null beside tool calls", b'data: {"response":null,"tool_calls":[]}\n\n', "", UNKNOWN),
    ("a null beside usage", b'data: {"response":null,"usage":{"prompt_tokens":1}}\n\n', "", UNKNOWN),
    ("a null beside a reason", b'data: {"response":null,"finish_reason":"stop"}\n\n', "", "stop"),
    ("a missing response is not null", b'data: {"p":"abc"}\n\ndata: {"usage":null}\n\n', "", UNKNOWN),
    ("a null content", sse(chunk({"content": None}), chunk({})), "", UNKNOWN),
    # Families
    ("both shapes in one event", sse({"response": "a", **chunk({"content": "a"})}), "a", UNKNOWN),
    ("both shapes, one of them empty", sse({"response": "a", **chunk({"content": ""})}, {"response": "b", "choices": []}), "ab", UNKNOWN),
    ("no choices", sse({"choices": []}, chunk({"content": "a"}), {"choices": [None]}, {"choices": [{"delta": None}]}), "a", UNKNOWN),
    ("a type beside choices", sse({"type": "text-delta", **chunk({"content": "a"})}), "a", UNKNOWN),
    ("families mixed", sse({"response": "a"}, chunk({"content": "b"}, "stop"), {"type": "text-delta", "id": "t", "delta": "c"}), "abc", "stop"),
    ("unknown types", sse({"type": "hologram", "delta": "no"}, {"type": 5}, {"type": "data-x", "data": {"response": "no"}}), "", UNKNOWN),
    ("another's text", sse({"type": "steering-message", "parts": [{"type": "text", "text": "no"}]}), "", UNKNOWN),
    ("text taken back stays", sse({"type": "text-delta", "delta": "a"}, {"type": "reset-step"}, {"type": "text-delta", "delta": "b"}), "ab", UNKNOWN),
    ("equal neighbours", sse(*[{"response": "ha"}] * 3), "hahaha", UNKNOWN),
    ("unknown codes", b'0:"a"\nz:{"x":1}\n10:"no"\n4:{"content":[]}\n0:"b"\n', "ab", UNKNOWN),
    # The end
    ("[DONE] and nothing else", b"data: [DONE]\n\n", "", UNKNOWN),
    ("[DONE] twice", sse({"response": "a"}) + b"data: [DONE]\n\ndata: [DONE]\n\n", "a", UNKNOWN),
    ("[DONE] with white space", sse({"response": "a"}) + b"data:  [DONE] \n\n", "a", UNKNOWN),
    ("[DONE] without line end", sse({"response": "a"}) + b"data: [DONE]", "a", UNKNOWN),
    ("text after [DONE]", sse({"response": "a"}) + b"data: [DONE]\n\n" + sse({"response": "no"}, {"error": "no"}) + b"data: {no\n\n", "a", UNKNOWN),
    ("rubbish after [DONE]", b'data: [DONE]\n\ndata: {"resp', "", UNKNOWN),
    ("no [DONE]", sse({"response": "a"}), "a", UNKNOWN),
    ("last event without blank line", b'data: {"response":"a"}\n', "a", UNKNOWN),
    ("last event without line end", b'data: {"response":"a"}', "a", UNKNOWN),
    ("last line without LF", b'0:"a"\n0:"b"', "ab", UNKNOWN),
    ("text after the reason", sse(chunk({"content": "a"}, "stop"), chunk({"content": "b"})), "ab", "stop"),
    ("an empty reason", sse(chunk({"content": "a"}, "length"), chunk({}, "")), "a", "length"),
    ("a native reason", sse({"response": "a", "finish_reason": "length"}), "a", "length"),
    ("d wins over e", b'0:"a"\nd:{"finishReason":"stop"}\ne:{"finishReason":"tool-calls"}\n', "a", "stop"),
    ("abort", sse({"type": "text-delta", "delta": "a"}, {"type": "abort"}), "a", "abort"),
    ("a reason that is no word", sse({"type": "finish", "finishReason": 5}, chunk({}) | {"finish_reason": {}}), "", UNKNOWN),
    # Cut
    ("cut in JSON", sse({"response": "a"}) + b'data: {"respon', "a", Cut),
    ("cut in JSON behind a line end", sse({"response": "a"}) + b'data: {"respon\n', "a", Cut),
    ("cut in a field's name", sse({"response": "a"}) + b"dat", "a", Cut),
    ("cut in a field", sse({"response": "a"}) + b"data:", "a", Cut),
    ("cut in [DONE]", sse({"response": "a"}) + b"data: [DON", "a", Cut),
    ("cut in a comment", sse({"response": "a"}) + b": pi", "a", Cut),
    ("cut before the data", sse({"response": "a"}) + b"event: message\n", "a", Cut),
    ("cut behind the data", b'data: {"response":"a"}\nid: 4', "a", Cut),
    ("cut in text", b"data: a\n\ndata: b", "a", Cut),
    ("cut in a line", b'0:"a"\n0:"b', "a", Cut),
    ("cut behind a code", b'0:"a"\n0', "a", Cut),
    ("cut in a number, perhaps", b'0:"a"\n0:6', "a", Cut),
    ("cut behind the reason", sse(chunk({"content": "a"}, "stop")) + b"da", "a", Cut),
    # Malformed
    ("malformed JSON", b'data: {"response":"a"}\n\ndata: {"response":b}\n\ndata: {"response":"c"}\n\n', "ac", Malformed),
    ("malformed line", b'0:"a"\n0:"b\n0:"c"\nd:{"finishReason":"stop"}\n', "ac", Malformed),
    ("line without colon", b'0:"a"\nhello\n0:"c"\n', "ac", Malformed),
    ("a finish that is no object", b'0:"a"\nd:[1]\n', "a", Malformed),
    ("the same without LF", b'0:"a"\nd:[1]', "a", Malformed),
    ("a delta without its delta", sse({"type": "text-delta", "id": "t"}, {"type": "text-delta", "delta": "a"}), "a", Malformed),
    ("NaN is not JSON", b'data: {"response":NaN}\n\n', "", Malformed),
    ("nested too deeply", b'data: {"response":' + b"[" * 100_000 + b"\n\n" + sse({"response": "a"}), "a", Malformed),
    ("nested so that it is read, but not written", b'data: {"response":' + b"[" * 1_010 + b"]" * 1_010 + b"}\n\n" + sse({"response": "a"}), "a", Malformed),
    ("control character in a string", b'0:"a\tb"\n0:"c"\n', "c", Malformed),
    # Plain text in events
    ("data that is no JSON", b"data: Hello\n\ndata:  world\n\n", "Hello world", UNKNOWN),
    ("data that is JSON by chance", b"data: 1.50\n\ndata: true\n\ndata: [link](x)\n\ndata: [1, 2]\n\n", "1.50true[link](x)[1, 2]", UNKNOWN),
    ("data that is a JSON string", b'data: "a"\n\ndata: "b\\n"\n\n', "ab\n", UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("body", "text", "end"), [row[1:] for row in TRAPS], ids=[row[0] for row in TRAPS])
def test_trap(body: bytes, text: str, end: str | type) -> None:
    for answer in reads([[body], single_bytes(body), *(halves(body) if len(body) < 400 else ())]):
        assert (answer.text, answer.end) == (text, end)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"errors": [{"code": 3040, "message": "Capacity"}], "success": False}, "Capacity"),
        ({"errors": ["Capacity"]}, "Capacity"),
        ({"error": {"message": "Too long", "code": 400}}, "Too long"),
        ({"error": "Overloaded", "error_type": "overloaded"}, "Overloaded"),
        ({"object": "error", "message": "engine died", "type": "BadRequestError"}, "engine died"),
        ({"error": True, "message": "Server Error"}, "Server Error"),
        ({"error": {"code": 7}}, ""),
        ({**chunk({"content": ""}, "error"), "error": {"message": "provider"}}, "provider"),
        (chunk({}, "error"), ""),
        ({"response": "", "error": "beside text"}, "beside text"),
        ({"response": "", "errors": [{"message": "beside text"}]}, "beside text"),
        ({"response": "", "object": "error", "message": "beside text"}, "beside text"),
        ({"type": "error", "errorText": "quota"}, "quota"),
        ({"type": "error", "error": {"type": "x", "message": "other family"}}, "other family"),
    ],
)
def test_error_in_the_middle(payload: object, words: str) -> None:
    answer = read(sse({"response": "a"}, payload, {"response": "b"}) + b"data: [DONE]\n\n")
    assert answer.text == "ab"
    assert isinstance(answer.failure, Reported)
    assert answer.failure.words == words
    assert words in answer.failure.sentence


@pytest.mark.parametrize("payload", [{"error": None}, {"errors": []}, {"error": False}, {"error": ""}])
def test_keys_of_errors_may_be_empty(payload: dict[str, object]) -> None:
    answer = read(sse({"response": "a", **payload}, {**chunk({"content": "b"}), **payload}))
    assert (answer.text, answer.end) == ("ab", UNKNOWN)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("Overloaded", "Overloaded"),
        ('{"message":"m"}', "m"),
        ('{"error":"m"}', "m"),
        ('"m"', "m"),
        ("[]", ""),
        ("{", "{"),
    ],
)
def test_event_named_error(data: str, words: str) -> None:
    answer = read(f"event: error\ndata: {data}\n\n".encode())
    assert answer.text == ""
    assert isinstance(answer.failure, Reported)
    assert answer.failure.words == words


def test_error_line_and_what_follows_it() -> None:
    answer = read(
        b'0:"a"\n3:"boom"\n3:"its consequence"\n0:"b"\ne:{"finishReason":"error"}\nd:{"finishReason":"error"}\n'
    )
    assert (answer.text, answer.reason) == ("ab", "error")
    assert isinstance(answer.failure, Reported)
    assert answer.failure.words == "boom"


def test_long_words_are_shortened_in_the_sentence_only() -> None:
    failure = read(sse({"error": "x" * 9000})).failure
    assert isinstance(failure, Reported)
    assert len(failure.words) == 9000
    assert len(failure.message) < 700


def test_sentences_are_for_people() -> None:
    bodies = [b'0:"a"\n0:"b', b'0:"a"\n0:b\n', b'0:"a"\n3:"boom"\n', b'0:"a"\nd:{"finishReason":"error"}\n']
    for answer in reads([body] for body in bodies):
        assert answer.failure is not None
        assert answer.failure.sentence.startswith(("The far end ", "The far end's "))
        assert answer.failure.advice
        assert "Error" not in answer.failure.message
