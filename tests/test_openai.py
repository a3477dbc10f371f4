"""OpenAI's routes, as the `openai` package sees them, and `llm` on top of it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from playground import Playground
from test_wires import HARD, HARD_TEXT, thinking
from upstream import Gate, Play, Upstream, cloudflare_error, data_lines, forever, hangs, recording, sse

from neptun_demo.api.completion_errors import error_object
from neptun_demo.errors import OverBudget

openai = pytest.importorskip("openai", reason="no openai package here (tests/requirements.txt)")

MODEL = "llama-3.3-70b-instruct-fp8-fast"
OPEN_MODEL = "gpt-oss-20b"  # of the family that takes `stop` and a reasoning effort
VISITOR = "a-visitors-own-session"
HELLO: Any = [{"role": "user", "content": "Hello, how are you?"}]


def client_of(app: Playground, key: str | None = None) -> Any:
    return openai.OpenAI(base_url=f"{app.url}/v1", api_key=key or app.key, timeout=20)


# One for all tests: to make a client takes longer than to ask with it.
@pytest.fixture(scope="module")
def both(connected_playground: Playground) -> Iterator[tuple[Any, Any]]:
    with (
        closing(client_of(connected_playground)) as client,
        closing(client_of(connected_playground, VISITOR)) as visitor,
    ):
        yield client, visitor


@pytest.fixture
def client(playground: Playground, both: tuple[Any, Any]) -> Any:  # noqa: ARG001 - makes the upstreams fresh
    """The client of somebody who has the playground's key; Workers AI is the app's own back end."""
    return both[0]


@pytest.fixture
def visitor(playground: Playground, both: tuple[Any, Any]) -> Any:  # noqa: ARG001 - makes the upstreams fresh
    """The client of somebody who has a Neptun session."""
    return both[1]


def ask(client: Any, messages: Any = HELLO, model: str = MODEL, **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=messages, **more)


def refusal(client: Any, **more: Any) -> Any:
    """What the client raises, which is always one of its own exceptions with OpenAI's error in it."""
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, **more)
    assert set(raised.value.body) == {"message", "type", "param", "code"}
    return raised.value


# Answers


def test_an_answer_in_one_piece(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(HARD)
    answer = ask(client)
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model) == ("chat.completion", f"workers-ai/{MODEL}")
    assert answer.created > 1_700_000_000
    [choice] = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert choice.message.content == HARD_TEXT
    assert choice.native_finish_reason == "unknown"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 11, 18)


def test_a_streamed_answer(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(HARD)
    chunks = list(ask(client, stream=True))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == len({chunk.created for chunk in chunks}) == 1
    assert {chunk.model for chunk in chunks} == {f"workers-ai/{MODEL}"}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == HARD_TEXT
    assert [chunk.choices[0].delta.role for chunk in chunks[:2]] == ["assistant", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]
    assert all(chunk.usage is None for chunk in chunks)


def test_usage_is_the_last_chunk_where_it_is_asked_for(client: Any, workers_ai: Upstream) -> None:
    counted = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
    workers_ai.plays(sse({"response": "Hi"}, {"response": "", "usage": counted}))
    *chunks, last = ask(client, stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert (last.usage.total_tokens, last.usage.prompt_tokens_details.cached_tokens) == (9, 5)
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True])
def test_what_nobody_counted_is_not_made_up(visitor: Any, neptun: Upstream, stream: bool) -> None:
    neptun.plays(recording("ok_playground"))
    options = {"stream_options": {"include_usage": True}} if stream else {}
    answer = ask(visitor, model=f"neptun/{MODEL}", stream=stream, **options)
    last = list(answer)[-1] if stream else answer
    assert last.usage is None
    assert last.choices[0].finish_reason == "stop"


