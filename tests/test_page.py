"""The page in Chromium: the real app as a process, real upstreams behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playground import Playground, copy_app
from upstream import (
    Gate,
    Play,
    Upstream,
    cloudflare_error,
    data_lines,
    forever,
    hangs,
    json_answer,
    recording,
    sse,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

COOKIE = "a-cookie-of-the-tests"
LLAMA = "/accounts/account-of-the-tests/ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast"
MESSAGES = "#conversation [data-testid=user], #conversation [data-testid=bot]"
# True once nothing in the conversation changed for ten frames and the browser found nothing else to do: Gradio
# draws what came with one frame of an answer one after the other, and the text may come after the numbers.
DRAWN = """() => new Promise(done => {
    const conversation = () => document.querySelector("#conversation").innerHTML;
    let last = conversation(), still = 0;
    const look = () => {
        const now = conversation();
        still = now === last ? still + 1 : 0;
        last = now;
        if (still < 10) requestAnimationFrame(look);
        else requestIdleCallback(() => done(conversation() === last));
    };
    requestAnimationFrame(look);
})"""


class Visit:
    """A visitor, in a visitor's words. What it waits for, Playwright waits for; nothing sleeps."""

    def __init__(self, page: Page, app: Playground, *, panels: bool = True) -> None:
        from playwright.sync_api import expect

        expect.set_options(timeout=60_000)  # limits, not pauses: a loaded machine is slow
        self.page, self.app, self.expect = page, app, expect
        self.open(panels=panels)

    def open(self, *, panels: bool = True) -> None:
        """Go there, and wait for the message box; with *panels* for those of the side bar, which come last."""
        self.page.goto(self.app.url)
        self.box.wait_for()
        if self.page.viewport_size["width"] >= 1024:  # the side bar opens itself
            self.expect(self.page.locator("#settings.open")).to_be_visible()
        if panels:
            self.page.locator("#side-conversations").wait_for(state="attached")

    @property
    def box(self) -> Locator:
        return self.page.locator("#message textarea")

    @property
    def send_button(self) -> Locator:
        return self.page.get_by_role("button", name="Send", exact=True)

    @property
    def stop_button(self) -> Locator:
        return self.page.get_by_role("button", name="Stop", exact=True)

    @property
    def answer(self) -> Locator:
        """Everything that was said since the last question."""
        return self.page.locator("#conversation .bot-row").last

    @property
    def numbers(self) -> Locator:
        return self.answer.locator(".neptun-numbers")

    @property
    def notice(self) -> Locator:
        return self.answer.locator(".neptun-notice")

    def said(self) -> list[str]:
        """The messages, the page's own included, as they are read."""
        return [text.strip() for text in self.page.locator(MESSAGES).all_inner_texts()]

    def send(self, text: str) -> None:
        self.box.fill(text)
        self.box.press("Enter")

    def ask(self, text: str) -> Visit:
        """Send it, and wait for the end of the answer, whatever that is."""
        questions = self.page.locator("#conversation .user-row").count()
        self.send(text)
        self.expect(self.page.locator("#conversation .user-row")).to_have_count(questions + 1)
        return self.rest()

    def rest(self) -> Visit:
        """Wait until the last answer ended."""
        self.expect(self.answer.locator(".neptun-numbers, .neptun-notice")).not_to_have_count(0)
        self.expect(self.answer.locator(".neptun-waiting")).to_have_count(0)
        self.expect(self.send_button).to_be_visible()
        self.page.wait_for_function(DRAWN, timeout=60_000)
        return self

    def settings(self, panel: str = "Settings") -> Visit:
        """The side bar, open, with that panel."""
        if not self.page.locator("#settings.open").count():
            self.page.get_by_role("button", name="Toggle Sidebar").click()
        self.expect(self.page.locator("#settings.open")).to_be_visible()
        head = self.page.locator("#side-tabs").get_by_role("tab", name=panel)
        if head.get_attribute("aria-selected") != "true":
            head.click()
        return self

    def choose(self, label: str, option: str) -> Visit:
        self.settings()
        self.page.get_by_label(label, exact=True).click()
        # What is special about a model stands behind its name.
        self.page.get_by_role("option", name=re.compile(rf"^{re.escape(option)}( \(.+\))?$")).click()
        return self

    def on_neptun(self) -> Visit:
        self.choose("Back end", "Neptun endpoint")
        self.page.get_by_label("Cookie or playground key").fill(COOKIE)
        return self.showing("Neptun endpoint answers")

    def on_workers_ai(self) -> Visit:
        self.choose("Back end", "Cloudflare Workers AI")
        return self.showing("Workers AI answers")

    def showing(self, state: str) -> Visit:
        self.expect(self.page.locator("#state")).to_contain_text(state)
        return self

    def copied(self, button: Locator) -> str:
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        button.click()
        copied: str = self.page.evaluate("navigator.clipboard.readText()")
        return copied


