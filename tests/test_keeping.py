"""Conversations that the browser keeps, files out and in, and links: on the page of the real app."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playground import Playground
from test_page import COOKIE, Visit, sent
from upstream import Gate, data_lines, forever, sse

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

EVERYTHING_KEPT = """async () => {
    const kept = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie];
    const done = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    for (const { name } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
            kept.push(JSON.stringify(await done(database.transaction(store).objectStore(store).getAll())));
        }
        database.close();
    }
    return kept.join("\\n");
}"""


class Keeper(Visit):
    """A visitor who looks after conversations."""

    @property
    def panel(self) -> Locator:
        self.settings("Conversations")
        return self.page.locator("#keeping")

    @property
    def note(self) -> Locator:
        return self.page.locator("#keeping-notes").get_by_role("status")

    @property
    def titles(self) -> Locator:
        return self.panel.locator(".neptun-title")

    @property
    def questions(self) -> Locator:
        return self.page.locator("#conversation .user-row")

    def listed(self, *titles: str) -> None:
        self.expect(self.titles).to_have_text(list(titles))

    def press(self, name: str) -> None:
        """An item of the menu in the header."""
        menu = self.page.locator(".neptun-menu")
        menu.locator("summary").click()
        menu.get_by_role("button", name=name, exact=True).click()

    def noted(self, words: str) -> None:
        self.expect(self.note).to_contain_text(words)

    def reload(self) -> None:
        self.page.reload()
        self.box.wait_for()
        self.settings()

    def everything_kept(self) -> str:
        kept: str = self.page.evaluate(EVERYTHING_KEPT)
        return kept

    def exported(self, name: str) -> str:
        with self.page.expect_download() as download:
            self.press(name)
        return Path(download.value.path()).read_text(encoding="utf-8")

    def choose_file(self, content: str, name: str = "file.json") -> None:
        file = {"name": name, "mimeType": "application/json", "buffer": content.encode()}
        self.page.locator(".neptun-tools input[type=file]").set_input_files(file)

    def value(self, label: str) -> str:
        return self.page.get_by_label(label).first.input_value()


@pytest.fixture
def visitor(page: Page, playground: Playground) -> Keeper:
    return Keeper(page, playground)


def test_a_conversation_outlives_a_reload_and_the_app(page, app_folder, neptun_server, neptun):
    env = {"NEPTUN_BASE_URL": neptun_server.url}
    neptun.plays(data_lines("One, <b>x</b> & \u2060."), data_lines("Two."), data_lines("Three."))
    with Playground(app_folder, env) as app:
        visitor = Keeper(page, app)
        visitor.on_neptun().ask("\tfirst <i>")
        visitor.listed("first <i>")
        visitor.panel.get_by_role("button", name="Rename: first <i>").click()
        visitor.panel.get_by_label("Title").fill("My <b>own</b>")
        visitor.page.keyboard.press("Enter")
        visitor.listed("My <b>own</b>")
        visitor.expect(visitor.panel.get_by_role("button", name="Rename: My <b>own</b>")).to_be_focused()
        visitor.reload()  # this tab goes on where it was
        visitor.expect(visitor.questions).to_have_count(1)
        visitor.expect(visitor.numbers).to_contain_text("end:")
        visitor.expect(visitor.titles.first).to_have_attribute("aria-current", "true")
        visitor.press("New chat")
        visitor.expect(visitor.questions).to_have_count(0)
        visitor.titles.first.click()
        visitor.expect(visitor.questions).to_have_count(1)
        app.stop()
        visitor.page.clock.install()
        with visitor.page.expect_request("**/gradio_api/**"):
            visitor.titles.first.click()
        visitor.page.clock.fast_forward(10_000)
        visitor.noted("The app did not take it")
    again = Playground(app_folder, env | {"GRADIO_SERVER_PORT": str(app.port)})
    again.port, again.url = app.port, app.url  # what a browser keeps belongs to an address
    with again:
        visitor.page.goto("about:blank")
        visitor = Keeper(page, again)
        visitor.expect(visitor.questions).to_have_count(1)
        visitor.on_neptun().ask("second")
        said = [("user", "\tfirst <i>"), ("assistant", "One, <b>x</b> & \u2060."), ("user", "second")]
        assert [(role, html.unescape(text)) for role, text in sent(neptun, 2)] == said
        visitor.listed("My <b>own</b>")
        visitor.page.get_by_role("button", name="Undo").click()
        visitor.expect(visitor.questions).to_have_count(1)
        visitor.reload()
        visitor.expect(visitor.questions).to_have_count(1)
        assert COOKIE not in visitor.everything_kept()
        visitor.panel.get_by_role("button", name="Delete: My <b>own</b>").click()
        visitor.listed("My <b>own</b>")
        visitor.panel.get_by_role("button", name="Delete? My <b>own</b>").click()
        visitor.listed()
        visitor.expect(visitor.questions).to_have_count(0)
        assert "first" not in visitor.everything_kept()
        assert visitor.page.page_errors == []


def test_a_question_that_is_asked_while_the_page_still_loads_is_answered(page, playground, workers_ai):
    """What this tab showed before is looked for when all is there; it does not come between."""
    held: list[Route] = []
    page.route("**/gradio_api/run/predict", lambda route: route.continue_() if held else held.append(route))
    workers_ai.plays(sse(chunks=[forever('data: {"response":"tick "}\n\n')], gap=0.1))
    visitor = Keeper(page, playground)
    visitor.send("first")
    visitor.listed("first")
    page.evaluate(STARTED)
    held[0].continue_()
    page.wait_for_function("window.hasStarted")
    page.evaluate("async () => { for (let time = 0; time < 9; time++) await neptun.store.list(); }")
    visitor.expect(visitor.stop_button).to_be_visible()
    visitor.expect(visitor.answer).to_contain_text("tick tick")
    assert visitor.notice.count() == 0
    visitor.stop_button.click()
    visitor.rest()
    visitor.expect(visitor.notice).to_contain_text("Stopped.")


STARTED = """() => {
  const { history } = window.neptun, { started } = history;
  history.started = () => { started(); window.hasStarted = true; };
}"""

THOUGHT = sse(
    {"choices": [{"delta": {"reasoning_content": "Hm, <b>."}}]},
    {"choices": [{"delta": {"content": "It is *so*, List<int>."}}]},
    {
        "choices": [{"delta": {}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 42},
    },
)


def test_files_out_and_in(visitor, workers_ai):
    workers_ai.plays(THOUGHT, sse({"response": "Next."}), sse({"response": "Last."}))
    visitor.page.get_by_label("Cookie or playground key").fill(COOKIE)
    visitor.on_workers_ai()
    visitor.page.get_by_label("System prompt").fill("Be brief.")
    visitor.page.get_by_label("System prompt").blur()
    visitor.ask("Why?\n\n<img src=x>")
    visitor.listed("Why?")
    seen, file, text = visitor.said(), visitor.exported("Export JSON"), visitor.exported("Export Markdown")
    assert "It is *so*, List<int>." in text
    assert "Hm, <b>." in text
    assert "11 tokens in" in text
    document = json.loads(file)
    assert (document["format"], document["version"]) == ("neptun-playground", 1)
    assert document["settings"]["system"] == "Be brief."
    question, answer = document["messages"]
    assert question == {"role": "user", "content": "Why?\n\n<img src=x>"}
    assert (answer["content"], answer["thinking"]) == ("It is *so*, List<int>.", "Hm, <b>.")
    assert answer["numbers"]["tokens_out"] == 42
    assert COOKIE not in file + text + visitor.everything_kept()

    visitor.press("New chat")
    visitor.choose("Back end", "Offline guide")
    visitor.showing("offline guide answers")
    visitor.choose_file(file)
    visitor.expect(visitor.questions).to_have_count(1)
    visitor.showing("Workers AI answers")
    visitor.listed("Why?", "Why?")
    visitor.expect(visitor.numbers).to_contain_text("11 tokens in")
    assert visitor.said() == seen
    assert visitor.value("System prompt") == "Be brief."
    assert {**json.loads(visitor.exported("Export JSON")), "created": ""} == {**document, "created": ""}
    visitor.ask("And?")
    messages = [
        ("system", "Be brief."),
        ("user", "Why?\n\n<img src=x>"),
        ("assistant", "It is *so*, List<int>."),
    ]
    assert sent(workers_ai, 2) == [*messages, ("user", "And?")]

    for content, words in WRONG:
        visitor.choose_file(content)
        visitor.noted(words)
    visitor.expect(visitor.questions).to_have_count(2)

    bare = [("system", "Be kind."), ("user", "a"), ("assistant", "<script>b</script>"), ("user", "c?")]
    visitor.choose_file(json.dumps([{"role": role, "content": content} for role, content in bare]))
    visitor.expect(visitor.box).to_have_value("c?")
    visitor.expect(visitor.questions).to_have_count(1)
    visitor.box.press("Enter")
    visitor.expect(visitor.questions).to_have_count(2)
    visitor.rest()
    assert sent(workers_ai, 3) == bare
    visitor.listed("a", "Why?", "Why?")
    assert visitor.page.page_errors == []


WRONG = (
    ("no JSON", "The file is not valid JSON."),
    ('{"format": "neptun-playground", "version": 2, "messages": []}', "a newer playground wrote it"),
    (
        '[{"role": "user", "content": [{"type": "image_url"}]}]',
        "messages[0].content[0] is of type 'image_url'.",
    ),
    ("x" * 1_800_001, "The file is too large"),
)


SLOWLY = data_lines(chunks=('0:"So far."\n', forever('0:" more"\n')), gap=0.5)


def test_tabs_and_private_mode(visitor, neptun):
    neptun.plays(*map(data_lines, ("1", "2", "3", "4", "5")), SLOWLY)
    visitor.on_neptun().ask("one")
    other = Keeper(visitor.page.context.new_page(), visitor.app)
    other.listed("one")
    other.expect(other.questions).to_have_count(0)  # a tab of its own begins anew
    other.on_neptun().ask("two")
    visitor.listed("two", "one")
    other.titles.nth(1).click()
    other.expect(other.questions).to_have_text([re.compile("one")])
    other.ask("one in the other tab")
    visitor.page.bring_to_front()
    visitor.ask("one in this tab")  # no tab overwrites what another one has written
    visitor.listed("one", "one", "two")
    assert "one in the other tab" in other.everything_kept()
    assert "one in this tab" in other.everything_kept()
    other.page.goto("about:blank")
    visitor.page.bring_to_front()  # a tab in the background draws next to nothing

    before = visitor.everything_kept()
    visitor.panel.get_by_label("Private: keep nothing").check()
    visitor.expect(visitor.panel).to_contain_text("What was kept before stays.")
    visitor.ask("a secret")
    visitor.reload()
    visitor.expect(visitor.panel.get_by_label("Private: keep nothing")).to_be_checked()
    visitor.listed("one", "one", "two")
    assert visitor.everything_kept().splitlines()[2:] == before.splitlines()[2:]
    visitor.on_neptun().send("another secret")
    visitor.expect(visitor.answer).to_contain_text("So far.")
    visitor.panel.get_by_label("Private: keep nothing").uncheck()
    visitor.noted("What was said in private stays unkept")
    visitor.titles.last.click()  # an answer that is on its way is stopped first
    visitor.expect(visitor.questions).to_have_text([re.compile("two")])
    assert neptun.arrived(6).left.wait(5)
    assert "secret" not in visitor.everything_kept()


def test_a_question_is_kept_while_its_answer_comes(visitor, neptun):
    gate = Gate()
    neptun.plays(data_lines(chunks=('0:"Half"\n', gate, '0:" way."\n')))
    visitor.on_neptun().send("how long?")
    visitor.listed("how long?")
    visitor.expect(visitor.answer).to_contain_text("Half")
    visitor.page.reload()
    gate.open()
    visitor.expect(visitor.box).to_have_value("how long?")
    assert len(neptun.requests) == 1


def test_a_link_fills_and_sends_nothing(visitor, workers_ai):
    query = "backend=workers-ai&model=gpt-oss-20b&system=Be+brief.&temperature=1.5&top_p=9&prompt=Hi%0Athere"
    visitor.page.goto(f"{visitor.app.url}/?{query}&credential=x")
    visitor.expect(visitor.box).to_have_value("Hi\nthere")
    visitor.showing("Workers AI answers")
    visitor.noted(
        "Filled in from the link: back end, model, system prompt, temperature, message. Nothing was sent."
    )
    visitor.noted("Left out: top_p must be between 0.001 and 1 here.")
    visitor.expect(visitor.page.get_by_label("System prompt")).to_have_value("Be brief.")
    assert visitor.value("Cookie or playground key") == ""
    assert workers_ai.requests == []
    visitor.settings().page.get_by_label("Cookie or playground key").fill(COOKIE)
    visitor.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.press("Copy link")
    visitor.noted("Link copied: back end, model, system prompt, temperature, message; no credential.")
    link = visitor.page.evaluate("navigator.clipboard.readText()")
    model = "%40cf%2Fopenai%2Fgpt-oss-20b"
    asked = f"backend=workers-ai&model={model}&system=Be%20brief.&temperature=1.5&prompt=Hi%0Athere"
    assert link == f"{visitor.app.url}/?{asked}"
    workers_ai.plays(sse({"response": "Yes."}))
    visitor.box.press("Enter")
    visitor.rest()
    assert sent(workers_ai) == [("system", "Be brief."), ("user", "Hi\nthere")]
    assert workers_ai.arrived().request.json()["temperature"] == 1.5
    visitor.listed("Hi")
    visitor.reload()  # what was said then is not taken away by the link
    visitor.expect(visitor.questions).to_have_count(1)
    visitor.expect(visitor.box).to_have_value("")
    visitor.numbers.get_by_role("link", name="Look inside").click()  # code is made of what was kept
    inside = visitor.page.locator("#inspector")
    inside.get_by_role("tab", name="Code").click()
    for kept in ("as they stand now", '"content": "Be brief."', '"temperature": 1.5', "Hi\\nthere"):
        visitor.expect(inside.locator(".inspected")).to_contain_text(kept)
    visitor.page.goto(f"{visitor.app.url}/?prompt=Again")
    visitor.expect(visitor.box).to_have_value("Again")
    visitor.expect(visitor.questions).to_have_count(0)


def test_on_a_phone_the_side_bar_makes_way_for_what_was_chosen_in_it(visit, offline_playground):
    visitor = Keeper(visit(viewport={"width": 390, "height": 844}), offline_playground)
    side_bar = visitor.page.locator("#settings.open")
    visitor.ask("x" * 59 + "😀😀")
    visitor.panel.get_by_role("button", name="New chat").click()
    visitor.expect(visitor.questions).to_have_count(0)
    visitor.expect(side_bar).to_have_count(0)
    visitor.listed("x" * 59 + "😀 …")
    visitor.titles.click()
    visitor.expect(visitor.questions).to_have_count(1)
    visitor.expect(side_bar).to_have_count(0)


def test_a_browser_that_keeps_nothing_is_told_of(page, offline_playground):
    page.add_init_script("Object.defineProperty(window, 'indexedDB', { get() { throw new Error('closed'); } })")
    visitor = Keeper(page, offline_playground)
    visitor.noted("This browser does not let the page keep anything")
    visitor.ask("What is this?")
    visitor.expect(visitor.numbers).to_contain_text("end: stop")
    assert json.loads(visitor.exported("Export JSON"))["messages"][0]["content"] == "What is this?"
    assert visitor.page.page_errors == []
