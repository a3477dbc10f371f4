"""Live lists of models, as the far ends publish them, read into rows. What cannot be read is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from math import isfinite
from typing import Any

from pydantic import ValidationError

from .contract import ModelConfiguration
from .models import WORKERS_AI_MODELS, Model, parameters, row

# A model's id as it can stand in an address.
_CALLABLE = re.compile(r"@[a-z]+/[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def neptun_rows(listing: Any) -> list[Model]:
    """The rows of `GET {NEPTUN_BASE_URL}/models` that this endpoint serves: publisher `cloudflare`.

    The listing holds `{"configurations": {publisher: {name: ModelConfiguration}}}` (recording
    `get_models`); a row that is not of that shape is left out.
    """
    match listing:
        case {"configurations": {"cloudflare": dict(rows)}}:
            return [Model("neptun", row, context=_context_of(row)) for row in _valid(rows.values())]
        case _:
            return []


def _valid(rows: Iterable[Any]) -> Iterator[ModelConfiguration]:
    for entry in rows:
        try:
            yield ModelConfiguration.model_validate(entry)
        except ValidationError:
            continue


def _context_of(row: ModelConfiguration) -> int | None:
    """The context window that Cloudflare gives the same model; the endpoint's list has none."""
    known = _known(row.configuration.model)
    return known.context if known else None


def workers_ai_rows(page: Any) -> list[Model]:
    """The rows of one page of `GET …/ai/models/search`: `{"result": [model, …]}`."""
    match page:
        case {"result": list(entries)}:
            return [model for entry in entries if (model := _live_model(entry))]
        case _:
            return []


def pages_of(page: Any, per_page: int) -> int:
    """How many pages there are; `result_info` has `total_pages`, or `total_count`."""
    match page:
        case {"result_info": {"total_pages": total}} if pages := _whole(total):
            return pages
        case {"result_info": {"total_count": total, **info}} if models := _whole(total):
            return -(-models // (_whole(info.get("per_page")) or per_page))
        case _:
            return 1


def _live_model(entry: Any) -> Model | None:
    """A model for text generation. Its callable id is `name`; `id` is a UUID."""
    match entry:
        case {"task": {"name": str(task)}} if task != "Text Generation":
            return None
        case {"name": str(model_id)} if _CALLABLE.fullmatch(model_id):
            return _model(model_id, _description(entry), _properties(entry))
        case _:
            return None


def _model(model_id: str, description: str, facts: Mapping[str, Any]) -> Model:
    """What the list says, and for what it leaves out what we know about the same model."""
    _, author, name = model_id.split("/")
    known = _known(model_id) or Model(
        "workers-ai", row(author, name, model_id, "", parameters(None)), inline_thinking="r1-distill" in name
    )
    context = _whole(facts.get("context_window")) or known.context
    efforts = _efforts(facts.get("reasoning_effort"), known.efforts)
    price_in, price_out = _prices(facts.get("price"))
    return Model(
        "workers-ai",
        row(author, name, model_id, description, parameters(context)),
        context=context,
        price_in=known.price_in if price_in is None else price_in,
        price_out=known.price_out if price_out is None else price_out,
        paid=_flag(facts.get("require_workers_paid"), known.paid),
        reasoning=_flag(facts.get("reasoning"), known.reasoning) or bool(efforts) or known.inline_thinking,
        efforts=efforts,
        vision=_flag(facts.get("vision"), known.vision),
        inline_thinking=known.inline_thinking,
        retires=_day(facts.get("planned_deprecation_date")),
    )


def _known(model_id: str) -> Model | None:
    return next((model for model in WORKERS_AI_MODELS if model.id == model_id), None)


def _description(entry: Mapping[str, Any]) -> str:
    description = entry.get("description")
    return description if isinstance(description, str) else ""


def _properties(entry: Mapping[str, Any]) -> dict[str, Any]:
    """`properties` is a list of `{property_id, value}`; the values are mostly strings, also of JSON."""
    listed = entry.get("properties")
    return {
        fact["property_id"]: _unwrapped(fact.get("value"))
        for fact in (listed if isinstance(listed, list) else ())
        if isinstance(fact, dict) and isinstance(fact.get("property_id"), str)
    }


def _unwrapped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _flag(value: Any, known: bool) -> bool:
    return value if isinstance(value, bool) else known


def _whole(value: Any) -> int | None:
    amount = _amount(value)
    return int(amount) if amount else None


def _amount(value: Any) -> float | None:
    """A number that counts something, whatever it is written as."""
    if isinstance(value, bool):
        return None
    try:
        amount = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return amount if isfinite(amount) and amount >= 0 else None


def _prices(value: Any) -> tuple[float | None, float | None]:
    """US dollars per million tokens, in and out; `value` is a list of `{unit, price, currency}`.

    Its units are words: "per M input tokens", "per M cached input tokens", "per M output tokens".
    """
    found: dict[str, float | None] = {}
    for price in value if isinstance(value, list) else ():
        match price:
            case {"unit": str(unit), "price": amount} if "token" in unit and "cached" not in unit:
                found.setdefault("out" if "output" in unit else "in", _amount(amount))
    return found.get("in"), found.get("out")


def _efforts(value: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    """The values of `reasoning_effort`: words with commas between, a list, or an object with a list in it.

    One value alone is rather the default than the only choice.
    """
    match value:
        case dict():
            lists = [listed for listed in value.values() if isinstance(listed, list)]
            words = lists[0] if lists else []
        case list():
            words = value
        case str():
            words = value.split(",")
        case _:
            words = []
    found = tuple(word.strip() for word in words if isinstance(word, str) and word.strip())
    return found if len(found) > 1 or not known else known


def _day(value: Any) -> str | None:
    """The day of a date or of a date with a time (ISO 8601)."""
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        return None


def described(model: Model) -> dict[str, Any]:
    """A row in plain words, for a script: tokens, and US dollars per million of them."""
    return {
        "backend": model.backend,
        "name": model.name,
        "id": model.id,
        "context_window_tokens": model.context,
        "dollars_per_million_tokens_in": model.price_in,
        "dollars_per_million_tokens_out": model.price_out,
        "needs_paid_plan": model.paid,
        "reasoning": model.reasoning,
        "vision": model.vision,
        "retires": model.retires,
    }
