"""From a transcript to messages, and from messages to those that fit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neptun_demo.contract import Message, is_blank
from neptun_demo.conversation import messages_of, tokens, trimmed
from neptun_demo.errors import Refused, TooLarge

steady = settings(derandomize=True, database=None, deadline=None)


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


THOUGHT = assistant("hm", metadata={"title": "Thinking", "status": "done"})
NOTICE = assistant("It failed.", metadata={"title": "The answer broke off"})
NUMBERS = assistant("1.2 s", metadata={"id": "numbers"})


def said(*transcript: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages_of(transcript)]


# What is part of the conversation


def test_a_plain_conversation_is_itself() -> None:
    assert said(user("a"), assistant("b"), user("c")) == [("user", "a"), ("assistant", "b"), ("user", "c")]


@pytest.mark.parametrize(
    "content",
    [
        "Hello",
        {"type": "text", "text": "Hello"},
        [{"type": "text", "text": "Hello"}],
        [{"type": "text", "text": "Hel"}, "lo", None, {"type": "text", "text": ""}],
    ],
)
def test_content_is_text_or_parts(content: Any) -> None:
    assert said(user(content)) == [("user", "Hello")]


def test_messages_with_metadata_are_left_out() -> None:
    transcript = [
        user("a"),
        THOUGHT,
        assistant("b"),
        NUMBERS,
        user("c"),
        THOUGHT,
        assistant("d"),
        NOTICE,
        user("e"),
    ]
    kept = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")]
    assert said(*transcript) == kept


def test_also_if_they_hold_what_could_not_be_sent() -> None:
    note = assistant([{"type": "component", "component": "html"}], metadata={"title": "Numbers"})
    assert said(note, user("a")) == [("user", "a")]


@pytest.mark.parametrize("metadata", [None, {}, {"title": None}, {"title": "", "id": None}])
def test_metadata_in_which_nothing_is_filled_in_is_none(metadata: Any) -> None:
    assert said(user("a", metadata=metadata, options=None)) == [("user", "a")]


@pytest.mark.parametrize("metadata", [{"title": "x"}, {"duration": 0}, {"id": 0}, {"status": "done"}])
def test_any_that_is_filled_in_counts(metadata: Any) -> None:
    assert said(user("a"), assistant("b", metadata=metadata)) == [("user", "a")]


def test_the_text_so_far_is_sent() -> None:
    assert said(user("a"), THOUGHT, assistant("so f"), NOTICE, user("c"))[1] == ("assistant", "so f")


def test_pieces_of_one_answer_are_one_message() -> None:
    assert said(user("a"), assistant("so f"), NOTICE, assistant("ar."), user("c"))[1] == (
        "assistant",
        "so far.",
    )


@pytest.mark.parametrize(
    "nothing", [[], [assistant("")], [assistant(" \n")], [assistant(None)], [THOUGHT, NOTICE]]
)
def test_a_question_without_text_is_left_out_unless_it_is_the_last(nothing: list[dict[str, Any]]) -> None:
    assert said(user("a"), *nothing, user("b"), *nothing) == [("user", "b")]
    assert said(user("a"), assistant("b"), user("c"), *nothing, user("d")) == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", "d"),
    ]


def test_an_empty_transcript_has_no_messages() -> None:
    assert messages_of([]) == []
    assert messages_of([user(""), THOUGHT]) == []


# What is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"type": "file", "file": {"path": "x"}}, "a part of type 'file'"),
        ([{"type": "text", "text": "a"}, {"type": "component"}], "a part of type 'component'"),
        ({"path": "/etc/passwd"}, "something that is not text"),
        ([5], "something that is not text"),
        ({"type": "text", "text": None}, "a part of type 'text'"),
        (("a",), "something that is not text"),
    ],
)
def test_a_part_that_is_not_text_is_refused_with_its_place(content: Any, words: str) -> None:
    with pytest.raises(Refused) as refused:
        messages_of([user("a"), assistant("b"), user(content)])
    assert refused.value.sentence == f"Message 3 holds {words}."
    assert "passwd" not in refused.value.message


@pytest.mark.parametrize("entry", [{"role": "system", "content": "x"}, {"content": "x"}, {"role": ["user"]}])
def test_other_roles_are_refused_with_their_place(entry: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"^Message 2 is neither the user's nor the assistant's\.$"):
        messages_of([user("a"), entry])


# For any transcript

TEXTS = st.text("ab \n\ufeff\ud83d", max_size=4)
CONTENTS = TEXTS | st.none() | st.lists(TEXTS.map(lambda text: {"type": "text", "text": text}), max_size=3)
ENTRIES = st.builds(
    lambda role, content, note: {"role": role, "content": content, "metadata": note},
    st.sampled_from(["user", "assistant"]),
    CONTENTS,
    st.sampled_from([None, {}, {"title": None}, {"title": "note"}]),
)


@steady
@given(st.lists(ENTRIES))
def test_the_messages_of_any_transcript_can_be_sent(transcript: list[dict[str, Any]]) -> None:
    messages = messages_of(transcript)
    assert all(not is_blank(message.content) for message in messages)
    assert all(first.role != second.role for first, second in pairwise(messages))
    assert messages_of([message.model_dump() for message in messages]) == messages
    plain = [entry for entry in transcript if entry["metadata"] != {"title": "note"}]
    assert messages_of(plain) == messages


@steady
@given(st.lists(ENTRIES), TEXTS.filter(lambda text: not is_blank(text)))
def test_the_last_question_is_always_asked(transcript: list[dict[str, Any]], text: str) -> None:
    asked = Message(role="user", content=text)
    assert messages_of([*transcript, user(text)])[-1] == asked
    assert messages_of([*transcript, user(text), assistant(""), NOTICE])[-1] == asked


# The room


@pytest.mark.parametrize(
    ("text", "estimate"), [("", 0), ("a", 1), ("abc", 1), ("abcd", 2), ("é", 1), ("ああ", 2), ("😀", 2)]
)
def test_a_token_is_three_bytes_and_a_started_one_counts(text: str, estimate: int) -> None:
    assert tokens(text) == estimate


def turns(*sizes: int) -> list[Message]:
    """A conversation, each message of so many tokens, that ends with a question."""
    roles = ["user" if (len(sizes) - place) % 2 else "assistant" for place in range(len(sizes))]
    return [
        Message.model_validate({"role": role, "content": "abc" * size})
        for role, size in zip(roles, sizes, strict=True)
    ]


@pytest.mark.parametrize(
    ("sizes", "room", "system", "dropped"),
    [
        ([1, 1, 1], None, "", 0),
        ([1, 1, 1], 3, "", 0),
        ([1, 1, 1], 2, "", 2),  # the answer alone does not stay: what is left begins with a question
        ([1, 1, 1], 1, "", 2),
        ([1, 1, 1, 1, 1], 4, "", 2),
        ([1, 1, 1, 1, 1], 3, "", 2),
        ([9, 1, 1], 3, "", 2),
        ([1, 9, 1], 3, "", 2),  # oldest first, also where a younger one is the longer
        ([1, 1, 9, 1, 1], 4, "", 4),
        ([1, 1, 1], 3, "a", 2),  # the system prompt stays
        ([1, 1, 1], 4, "a", 0),
        ([1, 1], 2, "", 0),  # nothing dropped: it may begin with an answer
        ([1, 1], 1, "", 1),
    ],
)
def test_it_is_trimmed_from_the_oldest_turn_on(
    sizes: list[int], room: int | None, system: str, dropped: int
) -> None:
    messages = turns(*sizes)
    assert trimmed(messages, room, system) == (messages[dropped:], dropped)


@pytest.mark.parametrize(
    ("room", "system", "words"),
    [
        (9, "", "about 10 tokens long (estimated); there is room for 9."),
        (10, "a", "there is room for 9 beside the system prompt."),
        (10, "a" * 90, "there is room for 0 beside the system prompt."),
        (0, "", "there is room for 0."),
    ],
)
def test_a_last_message_that_does_not_fit_is_refused(room: int, system: str, words: str) -> None:
    with pytest.raises(TooLarge) as too_large:
        trimmed(turns(1, 1, 10), room, system)
    assert words in too_large.value.sentence
    assert too_large.value.status == 413


MESSAGES = st.lists(
    st.builds(Message, role=st.sampled_from(["user", "assistant"]), content=st.text("aé😀", max_size=12)),
    min_size=1,
)


@steady
@given(MESSAGES, st.integers(0, 60), st.text("a", max_size=20))
def test_what_is_kept_is_the_longest_end_that_fits(messages: list[Message], room: int, system: str) -> None:
    def fits(end: list[Message]) -> bool:
        return sum(tokens(message.content) for message in end) + tokens(system) <= room

    try:
        kept, dropped = trimmed(messages, room, system)
    except TooLarge:
        assert not fits(messages[-1:])
        return
    assert kept == messages[dropped:] != []
    assert fits(kept)
    assert dropped == 0 or len(kept) == 1 or kept[0].role == "user"
    for earlier in range(dropped):
        assert not fits(messages[earlier:]) or (earlier > 0 and messages[earlier].role != "user")


@steady
@given(MESSAGES, st.integers(0, 60))
def test_more_room_never_drops_more(messages: list[Message], room: int) -> None:
    assume(tokens(messages[-1].content) <= room)
    assert trimmed(messages, room + 1)[1] <= trimmed(messages, room)[1]