def test_thinking_is_reasoning_content(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(thinking("Let me ", "see.", text="Here."))
    message = ask(client).choices[0].message
    assert (message.reasoning_content, message.content) == ("Let me see.", "Here.")
    deltas = [chunk.choices[0].delta for chunk in ask(client, stream=True)]
    thoughts = [getattr(delta, "reasoning_content", None) for delta in deltas]
    assert thoughts == ["Let me ", "see.", None, None]
    assert [delta.content for delta in deltas] == [None, None, "Here.", None]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("eos", "stop"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_reasons_are_openais_words(
    client: Any, workers_ai: Upstream, reason: str, expected: str, stream: bool
) -> None:
    workers_ai.plays(thinking(text="Hi", reason=reason))
    answer = ask(client, stream=stream)
    choice = (list(answer)[-1] if stream else answer).choices[0]
    assert (choice.finish_reason, choice.native_finish_reason) == (expected, reason)


def test_the_endpoints_cap_is_length(visitor: Any, neptun: Upstream) -> None:
    neptun.plays(data_lines("a word " * 120))
    choice = ask(visitor, model=f"neptun/{MODEL}").choices[0]
    assert choice.finish_reason == "length"
    assert "probably cut" in choice.native_finish_reason


def test_chunks_are_written_in_ascii(playground: Playground, workers_ai: Upstream) -> None:
    """So that a client which takes U+2028 for a line end reads them right all the same."""
    workers_ai.plays(HARD)
    body = {"model": MODEL, "messages": HELLO, "stream": True}
    url, headers = f"{playground.url}/v1/chat/completions", {"Authorization": f"Bearer {playground.key}"}
    answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=60)
    assert answer.content.isascii()
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.text.endswith("\n\ndata: [DONE]\n\n")


def test_chunks_come_one_by_one(visitor: Any, neptun: Upstream) -> None:
    gate = Gate()
    neptun.plays(Play(chunks=('0:"one"\n', gate, '0:" two"\n')))
    chunks = ask(visitor, model=f"neptun/{MODEL}", stream=True)
    assert next(chunks).choices[0].delta.content == "one"  # and the upstream has sent no more than that
    gate.open()
    assert [chunk.choices[0].delta.content for chunk in chunks] == [" two", None]


def test_the_helpers_of_the_package_read_a_stream(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(thinking(text="Hi there"))
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hi there"


def test_asynchronously_in_one_piece_and_as_a_stream(playground: Playground, workers_ai: Upstream) -> None:
    async def both() -> tuple[str, str]:
        key, url = playground.key, f"{playground.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=key, timeout=20) as client:
            answer = await client.chat.completions.create(model=MODEL, messages=HELLO)
            text = ""
            async for chunk in await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
                text += chunk.choices[0].delta.content or ""
            return answer.choices[0].message.content, text

    workers_ai.plays(HARD)
    assert asyncio.run(both()) == (HARD_TEXT, HARD_TEXT)


def test_the_offline_guide_answers(offline_playground: Playground) -> None:
    with closing(client_of(offline_playground)) as client:
        answer = ask(client, messages=[{"role": "user", "content": "/demo length"}])
        assert answer.model == "offline/offline-guide"
        assert answer.choices[0].message.content.startswith("This is the offline guide")
        assert answer.choices[0].finish_reason == "length"


# Models


def test_the_list_of_models_names_each_as_it_can_be_asked(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    models = list(client.models.list())
    names = [model.id for model in models]
    assert len(set(names)) == len(names)
    assert {f"neptun/{MODEL}", f"workers-ai/{MODEL}", f"workers-ai/{OPEN_MODEL}", "offline/offline-guide"} <= {
        *names
    }
    assert {model.object for model in models} == {"model"}
    for name in names:
        if name.startswith("workers-ai/"):
            assert ask(client, model=name).model == name
    assert client.models.retrieve(names[0]) == models[0]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


@pytest.mark.parametrize(
    "name",
    [
        *(MODEL, MODEL.upper(), f"cloudflare/{MODEL}", f"@cf/meta/{MODEL}"),
        *(f"workers-ai/{MODEL}", f"workers-ai/@cf/meta/{MODEL}", f"workers-ai/cloudflare/{MODEL}"),
    ],
)
def test_a_model_is_found_by_each_of_its_names(client: Any, workers_ai: Upstream, name: str) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    assert ask(client, model=name).choices[0].message.content == "ok"
    assert workers_ai.requests[0].path.endswith(f"/ai/run/@cf/meta/{MODEL}")


def test_a_name_that_only_another_back_end_knows_goes_there(client: Any) -> None:
    answer = ask(client, model="offline-guide", messages=[{"role": "user", "content": "/demo"}])
    assert answer.model == "offline/offline-guide"


@pytest.mark.parametrize("name", ["gpt-9", "neptun/gpt-9", "llama-3.1-8b-instruct", "nobody/x", "workers-ai/"])
def test_an_unknown_or_retired_model_is_not_found(client: Any, workers_ai: Upstream, name: str) -> None:
    credential = VISITOR if name.startswith("neptun") else client.api_key
    error = refusal(client.with_options(api_key=credential), model=name)
    assert isinstance(error, openai.NotFoundError)
    assert (error.param, error.code, error.type) == ("model", "model_not_found", "invalid_request_error")
    assert workers_ai.requests == []


# What is asked


def test_system_and_developer_messages_become_the_system_prompt(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "?"}]},
        {"role": "assistant", "content": "First.", "reasoning_content": "hm", "tool_calls": []},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind. 😀"}]},
        {"role": "user", "content": "Two?", "name": "Ada"},
    ]
    ask(client, messages=messages)
    assert workers_ai.requests[0].json()["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind. 😀"},
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "First."},
        {"role": "user", "content": "Two?"},
    ]


