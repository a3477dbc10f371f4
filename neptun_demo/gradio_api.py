"""The Gradio API: `/chat`, `/complete` and `/models`, for `gradio_client` and `/gradio_api/call/v2/…`.

Listeners of their own, so that scripts have named parameters with defaults and a plain object as the answer,
whatever the page looks like.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component
from gradio.route_utils import FnIndexInferError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from neptun_demo.access import Access
from neptun_demo.answer import Answer
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import ChatRequest, Message, is_blank, quoted
from neptun_demo.conversation import messages_of
from neptun_demo.errors import PlaygroundError, Refused
from neptun_demo.listings import described
from neptun_demo.models import TITLES
from neptun_demo.streams import Text, Thinking
from neptun_demo.ui.pump import pump
from neptun_demo.ui.session import conversation_id

_ANSWER = """The answer is an object: text, thinking, finish_reason, usage, timing, model, backend and
dropped_messages. A job gives it again and again while it grows, whole each time; result() raises what failed
after that."""

_PARAMETERS = """backend: neptun, workers-ai or offline; empty is the app's own. model: any of its names; empty
is the back end's own. credential: your neptun-session cookie, or this playground's key. chat_id, temporary:
Neptun stores question and answer in the chat of that id if temporary is false. system, max_tokens, temperature,
top_p: for Workers AI. parameters: more of its parameters by name, such as {"seed": 7}."""

CHAT = f"""Ask something. One client is one conversation: what was said before is sent along.

{_ANSWER}

message: the question. {_PARAMETERS}

From a shell, with names, and nothing but the message required: POST {{"message": "Hello"}} to
/gradio_api/call/v2/chat, then GET /gradio_api/call/chat/ with the event_id that it gives."""

COMPLETE = f"""Answer a whole conversation. Nothing is remembered: each call sends all of it.

{_ANSWER}

messages: a list such as [{{"role": "user", "content": "Hello"}}], the oldest first. {_PARAMETERS}

From a shell: POST {{"messages": […]}} to /gradio_api/call/v2/complete, then GET /gradio_api/call/complete/ with
the event_id that it gives."""

MODELS = """List the models: of one back end, or of all.

The answer is an object: models, a list of rows with backend, name, id, context window, prices in dollars per
million tokens, plan, reasoning and vision; and live, the back ends whose list is their own of within the hour.