@pytest.fixture
def visitor(page: Page, playground: Playground) -> Visit:
    """On the page of the app with both upstreams."""
    return Visit(page, playground)


@pytest.fixture
def patient(page: Page, patient_playground: Playground) -> Visit:
    """The same, where no limit ends a silent answer in the visitor's place."""
    return Visit(page, patient_playground)


@pytest.fixture
def newcomer(page: Page, offline_playground: Playground) -> Visit:
    """On the page of the app without any credentials."""
    return Visit(page, offline_playground)


def sent(upstream: Upstream, number: int = 1) -> list[tuple[str, str]]:
    """The messages of the *number*-th request."""
    messages = upstream.arrived(number).request.json()["messages"]
    return [(message["role"], message["content"]) for message in messages]


# Send, stream, the numbers


def test_a_newcomer_asks_without_any_credentials(newcomer):
    newcomer.ask("What is this?")
    newcomer.expect(newcomer.answer).to_contain_text("offline guide")
    newcomer.expect(newcomer.numbers).to_contain_text("end: stop")
    assert newcomer.page.console_errors == []
    assert newcomer.page.page_errors == []


def test_the_text_is_shown_as_it_comes(visitor, neptun):
    gate = Gate()
    neptun.plays(data_lines(chunks=('0:"Hello "\n', gate, '0:"there."\n')))
    visitor.on_neptun().send("Hi")
    visitor.expect(visitor.answer).to_contain_text("Hello")
    visitor.expect(visitor.stop_button).to_be_visible()
    visitor.expect(visitor.send_button).not_to_be_visible()
    visitor.expect(visitor.numbers).to_have_count(0)
    gate.open()
    visitor.rest().expect(visitor.answer).to_contain_text("Hello there.")
    visitor.expect(visitor.stop_button).not_to_be_visible()
    visitor.expect(visitor.box).to_be_focused()
    assert visitor.box.get_attribute("placeholder")
    request = neptun.arrived().request
    assert request.header("cookie") == f"neptun-session={COOKIE}"
    assert request.query["is_playground"] == "true"


def test_a_clock_runs_until_the_first_text(visitor, neptun):
    gate = Gate()
    neptun.plays(data_lines(chunks=(gate, '0:"Late."\n')))
    visitor.on_neptun().send("Hi")
    visitor.expect(visitor.answer).to_contain_text(re.compile(r"Waiting for Neptun endpoint … \d s"))
    gate.open()
    visitor.rest().expect(visitor.answer).not_to_contain_text("Waiting")


def test_the_next_turn_sends_the_conversation(visitor, neptun):
    neptun.plays(data_lines("One."), data_lines("Two."))
    visitor.on_neptun().ask("first")
    visitor.ask("second")
    assert sent(neptun, 2) == [("user", "first"), ("assistant", "One."), ("user", "second")]
    assert visitor.box.input_value() == ""


def test_the_numbers_and_the_reason_for_the_end_stand_under_the_answer(visitor, workers_ai):
    usage = {"prompt_tokens": 11, "completion_tokens": 42}
    workers_ai.plays(sse({"response": "Yes"}, {"response": "."}, {"response": "", "usage": usage}))
    visitor.on_workers_ai().ask("Hi")
    for number in (
        "end: unknown",
        "llama-3.3-70b-instruct-fp8-fast",
        "first text",
        "total",
        "tokens/s",
        "11 tokens in",
        "42 tokens out",
        "≈ $0.000098",  # by the price list
    ):
        visitor.expect(visitor.numbers).to_contain_text(number)


# The browser's first idle moment, in which the side bar's panels are drawn, comes when the test says so.
KEPT_BUSY = """
    const whenIdle = requestIdleCallback.bind(window);
    window.requestIdleCallback = (draw, ...more) =>
        window.drawPanels ? whenIdle(draw, ...more) : void (window.drawPanels = draw);
"""


def test_a_question_does_not_wait_for_the_panels_of_the_side_bar(page, playground, workers_ai):
    page.add_init_script(KEPT_BUSY)
    workers_ai.plays(sse({"response": "One."}), sse({"response": "Two."}))
    visitor = Visit(page, playground, panels=False).ask("first")
    visitor.expect(visitor.answer).to_contain_text("One.")
    visitor.expect(page.locator("#settings.open")).to_be_visible()
    assert page.locator("#side-settings").count() == 0
    page.evaluate("drawPanels()")
    visitor.showing("Workers AI answers").ask("second")
    first, second = (workers_ai.arrived(number).request.json() for number in (1, 2))
    assert {**first, "messages": []} == {**second, "messages": []}


