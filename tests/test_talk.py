"""What stands around an answer: chips and their next steps, numbers, keys, and the page in German."""

from __future__ import annotations

import pytest
from test_accessibility import violations
from test_page import COOKIE, Visit, going_on, sent
from upstream import data_lines, recording, sse


@pytest.fixture
def visitor(page, playground):
    return Visit(page, playground)


@pytest.fixture
def newcomer(page, offline_playground):
    return Visit(page, offline_playground)


def step(visitor, name):
    return visitor.answer.get_by_role("link", name=name)


def test_a_refused_cookie_leads_to_its_box_and_back(visitor, neptun):
    refused = recording("invalid_cookie")
    neptun.plays(refused, data_lines("Signed in."))
    visitor.on_neptun().ask("Hi").expect(visitor.notice).to_contain_text("No answer.")
    visitor.expect(visitor.numbers).to_contain_text("end: failed")
    visitor.page.get_by_role("button", name="Toggle Sidebar").first.click()
    step(visitor, "Check the credential").click()
    visitor.expect(visitor.page.locator("#credential input")).to_be_focused()
    visitor.page.keyboard.type("-that-is-right")
    step(visitor, "Try again").click()
    visitor.expect(visitor.answer).to_contain_text("Signed in.")
    visitor.rest().expect(visitor.notice).to_have_count(0)
    assert neptun.arrived(2).request.header("cookie") == f"neptun-session={COOKIE}-that-is-right"
    assert sent(neptun, 2) == [("user", "Hi")]


def test_a_capped_answer_offers_a_higher_cap(visitor, workers_ai):
    half = {"choices": [{"delta": {"content": "Half of"}, "finish_reason": "length"}]}
    workers_ai.plays(sse(half), sse({"response": "The whole."}))
    visitor.on_workers_ai().ask("Hi").expect(visitor.notice).to_contain_text("Cut short by the cap.")
    visitor.expect(visitor.numbers).to_contain_text("end: length")
    step(visitor, "Raise the cap and try again").click()
    visitor.expect(visitor.answer).to_contain_text("The whole.")
    caps = [workers_ai.arrived(number).request.json()["max_tokens"] for number in (1, 2)]
    assert caps == [1024, 2048]


def test_a_cap_that_is_the_highest_is_not_raised(visitor, workers_ai):
    half = {"choices": [{"delta": {"content": "Half of"}, "finish_reason": "length"}]}
    workers_ai.plays(sse(half))
    visitor.on_workers_ai()
    visitor.page.get_by_label("number input for Max tokens").fill("1500")
    visitor.ask("Hi")
    step(visitor, "Raise the cap and try again").click()
    visitor.expect(visitor.numbers).to_have_count(1)
    visitor.rest().expect(visitor.answer).to_contain_text("Half of")
    visitor.expect(step(visitor, "Choose another model")).to_be_visible()
    visitor.expect(step(visitor, "Raise the cap and try again")).to_have_count(0)
    caps = [workers_ai.arrived(number).request.json()["max_tokens"] for number in (1, 2)]
    assert caps == [1500, 2048]
    assert visitor.page.console_errors == []


def test_retry_with_another_model(visitor, workers_ai):
    workers_ai.plays(sse({"response": "One."}), sse({"response": "Two."}))
    visitor.on_workers_ai().ask("Hi").expect(visitor.answer).to_contain_text("One.")
    visitor.choose("Model", "gpt-oss-20b")
    visitor.page.get_by_role("button", name="Retry").click()
    visitor.expect(visitor.answer).to_contain_text("Two.")
    visitor.rest().expect(visitor.numbers).to_contain_text("gpt-oss-20b")
    assert sent(workers_ai, 2) == [("user", "Hi")]


COMPOSING = """(box) => {
  const enter = {key: "Enter", bubbles: true, cancelable: true};
  for (const composing of [{isComposing: true}, {keyCode: 229}])
    box.dispatchEvent(new KeyboardEvent("keydown", {...enter, ...composing}));
}"""


