"""What stands in front of every route: hosts, sizes, closed paths, headers."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from playground import Playground
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from neptun_demo.guard import CONTENT_SECURITY_POLICY, LARGEST_BODY, LONGEST_QUERY, Guard, allowed_hosts
from neptun_demo.settings import load

CHAT = "/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat"


def get(app: Playground, path: str, **more: object) -> httpx.Response:
    return httpx.request(str(more.pop("method", "GET")), app.url + path, trust_env=False, **more, timeout=60)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/theme.css", 200),
        ("GET", "/gradio_api/info", 200),
        ("GET", "/nothing/here", 404),
        ("POST", CHAT, 401),
        ("GET", CHAT, 405),
        ("POST", "/gradio_api/upload", 404),
    ],
)
def test_every_response_carries_the_policy(
    offline_playground: Playground, method: str, path: str, status: int
) -> None:
    answer = get(offline_playground, path, method=method)
    assert answer.status_code == status
    assert answer.headers.get_list("content-security-policy") == [CONTENT_SECURITY_POLICY]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/gradio_api/info", CHAT])
def test_an_address_that_is_too_long_is_414(offline_playground: Playground, path: str) -> None:
    answer = get(offline_playground, f"{path}?prompt={'x' * LONGEST_QUERY}")
    assert answer.status_code == 414
    assert answer.json()["statusMessage"] == "URI Too Long"
    assert get(offline_playground, f"/?prompt={'x' * (LONGEST_QUERY - 7)}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/config"])
def test_the_page_travels_packed_to_whoever_takes_it_so(offline_playground: Playground, path: str) -> None:
    packed = get(offline_playground, path)
    plain = get(offline_playground, path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < len(plain.content) / 4


def test_nothing_else_is_packed_since_it_could_be_held_back(offline_playground: Playground) -> None:
    question = {"messages": [{"role": "user", "content": "What is this?"}]}
    asking = {"Cookie": f"neptun-session={offline_playground.key}"}
    path = "/api/ai/cloudflare/offline-guide/chat?backend=offline&chat_id=-1&is_playground=true"
    answer = get(offline_playground, path, method="POST", json=question, headers=asking)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


def test_the_policy_is_the_one_that_was_asked_for() -> None:
    assert CONTENT_SECURITY_POLICY == (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'none'; object-src 'none'; "
        "base-uri 'self'; frame-ancestors 'self' https://huggingface.co https://*.hf.space"
    )


@pytest.mark.parametrize("origin", ["http://evil.example", "https://huggingface.co", "http://localhost:1"])
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_our_routes_never_let_another_origin_use_the_visitors_cookies(
    offline_playground: Playground, origin: str, method: str
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = get(offline_playground, CHAT, method=method, headers=headers)
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "localhost.evil.example", "", "a b"])
def test_a_foreign_host_name_is_refused(offline_playground: Playground, host: str) -> None:
    assert get(offline_playground, "/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1234", "127.0.0.1", "127.0.0.1:80", "192.168.7.7:7860"]
)
def test_localhost_and_addresses_are_served(offline_playground: Playground, host: str) -> None:
    assert get(offline_playground, "/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("path", "message"),
    [("/", ("message",)), (CHAT, ("message",)), ("/v1/chat/completions", ("error", "message"))],
)
def test_who_asks_for_another_name_learns_how_to_add_it(
    offline_playground: Playground, path: str, message: tuple[str, ...]
) -> None:
    answer = get(offline_playground, path, method="POST", headers={"Host": "evil.example"})
    said = answer.json()
    for step in message:
        said = said[step]
    assert said == (
        "This playground does not go by the name 'evil.example'. Its host can add it to PLAYGROUND_HOSTS."
    )
    assert answer.headers.get("x-chat-backend") == ("offline" if path == CHAT else None)


@pytest.mark.parametrize(
    ("headers", "root"),
    [
        ({"X-Forwarded-Host": "evil.example"}, None),
        ({"X-Forwarded-Host": "evil.example, localhost"}, None),
        ({"X-Forwarded-Host": "8.8.8.8"}, None),
        ({"X-Forwarded-Host": "localhost:9"}, "http://localhost:9"),
        ({"X-Forwarded-Host": "192.168.7.7"}, "http://192.168.7.7"),
        ({"X-Gradio-Server": "http://evil.example"}, ""),
        ({}, ""),
    ],
)
def test_nobody_else_becomes_the_address_of_the_page(
    offline_playground: Playground, headers: dict[str, str], root: str | None
) -> None:
    answer = get(offline_playground, "/config", headers=headers)
    assert answer.status_code == (400 if root is None else 200)
    assert "evil" not in answer.json().get("root", "")
    if root is not None:
        assert answer.json()["root"] == (root or offline_playground.url)


@pytest.mark.anyio
async def test_what_the_proxy_of_spaces_says_refuses_nobody_and_is_not_believed() -> None:
    seen: list[dict[str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(Headers(scope=scope)))
        await Response()(scope, receive, send)

    guard = Guard(app, load({"SPACE_ID": "me/play", "SPACE_HOST": "me-play.hf.space"}))
    transport = httpx.ASGITransport(guard)
    async with httpx.AsyncClient(transport=transport, base_url="http://me-play.hf.space") as client:
        for name in ("me-play.hf.space", "inside.example"):
            assert (await client.get("/", headers={"X-Forwarded-Host": name})).status_code == 200
    assert [headers.get("x-forwarded-host") for headers in seen] == ["me-play.hf.space", None]


def test_a_preflight_of_the_route_says_who_answers(offline_playground: Playground) -> None:
    headers = {"Origin": "http://localhost:1", "Access-Control-Request-Method": "POST"}
    assert (
        get(offline_playground, CHAT, method="OPTIONS", headers=headers).headers["x-chat-backend"] == "offline"
    )


def test_configured_hosts_and_those_of_spaces_are_served() -> None:
    hosts = allowed_hosts(load({"PLAYGROUND_HOSTS": "chat.example, *.demo.example"}))
    assert {"localhost", "chat.example", "*.demo.example"} <= set(hosts)
    assert "*.hf.space" not in hosts
    on_spaces = {"SPACE_ID": "me/play", "SPACE_HOST": "me-play.hf.space", "GRADIO_SERVER_NAME": "0.0.0.0"}  # noqa: S104
    assert "me-play.hf.space" in allowed_hosts(load(on_spaces))
    assert "0.0.0.0" not in allowed_hosts(load(on_spaces))  # noqa: S104


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/upload_progress?upload_id=1",
        "/gradio_api/deep_link?session_hash=abc",
        "/gradio_api/runs",
        "/gradio_api/runs/",
        "/gradio_api/run-history/connect",
        "/gradio_api/run-history/records",
        "/monitoring",
        "/monitoring/summary",
        "/monitoring/some-key",
        "/gradio_api/proxy=https://example.com/",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/vibe-code",
        "/gradio_api/vibe-starter-queries/",
        "/gradio_api/undo-vibe-edit",
        "/gradio_api/process_recording",
        "/gradio_api/dev/reload",
        "/gradio_api/custom_component/id/client/component/index.js",
        # Starlette's routes match these too.
        "/gradio_api/upload%0A",
        "/gradio_api/deep_link%0A?session_hash=abc",
        "/gradio_api/file=/etc/passwd%0A",
        "/monitoring%0A",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_page_has_no_use_for_is_closed(offline_playground: Playground, path: str, method: str) -> None:
    answer = get(offline_playground, path, method=method)
    assert (answer.status_code, answer.json()["message"]) == (404, "This path is closed here.")


def test_what_is_closed_is_closed_below_a_root_path_too(start_playground) -> None:
    app = start_playground(GRADIO_ROOT_PATH="/sub")
    for path in (
        "/sub/gradio_api/upload",
        "/gradio_api/upload",
        "/sub/gradio_api/deep_link",
        "/sub/monitoring",
    ):
        assert get(app, path, method="POST").json().get("message") == "This path is closed here."
    headers = {"Origin": "http://localhost:1"}
    answer = get(app, f"/sub{CHAT}", method="POST", headers=headers)
    assert answer.status_code == 401
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", [CHAT, "/gradio_api/queue/join", "/gradio_api/call/chat", "/nothing/here"])
def test_a_body_that_is_too_large_is_413_on_every_path(offline_playground: Playground, path: str) -> None:
    answer = get(offline_playground, path, method="POST", content=b"x" * LARGEST_BODY)
    assert answer.status_code == 413
    assert answer.json()["statusMessage"] == "Payload Too Large"
    assert ("x-chat-backend" in answer.headers) == (path == CHAT)


def test_what_stands_in_front_speaks_openais_shape_to_its_clients(offline_playground: Playground) -> None:
    path = "/v1/chat/completions"
    large = get(offline_playground, path, method="POST", content=b"x" * LARGEST_BODY)
    long = get(offline_playground, f"{path}?a={'x' * LONGEST_QUERY}", method="POST")
    for answer, status, code in ((large, 413, "payload_too_large"), (long, 414, "uri_too_long")):
        said = answer.json()["error"]
        assert (answer.status_code, said["type"], said["code"]) == (status, "invalid_request_error", code)
        assert "bytes here" in said["message"]


def test_a_body_without_a_length_is_counted(offline_playground: Playground) -> None:
    def endless():
        while True:
            yield b"x" * 65_536

    with httpx.Client(trust_env=False, timeout=10) as client:
        try:
            status = client.post(offline_playground.url + CHAT, content=endless()).status_code
        except httpx.WriteError:  # the answer and the close came while the body was being written
            status = 413
    assert status == 413


@pytest.mark.parametrize("path", [CHAT, "/gradio_api/queue/join"])
def test_a_length_beside_chunks_hides_nothing(offline_playground: Playground, path: str) -> None:
    address = urlsplit(offline_playground.url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(f"{head}{LARGEST_BODY:x}\r\n".encode() + b"x" * LARGEST_BODY)
        assert connection.recv(32).startswith(b"HTTP/1.1 413")


def test_a_body_without_a_length_that_fits_is_read(offline_playground: Playground) -> None:
    body = b'{"messages": [{"role": "user", "content": "hello"}]}'
    answer = get(
        offline_playground,
        f"{CHAT}?chat_id=1",
        method="POST",
        content=iter([body[:9], body[9:]]),
        headers={"Cookie": f"neptun-session={offline_playground.key}"},
    )
    assert answer.status_code == 200
    assert "offline guide" in answer.text.lower()


def test_a_wrong_method_is_405_however_large_its_body(offline_playground: Playground) -> None:
    address = urlsplit(offline_playground.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        head = f"PUT {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(32).startswith(b"HTTP/1.1 405")
