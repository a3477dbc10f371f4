"""The controls of one answer: back end, model, and what it is asked with. Each says what it is good for here.

A control that the chosen back end or model ignores is disabled, and says why. Controls can be built more than
once on a page, around one credential.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr
from gradio.components import Component

from neptun_demo.chat import Chat
from neptun_demo.errors import Refused
from neptun_demo.models import TITLES, Model
from neptun_demo.parameters import DEFAULT_MAX_TOKENS
from neptun_demo.settings import BackendName
from neptun_demo.ui.words import label

from . import model_card
from .question import ASKED, CHOSEN, sampling
from .ranges import VALUES, able

AT_ONCE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}

CHANGING = (*CHOSEN[1:], "card", "sent")
"""What `changes()` is about."""


@dataclass(frozen=True)
class Controls:
    """The components. *card* and *sent* are HTML: what is known of the model, and what it will be sent."""

    backend: gr.Dropdown
    model: gr.Dropdown
    credential: gr.Textbox
    temporary: gr.Checkbox
    chat_id: gr.Number
    system: gr.Textbox
    max_tokens: gr.Slider
    temperature: gr.Slider
    top_p: gr.Slider
    reasoning_effort: gr.Dropdown
    seed: gr.Number
    stop: gr.Textbox
    card: gr.HTML
    sent: gr.HTML

    @property
    def all(self) -> list[Component]:
        """As `asked()` gets their values."""
        return self._named(ASKED)

    @property
    def chosen(self) -> list[Component]:
        """As `changes()` gets their values."""
        return self._named(CHOSEN)

    @property
    def changing(self) -> list[Component]:
        """As `changes()` gives their updates."""
        return self._named(CHANGING)

    def _named(self, names: Sequence[str]) -> list[Component]:
        return [getattr(self, name) for name in names]


def build_backend(chat: Chat, value: str | None = None) -> gr.Dropdown:
    """The choice of a back end, which begins with *value*, or with the app's own."""
    choices = [(title, name) for name, title in TITLES.items()]
    value = value or chat.default_backend
    return gr.Dropdown(choices, value=value, label=label("back_end"), filterable=False, interactive=True)


def build_model(chat: Chat, chosen: Mapping[str, Any], elem_id: str | None = None) -> gr.Dropdown:
    """The choice of a model, with search; any other name can be typed."""
    return gr.Dropdown(
        label=label("model"),
        allow_custom_value=True,
        filterable=True,
        interactive=True,
        elem_id=elem_id,
        **_begun(chat, chosen)["model"],
    )


def build_credential() -> gr.Textbox:
    """The box for the one credential of a page."""
    return gr.Textbox(
        value="",  # never anything else: a component's value is sent to every visitor
        type="password",
        label=label("credential"),
        info="Your neptun-session cookie, or the key of this playground. It is kept in this box alone.",
        elem_id="credential",  # its autocomplete is turned off in page.js: Gradio ignores ours here
    )


