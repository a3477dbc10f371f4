"""The Gradio API of the real app: by `gradio_client`, by HTTP as cURL does it, and at its private events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playground import Playground
from upstream import Gate, Upstream, data_lines, forever, json_answer, recording, sse

COOKIE = "a-cookie-of-the-tests"
ANSWER = {"text", "thinking", "finish_reason", "usage", "timing", "model", "backend", "dropped_messages"}
NEPTUN = {"backend": "neptun", "credential": COOKIE, "api_name": "/chat"}


@pytest.fixture
def client(playground: Playground) -> Client:
    return connected(playground)


def connected(app: Playground) -> Client:
    # Its own patience is 5 seconds.
    return Client(app.url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 60})


def sent(upstream: Upstream, number: int = 1) -> list[tuple[str, str]]:
    messages = upstream.arrived(number).request.json()["messages"]
    return [(message["role"], message["content"]) for message in messages]


# Answers


def test_an_answer_is_one_plain_object(client, workers_ai):
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}}
    thought = {"choices": [{"delta": {"reasoning_content": "Hm."}}]}
    said = {"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}], "usage": usage}
    workers_ai.plays(sse(thought, said))
    answer = client.predict("Hi", backend="workers-ai", model="gpt-oss-20b", api_name="/chat")
    assert answer.keys() == ANSWER
    assert (answer["text"], answer["thinking"], answer["finish_reason"]) == ("Yes.", "Hm.", "stop")
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 7, "cached_tokens": 3, "neurons": None}
    assert (answer["model"], answer["backend"]) == ("@cf/openai/gpt-oss-20b", "workers-ai")
    assert answer["timing"]["total"] >= answer["timing"]["first"] > 0
    assert answer["dropped_messages"] == 0


def test_the_question_is_all_that_is_needed(offline_playground):
    answer = connected(offline_playground).predict("What is this?", api_name="/chat")
    assert (answer["backend"], answer["finish_reason"]) == ("offline", "stop")
    assert "offline guide" in answer["text"]


def test_a_job_gives_the_answer_as_it_grows(client, neptun):
    gate = Gate()
    neptun.plays(data_lines(chunks=('0:"Hello "\n', gate, '0:"<there>."\n')))
    job = client.submit("Hi", **NEPTUN)
    seen = []
    for frame in job:
        seen.append(frame["text"])
        assert frame.keys() == ANSWER
        if frame["text"] == "Hello ":
            gate.open()
    assert seen[-1] == "Hello <there>."
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))
    assert job.result()["text"] == "Hello <there>."
    assert job.result()["finish_reason"] == "unknown"


def test_one_client_is_one_conversation(client, playground, neptun):
    neptun.plays(data_lines("One."), data_lines("Two."), data_lines("Three."), data_lines("Four."))
    client.predict("first", **NEPTUN)
    client.predict("second", **NEPTUN)
    assert sent(neptun, 2) == [("user", "first"), ("assistant", "One."), ("user", "second")]
    connected(playground).predict("somebody else", **NEPTUN)
    assert sent(neptun, 3) == [("user", "somebody else")]
    client.reset_session()
    client.predict("anew", **NEPTUN)
    assert sent(neptun, 4) == [("user", "anew")]


def test_every_parameter_arrives(client, workers_ai):
    workers_ai.plays(sse({"response": "Yes."}))
    more = {"seed": 7, "frequency_penalty": 0.5}
    chosen = {"system": "Be brief.", "max_tokens": 99, "temperature": 1.5, "top_p": 0.5, "parameters": more}
    client.predict("Hi", backend="workers-ai", api_name="/chat", **chosen)
    body = workers_ai.arrived().request.json()
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    wanted = {"max_tokens": 99, "temperature": 1.5, "top_p": 0.5, **more}
    assert {name: body[name] for name in wanted} == wanted


def test_a_stored_chat_is_asked_for_by_its_id(client, neptun):
    neptun.plays(data_lines("Stored."))
    client.predict("Hi", chat_id=41, temporary=False, **NEPTUN)
    assert neptun.arrived().request.query == {"chat_id": "41", "is_playground": "false"}


def test_a_model_of_the_live_list_is_taken(client, workers_ai):
    workers_ai.plays(sse({"response": "Yes."}))
    answer = client.predict("Hi", backend="workers-ai", model="@cf/openai/gpt-oss-20b", api_name="/chat")
    assert answer["model"] == "@cf/openai/gpt-oss-20b"


# Failures


def frames(job: Any) -> list[dict[str, Any]]:
    """All frames: the iteration ends without a word when the job failed."""
    return list(job)


def test_a_failure_is_raised_after_the_text_so_far(client, neptun):
    neptun.plays(data_lines("Half of it", ended="cut"), data_lines(" and the rest."))
    job = client.submit("Hi", **NEPTUN)
    assert frames(job)[-1]["text"] == "Half of it"
    with pytest.raises(AppError, match="broke"):
        job.result()
    client.predict("go on", **NEPTUN)
    assert sent(neptun, 2) == [("user", "Hi"), ("assistant", "Half of it"), ("user", "go on")]


def test_a_question_without_any_answer_is_forgotten(client, neptun):
    neptun.plays(recording("invalid_cookie"), data_lines("Yes."))
    with pytest.raises(AppError, match="session"):
        client.predict("lost", **NEPTUN)
    client.predict("found", **NEPTUN)
    assert sent(neptun, 2) == [("user", "found")]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"message": " "}, "message is blank"),
        ({"message": 5}, "message must be text"),
        ({"message": ["Hi"]}, "message must be text"),
        ({"backend": "zzz"}, "no back end named 'zzz'"),
        ({"backend": 1}, "backend must be text"),
        ({"backend": "workers-ai", "model": "llama-3.3"}, "llama-3.3-70b-instruct-fp8-fast"),
        ({"model": {"a": 1}}, "model must be text"),
        ({"backend": "workers-ai", "temperature": 9}, "temperature must be between 0 and 5"),
        ({"backend": "workers-ai", "temperature": "hot"}, "temperature must be a number"),
        ({"backend": "workers-ai", "max_tokens": 1.5}, "max_tokens must be a whole number"),
        ({"backend": "workers-ai", "parameters": [1]}, "parameters must be an object"),
        ({"backend": "workers-ai", "parameters": {"heat": 1}}, "heat"),
        ({"chat_id": "x"}, "chat_id must be a whole number"),
        ({"chat_id": True}, "chat_id must be a whole number"),
        ({"temporary": "no"}, "temporary must be true or false"),
        ({"credential": 5}, "credential must be text"),
        ({"backend": "neptun", "credential": COOKIE, "system": "Be brief."}, "system prompt"),
        ({"backend": "neptun", "credential": "pg-not-the-key-of-this-app"}, "not this playground's key"),
    ],
)
def test_a_wrong_value_is_refused_in_words(client, given, sentence):
    with pytest.raises(AppError) as refusal:
        client.predict(**{"message": "Hi", "api_name": "/chat", **given})
    assert sentence in str(refusal.value)
    assert "Traceback" not in str(refusal.value)


def test_no_failure_and_no_credential_is_written_to_the_log(client, playground, neptun):
    neptun.plays(recording("invalid_cookie"))
    with pytest.raises(AppError):
        client.predict("Hi", backend="neptun", credential="a-cookie-for-the-log", api_name="/chat")
    assert "a-cookie-for-the-log" not in playground.output()
    assert "Traceback" not in playground.output()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("chat", ["Hi", "neptun", "", "a-cookie-for-the-log"], "It takes 11 values, and 4 came"),
        ("_answer", [[], "neptun", "", "a-cookie-for-the-log"], "It takes 13 values, and 4 came"),
        ("_answer", ["a-cookie-for-the-log", *"neptun"] * 2, "not of the kind"),
        ("_answer", [[], "a-cookie-for-the-log", *"neptun"] * 2, "not in the list of choices"),
    ],
)
def test_what_gradio_cannot_read_is_not_written_to_the_log(playground, name, data, sentence):
    kind, said = list(call(playground, {"data": data}, name))[-1]
    assert (kind, sentence in said["error"]) == ("error", True)
    assert "a-cookie-for-the-log" not in playground.output()
    assert "Traceback" not in playground.output()


# Whoever leaves


@pytest.mark.parametrize("silent", [False, True], ids=["streaming", "silent"])
def test_a_cancelled_job_closes_the_upstream(patient_playground, neptun, silent):
    client = connected(patient_playground)
    chunks = ('0:"So far."\n',) if silent else ('0:"So far."\n', forever('0:" more"\n'))
    neptun.plays(data_lines(chunks=chunks, gap=0.05, ended="open"), data_lines("Next."))
    job = client.submit("Hi", **NEPTUN)
    next(frame for frame in job if frame["text"])
    cancelled = time.monotonic()
    job.cancel()
    assert neptun.arrived().left.wait(5)
    assert neptun.arrived().left_at - cancelled < 3
    client.predict("and?", **NEPTUN)
    assert sent(neptun, 2)[1][1].startswith("So far.")


@pytest.mark.parametrize("silent", [False, True], ids=["streaming", "silent"])
def test_a_listener_that_hangs_up_closes_the_upstream(patient_playground, neptun, silent):
    chunks = ('0:"So far."\n',) if silent else ('0:"So far."\n', forever('0:" more"\n'))
    neptun.plays(data_lines(chunks=chunks, gap=0.05, ended="open"))
    url = f"{patient_playground.url}/gradio_api/call/v2/chat"
    body = {"message": "Hi", "backend": "neptun", "credential": COOKIE}
    event = httpx.post(url, json=body, timeout=20).json()["event_id"]
    with httpx.stream("GET", f"{patient_playground.url}/gradio_api/call/chat/{event}", timeout=20) as lines:
        next(line for line in lines.iter_lines() if "So far." in line)
    left = time.monotonic()
    assert neptun.arrived().left.wait(5)
    assert neptun.arrived().left_at - left < 3


# What is offered


def test_nothing_but_the_api_is_listed(playground):
    info = httpx.get(f"{playground.url}/gradio_api/info", timeout=60).json()
    assert list(info["named_endpoints"]) == ["/chat", "/complete", "/models"]
    assert info["unnamed_endpoints"] == {}
    parameters = info["named_endpoints"]["/chat"]["parameters"]
    defaults = {
        one["parameter_name"]: one["parameter_default"] for one in parameters if one["parameter_has_default"]
    }
    assert defaults == {
        "backend": "",
        "model": "",
        "credential": "",
        "system": "",
        "chat_id": -1,
        "temporary": True,
        "max_tokens": None,
        "temperature": None,
        "top_p": None,
        "parameters": None,
    }
    assert [one["parameter_name"] for one in parameters if not one["parameter_has_default"]] == ["message"]


def call(app: Playground, body: dict[str, Any], name: str = "v2/chat") -> Iterator[tuple[str, Any]]:
    """The events of `/gradio_api/call/NAME`, as cURL gets them."""
    event = httpx.post(f"{app.url}/gradio_api/call/{name}", json=body, timeout=60).json()["event_id"]
    with httpx.stream("GET", f"{app.url}/gradio_api/call/chat/{event}", timeout=20) as lines:
        kind = ""
        for line in lines.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield kind, json.loads(line.removeprefix("data: "))


def test_a_shell_may_leave_everything_out_but_the_message(offline_playground):
    kind, data = list(call(offline_playground, {"message": "What is this?"}))[-1]
    assert kind == "complete"
    assert data[0]["backend"] == "offline"


def test_a_shell_is_told_what_failed(playground):
    kind, data = list(call(playground, {"message": "Hi", "backend": "zzz"}))[-1]
    assert kind == "error"
    assert "no back end named 'zzz'" in data["error"]


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("chat", {}, 400, "message is missing."),
        ("complete", {"credential": COOKIE}, 400, "messages is missing."),
        ("complete", {"messages": [], "colour": COOKIE}, 400, "There is no parameter named 'colour'."),
        ("nope", {}, 404, "There is nothing named 'nope' here."),
        ("_answer", {}, 404, "There is nothing named '_answer' here."),
    ],
)
def test_a_call_that_cannot_be_made_is_refused_in_words(playground, name, body, status, words):
    answer = httpx.post(f"{playground.url}/gradio_api/call/v2/{name}", json=body, timeout=20)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(words)
    assert "Traceback" not in playground.output()


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("call/nope", {"data": []}, "There is nothing named 'nope' here."),
        ("queue/join", {"data": [], "fn_index": 9999, "session_hash": "s"}, "There is no listener 9999 here."),
    ],
)
def test_a_call_of_what_is_not_there_is_refused_in_words(playground, path, body, words):
    answer = httpx.post(f"{playground.url}/gradio_api/{path}", json=body, timeout=20)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith(words)
    assert "Traceback" not in playground.output()


# The private events of the page, reached without it


@pytest.fixture(scope="module")
def closed(app_folder: Path, neptun_server: Upstream) -> Iterator[Playground]:
    env = {
        "NEPTUN_BASE_URL": neptun_server.url,
        "NEPTUN_SESSION": "the-hosts-own-session",
        "PLAYGROUND_OPEN": "false",
        "PLAYGROUND_SESSION": "a-key-of-the-tests",
    }
    with Playground(app_folder, env) as app:
        yield app


@pytest.fixture
def closed_playground(closed: Playground, neptun: Upstream) -> Playground:  # noqa: ARG001 - fresh for this test
    """An app whose host keeps its session for those with the key."""
    return closed


def join(app: Playground, name: str, data: list[Any]) -> Any:
    """What the event *name* of the page gives in the end, asked as the page asks it."""
    config = httpx.get(f"{app.url}/config", timeout=60).json()
    event = next(one for one in config["dependencies"] if one["api_name"] == name)
    body = {"fn_index": event["id"], "session_hash": f"by hand {time.monotonic()}", "data": data}
    with httpx.Client(base_url=f"{app.url}/gradio_api", timeout=20) as http:
        joined = http.post("/queue/join", json=body, headers={"x-gradio-user": "app"})
        assert joined.status_code == 200, joined.text
        with http.stream("GET", "/queue/data", params={"session_hash": body["session_hash"]}) as lines:
            for line in lines.iter_lines():
                said = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if said.get("msg") == "process_completed":
                    return said
    raise AssertionError("the event never ended")


def asking(credential: str) -> list[Any]:
    transcript = [{"role": "user", "content": [{"type": "text", "text": "Hi"}], "metadata": None}]
    return [transcript, "neptun", "", credential, True, -1, "", 256, 0.6, 1, "", None, ""]


@pytest.mark.parametrize(
    ("credential", "cookie"),
    [("a-key-of-the-tests", "the-hosts-own-session"), (COOKIE, COOKIE)],
    ids=["key", "cookie"],
)
def test_a_private_event_answers_those_who_may(closed_playground, neptun, credential, cookie):
    neptun.plays(data_lines("Yes."))
    assert "Yes." in json.dumps(join(closed_playground, "_answer", asking(credential)))
    asked = [exchange.request for exchange in neptun.exchanges if exchange.request.method == "POST"]
    assert [request.header("cookie") for request in asked] == [f"neptun-session={cookie}"]


@pytest.mark.parametrize("credential", ["", "pg-not-the-key-of-this-app", "no cookie; at all"])
def test_a_private_event_answers_nobody_else(closed_playground, neptun, credential):
    neptun.plays(json_answer({}))
    said = json.dumps(join(closed_playground, "_answer", asking(credential)))
    assert "neptun-notice failure" in said
    assert [request for request in neptun.requests if request.method == "POST"] == []


def test_a_file_or_an_address_is_taken_from_nobody(closed_playground, neptun):
    """Gradio itself would fetch it."""
    neptun.plays(json_answer({}))
    meta = {"_type": "gradio.FileData"}
    file = {"path": f"{neptun.url}/secret", "url": f"{neptun.url}/secret", "meta": meta}
    for data in (
        [[{"role": "user", "content": [{"type": "file", "file": file}]}], *asking("")[1:]],
        asking(file),
    ):
        said = join(closed_playground, "_answer", data)
        assert (said["success"], said["output"]["error"]) == (False, "Only text can be sent.")
    assert [request.path for request in neptun.requests if request.path == "/secret"] == []


def test_junk_is_answered_with_a_sentence(closed_playground):
    junk = [asking("")[0], "neptun", 5, 6, True, -1, "", 1, 1, 1, "", None, ""]
    said = json.dumps(join(closed_playground, "_answer", junk))
    assert "The model must be text" in said
