"""The app as a process: how it starts, what it prints, how it ends, and on Hugging Face Spaces."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playground import ROOT, Playground, copy_app
from upstream import Play, Upstream, data_lines, forever, hangs

Start = Callable[..., Playground]
CHAT = "/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat?chat_id=-1&is_playground=true"
ASK = {"messages": [{"role": "user", "content": "hello"}]}
HOSTS_SESSION = "the-hosts-own-neptun-session"
HOSTS_TOKEN = "the-hosts-own-cloudflare-token"


def test_it_says_where_it_is_what_is_set_up_and_how_to_call_it(offline_playground: Playground) -> None:
    offline_playground.printed(r"curl -N ")
    said = offline_playground.output()
    assert offline_playground.url in said
    assert "Answers now: Offline guide" in said
    assert "Traceback" not in said


def test_the_printed_curl_line_works_as_it_is(offline_playground: Playground) -> None:
    line = offline_playground.printed(r"curl -N .*\n").group(0)
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=True)
    assert "offline guide" in done.stdout.decode().lower()


def test_the_printed_curl_line_works_where_only_a_cookie_would(start_playground: Start) -> None:
    app = start_playground(PLAYGROUND_BACKEND="neptun")
    line = app.printed(r"curl -N .*\n").group(0)
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=True)
    assert "offline guide" in done.stdout.decode().lower()


def test_nothing_foreign_is_asked_but_the_public_list_of_models(offline_playground: Playground) -> None:
    assert [line for line in offline_playground.foreign() if "neptun-webui.vercel.app" not in line] == []


def test_a_configured_key_is_never_printed(start_playground: Start) -> None:
    app = start_playground(PLAYGROUND_SESSION="a-key-that-the-host-chose")
    app.printed("curl -N ")
    assert "a-key-that-the-host-chose" not in app.output()
    assert "$PLAYGROUND_SESSION" in app.output()
    answer = httpx.post(
        app.url + CHAT,
        json=ASK,
        headers={"Cookie": "neptun-session=a-key-that-the-host-chose"},
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time_though_streams_are_open(
    start_playground: Start, upstream: Upstream, number: signal.Signals
) -> None:
    upstream.serves("GET", "/models", Play(status=503))
    ticks = Play(chunks=[forever('0:"tick "\n')], gap=0.05)
    upstream.plays(ticks, ticks, Play(chunks=('0:"tick "\n',), ended="open"), hangs())
    app = start_playground(NEPTUN_BASE_URL=upstream.url)
    asking = {"message": "hello", "backend": "neptun", "credential": "mine"}
    with ExitStack() as open_now, httpx.Client(base_url=app.url, trust_env=False, timeout=10) as client:
        headers = {"Cookie": "neptun-session=mine"}
        for _ in range(2):
            request = client.build_request("POST", f"{CHAT}&backend=neptun", json=ASK, headers=headers)
            answer = client.send(request, stream=True)
            open_now.callback(answer.close)
            pieces = answer.iter_raw()  # held: to let go of it closes the stream
            open_now.callback(pieces.close)
            assert next(pieces).startswith(b"tick ")
        event = client.post("/gradio_api/call/v2/chat", json=asking).json()["event_id"]
        open_now.enter_context(client.stream("GET", f"/gradio_api/call/chat/{event}"))
        upstream.arrived(3)  # answers are played in the order in which they are asked for
        waiting = open_now.enter_context(socket.create_connection(("127.0.0.1", app.port), timeout=10))
        body = json.dumps(ASK).encode()
        head = f"POST {CHAT}&backend=neptun HTTP/1.1\r\nHost: localhost\r\nCookie: neptun-session=mine\r\n"
        waiting.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        upstream.arrived(4)
        assert upstream.open_now == 4
        ended = app.stop(number)
        assert waiting.recv(32).startswith(b"HTTP/1.1 503")
    assert ended.code == 0
    assert ended.seconds < 5
    assert upstream.quiet(20)
    assert "Traceback" not in app.output()


def test_bad_settings_are_named_one_by_one(app_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=app_folder,
        env={
            "PATH": os.environ["PATH"],
            "PLAYGROUND_SESSION": "short-secret",
            "PLAYGROUND_IDLE_TIMEOUT": "soon",
            "NEPTUN_BASE_URL": "neptun",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    for name in ("PLAYGROUND_SESSION", "PLAYGROUND_IDLE_TIMEOUT", "NEPTUN_BASE_URL"):
        assert len(re.findall(f"^{name}: ", done.stderr, re.MULTILINE)) == 1
    assert "short-secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(app_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=app_folder,
            env={"PATH": os.environ["PATH"], "GRADIO_SERVER_PORT": port},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1, port {port}: the port is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_dotenv_is_read_and_the_environment_beats_it(tmp_path: Path) -> None:
    folder = copy_app(tmp_path)
    (folder / ".env").write_text(
        "PLAYGROUND_SESSION=a-key-out-of-the-dotenv\nPLAYGROUND_MODEL=nonsense\nPLAYGROUND_BACKEND=\n"
    )
    with Playground(folder, {"PLAYGROUND_MODEL": "offline-guide"}) as app:
        app.printed("curl -N ")
        assert "PLAYGROUND_MODEL" not in app.output()  # the environment's is fine, and wins
        answer = httpx.post(
            app.url + CHAT,
            json=ASK,
            headers={"Cookie": "neptun-session=a-key-out-of-the-dotenv"},
            trust_env=False,
            timeout=30,
        )
        assert answer.status_code == 200


def test_empty_values_of_gradios_own_count_as_absent(start_playground: Start) -> None:
    app = start_playground(GRADIO_ROOT_PATH="", GRADIO_NUM_PORTS="", GRADIO_ALLOWED_PATHS=" ")
    app.printed("curl -N ")


def test_a_dotenv_that_is_no_text_is_named(app_folder: Path, tmp_path: Path) -> None:
    folder = copy_app(tmp_path, app_folder)
    (folder / ".env").write_bytes("PLAYGROUND_MODEL=é\n".encode("latin-1"))
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert ".env cannot be read as UTF-8 text." in done.stderr


def test_a_model_outside_the_built_in_rows_is_a_warning(start_playground: Start) -> None:
    app = start_playground(PLAYGROUND_MODEL="brand-new-model")
    assert "brand-new-model" in app.printed("Warning: PLAYGROUND_MODEL: .*").group(0)


def test_the_hosts_session_answers_in_temporary_chats_only(start_playground: Start, upstream: Upstream) -> None:
    upstream.serves("GET", "/models", Play(status=503))
    upstream.plays(data_lines("ok"))
    app = start_playground(NEPTUN_BASE_URL=upstream.url, NEPTUN_SESSION=f"neptun-session={HOSTS_SESSION}")
    answer = httpx.post(
        app.url + "/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat?chat_id=77",
        json=ASK,
        headers={"Authorization": f"Bearer {app.key}"},
        trust_env=False,
    )
    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["x-chat-stored"] == "false"
    sent = upstream.requests[0]
    assert sent.query == {"chat_id": "-1", "is_playground": "true"}
    assert sent.header("cookie") == f"neptun-session={HOSTS_SESSION}"
    assert HOSTS_SESSION not in app.output()


def test_over_the_days_budget_is_429_and_says_when(start_playground: Start, upstream: Upstream) -> None:
    upstream.serves("GET", "/models", Play(status=503))
    upstream.plays(data_lines("ok"))
    app = start_playground(
        NEPTUN_BASE_URL=upstream.url, NEPTUN_SESSION=HOSTS_SESSION, PLAYGROUND_DAILY_ANSWERS="1"
    )
    headers = {"Cookie": f"neptun-session={app.key}"}
    statuses = [
        httpx.post(app.url + CHAT, json=ASK, headers=headers, trust_env=False, timeout=60) for _ in range(2)
    ]
    assert [answer.status_code for answer in statuses] == [200, 429]
    assert "00:00 UTC" in statuses[1].json()["message"]
    assert 0 < int(statuses[1].headers["retry-after"]) <= 86_400


# Hugging Face Spaces


@pytest.fixture(scope="module")
def on_spaces(app_folder: Path, neptun_server: Upstream, workers_ai_server: Upstream) -> Iterator[Playground]:
    """The app as Spaces starts it, with accounts of the host's."""
    env = {
        "SYSTEM": "spaces",
        "SPACE_ID": "me/play",
        "SPACE_HOST": "me-play.hf.space",
        "GRADIO_SERVER_NAME": "0.0.0.0",  # noqa: S104 - what Spaces sets
        "NEPTUN_BASE_URL": neptun_server.url,
        "NEPTUN_SESSION": HOSTS_SESSION,
        "CLOUDFLARE_BASE_URL": workers_ai_server.url,
        "CLOUDFLARE_ACCOUNT_ID": "account-of-the-tests",
        "CLOUDFLARE_API_TOKEN": HOSTS_TOKEN,
    }
    with Playground(app_folder, env) as app:
        yield app


