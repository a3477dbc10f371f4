"""Settings from elsewhere (a link, a file, an older conversation), as far as they can be used here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from neptun_demo import parameters
from neptun_demo.chat import Chat
from neptun_demo.contract import complaint
from neptun_demo.errors import Refused
from neptun_demo.models import TITLES, Model

from .controls import SAMPLING, Controls, changes
from .document import Settings

KEPT = ("backend", "model", "temporary", "chat_id", "system", *SAMPLING)
"""The controls whose values belong to a conversation; the credential is none of them."""


def usable(chat: Chat, settings: Settings) -> tuple[Settings, dict[str, str]]:
    """*settings* without what cannot be used here; and a sentence about each that was left out, by its name.

    The back end is filled in, and the model by the id under which its back end knows it.
    """
    backend = settings.backend or chat.default_backend
    model, left_out = chat.default_model(backend), {}
    if settings.model:
        try:
            model = chat.catalogue.find(backend, settings.model)
        except Refused as error:
            left_out["model"] = error.message
    system = settings.system
    if system and backend != "workers-ai":
        left_out["system"] = f"system: {TITLES[backend]} takes no system prompt."
        system = ""
    tuned, refused = _sampling(chat, model, settings)
    known = {"backend": backend, "model": model.id, "system": system, **tuned}
    return settings.model_copy(update=known), left_out | refused


def _sampling(chat: Chat, model: Model, settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = dict.fromkeys(SAMPLING)
    refused = {}
    for name in SAMPLING:
        value = getattr(settings, name)
        if value is None:
            continue
        try:
            sent = parameters.check(model, {name: value}, chat.settings.playground_max_tokens).sent
        except Refused as error:
            refused[name] = error.message
        else:
            values[name] = sent.get(name) if model.backend == "workers-ai" else None
    return values, refused


def of_values(values: Sequence[Any]) -> Settings:
    """The settings that stand in the controls named in `KEPT`. Raises `Refused`."""
    given = dict(zip(KEPT, values, strict=True))
    if isinstance(given["chat_id"], int | float) and given["chat_id"] < 0:
        given["chat_id"] = None
    if given["backend"] != "workers-ai":  # there these controls stand disabled, at whatever
        given |= {"system": "", **dict.fromkeys(SAMPLING)}
    given["system"] = "" if given["system"] is None else given["system"]
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise Refused(f"{complaint(error)}.") from error


def kept(controls: Controls) -> list[Any]:
    """The controls named in `KEPT`."""
    return [getattr(controls, name) for name in KEPT]


def filled(chat: Chat, settings: Settings) -> list[dict[str, Any]]:
    """Updates for the back end and `Controls.changing`, by which they stand as *settings* (`usable()`) say."""
    backend = settings.backend or chat.default_backend
    model = settings.model or chat.default_model(backend).id
    temporary = settings.temporary or backend != "neptun"
    following = changes(chat, backend, model, temporary=temporary, temperature=settings.temperature)
    updates: dict[str, dict[str, Any]] = dict(zip(CHANGING, following, strict=True))
    values = settings.model_dump() | {"backend": backend, "model": model, "temporary": temporary}
    values["chat_id"] = -1 if settings.chat_id is None else settings.chat_id
    defaults = {
        "max_tokens": min(parameters.DEFAULT_MAX_TOKENS, updates["max_tokens"]["maximum"]),
        "temperature": updates["temperature"]["value"],
        "top_p": updates["top_p"]["maximum"],
    }
    for name in KEPT:
        value = defaults.get(name) if values[name] is None else values[name]
        updates.setdefault(name, {"__type__": "update"})["value"] = value
    return [updates["backend"], *(updates[name] for name in CHANGING)]


CHANGING = ("model", "temporary", "chat_id", "system", *SAMPLING)
"""The controls that `changes()` is about, by name, in its order."""
