"""The numbers under an answer: measured, counted by the far end, estimated, or unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from neptun_demo.answer import Answer
from neptun_demo.models import NEPTUN_OUTPUT_TOKENS, Model
from neptun_demo.streams import Usage

from .display import literal
from .words import english, word

DOLLARS_PER_NEURON = 0.011 / 1000
"""Cloudflare's price beyond the free allocation (Workers AI pricing, October 2026)."""

UNKNOWN = "–"

_LONGEST_WORD = 200


class Numbers(BaseModel):
    """What is known of one answer. Times in seconds, *price* in US dollars; what is unknown is `None`.

    *rate* is in *unit* ("tokens" or "characters") per second after the first piece. *estimated* names the
    fields that nobody measured. *end* is the far end's reason for the end, or what happened instead
    ("stopped", "failed", "cut").
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: str = Field("", max_length=_LONGEST_WORD)
    model: str = Field("", max_length=_LONGEST_WORD)
    first: float | None = Field(None, ge=0, allow_inf_nan=False)
    total: float | None = Field(None, ge=0, allow_inf_nan=False)
    rate: float | None = Field(None, ge=0, allow_inf_nan=False)
    unit: str = Field("characters", pattern="^(tokens|characters)$")
    tokens_in: int | None = Field(None, ge=0)
    tokens_out: int | None = Field(None, ge=0)
    cached: int | None = Field(None, ge=0)
    neurons: float | None = Field(None, ge=0, allow_inf_nan=False)
    price: float | None = Field(None, ge=0, allow_inf_nan=False)
    end: str = Field("unknown", max_length=_LONGEST_WORD)
    dropped: int = Field(0, ge=0)
    escaped: int = Field(0, ge=0)
    estimated: tuple[str, ...] = Field((), max_length=20)

    @classmethod
    def of(cls, answer: Answer, model: Model | None, *, end: str = "") -> Self:
        """The numbers of *answer* at the prices of *model*. *end* says what ended one without an end."""
        timing, usage = answer.timing, answer.usage or Usage()
        # The offline guide's numbers are its own, and free.
        price = None if answer.backend == "offline" else _price(usage, model)
        return cls(
            backend=answer.backend,
            model=answer.model,
            first=timing.first if timing else None,
            total=timing.total if timing else None,
            rate=timing.rate if timing else None,
            unit=timing.unit if timing else "characters",
            tokens_in=usage.prompt_tokens,
            tokens_out=usage.completion_tokens,
            cached=usage.cached_tokens,
            neurons=usage.neurons,
            price=price,
            end=end or answer.finish_reason or "unknown",
            dropped=answer.dropped,
            escaped=answer.escaped,
            estimated=("price",) if price is not None else (),
        )


def _price(usage: Usage, model: Model | None) -> float | None:
    """What the answer costs by the list, whatever is free of it; `None` where that cannot be known."""
    if usage.neurons is not None:
        return usage.neurons * DOLLARS_PER_NEURON
    if model is None or model.price_in is None or model.price_out is None:
        return None
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return (usage.prompt_tokens * model.price_in + usage.completion_tokens * model.price_out) / 1_000_000


def in_words(numbers: Numbers) -> Iterator[tuple[str, str]]:
    """The numbers as they are read, each with what it means. What is always asked for and unknown is "–"."""
    for key, figure, meaning in _items(numbers):
        yield english(key, figure) if key else figure, meaning


def end_in_words(numbers: Numbers) -> tuple[str, str]:
    """The reason for the end, and what it means."""
    return english("end", numbers.end), _MEANINGS.get(numbers.end, "The far end's own word")


def in_html(numbers: Numbers) -> Iterator[str]:
    """The reason for the end and the numbers as HTML, to be read in the browser's language."""
    end, (_, meaning) = literal(numbers.end), end_in_words(numbers)
    ours = word(f"end_{numbers.end}") if numbers.end in _OUR_ENDS else end
    yield f'<span class="neptun-end" title="{literal(meaning)}">{word("end", ours)}</span>'
    for key, figure, meaning in _items(numbers):
        drawn = word(key, literal(figure)) if key else literal(figure)
        yield f'<span title="{literal(meaning)}">{drawn}</span>'


def _items(numbers: Numbers) -> Iterator[tuple[str, str, str]]:
    """Of each number the key of its label (if it needs one), the figure in it, and what it means."""
    yield "", numbers.model.rsplit("/", 1)[-1] or UNKNOWN, "The model that answered"
    yield "first_text", _seconds(numbers.first), "Time from sending to the first text"
    yield "total", _seconds(numbers.total), "Time from sending to the end"
    yield f"rate_{numbers.unit}", _figure(numbers.rate), "Speed after the first piece"
    yield "tokens_in", _figure(numbers.tokens_in), "As the far end counted them"
    yield "tokens_out", _figure(numbers.tokens_out), "As the far end counted them; thinking counts"
    if numbers.cached is not None:
        yield "cached", _figure(numbers.cached), "Tokens of the prompt that were still known"
    if numbers.neurons is not None:
        yield "neurons", _figure(numbers.neurons), "Cloudflare's unit of cost"
    if numbers.price is not None:
        estimated = "Estimated by the price list; a free allocation is not deducted"
        yield "", f"≈ ${_dollars(numbers.price)}", estimated
    if numbers.dropped:
        yield "dropped", str(numbers.dropped), "The context window holds no more"
    if numbers.escaped:
        yield "escaped", str(numbers.escaped), "The endpoint would drop these signs"


_MEANINGS: Mapping[str, str] = {
    "stop": "The model had said all",
    "length": "The cap on output tokens was reached",
    "max_tokens": "The cap on output tokens was reached",
    "content-filter": "A filter of the far end ended it",
    "content_filter": "A filter of the far end ended it",
    "unknown": "The far end gave no reason",
    "stopped": "Somebody pressed Stop",
    "failed": "It failed before any text",
    "cut": "It failed in the middle",
}

_OUR_ENDS = ("unknown", "stopped", "failed", "cut")
"""Ends that have a label; all others are the far end's own words."""


def capped(numbers: Numbers, text: str) -> str:
    """Why the answer looks cut off by a cap, in a sentence; empty where it does not.

    The Neptun endpoint ends at its cap without a word of it; then it can only be guessed.
    """
    if numbers.end in ("length", "max_tokens"):
        return "The cap on output tokens was reached: the answer is not whole."
    if numbers.backend != "neptun" or text.rstrip().endswith((".", "!", "?", "`", "|", "。", ")", ":")):
        return ""
    counted = numbers.tokens_out
    # English text has about four characters a token.
    if (counted is not None and counted >= NEPTUN_OUTPUT_TOKENS) or (
        counted is None and len(text) >= 3 * NEPTUN_OUTPUT_TOKENS
    ):
        return (
            f"The endpoint ends every answer at {NEPTUN_OUTPUT_TOKENS} tokens; this one was probably cut there."
        )
    return ""


def facts(numbers: Numbers) -> dict[str, Any]:
    """*numbers* as JSON."""
    return numbers.model_dump(mode="json")


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def _figure(number: float | None) -> str:
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.2f}"


def _dollars(price: float) -> str:
    """Two figures that count, without an exponent."""
    if price >= 1:
        return f"{price:.2f}"
    return f"{float(f'{price:.2g}'):.12f}".rstrip("0").rstrip(".")
