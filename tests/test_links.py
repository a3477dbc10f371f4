"""Links: what a query fills in, what it does not, and what a link is made of."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from neptun_demo.access import Budget, Gate
from neptun_demo.backends import connect
from neptun_demo.catalogue import Catalogue
from neptun_demo.chat import Chat
from neptun_demo.errors import Refused
from neptun_demo.settings import load
from neptun_demo.ui.connecting.controls import CHANGING, build_controls
from neptun_demo.ui.connecting.question import CHOSEN
from neptun_demo.ui.keeping.document import Document, Said, Settings
from neptun_demo.ui.keeping.links import LONGEST, LONGEST_QUERY, Link, build, in_words, read
from neptun_demo.ui.keeping.panel import Keeping
from neptun_demo.ui.keeping.usable import filled, of_values

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
OSS = "@cf/openai/gpt-oss-20b"


def chat_with(**values: str) -> Chat:
    settings = load(values)
    connections = connect(settings)
    return Chat(
        settings,
        Catalogue(),
        connections.backends,
        Gate(connections.key, connections.host, open_to_visitors=True),
        Budget(10, 2),
    )


CHAT = chat_with()


def read_all(query: str) -> Link:
    return read(CHAT, parse_qsl(query, keep_blank_values=True))


def test_a_link_fills_everything_in_its_list():
    link = read_all(
        "backend=workers-ai&model=gpt-oss-20b&system=Be+brief.&max_tokens=100&temperature=0.5&top_p=0.9&prompt=Hi%0A"
    )
    assert link.settings == Settings(
        backend="workers-ai", model=OSS, system="Be brief.", max_tokens=100, temperature=0.5, top_p=0.9
    )
    assert (link.prompt, link.left_out) == ("Hi\n", ())
    assert link.in_words == (
        "Filled in from the link: back end, model, system prompt, max tokens, temperature, top p, message."
        " Nothing was sent."
    )


@pytest.mark.parametrize(
    "query", ["", "__theme=dark", "credential=secret&chat_id=5&temporary=false&session_hash=x"]
)
def test_other_names_are_ignored(query):
    link = read_all(query)
    assert (link.taken, link.left_out, link.prompt, link.in_words) == ((), (), "", "")
    assert link.settings.temporary
    assert link.settings.chat_id is None


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("backend=evil", "backend must be neptun, workers-ai, offline, not 'evil'."),
        ("backend=workers-ai&model=zzz", "Cloudflare Workers AI has no model named 'zzz'."),
        ("backend=workers-ai&model=gemma-7b-it", "gemma-7b-it was retired from Workers AI"),
        ("backend=workers-ai&temperature=9", "temperature must be between 0 and 5 here."),
        ("backend=workers-ai&temperature=nan", "temperature must be a number, not 'nan'."),
        ("backend=workers-ai&top_p=１", "top_p must be a number, not '１'."),
        ("backend=workers-ai&max_tokens=1.5", "max_tokens must be a whole number, 1 or more."),
        ("backend=workers-ai&max_tokens=0", "max_tokens must be a whole number, 1 or more."),
        ("backend=workers-ai&max_tokens=99999", "max_tokens must be between 1 and 2048 here."),
        ("temperature=0.5", "temperature: Offline guide takes no sampling parameters."),
        ("backend=neptun&system=x", "system: Neptun endpoint takes no system prompt."),
        ("prompt=a&prompt=b", "prompt stands there more than once."),
        (f"prompt={'x' * (LONGEST['prompt'] + 1)}", "prompt is longer than 8,000 characters."),
    ],
)
def test_a_bad_value_is_left_out_and_said(query, sentence):
    link = read_all(query)
    assert f"Left out: {sentence}" in link.in_words
    bad = sentence.split()[0].rstrip(":")
    assert bad not in link.taken
    assert bad not in LONGEST or bad == "backend" or not getattr(link.settings, bad, None)


def test_the_rest_of_a_link_with_a_bad_value_is_taken():
    link = read_all("backend=workers-ai&temperature=x&prompt=Hi")
    assert link.taken == ("backend", "prompt")
    assert link.settings.model == LLAMA


def test_a_link_names_back_end_and_model_and_what_differs_from_the_defaults():
    guide = Settings(backend="offline", model="offline-guide", max_tokens=5, system="x")
    assert build(CHAT, guide, "") == ("backend=offline&model=cloudflare%2Foffline-guide", [])
    standing = Settings(backend="workers-ai", model=LLAMA, max_tokens=1024, temperature=0.6, top_p=1)
    begun = "backend=workers-ai&model=%40cf%2Fmeta%2Fllama-3.3-70b-instruct-fp8-fast"
    assert build(CHAT, standing, "") == (begun, [])
    changed = standing.model_copy(update={"temperature": 0.5, "chat_id": 7, "temporary": False})
    assert build(CHAT, changed, "a b&c") == (f"{begun}&temperature=0.5&prompt=a%20b%26c", [])


def test_a_link_leads_to_the_same_after_a_start_with_other_credentials():
    query, _ = build(CHAT, Settings(backend="offline"), "Hi")
    elsewhere = read(chat_with(PLAYGROUND_BACKEND="neptun"), parse_qsl(query))
    assert (elsewhere.settings.backend, elsewhere.prompt) == ("offline", "Hi")
    assert in_words(query) == "back end, model, message"


@pytest.mark.parametrize("prompt", ["x" * (LONGEST["prompt"] + 1), "漢" * 2_000, "\n" * 3_000])
def test_what_is_too_long_for_a_link_is_left_out_and_said(prompt):
    settings = Settings(backend="workers-ai", model=LLAMA, system="Be brief.")
    query, said = build(CHAT, settings, prompt)
    assert in_words(query) == "back end, model, system prompt"
    assert said == ["The message is too long for a link and is not in it."]


def test_no_link_is_too_long_for_the_way_to_the_app():
    settings = Settings(backend="workers-ai", model=LLAMA, system="ß" * 1_300, temperature=0.5)
    query, said = build(CHAT, settings, "\ud83d" + "y" * 2_000)
    assert len(query) <= LONGEST_QUERY
    assert in_words(query) == "back end, model, temperature, message"
    assert said == ["The system prompt is too long for a link and is not in it."]


@how(derandomize=True, database=None, deadline=None, max_examples=50)
@given(
    st.sampled_from([LLAMA, OSS]),
    st.text(max_size=50),
    st.integers(1, 2048),
    st.floats(0, 2),
    st.floats(0.001, 1),
    st.text(max_size=50),
)
def test_a_link_leads_to_where_it_was_made(model, system, max_tokens, temperature, top_p, prompt):
    settings = Settings(
        backend="workers-ai",
        model=model,
        system=system,
        max_tokens=max_tokens,
        temperature=round(temperature, 1),
        top_p=round(top_p, 3),
    )
    query, left_out = build(CHAT, settings, prompt)
    assert left_out == []
    link = read_all(query)
    assert (link.prompt, link.left_out) == (prompt, ())
    assert filled(CHAT, link.settings) == filled(CHAT, settings)


# The controls


def by_name(updates: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return dict(zip(("backend", *CHANGING), updates, strict=True))


def test_the_controls_stand_as_the_settings_say():
    settings = Settings(backend="workers-ai", model=OSS, system="x", max_tokens=7, temperature=1.5, top_p=0.5)
    settings = settings.model_copy(update={"reasoning_effort": "low", "seed": 4, "stop": "END"})
    updates = by_name(filled(CHAT, settings))
    values = {name: updates[name]["value"] for name in CHOSEN}
    assert values == {**settings.model_dump(), "chat_id": -1, "reasoning_effort": "low"}
    assert updates["temperature"]["maximum"] == 2
    assert updates["system"]["interactive"] is True
    assert of_values(list(values.values())) == settings


def test_a_stored_chat_stays_one():
    updates = by_name(filled(CHAT, Settings(backend="neptun", temporary=False, chat_id=5)))
    assert (updates["temporary"]["value"], updates["chat_id"]["value"]) == (False, 5)
    assert updates["chat_id"]["interactive"] is True


def test_what_a_disabled_control_still_holds_is_not_asked_for():
    values = ["offline", "offline-guide", True, -1, "Be brief.", 1024, 0.6, 1, "low", 3, "x"]
    assert of_values(values) == Settings(backend="offline", model="offline-guide")


@pytest.mark.parametrize(("at", "value"), [(0, "evil"), (1, 5), (3, 0.5), (4, {}), (5, "x"), (6, float("nan"))])
def test_what_no_control_gives_is_refused(at, value):
    values = ["workers-ai", LLAMA, True, -1, "", 1024, 0.6, 1, "", None, ""]
    standing = Settings(backend="workers-ai", model=LLAMA, max_tokens=1024, temperature=0.6, top_p=1)
    assert of_values(values) == standing
    with pytest.raises(Refused):
        of_values([*values[:at], value, *values[at + 1 :]])


# What a document sets


@pytest.mark.parametrize(("origin", "stored"), [("kept", (False, 5)), ("file", (True, None))])
def test_nobody_elses_file_decides_what_is_stored(origin, stored):
    settings = Settings(backend="neptun", temporary=False, chat_id=5)
    given, left_out = settings_for(
        Document(settings=settings, messages=(Said(role="user", content="a"),)), origin
    )
    assert ((given.temporary, given.chat_id), left_out) == (stored, [])


def test_a_bare_list_leaves_the_controls_but_for_its_system_prompt():
    document = Document(settings=Settings(system="Be brief."), messages=(Said(role="user", content="a"),))
    given, left_out = settings_for(document, "file", backend="workers-ai", model=OSS, temperature=1.5)
    assert (given.backend, given.model, given.temperature, given.system) == (
        "workers-ai",
        OSS,
        1.5,
        "Be brief.",
    )
    assert left_out == []
    given, left_out = settings_for(document, "file")
    assert (given.backend, given.system) == ("offline", "")
    assert left_out == ["system: Offline guide takes no system prompt."]


def settings_for(document: Document, origin: str, **standing: Any) -> tuple[Settings, list[str]]:
    with gr.Blocks():
        keeping = Keeping(CHAT, build_controls(CHAT))
    values = {"backend": "offline", "model": "offline-guide", "temporary": True, **standing}
    return keeping._settings(document, origin, [values.get(name) for name in CHOSEN])