def test_the_keys(visitor, neptun):
    neptun.plays(going_on(silent=False), data_lines("Yes."))
    visitor.on_neptun().box.fill("にほ")
    visitor.box.evaluate(COMPOSING)
    visitor.box.press("?")  # writes it
    visitor.expect(visitor.box).to_have_value("にほ?")
    assert (visitor.said(), neptun.requests) == ([], [])
    visitor.box.press("Enter")
    visitor.expect(visitor.answer).to_contain_text("So far.")
    visitor.box.press("Escape")
    visitor.rest().expect(visitor.notice).to_contain_text("Stopped. The text so far stays.")
    visitor.expect(visitor.numbers).to_contain_text("end: stopped")
    assert sent(neptun) == [("user", "にほ?")]

    visitor.page.locator("h1").click()
    visitor.page.keyboard.press("?")
    keys = visitor.page.get_by_role("dialog")
    visitor.expect(keys).to_contain_text("Stop the answer")
    visitor.page.keyboard.press("Escape")
    visitor.expect(keys).not_to_be_visible()
    visitor.page.get_by_role("button", name="Keyboard").click()
    keys.get_by_role("button", name="Close").click()
    visitor.expect(keys).not_to_be_visible()


def test_a_message_is_changed_by_keys_and_only_the_last_answer_offers_a_next_step(visitor, neptun):
    neptun.plays(data_lines("One.", ended="cut"), data_lines("Two.", ended="cut"), data_lines("Three."))
    visitor.on_neptun().ask("first")
    visitor.ask("second")
    visitor.expect(visitor.page.get_by_role("link", name="Try again")).to_have_count(1)
    change, box = visitor.page.get_by_role("button", name="Edit").last, visitor.page.locator(".edit-textarea")
    change.click()
    assert violations(visitor.page) == []
    box.fill("something else")
    box.press("Escape")
    visitor.expect(box).to_have_count(0)
    visitor.expect(visitor.box).to_be_focused()
    change.click()
    visitor.expect(box).to_have_value("second")
    box.press("Shift+Enter")
    box.press_sequentially("more")
    box.evaluate(COMPOSING)
    box.press("Enter")
    visitor.expect(visitor.answer).to_contain_text("Three.")
    assert sent(neptun, 3) == [("user", "first"), ("assistant", "One."), ("user", "second\nmore")]


def test_the_examples_are_for_the_chosen_back_end(newcomer):
    newcomer.page.get_by_role("button", name="Thinking before the answer").wait_for()
    newcomer.choose("Back end", "Neptun endpoint").showing("developer tools")
    newcomer.page.get_by_role("button", name="A table").click()
    newcomer.expect(newcomer.box).to_have_value("Compare TCP, UDP and QUIC in a small table.")
    newcomer.choose("Back end", "Offline guide").page.get_by_role(
        "button", name="What can I do here?"
    ).wait_for()


def test_the_ticks_of_tasks_are_seen_and_a_long_formula_can_be_scrolled(visit, playground, workers_ai):
    page = visit(viewport={"width": 390, "height": 844})
    long = " + ".join(f"x_{{{place}}}" for place in range(40))
    workers_ai.plays(sse({"response": f"- [ ] open\n- [x] done\n\nIt costs $5 or $6:\n\n$$ {long} $$\n"}))
    visitor = Visit(page, playground).ask("Hi")
    visitor.expect(visitor.answer).to_contain_text("It costs $5 or $6:")
    ticks = visitor.answer.get_by_role("checkbox")
    assert ticks.evaluate_all(
        "boxes => boxes.map((box) => [box.checked, getComputedStyle(box).appearance])"
    ) == [
        [False, "auto"],
        [True, "auto"],
    ]
    formula = visitor.answer.locator(".katex-display")
    box = formula.bounding_box()
    assert box["x"] + box["width"] < 390 < formula.evaluate("formula => formula.scrollWidth")
    assert violations(page) == []