def test_parameters_are_passed_on(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    given = {"temperature": 0.2, "top_p": 0.9, "seed": 7, "max_tokens": 99, "frequency_penalty": 0.5}
    ask(client, **given, extra_body={"top_k": 5})
    assert workers_ai.requests[0].json().items() >= {**given, "top_k": 5}.items()
    given = {"stop": ["\n", "END"], "reasoning_effort": "low"}
    ask(client, model=OPEN_MODEL, **given, max_completion_tokens=98)
    sent = workers_ai.requests[1].json()
    assert {name: sent[name] for name in (*given, "max_tokens")} == {**given, "max_tokens": 98}


NOTHING = {
    **dict.fromkeys(["temperature", "top_p", "seed", "max_tokens", "reasoning_effort", "stream", "unheard_of"]),
    "n": 1,
    "frequency_penalty": 0.0,
    "presence_penalty": 0,
    "max_completion_tokens": -1,
    "stop": [],
    "logprobs": False,
    "logit_bias": {},
    "tools": [],
    "tool_choice": "none",
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "modalities": ["text"],
    "stream_options": {"include_usage": True},
    "store": False,
    "service_tier": "auto",
    "user": "ada",
    "metadata": {"a": "b"},
    "safety_identifier": "x",
}


def test_what_asks_for_nothing_is_accepted_everywhere(
    client: Any, visitor: Any, workers_ai: Upstream, neptun: Upstream
) -> None:
    neptun.plays(data_lines("ok"))
    workers_ai.plays(sse({"response": "ok"}))
    assert ask(visitor, model=f"neptun/{MODEL}", extra_body=NOTHING).choices[0].message.content == "ok"
    minus = {"temperature": -1, "top_p": -1, "seed": -1, "max_tokens": -1}
    assert ask(client, extra_body=NOTHING | minus).choices[0].message.content == "ok"
    assert set(workers_ai.requests[0].json()) == {"messages", "stream", "max_tokens"}


def test_halves_of_characters_are_no_trouble(playground: Playground, workers_ai: Upstream) -> None:
    """JavaScript writes them as escapes where it cut a text in two."""
    workers_ai.plays(sse({"response": "ok"}))
    half = "a\ud83d"
    body = {
        "model": OPEN_MODEL,
        "messages": [{"role": "system", "content": half}, {"role": "user", "content": half}],
    }
    more = {"stop": [half], "prompt_cache_key": half}
    url, headers = f"{playground.url}/v1/chat/completions", {"Authorization": f"Bearer {playground.key}"}
    for given, status in ((body | more, 200), ({**body, "model": half}, 400), ({**body, half: 1}, 400)):
        answer = httpx.post(url, content=json.dumps(given), headers=headers, trust_env=False, timeout=60)
        assert answer.status_code == status
    sent = workers_ai.requests[0].json()
    assert [message["content"] for message in sent["messages"]] == ["a\ufffd", "a\ufffd"]
    assert sent["stop"] == ["a\ufffd"]


def test_a_cache_key_keeps_a_conversation_together(client: Any, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    for key in ("mine", "mine", "other\r\nx: y"):
        ask(client, prompt_cache_key=key)
    first, second, third = (request.header("x-session-affinity") for request in workers_ai.requests)
    assert first == second != third


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"store": True}, "store"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"stop": ["x"]}, "stop"),  # which models of this family have not
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"thinking_budget": 5}, "thinking_budget"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_not_supported_is_refused_by_name(
    client: Any, workers_ai: Upstream, given: dict[str, Any], param: str, stream: bool
) -> None:
    error = refusal(client, extra_body=given, stream=stream)
    assert isinstance(error, openai.BadRequestError)
    assert (error.param, error.code, error.type) == (param, "unsupported_parameter", "invalid_request_error")
    assert param in error.body["message"]
    assert workers_ai.requests == []