def test_the_first_page_consists_of_little(newcomer):
    """Each component costs a browser milliseconds before anybody can type, and each listener adds to that."""
    config = newcomer.page.evaluate("window.gradio_config")
    assert len(config["components"]) <= 72
    assert len(config["dependencies"]) <= 52


# Stop, and whoever leaves


def going_on(*, silent: bool) -> Play:
    if silent:
        return data_lines("So far.", ended="open")
    return data_lines(chunks=('0:"So far."\n', forever('0:" more"\n')), gap=0.05)


@pytest.mark.parametrize("silent", [False, True], ids=["streaming", "silent"])
def test_stop_closes_the_upstream_and_keeps_the_text(patient, neptun, silent):
    neptun.plays(going_on(silent=silent), data_lines("Next."))
    patient.on_neptun().send("Hi")
    patient.expect(patient.answer).to_contain_text("So far.")
    with patient.page.expect_request("**/cancel"):  # from there on: how busy the browser is does not count
        patient.stop_button.click()
    pressed = time.monotonic()
    assert neptun.arrived().left.wait(5)
    assert neptun.arrived().left_at - pressed < 3
    patient.rest().expect(patient.notice).to_contain_text("Stopped. The text so far stays.")
    patient.expect(patient.answer).to_contain_text("So far.")
    patient.expect(patient.box).to_be_enabled()
    patient.ask("and?")
    (asked, so_far, again) = sent(neptun, 2)
    assert (asked, again) == (("user", "Hi"), ("user", "and?"))
    assert so_far[1].startswith("So far.")


def test_stop_before_any_text(patient, neptun):
    neptun.plays(hangs())
    patient.on_neptun().send("Hi")
    neptun.arrived()
    patient.stop_button.click()
    patient.rest().expect(patient.notice).to_contain_text("No text had come")
    assert neptun.arrived().left.wait(5)


@pytest.mark.parametrize("silent", [False, True], ids=["streaming", "silent"])
@pytest.mark.parametrize(
    "leave", [lambda page: page.context.close(), lambda page: page.reload()], ids=["close", "reload"]
)
def test_whoever_leaves_closes_the_upstream(patient, neptun, leave, silent):
    neptun.plays(going_on(silent=silent))
    patient.on_neptun().send("Hi")
    patient.expect(patient.answer).to_contain_text("So far.")
    leave(patient.page)
    left = time.monotonic()
    assert neptun.arrived().left.wait(5)
    assert neptun.arrived().left_at - left < 3


def test_clearing_the_conversation_ends_the_answer(visitor, neptun):
    neptun.plays(going_on(silent=False), data_lines("Fresh."))
    visitor.on_neptun().send("Hi")
    visitor.expect(visitor.answer).to_contain_text("So far.")
    visitor.page.get_by_role("button", name="Clear").click()
    assert neptun.arrived().left.wait(5)
    visitor.expect(visitor.send_button).to_be_visible()
    visitor.expect(visitor.page.locator(MESSAGES)).to_have_count(0)
    visitor.ask("again")
    assert sent(neptun, 2) == [("user", "again")]


def test_what_is_typed_ahead_waits_for_the_end_of_the_answer(visitor, neptun):
    gate = Gate()
    neptun.plays(data_lines(chunks=('0:"Wait"\n', gate, '0:" a bit."\n')), data_lines("Now."))
    visitor.on_neptun().send("Hi")
    visitor.expect(visitor.answer).to_contain_text("Wait")
    visitor.send("my next question")
    gate.open()
    visitor.rest().expect(visitor.answer).to_contain_text("Wait a bit.")
    assert visitor.box.input_value() == "my next question"
    assert len(neptun.requests) == 1
    visitor.box.press("Enter")
    visitor.expect(visitor.answer).to_contain_text("Now.")


# Failures


@pytest.mark.parametrize("name", ["invalid_cookie", "up_err429", "up_err500", "up_drop", "up_empty_stream"])
def test_a_failure_is_a_notice_and_the_box_works_at_once(visitor, neptun, name):
    failure = recording(name)
    neptun.plays(failure, failure, failure, data_lines("Better."))
    visitor.on_neptun().ask("lost")
    visitor.expect(visitor.notice).to_contain_text("No answer.")
    assert len(visitor.notice.inner_text()) > len("No answer. ")
    tried = len(neptun.requests)
    neptun.plays(data_lines("Better."))
    visitor.ask("found")
    visitor.expect(visitor.answer).to_contain_text("Better.")
    assert sent(neptun, tried + 1) == [("user", "found")]


