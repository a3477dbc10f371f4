"""Frames of an answer, as the page's blocks send them: what the browser ends up with, and what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client.utils import apply_diff
from hypothesis import given, settings
from hypothesis import strategies as st

from neptun_demo.ui import chatbot
from neptun_demo.ui.blocks import Page
from neptun_demo.ui.chatbot import Chatbot, Entry, Transcript
from neptun_demo.ui.notices import Notice
from neptun_demo.ui.turn import message, notice

HISTORY = [message("user", "List<int>\n\n$$x$$ " * 3), message("assistant", "<b>yes</b>")] * 100


class Everything(Chatbot):
    """Draws the whole conversation for each frame, as a model that Gradio goes through itself."""

    def postprocess(self, value: Any) -> Any:
        drawn = super().postprocess([dict(entry) for entry in value or []])
        return Transcript(root=[Entry(**entry) for entry in drawn])


def listener_of(blocks: gr.Blocks) -> Any:
    """The one that something was connected to, and not to the end of a session."""
    return next(listener for listener in blocks.fns.values() if listener.outputs)


class Server:
    """Blocks with a listener that gives the frames which it is told to give, asked as the queue asks."""

    def __init__(self, blocks: type[gr.Blocks], bot: type[Chatbot]) -> None:
        self.frames: list[list[Any]] = []
        with blocks(analytics_enabled=False) as self.blocks:
            self.bot = bot()
            self.bot.change(self._answer, [self.bot], [self.bot])
        self.listener = listener_of(self.blocks)

    async def _answer(self, transcript: list[Any]) -> AsyncIterator[list[Any]]:
        for frame in self.frames:
            yield [*transcript, *frame]

    async def sent(self, shown: list[Any]) -> AsyncIterator[Any]:
        """What goes to a browser that shows *shown*: a value, what is new in each frame, the value at last."""
        iterator = None
        while True:
            given = await self.blocks.process_api(
                self.listener,
                [shown],
                iterator=iterator,
                session_hash="a-session",
                event_id="an-event",
                root_path="http://127.0.0.1:7860/below",
            )
            yield given["data"][0]
            iterator = given["iterator"]
            if not given["is_generating"]:
                return

    def run(self, shown: list[Any], *frames: list[Any]) -> list[Any]:
        async def all_of_it() -> list[Any]:
            return [value async for value in self.sent(shown)]

        self.frames = list(frames)
        return asyncio.run(all_of_it())


@pytest.fixture(scope="module")
def server() -> Server:
    return Server(Page, Chatbot)


@pytest.fixture(scope="module")
def plain_server() -> Server:
    """As it would be with Gradio's own means."""
    return Server(gr.Blocks, Everything)


def pictures(sent: list[Any]) -> Iterator[Any]:
    """What a browser shows after each of them."""
    first, *changes, last = sent
    yield (picture := first)
    for change in changes:
        yield (picture := apply_diff(picture, change))
    yield last


texts = st.text(max_size=8) | st.sampled_from(["<b>", "$$ x $$", "\t", "![a](b)", "```\n\tx", "\\( \\)"])
notes = st.sampled_from(
    [None, {"title": "Thinking", "status": "pending"}, {"title": "Thinking", "duration": 1.5}]
)
messages = st.builds(message, st.sampled_from(["user", "assistant"]), texts, notes) | st.just(
    notice(Notice(title="No.", sentences=("<b>",)))
)
transcripts = st.lists(messages, max_size=6)


@settings(max_examples=60, deadline=None)  # some milliseconds each
@given(transcripts, st.lists(transcripts, min_size=1, max_size=5))
def test_the_browser_shows_what_it_would_if_each_frame_were_drawn_from_the_start(
    server, plain_server, before, frames
):
    shown = server.bot.postprocess(before)
    ours, plain = server.run(shown, *frames), plain_server.run(shown, *frames)
    assert list(pictures(ours)) == list(pictures(plain))


def test_a_frame_touches_and_draws_only_what_is_new(server, monkeypatch):
    drawn: list[str] = []
    monkeypatch.setattr(chatbot, "shown", lambda text: drawn.append(text) or text)
    growing = [[message("assistant", "word " * number)] for number in range(1, 31)]
    first, *changes, last = server.run(HISTORY, *growing)
    assert len(first) == len(last) == len(HISTORY) + 1
    assert {edit[1][0] for change in changes for edit in change} == {len(HISTORY)}
    assert len(drawn) == len(HISTORY) + len(growing)


def test_nothing_of_a_conversation_is_kept_in_the_state_of_the_session(server):
    state = gr.state_holder.SessionState(server.blocks)
    server.frames = [[message("assistant", "a secret of the visitor")]]
    given = asyncio.run(server.blocks.process_api(server.listener, [HISTORY], state, session_hash="s"))
    assert "a secret of the visitor" in str(given["data"])
    assert "List<" not in str(state.config_values)
    assert "a secret of the visitor" not in str(state.config_values)


def test_what_an_update_writes_is_not_kept_either():
    with Page(analytics_enabled=False) as page:
        box = gr.Textbox()
        box.submit(lambda text: gr.update(value=text, info="New"), [box], [box])
    state = gr.state_holder.SessionState(page)
    listener = listener_of(page)
    for _ in range(3):  # from the second time on Gradio knows the box by other ids too
        given = asyncio.run(page.process_api(listener, ["a secret of the visitor"], state))
        assert given["data"][0]["value"] == "a secret of the visitor"
        assert "a secret of the visitor" not in str(state.config_values)


def test_what_was_drawn_for_a_session_is_forgotten_with_it():
    with Page(analytics_enabled=False) as page:
        own = gr.Textbox("the page's own")
    holder = gr.state_holder.StateHolder()
    holder.set_blocks(page)
    drawn = gr.Textbox("a secret of the visitor", render=False)
    holder["a-session"].blocks_config.blocks |= {drawn._id: drawn}
    (ended,) = [fn for fn in page.fns.values() if ("unload" in [target[1] for target in fn.targets])]
    for session in ("another-session", "a-session"):
        assert "a secret of the visitor" in str([vars(drawn), drawn._constructor_args])
        ended.fn(SimpleNamespace(session_hash=session))
    assert "a secret of the visitor" not in str([vars(drawn), drawn._constructor_args])
    assert own.value == "the page's own"


@pytest.mark.parametrize("value", [None, gr.skip()], ids=["nothing", "skipped"])
def test_what_is_no_conversation_goes_gradios_way(value):
    with Page(analytics_enabled=False) as page:
        bot = Chatbot()
        bot.change(lambda: value, None, [bot])
    given = asyncio.run(page.process_api(listener_of(page), []))["data"][0]
    assert given == ([] if value is None else gr.skip())
