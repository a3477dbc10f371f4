"""The harness itself: that it lets through what it should, and that it refuses what it should."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from playground import Playground, copy_app, is_foreign
from upstream import (
    RECORDINGS,
    Gate,
    Play,
    Upstream,
    closes,
    cloudflare_error,
    data_lines,
    forever,
    garbage,
    gzipped,
    hangs,
    json_answer,
    recorded_request,
    recording,
    redirect,
    refusing,
    resets,
    sse,
    unreachable,
)

HERE = Path(__file__).parent


# Upstream: what a client sees


def ask(
    far_end: Upstream, method: str = "POST", target: str = "/chat", timeout: float = 20.0
) -> httpx.Response:
    with httpx.Client(timeout=timeout) as client:
        return client.request(method, far_end.url + target)


def wire(far_end: Upstream, method: str = "POST", target: str = "/chat", silence: float = 0.3) -> bytes:
    """All bytes up to the end, or to *silence* seconds without one, of the answer."""
    address = ("127.0.0.1", int(far_end.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(f"{method} {target} HTTP/1.1\r\nHost: far.end\r\nConnection: close\r\n\r\n".encode())
        client.settimeout(silence)
        seen = b""
        try:
            while piece := client.recv(65536):
                seen += piece
        except TimeoutError:
            seen += b"<silence>"
        return seen


def expected_wire(play: Play, method: str) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in dict(play.headers).items())
    head = f"HTTP/1.1 {play.status} Played\r\n{headers}\r\n".encode()
    pieces = [chunk.encode() for chunk in play.chunks if isinstance(chunk, str)]
    if dict(play.headers).get("transfer-encoding") == "chunked":
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return head + body + (b"<silence>" if play.ended == "open" else b"0\r\n\r\n")
    return head + (b"" if method == "HEAD" else b"".join(pieces))


def test_there_are_recordings():
    assert len(RECORDINGS) == 40


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_is_played_byte_for_byte(upstream, name):
    request, play = recorded_request(name), recording(name)
    upstream.plays(play)
    silence = 0.3 if play.ended == "open" else 20
    assert wire(upstream, request.method, request.target, silence) == expected_wire(play, request.method)
    assert upstream.requests[0].target == request.target


@pytest.mark.parametrize("name", [name for name in RECORDINGS if recording(name).ended == "clean"])
def test_a_recording_is_an_answer_to_an_http_client(upstream, name):
    request, play = recorded_request(name), recording(name)
    upstream.plays(play)
    answer = ask(upstream, request.method, request.target)
    assert answer.status_code == play.status
    assert [(key.decode(), value.decode()) for key, value in answer.headers.raw] == list(play.headers)
    assert answer.text == "".join(play.chunks)


def test_a_recording_can_keep_its_time(upstream):
    upstream.plays(recording("up_all_in_one_chunk", timed=True))
    begun = time.monotonic()
    ask(upstream)
    assert time.monotonic() - begun >= 0.129


def test_a_recording_can_be_changed():
    assert recording("ok_playground", ended="cut").ended == "cut"
    assert recorded_request("ok_playground").headers["Cookie"] == "neptun-session=<valid-session>"


def read_until_error(far_end: Upstream, silence: float) -> tuple[str, str]:
    """The text that came and the name of what stopped it."""
    seen = b""
    try:
        with httpx.Client(timeout=silence) as client, client.stream("POST", far_end.url) as answer:
            for piece in answer.iter_bytes():
                seen += piece
    except httpx.HTTPError as error:
        return seen.decode(), type(error).__name__
    return seen.decode(), ""


@pytest.mark.parametrize(
    ("ended", "error"),
    [
        ("clean", ""),
        ("length", ""),
        ("close", ""),
        ("open", "ReadTimeout"),
        ("cut", "RemoteProtocolError"),
        ("reset", "ReadError"),
    ],
)
def test_each_ending(upstream, ended, error):
    upstream.plays(data_lines("Hello", " world", ended=ended))
    silence = 0.4 if ended == "open" else 20
    assert read_until_error(upstream, silence) == ('0:"Hello"\n0:" world"\n', error)


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (closes(), "RemoteProtocolError"),
        (resets(), "ReadError"),
        (garbage(), "RemoteProtocolError"),
        (hangs(), "ReadTimeout"),
        (Play(headers={"content-length": "9"}, chunks=["four"], ended="cut"), "RemoteProtocolError"),
    ],
)
def test_each_way_to_be_no_answer(upstream, play, error):
    upstream.plays(play)
    silence = 0.4 if error == "ReadTimeout" else 20
    assert read_until_error(upstream, silence)[1] == error


def test_nobody_to_connect_to():
    with refusing() as url, pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with unreachable() as url, pytest.raises(httpx.ConnectTimeout):
        httpx.get(url, timeout=0.3)


def test_small_answers(upstream):
    upstream.plays(
        redirect("http://127.0.0.1/elsewhere"),
        json_answer({"a": "é"}, 404),
        gzipped(data_lines("packed", " twice")),
        cloudflare_error(4006, "out of neurons", 429),
        sse({"response": "Hi"}, "{broken", done=True),
        sse({"response": "Hi"}, done=False),
        data_lines("\ud83d", "\ude00", "\u2028"),
    )
    moved, missing, packed, spent, events, undone, halves = (ask(upstream) for _ in range(7))
    assert (moved.status_code, moved.headers["location"]) == (302, "http://127.0.0.1/elsewhere")
    assert (missing.status_code, missing.json()) == (404, {"a": "é"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == '0:"packed"\n0:" twice"\n'
    assert (spent.status_code, spent.json()["errors"][0]["code"]) == (429, 4006)
    assert events.text == 'data: {"response":"Hi"}\n\ndata: {broken\n\ndata: [DONE]\n\n'
    assert events.headers["content-type"] == "text/event-stream"
    assert undone.text == 'data: {"response":"Hi"}\n\n'
    assert halves.content == b'0:"\\ud83d"\n0:"\\ude00"\n0:"\xe2\x80\xa8"\n'
    assert ask(upstream).content == halves.content, "the last play repeats"


def test_gzip_streams(upstream):
    gate = Gate()
    upstream.plays(gzipped(Play(chunks=["first", gate, "second"])))
    with httpx.Client(timeout=20) as client, client.stream("POST", upstream.url) as answer:
        texts = answer.iter_text()
        assert next(texts) == "first"
        gate.open()
        assert "".join(texts) == "second"


def test_silences(upstream):
    upstream.plays(
        Play(chunks=["a", "b", "c"], before=0.1, head_delay=0.1, gap=0.1), Play(chunks=["a"], gap=[0.2])
    )
    for least in (0.4, 0.2):
        begun = time.monotonic()
        ask(upstream)
        assert time.monotonic() - begun >= least


def test_a_gate_holds_an_answer_back(upstream):
    gate = Gate()
    upstream.plays(Play(chunks=["before", gate, "after"]))
    with httpx.Client(timeout=20) as client, client.stream("POST", upstream.url) as answer:
        texts = answer.iter_text()
        assert next(texts) == "before"
        assert gate.reached.wait(20)
        assert upstream.open_now == 1
        gate.open()
        assert "".join(texts) == "after"
    assert upstream.quiet()
    assert upstream.open_now == 0


def test_answers_are_made_of_requests(upstream):
    upstream.answers(lambda request: json_answer({"said": request.json()["say"]}))
    assert httpx.post(upstream.url, json={"say": "hi"}).json() == {"said": "hi"}


def test_a_failing_handler_fails_its_test():
    def handler(_):
        raise ZeroDivisionError

    with Upstream() as far_end:
        far_end.answers(handler)
        assert ask(far_end).status_code == 500
        with pytest.raises(ZeroDivisionError):
            far_end.reset()


def test_what_is_not_scripted_says_so(upstream):
    assert ask(upstream).json()["message"] == "The test scripted no answer to POST /chat."


# Upstream: what it sees


def test_a_request_is_kept_as_it_came(upstream):
    upstream.plays(json_answer({}))
    begun = time.monotonic()
    with httpx.Client() as client:
        client.post(
            f"{upstream.url}/a%20b?chat_id=-1&x=1&x=2",
            content=iter([b"in ", b"chunks"]),
            headers={"X-CamelCase": "Yes"},
        )
    request = upstream.requests[0]
    assert (request.method, request.path, request.target) == ("POST", "/a b", "/a%20b?chat_id=-1&x=1&x=2")
    assert request.query == {"chat_id": "-1", "x": "2"}
    assert request.pairs == [("chat_id", "-1"), ("x", "1"), ("x", "2")]
    assert ("X-CamelCase", "Yes") in request.headers
    assert request.header("x-camelcase") == "Yes"
    assert request.header("cookie") is None
    assert request.body == b"in chunks"
    assert begun <= request.at <= time.monotonic()


def test_large_bodies_and_curl_s_expectation(upstream):
    upstream.plays(json_answer({}))
    body = b"x" * 3_000_000
    assert httpx.post(upstream.url, content=body, headers={"Expect": "100-continue"}).status_code == 200
    assert upstream.requests[0].body == body


def test_a_connection_is_used_again(upstream):
    upstream.plays(data_lines("one"), data_lines("two", ended="close"), data_lines("three"))
    with httpx.Client() as client:
        for _ in range(3):
            client.post(upstream.url)
    first, second, third = (exchange.connection for exchange in upstream.exchanges)
    assert first == second != third
    assert not any(exchange.left.is_set() for exchange in upstream.exchanges)


@pytest.mark.parametrize(
    "play",
    [
        Play(chunks=["one"], ended="open"),
        Play(chunks=[forever("tick")], gap=0.05),
        Play(chunks=[forever("x" * 100_000)]),  # as fast as it goes: the client reads too slowly
        Play(chunks=["one", "two"], gap=30),
    ],
    ids=["silent", "ticking", "flooding", "pausing"],
)
def test_a_leaving_client_is_seen_at_once(upstream, play):
    upstream.plays(play)
    with httpx.Client(timeout=20) as client, client.stream("POST", upstream.url) as answer:
        pieces = answer.iter_bytes()  # kept: a forgotten iterator closes its answer
        next(pieces)
        exchange = upstream.arrived()
        assert exchange.begun.wait(20)
        assert not exchange.left.is_set()
        assert upstream.open_now == 1
        left = time.monotonic()
    assert exchange.left.wait(5)
    assert 0 <= exchange.left_at - left < 0.2
    assert exchange.left_after == exchange.left_at - exchange.request.at
    assert upstream.quiet(20)


def test_a_client_that_leaves_before_the_head_is_seen(upstream):
    upstream.plays(hangs())
    with pytest.raises(httpx.ReadTimeout):
        ask(upstream, timeout=0.2)
    assert upstream.arrived().left.wait(5)


def test_a_client_that_leaves_with_its_request_is_seen(upstream):
    upstream.plays(hangs())
    with socket.create_connection(("127.0.0.1", int(upstream.url.rpartition(":")[2]))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert upstream.arrived().left.wait(5)


def test_one_who_has_it_all_did_not_leave(upstream):
    upstream.plays(data_lines("all"))
    ask(upstream)
    exchange = upstream.arrived()
    assert exchange.over.wait(20)
    assert exchange.left_after is None
    assert exchange.sent == 1


def test_reset_forgets_and_drops(upstream):
    upstream.serves("GET", "/models", json_answer({"models": []}))
    upstream.plays(data_lines("on and on", ended="open"))
    with httpx.Client(timeout=20) as client, client.stream("POST", upstream.url) as answer:
        assert ask(upstream, "GET", "/models").json() == {"models": []}
        assert ([r.path for r in upstream.served], len(upstream.requests)) == (["/models"], 1)
        exchange = upstream.arrived()
        upstream.reset()
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert not exchange.left.is_set(), "it was us who closed"
    assert (upstream.open_now, upstream.requests, upstream.exchanges, upstream.served) == (0, [], [], [])
    assert ask(upstream, "GET", "/models").status_code == 200, "standing answers stay"
    assert ask(upstream).status_code == 500


def test_one_does_not_wait_for_ever(upstream):
    with pytest.raises(AssertionError, match="0 requests came"):
        upstream.arrived(timeout=0.05)


def test_many_at_once(upstream):
    gate = Gate()
    upstream.plays(Play(chunks=["x", gate, "y"]))
    clients = [threading.Thread(target=ask, args=(upstream,)) for _ in range(20)]
    for client in clients:
        client.start()
    upstream.arrived(20)
    assert upstream.open_now == 20
    gate.open()
    for client in clients:
        client.join(5)
    assert upstream.quiet()


@pytest.mark.anyio
async def test_asynchronous_tests_use_it_too(upstream):
    upstream.plays(data_lines("Hello"))
    async with httpx.AsyncClient() as client:
        assert (await client.post(upstream.url)).text == '0:"Hello"\n'


# The app as a process

STAND_IN = """
import os, signal, socketserver, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<script>console.error('a complaint')</script><h1>stand-in</h1>")
    def log_message(self, *_): pass

