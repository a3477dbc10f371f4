"""The wires of the documented route: as bytes, and as both generations of the AI SDK read them under node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playground import Playground
from upstream import Gate, Play, Upstream, cloudflare_error, forever, recording, sse

PATH = "/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat"
ASK = {"messages": [{"role": "user", "content": "Hello, how are you?"}]}
VISITOR = "a-visitors-own-session"
NODE_FOLDER = Path(__file__).with_name("node")

# Everything that a decoder has been seen to get wrong, as Workers AI sends it, and the text that it means.
HARD = sse(
    '{"response":"a\u2028b\u2029c\u0085d "}',
    '{"response":3}',
    '{"response":"."}',
    '{"response":1.50}',
    '{"response":" "}',
    '{"response":true}',
    '{"response":null}',
    '{"response":0}',
    '{"response":" \\ud83d"}',
    '{"response":"\\ude00 data: x\\n\\n0:\\"y\\"\\n"}',
    '{"response":"👩\u200d👧 \\\\ \\u0000 </script> é"}',
    '{"response":"","usage":{"prompt_tokens":7,"completion_tokens":11,"total_tokens":18}}',
)
HARD_TEXT = 'a\u2028b\u2029c\u0085d 3.1.50 truenull0 😀 data: x\n\n0:"y"\n👩\u200d👧 \\ \u0000 </script> é'


def thinking(*thoughts: str, text: str, reason: str = "stop") -> Play:
    """An answer in OpenAI's chunks, as the newer models of Workers AI give it."""
    return sse(
        *({"choices": [{"delta": {"reasoning_content": thought}}]} for thought in thoughts),
        {"choices": [{"delta": {"content": text}}]},
        {"choices": [{"delta": {}, "finish_reason": reason}]},
    )


def api(app: Playground, wire: str, **query: Any) -> str:
    params = {"chat_id": -1, "is_playground": "true", "stream_protocol": wire, **query}
    return str(httpx.URL(app.url + PATH, params=params))


def ask(app: Playground, wire: str, credential: str = "", **query: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {credential or app.key}"}
    return httpx.post(api(app, wire, **query), json=ASK, headers=headers, timeout=20, trust_env=False)


# As bytes


def test_the_data_wire(playground: Playground, workers_ai: Upstream) -> None:
    workers_ai.plays(thinking("h", "m", text="Hi\u2028"))
    answer = ask(playground, "data")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-vercel-ai-data-stream"] == "v1"
    assert answer.headers["x-chat-backend"] == "workers-ai"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == (
        'g:"h"\ng:"m"\n0:"Hi\\u2028"\ne:{"finishReason":"stop","isContinued":false}\nd:{"finishReason":"stop"}\n'
    )


def test_the_ui_wire(playground: Playground, workers_ai: Upstream) -> None:
    workers_ai.plays(thinking("hm", text="Hi"))
    answer = ask(playground, "ui")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1"
    types = [json.loads(event[6:])["type"] for event in answer.text.split("\n\n")[:-2]]
    assert types == [
        *("start", "start-step", "reasoning-start", "reasoning-delta", "reasoning-end"),
        *("text-start", "text-delta", "text-end", "finish-step", "finish"),
    ]
    assert answer.text.endswith("data: [DONE]\n\n")


def test_text_is_the_wire_where_none_is_chosen(playground: Playground, neptun: Upstream) -> None:
    neptun.plays(recording("ok_playground"))
    assert ask(playground, "text", VISITOR, backend="neptun").text == "Hello, world!"


@pytest.mark.parametrize("protocol", ["", "json", "DATA", "text,data", "a" * 200])
def test_an_unknown_wire_is_a_400(playground: Playground, workers_ai: Upstream, protocol: str) -> None:
    answer = ask(playground, protocol)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("stream_protocol must be text, data or ui, not '")
    assert len(answer.json()["message"]) < 150
    assert workers_ai.requests == []


def test_a_wire_is_chosen_once(playground: Playground) -> None:
    answer = ask(playground, "data", stream_protocol=["data", "ui"])
    assert answer.json()["message"].startswith("stream_protocol is given 2 times.")


def test_who_may_is_asked_before_the_wire(playground: Playground) -> None:
    assert ask(playground, "nonsense", "pg-not-the-key").status_code == 401


@pytest.mark.parametrize("protocol", ["text", "data", "ui"])
@pytest.mark.parametrize(
    ("play", "status"),
    [
        (cloudflare_error(4006, "used up", 429), 429),
        (sse({"error": {"message": "broken"}}), 502),
        (Play(headers={"content-type": "text/event-stream"}, chunks=("data: {",), ended="cut"), 502),
    ],
)
def test_the_status_is_decided_before_the_first_event(
    playground: Playground, workers_ai: Upstream, protocol: str, play: Play, status: int
) -> None:
    workers_ai.plays(play)
    answer = ask(playground, protocol)
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)
    assert answer.headers["content-type"] == "application/json"
    assert "x-vercel-ai-ui-message-stream" not in answer.headers


