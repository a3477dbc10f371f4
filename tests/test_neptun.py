"""The Neptun back end: what it sends, and what each recorded answer becomes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from test_http import IDLE, Heard, Wire, assert_left, hear, seen, words_of
from upstream import (
    RECORDINGS,
    Play,
    Upstream,
    closes,
    data_lines,
    forever,
    hangs,
    json_answer,
    recorded_request,
    recording,
    redirect,
)

from neptun_demo.backends.http import Upstream as FarEnd
from neptun_demo.backends.neptun import CUT_BY_THE_CAP, TOO_LARGE, Neptun
from neptun_demo.backends.protocol import Question
from neptun_demo.contract import Message
from neptun_demo.errors import (
    Cut,
    EmptyAnswer,
    Malformed,
    PlaygroundError,
    Refused,
    Rejected,
    Reported,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownModel,
)
from neptun_demo.models import NEPTUN_MODEL
from neptun_demo.streams import UNKNOWN

pytestmark = pytest.mark.anyio

HOST = "Fe26.2*1*the-hosts-own-session"
VISITOR = SecretStr("a-visitors-own-session")
WHO = "The Neptun endpoint"


@asynccontextmanager
async def neptun(url: str, *, session: str | None = HOST, idle: float = 10.0) -> AsyncIterator[Neptun]:
    backend = Neptun(FarEnd(WHO, connect_timeout=10, idle_timeout=idle), url, session, backoff=(0.01, 0.02))
    try:
        yield backend
    finally:
        await backend.aclose()


def asking(*contents: str, **more: Any) -> Question:
    """A question whose turns are the user's and the assistant's, one after the other."""
    contents = contents or ("hi",)
    roles = ("user", "assistant")
    messages = [Message(role=roles[at % 2], content=content) for at, content in enumerate(contents)]
    return Question(model=NEPTUN_MODEL, messages=messages, **more)


async def ask(upstream: Upstream, *plays: Play, question: Question | None = None, **limits: Any) -> Heard:
    upstream.plays(*plays)
    async with neptun(upstream.url, **limits) as backend:
        return await hear(backend.answer(question or asking()))


# What is sent


async def test_the_request_is_as_documented_and_as_observed(upstream):
    await ask(upstream, data_lines("Hello"), question=asking("a", "b", "ü c"))
    sent = upstream.requests[0]
    assert sent.method == "POST"
    assert sent.target == (
        "/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat?chat_id=-1&is_playground=true"
    )
    assert sent.header("cookie") == f"neptun-session={HOST}"
    assert sent.header("content-type") == "application/json"
    assert "html" not in sent.header("accept")
    assert sent.json() == {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "ü c"},
        ]
    }


async def test_a_visitors_cookie_goes_instead_of_the_hosts(upstream):
    question = asking(cookie=VISITOR, chat_id=7, is_playground=False)
    await ask(upstream, data_lines("Hello"), question=question)
    sent = upstream.requests[0]
    assert sent.header("cookie") == "neptun-session=a-visitors-own-session"
    assert sent.pairs == [("chat_id", "7"), ("is_playground", "false")]


async def test_without_any_session_nothing_is_sent(upstream):
    heard = await ask(upstream, data_lines("Hello"), session=None)
    assert heard.end == (Unauthorized, 401)
    assert upstream.requests == []


def recorded_messages(name: str) -> list[Message]:
    return [Message(**message) for message in json.loads(recorded_request(name).body)["messages"]]


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("content_blank_earlier", ["a", "[[ok]] b"]),
        ("xss_lt_in_user_text", ["[[ok]] is 1 &lt; 2 ?"]),
        ("xss_gt_in_assistant_history", ["q", "```js\nconst f = x =&gt; x + 1\n```", "[[ok]] next"]),
        ("xss_entities_user", ["[[ok]] a &lt; b"]),
    ],
)
async def test_a_request_that_the_server_refuses_is_mended(upstream, name, contents):
    question = Question(model=NEPTUN_MODEL, messages=recorded_messages(name))
    heard = await ask(upstream, recording("ok_playground"), question=question)
    assert heard.text == "Hello, world!"
    assert [message["content"] for message in upstream.requests[0].json()["messages"]] == contents


async def test_every_angle_bracket_is_escaped_and_counted(upstream):
    contents = ("List<int> <b>x</b>", "a -> b", "> quote\n#include <stdio.h>")
    await ask(upstream, data_lines("Hello"), question=asking(*contents))
    body = upstream.requests[0].body
    assert b"<" not in body
    assert b">" not in body
    async with neptun("http://nobody") as backend:
        assert backend.escaped(asking(*contents).messages) == sum(map(body.count, (b"&lt;", b"&gt;"))) == 10


@pytest.mark.parametrize("blank", ["", "  \n", "\ufeff", "\u2003"])
async def test_an_empty_assistant_turn_is_dropped(upstream, blank):
    await ask(upstream, data_lines("Hello"), question=asking("a", blank, "b"))
    assert [message["content"] for message in upstream.requests[0].json()["messages"]] == ["a", "b"]


async def test_what_the_server_would_not_read_is_refused_before_it_is_sent(upstream):
    upstream.plays(data_lines("Hello"))
    frame = len(json.dumps({"messages": [{"role": "user", "content": ""}]}))
    async with neptun(upstream.url) as backend:
        for content, size in (("x", 1), ("ü", 2), ("<", 4), ("\n", 2)):
            fits = content * ((TOO_LARGE - frame - 1) // size)
            backend.check(asking(fits))
            with pytest.raises(TooLarge, match="2,000,000"):
                backend.check(asking(fits + content * 2))
        just = "x" * (TOO_LARGE - frame)
        with pytest.raises(TooLarge):
            backend.check(asking(just))
        assert (await hear(backend.answer(asking(just[1:])))).text == "Hello"
    assert [len(request.body) for request in upstream.requests] == [TOO_LARGE - 1]


async def test_a_system_prompt_is_refused_with_the_reason():
    async with neptun("http://nobody") as backend:
        with pytest.raises(Refused, match="takes no system prompt") as raised:
            backend.check(asking(system="be brief"))
    assert raised.value.status == 400
    assert raised.value.advice


# What each recorded answer becomes


TEXTS = {
    "ok_playground": "Hello, world!",
    "ok_chat1_playground_false": "Hello, world!",
    "xss_entities_user": "Hello, world!",
    "up_all_in_one_chunk": "one two three",
    "up_code_reply": "Code:\n\n```python\nprint(1)\n```\n\nDone.",
    "up_md_link": "See https://e.x/a) now.[docs](",
    "up_md_star_never_closes": "* item one\nplain text goes on until the end.",
    "up_md_table": "| a | b |\n|---|---|\n| 1 | 2 |\n\nDone.",
    "up_pause_mid": "one two",
    "up_slow_first": "late",
    "up_u2028": 'a\u2028bc\u2029de\u0085f\x00tab\thereq"uoteback\\slashnl\nnlcr\r\n\x7f</script>',
    "up_unicode": "Grüße 😀👩\u200d👩\u200d👧 日本عربىe\u0301",
}

WRONG_SESSION = (401, "does not accept the host's session", "NEPTUN_SESSION")
SERVER_ERROR = (500, "answered 500: Server Error", "before the first word")
VALIDATION = "Check the question"
# The status, a part of the sentence, a part of the advice.
REFUSALS = {
    "auth_check_head_missing": WRONG_SESSION,
    "auth_check_head_valid": (502, "answered 204", ""),
    "body_malformed_json": (400, "answered 400: Invalid JSON body.", VALIDATION),
    "chat_id_text": (400, "answered 400: chat_id: Expected number, received nan.", VALIDATION),
    "chat_id_too_big_for_int4": SERVER_ERROR,
    "content_blank_earlier": (400, "messages.1.content: String must contain at least 1", VALIDATION),
    "content_empty": (400, "messages.0.content: String must contain at least 1", VALIDATION),
    "invalid_cookie": WRONG_SESSION,
    "is_playground_omitted_chat1": (400, "is_playground: Expected boolean, received null", VALIDATION),
    "messages_empty": (400, "messages: Array must contain at least 1 element(s).", VALIDATION),
    "method_get": (405, "answered 405: HTTP method is not allowed.", "NEPTUN_BASE_URL"),
    "missing_chat_id": (400, "chat_id: Expected number, received nan", VALIDATION),
    "no_cookie": WRONG_SESSION,
    "options_preflight": WRONG_SESSION,
    "other_provider_model": (400, "does not know this model", "Choose another"),
    "role_system": (400, "messages.0.role: Invalid enum value", VALIDATION),
    "size_2000000": (413, "answered 413: Payload Too Large.", "shorten"),
    "unknown_model": (400, "does not know this model", "Choose another"),
    "up_cut_before_first_token": SERVER_ERROR,
    "up_drop": SERVER_ERROR,
    "up_err401": (401, "answered 401: Authentication error.", "The session is fine"),
    "up_err429": (429, "daily free allocation of 10,000 neurons", "00:00 UTC"),
    "up_err500": (500, "answered 500: Internal server error.", "before the first word"),
    "xss_gt_in_assistant_history": (400, "answered 400: Bad Request.", VALIDATION),
    "xss_lt_in_user_text": (400, "answered 400: Bad Request.", VALIDATION),
}
OTHERS = {
    "get_models": (Malformed, "", "sent JSON instead of an answer."),
    "up_cut_mid": (TimedOut, "one two three", f"fell silent: nothing came for {IDLE} seconds."),
    "up_empty_stream": (EmptyAnswer, "", "ended its answer without any text"),
}


def test_each_recording_is_expected():
    assert sorted([*TEXTS, *REFUSALS, *OTHERS]) == sorted(RECORDINGS)


@pytest.mark.parametrize("name", TEXTS)
async def test_a_recorded_reply_comes_out_exactly(upstream, name):
    heard = await ask(upstream, recording(name))
    assert (heard.text, heard.reason) == (TEXTS[name], UNKNOWN)


@pytest.mark.parametrize(
    "type_", ["text/event-stream", "text/plain; charset=utf-8", "application/octet-stream", ""]
)
@pytest.mark.parametrize("chunks", [('0:"Hello, world!"\n',), ("Hello,", " world!")])
async def test_the_type_does_not_matter_to_what_is_a_reply(upstream, type_, chunks):
    """Recorded are `0:` lines as text/plain; documented is the text itself as text/event-stream."""
    heard = await ask(upstream, Play(headers={"content-type": type_}, chunks=chunks))
    assert heard.text == "Hello, world!"


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_recorded_refusal_comes_out_with_its_status_and_what_to_do(upstream, name):
    status, sentence, advice = REFUSALS[name]
    heard = await ask(upstream, recording(name))
    assert heard.end == (Rejected, status)
    assert heard.error.sentence.startswith(WHO)
    assert heard.error.sentence.endswith(".")
    assert sentence in heard.error.sentence
    assert advice in heard.error.advice
    assert heard.error.advice
    assert heard.events == []
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("name", OTHERS)
async def test_other_recorded_ends(upstream, name):
    kind, text, sentence = OTHERS[name]
    heard = await ask(upstream, recording(name), idle=IDLE)
    assert (type(heard.error), heard.text) == (kind, text)
    assert sentence in heard.error.sentence
    assert len(upstream.requests) == 1


# Whose session


async def test_a_wrong_cookie_of_a_visitor_is_the_visitors_business(upstream):
    heard = await ask(upstream, recording("invalid_cookie"), question=asking(cookie=VISITOR))
    assert heard.end == (Rejected, 401)
    assert "does not accept this session" in heard.error.sentence
    assert "Log in to Neptun again" in heard.error.advice


@pytest.mark.parametrize(
    ("play", "wrong"),
    [
        (json_answer({"statusCode": 401, "statusMessage": "Unauthorized"}, 401), True),
        (recording("no_cookie", headers={}), True),
        (Play(status=401, headers={"set-cookie": "neptun-session=new"}), True),
        (recording("up_err401", headers={"set-cookie": "__cf_bm=a-network-in-front"}), False),
    ],
)
async def test_a_wrong_session_is_told_from_the_401_of_the_cloudflare_behind_it(upstream, play, wrong):
    heard = await ask(upstream, play)
    assert heard.end == (Rejected, 401)
    assert ("NEPTUN_SESSION" in heard.error.advice) == wrong
    assert ("The session is fine" in heard.error.advice) != wrong


@pytest.mark.parametrize("page", [(), ("<!DOCTYPE html><h1>Authentication required</h1>",)])
async def test_of_a_401_without_words_nobody_knows_whose_it_is(upstream, page):
    heard = await ask(upstream, Play(status=401, headers={"content-type": "text/html"}, chunks=page))
    assert (heard.end, heard.error.sentence) == ((Rejected, 401), "The Neptun endpoint answered 401.")
    assert heard.error.advice.startswith("It does not say why. Log in to Neptun again")


# Failures that were not recorded


@pytest.mark.parametrize(
    ("body", "phrase"),
    [
        ({"statusCode": 400, "statusMessage": "Invalid model name"}, UnknownModel.phrase),
        ({"statusCode": 400, "statusMessage": "Service not available anymore."}, Unavailable.phrase),
        (
            {"statusCode": 400, "statusMessage": "Server Error", "message": "Invalid model: x"},
            UnknownModel.phrase,
        ),
        ({"statusCode": 400, "statusMessage": "Bad Request"}, "Bad Request"),
    ],
)
async def test_the_documented_refusals_keep_their_phrases(upstream, body, phrase):
    heard = await ask(upstream, json_answer(body, 400))
    assert (heard.end, heard.error.status_message) == ((Rejected, 400), phrase)


PAGE = Play(headers={"content-type": "text/html; charset=utf-8"}, chunks=("<!DOCTYPE html>", "<h1>500</h1>"))


@pytest.mark.parametrize(
    ("play", "end", "sentence", "advice"),
    [
        (PAGE, (Malformed, 502), "sent a web page instead of an answer.", "NEPTUN_BASE_URL"),
        (
            json_answer({"statusCode": 500, "message": "odd"}),
            (Malformed, 502),
            "of an answer: odd.",
            "Try again",
        ),
        (json_answer([1]), (Malformed, 502), "sent JSON instead of an answer.", "Try again"),
        (
            Play(status=500, headers=PAGE.headers, chunks=PAGE.chunks),
            (Rejected, 500),
            "answered 500.",
            "Try again",
        ),
        (Play(status=500), (Rejected, 500), "answered 500.", "Try again"),
        (Play(status=500, chunks=("plain words",)), (Rejected, 500), "answered 500: plain words.", "Try again"),
        (
            json_answer({"statusMessage": "x"}, 500, ended="cut"),
            (Rejected, 500),
            "answered 500: x.",
            "Try again",
        ),
        (Play(status=403), (Rejected, 403), "answered 403.", "does not allow"),
        (Play(status=404), (Rejected, 404), "answered 404.", "NEPTUN_BASE_URL"),
        (Play(status=408), (Rejected, 408), "answered 408.", "Try again"),
        (Play(status=431), (Rejected, 431), "answered 431.", "cookie is too long"),
        (redirect("/login"), (Rejected, 502), "answered 302.", "redirects"),
        (Play(status=206), (Rejected, 502), "answered 206.", "Check"),
        (data_lines("so far", ended="cut"), (Cut, 502), "broke the answer off", "is kept"),
        (
            Play(chunks=('0:"so far"\n3:"model gone"\n',)),
            (Reported, 502),
            "of its answer: model gone.",
            "is kept",
        ),
        (
            Play(chunks=('0:"so far"\n0:"half', "")),
            (Cut, 502),
            "The Neptun endpoint's answer broke off",
            "is good",
        ),
        (
            Play(chunks=('0:"so far"\n0:bad\n',)),
            (Malformed, 502),
            "The Neptun endpoint sent a part that could not be read",
            "Ask again",
        ),
    ],
)
async def test_a_failure_says_what_happened_and_what_to_do(upstream, play, end, sentence, advice):
    heard = await ask(upstream, play)
    assert heard.end == end
    assert sentence in heard.error.sentence
    assert advice in heard.error.advice
    assert heard.text == ("so far" if "so far" in "".join(map(str, play.chunks)) else "")
    assert len(upstream.requests) == 1


async def test_the_redirect_takes_no_session_along(upstream):
    await ask(upstream, redirect(f"{upstream.url}/login"))
    assert len(upstream.requests) == 1


async def test_a_refused_session_is_not_taken_over(upstream):
    upstream.plays(recording("invalid_cookie"), data_lines("Hello"))
    async with neptun(upstream.url) as backend:
        await hear(backend.answer(asking(cookie=VISITOR)))
        assert (await hear(backend.answer(asking()))).text == "Hello"
    assert [request.header("cookie") for request in upstream.requests] == [
        "neptun-session=a-visitors-own-session",
        f"neptun-session={HOST}",
    ]


# The reason for the end


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        ("x" * 717, (), UNKNOWN),  # 239 tokens of three bytes
        ("x" * 718, (), CUT_BY_THE_CAP),
        ("ü" * 359, (), CUT_BY_THE_CAP),
        ("日" * 239, (), UNKNOWN),
        ("日" * 240, (), CUT_BY_THE_CAP),
        ("x" * 718, ('d:{"finishReason":"length"}\n',), "length"),
        ("x" * 718, ('e:{"finishReason":"stop"}\n',), "stop"),
        ("x", ('d:{"finishReason":"stop"}\n',), "stop"),
    ],
)
async def test_an_end_near_the_cap_is_probably_the_cap(upstream, text, more, reason):
    lines = data_lines(*text)
    heard = await ask(upstream, data_lines(text, chunks=("".join(lines.chunks), *more)))
    assert (heard.text, heard.reason) == (text, reason)


def test_the_cap_is_marked_as_an_estimate():
    assert CUT_BY_THE_CAP == "probably cut at the endpoint's 256 tokens (estimate)"


# Leaving, secrets, the list


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(hangs(), id="before the head"),
        pytest.param(data_lines("Hello", ended="open"), id="in the middle, silent"),
        pytest.param(Play(chunks=(forever('0:"x"\n'),), gap=0.01), id="in the middle, talking"),
        pytest.param(Play(status=500, chunks=("{",), ended="open"), id="within a refusal"),
    ],
)
async def test_whoever_leaves_closes_the_connection(upstream, play):
    upstream.plays(play)
    async with neptun(upstream.url, idle=30) as backend:
        task = asyncio.create_task(hear(backend.answer(asking())))
        exchange = await seen(upstream)
        task.cancel()
        await assert_left(exchange)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_closing_the_answer_closes_the_connection(upstream):
    upstream.plays(data_lines("Hello", ended="open"))
    async with neptun(upstream.url, idle=30) as backend:
        answer = backend.answer(asking())
        await anext(answer)
        await answer.aclose()
        await assert_left(await seen(upstream))


ECHO = f"no such session: {HOST}, sorry"


@pytest.mark.parametrize(
    "play",
    [
        json_answer({"message": ECHO}, 500),
        json_answer({"data": {"issues": [{"message": ECHO, "path": [HOST]}]}}, 400),
        json_answer({"message": ECHO}),
        Play(status=502, chunks=(ECHO,)),
        Play(status=502, chunks=("x" * 280 + HOST,)),
        Play(chunks=(f'0:"so far"\n3:"{ECHO}"\n',)),
        Play(chunks=(f'0:"so far"\n3:"{"x" * 490}{HOST}"\n',)),
    ],
)
async def test_a_session_that_is_echoed_is_not_told(upstream, play, caplog):
    wire = Wire()
    heard = await ask(upstream, play, question=asking(watch=wire))
    for part in (HOST, HOST[:12]):
        assert part not in words_of(heard.error)
        assert part not in wire.all
        assert part not in caplog.text
    assert "$NEPTUN_SESSION" in heard.error.sentence + wire.all


async def test_the_list_of_models(upstream):
    upstream.plays(recording("get_models"))
    async with neptun(upstream.url) as backend:
        (model,) = await backend.models()
    assert (model.backend, model.name) == ("neptun", "llama-3.3-70b-instruct-fp8-fast")
    assert model.row.configuration.parameters.max_new_tokens == 256
    asked = upstream.requests[0]
    assert (asked.method, asked.target, asked.header("cookie")) == ("GET", "/models", None)


async def test_a_list_that_does_not_come_is_a_failure_of_ours(upstream):
    upstream.plays(Play(status=500))
    async with neptun(upstream.url) as backend:
        with pytest.raises(PlaygroundError):
            await backend.models()


# The check of a session


async def test_a_session_is_checked_without_asking_anything(upstream):
    upstream.plays(recording("auth_check_head_valid"), recording("auth_check_head_missing"))
    async with neptun(upstream.url) as backend:
        assert await backend.knows(VISITOR)
        assert not await backend.knows(SecretStr("another"))
        upstream.plays(recording("auth_check_head_valid"))
        assert await backend.knows(VISITOR)
    assert {(sent.method, sent.target, sent.body) for sent in upstream.requests} == {
        ("HEAD", "/api/auth/check", b"")
    }
    # The 401 sets a cookie; the next visitor's request has the visitor's own and no other.
    assert [sent.header("cookie") for sent in upstream.requests] == [
        "neptun-session=a-visitors-own-session",
        "neptun-session=another",
        "neptun-session=a-visitors-own-session",
    ]


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (Play(status=500), Rejected),
        (Play(status=200, headers={"content-type": "text/html"}), Rejected),  # of whatever answers to all
        (redirect("/login"), Rejected),
        (closes(), Cut),
        (hangs(), TimedOut),
    ],
    ids=["500", "200", "redirect", "closes", "hangs"],
)
async def test_a_check_that_tells_nothing_is_a_failure(upstream, play, error, caplog):
    upstream.plays(play)
    async with neptun(upstream.url, idle=0.2) as backend:
        with pytest.raises(error) as raised:
            await backend.knows(VISITOR)
    for words in (words_of(raised.value), caplog.text):
        assert VISITOR.get_secret_value() not in words


async def test_a_check_ends_in_time_whatever_the_limits_of_answers_are(upstream, monkeypatch):
    monkeypatch.setattr("neptun_demo.backends.neptun.CHECK_TIMEOUT", 0.1)
    upstream.plays(hangs())
    async with neptun(upstream.url, idle=60) as backend:
        with pytest.raises(TimedOut, match=r"did not answer the check within 0\.1 seconds"):
            await backend.knows(VISITOR)
