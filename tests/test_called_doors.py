"""The table of `test_doors.py` for doors that are called: `/chat` and `/complete` of the Gradio API, and MCP.

They have no statuses: an answer is a text, and a failure is a sentence, with the text so far before it. What
their own clients make of that is tested in `test_gradio_api.py`, `test_gradio_complete.py` and `test_mcp.py`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from playground import Playground
from test_doors import BACKENDS, COOKIE, asked
from test_recordings import REPLIES
from test_wires import HARD, HARD_TEXT
from upstream import Play, Upstream, closes, data_lines, forever, hangs, recording, sse

WRONG_KEY = "pg-not-the-key-of-this-app"
JSON = "application/json"
Said = tuple[str, str]
"""The text of an answer, and the sentence of a failure."""


@dataclass(frozen=True)
class CalledDoor:
    """*begin* makes the request whose response is the answer, in bytes; *said* reads that response's body.

    With *host_is_open* the host's account answers whoever asks, as it does on a loopback address.
    """

    name: str
    begin: Callable[[Playground, str, str], bytes]
    said: Callable[[str], Said]
    host_is_open: bool = True

    def ask(self, app: Playground, backend: str, credential: str) -> Said:
        return self.said(exchanged(app, self.begin(app, backend, credential)))


def exchanged(app: Playground, request: bytes) -> str:
    """The body of the response."""
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as caller:
        caller.sendall(request)
        with caller.makefile("rb") as answer:
            return answer.read().decode().partition("\r\n\r\n")[2]


def written(method: str, path: str, body: bytes = b"", credential: str = "") -> bytes:
    """HTTP 1.0: the body comes as it is, and ends with the connection."""
    head = [f"{method} {path} HTTP/1.0", "Host: localhost", f"Content-Length: {len(body)}"]
    head += [f"Content-Type: {JSON}", f"Accept: {JSON}, text/event-stream"]
    head += [f"Authorization: Bearer {credential}"] if credential else []
    return "\r\n".join([*head, "", ""]).encode() + body


def gradio(name: str) -> Callable[[Playground, str, str], bytes]:
    def begin(app: Playground, backend: str, credential: str) -> bytes:
        model, messages = asked(backend)
        question = {"messages": messages} if name == "complete" else {"message": messages[0]["content"]}
        body = {**question, "backend": backend, "model": model, "credential": credential}
        begun = exchanged(app, written("POST", f"/gradio_api/call/v2/{name}", json.dumps(body).encode()))
        return written("GET", f"/gradio_api/call/{name}/{json.loads(begun)['event_id']}")

    return begin


def said_by_gradio(body: str) -> Said:
    text = words = ""
    for event in body.split("\n\n"):
        kind, _, data = event.partition("\ndata: ")
        match kind, json.loads(data or "null"):
            case "event: error", {"error": str(words)}:
                pass
            case _, [{"text": str(text)}, *_]:
                pass
    return text, words


def mcp(app: Playground, backend: str, credential: str) -> bytes:  # noqa: ARG001 - as the others
    model, messages = asked(backend)
    arguments = {"question": messages[0]["content"], "backend": backend, "model": model}
    call = {"name": "ask", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    return written("POST", "/mcp", json.dumps(body).encode(), credential)


def said_by_mcp(body: str) -> Said:
    result: dict[str, Any] = json.loads(body.partition("data: ")[2])["result"]
    *texts, last = (part["text"] for part in result["content"])
    return ("".join(texts), last) if result["isError"] else (last, "")


DOORS = [
    CalledDoor("/chat", gradio("chat"), said_by_gradio),
    CalledDoor("/complete", gradio("complete"), said_by_gradio),
    CalledDoor("mcp", mcp, said_by_mcp, host_is_open=False),
]
every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)


# Who may


@every_door
def test_who_may(playground: Playground, neptun: Upstream, workers_ai: Upstream, door: CalledDoor) -> None:
    workers_ai.plays(sse({"response": "fine"}))
    neptun.plays(data_lines("fine"))
    open_to_all = {"workers-ai", "offline"} if door.host_is_open else set()
    may = {
        "": open_to_all,
        WRONG_KEY: set(),
        'a"b': set(),
        playground.key: {"workers-ai", "offline"},  # the host has no session at Neptun
        COOKIE: {"neptun"} | open_to_all,
    }
    for credential, backends in may.items():
        for backend in BACKENDS:
            before = len(neptun.requests) + len(workers_ai.requests)
            text, words = door.ask(playground, backend, credential)
            assert (bool(text), bool(words)) == (backend in backends, backend not in backends), words
            asked_now = len(neptun.requests) + len(workers_ai.requests) - before
            assert asked_now == (backend in backends and backend != "offline")
            assert not credential or credential not in words
    assert {request.header("cookie") for request in neptun.requests} == {f"neptun-session={COOKIE}"}
    assert all(
        COOKIE not in str(request.headers) and playground.key not in str(request.headers)
        for request in workers_ai.requests
    )


# What is said


@every_door
def test_text_is_exact(
    playground: Playground, neptun: Upstream, workers_ai: Upstream, door: CalledDoor
) -> None:
    workers_ai.plays(HARD)
    assert door.ask(playground, "workers-ai", playground.key) == (HARD_TEXT, "")
    for name in ("up_u2028", "up_unicode"):
        neptun.plays(recording(name))
        assert door.ask(playground, "neptun", COOKIE) == (REPLIES[name], "")


# What fails


@every_door
def test_a_failure_before_the_answer_is_a_sentence(
    playground: Playground, neptun: Upstream, door: CalledDoor
) -> None:
    names = ("invalid_cookie", "up_err401", "up_err429", "up_err500", "up_empty_stream")
    for number, play in enumerate([*map(recording, names), closes()], start=1):
        neptun.plays(play)
        text, words = door.ask(playground, "neptun", COOKIE)
        assert (text, "Neptun" in words or "without any text" in words) == ("", True), words
        assert len(neptun.requests) == number
        assert COOKIE not in words


@every_door
@pytest.mark.parametrize("ended", ["cut", "reset"])
def test_half_an_answer_is_never_a_whole_one(
    playground: Playground, neptun: Upstream, door: CalledDoor, ended: Any
) -> None:
    neptun.plays(recording("up_cut_mid", ended=ended))
    text, words = door.ask(playground, "neptun", COOKIE)
    assert (text, words.startswith("The Neptun endpoint")) == ("one two three", True), words


@pytest.mark.parametrize(("play", "text"), [(recording("up_cut_mid"), "one two three"), (hangs(), "")])
def test_silence_is_the_end(playground: Playground, neptun: Upstream, play: Play, text: str) -> None:
    neptun.plays(play)
    with ThreadPoolExecutor(len(DOORS)) as pool:  # at once, where each of them has to wait
        answers = list(pool.map(lambda door: door.ask(playground, "neptun", COOKIE), DOORS))
    assert [answer[0] for answer in answers] == [text] * len(DOORS)
    assert all("silent" in words or "no answer" in words for _, words in answers), answers


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
    patient_playground: Playground, neptun: Upstream, door: CalledDoor, play: Play
) -> None:
    neptun.plays(play)
    with socket.create_connection(("127.0.0.1", patient_playground.port), timeout=10) as caller:
        caller.sendall(door.begin(patient_playground, "neptun", COOKIE))
        exchange = neptun.arrived()
        if door.said is said_by_gradio:  # Gradio notices the end of whom it has seen
            assert caller.recv(12) == b"HTTP/1.1 200"
        assert not exchange.left.is_set()
    assert exchange.left.wait(5), "the upstream is still being read seconds after the caller left"
    assert "Traceback" not in patient_playground.output()