@pytest.mark.parametrize("param", ["temperature", "seed", "max_tokens", "max_completion_tokens", "stop"])
@pytest.mark.parametrize("model", [f"neptun/{MODEL}", "offline/offline-guide"])
def test_a_back_end_without_parameters_says_so(playground: Playground, model: str, param: str) -> None:
    credential = VISITOR if model.startswith("neptun") else playground.key
    with closing(client_of(playground, credential)) as client:
        error = refusal(client, model=model, extra_body={param: "x" if param == "stop" else 1})
    assert (error.status_code, error.param, error.code) == (400, param, "unsupported_parameter")
    assert "takes no sampling parameters" in error.body["message"]


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "5", "tool_call_id": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [*HELLO, {"role": "narrator", "content": "5"}]}, "messages[1].role"),
        (
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " "}]},
            "messages[1].content",
        ),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "messages"),
        ({"messages": [{"role": "system"}, *HELLO]}, "messages[0].content"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": None}, "messages"),
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"temperature": 9}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"seed": 1.5}, "seed"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 10**9}, "max_completion_tokens"),
        ({"max_completion_tokens": 5, "max_tokens": 6}, "max_completion_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ],
)
def test_a_bad_request_names_its_place(
    client: Any, workers_ai: Upstream, given: dict[str, Any], param: str
) -> None:
    error = refusal(client, extra_body=given)
    assert isinstance(error, openai.BadRequestError)
    assert (error.param, error.type, error.code) == (param, "invalid_request_error", "invalid_value")
    assert workers_ai.requests == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(playground: Playground, body: bytes) -> None:
    url, key = f"{playground.url}/v1/chat/completions", playground.key
    answer = httpx.post(
        url, content=body, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_last_message_is_the_users(client: Any) -> None:
    error = refusal(client, messages=[*HELLO, {"role": "assistant", "content": "Fine."}])
    assert error.status_code == 400


def test_a_system_prompt_is_refused_where_there_is_none(visitor: Any, neptun: Upstream) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *HELLO]
    error = refusal(visitor, model=f"neptun/{MODEL}", messages=messages)
    assert "takes no system prompt" in error.body["message"]
    assert neptun.requests == []


# Failures


