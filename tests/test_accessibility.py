"""axe-core over everything that can be opened, in both themes, at two widths: no serious or critical violation.

What axe finds of less weight is not asked for here; nothing of Gradio's own is left out.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import pytest
from test_page import Visit

SERIOUS = ("serious", "critical")


def violations(page: Any) -> list[str]:
    """What axe-core finds in the page as it is now: impact, rule and element."""
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.evaluate(f"window.axe || (() => {{ {axe} }})()")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['impact']} {rule['id']} {node['target']} {node['html'][:120]}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def test_axe_finds_what_is_wrong(visit, offline_playground):
    visitor = Visit(visit(), offline_playground)
    visitor.page.evaluate("document.querySelector('h1').style.color = '#ccc'")
    visitor.page.evaluate("document.querySelector('.neptun-show-keys').ariaLabel = ''")
    visitor.page.evaluate("document.querySelector('.neptun-show-keys').title = ''")
    visitor.page.evaluate("document.querySelector('.neptun-show-keys').textContent = ''")
    found = violations(visitor.page)
    assert [words for words in found if "color-contrast" in words and "h1" in words], found
    assert [words for words in found if "button-name" in words], found


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_nothing_serious_is_wrong(visit, offline_playground, scheme, width):
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 844}, reduced_motion="reduce")
    visitor = Visit(page, offline_playground, panels=False)
    assert violations(page) == []
    page.locator("#side-conversations").wait_for(state="attached")
    assert violations(page) == []
    height = visitor.box.bounding_box()["height"]
    visitor.box.fill("One\ntwo\nthree")
    visitor.expect(visitor.box).not_to_have_css("height", f"{height:g}px")
    visitor.box.fill("One")  # the box becomes small again
    visitor.expect(visitor.box).to_have_css("height", re.compile(rf"^{int(height)}(\.\d+)?px$"))
    for question in ("/demo thinking", "/demo cut", "/demo markdown"):
        visitor.ask(question)
    assert violations(page) == []
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    compare(visitor)
    assert violations(page) == []
    visitor.settings()
    assert violations(page) == []


def compare(visitor: Visit) -> None:
    """Three columns, with an answer that failed in each of them."""
    visitor.page.get_by_role("tab", name="Compare").click()
    visitor.page.get_by_role("button", name="Add a column").click()
    assert violations(visitor.page) == []
    box = visitor.page.locator("#compare-message")
    box.locator("textarea").fill("/demo cut")
    box.locator("textarea").press("Enter")
    visitor.expect(visitor.page.locator("#compare .neptun-notice")).to_have_count(3)
    visitor.expect(box.get_by_role("button", name="Send")).to_be_visible()