for name in sorted(os.environ):
    print("env", name, os.environ[name], flush=True)
key = os.environ.get("PLAYGROUND_SESSION") or "pg-0123456789abcdef_-"
if "PLAYGROUND_SESSION" not in os.environ:
    print(f"curl -H 'Authorization: Bearer {key}' …", flush=True)
BEFORE
address = (os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), int(os.environ["GRADIO_SERVER_PORT"]))
HTTPServer(address, Page).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path):
    """A folder with a small app.py that does *before* ahead of serving."""

    def write(before: str = "") -> Path:
        (tmp_path / "app.py").write_text(STAND_IN.replace("BEFORE", before), encoding="utf-8")
        return tmp_path

    return write


def test_the_app_s_environment_is_known(stand_in, monkeypatch):
    monkeypatch.setenv("NEPTUN_SESSION", "the developer's own")
    monkeypatch.setenv("EDITOR", "vi")
    with Playground(stand_in(), {"PLAYGROUND_OPEN": "false", "GRADIO_SERVER_NAME": None}) as app:
        app.printed("curl ")  # printed after its environment
        seen = dict(re.findall(r"^env (\w+) (.*)$", app.output(), re.MULTILINE))
        assert httpx.get(app.url).status_code == 200
    ours = {"PATH", "HOME", "LANG", "PYTHONPATH", "GRADIO_SERVER_PORT", "PLAYGROUND_OPEN"}
    assert set(seen) - {"LC_CTYPE"} == ours  # Python itself may set LC_CTYPE
    assert seen["HOME"] != os.environ.get("HOME")