def test_without_the_right_key_nothing_else_is_looked_at(playground: Playground, workers_ai: Upstream) -> None:
    with closing(client_of(playground, "pg-not-this-key")) as client:
        error = refusal(client, extra_body={"messages": 5})
    assert isinstance(error, openai.AuthenticationError)
    assert (error.code, error.param) == ("invalid_api_key", None)
    assert "playground's key" in error.body["message"]
    answer = httpx.post(f"{playground.url}/v1/chat/completions", content=b"{", trust_env=False, timeout=60)
    assert answer.status_code == 401
    assert workers_ai.requests == []


def test_a_key_without_a_session_behind_it_is_no_key_for_neptun(client: Any, neptun: Upstream) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        ask(client, model=f"neptun/{MODEL}")
    said = raised.value.body["message"]  # type: ignore[index]
    assert "the host has set up none. Give as the API key the value of your own" in said
    assert "Give as the API key this playground's key" not in said
    assert not neptun.requests


def test_a_session_is_told_which_models_it_opens(visitor: Any, workers_ai: Upstream) -> None:
    error = refusal(visitor)
    assert error.status_code == 401
    assert "neptun/NAME" in error.body["message"]
    assert workers_ai.requests == []


QUOTA, INVALID = "insufficient_quota", "invalid_request_error"


