"""One table for every HTTP door: who may, what fails before and in mid-answer, and callers that leave."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playground import Playground
from upstream import Play, Upstream, closes, data_lines, forever, hangs, recording, sse

from neptun_demo.listings import neptun_rows
from neptun_demo.streams import Text, decode

MODEL = "llama-3.3-70b-instruct-fp8-fast"
COOKIE = "a-visitors-own-session"
BACKENDS = ("neptun", "workers-ai", "offline")


@dataclass(frozen=True)
class Door:
    """A way to ask over HTTP.

    *request* makes path and body for a back end; *text* is the text of an answer, *words* are those of a
    failure in the middle of one.
    """

    name: str
    request: Callable[[str], tuple[str, dict[str, Any]]]
    text: Callable[[httpx.Response], str]
    words: Callable[[bytes], str]
    streams: bool = True

    def ask(self, app: Playground, backend: str, headers: dict[str, str] | None = None) -> httpx.Response:
        path, body = self.request(backend)
        return CALLER.post(app.url + path, json=body, headers=headers)


# One for all: to make a client takes longer than to ask with it. It keeps no cookie, since none is set.
CALLER = httpx.Client(timeout=20, trust_env=False)


@pytest.fixture(scope="session", autouse=True)  # a worker may come back to this file
def _caller() -> Iterator[None]:
    yield
    CALLER.close()


def asked(backend: str) -> tuple[str, list[dict[str, str]]]:
    """A model of the back end, and a question; the guide's answer to this one is short."""
    guide = backend == "offline"
    model = "offline-guide" if guide else MODEL
    return model, [{"role": "user", "content": "/demo length" if guide else "Hello, how are you?"}]


def documented(wire: str) -> Callable[[str], tuple[str, dict[str, Any]]]:
    def request(backend: str) -> tuple[str, dict[str, Any]]:
        model, messages = asked(backend)
        query = f"chat_id=-1&is_playground=true&stream_protocol={wire}&backend={backend}"
        return f"/api/ai/cloudflare/{model}/chat?{query}", {"messages": messages}

    return request


def openai_like(*, stream: bool) -> Callable[[str], tuple[str, dict[str, Any]]]:
    def request(backend: str) -> tuple[str, dict[str, Any]]:
        model, messages = asked(backend)
        return "/v1/chat/completions", {"model": f"{backend}/{model}", "messages": messages, "stream": stream}

    return request


def decoded_text(answer: httpx.Response) -> str:
    """What our own decoder, which is tested elsewhere, reads."""

    async def text() -> str:
        async def body() -> Any:
            yield answer.content

        events = decode(body(), answer.headers)
        return "".join([event.text async for event in events if isinstance(event, Text)])

    return asyncio.run(text())


def events(body: bytes) -> list[Any]:
    return [json.loads(event[6:]) for event in body.decode().split("\n\n") if event[6:7] == "{"]


DOORS = [
    Door("text", documented("text"), lambda answer: answer.text, lambda _: ""),
    Door(
        "data",
        documented("data"),
        decoded_text,
        lambda body: json.loads(body.decode().split("\n3:")[1].split("\n")[0]),
    ),
    Door("ui", documented("ui"), decoded_text, lambda body: events(body)[-3]["errorText"]),
    Door(
        "openai, streamed",
        openai_like(stream=True),
        decoded_text,
        lambda body: events(body)[-1]["error"]["message"],
    ),
    Door(
        "openai, in one piece",
        openai_like(stream=False),
        lambda answer: answer.json()["choices"][0]["message"]["content"],
        lambda body: json.loads(body)["error"]["message"],
        streams=False,
    ),
]
every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


def status_of(answer: httpx.Response) -> int:
    """The status of a failure, which the door's own error body must go with."""
    body = answer.json()
    if "error" in body:
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert body["error"]["message"]
    else:
        assert (body["statusCode"], bool(body["statusMessage"]), bool(body["message"])) == (
            answer.status_code,
            True,
            True,
        )
    return answer.status_code


# Who may


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def cookie(credential: str) -> dict[str, str]:
    return {"Cookie": f"neptun-session={credential}"}


@every_door
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "headers",
    [{}, bearer("pg-not-the-key-of-this-app"), cookie("pg-not-the-key-of-this-app"), bearer('a"b'), cookie("")],
    ids=["none", "wrong bearer", "wrong cookie", "no cookie octets", "empty"],
)
def test_nobody_without_a_credential(
    playground: Playground,
    neptun: Upstream,
    workers_ai: Upstream,
    door: Door,
    backend: str,
    headers: dict[str, str],
) -> None:
    assert status_of(door.ask(playground, backend, headers)) == 401
    assert neptun.requests == workers_ai.requests == []


