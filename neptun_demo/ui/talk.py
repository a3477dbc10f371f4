"""The conversation of the page: `gr.ChatInterface` with listeners of its own.

ChatInterface's own listeners stay disabled after an error, lose the turn and the focus, and cannot stop an
edited message. Here the chatbot's value, which the browser holds, is all there is: each listener takes it and
gives it back. The box is never disabled, and its buttons are set by the browser, whatever the server does.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.components.chatbot import ExampleMessage

from neptun_demo.contract import is_blank

from .answering import Answering, is_running, once_more
from .bridge import Bridge, told
from .chatbot import Chatbot
from .connecting.controls import Controls, raised
from .connecting.panel import first_visit
from .connecting.question import asked
from .display import DELIMITERS, typed
from .notices import Notice
from .turn import Message, Transcript, last_question, message, notice
from .words import label

SEND, STOP = str(label("send")), str(label("stop"))

GUIDE_EXAMPLES = (
    ("What can I do here?", "What can I do here?"),
    ("How do I connect a model?", "How do I get a Neptun cookie or a Cloudflare token, and where do they go?"),
    ("Markdown, code and formulas", "/demo markdown"),
    ("Thinking before the answer", "/demo thinking"),
)
"""What is shown, and what stands in the box then: for the guide, which is no model."""

MODEL_EXAMPLES = (
    ("How a chat endpoint streams", "How does a chat endpoint stream its answers? Show a line of code."),
    ("A table", "Compare TCP, UDP and QUIC in a small table."),
    ("A formula", "Derive the quadratic formula in three short steps, in LaTeX."),
    ("Think first", "A bat and a ball cost $1.10, and the bat $1.00 more than the ball. What does each cost?"),
)

# Listeners of the page: no door for scripts, and nothing that flickers.
_INTERNAL: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_AT_ONCE: dict[str, Any] = {**_INTERNAL, "queue": False}


def conversation(elem_id: str, **arguments: Any) -> Chatbot:
    """A chatbot as the page has them."""
    return Chatbot(
        label=label("conversation"),
        show_label=False,
        elem_id=elem_id,
        elem_classes="neptun-conversation",
        height="100%",
        min_height=240,
        scale=1,
        latex_delimiters=DELIMITERS,
        allow_tags=False,
        sanitize_html=True,
        feedback_options=None,
        **arguments,
    )


def message_box(elem_id: str, *, autofocus: bool = True) -> gr.Textbox:
    """A box to ask from, with a button to send and one to stop."""
    return gr.Textbox(
        label=label("message"),
        show_label=False,
        container=False,
        placeholder=label("ask_something"),
        elem_id=elem_id,
        elem_classes="neptun-message",
        lines=1,
        max_lines=12,
        autofocus=autofocus,
        submit_btn=SEND,
        stop_btn=STOP,
    )


class Talk(gr.ChatInterface):
    """Chatbot and message box, answered by *answering* as *controls* say.

    *ended* are the events (`.success`) after each of which an answer has just ended, however it did.
    """

    def __init__(self, answering: Answering, controls: Controls, bridge: Bridge) -> None:
        self._answering = answering
        self._controls = controls
        self._bridge = bridge
        self.ended: list[Any] = []
        super().__init__(
            self._answer,
            chatbot=conversation(
                "conversation",
                placeholder=first_visit(answering.chat),
                editable="user",
                buttons=["copy", "copy_all"],
            ),
            textbox=message_box("message"),
            additional_inputs=[*controls.all],
            flagging_mode="never",
            cache_examples=False,
            analytics_enabled=False,
            fill_height=True,
            api_visibility="private",
        )

    async def _answer(
        self, transcript: Transcript, request: gr.Request, *values: Any
    ) -> AsyncGenerator[Transcript, None]:
        """The transcript with the answer to its last message, as it grows."""

        def wanted(conversation: str) -> Any:
            return asked(self._answering.chat, values, conversation)

        async with aclosing(self._answering.answer(transcript, wanted, request)) as frames:
            async for frame in frames:
                yield frame

    def _ask(self, text: str, transcript: Transcript, cap: float, asking: gr.EventData) -> tuple[Any, Any, Any]:
        """The message box, the conversation up to what is to be answered now, and the cap on output tokens.

        A message is sent or changed, or an answer is wanted again: as it was asked, or with twice the cap.
        """
        match asking.target:
            case gr.Textbox():
                return *_send(text, transcript), gr.skip()
            case gr.Chatbot() if "previous_value" in (asking._data or {}):  # noqa: SLF001 - see `told()`
                return *_edit(transcript, gr.EditData(asking.target, asking._data)), gr.skip()  # noqa: SLF001
            case _:
                higher = told(asking, "step") == "raise"
                again = raised(self._answering.chat, cap) if higher else gr.skip()
                return *_ask_again(transcript), again

    def _setup_events(self) -> None:
        """Listeners of our own instead of ChatInterface's."""
        for unused in self._of_its_own_listeners():
            # Each component makes the page slower to open.
            unused.unrender()  # type: ignore[no-untyped-call]  # Gradio left its types out
        # What ended an answer, if somebody did. It is written by the browser alone.
        cause = gr.HTML("", visible=False)
        bot, box, cap = self.chatbot, self.textbox, self._controls.max_tokens
        bot.examples = examples_of(self._answering.chat.default_backend)
        self._controls.backend.change(None, [self._controls.backend], [bot], js=EXAMPLES, **_AT_ONCE)
        # One listener for every way to ask: the more there are, the longer a page takes to open.
        asked_by = [box.submit, bot.retry, bot.edit, self._bridge.end("retry")]
        asking = gr.on(asked_by, self._ask, [box, bot, cap], [box, bot, cap], **_AT_ONCE)
        answering = self._answered(asking, cause)
        box.stop(None, None, [cause], js="() => 'stopped'", cancels=[answering], **_AT_ONCE)
        bot.clear(None, None, [cause], js="() => 'cleared'", cancels=[answering], **_AT_ONCE)
        bot.undo(_take_back, [bot], [box, bot], **_AT_ONCE)
        bot.example_select(_fill_in, None, [box], **_AT_ONCE).then(None, js=FOCUS, **_AT_ONCE)

    def _of_its_own_listeners(self) -> Iterable[Component]:
        """What ChatInterface has for them alone."""
        yield from (self.saved_conversations, self.conversation_id, self.saved_input, self.null_component)
        yield from (self.fake_api_btn, self.api_response, self.chatbot_state, self.chatbot_value)

    def _answered(self, asking: Any, cause: gr.HTML) -> Any:
        """The answer after *asking*, and what follows when it ended, was stopped, or failed unforeseen."""
        bot, box = self.chatbot, self.textbox
        # While one is about to end, or was asked for nothing, the browser keeps the next one for its end;
        # it would drop it else. For a question that has its answer by then there is nothing to do.
        answering = asking.success(
            self._answer,
            [bot, *self.additional_inputs],
            [bot],
            concurrency_limit=None,
            trigger_mode="always_last",
            **_INTERNAL,
        )
        asking.success(None, None, [cause], js="() => ''", **_AT_ONCE)
        answering.success(None, [bot], [box], js=BUTTONS, **_AT_ONCE)
        # Gradio runs these after a cancelled listener too, and nothing else after a failed one.
        asking.failure(not_sent, [bot], [bot], **_AT_ONCE)
        ended = answering.failure(self._answering.broken_off, [bot, cause], [bot], **_AT_ONCE)
        # Only then: a question that is sent before would be overwritten by what comes from there.
        ended.then(None, None, [box], js=REST, **_AT_ONCE)
        self.ended = [answering.success, ended.success]
        return answering


