"""The documented types, and the sentences of what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from upstream import recorded_request, recording

from neptun_demo.api.bodies import decoded
from neptun_demo.contract import (
    AllowedCloudflareModelNames,
    AllowedCloudflareModels,
    AllowedCloudflarePublishers,
    ChatRequest,
    ErrorBody,
    Message,
    ModelConfiguration,
    is_blank,
    whole_characters,
)
from neptun_demo.errors import Refused

steady = settings(derandomize=True, database=None, deadline=None)


def user(content: Any = "Hello", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def parts(*given: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [user(), {"role": "assistant", "parts": list(given), **more}]}


def text_of(data: Any, at: int = -1) -> str:
    return ChatRequest.of(data).messages[at].content


# What is taken


def test_the_documented_example_is_taken() -> None:
    request = ChatRequest.of(decoded(b'{"messages": [{"role": "user", "content": "Hello, how are you?"}]}'))
    assert request.messages == [Message(role="user", content="Hello, how are you?")]


@pytest.mark.parametrize("given", [True, False, None])
def test_the_optional_field_is_kept(given: bool | None) -> None:
    assert ChatRequest.of({"messages": [user(isStreaming=given)]}).messages[0].isStreaming is given


def test_unknown_fields_are_ignored_on_every_level() -> None:
    message = user("Hi", id="x", createdAt=5, experimental_attachments=[{}], annotations=None)
    request = ChatRequest.of({"messages": [message], "model": "x", "temperature": [1], "id": None})
    assert request.messages == [Message(role="user", content="Hi")]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([{"type": "text", "text": "Hi"}], "Hi"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b", "state": "done"}], "ab"),
        ([{"type": "step-start"}, {"type": "text", "text": "Hi"}], "Hi"),
        ([{"type": "reasoning", "text": "hm", "state": "done"}, {"type": "text", "text": "Hi"}], "Hi"),
        ([{"type": "reasoning"}, {"type": "text", "text": "Hi"}], "Hi"),
        ([{"type": "text", "text": "\ud83d"}, {"type": "text", "text": "\ude00"}], "😀"),
    ],
)
def test_the_text_of_parts_stands_for_an_absent_content(given: list[Any], text: str) -> None:
    assert text_of(parts(*given)) == text
    assert text_of(parts(*given, content=None)) == text


def test_a_content_that_is_there_wins_over_parts() -> None:
    assert text_of(parts({"type": "file", "url": "data:"}, content="what was said")) == "what was said"


def test_contents_are_not_trimmed_or_changed() -> None:
    text = "\t <b>&lt;</b>\r\n\u2028\x00 é e\u0301 "
    assert text_of({"messages": [user(text)]}) == text


# What is refused, and how

REFUSED: list[tuple[Any, str]] = [
    (None, "The body must be a JSON object with a list of messages"),
    ([user()], "The body must be a JSON object with a list of messages"),
    ("messages", "The body must be a JSON object with a list of messages"),
    ({}, "messages is missing"),
    ({"Messages": [user()]}, "messages is missing"),
    ({"messages": None}, "messages must be a list"),
    ({"messages": {"0": user()}}, "messages must be a list"),
    ({"messages": []}, "messages is empty"),
    ({"messages": ["Hello"]}, "messages[0] must be an object with role and content"),
    ({"messages": [user(), [user()]]}, "messages[1] must be an object with role and content"),
    ({"messages": [{"content": "Hello"}]}, "messages[0].role is missing"),
    ({"messages": [user(), {"role": "assistant"}]}, "messages[1].content is missing"),
    ({"messages": [user(5)]}, "messages[0].content must be text"),
    ({"messages": [user(None)]}, "messages[0].content must be text"),
    ({"messages": [user([{"type": "text", "text": "Hi"}])]}, "messages[0].content must be text"),
    ({"messages": [user(isStreaming="perhaps")]}, "messages[0].isStreaming must be true or false"),
    ({"messages": [user(isStreaming=[])]}, "messages[0].isStreaming must be true or false"),
    (
        {"messages": [user(), {"role": "system", "content": "x"}]},
        "messages[1].role must be 'user' or 'assistant', not 'system'",
    ),
    (
        {"messages": [{"role": "User", "content": "x"}]},
        "messages[0].role must be 'user' or 'assistant', not 'User'",
    ),
    ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role must be 'user' or 'assistant'"),
    ({"messages": [{"role": "\ud83d", "content": "x"}]}, "messages[0].role must be text"),
    ({"messages": [user("")]}, "messages[0].content is blank"),
    ({"messages": [user(), user(" \n"), user()]}, "messages[1].content is blank"),
    (
        {"messages": [user(), {"role": "assistant", "content": "\ufeff\u00a0\ufeff"}]},
        "messages[1].content is blank",
    ),
    (parts(), "messages[1].content is blank"),
    (parts({"type": "text", "text": " "}), "messages[1].content is blank"),
    ({"messages": [{"role": "user", "parts": "Hi"}]}, "messages[0].parts must be a list"),
    (parts({"type": "text", "text": "a"}, {"type": "file"}), "messages[1].parts[1] is of type 'file'"),
    (parts({"type": "reasoning", "text": "hm"}), "messages[1].content is blank"),
    (parts({"type": "tool-weather"}), "messages[1].parts[0] is of type 'tool-weather'"),
    (parts({"type": "text"}), "messages[1].parts[0].text must be text"),
    (parts({"type": "text", "text": 5}), "messages[1].parts[0].text must be text"),
    (parts("Hi"), "messages[1].parts[0] has no type"),
    (parts({"type": 5}), "messages[1].parts[0] has no type"),
]


@pytest.mark.parametrize(("data", "sentence"), REFUSED)
def test_a_refusal_names_the_place(data: Any, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        ChatRequest.of(data)
    assert refused.value.sentence.startswith(sentence)
    assert refused.value.sentence.endswith(".")
    assert refused.value.status == 400
    assert refused.value.__cause__ is not None


@pytest.mark.parametrize("role", ["x" * 100_000, "\x1b[31m\n", "\u202e"])
def test_what_is_quoted_is_short_and_harmless(role: str) -> None:
    with pytest.raises(Refused) as refused:
        ChatRequest.of({"messages": [{"role": role, "content": "x"}]})
    assert len(refused.value.sentence) < 200
    assert refused.value.sentence.isprintable()


# Bodies

NOT_JSON = [
    b"",
    b"\xff",
    b"{",
    b'{"messages": [{"role": "user", "content": "a\x00b"}]}',  # a bare control character
    b"[" * 100_000,
    b'{"messages": ' + b'{"a":' * 100_000,
    b'{"messages": [{"role": "user", "content": "\xed\xa0\xbd"}]}',  # half a pair, in bytes
]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: repr(body[:30]))
def test_what_is_no_json_is_refused_as_that(body: bytes) -> None:
    with pytest.raises(Refused, match="not valid JSON"):
        ChatRequest.of(decoded(body))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"a\ud83db"', "a\ufffdb"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\u0000"', "\x00"),
    ],
)
def test_what_javascript_writes_is_read(content: bytes, text: str) -> None:
    body = b'{"messages": [{"role": "user", "content": ' + content + b"}]}"
    assert ChatRequest.of(decoded(body)).messages[0].content == text


@pytest.mark.parametrize("extra", [b"9" * 6000, b"1e999", b"[" * 500 + b"]" * 500, rb'"\ud83d"'])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_unknown_field_may_hold_anything(extra: bytes, mark: bytes) -> None:
    message = b'{"role": "user", "content": "Hi", "extra": ' + extra + b"}"
    body = mark + b'{"messages": [' + message + b'], "extra": ' + extra + b"}"
    assert ChatRequest.of(decoded(body)).messages == [Message(role="user", content="Hi")]


@pytest.mark.parametrize(
    "name", ["content_empty", "content_blank_earlier", "role_system", "messages_empty", "body_malformed_json"]
)
def test_what_the_endpoint_refused_is_refused_here(name: str) -> None:
    with pytest.raises(Refused):
        ChatRequest.of(decoded(recorded_request(name).body.encode()))


@pytest.mark.parametrize("name", ["ok_playground", "up_unicode", "xss_lt_in_user_text"])
def test_what_the_endpoint_took_or_we_mend_is_taken_here(name: str) -> None:
    assert ChatRequest.of(decoded(recorded_request(name).body.encode())).messages


# Characters

WHITE = " \t\n\r\v\f\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"  # JavaScript's
ANY = st.text(st.characters(codec=None, categories=None))


@steady
@given(st.text(WHITE), st.text(WHITE))
def test_blank_is_what_trims_to_nothing(before: str, behind: str) -> None:
    assert is_blank(before)
    assert not is_blank(f"{before}.{behind}")


@steady
@given(ANY)
def test_whatever_characters_come_can_be_sent(text: str) -> None:
    whole = whole_characters(text)
    whole.encode()
    assert whole_characters(whole) == whole
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert whole == text


@steady
@given(ANY)
def test_a_message_comes_through_json(text: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": f"{text}."}]}).encode()
    assert ChatRequest.of(decoded(body)).messages[0].content == whole_characters(f"{text}.")


# The other types


def test_the_names_are_the_documented_ones() -> None:
    assert list(AllowedCloudflarePublishers) == ["cloudflare"]
    assert list(AllowedCloudflareModelNames) == ["llama-3.3-70b-instruct-fp8-fast"]
    assert list(AllowedCloudflareModels) == ["cloudflare/llama-3.3-70b-instruct-fp8-fast"]


def test_the_recorded_models_are_model_configurations() -> None:
    listing = json.loads("".join(map(str, recording("get_models").chunks)))
    rows = [row for publisher in listing["configurations"].values() for row in publisher.values()]
    assert len(rows) > 5
    for row in rows:
        assert ModelConfiguration.model_validate(row).model_dump(exclude_none=True) == row


def test_the_error_body_has_the_documented_fields() -> None:
    body = ErrorBody(statusCode=400, statusMessage="Invalid model name")
    assert body.model_dump(exclude_none=True) == {"statusCode": 400, "statusMessage": "Invalid model name"}


def test_what_was_checked_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Message(role="user", content="x").content = "y"  # type: ignore[misc]
