"""Look inside, in Chromium: what is shown is what the upstream really got and really sent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import ACCOUNT, TOKEN
from playground import Playground
from test_accessibility import violations
from test_page import COOKIE, Visit
from upstream import Gate, data_lines, json_answer, recording, sse

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


class Inside:
    """The side bar of a visit."""

    def __init__(self, visit: Visit) -> None:
        self.visit, self.page, self.expect = visit, visit.page, visit.expect
        self.bar = self.page.locator("#inspector")
        self.view = self.page.locator("#inspector-view")

    @property
    def links(self) -> Locator:
        return self.page.get_by_role("link", name="Look inside")

    def look(self, number: int = -1) -> Inside:
        """Open it by the link of an answer."""
        self.links.nth(number).click()
        self.expect(self.bar).to_be_visible()
        return self

    def tab(self, name: str) -> Inside:
        self.bar.get_by_role("tab", name=name).click()
        self.expect(self.view.locator(f".inspected[data-view={name.lower()}]")).to_have_count(1)
        return self

    def shows(self, words: str | re.Pattern[str]) -> Inside:
        self.expect(self.view).to_contain_text(words)
        return self

    def button(self, name: str) -> Locator:
        return self.bar.get_by_role("button", name=name, exact=True)

    def copied(self, name: str) -> str:
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.button(name).press("Enter")
        self.expect(self.bar.locator("[role=status]")).to_have_text("Copied.")
        copied: str = self.page.evaluate("navigator.clipboard.readText()")
        return copied

    def saved(self) -> dict[str, object]:
        with self.page.expect_download() as download:
            self.button("Save as JSON").click()
        assert re.fullmatch(r"neptun-answer-[0-9a-f]{12}\.json", download.value.suggested_filename)
        record: dict[str, object] = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        return record


@pytest.fixture
def visitor(page: Page, playground: Playground) -> Visit:
    return Visit(page, playground)


@pytest.fixture
def newcomer(page: Page, offline_playground: Playground) -> Visit:
    return Visit(page, offline_playground)


def named(text: str) -> str:
    """*text* with the names of what is not seen in it."""
    return text.replace("\n", "↵").replace("\u200d", "U+200D")


PHONE = {"viewport": {"width": 390, "height": 844}, "locale": "de-DE", "color_scheme": "dark"}
HOSTILE = "</pre><img src=x onerror=\"document.title='hit'\"> ${1+1} {{value}} \u202egnp.exe"


def test_an_answer_is_looked_into_and_taken_along(visitor, neptun):
    neptun.plays(recording("up_unicode"))
    visitor.on_neptun().ask(HOSTILE)
    inside = Inside(visitor)
    page, expect = visitor.page, visitor.expect
    expect(inside.bar).not_to_be_visible()
    expect(inside.view.locator(".inspected")).to_have_count(0)  # nothing was fetched yet
    inside.look().shows("Answer 1 of 1 by Neptun endpoint to “</pre><img")
    expect(inside.bar.get_by_role("heading", name="Look inside")).to_be_focused()

    # Request: as the upstream got it
    arrived = neptun.arrived().request
    inside.shows(f"POST {neptun.url}{arrived.target}").shows("neptun-session=$NEPTUN_SESSION")
    inside.shows("4 signs < or > were sent as &lt; and &gt;")
    inside.view.get_by_text("Body as it was sent", exact=True).click()
    assert inside.copied("Copy body as it was sent") == arrived.body.decode()
    assert json.loads(inside.copied("Copy body, laid out")) == arrived.json()

    assert violations(page) == []

    # Wire: piece by piece
    inside.tab("Wire").shows("200 OK")
    assert violations(page) == []
    wire = "".join(map(str, recording("up_unicode").chunks))
    record = inside.saved()
    (request,) = record["requests"]
    kept = request["pieces"]["kept"]
    assert "".join(piece["text"] for piece in kept) == wire
    assert request["body"] == {"text": arrived.body.decode()}
    expect(inside.view.locator(".pieces li")).to_have_count(len(kept))
    for number, piece in enumerate(kept):
        row = inside.view.locator(".pieces li").nth(number)
        expect(row.locator(".came")).to_have_text(named(piece["text"]))
        expect(row.locator(".made")).to_have_text(
            "text " + named("".join(made["text"] for made in piece["made"]))
        )
    expect(
        inside.view.get_by_role("img", name="How the text arrived The first text came after")
    ).to_be_visible()

    # Code: for this question, in each language
    inside.tab("Code").shows("curl")
    assert "$NEPTUN_SESSION" in inside.copied("Copy cURL code")
    inside.bar.get_by_label("Language").select_option(label="Python (httpx)")
    inside.shows("import httpx")
    assert visitor.app.url in inside.copied("Copy Python (httpx) code")
    inside.bar.get_by_label("Against").focus()
    inside.bar.get_by_label("Against").select_option(label="The far end itself")
    inside.shows(neptun.url)
    expect(inside.bar.get_by_label("Against")).to_be_focused()
    assert violations(page) == []

    assert COOKIE not in page.content()
    assert COOKIE not in json.dumps(record)
    assert page.title() == "Neptun Playground"
    inside.bar.press("Escape")
    expect(inside.bar).not_to_be_visible()
    expect(inside.links).to_be_focused()
    assert page.console_errors == []
    assert page.page_errors == []


def test_failures_the_way_from_answer_to_answer_and_the_newest(visitor, neptun, workers_ai):
    gate = Gate()
    neptun.plays(
        recording("invalid_cookie"), data_lines("So far", ended="cut"), data_lines(chunks=(gate, '0:"New."\n'))
    )
    visitor.on_neptun().ask("one")
    inside = Inside(visitor).look().tab("Wire")
    inside.shows("401 Unauthorized").shows("does not accept this session").shows('"message": "Unauthorized"')
    # It goes along with the conversation.
    visitor.ask("two")
    inside.shows("Answer 2 of 2").shows("broke the answer off").shows('0:"So far"↵').shows("text So far")
    inside.button("Previous answer").click()
    inside.shows("Answer 1 of 2").shows("401 Unauthorized")
    visitor.expect(inside.button("Previous answer")).to_have_attribute("aria-disabled", "true")
    inside.tab("Request").shows("to “one”")
    inside.button("Next answer").click()
    inside.shows("to “two”")
    visitor.send("three")
    visitor.expect(visitor.answer).to_contain_text("Waiting")
    gate.open()
    visitor.rest()
    inside.shows("to “three”").tab("Wire").shows("text New.")
    # Another back end, asked again after a busy one
    busy = json_answer({"errors": [{"code": 3040, "message": "Capacity"}]}, 429, headers={"retry-after": "0"})
    workers_ai.plays(busy, sse({"response": "Yes."}))
    visitor.on_workers_ai().ask("four")
    inside.shows("to “four”").shows("429 Too Many Requests").shows("Answer to request 2 of 2")
    inside.tab("Request").shows("Request 1 failed, and was sent again").shows(
        "/accounts/$CLOUDFLARE_ACCOUNT_ID/"
    )
    inside.shows("Bearer $CLOUDFLARE_API_TOKEN")
    content = visitor.page.content()
    assert ACCOUNT not in content
    assert TOKEN not in content
    assert COOKIE not in content


def test_the_guide_and_an_answer_that_nobody_knows_any_more(newcomer):
    newcomer.ask("What is this?")
    inside = Inside(newcomer).look()
    inside.shows("No request was sent: the offline guide has no upstream").shows('"content": "What is this?"')
    inside.tab("Wire").shows("these pieces are its own").shows("text I")
    inside.tab("Code").shows("What is this?")
    # A page that was loaded anew is another session; the browser has kept the conversation, and its link.
    newcomer.open()
    newcomer.expect(inside.links).to_have_count(1)
    inside.look().shows("not known here any more")
    inside.tab("Wire").shows("kept in memory only")
    newcomer.expect(inside.button("Save as JSON")).to_have_count(0)
    inside.tab("Code").shows("Made from the conversation as it was kept").shows("What is this?")


def test_on_a_phone_it_covers_the_page_and_gives_it_back(visit, offline_playground):
    newcomer = Visit(visit(**PHONE), offline_playground)
    inside = Inside(newcomer)
    newcomer.box.fill("/demo thinking")
    newcomer.box.press("Enter")
    link = newcomer.page.locator("a.neptun-look")
    newcomer.expect(link).to_have_count(1)
    link.click()
    newcomer.expect(inside.bar).to_be_visible()
    assert inside.bar.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    newcomer.expect(inside.bar.get_by_role("tab", name="Anfrage")).to_be_visible()
    # What lies under it cannot be reached; the end of the bar leads back to its beginning.
    assert newcomer.page.evaluate("document.querySelector('#message').closest('[inert]') !== null")
    inside.bar.get_by_role("tab", name="Anfrage").press("ArrowRight")
    newcomer.expect(inside.view.locator("svg.arrival")).to_be_visible()
    newcomer.expect(inside.bar.get_by_role("tab", name="Leitung")).to_be_focused()
    assert newcomer.page.evaluate("document.documentElement.scrollWidth") == 390
    assert violations(newcomer.page) == []
    inside.button("Schließen").click()
    newcomer.expect(inside.bar).not_to_be_visible()
    newcomer.expect(link).to_be_focused()
    assert newcomer.page.evaluate("document.querySelector('[inert]')") is None