def examples_of(backend: str) -> list[ExampleMessage]:
    """The examples for *backend*, as the chatbot has them."""
    examples = GUIDE_EXAMPLES if backend == "offline" else MODEL_EXAMPLES
    return [{"text": text, "display_text": words} for words, text in examples]


_GUIDE, _MODELS = (json.dumps(examples_of(name)) for name in ("offline", "neptun"))
EXAMPLES = f"""(backend) => ({{__type__: 'update', examples: backend === 'offline' ? {_GUIDE} : {_MODELS}}})"""

FOCUS = "() => document.querySelector('#message textarea')?.focus()"

REST = f"() => ({{__type__: 'update', submit_btn: {SEND!r}, stop_btn: false}})"

# An answer is on its way as long as its last message is the one that waits: see `is_running()`.
BUTTONS = f"""(messages) => messages?.at(-1)?.metadata?.id === 'waiting'
    ? {{__type__: 'update', submit_btn: false, stop_btn: {STOP!r}}} : ({REST})()"""


def _busy() -> Any:
    return gr.update(submit_btn=False, stop_btn=STOP)


def _rest() -> Any:
    return gr.update(submit_btn=SEND, stop_btn=False)


def _send(text: str, transcript: Transcript) -> tuple[Any, Any]:
    """The message at the end of the conversation. A blank one, or one amid an answer, stays in the box."""
    if is_blank(text or "") or is_running(transcript):
        return gr.skip(), gr.skip()
    return {**_busy(), "value": ""}, [*transcript, message("user", text)]


def _ask_again(transcript: Transcript) -> tuple[Any, Transcript]:
    """The conversation whose last question is to be answered again."""
    again = once_more(transcript)
    return (_busy(), again) if again is not None else (_rest(), transcript)


def _edit(transcript: Transcript, edited: gr.EditData) -> tuple[Any, Any]:
    """The conversation up to a message of the person's own, which now reads otherwise."""
    text = typed(str(edited.value))
    if is_blank(text):
        return gr.skip(), gr.skip()
    return _busy(), [*transcript[: _place(edited.index)], message("user", text)]


def _take_back(transcript: Transcript) -> tuple[Any, Transcript]:
    """The conversation without its last turn; what was asked stands in the box again."""
    question = last_question(transcript)
    if question is None:
        return _rest(), transcript
    return {**_rest(), "value": _text_of(transcript[question])}, transcript[:question]


def _fill_in(example: gr.SelectData) -> str:
    return str(example.value["text"])


def not_sent(transcript: Transcript) -> Transcript:
    """The conversation after a message that did not come through; it still stands in the box."""
    words = ("The app did not take it: it may be too long, or the app may be busy.", "Try again.")
    return [*transcript, notice(Notice(title="Not sent.", sentences=words))]


def _place(index: Any) -> int:
    return int(index[0] if isinstance(index, list | tuple) else index)


def _text_of(entry: Message) -> str:
    return "".join(part["text"] for part in entry["content"])
