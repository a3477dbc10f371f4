"""Compare: one message, answered by two or three columns at the same time.

Nothing of it stands in the page that a visitor is given first: the columns are made when the tab is first
opened, out of what the chat has chosen then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from neptun_demo.chat import Chat
from neptun_demo.models import BUILT_IN, TITLES, Model
from neptun_demo.settings import BackendName
from neptun_demo.ui.answering import Answering
from neptun_demo.ui.connecting.controls import AT_ONCE, set_to
from neptun_demo.ui.connecting.panel import Connect
from neptun_demo.ui.connecting.question import CHOSEN
from neptun_demo.ui.talk import message_box
from neptun_demo.ui.turn import Transcript, settled
from neptun_demo.ui.words import label

from .column import ENTITLE, Column, button

NAMES = ("A", "B", "C")
"""The columns; two of them are shown at first."""

# The tab's children are drawn when it is first opened, and this with them. ("load" would come twice.)
_ON_OPENED = "trigger('expand')"

_TOOLS = (
    f'<div class="neptun-tools">{button("add", "add_column")}'
    f"{button('clear', 'clear_columns', 'clear_all_columns')}</div>"
)

_HINT = '<p class="neptun-hint" data-word="compare_hint"></p>'


class Compare:
    """The tab's content, built where it is made.

    *bot* is the conversation of the chat, into which a column can be carried, *ways* are the tabs.
    """

    def __init__(self, answering: Answering, connect: Connect, bot: gr.Chatbot, ways: gr.Tabs) -> None:
        self._answering = answering
        self._connect = connect
        self._bot = bot
        self._ways = ways
        opened = gr.HTML("", padding=False, js_on_load=_ON_OPENED, elem_classes="neptun-bridge")
        inputs = connect.controls.chosen
        gr.render(inputs, [opened.expand], queue=False, trigger_mode="once", show_progress="hidden")(self._open)

    def _open(self, *values: Any) -> None:
        """Make the columns. *values* are what the chat has chosen."""
        chat, controls = self._answering.chat, self._connect.controls
        chosen = dict(zip(CHOSEN, values, strict=True))
        gr.HTML(_TOOLS, padding=False, js_on_load=ENTITLE, elem_id="compare-tools")
        with gr.Row(elem_id="columns"):
            columns = [
                Column(self._answering, name, controls.credential, begun)
                for name, begun in zip(NAMES, beginnings(chat, chosen), strict=True)
            ]
        gr.HTML(_HINT, padding=False, js_on_load=ENTITLE, elem_id="compare-hint")
        box = message_box("compare-message", autofocus=False)
        box.placeholder = label("ask_all")
        box.submit(None, [box], [box], js="(text) => window.neptun.compare.send(text)", **AT_ONCE)
        box.stop(None, None, None, js="() => window.neptun.compare.stopAll()", **AT_ONCE)
        for column in columns:
            self._connect.after(column.listen(box))
            kept = column.bar.keep(
                self._keep,
                [column.bot, *column.controls.chosen],
                [self._ways, self._bot, controls.backend, *controls.changing],
                **AT_ONCE,
            )
            self._connect.after([kept.success])

    def _keep(self, transcript: Transcript, *values: Any) -> list[Any]:
        """The chat with the conversation and the settings of a column."""
        return [
            gr.update(selected="chat"),
            settled(transcript),
            *set_to(self._answering.chat, values),
        ]


def beginnings(chat: Chat, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each column begins with, by the names of `CHOSEN`: the first with what is *chosen* in the chat.

    The others have further models of its back end, then those of the others that are set up, and the same
    parameters. Whatever is compared is not stored: two columns would write into one chat.
    """
    backend, model = chosen["backend"], chosen["model"]
    names = [backend, *(name for name in TITLES if name != backend and chat.set_up(name))]
    pairs = [(name, of) for name in names for of in _models(chat, name) if (name, of) != (backend, model)]
    of_others = {**chosen, "temporary": True, "chat_id": -1}
    begun = [(backend, model), *pairs, *[(backend, model)] * len(NAMES)][: len(NAMES)]
    return [{**of_others, "backend": name, "model": of} for name, of in begun]


def _models(chat: Chat, backend: BackendName) -> list[str]:
    """The ids of its models, those first that are likely to answer: its own one, then the built-in ones."""
    known = [chat.default_model(backend).id, *(row.id for row in BUILT_IN[backend])]

    def place(model: Model) -> tuple[bool, int]:
        return model.paid, known.index(model.id) if model.id in known else len(known)

    return [row.id for row in sorted(chat.catalogue.rows(backend), key=place)]
