"""`gr.Chatbot` for text alone, shown as it was typed.

What comes in from the browser is checked to be text and becomes what was typed; what goes out is guarded
(`display.py`). Between the two, every listener of the page sees the raw text.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterable
from typing import Any, Literal

import gradio as gr
from gradio.component_meta import ComponentMeta
from gradio.data_classes import GradioModel, GradioRootModel

from .display import shown, typed
from .turn import Message, is_ours


class Part(GradioModel):
    """A part of a message: text, and nothing else."""

    text: str
    type: Literal["text"] = "text"


class Entry(GradioModel):
    """A message as it travels."""

    role: Literal["user", "assistant"]
    content: list[Part]
    # Not Gradio's MetadataDict, which would drop the facts of what the page itself wrote.
    metadata: dict[str, Any] | None = None


class Transcript(GradioRootModel):
    """A conversation as it travels."""

    root: list[Entry]


class _WithoutStub(ComponentMeta):
    """Makes a class of a component without the `.pyi` file that Gradio writes beside its source."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> type:
        return ABCMeta.__new__(cls, name, bases, attrs)


class Kept(Message):
    """A message that came from the browser. It is not changed any more, so that it is drawn only once."""

    drawn: dict[str, Any] | None = None


class Chatbot(gr.Chatbot, metaclass=_WithoutStub):
    """The conversation. Its value is a list of message dictionaries, their content a list of text parts."""

    is_template = True  # the browser draws it as the chatbot that it is
    # Narrower than Gradio's on purpose: its own takes components and files from the browser.
    data_model = Transcript  # type: ignore[assignment]

    def preprocess(self, payload: Transcript | None) -> list[Message]:  # type: ignore[override]
        """The messages as they were typed."""
        return [Kept(_translated(entry.model_dump(), typed)) for entry in payload.root] if payload else []

    def postprocess(self, value: Iterable[Message] | None) -> list[dict[str, Any]]:  # type: ignore[override]
        """The messages as the browser is to draw them: dictionaries as of `Transcript`.

        A message that is given again is the same dictionary again: a frame of an answer costs what is new
        in it, however long the conversation is.
        """
        return [_drawn(message) for message in value or []]


def _drawn(message: Message) -> dict[str, Any]:
    if not isinstance(message, Kept):
        return Entry(**_translated(message, shown)).model_dump()
    if message.drawn is None:
        message.drawn = Entry(**_translated(message, shown)).model_dump()
    return message.drawn


def _translated(message: Message, translate: Callable[[str], str]) -> Message:
    """*message* with its text translated; what the page itself wrote is HTML and stays."""
    if is_ours(message):
        return message
    parts = [{"type": "text", "text": translate(part["text"])} for part in message["content"]]
    return {**message, "content": parts}
