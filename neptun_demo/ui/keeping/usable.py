"""Settings from elsewhere (a link, a file, an older conversation), as far as they can be used here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from pydantic import ValidationError

from neptun_demo import parameters
from neptun_demo.chat import Chat
from neptun_demo.contract import complaint
from neptun_demo.errors import Refused
from neptun_demo.models import TITLES, Model
from neptun_demo.ui.connecting.controls import CHANGING, changes
from neptun_demo.ui.connecting.question import CHOSEN
from neptun_demo.ui.connecting.ranges import VALUES

from .document import Settings


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
            left_out["model"] = error.sentence
    system = settings.system
    if system and backend != "workers-ai":
        left_out["system"] = f"system: {TITLES[backend]} takes no system prompt."
        system = ""
    tuned, refused = _sampling(chat, model, settings)
    known = {"backend": backend, "model": model.id, "system": system, **tuned}
    return settings.model_copy(update=known), left_out | refused


def _sampling(chat: Chat, model: Model, settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {name: "" if name == "stop" else None for name in VALUES}
    refused = {}
    for name in VALUES:
        value = getattr(settings, name)
        if value in (None, ""):
            continue
        asked = [line for line in value.splitlines() if line] if name == "stop" else value
        try:
            parameters.check(model, {name: asked}, chat.settings.playground_max_tokens)
        except Refused as error:
            refused[name] = error.sentence
        else:
            values[name] = value
    return values, refused


def of_values(values: Sequence[Any]) -> Settings:
    """The settings that stand in the controls named in `CHOSEN`. Raises `Refused`."""
    given = dict(zip(CHOSEN, values, strict=True))
    if given["backend"] != "workers-ai":  # there these controls stand disabled, at whatever
        given |= dict.fromkeys(["system", *VALUES])
    if isinstance(given["chat_id"], int | float) and given["chat_id"] < 0:
        given["chat_id"] = None
    for name in ("system", "stop"):
        given[name] = "" if given[name] is None else given[name]
    for name in ("reasoning_effort", "seed"):
        given[name] = given[name] or None  # the model's own, and none
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise Refused(f"{complaint(error)}.") from error


def filled(chat: Chat, settings: Settings) -> list[Any]:
    """Updates for the back end and `Controls.changing`, by which they stand as *settings* (`usable()`) say."""
    backend = settings.backend or chat.default_backend
    model = chat.catalogue.find(backend, settings.model) if settings.model else chat.default_model(backend)
    values = _to_begin_with(chat, model) | settings.model_dump(exclude_none=True)
    values |= {"backend": backend, "model": model.id, "temporary": settings.temporary or backend != "neptun"}
    updates = dict(zip(CHANGING, changes(chat, [values[name] for name in CHOSEN]), strict=True))
    for name in CHOSEN[1:]:
        updates[name]["value"] = values[name]
    return [gr.update(value=backend), *(updates[name] for name in CHANGING)]


def _to_begin_with(chat: Chat, model: Model) -> dict[str, Any]:
    """What the controls stand at where nothing else was chosen."""
    ranges = parameters.accepted(model) or parameters.RANGES["legacy"]
    return {
        "max_tokens": min(parameters.DEFAULT_MAX_TOKENS, chat.settings.playground_max_tokens),
        "temperature": ranges["temperature"].default,
        "top_p": ranges["top_p"].high,
        "reasoning_effort": "",
        "seed": None,
        "stop": "",
        "system": "",
        "chat_id": -1,
    }


def differing(chat: Chat, model: Model, settings: Settings) -> dict[str, Any]:
    """The sampling parameters of *settings* that do not stand at what they begin with."""
    if not parameters.accepted(model):
        return {}
    begun = _to_begin_with(chat, model)
    return {name: value for name in VALUES if (value := getattr(settings, name)) != begun[name]}