@pytest.mark.parametrize("ended", ["cut", "reset"])
def test_the_text_so_far_stays_and_is_sent(visitor, neptun, ended):
    neptun.plays(data_lines("Half of it", ended=ended), data_lines(" and the rest."))
    visitor.on_neptun().ask("Hi")
    visitor.expect(visitor.answer).to_contain_text("Half of it")
    visitor.expect(visitor.notice).to_contain_text("The answer is incomplete.")
    visitor.ask("go on")
    assert sent(neptun, 2) == [("user", "Hi"), ("assistant", "Half of it"), ("user", "go on")]


def test_silence_beyond_the_limit_ends_with_the_text_so_far(visitor, neptun):
    neptun.plays(data_lines("Half of it", ended="open"))
    visitor.on_neptun().ask("Hi")
    visitor.expect(visitor.answer).to_contain_text("Half of it")
    visitor.expect(visitor.notice).to_contain_text("4 seconds")


def test_retry_stands_beside_a_failure(visitor, neptun):
    neptun.plays(recording("up_err500"), data_lines("Better."))
    visitor.on_neptun().ask("Hi")
    visitor.page.get_by_role("button", name="Retry").click()
    visitor.expect(visitor.answer).to_contain_text("Better.")
    assert sent(neptun, 2) == [("user", "Hi")]
    visitor.rest().expect(visitor.page.locator(".neptun-notice")).to_have_count(0)


def test_a_wait_before_another_try_is_shown(visitor, neptun):
    busy = json_answer({"statusCode": 503, "statusMessage": "Busy"}, 503, headers={"Retry-After": "2"})
    neptun.plays(busy, data_lines("Here."))
    visitor.on_neptun().send("Hi")
    visitor.expect(visitor.answer).to_contain_text("Try 2")
    visitor.rest().expect(visitor.answer).to_contain_text("Here.")


def test_what_an_upstream_says_of_itself_is_text(visitor, workers_ai):
    words = 'No <img src="http://e.vil/x"> **bold** [link](http://e.vil/) $$x$$ <form action="/x">'
    workers_ai.plays(cloudflare_error(5006, words, 400))
    visitor.on_workers_ai().ask("Hi")
    visitor.expect(visitor.notice).to_contain_text(
        '<img src="http://e.vil/x"> **bold** [link](http://e.vil/) $$x$$'
    )
    assert visitor.notice.locator("img, form, a:not(.neptun-next), .katex").count() == 0


def test_a_wrong_key_is_refused_on_the_page(visitor, neptun):
    visitor.on_neptun().page.get_by_label("Cookie or playground key").fill("pg-not-the-key-of-this-app")
    visitor.ask("Hi").expect(visitor.notice).to_contain_text("not this playground's key")
    assert neptun.requests == []


BROKEN = """
class Broken:
    name = "offline"

    def escaped(self, messages):
        return 0

    def check(self, question):
        pass

    async def answer(self, question):
        yield Text("Some text.")
        raise RuntimeError("unforeseen")

    async def aclose(self):
        pass
"""


@pytest.fixture
def broken_playground(tmp_path: Path) -> Iterator[Playground]:
    """The app with a back end that fails in a way that nobody foresaw."""
    folder = copy_app(tmp_path / "app")
    app = (folder / "app.py").read_text(encoding="utf-8")
    whole, broken = "    connections.backends,\n", '    {**connections.backends, "offline": Broken()},\n'
    assert app.count(whole) == 1
    head = f"from neptun_demo.streams import Text\n{BROKEN}\nchat = Chat("
    (folder / "broken.py").write_text(
        app.replace("chat = Chat(", head).replace(whole, broken), encoding="utf-8"
    )
    with Playground(folder, script="broken.py") as running:
        yield running


def test_a_failure_that_nobody_foresaw_leaves_the_page_alive(page, broken_playground):
    visitor = Visit(page, broken_playground)
    for question in ("one", "two"):
        visitor.ask(question)
        visitor.expect(visitor.answer).to_contain_text("Some text.")
        visitor.expect(visitor.notice).to_contain_text("Something broke.")
        visitor.expect(visitor.box).to_be_focused()
        assert visitor.box.get_attribute("placeholder")
    assert page.locator("#conversation .user-row").count() == 2
    broken_playground.printed("RuntimeError: unforeseen")


def test_a_message_beyond_all_bounds_stays_in_the_box(newcomer):
    newcomer.box.fill("x" * 2_100_000)
    newcomer.box.press("Enter")
    newcomer.expect(newcomer.page.locator(".neptun-notice")).to_contain_text("Not sent.")
    assert len(newcomer.box.input_value()) == 2_100_000
    newcomer.ask("What is this?").expect(newcomer.answer).to_contain_text("offline guide")


# Back ends and their controls


def control(visitor: Visit, label: str) -> Locator:
    return visitor.page.locator("#settings .block", has=visitor.page.get_by_text(label, exact=True)).last


