"""The documented route, over real sockets: the app as a process, its upstreams as servers."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from playground import Playground
from upstream import Play, Upstream, data_lines, forever, hangs, recording, refusing, sse

DOCUMENTED = "llama-3.3-70b-instruct-fp8-fast"
ASK = {"messages": [{"role": "user", "content": "Hello, how are you?"}]}
VISITOR = "a-visitors-own-session"


def path(model: str = DOCUMENTED) -> str:
    return f"/api/ai/cloudflare/{model}/chat"


class Route:
    """A caller of the documented route of one app."""

    def __init__(self, app: Playground) -> None:
        self._app = app
        self._client = httpx.Client(base_url=app.url, timeout=20, trust_env=False)

    def ask(
        self,
        query: dict[str, Any] | None = None,
        *,
        cookie: str | None = VISITOR,
        body: Any = ASK,
        model: str = DOCUMENTED,
        **more: Any,
    ) -> httpx.Response:
        """One request; without *query* a temporary chat with the Neptun back end."""
        params = {"chat_id": -1, "is_playground": "true", "backend": "neptun"} if query is None else query
        headers = {"Cookie": f"neptun-session={cookie}"} if cookie is not None else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._client.post(
            path(model),
            params=params,
            content=content,
            headers={"Content-Type": "application/json", **headers, **more.pop("headers", {})},
            **more,
        )

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def route(playground: Playground) -> Iterator[Route]:
    with closing(Route(playground)) as caller:
        yield caller


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """The documented error body, whose parts are all there, with the status that it came with."""
    body = answer.json()
    assert body["statusCode"] == answer.status_code
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["statusMessage"], body["message"]


# Success


def test_the_answer_is_the_text_as_documented(route: Route, neptun: Upstream) -> None:
    neptun.plays(recording("ok_playground"))
    answer = route.ask()
    assert (answer.status_code, answer.text) == (200, "Hello, world!")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-chat-backend"] == "neptun"
    assert "x-chat-stored" not in answer.headers
    sent = neptun.requests[0]
    assert sent.query == {"chat_id": "-1", "is_playground": "true"}
    assert sent.header("cookie") == f"neptun-session={VISITOR}"
    assert sent.json() == ASK


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ok_playground", "Hello, world!"),
        ("ok_chat1_playground_false", "Hello, world!"),
        ("up_all_in_one_chunk", "one two three"),
        ("up_code_reply", "Code:\n\n```python\nprint(1)\n```\n\nDone."),
        ("up_md_link", "See https://e.x/a) now.[docs]("),
        ("up_md_star_never_closes", "* item one\nplain text goes on until the end."),
        ("up_md_table", "| a | b |\n|---|---|\n| 1 | 2 |\n\nDone."),
        ("up_pause_mid", "one two"),
        ("up_slow_first", "late"),
        (
            "up_u2028",
            'a\u2028bc\u2029de\u0085f\x00tab\thereq"uoteback\\slashnl\nnlcr\r\n\x7f</script>',
        ),
        ("up_unicode", "Grüße 😀👩\u200d👩\u200d👧 日本عربىe\u0301"),
        ("xss_entities_user", "Hello, world!"),
    ],
)
def test_a_recorded_reply_comes_out_to_the_byte(route: Route, neptun: Upstream, name: str, text: str) -> None:
    neptun.plays(recording(name))
    answer = route.ask()
    assert answer.status_code == 200
    assert answer.content == text.encode()


def test_text_comes_piece_by_piece(playground: Playground, neptun: Upstream) -> None:
    from upstream import Gate

    gate = Gate()
    neptun.plays(Play(chunks=('0:"one"\n', gate, '0:" two"\n')))
    with httpx.stream(
        "POST",
        f"{playground.url}{path()}?chat_id=-1&is_playground=true&backend=neptun",
        cookies={"neptun-session": VISITOR},
        json=ASK,
        timeout=10,
        trust_env=False,
    ) as answer:
        pieces = answer.iter_bytes()
        assert next(pieces) == b"one"  # and the upstream has sent no more than that
        gate.open()
        assert b"".join(pieces) == b" two"


@pytest.mark.parametrize("model", [DOCUMENTED, f"cloudflare/{DOCUMENTED}", f"@cf/meta/{DOCUMENTED}"])
def test_a_model_is_found_by_each_of_its_names(route: Route, neptun: Upstream, model: str) -> None:
    neptun.plays(data_lines("ok"))
    assert route.ask(model=model).text == "ok"
    assert neptun.requests[0].path == path()


def test_a_chat_is_stored_when_that_is_asked(route: Route, neptun: Upstream) -> None:
    neptun.plays(recording("ok_chat1_playground_false"))
    answer = route.ask({"chat_id": 123, "backend": "neptun"})
    assert answer.text == "Hello, world!"
    assert neptun.requests[0].query == {"chat_id": "123", "is_playground": "false"}
    assert "x-chat-stored" not in answer.headers


def test_workers_ai_answers_with_the_key(
    route: Route, playground: Playground, workers_ai: Upstream, neptun: Upstream
) -> None:
    workers_ai.plays(sse({"response": "It is "}, {"response": 3}, {"response": ".50"}))
    answer = route.ask({"chat_id": 7}, cookie=playground.key)
    assert (answer.status_code, answer.text) == (200, "It is 3.50")
    assert answer.headers["x-chat-backend"] == "workers-ai"
    assert answer.headers["x-chat-stored"] == "false"
    assert not neptun.requests


# Who may, and the order of the checks


@pytest.mark.parametrize("cookie", [None, "", "pg-this-is-not-the-key", "has space", 'a"b', "ü"])
@pytest.mark.parametrize("backend", ["neptun", "workers-ai", "offline", "nonsense", None])
def test_without_a_credential_that_fits_nothing_else_is_looked_at(
    route: Route, neptun: Upstream, workers_ai: Upstream, cookie: str | None, backend: str | None
) -> None:
    query = {"chat_id": "not a number"} | ({"backend": backend} if backend else {})
    headers = {} if cookie is None else {b"Cookie": f"neptun-session={cookie}".encode()}
    answer = route.ask(query, cookie=None, body=b"not json", model="nope", headers=headers)
    assert error_of(answer)[:2] == (401, "Unauthorized")
    assert not neptun.requests
    assert not workers_ai.requests


def test_a_cookie_that_the_back_end_cannot_use_is_told_where_it_can(route: Route, workers_ai: Upstream) -> None:
    status, _, message = error_of(route.ask({"chat_id": -1}))
    assert status == 401
    assert "backend=neptun" in message
    assert not workers_ai.requests


def test_the_key_is_never_sent_to_an_upstream(playground: Playground, route: Route, neptun: Upstream) -> None:
    status, _, message = error_of(route.ask(cookie=playground.key))
    assert (status, neptun.requests) == (401, [])  # this host has no Neptun session to lend
    assert "neptun-session" in message


def test_a_bearer_token_is_a_credential_too(route: Route, playground: Playground, workers_ai: Upstream) -> None:
    workers_ai.plays(sse({"response": "ok"}))
    answer = route.ask({"chat_id": 1}, cookie=None, headers={"Authorization": f"Bearer {playground.key}"})
    assert answer.text == "ok"


@pytest.mark.parametrize(
    ("query", "body", "model", "phrase", "words"),
    [
        ({}, ASK, DOCUMENTED, "Bad Request", "chat_id is missing"),
        ({"chat_id": "abc"}, ASK, DOCUMENTED, "Bad Request", "chat_id must be a whole number"),
        ({"chat_id": "1.5"}, ASK, DOCUMENTED, "Bad Request", "chat_id must be a whole number"),
        ({"chat_id": ["1", "2"]}, ASK, DOCUMENTED, "Bad Request", "chat_id is given 2 times"),
        ({"chat_id": 1, "is_playground": "maybe"}, ASK, DOCUMENTED, "Bad Request", "is_playground must be"),
        ({"chat_id": 99999999999}, ASK, DOCUMENTED, "Bad Request", "chat_id"),
        ({"chat_id": 1, "backend": "nope"}, ASK, DOCUMENTED, "Bad Request", "no back end named 'nope'"),
        ({"chat_id": "x"}, b"{", "nope", "Bad Request", "chat_id must be"),  # the query comes first
        ({"chat_id": 1}, b"{", "nope", "Bad Request", "not valid JSON"),  # then the body
        ({"chat_id": 1}, b"", DOCUMENTED, "Bad Request", "not valid JSON"),
        ({"chat_id": 1}, [], DOCUMENTED, "Bad Request", "JSON object"),
        ({"chat_id": 1}, {}, DOCUMENTED, "Bad Request", "messages is missing"),
        ({"chat_id": 1}, {"messages": []}, DOCUMENTED, "Bad Request", "messages is empty"),
        (
            {"chat_id": 1},
            {"messages": [{"role": "system", "content": "be brief"}]},
            DOCUMENTED,
            "Bad Request",
            "messages[0].role",
        ),
        ({"chat_id": 1}, {"messages": [{"role": "user", "content": " "}]}, DOCUMENTED, "Bad Request", "blank"),
        ({"chat_id": 1}, ASK, "nope", "Invalid model name", "no model named 'nope'"),  # then the model
    ],
)
def test_a_wrong_request_is_a_400_that_names_the_place(
    route: Route, neptun: Upstream, query: Any, body: Any, model: str, phrase: str, words: str
) -> None:
    answer = route.ask({"backend": "neptun", **query}, body=body, model=model)
    status, said, message = error_of(answer)
    assert (status, said) == (400, phrase)
    assert words in message
    assert not neptun.requests


def test_no_name_of_a_model_is_no_models_name(
    playground: Playground, neptun: Upstream, workers_ai: Upstream
) -> None:
    address = f"{playground.url}/api/ai/cloudflare//chat"
    query = {"chat_id": "-1", "is_playground": "true"}
    cookies = {"Cookie": f"neptun-session={playground.key}"}
    answer = httpx.post(address, params=query, json=ASK, headers=cookies, trust_env=False, timeout=30)
    assert error_of(answer)[:2] == (400, "Invalid model name")
    assert not neptun.requests
    assert not workers_ai.requests


def test_messages_without_room_are_told_in_a_header(route: Route, neptun: Upstream) -> None:
    neptun.plays(data_lines("Hi"))
    said = [{"role": "user", "content": "x" * 80_000}, {"role": "assistant", "content": "Yes."}]
    for earlier, dropped in (([], None), (said, "2")):
        answer = route.ask({"chat_id": 1, "backend": "neptun"}, body={"messages": [*earlier, *ASK["messages"]]})
        assert answer.status_code == 200
        assert answer.headers.get("x-chat-dropped") == dropped


def test_a_retired_model_is_no_longer_available(route: Route, playground: Playground) -> None:
    answer = route.ask({"chat_id": 1}, cookie=playground.key, model="llama-3.1-8b-instruct")
    assert error_of(answer)[:2] == (400, "Service not available anymore.")


@pytest.mark.parametrize(
    ("chat_id", "body", "phrase"),
    [(1, ASK, "Service not available anymore."), ("x", ASK, "Bad Request"), (1, b"{", "Bad Request")],
    ids=["nothing else", "query", "body"],
)
def test_a_back_end_that_is_not_set_up_is_the_last_thing_to_be_said(
    offline_playground: Playground, chat_id: Any, body: Any, phrase: str
) -> None:
    query = {"chat_id": chat_id, "backend": "workers-ai"}
    with closing(Route(offline_playground)) as route:
        answer = route.ask(query, cookie=offline_playground.key, body=body)
        assert error_of(answer)[:2] == (400, phrase)
        assert answer.headers["x-chat-backend"] == "workers-ai"
        assert error_of(route.ask(query, cookie=None, body=body))[0] == 401


@pytest.mark.parametrize(
    ("given", "sent"), [("true", "true"), ("True", "true"), ("1", "true"), ("FALSE", "false"), ("0", "false")]
)
def test_is_playground_is_understood_in_any_case(route: Route, neptun: Upstream, given: str, sent: str) -> None:
    neptun.plays(data_lines("ok"))
    route.ask({"chat_id": 5, "is_playground": given, "backend": "neptun"})
    assert neptun.requests[0].query == {"chat_id": "5", "is_playground": sent}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(playground: Playground, method: str) -> None:
    answer = httpx.request(method, playground.url + path(), trust_env=False, timeout=60)
    assert error_of(answer)[:2] == (405, "HTTP method is not allowed.")
    assert answer.headers["allow"] == "POST"
    assert answer.headers["x-chat-backend"] == "workers-ai"


def test_requests_that_the_endpoint_would_refuse_are_mended(route: Route, neptun: Upstream) -> None:
    """Recordings `xss_*` and `is_playground_omitted_chat1` are 400s; our client does not provoke them."""
    neptun.plays(data_lines("ok"))
    history = [
        {"role": "user", "content": "is 1 < 2 ?"},
        {"role": "assistant", "content": "x => x + 1"},
        {"role": "user", "content": "&lt; stays", "parts": [{"type": "text", "text": "ignored"}], "id": "m1"},
    ]
    assert route.ask({"chat_id": 3, "backend": "neptun"}, body={"messages": history}).text == "ok"
    sent = neptun.requests[0]
    assert sent.query["is_playground"] == "false"
    assert [message["content"] for message in sent.json()["messages"]] == [
        "is 1 &lt; 2 ?",
        "x =&gt; x + 1",
        "&lt; stays",
    ]
    assert "text/html" not in (sent.header("accept") or "")


# Failures before the first text


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("invalid_cookie", 401, "does not accept this session"),
        ("no_cookie", 401, "does not accept this session"),
        ("up_err401", 401, "The session is fine"),
        ("up_err429", 429, "00:00 UTC"),
        ("up_err500", 500, "Internal server error"),
        ("up_drop", 500, "Server Error"),
        ("up_cut_before_first_token", 500, "failed before the first word"),
        ("up_empty_stream", 502, "without any text"),
        ("other_provider_model", 400, "does not know this model"),
        ("unknown_model", 400, "does not know this model"),
        ("chat_id_too_big_for_int4", 500, "Server Error"),
        ("method_get", 405, "405"),
        ("size_2000000", 413, "413"),
        ("role_system", 400, "messages.0.role"),
        ("messages_empty", 400, "messages"),
        ("content_blank_earlier", 400, "String must contain at least 1 character"),
        ("xss_lt_in_user_text", 400, "Bad Request"),
    ],
)
def test_a_recorded_failure_keeps_its_status_and_says_what_to_do(
    route: Route, neptun: Upstream, name: str, status: int, words: str
) -> None:
    neptun.plays(recording(name))
    code, phrase, message = error_of(route.ask({"chat_id": 1, "backend": "neptun"}))
    assert code == status
    assert words in message
    if "model" in name:
        assert phrase == "Invalid model name"
    assert VISITOR not in message


def test_silence_before_the_first_text_is_504(route: Route, neptun: Upstream) -> None:
    neptun.plays(hangs())
    assert error_of(route.ask())[0] == 504


def test_an_upstream_that_is_not_there_is_502(start_playground: Any) -> None:
    with refusing() as nobody:
        app = start_playground(NEPTUN_BASE_URL=nobody, PLAYGROUND_SESSION="a-configured-key-of-the-host")
        with closing(Route(app)) as route:
            answer = route.ask()
        assert error_of(answer)[0] == 502
        assert "could not be reached" in answer.json()["message"]
        assert "a-configured-key-of-the-host" not in app.output()


@pytest.mark.parametrize(
    ("status", "code", "ours", "words"),
    [
        (401, 10000, 500, "CLOUDFLARE_API_TOKEN"),
        (403, 5035, 500, "paid plan"),
        (404, 7003, 500, "CLOUDFLARE_ACCOUNT_ID"),
        (400, 5007, 400, "does not have this model"),
        (413, 5021, 413, "context window"),
        (429, 4006, 429, "00:00 UTC"),
        (408, 3007, 504, "took too long"),
    ],
)
def test_what_concerns_the_hosts_account_is_no_fault_of_the_caller(
    route: Route, playground: Playground, workers_ai: Upstream, status: int, code: int, ours: int, words: str
) -> None:
    from upstream import cloudflare_error

    workers_ai.plays(cloudflare_error(code, "some words", status))
    answer = route.ask({"chat_id": 1}, cookie=playground.key)
    assert answer.status_code == ours
    assert words in answer.json()["message"]


# Failures after the first text


@pytest.mark.parametrize("ended", ["open", "cut", "reset"])
def test_half_an_answer_is_never_a_whole_one(playground: Playground, neptun: Upstream, ended: Any) -> None:
    neptun.plays(recording("up_cut_mid", ended=ended))
    text = b""
    with (  # noqa: PT012 - the text so far comes before the error
        pytest.raises(httpx.RemoteProtocolError),
        httpx.stream(
            "POST",
            f"{playground.url}{path()}?chat_id=-1&is_playground=true&backend=neptun",
            cookies={"neptun-session": VISITOR},
            json=ASK,
            timeout=10,
            trust_env=False,
        ) as answer,
    ):
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            text += piece
    assert text == b"one two three"
    playground.printed("An answer broke off: The Neptun endpoint")
    assert "Traceback" not in playground.output()
    assert "without completing" not in playground.output()


# Callers that leave


@pytest.fixture
def curl(playground: Playground) -> Iterator[subprocess.Popen[bytes]]:
    """A caller as another program, which can be ended as its user would."""
    with subprocess.Popen(
        [
            *("curl", "-sN", "-X", "POST", "-H", f"Cookie: neptun-session={VISITOR}", "-d", json.dumps(ASK)),
            f"{playground.url}{path()}?chat_id=-1&is_playground=true&backend=neptun",
        ],
        stdout=subprocess.PIPE,
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(Play(chunks=[forever('0:"tick "\n')], gap=0.05), id="while text flows"),
        pytest.param(Play(chunks=('0:"one"\n',), ended="open"), id="while it is silent"),
        pytest.param(hangs(), id="before the first text"),
    ],
)
def test_a_caller_that_leaves_closes_the_upstream(
    neptun: Upstream, play: Play, patient_playground: Playground
) -> None:
    neptun.plays(play)
    body = json.dumps(ASK).encode()
    head = (
        f"POST {path()}?chat_id=-1&is_playground=true&backend=neptun HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: neptun-session={VISITOR}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    # A socket of its own: to close a client's while another thread reads from it closes nothing yet.
    with socket.create_connection(("127.0.0.1", patient_playground.port), timeout=20) as caller:
        caller.sendall(head.encode() + body)
        exchange = neptun.arrived()
        if play.head:
            assert exchange.begun.wait(20)
            assert caller.recv(15) == b"HTTP/1.1 200 OK"
        assert not exchange.left.is_set()
    assert exchange.left.wait(3), "the upstream is still being read seconds after the caller left"


def test_curl_that_is_ended_closes_the_upstream(neptun: Upstream, curl: subprocess.Popen[bytes]) -> None:
    neptun.plays(Play(chunks=[forever('0:"tick "\n')], gap=0.05))
    exchange = neptun.arrived()
    assert curl.stdout
    assert curl.stdout.read(5) == b"tick "
    curl.kill()
    assert exchange.left.wait(5)


def test_a_caller_that_reads_nothing_has_no_more_time_than_others(
    start_playground: Any, upstream: Upstream
) -> None:
    upstream.serves("GET", "/models", Play(status=503))
    upstream.plays(Play(chunks=[forever(f'0:"{"x" * 60_000}"\n')], gap=0.002))
    app = start_playground(NEPTUN_BASE_URL=upstream.url, PLAYGROUND_MAX_SECONDS="2")
    body = json.dumps(ASK).encode()
    head = (
        f"POST {path()}?chat_id=-1&is_playground=true&backend=neptun HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: neptun-session={VISITOR}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as caller:
        caller.sendall(head.encode() + body)
        assert upstream.arrived().left.wait(5)
    app.printed("An answer broke off: its caller did not read it in time.")
    assert "Traceback" not in app.output()
