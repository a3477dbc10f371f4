"""What every test stands on: a known environment, no network but this machine, far ends and a browser."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playground import Playground, copy_app, keep_home, leave_stubs
from upstream import Upstream, json_answer, recording

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# Here and not in a fixture: test modules import gradio, and gradio reads its environment as it is imported.
LEAKS = re.compile(r"(NEPTUN|CLOUDFLARE|PLAYGROUND|GRADIO|SPACE|HF)_.*|SYSTEM|.*_PROXY", re.IGNORECASE)
for _name in filter(LEAKS.fullmatch, list(os.environ)):
    del os.environ[_name]
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"  # else gradio_client asks a hub which agent might be running it

_foreign: list[str] = []


def _note_foreign(seen: str) -> None:
    during = os.environ.get("PYTEST_CURRENT_TEST", "collection")
    stack = "".join(traceback.format_stack(limit=40)[:-3])
    _foreign.append(f"{seen} (during {during})\n{stack}")


keep_home(_note_foreign)
leave_stubs()


@pytest.fixture(autouse=True)
def _stays_on_this_machine() -> Iterator[None]:
    """The connection was refused where it was tried; here the test fails, even if its code swallowed that."""
    yield
    tried, _foreign[:] = _foreign[:], []
    if tried:
        pytest.fail("tests stay on this machine, but this was tried:\n" + "\n".join(tried), pytrace=False)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


# Far ends and the app

ACCOUNT, TOKEN = "account-of-the-tests", "token-of-the-tests"
CHAT_MODELS = ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/openai/gpt-oss-20b")
_session_upstreams: list[Upstream] = []


def model_search(*names: str) -> dict[str, Any]:
    """One page of Workers AI's list of models, with values as strings, as it sends them."""
    window = {"property_id": "context_window", "value": "24000"}
    rows = [{"id": f"uuid-{at}", "name": name, "properties": [window]} for at, name in enumerate(names)]
    total = {"count": len(rows), "page": 1, "per_page": 100, "total_count": len(rows), "total_pages": 1}
    return {"success": True, "errors": [], "messages": [], "result": rows, "result_info": total}


@pytest.fixture(autouse=True)
def _leaves_nothing_open() -> Iterator[None]:
    """Who opens a stream closes it. Autouse, so that it looks only after pages and scripts are gone."""
    yield
    still = [upstream for upstream in _session_upstreams if not upstream.quiet(5)]
    for upstream in still:
        upstream.reset()
    if still:
        pytest.fail("5 s after the test an answer of an upstream is still being read", pytrace=False)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A far end of the test's own."""
    with Upstream() as far_end:
        yield far_end


@pytest.fixture(scope="session")
def neptun_server() -> Iterator[Upstream]:
    with Upstream() as far_end:
        far_end.serves("GET", "/models", recording("get_models"))
        _session_upstreams.append(far_end)
        yield far_end


@pytest.fixture(scope="session")
def workers_ai_server() -> Iterator[Upstream]:
    with Upstream() as far_end:
        listing = json_answer(model_search(*CHAT_MODELS))
        far_end.serves("GET", f"/accounts/{ACCOUNT}/ai/models/search", listing)
        _session_upstreams.append(far_end)
        yield far_end


@pytest.fixture
def neptun(neptun_server: Upstream) -> Upstream:
    """The Neptun endpoint that `playground` talks to, fresh for this test."""
    neptun_server.reset()
    return neptun_server


@pytest.fixture
def workers_ai(workers_ai_server: Upstream) -> Upstream:
    """The Workers AI that `playground` talks to, fresh for this test."""
    workers_ai_server.reset()
    return workers_ai_server


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_app(tmp_path_factory.mktemp("app"))


@pytest.fixture
def start_playground(app_folder: Path) -> Iterator[Callable[..., Playground]]:
    """Start an app of the test's own: `start_playground(SYSTEM="spaces", SPACE_ID="me/play")`."""
    with ExitStack() as stack:
        yield lambda **env: stack.enter_context(Playground(app_folder, env))


@pytest.fixture(scope="session")
def offline_playground(app_folder: Path) -> Iterator[Playground]:
    """The app as a newcomer starts it: no credentials. One for all tests."""
    with Playground(app_folder) as app:
        yield app


def _connected(folder: Path, neptun: Upstream, workers_ai: Upstream, idle_timeout: str) -> Playground:
    env = {
        "NEPTUN_BASE_URL": neptun.url,
        "CLOUDFLARE_BASE_URL": workers_ai.url,
        "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        "CLOUDFLARE_API_TOKEN": TOKEN,
        "PLAYGROUND_IDLE_TIMEOUT": idle_timeout,
        "PLAYGROUND_DAILY_ANSWERS": "100000",  # the tests of one run share this app's day
    }
    return Playground(folder, env)


@pytest.fixture(scope="session")
def connected_playground(
    app_folder: Path, neptun_server: Upstream, workers_ai_server: Upstream
) -> Iterator[Playground]:
    with _connected(app_folder, neptun_server, workers_ai_server, idle_timeout="4") as app:
        yield app


@pytest.fixture(scope="session")
def _patient(app_folder: Path, neptun_server: Upstream, workers_ai_server: Upstream) -> Iterator[Playground]:
    with _connected(app_folder, neptun_server, workers_ai_server, idle_timeout="60") as app:
        yield app


