"""A column of the comparison: a back end, a model and parameters of its own, and the conversation with them.

All that a person or the page's script wants of a column comes over its bar, in events of its own, so that no
column knows of another: `ask` (send, retry, raise the cap), `stop`, `clear`, `keep`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import gradio as gr

from neptun_demo.access import Access
from neptun_demo.chat import Options
from neptun_demo.contract import is_blank
from neptun_demo.ui.answering import Answering, is_running, once_more
from neptun_demo.ui.bridge import told
from neptun_demo.ui.connecting.controls import (
    AT_ONCE,
    build_backend,
    build_controls,
    build_model,
    listen,
    raised,
)
from neptun_demo.ui.connecting.question import asked
from neptun_demo.ui.session import column_id
from neptun_demo.ui.talk import conversation, not_sent
from neptun_demo.ui.turn import Transcript, message
from neptun_demo.ui.words import label

# The script writes the words of what is drawn here, in the browser's language.
ENTITLE = "window.neptun.compare.entitle(element)"

# A name of an event counts for Gradio once it stands in quotes here.
_ON_LOAD = """window.neptun.compare.mount("{name}", element, (event, data) =>
    trigger({{ ask: "ask", stop: "stop", clear: "clear", keep: "keep" }}[event], data))"""


def button(does: str, words: str, name: str = "", column: str = "", sign: str = "") -> str:
    """A button whose words (if it is no *sign*), and whose name that says which *column* it is for, the script
    writes."""
    data = {"does": does, "word": words, "name": name, "column": column}
    attributes = "".join(f' data-{key}="{value}"' for key, value in data.items() if value)
    return f'<button type="button"{attributes}>{sign}</button>'


def _head(name: str) -> str:
    return f"<h2>{name}</h2>{button('remove', '', 'remove_column', name, '×')}"


def _bar(name: str) -> str:
    buttons = (
        button("stop", "stop", "stop_column", name),
        button("retry", "retry", "retry_column", name),
        button("keep", "keep_column", "keep_this_column", name),
    )
    return f'<div class="neptun-bar">{"".join(buttons)}</div>'


class Column:
    """The column *name*, built where it is made. It begins with what is *chosen* (by the names of `CHOSEN`)."""

    def __init__(
        self, answering: Answering, name: str, credential: gr.Textbox, chosen: Mapping[str, Any]
    ) -> None:
        self._answering = answering
        self._name = name
        chat = answering.chat
        lower = name.lower()
        with gr.Column(elem_id=f"column-{lower}", elem_classes="neptun-column", min_width=0):
            with gr.Row(elem_classes="neptun-column-head"):
                gr.HTML(_head(name), padding=False, js_on_load=ENTITLE)
                backend = build_backend(chat, chosen.get("backend"))
                model = build_model(chat, chosen, f"model-{lower}")
            with gr.Accordion(label("parameters"), open=False, elem_classes="neptun-parameters"):
                self.controls = build_controls(chat, credential, backend=backend, model=model, chosen=chosen)
            self.bot = conversation(f"conversation-{lower}", buttons=["copy"])
            self.bar = gr.HTML(_bar(name), padding=False, js_on_load=_ON_LOAD.format(name=name))
        listen(chat, self.controls)

    def listen(self, box: gr.Textbox) -> list[Any]:
        """Set it going; *box* is the message box of all. Returns the events after which it is at rest."""
        bar, bot, cap = self.bar, self.bot, self.controls.max_tokens
        # What ended an answer, if somebody did. It is written by the browser alone.
        cause = gr.Textbox(value="", visible=False)
        asking = bar.ask(self._ask, [bot, cap], [bot, cap], **AT_ONCE)
        answering = asking.success(
            self._answer,
            [bot, *self.controls.all],
            [bot],
            concurrency_limit=None,
            concurrency_id="column",
            api_visibility="private",
            show_progress="hidden",
        )
        asking.success(None, None, [cause], js="() => ''", **AT_ONCE)
        refused = asking.failure(not_sent, [bot], [bot], **AT_ONCE)
        # Gradio runs this after a cancelled listener too.
        ended = answering.failure(self._answering.broken_off, [bot, cause], [bot], **AT_ONCE)
        at_rest = f"() => window.neptun.compare.rest('{self._name}')"
        given_back = f"(text) => window.neptun.compare.refused('{self._name}', text)"
        for after in (answering.success, ended.success, ended.failure):
            after(None, None, None, js=at_rest, **AT_ONCE)
        for after in (refused.success, refused.failure):
            after(
                None,
                [box],
                [box],
                js=given_back,
                **AT_ONCE,
            )
        bar.stop(None, None, [cause], js="() => 'stopped'", cancels=[answering], **AT_ONCE)
        bar.clear(None, None, [bot, cause], js="() => [[], 'cleared']", cancels=[answering], **AT_ONCE)
        return [answering.success, ended.success]

    def _ask(self, transcript: Transcript, cap: float, asking: gr.EventData) -> tuple[Any, Any]:
        """The conversation up to what is to be answered now, and the cap on the tokens of the answer."""
        if is_running(transcript):
            return gr.skip(), gr.skip()
        step, text = told(asking, "step"), told(asking, "text")
        if step == "send":
            return (gr.skip() if is_blank(text) else [*transcript, message("user", text)]), gr.skip()
        cap_now = raised(self._answering.chat, cap) if step == "raise" else gr.skip()
        again = once_more(transcript)
        return (gr.skip() if again is None else again), cap_now

    async def _answer(
        self, transcript: Transcript, request: gr.Request, *values: Any
    ) -> AsyncGenerator[Transcript, None]:
        """The transcript with the answer to its last message, as it grows."""

        def wanted(conversation: str) -> tuple[Options, Access]:
            return asked(self._answering.chat, values, column_id(conversation, self._name))

        async with aclosing(self._answering.answer(transcript, wanted, request)) as frames:
            async for frame in frames:
                yield frame
