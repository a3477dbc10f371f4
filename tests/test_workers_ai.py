"""The Workers AI back end: what it sends, every shape of an answer, and what each error means."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from test_http import IDLE, Heard, Wire, assert_left, hear, seen, words_of
from upstream import (
    Gate,
    Play,
    Upstream,
    closes,
    cloudflare_error,
    forever,
    hangs,
    json_answer,
    redirect,
    resets,
    sse,
)

from neptun_demo.backends.http import LONGEST_BODY
from neptun_demo.backends.http import Upstream as FarEnd
from neptun_demo.backends.protocol import Question
from neptun_demo.backends.workers_ai import WorkersAI
from neptun_demo.backends.workers_ai_errors import MEANINGS, QUOTA, cleaned
from neptun_demo.contract import Message
from neptun_demo.errors import Cut, EmptyAnswer, Malformed, Rejected, Reported, TimedOut
from neptun_demo.models import WORKERS_AI_MODELS
from neptun_demo.streams import UNKNOWN, Usage

pytestmark = pytest.mark.anyio

ACCOUNT, TOKEN = "0123456789abcdef0123456789abcdef", "a-token-of-the-host/with+signs="
LLAMA, GPT_OSS, INLINE = (
    next(model for model in WORKERS_AI_MODELS if model.name == name)
    for name in ("llama-3.3-70b-instruct-fp8-fast", "gpt-oss-20b", "deepseek-r1-distill-qwen-32b")
)


@asynccontextmanager
async def workers_ai(url: str, *, idle: float = 10.0) -> AsyncIterator[WorkersAI]:
    far_end = FarEnd("Workers AI", connect_timeout=10, idle_timeout=idle)
    backend = WorkersAI(far_end, url, ACCOUNT, TOKEN, backoff=(0.01, 0.02))
    try:
        yield backend
    finally:
        await backend.aclose()


def asking(**more: Any) -> Question:
    messages = [Message(role="user", content="hi")]
    return Question(**{"model": LLAMA, "messages": messages, "parameters": {"max_tokens": 77}, **more})


async def ask(upstream: Upstream, *plays: Play, idle: float = 10.0, **more: Any) -> Heard:
    upstream.plays(*plays)
    async with workers_ai(upstream.url, idle=idle) as backend:
        return await hear(backend.answer(asking(**more)))


# What is sent


async def test_the_request(upstream):
    messages = [
        Message(role="user", content="a <b>"),
        Message(role="assistant", content=""),
        Message(role="user", content="ü"),
    ]
    await ask(
        upstream,
        sse({"response": "Hello"}),
        messages=messages,
        system="Be brief.",
        parameters={"max_tokens": 512, "temperature": 0.2},
        conversation="c-1",
    )
    sent = upstream.requests[0]
    assert sent.method == "POST"
    assert sent.target == f"/accounts/{ACCOUNT}/ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast"
    assert sent.header("authorization") == f"Bearer {TOKEN}"
    assert sent.header("content-type") == "application/json"
    assert sent.header("x-session-affinity") == "c-1"
    assert sent.header("cookie") is None
    assert sent.json() == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "a <b>"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": "ü"},
        ],
        "stream": True,
        "max_tokens": 512,
        "temperature": 0.2,
    }


async def test_without_a_system_prompt_and_a_conversation_there_are_none(upstream):
    await ask(upstream, sse({"response": "Hello"}))
    sent = upstream.requests[0]
    assert sent.header("x-session-affinity") is None
    assert sent.json() == {"messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 77}


async def test_a_conversation_may_be_named_anything(upstream):
    await ask(upstream, sse({"response": "Hello"}), conversation="ü\r\nX-Evil: 1\ud83d")
    assert upstream.requests[0].header("x-session-affinity") == "%C3%BC%0D%0AX-Evil%3A%201%3F"


async def test_a_gateway_is_a_base_of_its_own(upstream):
    upstream.plays(sse({"response": "Hello"}))
    async with workers_ai(f"{upstream.url}/v1/{ACCOUNT}/gate/workers-ai") as backend:
        heard = await hear(backend.answer(asking()))
        assert await backend.models() == []
    assert heard.text == "Hello"
    (sent,) = upstream.requests
    assert sent.target == f"/v1/{ACCOUNT}/gate/workers-ai/@cf/meta/llama-3.3-70b-instruct-fp8-fast"
    assert sent.header("authorization") == f"Bearer {TOKEN}"


async def test_nothing_is_escaped_and_nothing_else_refused():
    async with workers_ai("http://nobody") as backend:
        assert backend.escaped([Message(role="user", content="<b>")]) == 0
        backend.check(asking(system="Be brief."))


# Streams


NATIVE = (
    {"response": "", "tool_calls": [], "p": "abdefghij"},
    {"response": "You", "p": "abdefghijklmnop"},
    {"response": " 2"},
    {"response": "", "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}},
)
TOTAL = {"prompt_tokens": 147, "completion_tokens": 16, "prompt_tokens_details": {"cached_tokens": 5}}
CHUNKS = (
    {"choices": [{"delta": {"content": "", "reasoning_content": None}, "finish_reason": None}]},
    {"choices": [{"delta": {"reasoning_content": "Hm."}}]},
    {"choices": [{"delta": {"content": " Hi", "reasoning_content": None}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 1}},
    {"response": "", "usage": {**TOTAL, "neurons": 1.77}},
)


async def test_a_native_stream(upstream):
    heard = await ask(upstream, sse(*NATIVE))
    assert (heard.text, heard.thinking, heard.reason) == ("You 2", "", UNKNOWN)
    assert heard.usage == Usage(prompt_tokens=3, completion_tokens=1)


async def test_chunks_that_end_in_a_native_total(upstream):
    heard = await ask(upstream, sse(*CHUNKS))
    assert (heard.text, heard.thinking, heard.reason) == (" Hi", "Hm.", "stop")
    assert heard.usage == Usage(147, 16, 5, 1.77)


async def test_text_comes_while_the_stream_runs(upstream):
    gate = Gate()
    upstream.plays(
        Play(
            headers={"content-type": "text/event-stream"},
            chunks=('data: {"response":"A"}\n\n', gate, 'data: {"response":"B"}\n\n'),
        )
    )
    async with workers_ai(upstream.url) as backend:
        answer = backend.answer(asking())
        assert (await anext(answer)).text == "A"
        gate.open()
        assert (await anext(answer)).text == "B"
        await answer.aclose()


async def test_numbers_stay_as_they_were_spelt(upstream):
    chunks = ("z is ", 3, ".", "1.50", " y is ", None, " flag is ", True)
    events = [json.dumps({"response": chunk}) for chunk in chunks]
    heard = await ask(upstream, sse(*events, '{"response":1.50}', '{"response":0}'))
    assert heard.text == "z is 3.1.50 y is null flag is true1.500"


@pytest.mark.parametrize("type_", ["application/json", "text/plain", "", "text/event-stream; charset=utf-8"])
async def test_a_stream_is_one_whatever_its_type(upstream, type_):
    heard = await ask(upstream, sse(*CHUNKS, headers={"content-type": type_}))
    assert (heard.text, heard.reason) == (" Hi", "stop")


@pytest.mark.parametrize("done", [True, False])
async def test_the_end_may_be_told_or_not(upstream, done):
    heard = await ask(upstream, sse({"response": "A"}, done=done))
    assert (heard.text, heard.reason) == ("A", UNKNOWN)
    assert len(upstream.requests) == 1


async def test_thinking_within_the_text_is_told_apart(upstream):
    tokens = ("<thi", "nk>", "Hm.", "</think>", "\n", "Yes", " <b>")
    heard = await ask(upstream, sse(*({"response": token} for token in tokens)), model=INLINE)
    assert (heard.thinking, heard.text) == ("Hm.", "Yes <b>")


async def test_elsewhere_such_tags_are_text(upstream):
    heard = await ask(upstream, sse({"response": "<think>Hm.</think>Yes"}))
    assert (heard.thinking, heard.text) == ("", "<think>Hm.</think>Yes")


# The cost in a header


@pytest.mark.parametrize(
    ("events", "header", "usage"),
    [
        (NATIVE, "2.5", Usage(3, 1, None, 2.5)),
        (({"response": "A"},), "2.5", Usage(neurons=2.5)),
        (CHUNKS, "2.5", Usage(147, 16, 5, 1.77)),
        (NATIVE, "many", Usage(3, 1)),
        (NATIVE, "nan", Usage(3, 1)),
        (({"response": "A"},), None, None),
    ],
)
async def test_the_cost_is_the_streams_else_the_headers(upstream, events, header, usage):
    headers = {"content-type": "text/event-stream", **({"cf-ai-neurons": header} if header else {})}
    heard = await ask(upstream, sse(*events, headers=headers))
    assert heard.usage == usage
    assert heard.reason


# Answers in one piece


MESSAGE = {"content": "Hello", "reasoning_content": "Hm."}


@pytest.mark.parametrize("type_", ["application/json", "text/event-stream", "text/plain", ""])
@pytest.mark.parametrize(
    ("body", "thinking", "text", "reason"),
    [
        ('{"result":{"response":"Hello"},"success":true,"errors":[]}', "", "Hello", UNKNOWN),
        ('{"result":{"response":"Hello","finish_reason":"length"}}', "", "Hello", "length"),
        ('{"result":{"response":1.50}}', "", "1.50", UNKNOWN),
        ('{"result":{"response":0}}', "", "0", UNKNOWN),
        ('{"result":{"response":false}}', "", "false", UNKNOWN),
        ('{"result":{"response":{"a":[1,"ü"]}}}', "", '{"a":[1,"ü"]}', UNKNOWN),
        ('{"result":{"response":"\\ud83d\\ude00 \\ud83d"}}', "", "😀 \ufffd", UNKNOWN),
        ('\ufeff \r\n{"response":"Hello"}', "", "Hello", UNKNOWN),
        (
            json.dumps({"result": {"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}}),
            "Hm.",
            "Hello",
            "stop",
        ),
        (
            json.dumps(
                {"choices": [{"message": {"content": "Hello", "reasoning": "Hm."}}], "response": "Hello"}
            ),
            "Hm.",
            "Hello",
            UNKNOWN,
        ),
        ('{"result":{"choices":[{"message":{"content":null}}],"response":"Hello"}}', "", "Hello", UNKNOWN),
        ('{"result":{"choices":[{"message":{"content":7.0}}]}}', "", "7.0", UNKNOWN),
    ],
)
async def test_json_in_place_of_a_stream(upstream, type_, body, thinking, text, reason):
    heard = await ask(upstream, Play(headers={"content-type": type_}, chunks=(body[:3], body[3:])))
    assert (heard.thinking, heard.text, heard.reason) == (thinking, text, reason)
    assert len(upstream.requests) == 1


async def test_json_tells_its_usage_too(upstream):
    usage = {**TOTAL, "neurons": 1.77}
    heard = await ask(upstream, json_answer({"result": {"response": "Hello", "usage": usage}}))
    assert heard.usage == Usage(147, 16, 5, 1.77)


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ('{"result":', Malformed, "Workers AI sent JSON that cannot be read."),
        ('{"a":' * 100_000, Malformed, "Workers AI sent JSON that cannot be read."),
        (f'{{"response":{"[" * 1_010}{"]" * 1_010}}}', Malformed, "Workers AI sent JSON that cannot be read."),
        ('{"errors":[{"code":1,"message":"AiError: broken"}],"success":false}', Reported, "answer: broken."),
        ('{"error":"broken"}', Reported, "answer: broken."),
        ('{"error":{"message":"broken."}}', Reported, "answer: broken."),
    ],
)
async def test_json_that_is_no_answer(upstream, body, kind, sentence):
    heard = await ask(upstream, Play(headers={"content-type": "application/json"}, chunks=(body,)))
    assert heard.end == (kind, 502)
    assert sentence in heard.error.sentence
    assert len(upstream.requests) == 1


async def test_json_without_an_end_is_read_up_to_the_bound(upstream):
    heard = await ask(upstream, Play(chunks=('{"result":"', forever("x" * 65536))))
    assert heard.end == (Malformed, 502)
    await assert_left(upstream.exchanges[0])
    assert upstream.exchanges[0].sent * 65536 < 4 * LONGEST_BODY


# Empty, and asked again in one piece


EMPTY = [
    pytest.param(json_answer({"result": {}}), id="an empty result"),
    pytest.param(json_answer({"result": {"response": None}}), id="no response"),
    pytest.param(json_answer({"result": {"choices": []}}), id="no choice"),
    pytest.param(sse(), id="nothing but the end"),
    pytest.param(sse(done=False), id="nothing at all"),
    pytest.param(sse({"response": ""}, {"choices": [{"delta": {}, "finish_reason": "stop"}]}), id="no text"),
]


@pytest.mark.parametrize("empty", EMPTY)
async def test_what_is_empty_is_asked_again_in_one_piece(upstream, empty):
    heard = await ask(upstream, empty, json_answer({"result": {"response": "Hello"}}))
    assert heard.text == "Hello"
    assert heard.retries == []
    assert [request.json()["stream"] for request in upstream.requests] == [True, False]
    first, second = (request.json() for request in upstream.requests)
    assert {**first, "stream": False} == second


async def test_the_answer_in_one_piece_may_take_longer_than_the_limit(upstream):
    late = json_answer({"result": {"response": "Hello"}}, before=1.5 * IDLE)
    assert (await ask(upstream, json_answer({"result": {}}), late, idle=IDLE)).text == "Hello"


async def test_it_is_asked_again_once(upstream):
    heard = await ask(upstream, json_answer({"result": {}}))
    assert heard.end == (EmptyAnswer, 502)
    assert "without any text, also when it was asked again in one piece" in heard.error.sentence
    assert heard.retries == []
    assert len(upstream.requests) == 2


async def test_the_repetition_uses_up_no_retry(upstream):
    busy = cloudflare_error(3040, "Capacity temporarily exceeded", 429)
    whole = json_answer({"result": {"response": "Hello"}})
    heard = await ask(upstream, sse(), busy, sse(), busy, sse(), whole)
    assert heard.text == "Hello"
    assert [retry.attempt for retry in heard.retries] == [2, 3]
    assert [request.json()["stream"] for request in upstream.requests] == [True, False] * 3


# Thinking that used up the cap


THOUGHT = {"choices": [{"delta": {"reasoning": "Hm."}}]}
ENDS = {reason: {"choices": [{"delta": {}, "finish_reason": reason}]} for reason in ("length", "stop")}


@pytest.mark.parametrize(
    ("play", "sentence"),
    [
        (sse(THOUGHT, ENDS["length"]), "gpt-oss-20b used up its cap of 77 output tokens for thinking"),
        (sse(ENDS["length"]), "gpt-oss-20b used up its cap of 77 output tokens for thinking"),
        (
            json_answer({"result": {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}}),
            "gpt-oss-20b used up its cap of 77 output tokens for thinking",
        ),
        (sse(THOUGHT), "gpt-oss-20b probably used up its cap of 77 output tokens for thinking"),
    ],
)
async def test_a_cap_that_went_into_thinking_is_told(upstream, play, sentence):
    heard = await ask(upstream, play, model=GPT_OSS)
    assert heard.end == (EmptyAnswer, 502)
    assert heard.error.sentence.startswith(sentence)
    assert "billed" in heard.error.sentence
    assert heard.error.advice == "Raise the cap, or choose a lower reasoning effort."
    assert len(upstream.requests) == 1


async def test_the_cap_of_a_model_that_thinks_within_its_text(upstream):
    heard = await ask(upstream, sse({"response": "<think>Hm, "}, {"response": "well"}), model=INLINE)
    assert heard.thinking == "Hm, well"
    assert "probably used up its cap of 77" in heard.error.sentence
    assert heard.error.advice == "Raise the cap."  # of efforts it has no choice


async def test_the_cap_of_a_model_that_does_not_think(upstream):
    heard = await ask(upstream, sse(ENDS["length"]), model=LLAMA)
    assert heard.error.message == (
        "llama-3.3-70b-instruct-fp8-fast used up its cap of 77 output tokens before any text came."
        " The tokens were billed. Raise the cap."
    )


async def test_without_a_cap_it_is_the_providers(upstream):
    heard = await ask(upstream, sse(ENDS["length"]), model=GPT_OSS, parameters={})
    assert "its cap of 256" in heard.error.sentence


async def test_an_end_behind_the_thinking_is_not_the_cap(upstream):
    heard = await ask(upstream, sse(THOUGHT, ENDS["stop"]), model=GPT_OSS)
    assert heard.error.sentence == "gpt-oss-20b ended behind its thinking, without an answer."


async def test_an_answer_that_the_cap_cut_is_an_answer(upstream):
    heard = await ask(upstream, sse({"response": "Half a"}, ENDS["length"]))
    assert (heard.text, heard.reason) == ("Half a", "length")


# Refusals


HOST, CALLER = 500, 400
# code, HTTP, our status, a part of the sentence, a part of the advice
CODES = [
    (10000, 401, HOST, "API token", "CLOUDFLARE_API_TOKEN"),
    (10000, 403, HOST, "API token", "CLOUDFLARE_API_TOKEN"),
    (7003, 404, HOST, "account", "CLOUDFLARE_ACCOUNT_ID"),
    (7000, 404, HOST, "account", "CLOUDFLARE_ACCOUNT_ID"),
    (5007, 400, CALLER, "does not have this model", "Choose another"),
    (3042, 404, HOST, "does not have this model", "Choose another"),
    (5006, 400, CALLER, "refused the request", "parameters"),
    (8001, 422, CALLER, "refused the request", "parameters"),
    (5012, 400, CALLER, "refused the request", "parameters"),
    (5021, 413, 413, "context window", "Lower the cap"),
    (3010, 400, CALLER, "context window", "Lower the cap"),
    (3030, 413, 413, "context window", "Lower the cap"),
    (3006, 413, 413, "too large", "shorten"),
    (5016, 403, HOST, "licence", "dashboard"),
    (5035, 403, HOST, "paid plan", "free plan"),
    (5018, 403, HOST, "may not use", "another model"),
    (3041, 403, HOST, "may not use", "another model"),
    (3023, 403, HOST, "may not use", "another model"),
    (3007, 408, 504, "took too long", "smaller model"),
    (3008, 408, 504, "took too long", "smaller model"),
    (3046, 408, 504, "took too long", "smaller model"),
    (3040, 429, 429, "no capacity", "Try again"),
    (3036, 429, 429, "free allocation", "00:00 UTC"),
    (4006, 429, 429, "free allocation", "00:00 UTC"),
]


def test_each_code_is_expected():
    assert {code for code, *_ in CODES} == set(MEANINGS)
    assert set(MEANINGS) > QUOTA


@pytest.mark.parametrize(("code", "http", "status", "sentence", "advice"), CODES)
async def test_each_code_says_what_it_means_and_what_to_do(upstream, code, http, status, sentence, advice):
    heard = await ask(upstream, cloudflare_error(code, "AiError: the far end's words.", http))
    assert heard.end == (Rejected, status)
    assert (heard.error.code, heard.error.upstream_status) == (code, http)
    assert sentence in heard.error.sentence
    assert heard.error.sentence.endswith(f" ({http}, code {code}: the far end's words).")
    assert advice in heard.error.advice


@pytest.mark.parametrize(
    ("http", "status", "sentence", "advice"),
    [
        (302, 502, "redirects, which is not followed with a token (302).", "CLOUDFLARE_BASE_URL"),
        (400, 400, "refused the request (400).", "parameters"),
        (401, 500, "API token (401).", "CLOUDFLARE_API_TOKEN"),
        (403, 500, "API token (403).", "CLOUDFLARE_API_TOKEN"),
        (404, 500, "account (404).", "CLOUDFLARE_ACCOUNT_ID"),
        (405, 502, "failed (405).", "Try again"),
        (408, 504, "took too long (408).", "smaller model"),
        (413, 413, "too large for Workers AI (413).", "shorten"),
        (418, 502, "failed (418).", "Try again"),
        (422, 400, "refused the request (422).", "parameters"),
        (429, 429, "asked too often", "in a minute"),
        (500, 502, "failed (500).", "Try again"),
        (502, 502, "failed (502).", "Try again"),
        (503, 503, "failed (503).", "Try again"),
        (504, 502, "failed (504).", "Try again"),
        (204, 502, "failed (204).", "Try again"),
    ],
)
async def test_each_status_without_a_code(upstream, http, status, sentence, advice):
    heard = await ask(upstream, Play(status=http, chunks=("<html>no words",)))
    assert heard.end == (Rejected, status)
    assert sentence in heard.error.sentence
    assert advice in heard.error.advice


UUID = "6ad1b2e5-0000-4000-8000-00000000000F"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"errors": [{"message": f"AiError: AiError: Bad input ({UUID})", "code": 5006}]}, 5006, "Bad input"),
        ({"errors": [{"message": "AiError:Bad (a) input", "code": "5006"}]}, 5006, "Bad (a) input"),
        ({"errors": [{"code": 5006}]}, 5006, ""),
        ({"error": [{"code": 2001, "message": "Please configure"}]}, 2001, "Please configure"),
        ({"error": {"message": "Bad input.", "code": "invalid_value"}}, None, "Bad input"),
        ({"error": "Bad input"}, None, "Bad input"),
        ({"message": "Bad input"}, None, "Bad input"),
        ({"errors": []}, None, ""),
        ([1], None, ""),
        ("Bad input", None, "Bad input"),
        (f"AiError: Bad\ninput ({UUID})", None, "Bad input"),
        ("", None, ""),
    ],
)
async def test_each_shape_of_an_errors_body(upstream, body, code, words):
    raw = body if isinstance(body, str) else json.dumps(body)
    heard = await ask(upstream, Play(status=400, chunks=(raw,)))
    assert heard.error.code == code
    source = f"400, code {code}" if code else "400"
    assert heard.error.sentence.endswith(f" ({source}: {words})." if words else f" ({source}).")


def test_the_words_of_an_error_take_linear_time():
    words = f"a{' ' * 100_000}b"
    begun = time.process_time()
    assert cleaned(f"AiError: {words} ({UUID})") == words
    assert time.process_time() - begun < 2  # quadratic, it was ten


async def test_a_redirect_takes_no_token_along(upstream):
    assert (await ask(upstream, redirect(f"{upstream.url}/elsewhere"))).end == (Rejected, 502)
    assert len(upstream.requests) == 1


async def test_a_page_is_no_answer(upstream):
    page = Play(headers={"content-type": "Text/HTML; charset=utf-8"}, chunks=("<!DOCTYPE html>",))
    heard = await ask(upstream, page)
    assert heard.end == (Malformed, 502)
    assert "CLOUDFLARE_BASE_URL" in heard.error.advice


# Failures in the middle


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (({"errors": [{"code": 1, "message": f"AiError: broken ({UUID})"}]},), ": broken."),
        (({"error": {"message": "broken"}},), ": broken."),
        (({"error": "broken"},), ": broken."),
        (({"choices": [{"delta": {}, "finish_reason": "error"}]},), ", and did not say which."),
    ],
)
async def test_an_error_in_the_middle_keeps_the_text_so_far(upstream, events, words):
    heard = await ask(upstream, sse({"response": "so far"}, *events))
    assert (heard.end, heard.text) == ((Reported, 502), "so far")
    assert heard.error.sentence == f"Workers AI reported an error in the middle of its answer{words}"
    assert len(upstream.requests) == 1


SO_FAR = {"response": "so far"}


@pytest.mark.parametrize(
    ("play", "end", "text"),
    [
        pytest.param(hangs(), (TimedOut, 504), "", id="silent before the head"),
        pytest.param(sse(done=False, ended="open"), (TimedOut, 504), "", id="silent before the first piece"),
        pytest.param(
            sse(SO_FAR, done=False, ended="open"), (TimedOut, 504), "so far", id="silent in the middle"
        ),
        pytest.param(Play(chunks=('{"result":',), ended="open"), (TimedOut, 504), "", id="silent within JSON"),
        pytest.param(closes(), (Cut, 502), "", id="closed before the head"),
        pytest.param(resets(), (Cut, 502), "", id="reset before the head"),
        pytest.param(sse(done=False, ended="cut"), (Cut, 502), "", id="cut before the first piece"),
        pytest.param(sse(SO_FAR, done=False, ended="cut"), (Cut, 502), "so far", id="cut in the middle"),
        pytest.param(sse(SO_FAR, done=False, ended="reset"), (Cut, 502), "so far", id="reset in the middle"),
        pytest.param(Play(chunks=('{"result":',), ended="cut"), (Cut, 502), "", id="cut within JSON"),
        pytest.param(sse(SO_FAR, '{"respon'), (Malformed, 502), "so far", id="an event that is none"),
    ],
)
async def test_what_breaks_keeps_the_text_so_far_and_is_not_asked_again(upstream, play, end, text):
    heard = await ask(upstream, play, idle=IDLE if end[0] is TimedOut else 10)
    assert (heard.end, heard.text) == (end, text)
    assert heard.error.sentence.startswith("Workers AI ")
    assert len(upstream.requests) == 1


# Leaving


@pytest.mark.parametrize(
    ("plays", "number"),
    [
        pytest.param((hangs(),), 1, id="before the head"),
        pytest.param((sse(done=False, ended="open"),), 1, id="before the first piece"),
        pytest.param((sse(SO_FAR, done=False, ended="open"),), 1, id="in the middle, silent"),
        pytest.param((Play(chunks=(forever('data: {"response":"x"}\n\n'),), gap=0.01),), 1, id="talking"),
        pytest.param((Play(chunks=('{"result":',), ended="open"),), 1, id="within JSON"),
        pytest.param((Play(status=500, chunks=("{",), ended="open"),), 1, id="within a refusal"),
        pytest.param((sse(), hangs()), 2, id="in the repetition"),
        pytest.param((sse(SO_FAR, ended="open"),), 1, id="after the end was told"),
    ],
)
async def test_whoever_leaves_closes_the_connection(upstream, plays, number):
    upstream.plays(*plays)
    async with workers_ai(upstream.url, idle=30) as backend:
        task = asyncio.create_task(hear(backend.answer(asking())))
        exchange = await seen(upstream, number)
        task.cancel()
        await assert_left(exchange)
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("model", [LLAMA, INLINE])
async def test_closing_the_answer_closes_the_connection(upstream, model):
    upstream.plays(sse(SO_FAR, done=False, ended="open"))
    async with workers_ai(upstream.url, idle=30) as backend:
        answer = backend.answer(asking(model=model))
        await anext(answer)
        await answer.aclose()
        await assert_left(await seen(upstream))


# Secrets


ECHO = f"Could not route to /accounts/{ACCOUNT}/ai/run with {TOKEN}"


@pytest.mark.parametrize(
    "play",
    [
        cloudflare_error(7003, ECHO, 404),
        Play(status=404, chunks=(ECHO,)),
        Play(status=404, chunks=("x" * 290 + TOKEN,)),
        json_answer({"errors": [{"message": ECHO}]}),
        sse({"response": "so far"}, {"error": ECHO}),
    ],
)
async def test_credentials_that_are_echoed_are_not_told(upstream, play, caplog):
    wire = Wire()
    heard = await ask(upstream, play, watch=wire)
    for secret in (ACCOUNT, TOKEN, TOKEN[:10]):
        assert secret not in words_of(heard.error)
        assert secret not in wire.all
        assert secret not in caplog.text
    assert "$CLOUDFLARE_API_TOKEN" in wire.all
    assert "$CLOUDFLARE_ACCOUNT_ID" in wire.all


async def test_a_watch_sees_each_request(upstream):
    wire = Wire()
    await ask(upstream, sse(), json_answer({"result": {"response": "Hello"}}), watch=wire)
    assert [json.loads(body)["stream"] for *_, body in wire.requests] == [True, False]
    assert [status for status, _ in wire.heads] == [200, 200]
    _, url, headers, _ = wire.requests[0]
    assert url == f"{upstream.url}/accounts/$CLOUDFLARE_ACCOUNT_ID/ai/run/{LLAMA.id}"
    assert headers["Authorization"] == "Bearer $CLOUDFLARE_API_TOKEN"
