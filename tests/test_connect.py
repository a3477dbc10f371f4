"""Connect, in the browser: the first visit, the check, the state line, the card of the model, live lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import ACCOUNT, TOKEN, model_search
from test_accessibility import violations
from test_page import COOKIE, Visit
from upstream import Gate, Play, Upstream, closes, cloudflare_error, compact, recording, sse

if TYPE_CHECKING:
    from playground import Playground
    from playwright.sync_api import Locator, Page

GPT = "@cf/openai/gpt-oss-20b"


@pytest.fixture
def visitor(page: Page, playground: Playground) -> Visit:
    return Visit(page, playground)


def found(visitor: Visit) -> Locator:
    return visitor.page.locator("#checked")


def card(visitor: Visit) -> Locator:
    return visitor.page.locator("#settings .neptun-card")


def sent(visitor: Visit) -> Locator:
    return visitor.page.locator("#settings .neptun-sent")


def test_a_first_visit_says_how_to_connect(page, offline_playground):
    newcomer = Visit(page, offline_playground)
    welcome = page.locator("#conversation .placeholder")
    for said in ("offline guide answers", "neptun-session", "CLOUDFLARE_API_TOKEN", "Workers AI Read"):
        newcomer.expect(welcome).to_contain_text(said)
    newcomer.expect(welcome.get_by_role("link", name="Settings")).to_be_visible()
    newcomer.expect(welcome.get_by_role("link", name="Neptun", exact=True)).to_have_attribute(
        "href", "https://neptun-webui.vercel.app"
    )
    page.get_by_role("button", name="Check", exact=True).click()
    newcomer.expect(found(newcomer)).to_contain_text("The box is empty. Paste the value of your neptun-session")
    newcomer.choose("Back end", "Cloudflare Workers AI").showing("host has set up no account")
    newcomer.choose("Back end", "Neptun endpoint").showing("with your own cookie")
    for said in ("256 tokens", "answer in Markdown", "bare < or >"):
        newcomer.expect(card(newcomer)).to_contain_text(said)
    newcomer.expect(sent(newcomer)).to_contain_text("no parameters; every answer ends at 256 tokens")
    newcomer.choose("Back end", "Offline guide").ask("What is this?")
    newcomer.expect(welcome).to_have_count(0)


def test_a_credential_is_checked_and_the_result_stands_beside_the_button(visitor, neptun):
    box = visitor.settings().page.get_by_label("Cookie or playground key")
    check = visitor.page.get_by_role("button", name="Check", exact=True)
    neptun.plays(
        recording("auth_check_head_valid"), recording("auth_check_head_missing"), closes(), Play(before=1.5)
    )
    visitor.expect(found(visitor)).to_have_attribute("aria-live", "polite")
    box.fill(COOKIE)
    check.click()
    visitor.expect(found(visitor)).to_contain_text("Signed in: Neptun knows this session.")
    request = neptun.arrived().request
    assert (request.method, request.path) == ("HEAD", "/api/auth/check")
    assert request.header("cookie") == f"neptun-session={COOKIE}"
    # What was found is not said of what is typed after it.
    box.press_sequentially("x")
    visitor.expect(found(visitor).locator(".neptun-check")).to_have_count(0)
    box.press("Enter")
    visitor.expect(found(visitor)).to_contain_text("does not know this cookie. Has it expired")
    check.click()
    visitor.expect(found(visitor)).to_contain_text("without an answer that can be read. So it is not known")

    for credential, said in (
        (visitor.app.key, "This is the playground's key. It opens, at the host's cost: Cloudflare Workers AI."),
        ("pg-not-the-key-of-this-app", "That is not this playground's key."),
        ("two words", "characters that no cookie can hold"),
    ):
        box.fill(credential)
        check.click()
        visitor.expect(found(visitor)).to_contain_text(said)
    assert len(neptun.requests) == 3

    # Typed while the check was on its way
    box.fill(COOKIE)
    check.click()
    visitor.expect(found(visitor)).to_contain_text("Checking …")
    box.press_sequentially("y")
    assert neptun.arrived(4).over.wait(20)
    visitor.choose("Back end", "Neptun endpoint").showing("with your own cookie")
    visitor.expect(found(visitor).locator(".neptun-check")).to_have_count(0)
    assert COOKIE not in visitor.page.content()
    assert COOKIE not in visitor.app.output()


def test_the_state_of_workers_ai_and_what_is_sent_to_its_model(visitor, workers_ai):
    workers_ai.plays(cloudflare_error(4006, "used up", 429), sse({"response": "Yes."}))
    visitor.on_workers_ai().showing("open to every visitor")
    state = visitor.page.locator("#state")
    visitor.expect(state.locator(".trouble")).to_have_count(0)
    for said in ("meta", "24,000 tokens", "$0.293 in · $2.253 out", "free", "live"):
        visitor.expect(card(visitor)).to_contain_text(said)
    visitor.expect(sent(visitor)).to_have_text("Sent with the question: max_tokens 1024")

    visitor.ask("Hi").expect(visitor.notice).to_contain_text("used up")
    visitor.expect(state.locator(".trouble")).to_contain_text("It is free again at 00:00 UTC.")
    # Whoever comes now is told before asking.
    visitor.open()
    visitor.on_workers_ai().expect(state.locator(".trouble")).to_contain_text("was used up")

    visitor.choose("Model", "gpt-oss-20b")
    visitor.expect(card(visitor)).to_contain_text("yes: low, medium, high")
    visitor.page.get_by_role("button", name="More parameters").click()
    visitor.choose("Reasoning effort", "low")
    assert violations(visitor.page) == []
    visitor.page.get_by_label("Seed", exact=True).fill("7")
    visitor.page.get_by_label("Stop at").fill("END")
    visitor.page.get_by_label("range slider for Temperature").press("ArrowRight")
    visitor.expect(sent(visitor)).to_have_text(
        "Sent with the question: max_tokens 1024 temperature 1.1 reasoning_effort low seed 7 stop “END”"
    )
    visitor.ask("Hi").expect(visitor.answer).to_contain_text("Yes.")
    body = workers_ai.arrived(2).request.json()
    assert {name: body[name] for name in body.keys() - {"messages", "stream"}} == {
        "max_tokens": 1024,
        "temperature": 1.1,
        "reasoning_effort": "low",
        "seed": 7,
        "stop": ["END"],
    }
    visitor.expect(state.locator(".trouble")).to_have_count(0)

    visitor.choose("Model", "llama-3.3-70b-instruct-fp8-fast")
    for label, reason in (("Reasoning effort", "does not think"), ("Stop at", "does not take it")):
        control = visitor.page.locator("#settings .block", has=visitor.page.get_by_label(label)).last
        visitor.expect(control).to_contain_text(reason)
        visitor.expect(visitor.page.get_by_label(label)).to_be_disabled()
    visitor.expect(sent(visitor)).to_contain_text("max_tokens 1024 temperature 1.1 seed 7")


def test_a_live_list_arrives_on_an_open_page(page, upstream: Upstream, start_playground):
    gate = Gate()
    listing = compact(model_search(GPT, *(f"@cf/acme/model-{number}" for number in range(90))))
    upstream.serves(
        "GET",
        f"/accounts/{ACCOUNT}/ai/models/search",
        Play(headers={"content-type": "application/json"}, chunks=(gate, listing)),
    )
    app = start_playground(
        NEPTUN_BASE_URL=upstream.url,
        CLOUDFLARE_BASE_URL=upstream.url,
        CLOUDFLARE_ACCOUNT_ID=ACCOUNT,
        CLOUDFLARE_API_TOKEN=TOKEN,
        PLAYGROUND_OPEN="false",
    )
    visitor = Visit(page, app)
    visitor.showing("Workers AI answers, with the playground's key.")
    visitor.expect(page.locator("#conversation .placeholder")).to_contain_text("Choose it as the back end")
    visitor.expect(page.locator("#conversation .placeholder")).to_contain_text("Put the key into the box.")
    # Before the choice: what its answer brings would be the last word on what is set behind it.
    page.get_by_label("number input for Temperature").fill("1.7")
    visitor.choose("Model", "gpt-oss-20b")
    visitor.expect(card(visitor)).to_contain_text("built in")
    box = page.get_by_label("Cookie or playground key")
    box.fill("half a coo")
    model = page.get_by_label("Model", exact=True)
    gate.open()
    visitor.expect(card(visitor)).to_contain_text("live")
    visitor.expect(card(visitor)).to_contain_text("24,000 tokens")  # as the list has it
    visitor.expect(model).to_have_value("gpt-oss-20b (reasoning)")
    visitor.expect(page.get_by_label("number input for Temperature")).to_have_value("1.7")
    assert box.input_value() == "half a coo"
    model.click()
    visitor.expect(page.get_by_role("option")).to_have_count(91)
    # What is typed is searched for; nobody has to delete the old name first.
    page.keyboard.type("model-77")
    visitor.expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    visitor.expect(card(visitor)).to_contain_text("acme")