def test_the_app_s_key(stand_in):
    with Playground(stand_in()) as app:
        assert app.key == "pg-0123456789abcdef_-"
        assert app.printed("curl .*")
        with pytest.raises(AssertionError, match="was not printed"):
            app.printed("never said", timeout=0.05)
    with Playground(stand_in(), {"PLAYGROUND_SESSION": "a-configured-key-of-mine"}) as app:
        assert app.key == "a-configured-key-of-mine"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_the_app_is_asked_to_end(stand_in, by):
    with Playground(stand_in("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))")) as app:
        code, seconds = app.stop(by)
        assert code == (7 if by is signal.SIGTERM else -signal.SIGINT)
        assert seconds < 10  # what is not ended by then is killed
        assert app.stop() == (code, seconds)
    assert ("KeyboardInterrupt" in app.output()) == (by is signal.SIGINT)


def test_ctrl_c_is_heard_though_the_parent_is_deaf(stand_in):
    hearing = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Playground(stand_in()) as app:
            assert app.stop(signal.SIGINT).code == -signal.SIGINT
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, hearing)


def test_an_app_that_does_not_end_is_ended(stand_in):
    with Playground(stand_in("signal.signal(signal.SIGTERM, signal.SIG_IGN)")) as app:
        code, seconds = app.stop(limit=0.2)
    assert (code, seconds < 10) == (-signal.SIGKILL, True)


