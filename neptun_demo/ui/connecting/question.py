"""What the values of the controls ask for: the options of one answer, and on whose account.

What a disabled control still holds is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neptun_demo import parameters
from neptun_demo.access import Access
from neptun_demo.chat import Chat, Options
from neptun_demo.errors import Refused
from neptun_demo.models import Model

ASKED = (
    "backend",
    "model",
    "credential",
    "temporary",
    "chat_id",
    "system",
    "max_tokens",
    "temperature",
    "top_p",
    "reasoning_effort",
    "seed",
    "stop",
)
"""The controls whose values make a question, in the order in which a listener gets them."""

CHOSEN = tuple(name for name in ASKED if name != "credential")
"""Those of `ASKED` that decide what the others are good for. The credential does not, and stays where it is."""


def asked(chat: Chat, values: Sequence[Any], conversation: str) -> tuple[Options, Access]:
    """What the values of `Controls.all` ask for, and on whose account. Raises `Refused`.

    *conversation* is its id.
    """
    given = dict(zip(ASKED, values, strict=True))
    return _options(chat, given, conversation), Access("page", _text(given["credential"], "The credential"))


def set_now(chat: Chat, values: Sequence[Any]) -> Options:
    """What the values of `Controls.chosen` ask for. Raises `Refused`."""
    return _options(chat, dict(zip(CHOSEN, values, strict=True)), "")


def _options(chat: Chat, given: Mapping[str, Any], conversation: str) -> Options:
    """What a disabled control still holds is not asked for."""
    backend, name = _text(given["backend"], "The back end"), _text(given["model"], "The model")
    stored = backend == "neptun" and not given["temporary"]
    tuned = backend == "workers-ai"
    return Options(
        backend=backend,
        model=name,
        system=_text(given["system"], "The system prompt") if tuned else "",
        parameters=_parameters(chat, name, given) if tuned else {},
        chat_id=_stored_id(given["chat_id"]) if stored else -1,
        is_playground=not stored,
        conversation=conversation,
    )


def _parameters(chat: Chat, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    model = chat.catalogue.find("workers-ai", name) if name else chat.default_model("workers-ai")
    return sampling(model, given)


def sampling(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that *given* values of the controls ask *model* for; `None` for each that is not sent.

    What stands at the model's own value is not sent, nor what the model does not take: its control is disabled.
    """
    if model.backend != "workers-ai":
        return {}
    ranges = parameters.accepted(model)
    temperature, top_p = given.get("temperature"), given.get("top_p")
    stops = [line for line in str(given.get("stop") or "").splitlines() if line]
    return {
        "max_tokens": given.get("max_tokens"),
        "temperature": None if temperature == ranges["temperature"].default else temperature,
        "top_p": None if top_p == ranges["top_p"].high else top_p,
        "reasoning_effort": (given.get("reasoning_effort") or None) if model.efforts else None,
        "seed": given.get("seed") or None,  # Gradio makes 0 of an empty one that is drawn late: no seed is 0
        "stop": (stops or None) if model.family == "openai" else None,
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