@pytest.fixture
def space(on_spaces: Playground, neptun: Upstream) -> Playground:
    neptun.plays(data_lines("ok"))
    return on_spaces


def test_on_spaces_the_hosts_credentials_are_closed_to_visitors(space: Playground, neptun: Upstream) -> None:
    from gradio_client import Client

    public = {"Host": "me-play.hf.space"}
    assert httpx.get(space.url, headers=public, trust_env=False, timeout=60).status_code == 200
    assert (
        httpx.get(space.url, headers={"Host": "evil.example"}, trust_env=False, timeout=60).status_code == 400
    )
    assert (
        httpx.post(space.url + CHAT, json=ASK, headers=public, trust_env=False, timeout=60).status_code == 401
    )
    client = Client(space.url, verbose=False)
    for backend in ("neptun", "workers-ai"):
        with pytest.raises(Exception, match="key"):
            client.predict("hello", backend=backend, api_name="/chat")
    assert neptun.requests == []
    answer = client.predict("hello", backend="neptun", credential=space.key, api_name="/chat")
    assert answer["text"] == "ok"
    assert HOSTS_SESSION not in space.output()
    assert HOSTS_TOKEN not in space.output()


def test_the_key_is_in_no_page_and_no_config(space: Playground) -> None:
    for path in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json"):
        shown = httpx.get(space.url + path, trust_env=False, timeout=60).text
        for secret in (HOSTS_SESSION, HOSTS_TOKEN, space.key):
            assert secret not in shown