@every_door
@pytest.mark.parametrize("show", [bearer, cookie])
@pytest.mark.parametrize(("backend", "status"), [("workers-ai", 200), ("offline", 200), ("neptun", 401)])
def test_the_key_opens_what_the_host_has(
    playground: Playground,
    neptun: Upstream,
    workers_ai: Upstream,
    door: Door,
    show: Callable[[str], dict[str, str]],
    backend: str,
    status: int,
) -> None:
    workers_ai.plays(sse({"response": "fine"}))
    answer = door.ask(playground, backend, show(playground.key))
    assert answer.status_code == status
    assert answer.headers["x-chat-backend"] == backend
    if backend == "workers-ai":
        assert door.text(answer) == "fine"
    assert neptun.requests == []
    assert all(playground.key not in str(request.headers) for request in workers_ai.requests)


@every_door
@pytest.mark.parametrize("show", [bearer, cookie])
@pytest.mark.parametrize(("backend", "status"), [("workers-ai", 401), ("offline", 401), ("neptun", 200)])
def test_a_session_opens_neptun_alone(
    playground: Playground,
    neptun: Upstream,
    workers_ai: Upstream,
    door: Door,
    show: Callable[[str], dict[str, str]],
    backend: str,
    status: int,
) -> None:
    neptun.plays(data_lines("fine"))
    answer = door.ask(playground, backend, show(COOKIE))
    assert answer.status_code == status
    assert [request.header("cookie") for request in neptun.requests] == (
        [f"neptun-session={COOKIE}"] if status == 200 else []
    )
    if status == 200:
        assert door.text(answer) == "fine"
        assert neptun.requests[0].query == {"chat_id": "-1", "is_playground": "true"}
    assert workers_ai.requests == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), (bearer("pg-not-the-key"), 401), (cookie(COOKIE), 401), (cookie(""), 401), (None, 204)],
    ids=["none", "wrong", "session", "empty", "key"],
)
@pytest.mark.parametrize("show", [bearer, cookie])
def test_the_credential_can_be_checked(
    playground: Playground,
    neptun: Upstream,
    headers: dict[str, str] | None,
    status: int,
    show: Callable[[str], dict[str, str]],
) -> None:
    shown = show(playground.key) if headers is None else headers
    answer = CALLER.head(f"{playground.url}/api/auth/check", headers=shown)
    assert (answer.status_code, answer.content) == (status, b"")
    assert neptun.requests == []