def test_another_back_end_brings_its_models(visitor, workers_ai):
    workers_ai.plays(sse({"response": "From there."}))
    visitor.on_workers_ai()
    model = visitor.page.get_by_label("Model", exact=True)
    visitor.expect(model).to_have_value("llama-3.3-70b-instruct-fp8-fast")
    model.click()
    options = visitor.page.get_by_role("option")
    visitor.expect(options).to_have_count(2)  # the live list, which was there when the page was opened
    visitor.page.get_by_role("option", name="gpt-oss-20b").click()
    visitor.ask("Hi").expect(visitor.answer).to_contain_text("From there.")
    assert workers_ai.arrived().request.path.endswith("/ai/run/@cf/openai/gpt-oss-20b")
    visitor.choose("Back end", "Offline guide").showing("offline guide answers")
    visitor.expect(model).to_have_value("offline-guide")


def test_a_model_that_is_not_in_the_list_can_be_named(visitor):
    visitor.on_workers_ai()
    model = visitor.page.get_by_label("Model", exact=True)
    model.fill("llama-3.3-70b")
    model.press("Enter")
    visitor.ask("Hi").expect(visitor.notice).to_contain_text("llama-3.3-70b-instruct-fp8-fast")


@pytest.mark.parametrize(
    ("back_end", "state", "reasons"),
    [
        (
            "Neptun endpoint",
            "Neptun endpoint answers",
            {
                "System prompt": "takes none",
                "Max tokens": "256 tokens",
                "Temperature": "always takes 0.6",
                "Top p": "ignores it",
                "Chat id": "A temporary chat has none.",
            },
        ),
        (
            "Offline guide",
            "offline guide answers",
            {
                "System prompt": "is no model",
                "Max tokens": "is no model",
                "Temperature": "is no model",
                "Top p": "is no model",
                "Chat id": "stores no chats",
                "Temporary chat": "stores no chats",
            },
        ),
        (
            "Cloudflare Workers AI",
            "Workers AI answers",
            {"Chat id": "stores no chats", "Temporary chat": "stores no chats"},
        ),
    ],
)
def test_what_a_back_end_ignores_is_disabled_and_says_why(visitor, back_end, state, reasons):
    if back_end == "Offline guide":
        visitor.on_neptun()
    visitor.choose("Back end", back_end).showing(state)
    for label in ("System prompt", "Max tokens", "Temperature", "Top p", "Chat id", "Temporary chat"):
        inputs = control(visitor, label).locator("input, textarea").first
        if label in reasons:
            visitor.expect(inputs).to_be_disabled()
            visitor.expect(control(visitor, label)).to_contain_text(reasons[label])
        else:
            visitor.expect(inputs).to_be_enabled()


def test_the_parameters_are_the_models_own_until_they_are_set(visitor, workers_ai):
    workers_ai.plays(sse({"response": "Yes."}))
    visitor.on_workers_ai().ask("Hi")
    assert workers_ai.arrived().request.json().keys().isdisjoint({"temperature", "top_p"})
    visitor.page.get_by_label("System prompt").fill("Be brief.")
    visitor.page.get_by_label("number input for Temperature").fill("1.2")
    visitor.page.get_by_label("number input for Max tokens").fill("77")
    visitor.page.get_by_role("button", name="More parameters").click()
    visitor.expect(visitor.page.get_by_label("Seed", exact=True)).to_be_visible()
    visitor.ask("Again")
    body = workers_ai.arrived(2).request.json()
    assert "seed" not in body
    assert (body["temperature"], body["max_tokens"]) == (1.2, 77)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    # The other family of models has another range, and another value of its own.
    visitor.choose("Model", "gpt-oss-20b")
    visitor.expect(visitor.page.get_by_label("range slider for Temperature")).to_have_attribute("max", "2")


def test_what_was_set_for_another_back_end_is_not_sent(visitor, neptun):
    neptun.plays(data_lines("Yes."))
    visitor.on_workers_ai()
    visitor.page.get_by_label("System prompt").fill("Be brief.")
    visitor.page.get_by_label("number input for Temperature").fill("1.2")
    visitor.on_neptun().ask("Hi").expect(visitor.answer).to_contain_text("Yes.")


def test_a_stored_chat_needs_its_id(visitor, neptun):
    neptun.plays(data_lines("Stored."))
    visitor.on_neptun().page.get_by_label("Temporary chat").uncheck()
    chat_id = visitor.page.get_by_label("Chat id")
    visitor.expect(chat_id).to_be_enabled()
    visitor.ask("Hi").expect(visitor.notice).to_contain_text("needs its chat id")
    chat_id.fill("41")
    visitor.ask("Hi").expect(visitor.answer).to_contain_text("Stored.")
    assert neptun.arrived().request.query == {"chat_id": "41", "is_playground": "false"}


