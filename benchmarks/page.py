"""What the first visible page costs beside Gradio's own. `python benchmarks/page.py [VISITS]`

Our page without any credentials and the smallest `gr.ChatInterface`, each a process, are visited in turn by
Chromium (Debian's, or the one in `CHROMIUM`) with nothing in its cache. The table shows the bytes that came
over the wire until the page is at rest, the time until a typed text stands in the message box, and until the
text, sent with Enter, stands in the conversation; all since the address was entered, by the browser's clock,
medians of all visits; and the ratio of the two pages. The ratios hold on another machine, the figures do not.
Behind it comes the table of `benchmarks/answer.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright
from servers import App

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
MINIMAL = """
import gradio as gr
gr.ChatInterface(lambda message, history: history).launch(quiet=True)
"""
LIMIT = 1.3
QUIET = 1000
"""Milliseconds without a byte after which a page is at rest."""

BOXES = {"ours": "#message textarea", "minimal": "textarea"}
# In the browser, at every frame: Playwright's own waiting looks less and less often.
TYPED = """selector => {
    const box = document.querySelector(selector);
    if (!box || box.disabled || box.readOnly || !box.getClientRects().length) return false;
    if (box.value === "Hello there") return performance.now();
    box.value = "Hello there";
    box.dispatchEvent(new Event("input", { bubbles: true }));
}"""
SENT = """() => [...document.querySelectorAll("[data-testid=user]")].some(one => /Hello/.test(one.textContent))
    && performance.now()"""

Visit = dict[str, float]


def visit(browser: Browser, url: str, box: str, seen: Counter[str]) -> Visit:
    """One visit with an empty cache; adds the bytes of each file to *seen*."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    names: dict[str, str] = {}
    came: Counter[str] = Counter()

    def asked(event: dict[str, Any]) -> None:
        names[event["requestId"]] = urlsplit(event["request"]["url"]).path

    def loaded(event: dict[str, Any]) -> None:
        came[names.get(event["requestId"], "")] += int(event["encodedDataLength"])

    wire.on("Network.requestWillBeSent", asked)
    wire.on("Network.loadingFinished", loaded)
    wire.send("Network.enable")
    page.goto(url, wait_until="commit")
    typed = page.wait_for_function(TYPED, arg=box, polling="raf").json_value()
    before = -1
    while before != came.total():
        before = came.total()
        page.wait_for_timeout(QUIET)
    at_rest = Counter(came)
    context.close()
    seen.update(at_rest)
    return {"bytes, kB": at_rest.total() / 1000, "typed, ms": typed, "requests": len(names)}


def sending(browser: Browser, url: str, box: str) -> Visit:
    """One visit by somebody who sends as soon as they can."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.wait_for_function(TYPED, arg=box, polling="raf")
    page.locator(box).press("Enter")
    sent = page.wait_for_function(SENT, polling="raf").json_value()
    context.close()
    return {"sent, ms": sent}


def visits(count: int, urls: dict[str, str]) -> tuple[dict[str, list[Visit]], dict[str, Counter[str]]]:
    """So many visits to each of *urls*, in turn, after one that is not counted."""
    executable = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    measured: dict[str, list[Visit]] = {name: [] for name in urls}
    files: dict[str, Counter[str]] = {name: Counter() for name in urls}
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        for number in range(count + 1):
            for name, url in urls.items():
                seen: Counter[str] = Counter()
                one = visit(browser, url, BOXES[name], seen) | sending(browser, url, BOXES[name])
                if number:
                    measured[name].append(one)
                    files[name].update(seen)
        browser.close()
    return measured, files


def rows(measured: dict[str, list[Visit]]) -> Iterator[str]:
    """The table's lines."""
    ours, minimal = measured.values()
    for what in ours[0]:
        pair = median(one[what] for one in ours), median(one[what] for one in minimal)
        ratio = median(one[what] / other[what] for one, other in zip(ours, minimal, strict=True))
        limit = "" if what == "requests" else f"{LIMIT:9.2f}"
        yield f"{what:<14}{pair[0]:>12,.0f}{pair[1]:>12,.0f}{ratio:>9.2f}{limit}"


def main() -> None:
    """Compare the pages, then what an answer costs."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with (
        tempfile.TemporaryDirectory() as home,
        App("app.py", home=home, env={}, folder=ROOT) as ours,
        App("-c", MINIMAL, home=home, env={}, folder=Path(home)) as minimal,
    ):
        ours.await_answer()
        minimal.await_answer()
        measured, files = visits(count, {"ours": ours.url, "minimal": minimal.url})
    print(f"The first page, {count} visits\n\n{'':<14}{'ours':>12}{'minimal':>12}{'ratio':>9}{'limit':>9}")
    print("\n".join(rows(measured)))
    print("\nWhat ours has more of, kB a visit")
    for path, size in (files["ours"] - files["minimal"]).most_common(12):
        print(f"{size / count / 1000:>10,.1f}  {path}")


if __name__ == "__main__":
    main()
