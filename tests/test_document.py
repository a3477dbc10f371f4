"""The kept and exported conversation: into a document and back, what is imported, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from neptun_demo.errors import Refused, TooLarge
from neptun_demo.ui.keeping.document import (
    MOST_MESSAGES,
    Document,
    Said,
    Settings,
    of_transcript,
    title_of,
    to_transcript,
)
from neptun_demo.ui.keeping.importing import LARGEST, parse
from neptun_demo.ui.keeping.markdown_export import markdown
from neptun_demo.ui.notices import Notice
from neptun_demo.ui.numbers import Numbers
from neptun_demo.ui.turn import message, notice, numbers_message, settled

steady = how(derandomize=True, database=None, deadline=None, max_examples=60)

EVIL = '<img src=x onerror="alert(1)">'

texts = st.text(min_size=1, max_size=40) | st.sampled_from(["\tindented\n", "a\u2060b\ufeff", EVIL, "```\n$x$"])
seconds = st.none() | st.floats(0, 1e6)
numbers = st.builds(
    Numbers,
    backend=st.sampled_from(["neptun", "workers-ai"]),
    model=st.text(max_size=20),
    first=seconds,
    total=seconds,
    rate=seconds,
    unit=st.sampled_from(["tokens", "characters"]),
    tokens_in=st.none() | st.integers(0, 10**9),
    price=seconds,
    end=st.text(max_size=20),
    dropped=st.integers(0, 5),
    estimated=st.just(()) | st.just(("price",)),
)
notices = st.builds(
    Notice,
    tone=st.sampled_from(["failure", "stopped", "cut", "capped"]),
    title=texts,
    sentences=st.lists(texts, max_size=3).map(tuple),
    steps=st.just(()) | st.just(("retry", "model")),
)
questions = st.builds(Said, role=st.just("user"), content=texts)


@st.composite
def answers(draw: st.DrawFn) -> Said:
    """An answer with at least one piece; the id stands in what the page itself wrote."""
    chip, counted = draw(st.none() | notices), draw(st.none() | numbers)
    thinking = draw(st.none() | texts)
    return Said(
        role="assistant",
        content=draw(texts),
        thinking=thinking,
        thinking_seconds=draw(seconds) if thinking else None,
        notice=chip,
        numbers=counted,
        answer=draw(st.sampled_from(["0123456789ab", None])) if chip or counted else None,
    )


settings = st.builds(
    Settings,
    backend=st.sampled_from([None, "neptun", "workers-ai", "offline"]),
    model=st.none() | st.text(max_size=20),
    system=st.text(max_size=20),
    max_tokens=st.none() | st.integers(1, 5000),
    temperature=st.none() | st.floats(0, 5),
    temporary=st.booleans(),
    chat_id=st.none() | st.integers(0, 10**9),
)
documents = st.builds(
    Document,
    title=st.text(max_size=20),
    created=st.none() | st.just("2026-10-04T12:30:00.123Z"),
    settings=settings,
    messages=st.lists(questions | answers(), min_size=1, max_size=6).map(tuple),
)


@steady
@given(documents)
def test_a_conversation_comes_back_from_the_page(document):
    again = of_transcript(to_transcript(document), document.settings, document.title)
    assert again == document.model_copy(update={"created": None})


@steady
@given(documents)
def test_a_conversation_comes_back_from_its_file(document):
    assert parse(document.as_json()) == document


@steady
@given(documents)
def test_any_conversation_becomes_markdown(document):
    written = markdown(document)
    for said in document.messages:
        assert said.content in written
        assert (said.thinking or "") in written


def test_what_the_page_drew_comes_back_drawn_the_same():
    numbers_of_it = Numbers(backend="workers-ai", model="m", tokens_in=3, end="stop")
    chip = Notice(tone="cut", title="The answer is incomplete.", sentences=(EVIL,), steps=("retry",))
    transcript = [
        message("user", "\tHow?"),
        message("assistant", "Hm.", {"title": "Thinking", "status": "done", "duration": 1.5}),
        message("assistant", EVIL),
        notice(chip, "0123456789ab"),
        numbers_message(numbers_of_it, "0123456789ab"),
    ]
    assert to_transcript(of_transcript(transcript, Settings())) == transcript


def test_each_answer_keeps_what_belongs_to_it():
    chip = notice(Notice(title="Not sent."))
    counted = numbers_message(Numbers(), "0123456789ab")
    said = [message("user", "a"), message("assistant", "b"), counted, chip, chip, message("assistant", "c")]
    document = of_transcript(said, Settings())
    assert [(one.content, one.numbers is None, one.notice is None) for one in document.messages] == [
        ("a", True, True),
        ("b", False, True),
        ("", True, False),
        ("", True, False),
        ("c", True, True),
    ]
    assert to_transcript(document) == said


def test_what_waits_is_no_part_of_it():
    running = [message("user", "a"), message("assistant", "b"), message("assistant", "…", {"id": "waiting"})]
    document = of_transcript(running, Settings())
    assert to_transcript(document) == settled(running)


def test_html_of_the_page_is_not_taken_from_elsewhere():
    forged = [{"role": "assistant", "content": [{"type": "text", "text": EVIL}], "metadata": {"id": "numbers"}}]
    document = of_transcript([message("user", "a"), *forged], Settings())
    assert EVIL not in document.as_json()
    file = {
        "format": "neptun-playground",
        "version": 1,
        "messages": [{"role": "assistant", "content": "", "notice": {"title": EVIL, "html": EVIL}}],
    }
    (drawn,) = to_transcript(parse(json.dumps(file)))
    assert "<img" not in drawn["content"][0]["text"]
    assert drawn["metadata"]["facts"]["title"] == EVIL


def test_a_title_is_how_the_conversation_begins():
    assert title_of("\n  What   is\tthis?\nAnd that?") == "What is this?"
    assert title_of("word " * 30) == "word " * 11 + "word …"
    assert Document(messages=(Said(role="assistant", content="x"),)).name == "Conversation"
    assert Document(title="Mine", messages=(Said(role="user", content="x"),)).name == "Mine"


def test_a_question_without_an_answer_is_to_be_sent():
    document, question = parse('[{"role": "user", "content": "a"}]').ready()
    assert (to_transcript(document), question) == ([], "a")


# Imports


@pytest.mark.parametrize("wrapped", [False, True])
def test_openais_messages_are_taken(wrapped):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "And kind."}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "name": "me",
        },
        {"role": "assistant", "content": "c", "tool_calls": [], "refusal": None},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": "d"},
        {"role": "user", "content": "\ud83d"},
    ]
    document = parse(json.dumps({"model": "x", "messages": messages} if wrapped else messages))
    assert document.settings.system == "Be brief.\n\nAnd kind."
    assert [(said.role, said.content) for said in document.messages] == [
        ("user", "ab"),
        ("assistant", "c\n\nd"),
        ("user", "\ufffd"),
    ]


OURS = {"format": "neptun-playground", "version": 1, "messages": [{"role": "user", "content": "a"}]}


def test_unknown_fields_are_ignored_and_a_byte_order_mark_too():
    file = {**OURS, "later": 1, "settings": {"credential": "secret", "later": 2}}
    document = parse("\ufeff" + json.dumps(file))
    assert document == Document(messages=(Said(role="user", content="a"),))
    assert "secret" not in document.as_json()


def _ours(**more: object) -> dict[str, object]:
    return {**OURS, **more}


def _said(**more: object) -> dict[str, object]:
    return _ours(messages=[{"role": "assistant", "content": "a", **more}])


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("{", "The file is not valid JSON."),
        ("", "The file is not valid JSON."),
        ("[" * 100_000, "The file is not valid JSON."),
        ("[NaN]", "The file is not valid JSON."),
        ("1", "The file holds no conversation."),
        ("{}", "There are no messages in the file."),
        ("[]", "There are no messages of a user or an assistant in the file."),
        ('[{"role": "system", "content": "a"}]', "There are no messages of a user or an assistant"),
        ('{"messages": 1}', "messages must be a list."),
        ('{"format": "x", "messages": []}', "its format is 'x', which is not known here."),
        ('{"format": 1e999, "messages": []}', "its format is Infinity, which"),
        (_ours(version=2), "The file is of version 2; a newer playground wrote it."),
        (_ours(version="1"), "The file is of version '1'; this playground reads version 1."),
        (_ours(version=True), "The file is of version true;"),
        (_ours(messages=[]), "messages is empty."),
        (_ours(messages=[1]), "messages[0] must be an object with role and content."),
        (
            _ours(messages=[{"role": "system", "content": "a"}]),
            "messages[0].role must be 'user' or 'assistant'",
        ),
        (_ours(settings={"backend": "evil"}), "settings.backend must be "),
        (
            json.dumps(_ours(settings={"max_tokens": 7})).replace("7", "9" * 5000),
            "settings.max_tokens cannot be read.",
        ),
        (_said(content=None), "messages[0].content must be text."),
        (_said(thinking_seconds=-1), "messages[0].thinking_seconds cannot be read."),
        (_said(notice={"tone": "x", "title": "y"}), "messages[0].notice.tone must be "),
        (_said(notice={"title": "y", "steps": ["format-disk"]}), "messages[0].notice.steps[0] must be "),
        (_said(numbers={"first": "soon"}), "messages[0].numbers.first cannot be read."),
        (_said(answer="x"), "messages[0].answer cannot be read."),
        ([{"role": "tool", "content": "a"}], "messages[0].role must be user, assistant or system, not 'tool'."),
        ([{"role": "user", "content": "a"}, {"content": "b"}], "messages[1] must be an object with role"),
        ([{"role": "assistant", "content": None, "tool_calls": [{}]}], "messages[0] calls a tool."),
        ([{"role": "user", "content": 1}], "messages[0].content must be text or a list of parts."),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            "messages[0].content[0] is of type 'image_url'.",
        ),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0] must be a part with text."),
    ],
)
def test_anything_else_is_refused_in_a_sentence(file, sentence):
    with pytest.raises(Refused) as refusal:
        parse(file if isinstance(file, str) else json.dumps(file))
    assert sentence in refusal.value.message


def test_a_file_that_is_too_large_is_refused():
    with pytest.raises(TooLarge, match=r"at most 1\.8 MB"):
        parse('"' + "é" * (LARGEST // 2) + '"')
    many = [{"role": "user", "content": "a"}] * (MOST_MESSAGES + 1)
    with pytest.raises(TooLarge, match="2,001 messages"):
        parse(json.dumps(many))
    with pytest.raises(Refused, match="messages "):
        parse(json.dumps(_ours(messages=many)))


_NAMES = st.sampled_from(["format", "version", "messages", "role", "content", "settings", "numbers", "type"])
_VALUES = st.none() | st.booleans() | st.floats() | st.sampled_from(["neptun-playground", "user", "text"])
_JSON = st.recursive(_VALUES, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=8)


@steady
@given(_JSON)
def test_nothing_that_is_json_breaks_it(value):
    with suppress(Refused):
        parse(json.dumps(value))


# Markdown


def test_the_markdown_file_in_full():
    document = Document(
        title="A *title*",
        settings=Settings(backend="workers-ai", model="@cf/x", system="Say ```hi```", max_tokens=100),
        messages=(
            Said(role="user", content="# <b>Why?</b>"),
            Said(
                role="assistant",
                content="So.\n\n    code",
                thinking="Hm.",
                thinking_seconds=1.5,
                notice=Notice(title="No.", sentences=(EVIL,)),
                numbers=Numbers(model="a/m_x_", end="stop"),
            ),
        ),
    )
    assert (
        markdown(document)
        == """# A *title*

- Back end: `Cloudflare Workers AI`
- Model: `@cf/x`
- Max tokens: `100`

System prompt:

````text
Say ```hi```
````

## You

# <b>Why?</b>

## Answer

<details><summary>Thinking (1.5 s)</summary>

Hm.

</details>

So.

    code

<sub>No. &lt;img src=x onerror="alert(1)"&gt;</sub>

<sub>m\\_x\\_ · first text – · total – · – characters/s · – tokens in · – tokens out · end: stop</sub>
"""
    )