@pytest.fixture
def patient_playground(_patient: Playground, neptun: Upstream, workers_ai: Upstream) -> Playground:  # noqa: ARG001
    """The same, for callers that leave while the far end is silent: no limit ends the answer in their place."""
    return _patient


@pytest.fixture
def playground(connected_playground: Playground, neptun: Upstream, workers_ai: Upstream) -> Playground:  # noqa: ARG001
    """The app with both upstreams, which this test scripts as `neptun` and `workers_ai`. One for all tests."""
    return connected_playground


# The browser

# The last of these switches counts, and Playwright gives one too: here are those of its own that matter, and a
# page of the browser's own that it would prepare for each visitor.
FEATURES = (
    # Without the first one, closing a page that is still loading never ends.
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,AvoidCorsURLLoaderRestartOnRedirect"
    ",LensOverlay,AimEnabled,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,MediaRouter,NetworkTimeServiceQuerying,OptimizationHints"
    ",PaintHolding,PreconnectToSearch,ThirdPartyStoragePartitioning,Translate"
    ",PreloadTopChromeWebUI,PreloadTopChromeWebUILessNavigations"
)
FLAGS = (
    f"--disable-features={FEATURES}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # What a page asks of others is seen as a request all the same, but no packet leaves.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE [::1]",
)


def _chromium() -> str:
    named = os.environ.get("CHROMIUM", "chromium")
    found = shutil.which(named)
    if found is None:
        pytest.skip(f"no Chromium here ({named} is not found; its path may be given as CHROMIUM)")
    return found


@contextmanager
def _running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Playwright's event loop is seen as this thread's running one only inside of this block.

    Its synchronous API leaves it marked as running from start to stop; in between no other test could run one.
    """
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, one for all tests. Tests take `page`, or `visit` for more than one visitor."""
    executable = _chromium()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("no Playwright here (tests/requirements.txt)")
    manager = sync_playwright().start()
    with _running(asyncio.get_running_loop()):
        chromium = manager.chromium.launch(executable_path=executable, args=FLAGS)
    yield chromium
    with _running(chromium._loop):
        chromium.close()
        manager.stop()


class _Visit:
    """What a page asked for and complained about."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[Any] = []  # requests and web sockets: both have a url
        self.console_errors: list[str] = []
        self.page_errors: list[str] = []
        self.allowed: set[str] = set()
        context.on("request", self._ask)
        context.on("page", lambda page: page.on("websocket", self._ask))
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.page_errors.append(str(error.error)))

    def _ask(self, asked: Any) -> None:
        self.requests.append(asked)

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.console_errors.append(message.text)

    def foreign(self) -> list[str]:
        """What did not go to the page's own address: the first one asked for that is on this machine."""
        asked = [(seen.url, urlsplit(seen.url)) for seen in self.requests]
        asked = [(url, parts) for url, parts in asked if parts.scheme in ("http", "https", "ws", "wss")]
        homes = [parts.netloc for _, parts in asked if parts.hostname in ("127.0.0.1", "localhost", "::1")][:1]
        known = {*homes, *self.allowed}
        return [url for url, parts in asked if not known & {parts.netloc, parts.hostname}]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A new visitor's page, as often as it is called; what it takes are Playwright's options of a context.

    Besides Playwright's own, the page has `requests_seen`, `console_errors`, `page_errors`, and `allow(*hosts)`
    for the foreign hosts that a test expects by name: a request to any other fails the test.
    """
    visits: list[_Visit] = []
    contexts: list[BrowserContext] = []

    def begin(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(60_000)  # a limit, not a pause: machines are shared
        seen = _Visit(context)
        visits.append(seen)
        page = context.new_page()
        page.requests_seen, page.console_errors = seen.requests, seen.console_errors
        page.page_errors, page.allow = seen.page_errors, lambda *hosts: seen.allowed.update(hosts)
        return page

    with _running(browser._loop):
        yield begin
        for context in contexts:
            context.close()
    foreign = [url for seen in visits for url in seen.foreign()]
    if foreign:
        pytest.fail("the page asked others than its own host:\n" + "\n".join(foreign), pytrace=False)


@pytest.fixture
def page(visit: Callable[..., Page]) -> Page:
    return visit()


@pytest.fixture(scope="session")
def node() -> str:
    """A node that runs TypeScript by stripping its types: the one Playwright brings, else the machine's."""
    try:
        import playwright
    except ImportError:
        found = shutil.which("node")
    else:
        bundled = Path(playwright.__file__).parent / "driver" / "node"
        found = str(bundled) if bundled.exists() else shutil.which("node")
    if found is None:
        pytest.skip("no node here (it comes with Playwright, tests/requirements.txt)")
    return found


# Skips: counted for a newcomer, refused in CI


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def _reason(report: Any) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")


def _refuse_skip(report: Any) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and _in_ci():
        report.outcome, report.longrepr = "failed", f"skipped, which CI does not allow: {_reason(report)}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    report = yield
    _refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in skipped.items():
        terminalreporter.write_line(f"{count} test{'s' * (count > 1)} skipped: {reason}", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was tried after the last test's end, or with no test at all."""
    if _foreign and session.exitstatus == 0:
        sys.stderr.write("tests stay on this machine, but this was tried:\n" + "\n".join(_foreign))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
