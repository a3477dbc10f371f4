"""What stands under the choice of a model: what is known of it, what is special, what will be sent to it.

Names and descriptions come from far ends: no sign in them counts as HTML. What is unknown is a dash.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from neptun_demo import parameters
from neptun_demo.catalogue import Catalogue
from neptun_demo.errors import Refused
from neptun_demo.models import CHECKED, NEPTUN_OUTPUT_TOKENS, WORKERS_AI_MODELS, Model
from neptun_demo.ui.display import literal
from neptun_demo.ui.words import word

UNKNOWN = "–"

LONGEST_DESCRIPTION = 280
"""Characters of a description: a card is no page."""

NEPTUN_NOTES = (
    f"Every answer ends at {NEPTUN_OUTPUT_TOKENS} tokens, and nothing tells so. A probable cut is marked.",
    "The endpoint puts an instruction of its own before your messages: answer in Markdown.",
    "It refuses a bare < or > in any message: they go out as &lt; and &gt;, and the answer says how many.",
)

_TAG = re.compile(r"<[^<>]*>")


def card(catalogue: Catalogue, model: Model) -> str:
    """The card of *model*: its description, the facts, and what is special about its back end."""
    description = _plain(model.row.description)
    facts = "".join(
        f"<div><dt>{word(name)}</dt><dd>{fact}</dd></div>" for name, fact in _facts(catalogue, model)
    )
    notes = "".join(f"<li>{literal(note)}</li>" for note in NEPTUN_NOTES if model.backend == "neptun")
    return _card(
        f"<p>{literal(description)}</p>" if description else "",
        f"<dl>{facts}</dl>" if facts else "",
        f"<ul>{notes}</ul>" if notes else "",
    )


def no_card(error: Refused) -> str:
    """In the place of a card: why there is no such model, and what comes close."""
    return _card(f'<p class="bad">{literal(error.message)}</p>')


def sent(model: Model, given: Mapping[str, Any], highest_cap: int) -> str:
    """The parameters that go out with the next question if *given* stand in the controls, and no others."""
    match model.backend:
        case "neptun":
            return _sent(f"no parameters; every answer ends at {NEPTUN_OUTPUT_TOKENS} tokens.")
        case "offline":
            return _sent("no parameters; the guide is no model.")
    try:
        checked = parameters.check(model, given, highest_cap)
    except Refused as error:
        return f'<p class="neptun-sent bad">Not possible: {literal(error.message)}</p>'
    values = (f"<code>{literal(f'{name} {_value(value)}')}</code>" for name, value in checked.sent.items())
    return _sent(" ".join(values))


def mark(model: Model) -> str:
    """What stands behind the model's name in a list, to be seen and to be searched for; empty for nothing."""
    marks = [name for name in ("reasoning", "vision") if getattr(model, name)]
    marks += ["paid plan"] if model.paid else []
    return f" ({', '.join(marks)})" if marks else ""


def _card(*parts: str) -> str:
    return f'<div class="neptun-card">{"".join(parts)}</div>'


def _sent(words: str) -> str:
    return f'<p class="neptun-sent">{word("sent")} {words}</p>'


def _value(value: Any) -> str:
    match value:
        case list():
            return ", ".join(f"“{one}”" for one in value)
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _facts(catalogue: Catalogue, model: Model) -> Iterator[tuple[str, str]]:
    """What is known, as keys of labels and HTML."""
    if model.backend == "offline":  # it is no model: there is nothing to know
        return
    here = model.backend == "workers-ai"
    yield "publisher", literal(model.row.publisher)
    yield "context", word("tokens", f"{model.context:,}") if model.context else UNKNOWN
    if not model.row.description:
        yield "description", UNKNOWN
    yield "price", _price(model) if here else word("price_neptun", UNKNOWN)
    yield "plan", word("paid" if model.paid else "free") if here else UNKNOWN
    yield "reasoning", _reasoning(model) if here or model.reasoning else _known(model, "reasoning")
    yield "vision", _yes(model.vision) if here or model.vision else _known(model, "vision")
    yield "retires", literal(model.retires or UNKNOWN)
    yield "list", word("live") if catalogue.is_live(model.backend) else word("built_in", CHECKED)


def _price(model: Model) -> str:
    if model.price_in is None and model.price_out is None:
        return UNKNOWN
    return word("price_of", _dollars(model.price_in), _dollars(model.price_out))


def _dollars(price: float | None) -> str:
    return UNKNOWN if price is None else f"${price:.3f}"


def _reasoning(model: Model) -> str:
    return word("yes_of", literal(", ".join(model.efforts))) if model.efforts else _yes(model.reasoning)


def _yes(flag: bool) -> str:
    return word("yes" if flag else "no")


def _known(model: Model, fact: str) -> str:
    """What Workers AI's rows know about the same model, which the endpoint's list does not tell."""
    same = [row for row in WORKERS_AI_MODELS if row.id == model.row.configuration.model]
    return _yes(getattr(same[0], fact)) if same else UNKNOWN


def _plain(description: str) -> str:
    """A description without its tags; some lists write HTML."""
    text = " ".join(html.unescape(_TAG.sub("", description)).split())
    return text if len(text) <= LONGEST_DESCRIPTION else f"{text[:LONGEST_DESCRIPTION].rstrip()} …"
