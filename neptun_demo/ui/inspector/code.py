"""The view of the code that asks the same, and what it needs to know of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import escape
from typing import Any

from neptun_demo import parameters
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message
from neptun_demo.conversation import messages_of
from neptun_demo.errors import Refused
from neptun_demo.models import TITLES, Model
from neptun_demo.settings import BackendName, Settings
from neptun_demo.snippets import LANGUAGES, TARGETS, Asked, Language, Target, snippet
from neptun_demo.ui.inspector.records import Record

from .markup import copyable, laid_out

# An address as a browser tells it, without a query; it ends up within code.
_ADDRESS = re.compile(r"https?://[^\s/?#@]{1,255}(?:/[^\s?#]{0,255})?")

NO_CODE = "There is no code for this answer: its model is not known here."


def code_view(asked: Asked, language: str, target: str, note: str = "") -> str:
    """The HTML; unknown names of *language* or *target* stand for the first of theirs."""
    spoken, to = _language(language), _target(target)
    said = f'<p class="said">{escape(note)}</p>' if note else ""
    what = f"{LANGUAGES[spoken]} code"
    # What is drawn is what is run: of code nothing is left out.
    code = snippet(spoken, to, asked)
    return said + copyable(laid_out(code, len(code)), what, kind="code")


def of_record(record: Record, chat: Chat, address: str) -> Asked | None:
    """What *record* asked, as its back end was asked; `None` if its model is not known (any more)."""
    options, start = record.options, record.start
    model = _model(chat, start.backend if start else options.backend, start.model if start else options.model)
    if model is None:
        return None
    return Asked(
        model=model,
        messages=record.messages[start.dropped :] if start else record.messages,
        system=options.system,
        parameters=_sent(model, options.parameters, chat.settings),
        chat_id=options.chat_id,
        temporary=not start.stored if start else options.is_playground,
        playground=_address(address),
        upstream=_upstream(model.backend, chat.settings),
    )


def of_transcript(
    transcript: Sequence[Mapping[str, Any]], answer: str, chat: Chat, address: str, options: Options
) -> Asked | None:
    """What led to *answer* in a conversation that was kept: its back end, its model and its messages.

    The rest is taken from *options*, if they are for that back end.
    """
    metadata = [(place, entry.get("metadata") or {}) for place, entry in enumerate(transcript)]
    found = [(place, known["facts"]) for place, known in metadata if _is_numbers_of(known, answer)]
    if not found:
        return None
    place, facts = found[0]
    questions = [at for at in range(place) if transcript[at].get("role") == "user"]
    model = _model(chat, str(facts.get("backend")), str(facts.get("model")))
    if model is None or not questions:
        return None
    messages: list[Message] = []
    with suppress(Refused):
        messages = messages_of(transcript[: questions[-1] + 1])
    if options.backend != model.backend:
        options = Options()
    return Asked(
        model=model,
        messages=messages,
        system=options.system,
        parameters=_sent(model, options.parameters, chat.settings),
        chat_id=options.chat_id,
        temporary=options.is_playground,
        playground=_address(address),
        upstream=_upstream(model.backend, chat.settings),
    )


def _is_numbers_of(known: Mapping[str, Any], answer: str) -> bool:
    return (
        known.get("id") == "numbers" and known.get("answer") == answer and isinstance(known.get("facts"), dict)
    )


def _model(chat: Chat, backend: str, name: str) -> Model | None:
    for known in TITLES:
        if known == (backend or chat.default_backend):
            with suppress(Refused):
                return chat.catalogue.find(known, name) if name else chat.default_model(known)
    return None


def _sent(model: Model, given: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
    try:
        return parameters.check(model, given, settings.playground_max_tokens).sent
    except Refused:
        return {}


def _upstream(backend: BackendName, settings: Settings) -> str:
    match backend:
        case "neptun":
            return settings.neptun_base_url
        case "workers-ai":
            return settings.cloudflare_base_url
        case "offline":
            return ""


def _address(told: str) -> str:
    return told.rstrip("/") if _ADDRESS.fullmatch(told) else "http://127.0.0.1:7860"


def _language(name: str) -> Language:
    return next((known for known in LANGUAGES if known == name), next(iter(LANGUAGES)))


def _target(name: str) -> Target:
    return next((known for known in TARGETS if known == name), next(iter(TARGETS)))