def test_on_spaces_the_page_stays_at_home_and_is_opened_by_the_key(
    space: Playground, neptun: Upstream, page
) -> None:
    from playwright.sync_api import expect

    # Gradio's header on Spaces, and the fonts of that header: nothing else may be asked.
    page.allow("huggingface.co", "fonts.googleapis.com")
    page.goto(space.url)
    box = page.locator("#message textarea")
    box.fill("Hello")
    box.press("Enter")
    expect(page.locator(".neptun-notice").last).to_contain_text("playground's key", timeout=60_000)
    assert neptun.requests == []
    page.get_by_label("Cookie or playground key").fill(space.key)
    box.fill("Hello again")
    box.press("Enter")
    expect(page.locator(".neptun-numbers")).to_be_visible(timeout=60_000)
    assert neptun.requests[0].query == {"chat_id": "-1", "is_playground": "true"}


# The documentation's own examples


def examples() -> dict[str, str]:
    """The code blocks of the endpoint's documentation, by language (a copy of it lies beside the tests)."""
    text = (Path(__file__).with_name("endpoint-documentation.md")).read_text("utf-8")
    _, _, code = text.partition("## Code Examples")
    return dict(re.findall(r"```(bash|python|typescript)\n(.*?)```", code, re.DOTALL))


def with_host_and_credential(example: str, app: Playground) -> str:
    """Host and credential changed, and nothing else."""
    return example.replace("https://neptun-webui.vercel.app", app.url).replace("your-session-cookie", app.key)