From a shell: POST {} to /gradio_api/call/v2/models, then GET /gradio_api/call/models/ with the event_id."""

_CALLED_AT = re.compile(r"/gradio_api/(call|queue/join|run|api)\b")
_NOTHING = "There is nothing named {quoted} here. There are: chat, complete, models."

# What Gradio raises for a call that it cannot make, and what that means.
_WRONG_CALLS = (
    (re.compile(r"No value provided for required argument: (.*)"), 400, "{name} is missing."),
    (re.compile(r"Parameter `(.*?)` is not a valid"), 400, "There is no parameter named {quoted}."),
    (re.compile(r"'/(.*)'"), 404, _NOTHING),
    (re.compile(r"Could not infer function index for API name: (.*)"), 404, _NOTHING),
    (re.compile(r"(-?\d+)\Z"), 404, "There is no listener {name} here."),
)

Turns = list[dict[str, str]]
"""What a session remembers."""

Value = TypeVar("Value")


def add_api(chat: Chat) -> None:
    """Add the API to the Blocks that are being built."""
    with gr.Column(visible=False):
        shown = _Shown()
        _add_chat(chat, shown)
        _add_complete(chat, shown)
        _add_models(chat, shown)


async def wrong_call(request: Request, error: Exception) -> Response:
    """The answer to a call for which Gradio has an exception and no words.

    Raises *error* again where it is about anything else.
    """
    if _CALLED_AT.search(request.url.path):
        for said, status, words in _WRONG_CALLS:
            if found := said.match(str(error)):
                return JSONResponse({"error": words.format(name=found[1], quoted=quoted(found[1]))}, status)
    raise error


WRONG_CALLS = {TypeError: wrong_call, KeyError: wrong_call, FnIndexInferError: wrong_call}
"""Exception handlers of the application that serves the API."""


class _Shown:
    """What "Use via API" shows of the parameters; a value is the default. Each component once, and none of them
    drawn: whatever a page has makes it slower to open."""

    def __init__(self) -> None:
        self.trigger = gr.Button(visible=False)  # any listener needs something that triggers it
        self.question = gr.Textbox(label="The question", visible=False)
        self.conversation = gr.JSON(label="The conversation", visible=False)
        self.backend = gr.Dropdown(["", *TITLES], value="", label="Back end", visible=False)
        self.parameters: list[Component] = [
            self.backend,
            gr.Textbox(value="", label="Model", visible=False),
            gr.Textbox(value="", label="Cookie or playground key", visible=False),
            gr.Textbox(value="", label="System prompt", visible=False),
            gr.Number(value=-1, precision=0, label="Chat id", visible=False),
            gr.Checkbox(value=True, label="Temporary chat", visible=False),
            gr.Number(precision=0, label="Max tokens", visible=False),
            gr.Number(label="Temperature", visible=False),
            gr.Number(label="Top p", visible=False),
            gr.JSON(label="More parameters", visible=False),
        ]
        self.answer = gr.JSON(label="The answer", visible=False)
        self.models = gr.JSON(label="The models", visible=False)

    def listen(
        self,
        listener: Callable[..., Any],
        inputs: list[Component],
        outputs: list[Component],
        name: str,
        words: str,
    ) -> None:
        self.trigger.click(
            listener,
            inputs,
            outputs,
            api_name=name,
            api_description=words,
            concurrency_limit=None,
            preprocess=False,  # a wrong value is refused by us, with a sentence
            postprocess=False,
        )


def _add_chat(chat: Chat, shown: _Shown) -> None:
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
        sampling = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p}
        try:
            asked: Turns = [*(turns or []), {"role": "user", "content": _question(message)}]
            options = _options(backend, model, system, chat_id, temporary, parameters, sampling)
            options = replace(options, conversation=conversation_id(request))
            async with aclosing(_frames(chat, messages_of(asked), options, credential)) as frames:
                async for frame in frames:
                    # A question without any text of an answer is left out of the next one by messages_of().
                    yield frame, [*asked, {"role": "assistant", "content": frame["text"]}]
        except PlaygroundError as error:
            raise gr.Error(error.message, print_exception=False) from error

    turns = gr.State([])
    inputs = [shown.question, *shown.parameters, turns]
    shown.listen(answer, inputs, [shown.answer, turns], "chat", CHAT)


def _add_complete(chat: Chat, shown: _Shown) -> None:
    async def complete(  # noqa: PLR0913, PLR0917 - its parameters are those of the API
        messages: Any,
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
    ) -> AsyncGenerator[dict[str, Any], None]:
        sampling = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p}
        try:
            conversation = ChatRequest.of({"messages": messages}).messages
            options = _options(backend, model, system, chat_id, temporary, parameters, sampling)
            async with aclosing(_frames(chat, conversation, options, credential)) as frames:
                async for frame in frames:
                    yield frame
        except PlaygroundError as error:
            raise gr.Error(error.message, print_exception=False) from error

    inputs = [shown.conversation, *shown.parameters]
    shown.listen(complete, inputs, [shown.answer], "complete", COMPLETE)


def _add_models(chat: Chat, shown: _Shown) -> None:
    def models(backend: Any = "") -> dict[str, Any]:
        try:
            return _rows(chat, _text("backend", backend).strip())
        except PlaygroundError as error:
            raise gr.Error(error.message, print_exception=False) from error

    shown.listen(models, [shown.backend], [shown.models], "models", MODELS)


def _rows(chat: Chat, backend: str) -> dict[str, Any]:
    if backend and backend not in TITLES:
        raise Refused(f"There is no back end named {quoted(backend)}.", f"There are: {', '.join(TITLES)}.")
    names = [name for name in TITLES if backend in ("", name)]
    return {
        "models": [described(model) for name in names for model in chat.catalogue.rows(name)],
        "live": [name for name in names if chat.catalogue.is_live(name)],
    }


def _options(
    backend: Any,
    model: Any,
    system: Any,
    chat_id: Any,
    temporary: Any,
    parameters: Any,
    sampling: Mapping[str, Any],
) -> Options:
    """What was chosen. Gradio validates nothing here. Raises `Refused`, naming the parameter."""
    return Options(
        backend=_text("backend", backend).strip(),
        model=_text("model", model).strip(),
        system=_text("system", system),
        parameters={**_object("parameters", parameters), **_given(sampling)},
        chat_id=_whole("chat_id", chat_id),
        is_playground=_of_type("temporary", temporary, bool, "true or false"),
    )


async def _frames(
    chat: Chat, conversation: Sequence[Message], options: Options, credential: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """The answer as it grows, whole each time."""
    access = Access("api", _text("credential", credential))
    answer = Answer()
    async with aclosing(pump(chat.reply(conversation, options, access), at_once=_is_text)) as frames:
        async for frame in frames:
            for event in frame:
                answer.add(event)
            yield answer.as_object()


def _question(message: Any) -> str:
    question = _text("message", message)
    if is_blank(question):
        raise Refused("message is blank.", "Ask something.")
    return question


def _is_text(event: object) -> bool:
    return isinstance(event, Text | Thinking)


def _text(name: str, value: Any) -> str:
    return _of_type(name, "" if value is None else value, str, "text")


def _object(name: str, value: Any) -> Mapping[str, Any]:
    given: Mapping[str, Any] = _of_type(name, {} if value is None else value, dict, "an object")
    return given


def _given(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were given; the others may still stand among `parameters`."""
    return {name: value for name, value in sampling.items() if value is not None}


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