def build_controls(
    chat: Chat,
    credential: gr.Textbox | None = None,
    *,
    backend: gr.Dropdown | None = None,
    model: gr.Dropdown | None = None,
    model_id: str | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> Controls:
    """Controls as they stand for what is *chosen* (by the names of `CHOSEN`), else for the app's own model.

    They share a *credential* that stands elsewhere on the page; so may *backend* and *model* stand elsewhere.
    *model_id* is the one `elem_id` of them, by which a script finds the choice of the model.
    """
    chosen = chosen or {}
    backend = backend or build_backend(chat, chosen.get("backend"))
    credential = credential or build_credential()
    now = _begun(chat, chosen)
    model = model or build_model(chat, chosen, model_id)
    card = gr.HTML(padding=False, **now["card"])
    sent = gr.HTML(padding=False, **now["sent"])
    temporary = gr.Checkbox(label=label("temporary"), **now["temporary"])
    chat_id = gr.Number(label=label("chat_id"), **now["chat_id"])
    system = gr.Textbox(lines=3, max_lines=8, label=label("system"), **now["system"])
    max_tokens = gr.Slider(label=label("max_tokens"), step=1, precision=0, **now["max_tokens"])
    temperature = gr.Slider(label=label("temperature"), step=0.1, **now["temperature"])
    top_p = gr.Slider(label=label("top_p"), step=0.001, **now["top_p"])
    with gr.Accordion(label("more_parameters"), open=False, elem_classes="more"):
        effort = gr.Dropdown(
            label=label("reasoning_effort"), allow_custom_value=True, **now["reasoning_effort"]
        )
        # With a key, or Gradio takes no value for 0 where components are made while the page is open.
        seed = gr.Number(label=label("seed"), precision=0, key=f"seed-{model.elem_id}", **now["seed"])
        stop = gr.Textbox(label=label("stop_at"), lines=2, max_lines=4, **now["stop"])
    return Controls(
        backend=backend,
        model=model,
        credential=credential,
        temporary=temporary,
        chat_id=chat_id,
        system=system,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        reasoning_effort=effort,
        seed=seed,
        stop=stop,
        card=card,
        sent=sent,
    )


def listen(chat: Chat, controls: Controls) -> None:
    """What changes when a visitor chooses another back end, model, or kind of chat, or sets a parameter."""

    def choose_backend(*values: Any) -> list[Any]:
        return changes(chat, values, another_backend=True)

    def choose(*values: Any) -> list[Any]:
        return changes(chat, values, same_list=True)

    def tell(*values: Any) -> str:
        return sent_now(chat, dict(zip(CHOSEN, values, strict=True)))

    chosen, changing = controls.chosen, controls.changing
    # `.input`: `.change` would also run when the page itself sets the value.
    controls.backend.input(choose_backend, chosen, changing, **AT_ONCE)
    gr.on([controls.model.input, controls.temporary.input], choose, chosen, changing, **AT_ONCE)
    # While one is on its way, of all that follow only the last is asked: a slider that is drawn costs little.
    moved = [getattr(controls, name).change for name in VALUES]
    gr.on(moved, tell, chosen, [controls.sent], trigger_mode="always_last", **AT_ONCE)


def changes(
    chat: Chat, values: Sequence[Any], *, another_backend: bool = False, same_list: bool = False
) -> list[Any]:
    """What becomes of `Controls.changing` when the *values* of `Controls.chosen` are chosen.

    With *another_backend* its own model is chosen with it. With *same_list* the models to choose from stay as
    they are: who is just choosing by the keyboard would see their list open again. Whatever a visitor set
    stays where it can.
    """
    chosen = dict(zip(CHOSEN, values, strict=True))
    name, asked_for = _backend_of(chat, chosen["backend"]), chosen["model"]
    unknown = None
    try:
        model = (
            chat.catalogue.find(name, asked_for)
            if asked_for and not another_backend
            else chat.default_model(name)
        )
    except Refused as error:  # the card says it; until then the ranges of the default are shown
        model, unknown = chat.default_model(name), error
    updates = _changes(chat, name, model, chosen)
    if asked_for and (not another_backend or model.id == asked_for):
        # Not even the same again: what comes late would undo what was chosen meanwhile.
        del updates["model"]["value"]
    if same_list:
        del updates["model"]["choices"]
    if unknown:
        updates["card"]["value"], updates["sent"]["value"] = model_card.no_card(unknown), ""
    return [gr.update(**updates[name]) for name in CHANGING]


def set_to(chat: Chat, values: Sequence[Any]) -> list[Any]:
    """What becomes of `Controls.backend` and `Controls.changing` when they are set to the *values* of the
    `Controls.chosen` of others."""
    chosen = dict(zip(CHOSEN, values, strict=True))
    now = _begun(chat, chosen)
    return [_backend_of(chat, chosen["backend"]), *(gr.update(**now[name]) for name in CHANGING)]


def raised(chat: Chat, cap: float | None) -> dict[str, Any]:
    """The slider of the output cap at twice *cap*, or at its end."""
    highest = chat.settings.playground_max_tokens
    return gr.update(value=min(2 * int(cap or DEFAULT_MAX_TOKENS), highest))


def _begun(chat: Chat, chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of each control as it begins, its value among them."""
    backend = _backend_of(chat, chosen.get("backend"))
    try:
        name = chosen.get("model")
        model = chat.catalogue.find(backend, name) if name else chat.default_model(backend)
    except Refused:
        model = chat.default_model(backend)
    values = {"temporary": True, "chat_id": -1, "system": "", **chosen}
    now = _changes(chat, backend, model, chosen)
    return {name: {"value": values.get(name), **properties} for name, properties in now.items()}


def _backend_of(chat: Chat, backend: Any) -> BackendName:
    return backend if backend in get_args(BackendName) else chat.default_backend


def _changes(
    chat: Chat, backend: BackendName, model: Model, chosen: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The properties of each control. Without a value among *chosen* it gets the one to begin with; else it
    gets another one only where its own is not possible with this *model*."""
    highest = chat.settings.playground_max_tokens
    able_now = able(backend, model, highest, chosen)
    values = {**chosen, **{name: able_now[name]["value"] for name in VALUES if "value" in able_now[name]}}
    return {
        "model": {"choices": model_choices(chat, backend), "value": model.id},
        **able_now,
        "card": {"value": model_card.card(chat.catalogue, model)},
        "sent": {"value": model_card.sent(model, sampling(model, values), highest)},
    }


def model_choices(chat: Chat, backend: BackendName) -> list[tuple[str, str]]:
    """The models of *backend* as the catalogue has them now: what is shown and searched, and the id.

    A live list is in no order, and is long: it is sorted by name.
    """
    rows = chat.catalogue.rows(backend)
    if chat.catalogue.is_live(backend):
        rows = tuple(sorted(rows, key=lambda row: row.name.lower()))
    return [(f"{row.name}{model_card.mark(row)}", row.id) for row in rows]


def sent_now(chat: Chat, chosen: Mapping[str, Any]) -> str:
    """The line about the parameters that go out now; empty while no model is known."""
    backend = _backend_of(chat, chosen["backend"])
    try:
        model = (
            chat.catalogue.find(backend, chosen["model"]) if chosen["model"] else chat.default_model(backend)
        )
    except Refused:
        return ""
    return model_card.sent(model, sampling(model, chosen), chat.settings.playground_max_tokens)