@pytest.mark.parametrize("path", ["/models", "/v1/models", "/health", "/api/docs", "/api/openapi.json"])
def test_what_is_public_is_the_same_for_everybody(playground: Playground, path: str) -> None:
    shown = [{}, bearer(playground.key), cookie(COOKIE), bearer("pg-not-the-key")]
    answers = [CALLER.get(playground.url + path, headers=headers) for headers in shown]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    for secret in (playground.key, COOKIE, "token-of-the-tests", "account-of-the-tests"):
        assert secret not in answers[1].text
    head = CALLER.head(playground.url + path)
    assert (head.status_code, head.content) == (200, b"")
    refused = CALLER.post(playground.url + path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_the_models_are_listed_in_the_endpoints_shape(playground: Playground) -> None:
    listing = CALLER.get(f"{playground.url}/models").json()
    recorded = json.loads(
        b"".join(piece for piece in recording("get_models").pieces() if isinstance(piece, bytes))
    )
    assert set(listing) == set(recorded)
    assert (
        listing["configurations"]["cloudflare"][MODEL].keys()
        == recorded["configurations"]["cloudflare"][MODEL].keys()
    )
    assert f"cloudflare/{MODEL}" in listing["models"]
    assert {name for names in listing["configurations"].values() for name in names} == {
        name.rsplit("/", 1)[1] for name in listing["models"]
    }
    path = f"/api/ai/cloudflare/{MODEL}/chat"
    assert listing["endpoints"]["neptun"] == recorded["endpoints"]["cloudflare"] == [path]
    assert path in listing["endpoints"]["workers-ai"]
    # So another playground may stand where this one expects the endpoint.
    assert [model.name for model in neptun_rows(listing)] == [MODEL]


def test_what_is_set_up_is_told(playground: Playground, offline_playground: Playground) -> None:
    told = CALLER.get(f"{playground.url}/health").json()
    assert (told["status"], told["backend"], told["model"]) == ("ok", "workers-ai", MODEL)
    assert {one["name"]: one["set_up"] for one in told["backends"]} == {
        "neptun": False,  # with the visitor's own session only
        "workers-ai": True,
        "offline": True,
    }
    offline = CALLER.get(f"{offline_playground.url}/health").json()
    assert (offline["backend"], offline["model"]) == ("offline", "offline-guide")
    assert [one["name"] for one in offline["backends"] if one["set_up"]] == ["offline"]
    assert CALLER.get(f"{offline_playground.url}/models").json()["endpoints"].keys() == {"neptun", "offline"}


# What fails


@every_door
@pytest.mark.parametrize(
    ("play", "status"),
    [
        (recording("invalid_cookie"), 401),
        (recording("up_err401"), 401),
        (recording("up_err429"), 429),
        (recording("up_err500"), 500),
        (recording("up_empty_stream"), 502),
        (closes(), 502),
    ],
    ids=["wrong session", "upstream's account", "quota", "upstream", "empty", "closed"],
)
def test_a_failure_before_the_answer_is_a_status(
    playground: Playground, neptun: Upstream, door: Door, play: Play, status: int
) -> None:
    neptun.plays(play)
    assert status_of(door.ask(playground, "neptun", bearer(COOKIE))) == status
    assert len(neptun.requests) == 1


def test_silence_before_the_answer_is_a_status(playground: Playground, neptun: Upstream) -> None:
    neptun.plays(hangs())
    assert at_once(lambda door: status_of(door.ask(playground, "neptun", bearer(COOKIE)))) == [504] * len(DOORS)


@every_door
@pytest.mark.parametrize("ended", ["cut", "reset"])
def test_half_an_answer_is_never_a_whole_one(
    playground: Playground, neptun: Upstream, door: Door, ended: Any
) -> None:
    neptun.plays(recording("up_cut_mid", ended=ended))
    half_an_answer(playground, door, 502)


def test_silence_in_mid_answer_is_its_end(playground: Playground, neptun: Upstream) -> None:
    neptun.plays(recording("up_cut_mid", ended="open"))
    at_once(lambda door: half_an_answer(playground, door, 504))


def at_once(ask: Callable[[Door], Any]) -> list[Any]:
    """What *ask* makes of every door; at once, where each of them has to wait."""
    with ThreadPoolExecutor(len(DOORS)) as pool:
        return list(pool.map(ask, DOORS))


def half_an_answer(app: Playground, door: Door, status: int) -> None:
    """The text so far and the failure, or the status of a door that does not stream."""
    path, body = door.request("neptun")
    received, broken = b"", False
    with CALLER.stream("POST", app.url + path, json=body, headers=bearer(COOKIE)) as answer:
        try:
            for piece in answer.iter_bytes():
                received += piece
        except httpx.RemoteProtocolError:
            broken = True
    assert answer.status_code == (200 if door.streams else status)
    assert broken == (door.name == "text")
    assert "The Neptun endpoint" in door.words(received) or broken
    assert b"[DONE]" not in received or door.name == "ui"  # as the SDK's own server ends after an error
    if door.streams:
        parsed = httpx.Response(200, headers=answer.headers, content=received)
        assert (parsed.text if broken else so_far(door, parsed)) == "one two three"


def so_far(door: Door, answer: httpx.Response) -> str:
    """The text before the failure; our decoder raises at the failure itself."""
    if door.name == "data":
        lines = [line.partition(":") for line in answer.text.splitlines()]
        return "".join(json.loads(value) for code, _, value in lines if code == "0")
    if door.name == "ui":
        return "".join(event.get("delta", "") for event in events(answer.content))
    chunks = [event["choices"][0]["delta"] for event in events(answer.content) if "choices" in event]
    return "".join(delta.get("content", "") for delta in chunks)


# Callers that leave


@every_door
@pytest.mark.parametrize(
    "play",
    [
        pytest.param(Play(chunks=[forever('0:"tick "\n')], gap=0.05), id="while text flows"),
        pytest.param(Play(chunks=('0:"one"\n',), ended="open"), id="while the upstream is silent"),
        pytest.param(hangs(), id="before the first text"),
    ],
)
def test_a_caller_that_leaves_closes_the_upstream(
    patient_playground: Playground, neptun: Upstream, door: Door, play: Play
) -> None:
    neptun.plays(play)
    path, body = door.request("neptun")
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {COOKIE}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", patient_playground.port), timeout=10) as caller:
        caller.sendall(head.encode() + content)
        exchange = neptun.arrived()
        if play.head:
            assert exchange.begun.wait(20)
        if play.head and door.streams:
            assert caller.recv(100).startswith(b"HTTP/1.1 200")
        assert not exchange.left.is_set()
    assert exchange.left.wait(5), "the upstream is still being read seconds after the caller left"
    assert "Traceback" not in patient_playground.output()
