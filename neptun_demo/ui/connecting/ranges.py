"""What each control can be for a back end and a model: its range, whether it does anything, and if not, why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neptun_demo import parameters
from neptun_demo.models import NEPTUN_OUTPUT_TOKENS, Model
from neptun_demo.settings import BackendName

VALUES = ("max_tokens", "temperature", "top_p", "reasoning_effort", "seed", "stop")
"""The controls of sampling parameters."""

_NO_SYSTEM_PROMPT = {
    "neptun": "The Neptun endpoint takes none. Put the instruction into your first message.",
    "offline": "The offline guide is no model and takes none.",
}
_IGNORED = "The Neptun endpoint ignores it."
_NO_SAMPLING = {
    "neptun": dict.fromkeys(VALUES, _IGNORED)
    | {
        "max_tokens": f"The Neptun endpoint ignores it and ends every answer at {NEPTUN_OUTPUT_TOKENS} tokens.",
        "temperature": "The Neptun endpoint ignores it and always takes 0.6.",
    },
    "offline": dict.fromkeys(VALUES, "The offline guide is no model and takes none."),
}
_NO_STORING = {
    "workers-ai": "Workers AI stores no chats.",
    "offline": "The offline guide stores no chats.",
}

THE_MODELS_OWN = ("As the model does", "")


def able(
    backend: BackendName, model: Model, highest_cap: int, chosen: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The properties of each control. *chosen* are the values that stand now; what is missing begins anew."""
    storing = _NO_STORING.get(backend)
    temporary = chosen.get("temporary", True)
    return {
        "temporary": _able(
            storing, "Neptun does not store it." if temporary else "Neptun stores it: see below."
        ),
        "chat_id": _able(
            storing or ("A temporary chat has none." if temporary else None),
            "Of a chat of yours at Neptun, which stores question and answer there.",
        ),
        "system": _able(_NO_SYSTEM_PROMPT.get(backend), "Stays in front of the conversation."),
        **_sliders(model, highest_cap, chosen),
        **_rarer(model, chosen),
    }


def _sliders(model: Model, highest_cap: int, chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    reasons = _NO_SAMPLING.get(model.backend, {})
    ranges = parameters.accepted(model) or parameters.RANGES["legacy"]
    warmth, nucleus = ranges["temperature"], ranges["top_p"]
    cap = {} if "max_tokens" in chosen else {"value": min(parameters.DEFAULT_MAX_TOKENS, highest_cap)}
    top_p = {} if "top_p" in chosen else {"value": nucleus.high}
    return {
        "max_tokens": {
            "minimum": 1,
            "maximum": highest_cap,
            **cap,
            **_able(reasons.get("max_tokens"), "Thinking counts."),
        },
        "temperature": {
            "minimum": warmth.low,
            "maximum": warmth.high,
            **_warmth(chosen, warmth),
            **_able(reasons.get("temperature"), f"{warmth.default:g} is the model's own: then none is sent."),
        },
        "top_p": {
            "minimum": nucleus.low,
            "maximum": nucleus.high,
            **top_p,
            **_able(reasons.get("top_p"), f"At {nucleus.high:g} none is sent."),
        },
    }


_OWN_TEMPERATURES = {ranges["temperature"].default for ranges in parameters.RANGES.values()}


def _warmth(chosen: Mapping[str, Any], within: parameters.Range) -> dict[str, Any]:
    """The model's own temperature, unless the visitor set one that the model takes too."""
    set_to = chosen.get("temperature")
    if set_to == within.default:
        return {}
    if not isinstance(set_to, int | float) or set_to in _OWN_TEMPERATURES:
        return {"value": within.default}
    return {} if within.low <= set_to <= within.high else {"value": within.default}


def _rarer(model: Model, chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    reasons = _NO_SAMPLING.get(model.backend, {})
    seed = parameters.RANGES["legacy"]["seed"]
    efforts = [THE_MODELS_OWN, *((effort, effort) for effort in model.efforts)]
    possible = "reasoning_effort" in chosen and chosen["reasoning_effort"] in dict(efforts).values()
    return {
        "reasoning_effort": {
            "choices": efforts,
            **({} if possible else {"value": ""}),
            **_able(reasons.get("reasoning_effort") or _no_effort(model), "How much the model thinks first."),
        },
        "seed": {
            **({} if "seed" in chosen else {"value": None}),
            **_able(
                reasons.get("seed"),
                f"{seed.low:g} to {seed.high:.0f}: the same one asks for the same answer. At 0 none is sent.",
            ),
        },
        "stop": {
            **({} if "stop" in chosen else {"value": ""}),
            **_able(reasons.get("stop") or _no_stop(model), "The answer ends before such a text; one a line."),
        },
    }


def _no_effort(model: Model) -> str | None:
    if model.efforts:
        return None
    if model.reasoning:
        return f"{model.name} thinks, and lets nobody choose how much."
    return f"{model.name} does not think before it answers."


def _no_stop(model: Model) -> str | None:
    return None if model.family == "openai" else f"{model.name} does not take it."


def _able(reason_against: str | None, info: str) -> dict[str, Any]:
    return {"interactive": reason_against is None, "info": reason_against or info}