def test_an_app_that_does_not_start_shows_why(stand_in):
    folder = stand_in("print('half way'); raise SystemExit('NEPTUN_BASE_URL is no address')")
    with (
        pytest.raises(RuntimeError, match=r"(?s)exit code 1.*NEPTUN_BASE_URL is no address"),
        Playground(folder),
    ):
        pass
    with pytest.raises(RuntimeError, match="did not answer"), Playground(stand_in("signal.pause()"), limit=0.5):
        pass


def test_the_app_stays_on_this_machine(stand_in):
    folder = stand_in(
        "import urllib.request\n"
        "try: urllib.request.urlopen('http://neptun.example/models', timeout=2)\n"
        "except OSError as error: print(error, flush=True)\n"
    )
    with Playground(folder) as app:
        assert app.foreign() == ["socket.getaddrinfo neptun.example"]
        app.printed("tests stay on this machine")  # what it wrote comes through a pipe, and so later


def test_nobody_s_env_file_is_copied(tmp_path):
    root = tmp_path / "root"
    (root / "neptun_demo" / "__pycache__").mkdir(parents=True)
    (root / "tests").mkdir()
    for name in ("app.py", ".env", "neptun_demo/chat.py", "neptun_demo/.env", "neptun_demo/__pycache__/x.pyc"):
        (root / name).write_text("")
    copied = copy_app(tmp_path / "copy", root)
    files = {str(path.relative_to(copied)) for path in copied.rglob("*") if path.is_file()}
    assert files == {"app.py", "neptun_demo/chat.py"}