@pytest.mark.parametrize(("protocol", "status"), [("text", 502), ("data", 200), ("ui", 200)])
def test_thinking_counts_where_the_wire_carries_it(
    playground: Playground, workers_ai: Upstream, protocol: str, status: int
) -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    workers_ai.plays(sse(thought, {"error": {"message": "broken"}}))
    answer = ask(playground, protocol)
    assert answer.status_code == status
    if status == 200:
        assert "hm" in answer.text
        assert "reported an error" in answer.text


@pytest.mark.parametrize("protocol", ["data", "ui"])
def test_events_come_one_by_one(playground: Playground, neptun: Upstream, protocol: str) -> None:
    gate = Gate()
    neptun.plays(Play(chunks=('0:"one"\n', gate, '0:" two"\n')))
    headers = {"Authorization": f"Bearer {VISITOR}"}
    url = api(playground, protocol, backend="neptun")
    with httpx.stream("POST", url, json=ASK, headers=headers, timeout=10, trust_env=False) as answer:
        pieces = answer.iter_text()
        assert any("one" in piece for piece in pieces)  # and the upstream has sent no more than that
        gate.open()
        assert "two" in "".join(pieces)


@pytest.mark.parametrize("ended", ["cut", "reset"])
@pytest.mark.parametrize(("protocol", "part"), [("data", '3:"The Neptun'), ("ui", '"errorText":"The Neptun')])
def test_a_failure_in_mid_answer_is_a_part(
    playground: Playground, neptun: Upstream, protocol: str, part: str, ended: Any
) -> None:
    neptun.plays(recording("up_cut_mid", ended=ended))
    answer = ask(playground, protocol, VISITOR, backend="neptun")
    assert answer.status_code == 200
    assert part in answer.text
    assert answer.text.index("three") < answer.text.index(part)
    playground.printed("An answer broke off: The Neptun endpoint")


# As the AI SDK reads them


Asking = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def sdk(node: str) -> Iterator[Asking]:
    """A conversation with a client of the AI SDK (see node/ask.mjs); one node for all of them."""
    if not (NODE_FOLDER / "node_modules").is_dir():
        pytest.skip("no AI SDK here (npm install --prefix tests/node)")
    script = [node, NODE_FOLDER / "ask.mjs"]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def run(client: str, url: str, credential: str, *questions: str, **more: Any) -> dict[str, Any]:
            asked = {"client": client, "api": url, "questions": questions or ["Hello, how are you?"], **more}
            asked["headers"] = {"Authorization": f"Bearer {credential}"}
            print(json.dumps(asked), file=process.stdin, flush=True)
            result: dict[str, Any] = json.loads(process.stdout.readline())
            assert "crash" not in result, result["crash"]
            return result

        yield run
        process.stdin.close()


WIRE_OF = {
    "ai 4, useChat": "data",
    "ai 4, processDataStream": "data",
    "ai 4, useChat on text": "text",
    "ai newest, useChat": "ui",
    "ai newest, readUIMessageStream": "ui",
    "ai newest, useChat on text": "text",
}
CHATS = ["ai 4, useChat", "ai newest, useChat"]


