"""The controls beside the conversation, and what each back end does with them.

A control that the chosen back end ignores is disabled, and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr
from gradio.components import Component

from neptun_demo import parameters
from neptun_demo.access import Access
from neptun_demo.chat import Chat, Options
from neptun_demo.errors import Refused
from neptun_demo.models import NEPTUN_OUTPUT_TOKENS, TITLES, Model
from neptun_demo.settings import BackendName

SAMPLING = ("max_tokens", "temperature", "top_p")

_NO_SYSTEM_PROMPT = {
    "neptun": "The Neptun endpoint takes none. Put the instruction into your first message.",
    "offline": "The offline guide is no model and takes none.",
}
_NO_SAMPLING = {
    "neptun": {
        "max_tokens": f"The Neptun endpoint ignores it and ends every answer at {NEPTUN_OUTPUT_TOKENS} tokens.",
        "temperature": "The Neptun endpoint ignores it and always takes 0.6.",
        "top_p": "The Neptun endpoint ignores it.",
    },
    "offline": dict.fromkeys(SAMPLING, "The offline guide is no model and takes none."),
}
_NO_STORING = {
    "workers-ai": "Workers AI stores no chats.",
    "offline": "The offline guide stores no chats.",
}


@dataclass(frozen=True)
class Controls:
    """The components, in the order in which a listener gets their values."""

    backend: gr.Dropdown
    model: gr.Dropdown
    credential: gr.Textbox
    temporary: gr.Checkbox
    chat_id: gr.Number
    system: gr.Textbox
    max_tokens: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider

    @property
    def all(self) -> list[Component]:
        return list(vars(self).values())

    @property
    def changing(self) -> list[Component]:
        """Those that `changes()` is about."""
        return [self.model, *self.all[3:]]


def build_controls(chat: Chat) -> Controls:
    """The controls, as they stand for the app's own back end and model."""
    backend = chat.default_backend
    now = _changes(chat, backend, chat.default_model(backend), temporary=True, temperature=None)
    return Controls(
        backend=gr.Dropdown(
            [(title, name) for name, title in TITLES.items()], value=backend, label="Back end", filterable=False
        ),
        model=gr.Dropdown(label="Model", allow_custom_value=True, interactive=True, **now["model"]),
        credential=gr.Textbox(
            value="",  # never anything else: a component's value is sent to every visitor
            type="password",
            label="Cookie or playground key",
            info="Your neptun-session cookie, or the key of this playground. It is kept in this box alone.",
            elem_id="credential",  # its autocomplete is turned off in page.js: Gradio ignores ours here
        ),
        temporary=gr.Checkbox(value=True, label="Temporary chat", **now["temporary"]),
        chat_id=gr.Number(value=-1, label="Chat id", **now["chat_id"]),
        system=gr.Textbox(value="", lines=3, max_lines=8, label="System prompt", **now["system"]),
        max_tokens=gr.Slider(label="Max tokens", step=1, precision=0, **now["max_tokens"]),
        temperature=gr.Slider(label="Temperature", step=0.1, **now["temperature"]),
        top_p=gr.Slider(label="Top p", step=0.001, **now["top_p"]),
    )


def changes(
    chat: Chat, backend: str, model_name: str | None, *, temporary: bool, temperature: float | None
) -> list[Any]:
    """What becomes of `Controls.changing` when this is chosen. Without a *model_name*: the default's."""
    name: BackendName = backend if backend in get_args(BackendName) else chat.default_backend  # type: ignore[assignment]
    try:
        model = chat.catalogue.find(name, model_name) if model_name else chat.default_model(name)
    except Refused:  # said when a question is asked; until then the ranges of the default are shown
        model = chat.default_model(name)
    updates = _changes(chat, name, model, temporary=temporary, temperature=temperature)
    for name_ in ("max_tokens", "top_p", *(["model"] if model_name else [])):
        del updates[name_]["value"]  # what the visitor set stays
    return [gr.update(**change) for change in updates.values()]


def _changes(
    chat: Chat, backend: BackendName, model: Model, *, temporary: bool, temperature: float | None
) -> dict[str, dict[str, Any]]:
    storing = _NO_STORING.get(backend)
    return {
        "model": {"choices": model_choices(chat, backend), "value": model.id},
        "temporary": _able(storing, "Neptun does not store it."),
        "chat_id": _able(
            storing or ("A temporary chat has none." if temporary else None),
            "Of a chat of yours at Neptun, which stores question and answer there.",
        ),
        "system": _able(_NO_SYSTEM_PROMPT.get(backend), "Stays in front of the conversation."),
        **_sampling(chat, model, temperature),
    }


def model_choices(chat: Chat, backend: BackendName) -> list[tuple[str, str]]:
    """The models of *backend* as the catalogue has them now: what is shown, and the id."""
    return [
        (f"{row.name} (paid plan)" if row.paid else row.name, row.id) for row in chat.catalogue.rows(backend)
    ]


