"""The sampling parameters: their names, what each family of models takes, and the check of a request.

Ranges are Workers AI's own (its documentation, October 2026): the legacy family is Llama, Mistral,
Qwen 2.5 and Granite, the OpenAI family is everything that answers in OpenAI's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .contract import PROVIDERS_DEFAULT, quoted, whole_characters
from .errors import Refused
from .models import TITLES, Family, Model

DEFAULT_MAX_TOKENS = 1024
"""Output tokens asked for when the caller names no cap. Workers AI's own default, 256, cuts answers."""


@dataclass(frozen=True, slots=True)
class Range:
    """What a parameter may be, both ends included, and what the provider takes when it is not sent."""

    low: float
    high: float
    default: float | None = None
    whole: bool = False


_SHARED = {
    "top_p": Range(0.001, 1),
    "seed": Range(1, 9_999_999_999, whole=True),
    "frequency_penalty": Range(-2, 2),
    "presence_penalty": Range(-2, 2),
}
RANGES: Mapping[Family, Mapping[str, Range]] = {
    "legacy": {
        "temperature": Range(0, 5, 0.6),
        **_SHARED,
        "top_k": Range(1, 50, whole=True),
        "repetition_penalty": Range(0, 2),
    },
    "openai": {"temperature": Range(0, 2, 1), **_SHARED},
}

_CAPS = ("max_new_tokens", "max_tokens")

# What a caller may name. `typical_p` and `return_full_text` are documented, but Workers AI has neither:
# the first is taken at its "provider's default" only, the second as false.
_KNOWN = frozenset(
    {
        *_CAPS,
        *(name for ranges in RANGES.values() for name in ranges),
        "truncate",
        "stop",
        "reasoning_effort",
        "typical_p",
        "return_full_text",
    }
)
# To a penalty -1 is a value like any other; to the rest it says: as the provider does.
_MINUS_ONE_IS_NOTHING = _KNOWN - {
    name for ranges in RANGES.values() for name, within in ranges.items() if within.low <= PROVIDERS_DEFAULT
}


@dataclass(frozen=True, slots=True)
class Checked:
    """*sent* is what goes to Workers AI, in its names; *truncate* is the room for the prompt, in tokens."""

    sent: Mapping[str, Any]
    truncate: int | None

    @property
    def cap(self) -> int:
        """The output cap, in tokens."""
        return int(self.sent["max_tokens"])


def accepted(model: Model) -> Mapping[str, Range]:
    """The parameters with a range that *model* takes; none at the Neptun endpoint and offline."""
    return RANGES[model.family] if model.backend == "workers-ai" else {}


def check(model: Model, given: Mapping[str, Any], highest_cap: int) -> Checked:
    """The parameters *given* by a caller, as *model* takes them.

    Names are those of the documentation or of Workers AI. `None` sends nothing, nor does -1 wherever it
    is no value of its own. *highest_cap* is the most output tokens that the host allows. Raises `Refused`,
    naming the parameter.
    """
    named = {name: value for name, value in given.items() if not _asks_for_nothing(name, value)}
    truncate = _truncate(named.pop("truncate", None))
    if model.backend != "workers-ai":
        return Checked({"max_tokens": _unsampled(model, named)}, truncate)
    cap = _cap({name: named.pop(name) for name in _CAPS if name in named}, highest_cap)
    sent = {name: _value(model, name, value) for name, value in named.items()}
    return Checked({"max_tokens": cap, **sent}, truncate)


def _asks_for_nothing(name: str, value: Any) -> bool:
    if value is None or (name == "return_full_text" and value is False):
        return True
    return name in _MINUS_ONE_IS_NOTHING and bool(value == PROVIDERS_DEFAULT)


def _unsampled(model: Model, named: Mapping[str, Any]) -> int:
    """The output cap of a back end without sampling parameters, of which none can be chosen."""
    cap = model.row.configuration.parameters.max_new_tokens
    for name, value in named.items():
        if name not in _CAPS or value != cap:
            raise _refusal(model, name)
    return cap


def _cap(asked: Mapping[str, Any], highest_cap: int) -> int:
    caps = {int(_number(name, value, Range(1, highest_cap, whole=True))) for name, value in asked.items()}
    if len(caps) > 1:
        raise Refused("max_new_tokens and max_tokens are the same thing, with two values.", "Send one of them.")
    return caps.pop() if caps else min(DEFAULT_MAX_TOKENS, highest_cap)


def _truncate(value: Any) -> int | None:
    return None if value is None else int(_number("truncate", value, Range(1, 10_000_000, whole=True)))


def _value(model: Model, name: str, value: Any) -> Any:
    """*value* as Workers AI gets it under that name."""
    if name in accepted(model):
        return _number(name, value, accepted(model)[name])
    match name:
        case "reasoning_effort":
            return _effort(model, value)
        case "stop" if model.family == "openai":
            return _stop(value)
        case "typical_p":
            raise Refused("typical_p: Workers AI has no such parameter.", "Leave it out, or send -1.")
        case "return_full_text":
            raise Refused("return_full_text: only the answer is returned here.", "Leave it out, or send false.")
        case _:
            raise _refusal(model, name)


def _number(name: str, value: Any, within: Range) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(f"{name} must be a number.")
    if not within.low <= value <= within.high:  # so is NaN, which no comparison holds for
        raise Refused(f"{name} must be between {within.low:g} and {within.high:.10g} here.")
    if within.whole and value != int(value):
        raise Refused(f"{name} must be a whole number.")
    return int(value) if within.whole else value


def _effort(model: Model, value: Any) -> str:
    if value not in model.efforts:
        choices = ", ".join(model.efforts) or "no choice of it"
        raise Refused(f"reasoning_effort: {model.name} takes {choices}.")
    return str(value)


def _stop(value: Any) -> str | list[str]:
    match value:
        case str():
            return whole_characters(value)
        case list() if all(isinstance(one, str) for one in value):
            return [whole_characters(one) for one in value]
        case _:
            raise Refused("stop must be text or a list of texts.")


def _refusal(model: Model, name: str) -> Refused:
    if model.backend != "workers-ai":
        return Refused(
            f"{_named(name)}: {TITLES[model.backend]} takes no sampling parameters.",
            "Leave it out, or use Workers AI.",
        )
    known = [*accepted(model), "max_new_tokens", "truncate"]
    known += ["stop"] if model.family == "openai" else []
    known += ["reasoning_effort"] if model.efforts else []
    return Refused(
        f"{_named(name)}: {model.name} does not take this parameter.", f"It takes {', '.join(known)}."
    )


def _named(name: str) -> str:
    return name if name in _KNOWN else quoted(name)