def test_the_credential_is_in_its_box_and_nowhere_else(visitor, neptun):
    neptun.plays(data_lines("Yes."))
    box = visitor.settings().page.get_by_label("Cookie or playground key")
    assert box.input_value() == ""
    assert (box.get_attribute("type"), box.get_attribute("autocomplete")) == ("password", "off")
    visitor.on_neptun().ask("Hi")
    assert COOKIE not in visitor.page.content()
    assert COOKIE not in visitor.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    assert COOKIE not in visitor.app.output()
    for request in visitor.page.requests_seen:
        assert COOKIE not in request.url


# Thinking, retry, undo, edit


def test_thinking_is_folded_and_no_part_of_the_conversation(visitor, workers_ai):
    gate = Gate()
    thought, answer = {"choices": [{"delta": {"reasoning_content": "Let me see."}}]}, "Forty-two."
    first = sse(thought, done=False).chunks
    then = sse({"choices": [{"delta": {"content": answer}}]}).chunks
    stream = {"content-type": "text/event-stream"}
    workers_ai.plays(Play(headers=stream, chunks=(*first, gate, *then)), sse({"response": "Yes."}))
    visitor.on_workers_ai().choose("Model", "gpt-oss-20b").send("Hi")
    thinking = visitor.answer.locator(".thought-group")
    visitor.expect(thinking).to_contain_text("Let me see.")
    gate.open()
    visitor.rest().expect(visitor.answer).to_contain_text("Forty-two.")
    visitor.expect(thinking.get_by_text("Let me see.")).not_to_be_visible()
    visitor.expect(thinking).to_contain_text("s)")  # how long it took
    copy = visitor.page.get_by_role("button", name="Copy message").last
    assert visitor.copied(copy) == "Forty-two."
    thinking.get_by_role("button", name="Thinking").click()
    visitor.expect(thinking.get_by_text("Let me see.")).to_be_visible()
    visitor.ask("Sure?")
    assert sent(workers_ai, 2) == [("user", "Hi"), ("assistant", "Forty-two."), ("user", "Sure?")]


def test_an_answer_stays_when_a_retry_comes_to_nothing(visitor, neptun):
    neptun.plays(data_lines("A good answer."), recording("up_err429"), hangs(), data_lines("A better one."))
    visitor.on_neptun().ask("Hi").expect(visitor.answer).to_contain_text("A good answer.")
    retry = visitor.page.get_by_role("button", name="Retry").last
    retry.click()
    visitor.expect(visitor.notice).to_contain_text("No answer.")
    visitor.rest().expect(visitor.notice).to_contain_text("The answer before this one stays.")
    shown = visitor.page.locator("#conversation .bot-row")
    visitor.expect(shown.filter(has_text="A good answer.")).to_have_count(1)
    visitor.page.reload()
    visitor.expect(shown.filter(has_text="A good answer.")).to_have_count(1)  # it was kept so, too
    visitor.on_neptun()
    retry.click()
    neptun.arrived(3)
    visitor.stop_button.click()
    visitor.rest().expect(visitor.notice).to_have_count(1)  # attempts do not pile up
    visitor.expect(visitor.notice).to_contain_text("Stopped.")
    visitor.expect(shown.filter(has_text="A good answer.")).to_have_count(1)
    retry.click()
    visitor.expect(visitor.answer).to_contain_text("A better one.")
    visitor.rest().expect(shown.filter(has_text="A good answer.")).to_have_count(0)
    visitor.ask("And?")
    assert sent(neptun, 5) == [("user", "Hi"), ("assistant", "A better one."), ("user", "And?")]


def test_retry_asks_the_same_again(visitor, neptun):
    neptun.plays(data_lines("One."), data_lines("Two."), data_lines("Three."))
    visitor.on_neptun().ask("first")
    visitor.ask("second")
    visitor.page.get_by_role("button", name="Retry").click()
    visitor.expect(visitor.answer).to_contain_text("Three.")
    assert sent(neptun, 3) == [("user", "first"), ("assistant", "One."), ("user", "second")]
    assert "Two." not in "".join(visitor.rest().said())


def test_undo_takes_the_last_turn_back(visitor, neptun):
    neptun.plays(data_lines("One."), data_lines("Two."))
    visitor.on_neptun().ask("first")
    visitor.ask("second <b>")
    visitor.page.get_by_role("button", name="Undo").click()
    visitor.expect(visitor.box).to_have_value("second <b>")
    assert visitor.said()[:2] == ["first", "One."]
    assert len(visitor.page.locator("#conversation .user-row").all()) == 1