@pytest.mark.parametrize(
    ("play", "raised", "status", "kind", "code"),
    [
        (cloudflare_error(4006, "used up", 429), openai.RateLimitError, 429, QUOTA, QUOTA),
        (cloudflare_error(5021, "long", 413), openai.BadRequestError, 400, INVALID, "context_length_exceeded"),
        (cloudflare_error(5007, "no such model", 400), openai.BadRequestError, 400, INVALID, None),
        (cloudflare_error(10000, "bad token", 401), openai.InternalServerError, 500, "server_error", None),
        (cloudflare_error(3007, "timeout", 408), openai.InternalServerError, 504, "server_error", None),
        (sse({"error": {"message": "broken"}}), openai.InternalServerError, 502, "server_error", None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_answer_has_its_status(
    client: Any, workers_ai: Upstream, play: Play, raised: Any, status: int, kind: str, code: Any, stream: bool
) -> None:
    workers_ai.plays(play)
    error = refusal(client, stream=stream)
    assert type(error) is raised
    assert (error.status_code, error.type, error.code) == (status, kind, code)
    assert len(workers_ai.requests) == 1, "the back end asks again where it may; the client must not"


def test_a_rejected_session_is_an_invalid_key(visitor: Any, neptun: Upstream) -> None:
    neptun.plays(recording("invalid_cookie"))
    error = refusal(visitor, model=f"neptun/{MODEL}")
    assert (error.status_code, error.code) == (401, "invalid_api_key")
    assert VISITOR not in str(error)


def test_a_long_wait_is_told_and_not_waited_for(client: Any, workers_ai: Upstream) -> None:
    headers = {"content-type": "application/json", "retry-after": "3600"}
    workers_ai.plays(cloudflare_error(3040, "no capacity", 429, headers=headers))
    error = refusal(client)
    assert (error.status_code, error.type, error.code) == (429, "requests", "rate_limit_exceeded")
    assert error.response.headers["retry-after"] == "3600"
    assert len(workers_ai.requests) == 1


@pytest.mark.parametrize(
    ("wait", "code"), [(5.0, "rate_limit_exceeded"), (7200.0, QUOTA), (None, "rate_limit_exceeded")]
)
def test_the_hosts_budget_is_a_quota_when_the_day_is_over(wait: float, code: str) -> None:
    said = error_object(OverBudget("Used up.", "Come back.", retry_after=wait))
    assert (said["code"], said["message"]) == (code, "Used up. Come back.")


@pytest.mark.parametrize("ended", ["cut", "reset"])
def test_a_failure_in_mid_answer_is_raised_by_the_client(visitor: Any, neptun: Upstream, ended: Any) -> None:
    neptun.plays(recording("up_cut_mid", ended=ended))
    text = ""
    with pytest.raises(openai.APIError, match="The Neptun endpoint") as raised:  # noqa: PT012 - the text comes first
        for chunk in ask(visitor, model=f"neptun/{MODEL}", stream=True):
            text += chunk.choices[0].delta.content
    assert text == "one two three"
    assert raised.value.type == "server_error"
    assert refusal(visitor, model=f"neptun/{MODEL}").status_code == 502


def test_what_is_not_here_is_refused_in_openais_shape(client: Any) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.embeddings.create(model=MODEL, input="x")
    assert raised.value.code == "unknown_url"
    for path in ("/v1/models", "/v1/chat/completions", "/v1/models/x"):
        answer = httpx.put(str(client.base_url).removesuffix("/v1/") + path, trust_env=False)
        assert answer.status_code == 405
        assert answer.headers["allow"] in ("POST", "GET, HEAD")
        assert answer.json()["error"]["code"] == "method_not_supported"


# Callers that leave


def test_a_stream_that_is_closed_closes_the_upstream(visitor: Any, neptun: Upstream) -> None:
    neptun.plays(Play(chunks=[forever('0:"tick "\n')], gap=0.05))
    with ask(visitor, model=f"neptun/{MODEL}", stream=True) as chunks:
        assert next(chunks).choices[0].delta.content == "tick "
    assert neptun.arrived().left.wait(5)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "play",
    [
        pytest.param(Play(chunks=[forever('0:"tick "\n')], gap=0.05), id="text flows"),
        pytest.param(hangs(), id="silent"),
    ],
)
def test_a_cancelled_call_closes_the_upstream(
    patient_playground: Playground, neptun: Upstream, play: Play, stream: bool
) -> None:
    async def cancelled() -> None:
        url = f"{patient_playground.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=VISITOR, timeout=20) as client:
            call = asyncio.create_task(drained(client))
            exchange = await asyncio.to_thread(neptun.arrived)
            if play.head:
                await asyncio.to_thread(exchange.begun.wait, 20)
            call.cancel()
            assert await asyncio.to_thread(exchange.left.wait, 5)

    async def drained(client: Any) -> None:
        answer = await client.chat.completions.create(model=f"neptun/{MODEL}", messages=HELLO, stream=stream)
        async for _ in answer:
            pass

    neptun.plays(play)
    asyncio.run(cancelled())


def test_a_caller_that_leaves_while_it_still_asks_is_no_trouble(playground: Playground) -> None:
    with socket.create_connection(("127.0.0.1", playground.port), timeout=5) as connection:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
        connection.sendall(head + b"{")
    answer = httpx.get(f"{playground.url}/health", trust_env=False, timeout=60)
    assert answer.status_code == 200
    assert "Traceback" not in playground.output()


# A tool on top


def test_llm_answers_with_it(playground: Playground, workers_ai: Upstream, tmp_path: Path) -> None:
    pytest.importorskip("llm", reason="no llm here (tests/requirements.txt)")
    workers_ai.plays(HARD)
    streamed = llm(playground, tmp_path / "streamed")
    whole = llm(playground, tmp_path / "whole", "--no-stream")
    for process in (streamed, whole):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.decode() == HARD_TEXT + "\n"
    sent = [request.json() for request in workers_ai.requests]
    assert [body["temperature"] for body in sent] == [0.5, 0.5]
    assert [body["messages"][0] for body in sent] == [{"role": "system", "content": "Be brief."}] * 2


def llm(app: Playground, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """The command line tool, set up as its documentation says, with a folder of its own."""
    folder.mkdir()
    model = {"model_id": "pg", "model_name": MODEL, "api_base": f"{app.url}/v1", "api_key_name": "pg"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model]))  # JSON is YAML
    command = [sys.executable, "-m", "llm", "-m", "pg", "--key", app.key, "-s", "Be brief."]
    env = {**os.environ, "LLM_USER_PATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*command, "-o", "temperature", "0.5", *options, "Hello"], env=env, stdout=pipe, stderr=pipe
    )
