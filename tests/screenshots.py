"""Takes pictures of the page: each scene at three widths, light and dark. To be looked at, not compared.

    python tests/screenshots.py FOLDER            every picture, into FOLDER
    python tests/screenshots.py FOLDER chat code  these scenes
    python tests/screenshots.py --readme          the pictures of the README, into assets/

The real app, in front of servers on this machine that play recorded answers, in Debian's Chromium.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conftest import ACCOUNT, CHAT_MODELS, FLAGS, TOKEN, model_search
from playground import ROOT, Playground, copy_app
from playwright.sync_api import sync_playwright
from test_page import COOKIE, Visit
from upstream import Play, Upstream, data_lines, json_answer, recording, sse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIZES = {1440: 900, 820: 1180, 390: 844}
SCHEMES = ("light", "dark")
README = {"compare": "compare", "wire": "look-inside", "code": "code", "chat": "screenshot"}
"""The scenes of the README, by the names of their pictures."""

QUESTION = "How does a chat endpoint stream its answers? Show a line of code."
ANSWER = """It keeps the connection open and writes **pieces** as the model makes them. A client reads them:

```python
async for piece in response.aiter_text():
    print(piece, end="", flush=True)
```

| way | what a piece is |
|---|---|
| plain text | the text itself |
| data stream | a line such as `0:"Hello"` |
| server-sent events | `data: {"response":"Hello"}` |

The body's end says that the answer is whole; a broken body, that it is not."""
THOUGHT = (
    "The person asks how streaming works. A short answer with one example and a table of the wires is best."
)
USAGE = {"prompt_tokens": 31, "completion_tokens": 148, "neurons": 4.2}


def pieces(text: str, size: int = 9) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def of_neptun() -> Play:
    play = data_lines(*pieces(ANSWER))
    return Play(status=play.status, headers=play.headers, chunks=play.chunks, gap=0.02)


def of_workers_ai() -> Play:
    thoughts = [{"choices": [{"delta": {"reasoning_content": piece}}]} for piece in pieces(THOUGHT)]
    texts = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces(ANSWER)]
    play = sse(*thoughts, *texts, {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": USAGE})
    return Play(status=play.status, headers=play.headers, chunks=play.chunks, gap=0.01)


class Stage:
    """A visitor of one size in one scheme, in front of both upstreams."""

    def __init__(self, visitor: Visit, neptun: Upstream, workers_ai: Upstream) -> None:
        self.visitor, self.neptun, self.workers_ai = visitor, neptun, workers_ai
        self.page: Any = visitor.page

    def closed(self) -> Visit:
        """Without the side bar where it covers the page."""
        if self.page.viewport_size["width"] < 1024 and self.page.locator("#settings.open").count():
            self.page.get_by_role("button", name="Toggle Sidebar").click()
            self.visitor.expect(self.page.locator("#settings.open")).to_have_count(0)
        return self.visitor

    def on_neptun(self, *plays: Play) -> Visit:
        self.neptun.plays(*plays)
        self.visitor.on_neptun()
        return self.closed()

    def on_workers_ai(self, *plays: Play) -> Visit:
        self.workers_ai.plays(*plays)
        self.visitor.on_workers_ai().choose("Model", "gpt-oss-20b")
        return self.closed()


def first(stage: Stage) -> None:
    """The first visit: a side bar where there is room, a card, examples."""


def chat(stage: Stage) -> None:
    stage.on_neptun(of_neptun()).ask(QUESTION)


def thinking(stage: Stage) -> None:
    visitor = stage.on_workers_ai(of_workers_ai()).ask(QUESTION)
    visitor.answer.get_by_role("button", name="Thinking").click()


def failure(stage: Stage) -> None:
    cut = data_lines("This sentence is not going to", ended="cut")
    visitor = stage.on_neptun(cut, recording("invalid_cookie"))
    visitor.ask("Tell me more.")
    visitor.ask("And who am I?")


def _inside(stage: Stage, view: str) -> None:
    stage.on_neptun(of_neptun()).ask(QUESTION)
    stage.visitor.numbers.get_by_role("link", name="Look inside").click()
    stage.page.get_by_role("tab", name=view, exact=True).click()
    stage.visitor.expect(stage.page.locator("#inspector .inspected")).to_be_visible()


def request(stage: Stage) -> None:
    _inside(stage, "Request")


def wire(stage: Stage) -> None:
    _inside(stage, "Wire")


def code(stage: Stage) -> None:
    _inside(stage, "Code")


def compare(stage: Stage) -> None:
    stage.workers_ai.plays(of_workers_ai())
    stage.on_neptun(of_neptun())
    stage.page.get_by_role("tab", name="Compare").click()
    box = stage.page.locator("#compare-message textarea")
    box.fill(QUESTION)
    box.press("Enter")
    stage.visitor.expect(stage.page.locator("#columns .neptun-numbers")).to_have_count(2)


def history(stage: Stage) -> None:
    visitor = stage.on_neptun(data_lines("One."), data_lines("Two."))
    for question in ("Which wires are there?", "How long may an answer be?"):
        panel = visitor.settings("Conversations").page.locator("#keeping")
        panel.get_by_role("button", name="New chat").click()
        stage.closed().ask(question)
    visitor.settings("Conversations")


SCENES: dict[str, Callable[[Stage], None]] = {
    scene.__name__: scene for scene in (first, chat, thinking, failure, request, wire, code, compare, history)
}


@contextmanager
def upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    with Upstream() as neptun, Upstream() as workers_ai:
        neptun.serves("GET", "/models", recording("get_models"))
        models = json_answer(model_search(*CHAT_MODELS))
        workers_ai.serves("GET", f"/accounts/{ACCOUNT}/ai/models/search", models)
        yield neptun, workers_ai


def take(browser: Browser, app: Playground, far_ends: Any, scene: str, width: int, scheme: str) -> bytes:
    """A picture of *scene*, as PNG."""
    for far_end in far_ends:
        far_end.reset()
    size = {"width": width, "height": SIZES[width]}
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce", locale="en-US")
    page = context.new_page()
    SCENES[scene](Stage(Visit(page, app), *far_ends))
    page.wait_for_timeout(600)  # fonts, and what slides in
    picture: bytes = page.screenshot()
    context.close()
    return picture


def main(arguments: list[str]) -> None:
    for_readme = arguments == ["--readme"]
    folder = ROOT / "assets" if for_readme else Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        far_ends = stack.enter_context(upstreams())
        copy = copy_app(Path(stack.enter_context(tempfile.TemporaryDirectory())) / "app")
        connected = {
            "NEPTUN_BASE_URL": far_ends[0].url,
            "CLOUDFLARE_BASE_URL": far_ends[1].url,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "PLAYGROUND_DAILY_ANSWERS": "100000",
        }
        apps = {
            "first": stack.enter_context(Playground(copy)),
            "": stack.enter_context(Playground(copy, connected)),
        }
        player = stack.enter_context(sync_playwright())
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for scene in README if for_readme else arguments[1:] or SCENES:
            for width in (1440,) if for_readme else SIZES:
                for scheme in ("light",) if for_readme else SCHEMES:
                    name = README[scene] if for_readme else f"{scene}-{width}-{scheme}"
                    picture = take(browser, apps.get(scene, apps[""]), far_ends, scene, width, scheme)
                    assert COOKIE.encode() not in picture
                    (folder / f"{name}.png").write_bytes(picture)
                    print(folder / f"{name}.png")  # noqa: T201 - where to look
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
