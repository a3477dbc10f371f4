"""Compare in Chromium: columns that answer one message at the same time, real upstreams behind them."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from test_page import COOKIE, Visit, sent
from upstream import Play, Upstream, cloudflare_error, data_lines, sse

from neptun_demo.ui.session import column_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground import Playground
    from playwright.sync_api import Locator, Page

LLAMA, OSS = "llama-3.3-70b-instruct-fp8-fast", "gpt-oss-20b"


class Talker:
    """Pieces that come until the test says `enough()`, then the end: never silent, so never given up."""

    def __init__(self, play: Play, over_and_over: str) -> None:
        self._first, *self._then = play.chunks
        self._between = over_and_over
        self._enough = threading.Event()
        self.enough = self._enough.set
        self.play = Play(headers=play.headers, chunks=self, gap=0.3)

    def __iter__(self) -> Iterator[str]:
        yield self._first
        while not self._enough.is_set():
            yield self._between
        yield from self._then


def neptun_talker(*texts: str) -> Talker:
    return Talker(data_lines(*texts), '0:"."\n')


def workers_talker(*payloads: object) -> Talker:
    return Talker(sse(*payloads), 'data: {"response":"."}\n\n')


class Comparison(Visit):
    """A visitor who compares. Columns are named by their letters."""

    def open(self, *, panels: bool = True) -> None:
        super().open(panels=panels)
        self.page.get_by_role("tab", name="Compare").click()
        self.message.wait_for()

    @property
    def message(self) -> Locator:
        return self.page.locator("#compare-message textarea")

    @property
    def everything(self) -> Locator:
        """The box of all columns, with its buttons."""
        return self.page.locator("#compare-message")

    def column(self, name: str) -> Locator:
        return self.page.get_by_role("group", name=f"Column {name}", exact=True)

    def answer_of(self, name: str) -> Locator:
        return self.column(name).locator(".bot-row").last

    def press(self, button: str, name: str) -> None:
        pressed = self.column(name).get_by_role("button", name=f"{button} column {name}")
        self.expect(pressed).to_be_visible()
        pressed.evaluate("button => button.click()")  # at once: a click waits until nothing moves any more

    def ask_all(self, text: str) -> None:
        self.message.fill(text)
        self.message.press("Enter")
        self.expect(self.message).to_have_value("")

    def set_to(self, name: str, label: str, option: str) -> None:
        self.column(name).get_by_label(label, exact=True).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def with_a_cookie(self) -> Comparison:
        self.settings().page.get_by_label("Cookie or playground key").fill(COOKIE)
        if self.page.viewport_size["width"] < 1024:  # there the side bar covers what is compared
            self.page.get_by_role("button", name="Toggle Sidebar").click()
            self.expect(self.page.locator("#settings.open")).to_have_count(0)
        return self

    def on_two_back_ends(self) -> Comparison:
        """A on Neptun, B on Workers AI."""
        self.with_a_cookie().set_to("A", "Back end", "Neptun endpoint")
        model = self.column("A").get_by_label("Model", exact=True)
        self.expect(model).to_have_value(LLAMA)
        return self

    def with_c_for_b(self) -> None:
        """A third column is added, and the second one taken away: two remain, which stay."""
        add = self.page.get_by_role("button", name="Add a column")
        add.click()
        self.expect(self.column("C")).to_be_visible()
        self.expect(add).not_to_be_visible()
        self.page.get_by_role("button", name="Remove column B").click()
        self.expect(self.column("B")).to_have_count(0)
        self.expect(self.page.get_by_role("button", name="Remove column C")).not_to_be_visible()

    def says(self, name: str, text: str) -> Comparison:
        self.expect(self.answer_of(name)).to_contain_text(text)
        return self

    def at_rest(self, name: str) -> Comparison:
        """Wait until the last answer of that column ended."""
        self.expect(self.answer_of(name).locator(".neptun-numbers, .neptun-notice")).not_to_have_count(0)
        self.expect(self.answer_of(name).locator(".neptun-waiting")).to_have_count(0)
        self.expect(self.column(name).get_by_role("button", name=f"Retry column {name}")).to_be_visible()
        return self

    def all_at_rest(self, names: str = "AB") -> Comparison:
        for name in names:
            self.at_rest(name)
        self.expect(self.everything.get_by_role("button", name="Send")).to_be_visible()
        return self


@pytest.fixture
def comparison(page: Page, playground: Playground) -> Comparison:
    page.set_viewport_size({"width": 1440, "height": 900})
    return Comparison(page, playground)


def asked_of(upstream: Upstream) -> list[str]:
    return [request.path.rsplit("/", 1)[-1] for request in upstream.requests]


def test_one_prompt_is_answered_by_both_columns_at_the_same_time(comparison, neptun, workers_ai):
    page, expect = comparison.page, comparison.expect
    expect(page.locator("#compare-hint")).to_contain_text("Choose a model for each column")
    # The first begins with the chat's model, the second with another one.
    for name, model in (("A", LLAMA), ("B", f"{OSS} (reasoning)")):
        expect(comparison.column(name).get_by_label("Model", exact=True)).to_have_value(model)
    expect(comparison.column("C")).to_have_count(0)
    comparison.on_two_back_ends()
    usage = {"prompt_tokens": 11, "completion_tokens": 42}
    first = neptun_talker("Neptun ", "says.")
    second = workers_talker({"response": "Workers "}, {"response": "say."}, {"response": "", "usage": usage})
    neptun.plays(first.play, data_lines("More of N."))
    workers_ai.plays(second.play, sse({"response": "More of W."}))
    comparison.ask_all("Hi")
    comparison.says("A", "Neptun").says("B", "Workers")
    stop = comparison.everything.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible()
    expect(comparison.everything.get_by_role("button", name="Send")).not_to_be_visible()
    # What is typed ahead stays, and Enter does not send it while one of them answers.
    comparison.message.fill("and then?")
    second.enough()
    comparison.at_rest("B").says("B", "say.")
    numbers = comparison.answer_of("B").locator(".neptun-numbers")
    for number in ("gpt-oss-20b", "first text", "11 tokens in", "42 tokens out"):
        expect(numbers).to_contain_text(number)
    comparison.message.press("Enter")
    expect(stop).to_be_visible()
    expect(comparison.column("A").get_by_role("button", name="Stop column A")).to_be_visible()
    first.enough()
    comparison.all_at_rest().says("A", "says.")
    expect(comparison.message).to_have_value("and then?")
    assert (len(neptun.requests), len(workers_ai.requests)) == (1, 1)
    # Each column goes on with its own conversation, under an id of its own.
    comparison.message.press("Enter")
    comparison.says("A", "More of N.").says("B", "More of W.").all_at_rest()
    for upstream, beginning in ((neptun, "Neptun "), (workers_ai, "Workers ")):
        (asked, said, asked_then) = sent(upstream, 2)
        assert (asked, asked_then) == (("user", "Hi"), ("user", "and then?"))
        assert said[0] == "assistant"
        assert said[1].startswith(beginning)
    assert page.locator("#conversation [data-testid=user]").count() == 0
    assert page.console_errors == []
    assert page.page_errors == []


def test_columns_stop_fail_and_are_retried_alone(comparison, neptun, workers_ai):
    expect = comparison.expect
    comparison.on_two_back_ends()
    endless = neptun_talker("So far.")
    neptun.plays(endless.play, data_lines("Better."))
    going = workers_talker({"response": "Going "}, {"response": "on."})
    workers_ai.plays(going.play)
    comparison.ask_all("Hi")
    comparison.says("A", "So far.").says("B", "Going")
    with comparison.page.expect_request("**/cancel"):  # from there on: how busy the browser is does not count
        comparison.press("Stop", "A")
    pressed = time.monotonic()
    assert neptun.arrived().left.wait(5)
    assert neptun.arrived().left_at - pressed < 3
    comparison.at_rest("A").says("A", "Stopped. The text so far stays.")
    assert not workers_ai.arrived().left.is_set()
    expect(comparison.column("B").get_by_role("button", name="Stop column B")).to_be_visible()
    # One is retried while the other one still answers.
    comparison.press("Retry", "A")
    comparison.at_rest("A").says("A", "Better.")
    expect(comparison.column("A").locator(".neptun-notice")).to_have_count(0)
    expect(comparison.answer_of("B").locator(".neptun-waiting")).to_be_visible()
    going.enough()
    comparison.all_at_rest().says("B", "on.")
    assert sent(neptun, 2) == [("user", "Hi")]

    # A failure is a notice of its own column, and its next step is that column's.
    neptun.plays(data_lines("Fine."))
    workers_ai.plays(cloudflare_error(5006, "No good.", 400), sse({"response": "Good now."}))
    comparison.ask_all("Again")
    comparison.all_at_rest().says("A", "Fine.").says("B", "No answer.")
    comparison.answer_of("B").get_by_role("link", name="Choose another model").click()
    expect(comparison.column("B").get_by_label("Model", exact=True)).to_be_focused()
    comparison.page.keyboard.press("Escape")
    asked = len(neptun.requests)
    comparison.answer_of("B").get_by_role("link", name="Try again").click()
    comparison.says("B", "Good now.").all_at_rest()
    workers_ai.plays(cloudflare_error(5006, "Not again.", 400))
    comparison.press("Retry", "B")
    comparison.at_rest("B").says("B", "The answer before this one stays.").says("B", "Good now.")
    assert len(neptun.requests) == asked
    # "Stop" in the box stops all of them, and Escape does the same.
    for word, stop in (
        ("Endless", lambda: comparison.everything.get_by_role("button", name="Stop").click()),
        ("Boundless", lambda: comparison.page.keyboard.press("Escape")),
    ):
        done = len(neptun.requests), len(workers_ai.requests)
        neptun.plays(neptun_talker(word).play)
        workers_ai.plays(workers_talker({"response": word}).play)
        comparison.ask_all("Go on")
        comparison.says("A", word).says("B", word)
        with comparison.page.expect_request("**/cancel"):
            stop()
        assert neptun.arrived(done[0] + 1).left.wait(5)
        assert workers_ai.arrived(done[1] + 1).left.wait(5)
        comparison.all_at_rest().says("A", "Stopped.").says("B", "Stopped.")


def test_one_column_is_kept_and_the_chat_goes_on_with_it(comparison, neptun, workers_ai):
    page, expect = comparison.page, comparison.expect
    comparison.with_a_cookie()
    comparison.with_c_for_b()
    comparison.set_to("C", "Back end", "Cloudflare Workers AI")
    comparison.set_to("C", "Model", f"{OSS} (reasoning)")
    comparison.column("C").get_by_role("button", name=re.compile("^Parameters")).click()
    comparison.column("C").get_by_label("System prompt").fill("Be brief.")
    comparison.column("C").get_by_label("number input for Max tokens").fill("77")
    comparison.column("C").get_by_role("button", name=re.compile("^Parameters")).click()
    comparison.set_to("A", "Back end", "Neptun endpoint")
    why = comparison.column("A").locator(".neptun-parameters")
    why.get_by_role("button", name=re.compile("^Parameters")).click()
    expect(why.get_by_label("System prompt")).to_be_disabled()
    expect(why).to_contain_text("always takes 0.6")
    neptun.plays(data_lines("From Neptun."), data_lines("In private."))
    workers_ai.plays(sse({"response": "From Workers."}), sse({"response": "In the chat."}))
    comparison.ask_all("Hi")
    comparison.all_at_rest("AC")
    assert workers_ai.arrived().request.path.endswith(OSS)
    affinity = workers_ai.arrived().request.header("x-session-affinity")

    comparison.column("C").get_by_role("button", name="Keep this one").click()
    expect(page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    expect(comparison.answer).to_contain_text("From Workers.")
    expect(comparison.numbers).to_contain_text("end:")
    settings = page.locator("#settings")
    expect(settings.get_by_label("Back end", exact=True)).to_have_value("Cloudflare Workers AI")
    expect(settings.get_by_label("Model", exact=True)).to_have_value(f"{OSS} (reasoning)")
    expect(settings.get_by_label("System prompt")).to_have_value("Be brief.")
    comparison.ask("And now?").expect(comparison.answer).to_contain_text("In the chat.")
    request = workers_ai.arrived(2).request
    assert request.path.endswith(OSS)
    assert request.json()["max_tokens"] == 77
    assert sent(workers_ai, 2) == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "From Workers."),
        ("user", "And now?"),
    ]
    assert request.header("x-session-affinity") != affinity
    # The columns are as they were. Another one is kept: what was said in the chat is among the conversations.
    page.get_by_role("tab", name="Compare").click()
    comparison.says("A", "From Neptun.").says("C", "From Workers.")
    comparison.column("A").get_by_role("button", name="Keep this one").click()
    expect(comparison.answer).to_contain_text("From Neptun.")
    expect(settings.get_by_label("Back end", exact=True)).to_have_value("Neptun endpoint")
    expect(page.locator("#keeping li")).to_have_count(2)
    # In private it would be lost, so the page asks.
    comparison.settings("Conversations").page.get_by_label("Private: keep nothing").check()
    comparison.ask("In private").expect(comparison.answer).to_contain_text("In private.")
    page.get_by_role("tab", name="Compare").click()
    comparison.column("C").get_by_role("button", name="Keep this one").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Clear all columns").click()
    for name in "AC":
        expect(comparison.column(name).locator(".message-row")).to_have_count(0)
    expect(page.locator("#compare-hint")).to_be_visible()
    page.get_by_role("tab", name="Chat").click()
    expect(comparison.answer).to_contain_text("In private.")


def test_a_phone_swipes_inside_and_whoever_leaves_closes_every_upstream(
    visit, patient_playground, neptun, workers_ai
):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    comparison = Comparison(page, patient_playground)
    for width in (390, 360):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    columns = page.locator("#columns")
    assert columns.evaluate("e => e.scrollWidth > e.clientWidth")
    comparison.expect(comparison.everything).to_be_in_viewport(ratio=1)
    for far_end, play in (
        (neptun, data_lines("Open", ended="open")),
        (workers_ai, sse({"response": "Open"}, ended="open")),
    ):
        far_end.plays(play)
    comparison.on_two_back_ends()
    comparison.ask_all("Hi")
    comparison.says("A", "Open").says("B", "Open")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
    left = time.monotonic()
    for far_end in (neptun, workers_ai):
        assert far_end.arrived().left.wait(5)
        assert far_end.arrived().left_at - left < 3


def test_each_column_of_a_session_has_an_id_of_its_own():
    ids = {column_id("a-session", name) for name in "ABC"}
    assert len(ids | {"a-session"}) == 4
    assert column_id("a-session", "A") in ids
    assert column_id("", "A") == ""


def test_nothing_of_it_weighs_on_the_first_page(offline_playground):
    page = httpx.get(f"{offline_playground.url}/config", trust_env=False, timeout=60).json()
    drawn = [component["props"].get("elem_id") for component in page["components"]]
    assert "compare" in drawn
    assert not {"columns", "compare-message", "column-a"} & set(drawn)