@pytest.mark.parametrize("client", WIRE_OF)
def test_text_is_exact(playground: Playground, workers_ai: Upstream, sdk: Asking, client: str) -> None:
    workers_ai.plays(HARD)
    result = sdk(client, api(playground, WIRE_OF[client]), playground.key)
    assert result["messages"][-1]["text"] == HARD_TEXT
    assert result["error"] is None
    if client == "ai 4, useChat":
        assert result["usage"] == {"promptTokens": 7, "completionTokens": 11, "totalTokens": 18}
        assert result["finish"] == "unknown"
    if client == "ai newest, useChat":
        assert result["usage"] == {"inputTokens": 7, "outputTokens": 11}


@pytest.mark.parametrize("client", CHATS)
def test_thinking_and_the_reason_arrive(
    playground: Playground, workers_ai: Upstream, sdk: Asking, client: str
) -> None:
    workers_ai.plays(thinking("Let me ", "see.", text="Here.", reason="length"))
    result = sdk(client, api(playground, WIRE_OF[client]), playground.key)
    answer = result["messages"][-1]
    assert (answer["text"], answer["thinking"], result["finish"]) == ("Here.", "Let me see.", "length")


@pytest.mark.parametrize("client", CHATS)
def test_what_a_client_sends_back_is_accepted(
    playground: Playground, workers_ai: Upstream, sdk: Asking, client: str
) -> None:
    """Ids, dates, parts, steps and the thinking of the answer before: only what was said is passed on."""
    workers_ai.plays(thinking("hm", text="First."), thinking("hm", text="Second."))
    result = sdk(client, api(playground, WIRE_OF[client]), playground.key, "One?", "Two?")
    assert result["error"] is None
    assert [message["text"] for message in result["messages"]] == ["One?", "First.", "Two?", "Second."]
    assert workers_ai.requests[1].json()["messages"] == [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "First."},
        {"role": "user", "content": "Two?"},
    ]


@pytest.mark.parametrize("client", ["ai 4, useChat", "ai newest, useChat", "ai newest, readUIMessageStream"])
def test_a_failure_in_mid_answer_reaches_the_client(
    playground: Playground, neptun: Upstream, sdk: Asking, client: str
) -> None:
    neptun.plays(recording("up_cut_mid", ended="cut"))
    result = sdk(client, api(playground, WIRE_OF[client], backend="neptun"), VISITOR)
    assert "The Neptun endpoint broke the answer off" in result["error"]
    assert result["messages"][-1]["text"] == "one two three"


@pytest.mark.parametrize("client", CHATS)
def test_a_refusal_reaches_the_client(
    playground: Playground, neptun: Upstream, sdk: Asking, client: str
) -> None:
    neptun.plays(recording("invalid_cookie"))
    result = sdk(client, api(playground, WIRE_OF[client], backend="neptun"), VISITOR)
    assert json.loads(result["error"])["statusCode"] == 401
    assert "does not accept this session" in result["error"]


@pytest.mark.parametrize("client", CHATS)
def test_a_client_that_stops_closes_the_upstream(
    playground: Playground, neptun: Upstream, sdk: Asking, client: str
) -> None:
    neptun.plays(Play(chunks=[forever('0:"tick "\n')], gap=0.05))
    result = sdk(client, api(playground, WIRE_OF[client], backend="neptun"), VISITOR, stop=True)
    assert result["messages"][-1]["text"].startswith("tick ")
    assert neptun.arrived().left.wait(5)


def test_the_offline_guide_answers_both_generations(offline_playground: Playground, sdk: Asking) -> None:
    for client in CHATS:
        result = sdk(client, api(offline_playground, WIRE_OF[client]), offline_playground.key, "/demo thinking")
        assert "17 × 24 = **408**" in result["messages"][-1]["text"]
        assert "17 times 24" in result["messages"][-1]["thinking"]
        assert result["finish"] == "stop"


def test_a_recorded_reply_is_exact_on_every_wire(playground: Playground, neptun: Upstream, sdk: Asking) -> None:
    for name in ("up_u2028", "up_unicode"):
        neptun.plays(recording(name))
        expected = ask(playground, "text", VISITOR, backend="neptun").text
        for client in CHATS:
            result = sdk(client, api(playground, WIRE_OF[client], backend="neptun"), VISITOR)
            assert result["messages"][-1]["text"] == expected