def test_an_edited_message_is_answered_anew_and_can_be_stopped(visitor, neptun):
    neptun.plays(data_lines("One."), data_lines("Two."), going_on(silent=False))
    visitor.on_neptun().ask("List<int>\n\tis first")
    visitor.ask("second")
    visitor.page.get_by_role("button", name="Edit").first.click()
    edit = visitor.page.locator(".edit-textarea")
    assert "List" in edit.input_value()
    edit.press("Control+End")
    edit.type("!")
    visitor.page.get_by_role("button", name="Submit").click()
    visitor.expect(visitor.answer).to_contain_text("So far.")
    assert sent(neptun, 3) == [("user", escaped("List<int>\n\tis first!"))]
    visitor.stop_button.click()
    assert neptun.arrived(3).left.wait(5)
    visitor.rest().expect(visitor.notice).to_contain_text("Stopped.")


# What comes from a model is text

MARKUP = """Look: <b>bold</b>, List<int>, a < b && c > d, &lt;tag&gt; and AT&T for $5 or $6.

<img src="http://e.vil/pixel.png"> ![picture](http://e.vil/image.png) <https://example.org/x>

<form action="http://e.vil/"><input name="password"><button>Log in</button></form>

<div style="position:fixed;inset:0;background:red" id="overlay">overlay</div>
<style>body { display: none }</style><script>window.pwned = true</script>

```html
<p class="x">&amp; <b>code</b></p>
```

```mermaid
graph LR; A["<img src=http://e.vil/m.png>"] --> B
```

```make
all:
\t@echo "$$HOME"
\t\tdeep
```

- item

  ```python
  def f(a: list[int]) -> bool:
  \treturn a < [1] and f("</div>")
  ```

Inline `<i>code</i>` and a formula \\( a<b \\), `$$` alone."""


READS = """text => [...document.querySelectorAll("#conversation .bot-row")].at(-1)
    .querySelector(".bot .md").textContent.includes(text)"""


def test_a_reply_is_text_and_stays_what_it_was(visitor, neptun):
    neptun.plays(data_lines(*[MARKUP[at : at + 7] for at in range(0, len(MARKUP), 7)]), data_lines("Yes."))
    visitor.on_neptun().ask("<marquee>Show</marquee> **it**: List<int>")
    answer = visitor.answer
    for text in (
        "Look: <b>bold</b>, List<int>, a < b && c > d, &lt;tag&gt; and AT&T for $5 or $6.",
        '<img src="http://e.vil/pixel.png"> !picture <https://example.org/x>',
        '<form action="http://e.vil/"><input name="password"><button>Log in</button></form>',
        '<div style="position:fixed;inset:0;background:red" id="overlay">overlay</div>',
        "<style>body { display: none }</style><script>window.pwned = true</script>",
        '<p class="x">&amp; <b>code</b></p>',
        'graph LR; A["<img src=http://e.vil/m.png>"] --> B',
        'all:\n\t@echo "$$HOME"\n\t\tdeep',
        'def f(a: list[int]) -> bool:\n\treturn a < [1] and f("</div>")',
        "<i>code</i>",
    ):
        # Not `to_contain_text`: the blanks of code count.
        visitor.page.wait_for_function(READS, arg=text, timeout=60_000)
    question = visitor.page.locator("#conversation .user-row").first
    visitor.expect(question).to_contain_text("<marquee>Show</marquee> it: List<int>")
    visitor.expect(question.locator("strong")).to_have_text("it")
    assert (
        answer.locator("img, form, input, style, script, svg:not(button svg), #overlay, [style*=fixed]").count()
        == 0
    )
    assert answer.get_by_role("link", name="picture").get_attribute("href") == "http://e.vil/image.png"
    assert (
        answer.get_by_role("link", name="https://example.org/x").get_attribute("href")
        == "https://example.org/x"
    )
    assert answer.locator(".katex").count() == 1
    assert visitor.page.evaluate("window.pwned") is None
    visitor.expect(visitor.box).to_be_visible()

    copy = visitor.page.get_by_role("button", name="Copy message")
    assert visitor.copied(copy.last) == MARKUP
    assert visitor.copied(copy.first) == "<marquee>Show</marquee> **it**: List<int>"
    code = answer.locator(".copy_code_button")
    assert visitor.copied(code.nth(2)) == 'all:\n\t@echo "$$HOME"\n\t\tdeep'
    everything = visitor.copied(visitor.page.get_by_role("button", name="Copy conversation"))
    assert everything == f"user: <marquee>Show</marquee> **it**: List<int>\n\nassistant: {MARKUP}"

    visitor.ask('<div class="neptun-notice">not by the page</div>')
    assert sent(neptun, 2)[1] == ("assistant", escaped(MARKUP))
    visitor.expect(copy).to_have_count(4)  # two questions, two answers
    assert visitor.copied(copy.nth(2)) == '<div class="neptun-notice">not by the page</div>'
    visitor.expect(visitor.page.locator("#conversation .user-row .neptun-notice")).to_have_count(0)


