"""The side bar "Look inside": one answer at a time, one view at a time, fetched when it is looked at.

The shell is drawn once. The page's script (`assets/inspector.js`) opens it, and tells the app by a bridge which
view of which answer is wanted; that view is written as HTML, once, and not with each frame of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from html import escape
from typing import Any

import gradio as gr

from neptun_demo.chat import Chat, Options
from neptun_demo.errors import Refused
from neptun_demo.models import TITLES
from neptun_demo.snippets import LANGUAGES, TARGETS
from neptun_demo.ui.bridge import Bridge, told
from neptun_demo.ui.connecting.controls import Controls
from neptun_demo.ui.connecting.question import set_now
from neptun_demo.ui.inspector.records import Record, Records
from neptun_demo.ui.words import word

from .code import NO_CODE, code_view, of_record, of_transcript
from .markup import seen
from .notes import notes
from .request import request_view
from .saved import saved
from .wire import wire_view

VIEWS = {"request": "Request", "wire": "Wire", "code": "Code"}

GONE = (
    "What went over the wire of this answer is not known here any more: it is kept in memory only, for the"
    " newest answers, as long as the page is open."
)
FROM_THE_CONVERSATION = "Made from the conversation as it was kept, and the settings as they stand now."

_LISTENER: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "queue": False,
    "trigger_mode": "multiple",
}

_SAVE = "(text) => window.neptun.saveRecord(text)"


class Inspector:
    """The side bar, for the answers that *records* keeps.

    Without a record, code is made from *conversation* and *controls*. What is wanted comes over *bridge*.
    """

    def __init__(
        self, chat: Chat, records: Records, conversation: gr.Chatbot, controls: Controls, bridge: Bridge
    ) -> None:
        self._chat = chat
        self._records = records
        with gr.Column(elem_id="inspector"):
            gr.HTML(_shell(), elem_id="inspector-shell", padding=False, apply_default_css=False)
            view = gr.HTML("", elem_id="inspector-view", padding=False, apply_default_css=False)
        # Written by the app, read by the script: it is never drawn.
        file = gr.HTML("", visible=False)
        bridge.end("inspector-look")(self._look, None, [view], **_LISTENER)
        bridge.end("inspector-recall")(self._recall, [conversation, *controls.chosen], [view], **_LISTENER)
        written = bridge.end("inspector-save")(self._save, None, [file], **_LISTENER)
        written.success(None, [file], None, js=_SAVE, **_LISTENER)

    def _look(self, event: gr.EventData, request: gr.Request) -> str:
        """The view that is wanted of the answer that is wanted."""
        name, answer = _view(told(event, "view")), told(event, "answer")
        record = self._records.find(request.session_hash, answer)
        if record is None:
            return _content(name, answer, f'<p class="said">{GONE}</p>', gone=True)
        answers = self._records.answers(request.session_hash)
        return _content(name, answer, self._drawn(record, name, event), _which(record, answers), answers)

    def _recall(self, event: gr.EventData, conversation: Any, *values: Any) -> str:
        """The code for an answer of which only the conversation is left."""
        answer, options = told(event, "answer"), Options()
        with suppress(Refused):
            options = set_now(self._chat, values)
        asked = of_transcript(conversation or [], answer, self._chat, told(event, "address"), options)
        if asked is None:
            drawn = f'<p class="said">{GONE}</p>'
        else:
            drawn = code_view(asked, told(event, "language"), told(event, "target"), FROM_THE_CONVERSATION)
        return _content("code", answer, drawn)

    def _save(self, event: gr.EventData, request: gr.Request) -> str:
        record = self._records.find(request.session_hash, told(event, "answer"))
        return saved(record) if record else ""

    def forget(self, request: gr.Request) -> None:
        """Forget the records of a session, which has ended."""
        self._records.forget(request.session_hash)

    def _drawn(self, record: Record, name: str, event: gr.EventData) -> str:
        match name:
            case "wire":
                return f"{_SAVE_BUTTON}{wire_view(record)}"
            case "code":
                asked = of_record(record, self._chat, told(event, "address"))
                if asked is None:
                    return f'<p class="said">{NO_CODE}</p>'
                return code_view(asked, told(event, "language"), told(event, "target"))
            case _:
                highest = self._chat.settings.playground_max_tokens
                return request_view(record, notes(record, self._chat.catalogue, highest))


_SAVE_BUTTON = f'<button type="button" class="save">{word("look_save")}</button>'


def _view(name: str) -> str:
    return name if name in VIEWS else "request"


def _which(record: Record, answers: Sequence[str]) -> str:
    """Which answer it is, as HTML."""
    who = {str(name): title for name, title in TITLES.items()}
    by = escape(who.get(record.start.backend, "")) if record.start else word("look_nobody")
    place = answers.index(record.answer) + 1 if record.answer in answers else len(answers)
    question = record.messages[-1].content if record.messages else ""
    return word("look_which", str(place), str(len(answers)), by, seen(_short(question)))


def _short(text: str, most: int = 60) -> str:
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else f"{line[:most]}…"


def _content(
    name: str, answer: str, drawn: str, which: str = "", answers: Sequence[str] = (), *, gone: bool = False
) -> str:
    """The view with what the shell shows around it, as data."""
    place = answers.index(answer) if answer in answers else None
    before = answers[place - 1] if place else ""
    after = answers[place + 1] if place is not None and place + 1 < len(answers) else ""
    data = {"view": name, "answer": answer, "previous": before, "next": after, "gone": "yes" if gone else ""}
    written = "".join(f' data-{key}="{escape(value)}"' for key, value in data.items() if value)
    return f'<div class="inspected"{written}><p class="which">{which}</p>{drawn}</div>'


def _shell() -> str:
    tabs = "".join(
        f'<button type="button" role="tab" id="inspector-tab-{name}" data-view="{name}" tabindex="-1"'
        f' aria-controls="inspector-view" aria-selected="false" data-word="look_{name}">{title}</button>'
        for name, title in VIEWS.items()
    )
    return (
        '<div class="head"><h2 tabindex="-1" data-word="look">Look inside</h2>'
        '<button type="button" class="close" data-word="look_close">Close</button></div>'
        f'<div class="ways"><div role="tablist" data-name="look">{tabs}</div>'
        f"{_step('previous', 'Previous answer', '‹')}{_step('next', 'Next answer', '›')}</div>"
        f'<div class="choices" hidden>{_choice("language", LANGUAGES)}{_choice("target", TARGETS)}</div>'
        '<p class="told" role="status"></p>'
    )


def _step(to: str, name: str, sign: str) -> str:
    return (
        f'<button type="button" class="step" data-step="{to}" data-name="look_{to}" aria-label="{name}">'
        f"{sign}</button>"
    )


def _choice(name: str, titles: Any) -> str:
    options = "".join(
        f'<option value="{escape(key)}">{escape(title)}</option>' for key, title in titles.items()
    )
    return (
        f'<label><span data-word="look_{name}">{name.capitalize()}</span>'
        f'<select name="{name}">{options}</select></label>'
    )


__all__ = ["Inspector"]