def test_the_documented_curl_example_prints_the_reply(offline_playground: Playground) -> None:
    script = with_host_and_credential(examples()["bash"], offline_playground)
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60, check=True)
    assert "offline guide" in done.stdout.decode().lower()


def test_the_documented_python_example_prints_the_reply(offline_playground: Playground, tmp_path: Path) -> None:
    example = with_host_and_credential(examples()["python"], offline_playground)
    call = (
        f"asyncio.run(stream_chat_completion({offline_playground.key!r}, 123,"
        " 'llama-3.3-70b-instruct-fp8-fast', [Message(role='user', content='Hello, how are you?')]))\n"
    )
    script = tmp_path / "example.py"
    script.write_text(example + "\n" + call)
    done = subprocess.run([sys.executable, script], capture_output=True, timeout=60, check=True)
    assert "offline guide" in done.stdout.decode().lower()


def test_the_documented_typescript_example_prints_the_reply(
    offline_playground: Playground, page, node: str, tmp_path: Path
) -> None:
    """In a browser, on a page of the app's origin that holds the cookie; node strips the types."""
    example = with_host_and_credential(examples()["typescript"], offline_playground)
    source = tmp_path / "example.ts"
    source.write_text("interface Message { role: 'user' | 'assistant'; content: string }\n" + example)
    strip = "const source = require('fs').readFileSync(process.argv[1], 'utf8');"
    strip += " console.log(require('module').stripTypeScriptTypes(source))"
    plain = subprocess.run(
        [node, "--no-warnings", "-e", strip, source], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    page.goto(offline_playground.url + "/theme.css")  # any page of the origin will do
    page.context.add_cookies(
        [{"name": "neptun-session", "value": offline_playground.key, "url": offline_playground.url}]
    )
    call = (
        "await streamChatCompletion('', 123, 'llama-3.3-70b-instruct-fp8-fast',"
        " [{role: 'user', content: 'Hello, how are you?'}])"
    )
    page.evaluate(f"async () => {{ {plain}\n {call} }}")
    assert "offline guide" in "".join(printed).lower()


# The README


def test_the_space_header_names_the_pinned_gradio() -> None:
    header = (ROOT / "README.md").read_text("utf-8").split("---")[1]
    pinned = re.search(r"^gradio==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned
    fields = dict(re.findall(r"^(\w+): (.+)$", header, re.MULTILINE))
    assert fields["sdk"] == "gradio"
    assert fields["sdk_version"] == pinned[1]
    assert fields["app_file"] == "app.py"
    assert fields["python_version"] == '"3.12"'
    assert {"title", "emoji", "colorFrom", "colorTo", "short_description"} <= set(fields)
    assert len(fields["short_description"]) <= 60


def test_the_readme_names_every_setting() -> None:
    from neptun_demo.settings import Settings

    readme = (ROOT / "README.md").read_text("utf-8")
    example = (ROOT / ".env.example").read_text("utf-8")
    for field in Settings.model_fields:
        if field not in ("made_key", "space_id", "space_host"):
            assert f"`{field.upper()}`" in readme
            assert field.upper() in example


def test_the_readmes_curl_example_prints_the_reply(offline_playground: Playground) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    script = re.search(r"<!-- curl-example -->\n```bash\n(.*?)```", readme, re.DOTALL)
    assert script
    line = script[1].replace("http://127.0.0.1:7860", offline_playground.url)
    done = subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, "PLAYGROUND_SESSION": offline_playground.key},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert "offline guide" in done.stdout.decode().lower()
    assert shlex.split(line)[0] == "curl"


@pytest.mark.parametrize("marker", ["httpx-example", "gradio-client-example", "openai-example"])
def test_the_readmes_python_examples_print_the_reply(
    offline_playground: Playground, marker: str, tmp_path: Path
) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    code = re.search(rf"<!-- {marker} -->\n```python\n(.*?)```", readme, re.DOTALL)
    assert code
    script = tmp_path / "example.py"
    script.write_text(code[1].replace("http://127.0.0.1:7860", offline_playground.url))
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PLAYGROUND_SESSION": offline_playground.key},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert "offline guide" in done.stdout.decode().lower()
