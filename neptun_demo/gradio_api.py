"""The Gradio API: `/chat`, for `gradio_client` and for `/gradio_api/call/v2/chat`.

A listener of its own, so that scripts have named parameters with defaults and a plain object as the answer,
whatever the page looks like.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component

from neptun_demo.access import Access
from neptun_demo.answer import Answer
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import is_blank
from neptun_demo.conversation import messages_of
from neptun_demo.errors import PlaygroundError, Refused
from neptun_demo.models import TITLES
from neptun_demo.streams import Text, Thinking
from neptun_demo.ui.pump import pump
from neptun_demo.ui.session import conversation_id

DESCRIPTION = """Ask something. One client is one conversation: what was said before is sent along.

The answer is an object: text, thinking, finish_reason, usage, timing, model, backend and dropped_messages.
A job gives it again and again while it grows, whole each time; result() raises what failed after that.

message: the question. backend: neptun, workers-ai or offline; empty is the app's own. model: any of its
names; empty is the back end's own. credential: your neptun-session cookie, or this playground's key.
chat_id, temporary: Neptun stores question and answer in the chat of that id if temporary is false.
system, max_tokens, temperature, top_p: for Workers AI. parameters: more of its parameters by name, such
as {"seed": 7}."""

Turns = list[dict[str, str]]
"""What a session remembers."""

Value = TypeVar("Value")


def add_api(chat: Chat) -> None:
    """Add `/chat` to the Blocks that are being built."""

    async def answer(  # noqa: PLR0913, PLR0917 - its parameters are those of the API
        request: gr.Request,
        message: Any,
        backend: Any = "",
        model: Any = "",
        credential: Any = "",
        system: Any = "",
        chat_id: Any = -1,
        temporary: Any = True,
        max_tokens: Any = None,
        temperature: Any = None,
        top_p: Any = None,
        parameters: Any = None,
        turns: Turns | None = None,
    ) -> AsyncGenerator[tuple[dict[str, Any], Turns], None]:
        try:
            asked = _text("message", message)
            options = Options(
                backend=_text("backend", backend).strip(),
                model=_text("model", model).strip(),
                system=_text("system", system),
                parameters={
                    **_object("parameters", parameters),
                    "max_tokens": max_tokens,
                    "temperature": temperature,
                    "top_p": top_p,
                },
                chat_id=_whole("chat_id", chat_id),
                is_playground=_of_type("temporary", temporary, bool, "true or false"),
                conversation=conversation_id(request),
            )
            access = Access("api", _text("credential", credential))
            async with aclosing(_frames(chat, turns or [], asked, options, access)) as frames:
                async for frame in frames:
                    yield frame
        except PlaygroundError as error:
            raise gr.Error(error.message, print_exception=False) from error

    inputs, output, turns = _shape()
    # Any listener needs something that triggers it; nobody sees this one.
    gr.Button(visible=False).click(
        answer,
        [*inputs, turns],
        [output, turns],
        api_name="chat",
        api_description=DESCRIPTION,
        concurrency_limit=None,
        preprocess=False,  # a wrong value is refused below, with a sentence
        postprocess=False,
    )


def _shape() -> tuple[list[Component], Component, gr.State]:
    """The parameters and the answer, as "Use via API" describes them; a component's value is the default."""
    with gr.Column(visible=False):
        inputs: list[Component] = [
            gr.Textbox(label="The question"),
            gr.Dropdown(["", *TITLES], value="", label="Back end"),
            gr.Textbox(value="", label="Model"),
            gr.Textbox(value="", label="Cookie or playground key"),
            gr.Textbox(value="", label="System prompt"),
            gr.Number(value=-1, precision=0, label="Chat id"),
            gr.Checkbox(value=True, label="Temporary chat"),
            gr.Number(precision=0, label="Max tokens"),
            gr.Number(label="Temperature"),
            gr.Number(label="Top p"),
            gr.JSON(label="More parameters"),
        ]
        return inputs, gr.JSON(label="The answer"), gr.State([])


async def _frames(
    chat: Chat, turns: Turns, message: str, options: Options, access: Access
) -> AsyncGenerator[tuple[dict[str, Any], Turns], None]:
    """The answer as it grows, and what the session is to remember then."""
    if is_blank(message):
        raise Refused("message is blank.", "Ask something.")
    asked: Turns = [*turns, {"role": "user", "content": message}]
    answer = Answer()
    async with aclosing(pump(chat.reply(messages_of(asked), options, access), at_once=_is_text)) as frames:
        async for frame in frames:
            for event in frame:
                answer.add(event)
            # A question without any text of an answer is left out of the next one by messages_of().
            yield answer.as_object(), [*asked, {"role": "assistant", "content": answer.text}]


def _is_text(event: object) -> bool:
    return isinstance(event, Text | Thinking)


def _text(name: str, value: Any) -> str:
    return _of_type(name, "" if value is None else value, str, "text")


def _object(name: str, value: Any) -> Mapping[str, Any]:
    given: Mapping[str, Any] = _of_type(name, {} if value is None else value, dict, "an object")
    return given


def _whole(name: str, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool):
        raise Refused(f"{name} must be a whole number.")
    return _of_type(name, value, int, "a whole number")


def _of_type(name: str, value: Any, wanted: type[Value], words: str) -> Value:
    if not isinstance(value, wanted):
        raise Refused(f"{name} must be {words}.")
    return value