# The rules of a run, each in a pytest of its own


@pytest.fixture
def run_tests(tmp_path):
    """What a pytest says that has our conftest and the given tests."""

    def run(tests: str, **env: str) -> tuple[int, str]:
        for name in ("conftest.py", "upstream.py", "playground.py", "recordings"):
            (tmp_path / name).symlink_to(HERE / name)
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        (tmp_path / "test_inner.py").write_text(tests, encoding="utf-8")
        outer = ("CI", "CHROMIUM", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
        known = {name: value for name, value in os.environ.items() if name not in outer} | env
        known["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # schemathesis alone takes seconds to import
        plugins = ["-p", "no:cacheprovider", "-p", "anyio.pytest_plugin"]
        command = [sys.executable, "-m", "pytest", *plugins, "-q", "-ra", str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


FOREIGN = """
import asyncio, contextlib, socket, threading
import httpx, pytest

def test_connect():
    with socket.socket() as s, contextlib.suppress(OSError):
        s.connect(("192.0.2.1", 80))

def test_lookup():
    with contextlib.suppress(OSError):
        socket.getaddrinfo("far.example", 443)

def test_thread():
    t = threading.Thread(target=test_lookup)
    t.start()
    t.join()

@pytest.mark.anyio
async def test_async():
    async with httpx.AsyncClient() as client:
        with contextlib.suppress(httpx.HTTPError):
            await client.get("http://192.0.2.1/")

def test_home():
    with socket.create_server(("127.0.0.1", 0)) as s:
        socket.create_connection(("localhost", s.getsockname()[1])).close()
"""


def test_the_network_is_refused_even_to_code_that_swallows_it(run_tests):
    code, said = run_tests(FOREIGN)
    assert code == 1
    for name in ("connect", "lookup", "thread", "async"):
        assert f"ERROR test_inner.py::test_{name}" in said
    assert "test_home" not in said
    assert "5 passed, 4 errors" in said


def test_the_network_is_refused_while_tests_are_collected(run_tests):
    swallowed = "import socket\ntry: socket.create_connection(('far.example', 1))\nexcept OSError: pass\n"
    code, said = run_tests(swallowed + "def test_nothing(): pass")
    assert code == 1
    assert "socket.getaddrinfo far.example (during collection)" in said


@pytest.mark.parametrize(
    ("host", "foreign", "looked_up"),
    [
        ("127.0.0.1", False, False),
        ("127.8.9.1", False, False),
        ("::1", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - a host to judge
        ("localhost", False, False),
        (b"localhost", False, False),
        (None, False, False),
        ("8.8.8.8", True, False),
        ("::ffff:8.8.8.8", True, False),
        ("fe80::1%eth0", True, False),
        ("localhost.example", True, True),
        ("neptun-webui.vercel.app", True, True),
    ],
)
def test_what_is_foreign(host, foreign, looked_up):
    assert is_foreign(host, lookup=False) == foreign
    assert is_foreign(host, lookup=True) == looked_up  # an address in figures is not asked of anybody


CLEAN = """
import os

def test_clean():
    left = {name for name in os.environ if name.isupper()} & DIRTY
    assert not left
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["SYSTEMD_COLORS"] == "0"
    assert not {"https_proxy", "HTTPS_PROXY"} & set(os.environ)
"""


def test_the_tester_s_environment_is_left_behind(run_tests):
    dirty = {
        "NEPTUN_SESSION": "s",
        "CLOUDFLARE_API_TOKEN": "t",
        "PLAYGROUND_OPEN": "true",
        "GRADIO_SERVER_PORT": "1",
        "SPACE_ID": "me/play",
        "SYSTEM": "spaces",
        "HF_TOKEN": "h",
        "HTTPS_PROXY": "http://192.0.2.1:1",
    }
    tests = CLEAN.replace("DIRTY", repr(set(dirty)))
    code, said = run_tests(tests, **dirty, https_proxy="http://192.0.2.1:1", SYSTEMD_COLORS="0")
    assert code == 0, said


SKIPS = """
import pytest

def test_page(page): pass
def test_another_page(page): pass

@pytest.mark.skipif(True, reason="not today")
def test_other(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): raise AssertionError

def test_runs(): pass
"""


def test_a_newcomer_s_skips_are_counted(run_tests):
    code, said = run_tests(SKIPS, CHROMIUM="no-such-chromium")
    assert code == 0
    reason = "no Chromium here (no-such-chromium is not found; its path may be given as CHROMIUM)"
    assert f"\n2 tests skipped: {reason}\n" in said
    assert "\n1 test skipped: not today\n" in said
    assert "1 passed, 3 skipped, 1 xfailed" in said


def test_a_skip_in_ci_fails(run_tests):
    code, said = run_tests(SKIPS, CHROMIUM="no-such-chromium", CI="true")
    assert code == 1
    assert "skipped, which CI does not allow: no Chromium here" in said
    assert "skipped, which CI does not allow: not today" in said
    assert re.search(r"1 passed, 1 xfailed, 3 errors", said), said


@pytest.mark.parametrize(("ci", "code"), [("", 5), ("true", 2)])
def test_a_skipped_module_in_ci_fails(run_tests, ci, code):
    tests = 'import pytest\npytest.skip("whole", allow_module_level=True)\ndef test_it(): pass'
    assert run_tests(tests, CI=ci)[0] == code


# The browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "app.py").write_text(STAND_IN.replace("BEFORE", ""), encoding="utf-8")
    with Playground(folder) as app:
        yield app


def test_a_page_tells_what_it_asked_for_and_complained_of(page, site):
    page.goto(site.url)
    assert page.locator("h1").inner_text() == "stand-in"
    page.evaluate("setTimeout(() => { throw Error('thrown') })")
    page.wait_for_function("fetch('/more').then(answer => answer.ok)")
    assert {request.url for request in page.requests_seen} >= {f"{site.url}/", f"{site.url}/more"}
    assert "a complaint" in page.console_errors
    assert page.page_errors == ["thrown"]


@pytest.mark.anyio
@pytest.mark.parametrize("turn", [1, 2])
async def test_an_event_loop_runs_between_tests_of_the_browser(turn):
    await asyncio.sleep(0)
    assert asyncio.get_running_loop().is_running(), turn


def test_a_loop_of_one_s_own_runs_too(browser):
    assert browser.is_connected()
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"


def test_two_visitors_share_nothing(visit, site):
    first, second = visit(locale="de-DE"), visit(color_scheme="dark")
    first.goto(site.url)
    second.goto(site.url)
    first.evaluate("localStorage.setItem('mine', 1)")
    assert second.evaluate("localStorage.getItem('mine')") is None
    assert first.evaluate("navigator.language") == "de-DE"
    assert second.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")


def test_closing_the_page_is_leaving(visit, upstream):
    upstream.plays(Play(headers={"content-type": "text/html"}, chunks=["<p>on", forever(" and on")], gap=0.05))
    page = visit()
    page.goto(upstream.url, wait_until="commit")
    page.context.close()  # to close a page alone that is still loading, Chromium at times takes for ever
    assert upstream.arrived().left.wait(5)


STRAYS = """
import pytest
from upstream import Play, Upstream

PAGE = Play(headers={"content-type": "text/html"}, chunks=["<h1>home</h1>"])

@pytest.fixture
def home(upstream):
    upstream.plays(PAGE)
    return upstream.url

@pytest.mark.parametrize("url", ["http://fonts.example/a.css", "http://192.0.2.1/x", "OTHER"])
def test_stray(page, home, url):
    with Upstream() as other:
        page.goto(home)
        page.evaluate("url => fetch(url).catch(() => 0)", url.replace("OTHER", other.url))

def test_stray_in_another_tab(page, home):
    page.goto(home)
    with page.context.expect_page():
        page.evaluate("open('http://popup.example/')")

def test_stray_socket(page, home):
    page.goto(home)
    with page.expect_websocket():
        page.evaluate("void new WebSocket('ws://socket.example/')")

def test_named(page, home):
    page.allow("fonts.example")
    page.goto(home)
    page.evaluate("fetch('http://fonts.example/a.css').catch(() => 0)")

@pytest.mark.anyio
async def test_between(): pass

def test_home(page, home):
    page.goto(home)
    page.set_content("<img src='data:image/png;base64,AA=='><a href='http://not.followed/'>x</a>")
"""


def test_a_page_that_asks_others_fails(run_tests, browser):
    assert browser.version
    code, said = run_tests(STRAYS)
    assert code == 1
    for name in ("stray[http://fonts.example/a.css]", "stray[http://192.0.2.1/x]", "stray[OTHER]"):
        assert f"ERROR test_inner.py::test_{name}" in said
    for name in ("stray_in_another_tab", "stray_socket"):
        assert f"ERROR test_inner.py::test_{name}" in said
    assert "8 passed, 5 errors" in said, said


def test_node_strips_types(node, tmp_path):
    (tmp_path / "example.ts").write_text("const n: number = 6 * 7; console.log(n);")
    done = subprocess.run([node, "example.ts"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"


# Leaving streams open


LEAK = """
import socket
from upstream import data_lines

sockets = []

def test_leak(neptun):
    neptun.plays(data_lines("a", ended="open"))
    sockets.append(socket.create_connection(("127.0.0.1", int(neptun.url.rpartition(":")[2]))))
    sockets[0].sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    neptun.arrived()

def test_next(neptun):
    assert (neptun.requests, neptun.open_now) == ([], 0)
    sockets[0].close()
"""


def test_a_stream_left_open_fails_its_test(run_tests):
    code, said = run_tests(LEAK)
    assert code == 1
    assert "ERROR test_inner.py::test_leak" in said
    assert "2 passed, 1 error" in said, said


# What CI runs


@pytest.fixture
def ci_command(tmp_path):
    """What `.ci/run` does with a README: its exit code and what it says; its tools only tell their names."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(HERE.parent / ".ci" / "run", tmp_path / ".ci" / "run")
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "python").write_text('#!/bin/sh\necho "python $*"\n')
    (tools / "python").chmod(0o755)

    def run(readme: str) -> tuple[int, str]:
        (tmp_path / "README.md").write_text(readme)
        command = ["bash", ".ci/run"]
        env = {"PATH": os.environ["PATH"], "CHROMIUM": "sh"}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_ci_runs_what_the_readme_says(ci_command):
    block = "```bash\necho CI is $CI &&\n  echo second line\n```\n\n```bash\necho another block\n```\n"
    code, said = ci_command(f"# Title\n\n```\necho not this\n```\n\n<!-- test-command -->\n{block}")
    assert code == 0, said
    ran = [line for line in said.splitlines() if not line.startswith(("+ ", "  "))]
    assert ran[:2] == ["CI is true", "second line"]
    assert ran[2:] == ["python -m ruff check .", "python -m ruff format --check .", "python -m mypy"]


@pytest.mark.parametrize(
    "readme",
    [
        "# Title\n```\npytest\n```\n",
        "<!-- test-command -->\nSome words between.\n```\npytest\n```\n",
        "<!-- test-command -->\n```\n\n```\n",
        "<!-- test-command -->\n",
    ],
)
def test_ci_fails_where_the_readme_says_nothing(ci_command, readme):
    code, said = ci_command(readme)
    assert code == 1
    assert "README.md has no code block" in said


def test_ci_fails_with_the_readme_s_command(ci_command):
    code, said = ci_command("<!-- test-command -->\n```\nfalse\necho never\n```\n")
    assert code == 1
    assert "python -m ruff" not in said
