"""`/complete` and `/models` of the Gradio API: stateless, validated, and described for people."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playground import Playground
from upstream import Upstream, data_lines, forever, hangs, recording, sse

COOKIE = "a-cookie-of-the-tests"
HELLO = [{"role": "user", "content": "Hello"}]
NEPTUN: dict[str, Any] = {"backend": "neptun", "credential": COOKIE, "api_name": "/complete"}


# One for all tests: nothing is remembered, and to make a client takes longer than to ask with it.
@pytest.fixture(scope="module")
def connected(connected_playground: Playground) -> Client:
    return connected_to(connected_playground)


@pytest.fixture
def client(playground: Playground, connected: Client) -> Client:  # noqa: ARG001 - makes the upstreams fresh
    return connected


def connected_to(app: Playground) -> Client:
    # Its own patience is 5 seconds.
    return Client(app.url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 60})


def test_the_whole_conversation_is_sent_and_nothing_is_remembered(client: Client, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "It is\u2028"}, {"response": 3}, {"response": ".50 😀"}))
    conversation = [*HELLO, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "The price?"}]
    for _ in range(2):
        answer = client.predict(
            conversation, backend="workers-ai", temperature=0.5, parameters={"seed": 7}, api_name="/complete"
        )
        assert (answer["text"], answer["backend"]) == ("It is\u20283.50 😀", "workers-ai")
    first, second = (request.json() for request in workers_ai.requests)
    assert first == second
    assert first["messages"] == conversation
    assert (first["temperature"], first["seed"]) == (0.5, 7)


def test_a_parameter_may_stand_among_the_others(client: Client, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    client.predict(HELLO, backend="workers-ai", parameters={"max_tokens": 9}, api_name="/complete")
    assert workers_ai.requests[0].json()["max_tokens"] == 9


def test_a_job_gives_the_answer_as_it_grows_and_raises_in_the_end(client: Client, neptun: Upstream) -> None:
    neptun.plays(recording("up_cut_mid", ended="cut"))
    job = client.submit(HELLO, **NEPTUN)
    assert [frame["text"] for frame in job][-1] == "one two three"
    with pytest.raises(AppError, match="broke"):
        job.result()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"messages": []}, "messages is empty"),
        ({"messages": "Hello"}, "messages must be a list"),
        ({"messages": [{"role": "system", "content": "x"}]}, r"messages\[0\].role"),
        ({"messages": [{"role": "user", "content": " "}]}, r"messages\[0\].content is blank"),
        ({"messages": HELLO, "backend": "nope"}, "no back end"),
        ({"messages": HELLO, "backend": "workers-ai", "model": "nope"}, "no model named"),
        ({"messages": HELLO, "backend": "workers-ai", "temperature": 99}, "temperature must be"),
        ({"messages": HELLO, "backend": "workers-ai", "parameters": {"colour": 1}}, "colour"),
        (
            {"messages": HELLO, "backend": "neptun", "credential": "pg-this-is-not-the-key"},
            "not this playground",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_words(
    client: Client, neptun: Upstream, workers_ai: Upstream, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(**given, api_name="/complete")
    assert neptun.requests == workers_ai.requests == []


def test_where_the_host_is_closed_a_credential_is_needed(start_playground: Any, upstream: Upstream) -> None:
    upstream.serves("GET", "/models", recording("get_models"))
    upstream.plays(data_lines("ok"))
    app = start_playground(
        NEPTUN_BASE_URL=upstream.url, NEPTUN_SESSION="the-hosts-own-session", PLAYGROUND_OPEN="false"
    )
    client = connected_to(app)
    for credential in ("", "pg-not-the-key", "no cookie"):
        with pytest.raises(AppError):
            client.predict(HELLO, credential=credential, api_name="/complete")
    assert upstream.requests == []
    for credential, sent in ((app.key, "the-hosts-own-session"), (COOKIE, COOKIE)):
        assert client.predict(HELLO, credential=credential, chat_id=7, api_name="/complete")["text"] == "ok"
        assert upstream.requests[-1].header("cookie") == f"neptun-session={sent}"


def test_a_failure_before_the_answer_is_raised(client: Client, neptun: Upstream) -> None:
    neptun.plays(recording("up_err429"))
    with pytest.raises(AppError, match="00:00 UTC"):
        client.predict(HELLO, **NEPTUN)


@pytest.mark.parametrize("silent", [False, True])
def test_a_cancelled_job_closes_the_upstream(
    patient_playground: Playground, neptun: Upstream, silent: bool
) -> None:
    neptun.plays(hangs() if silent else data_lines(chunks=[forever('0:"tick "\n')], gap=0.05))
    job = connected_to(patient_playground).submit(HELLO, **NEPTUN)
    exchange = neptun.arrived()
    next(iter(job))  # a client can cancel what it knows to be running
    job.cancel()
    assert exchange.left.wait(5)


def test_models_lists_the_rows_of_the_catalogue(client: Client, playground: Playground) -> None:
    playground.printed("curl -N ")
    every = client.predict(api_name="/models")
    assert {row["backend"] for row in every["models"]} == {"neptun", "workers-ai", "offline"}
    neptuns = client.predict("neptun", api_name="/models")
    assert [row["name"] for row in neptuns["models"]] == ["llama-3.3-70b-instruct-fp8-fast"]
    assert neptuns["live"] == ["neptun"]
    with pytest.raises(AppError, match="no back end named"):
        client.predict("nope", api_name="/models")


def test_the_described_curl_form_works(offline_playground: Playground) -> None:
    begun = httpx.post(
        f"{offline_playground.url}/gradio_api/call/v2/complete", json={"messages": HELLO}, timeout=60
    ).json()
    answer = httpx.get(
        f"{offline_playground.url}/gradio_api/call/complete/{begun['event_id']}", timeout=30
    ).text
    last = json.loads(answer.split("event: complete\ndata: ")[1])
    assert "offline guide" in json.dumps(last).lower()


def test_each_is_described_for_people(offline_playground: Playground) -> None:
    info = httpx.get(f"{offline_playground.url}/gradio_api/info", timeout=60).json()
    for name, endpoint in info["named_endpoints"].items():
        assert f"/gradio_api/call/v2{name}" in endpoint["description"]
