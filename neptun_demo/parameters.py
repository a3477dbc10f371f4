"""The sampling parameters: their names, what each family of models takes, and the check of a request.

Ranges are Workers AI's own (its documentation, October 2026): the legacy family is Llama, Mistral,
Qwen 2.5 and Granite, the OpenAI family is everything that answers in OpenAI's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .contract import PROVIDERS_DEFAULT
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

# What a caller may name beside the ranges. `typical_p` and `return_full_text` are documented, but
# Workers AI has neither: the first is taken at its "provider's default" only, the second as false.
_CAPS = ("max_new_tokens", "max_tokens")
_OTHERS = (
    "max_new_tokens",
    "max_tokens",
    "truncate",
    "stop",
    "reasoning_effort",
    "typical_p",
    "return_full_text",
)


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

    Names are those of the documentation or of Workers AI; `None` and -1 send nothing. *highest_cap* is
    the most output tokens that the host allows. Raises `Refused`, naming the parameter.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if model.backend != "workers-ai":
        return _unsampled(model, named)
    sent: dict[str, Any] = {"max_tokens": _cap(named, highest_cap)}
    for name, value in named.items():
        if name in accepted(model):
            if value != PROVIDERS_DEFAULT or accepted(model)[name].low <= PROVIDERS_DEFAULT:
                sent[name] = _number(name, value, accepted(model)[name])
        elif name == "reasoning_effort":
            sent[name] = _effort(model, value)
        elif name == "stop":
            sent[name] = _stop(model, value)
        elif name in _OTHERS:
            _absent(name, value)
        else:
            raise _refusal(model, name)
    return Checked(sent, _truncate(named))


def _unsampled(model: Model, named: Mapping[str, Any]) -> Checked:
    """For a back end without sampling parameters: only the room may be chosen, nothing is sent."""
    cap = model.row.configuration.parameters.max_new_tokens
    for name, value in named.items():
        if name in ("typical_p", "return_full_text"):
            _absent(name, value)
        elif name != "truncate" and value != PROVIDERS_DEFAULT and not (name in _CAPS and value == cap):
            raise _refusal(model, name)
    return Checked({"max_tokens": cap}, _truncate(named))


def _cap(named: Mapping[str, Any], highest_cap: int) -> int:
    asked = {name: named[name] for name in _CAPS if named.get(name, -1) != -1}
    if not asked:
        return min(DEFAULT_MAX_TOKENS, highest_cap)
    name, value = next(iter(asked.items()))
    if len(set(asked.values())) > 1:
        raise Refused("max_new_tokens and max_tokens are the same thing, with two values.", "Send one of them.")
    return int(_number(name, value, Range(1, highest_cap, whole=True)))


def _truncate(named: Mapping[str, Any]) -> int | None:
    value = named.get("truncate", PROVIDERS_DEFAULT)
    if value == PROVIDERS_DEFAULT:
        return None
    return int(_number("truncate", value, Range(1, 10_000_000, whole=True)))


def _number(name: str, value: Any, within: Range) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise Refused(f"{name} must be a number.")
    if within.whole and value != int(value):
        raise Refused(f"{name} must be a whole number.")
    if not within.low <= value <= within.high:
        raise Refused(f"{name} must be between {within.low:g} and {within.high:.10g} here, not {value:.10g}.")
    return int(value) if within.whole else value


def _effort(model: Model, value: Any) -> str:
    if value not in model.efforts:
        choices = ", ".join(model.efforts) or "no choice of it"
        raise Refused(f"reasoning_effort: {model.name} takes {choices}.")
    return str(value)


def _stop(model: Model, value: Any) -> Any:
    if model.backend != "workers-ai" or model.family != "openai":
        raise _refusal(model, "stop")
    if not isinstance(value, str) and not (
        isinstance(value, list) and all(isinstance(one, str) for one in value)
    ):
        raise Refused("stop must be text or a list of texts.")
    return value


def _absent(name: str, value: Any) -> None:
    """Refuse a documented parameter that no back end here has, unless it asks for nothing."""
    if name == "typical_p" and value != PROVIDERS_DEFAULT:
        raise Refused("typical_p: Workers AI has no such parameter.", "Leave it out, or send -1.")
    if name == "return_full_text" and value is not False:
        raise Refused("return_full_text: only the answer is returned here.", "Leave it out, or send false.")


def _refusal(model: Model, name: str) -> Refused:
    if model.backend != "workers-ai":
        return Refused(
            f"{name}: {TITLES[model.backend]} takes no sampling parameters.", "Leave it out, or use Workers AI."
        )
    known = ", ".join([*accepted(model), "max_new_tokens", "truncate"])
    return Refused(f"{name}: {model.name} does not take this parameter.", f"It takes {known}.")