def test_a_small_phone_shows_how_to_connect_and_gets_its_room_back(visit, offline_playground):
    page = visit(viewport={"width": 360, "height": 640}, reduced_motion="reduce")
    newcomer = Visit(page, offline_playground)
    newcomer.expect(page.get_by_role("heading", name="The offline guide answers")).to_be_in_viewport(ratio=1)
    page.locator("#conversation").get_by_role("link", name="Settings").click()
    newcomer.expect(page.locator("#side-tab-settings")).to_be_focused()
    reachable = "() => document.querySelector('#message textarea').closest('[inert]') === null"
    assert not page.evaluate(reachable)
    page.keyboard.press("Escape")
    newcomer.expect(page.locator("#settings.open")).to_have_count(0)
    newcomer.expect(page.get_by_role("button", name="Toggle Sidebar")).to_be_focused()
    page.wait_for_function(reachable)
    height = newcomer.box.bounding_box()["height"]
    newcomer.ask("What is this,\nand what\ncan it do?")
    newcomer.expect(newcomer.box).to_have_value("")
    page.wait_for_function(f"document.querySelector('#message textarea').clientHeight < {height + 5}")


KEYBOARD = """(height) => {
  Object.defineProperty(visualViewport, "height", { value: height, configurable: true });
  visualViewport.dispatchEvent(new Event("resize"));
}"""


def test_the_box_is_above_a_phones_keyboard_and_a_zoomed_page_stays_whole(visit, offline_playground):
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone = Visit(page, offline_playground)
    ends = (
        "() => { const box = document.querySelector('#message').getBoundingClientRect(); return box.bottom; }"
    )
    at_rest = page.evaluate(ends)
    zoom = page.context.new_cdp_session(page)
    for factor in (2, 1):
        zoom.send("Emulation.setPageScaleFactor", {"pageScaleFactor": factor})
        page.wait_for_function(f"visualViewport.scale === {factor}")
        assert page.evaluate(ends) == at_rest
    phone.box.evaluate(f"(_, height) => ({KEYBOARD})(height)", 420)  # Chromium without a screen has no keyboard
    page.wait_for_function(f"({ends})() < 420")
    assert page.evaluate(ends) > 300


def test_a_browser_in_german_reads_german_labels(visit, offline_playground):
    page = visit(locale="de-DE")
    page.goto(offline_playground.url)
    page.get_by_placeholder("Frage stellen").fill("/demo cut")
    page.get_by_role("button", name="Senden", exact=True).click()
    page.get_by_role("link", name="Noch einmal").wait_for()
    page.get_by_role("link", name="Hineinsehen").wait_for()
    page.get_by_role("button", name="Senden", exact=True).wait_for()
    page.get_by_role("tab", name="Chat", exact=True).wait_for()
    page.locator(".neptun-notice", has_text="The answer is incomplete.").wait_for()
    page.get_by_text("Ende: abgebrochen").wait_for()
    # Of what others wrote nothing is taken for a word.
    typed = '<span class="neptun-word-close">mine</span>'
    for number, question in enumerate(("/demo thinking", typed), start=1):
        page.get_by_placeholder("Frage stellen").fill(question)
        page.get_by_role("button", name="Senden", exact=True).click()
        numbers = page.locator(".neptun-numbers").nth(number)
        for words in ("Ende: stop", "erster Text", "gesamt", "/s", "Token Ausgabe"):
            numbers.get_by_text(words).first.wait_for()
    page.locator("#conversation .user-row", has_text=typed).wait_for()
    page.locator(".thought-group").get_by_text("Denken", exact=True).wait_for()
    numbers.get_by_role("link", name="Hineinsehen").click()
    page.get_by_text(f"Antwort 3 von 3, Offline guide, auf „{typed}“").wait_for()
    page.get_by_role("button", name="Kopieren messages").wait_for()
    page.get_by_role("tab", name="Leitung").click()
    page.locator("#inspector svg", has_text="erster Text").wait_for()
    page.locator("#inspector summary", has_text="Stücke").wait_for()
    page.get_by_label("Anbieter").first.click()
    page.get_by_role("option", name="Workers AI").click()
    page.locator(".neptun-card", has_text="Kontextfenster").wait_for()
    page.locator(".neptun-sent", has_text="Mit der Frage gesendet:").wait_for()
    assert page.page_errors == []