def escaped(text: str) -> str:
    """As Neptun is sent it: its own filter would drop the signs."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


# Keyboard, names, phones, looks


def test_enter_sends_and_shift_enter_breaks_the_line(visitor, neptun):
    neptun.plays(data_lines("Yes."))
    visitor.on_neptun().box.fill("one")
    visitor.box.press("Shift+Enter")
    visitor.box.type("two")
    assert visitor.box.input_value() == "one\ntwo"
    visitor.box.press("Enter")
    visitor.rest()
    assert sent(neptun) == [("user", "one\ntwo")]


def test_a_question_is_answered_though_the_one_before_has_not_ended_yet(newcomer):
    held = []

    def hold(route):
        if held:
            route.continue_()
        else:
            held.append(route)

    newcomer.page.route("**/queue/data*", hold)
    with newcomer.page.expect_request("**/queue/data*"):
        newcomer.send("  ")  # asks for nothing
    newcomer.send("What is this?")
    newcomer.expect(newcomer.page.locator("#conversation .user-row")).to_have_count(1)
    held[0].continue_()
    newcomer.rest().expect(newcomer.answer).to_contain_text("offline guide")
    newcomer.expect(newcomer.numbers).to_have_count(1)


def test_a_blank_message_is_not_sent(newcomer):
    with newcomer.page.expect_response("**/queue/join*"):  # the answer to nothing
        newcomer.send("  \n ")
    newcomer.ask("What is this?")
    assert len(newcomer.page.locator("#conversation .user-row").all()) == 1


def test_an_example_fills_the_box_and_sends_nothing(newcomer):
    newcomer.page.get_by_role("button", name="Markdown, code and formulas").click()
    newcomer.expect(newcomer.box).to_have_value("/demo markdown")
    newcomer.expect(newcomer.box).to_be_focused()
    assert newcomer.said() == []


NAMELESS = """() => [...document.querySelectorAll("button, a, input, textarea, [role=button]")]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest("label, [aria-hidden=true]"))
  .filter((e) => !(e.innerText || e.ariaLabel || e.title || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 200))"""


def test_everything_that_can_be_pressed_has_a_name(newcomer):
    newcomer.ask("/demo thinking")
    assert newcomer.page.evaluate(NAMELESS) == []


def test_what_is_closed_cannot_be_tabbed_into(visit, offline_playground):
    phone = Visit(visit(viewport={"width": 390, "height": 844}), offline_playground)
    phone.box.focus()
    for _ in range(12):
        phone.page.keyboard.press("Tab")
        assert not phone.page.evaluate("!!document.activeElement.closest('.sidebar-content')")


@pytest.mark.parametrize("width", [360, 390, 820, 1440])
def test_nothing_scrolls_sideways_and_the_box_stays_in_sight(visit, offline_playground, width):
    visitor = Visit(visit(viewport={"width": width, "height": 844}), offline_playground)
    visitor.ask("/demo markdown")
    scroll = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert visitor.page.evaluate(scroll) == [width, 844]
    visitor.expect(visitor.box).to_be_in_viewport()
    visitor.settings().expect(visitor.page.get_by_label("Back end", exact=True)).to_be_in_viewport()
    assert visitor.page.evaluate(scroll) == [width, 844]


CONTRAST = """(selector) => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => rgb(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (e) => {
    const [, , , alpha] = rgb(getComputedStyle(e).backgroundColor);
    return alpha === 0 && e.parentElement ? behind(e.parentElement) : getComputedStyle(e).backgroundColor;
  };
  const e = document.querySelector(selector);
  const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_in_light_and_dark(visit, offline_playground, scheme):
    visitor = Visit(visit(color_scheme=scheme), offline_playground)
    visitor.expect(visitor.page.locator("body.dark")).to_have_count(1 if scheme == "dark" else 0)
    visitor.ask("/demo cut")
    visitor.ask("/demo thinking")
    for selector in (
        "h1",
        ".neptun-header p",
        "#state p",
        "#conversation .user .md",
        "#conversation .bot .md p",
        ".neptun-numbers",
        ".neptun-notice",
        "#message button",
        "#settings [data-testid=block-info]",
        "footer button",
    ):
        assert visitor.page.evaluate(CONTRAST, selector) >= 4.5, selector


def test_nothing_is_written_beside_the_source(newcomer, app_folder):
    newcomer.ask("What is this?")
    assert list(app_folder.rglob("*.pyi")) == []
    assert list(app_folder.rglob(".gradio")) == []


def test_the_page_comes_from_this_app_alone(newcomer):
    """Whatever it asked elsewhere, the fixture reports at the end."""
    newcomer.ask("/demo markdown")
    newcomer.page.get_by_role("button", name="Use via API").click()
    newcomer.expect(newcomer.page.get_by_text("3 API endpoints")).to_be_visible()