def _sampling(chat: Chat, model: Model, temperature: float | None) -> dict[str, dict[str, Any]]:
    """The sampling controls, with the model's own ranges. *temperature* stays where it can."""
    reasons = _NO_SAMPLING.get(model.backend, {})
    ranges = parameters.accepted(model) or parameters.RANGES["legacy"]
    warmth, nucleus = ranges["temperature"], ranges["top_p"]
    highest = chat.settings.playground_max_tokens
    return {
        "max_tokens": {
            "minimum": 1,
            "maximum": highest,
            "value": min(parameters.DEFAULT_MAX_TOKENS, highest),
            **_able(reasons.get("max_tokens"), "Thinking counts."),
        },
        "temperature": {
            "minimum": warmth.low,
            "maximum": warmth.high,
            "value": _kept(temperature, warmth),
            **_able(reasons.get("temperature"), f"{warmth.default:g} is the model's own: then none is sent."),
        },
        "top_p": {
            "minimum": nucleus.low,
            "maximum": nucleus.high,
            "value": nucleus.high,
            **_able(reasons.get("top_p"), f"At {nucleus.high:g} none is sent."),
        },
    }


_OWN_TEMPERATURES = {ranges["temperature"].default for ranges in parameters.RANGES.values()}


def _kept(temperature: float | None, within: parameters.Range) -> float | None:
    """The temperature that the visitor set, where the model takes it; else the model's own."""
    if temperature is None or temperature in _OWN_TEMPERATURES or not within.low <= temperature <= within.high:
        return within.default
    return temperature


def _able(reason_against: str | None, info: str) -> dict[str, Any]:
    return {"interactive": reason_against is None, "info": reason_against or info}


def state_of(chat: Chat, backend: str) -> str:
    """One line of Markdown: what answers now, and what that takes."""
    match backend:
        case "neptun":
            return _neptun(chat)
        case "workers-ai":
            return _workers_ai(chat)
        case _:
            return (
                "**The offline guide answers.** It is no model: it knows this playground's handbook, and plays"
                " `/demo`s. For a model, choose another back end."
            )


def _neptun(chat: Chat) -> str:
    if not chat.set_up("neptun"):
        return "**The Neptun endpoint answers, with your own cookie.** The box for it is among the settings."
    if not chat.settings.playground_open:
        return "**The Neptun endpoint answers, with the playground's key** or with your own Neptun cookie."
    return "**The Neptun endpoint answers**, in temporary chats on the host's session or with your own cookie."


def _workers_ai(chat: Chat) -> str:
    if not chat.set_up("workers-ai"):
        return "**Workers AI cannot answer here:** the host has set up no account. Choose another back end."
    key = "" if chat.settings.playground_open else ", with the playground's key"
    return f"**Workers AI answers{key}.** The host pays for {chat.budget.left} more answers today."


def asked(chat: Chat, values: Sequence[Any], conversation: str) -> tuple[Options, Access]:
    """What the values of `Controls.all` ask for, and on whose account. Raises `Refused`.

    *conversation* is its id. What a disabled control still holds is not asked for.
    """
    backend, model, credential, temporary, chat_id, system, *sampling = values
    backend, model = _text(backend, "The back end"), _text(model, "The model")
    stored = backend == "neptun" and not temporary
    tuned = backend == "workers-ai"
    options = Options(
        backend=backend,
        model=model,
        system=_text(system, "The system prompt") if tuned else "",
        parameters=_parameters(chat, model, sampling) if tuned else {},
        chat_id=_stored_id(chat_id) if stored else -1,
        is_playground=not stored,
        conversation=conversation,
    )
    return options, Access("page", _text(credential, "The credential"))


def _parameters(chat: Chat, name: str, sampling: Sequence[Any]) -> dict[str, Any]:
    """The sampling parameters; what stands at the model's own value is not sent."""
    model = chat.catalogue.find("workers-ai", name) if name else chat.default_model("workers-ai")
    max_tokens, temperature, top_p = sampling
    ranges = parameters.accepted(model)
    return {
        "max_tokens": max_tokens,
        "temperature": None if temperature == ranges["temperature"].default else temperature,
        "top_p": None if top_p == ranges["top_p"].high else top_p,
    }


def _text(value: Any, what: str) -> str:
    """A value of a text control; whoever asks without the page may send anything."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(f"{what} must be text.")
    return value


def _stored_id(chat_id: Any) -> int:
    if isinstance(chat_id, int | float) and not isinstance(chat_id, bool) and float(chat_id).is_integer():
        if chat_id >= 0:
            return int(chat_id)
        chat_id = None
    if chat_id is None:
        raise Refused(
            "A chat that Neptun is to store needs its chat id.", "Give it, or make the chat temporary."
        )
    raise Refused("The chat id must be a whole number.")
