"""Live lists of models, as the far ends publish them, read into rows. What cannot be read is left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from .contract import ModelConfiguration
from .models import WORKERS_AI_MODELS, Model, parameters, row


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


def _valid(rows: Iterable[Any]) -> Iterable[ModelConfiguration]:
    for entry in rows:
        try:
            yield ModelConfiguration.model_validate(entry)
        except ValidationError:
            continue


def _context_of(row: ModelConfiguration) -> int | None:
    """The context window that Cloudflare gives the same model; the endpoint's list has none."""
    same = (
        model.context for model in WORKERS_AI_MODELS if model.row.configuration.model == row.configuration.model
    )
    return next(same, None)


def workers_ai_rows(result: Any) -> list[Model]:
    """The rows of one page of `GET …/ai/models/search`: its `result`, text generation only.

    A callable id is `name` (`id` is a UUID); `properties` is a list of `{property_id, value}` whose
    values are mostly strings. What cannot be read is left out.
    """
    return [model for entry in result if (model := _live_model(entry))] if isinstance(result, list) else []


def _live_model(entry: Any) -> Model | None:
    match entry:
        case {"name": str(model_id)} if model_id.count("/") == 2 and model_id.startswith("@"):
            pass
        case _:
            return None
    facts = {
        fact["property_id"]: fact.get("value")
        for fact in entry.get("properties") or []
        if isinstance(fact, dict) and isinstance(fact.get("property_id"), str)
    }
    _, author, name = model_id.split("/")
    known = next((model for model in WORKERS_AI_MODELS if model.id == model_id), None)
    context = _whole(facts.get("context_window")) or (known.context if known else None)
    efforts = _efforts(facts.get("reasoning_effort")) or (known.efforts if known else ())
    price_in, price_out = _prices(facts.get("price"))
    return Model(
        "workers-ai",
        row(author, name, model_id, str(entry.get("description") or ""), parameters(context)),
        context=context,
        price_in=price_in if price_in is not None or not known else known.price_in,
        price_out=price_out if price_out is not None or not known else known.price_out,
        paid=_flag(facts.get("require_workers_paid")) or (known.paid if known else False),
        reasoning=_flag(facts.get("reasoning")) or bool(efforts) or (known.reasoning if known else False),
        efforts=efforts,
        vision=_flag(facts.get("vision")),
        inline_thinking=known.inline_thinking if known else "r1-distill" in name,
        retires=_day(facts.get("planned_deprecation_date")),
    )


def _flag(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _whole(value: Any) -> int | None:
    try:
        return int(float(value)) or None
    except (TypeError, ValueError, OverflowError):
        return None


def _prices(value: Any) -> tuple[float | None, float | None]:
    """US dollars per million tokens, in and out; `value` is a list of `{unit, price, currency}`."""
    found: dict[str, float] = {}
    for price in value if isinstance(value, list) else []:
        match price:
            case {"unit": str(unit), "price": int() | float() as amount} if "token" in unit:
                found["out" if "output" in unit else "in"] = float(amount)
    return found.get("in"), found.get("out")


def _efforts(value: Any) -> tuple[str, ...]:
    """`reasoning_effort` is a string (one value, or several with commas) or an object that lists them."""
    match value:
        case str():
            return tuple(part.strip() for part in value.split(",") if part.strip())
        case {"values": list(values)} | {"options": list(values)} | {"enum": list(values)} | list(values):
            return tuple(one for one in values if isinstance(one, str))
        case _:
            return ()


def _day(value: Any) -> str | None:
    return value[:10] if isinstance(value, str) and value[:4].isdigit() else None
