"""What the page itself has to say about an answer: what happened, what stays, and what can be done now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from neptun_demo.errors import (
    Cut,
    OverBudget,
    PlaygroundError,
    Refused,
    Rejected,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownModel,
)

Tone = Literal["failure", "stopped", "cut", "capped"]
Step = Literal["retry", "raise", "credential", "model"]
"""What can be done now: `next_…` among the words; the page's script does it (`assets/talk.js`)."""

_LONGEST = 2_000


class Notice(BaseModel):
    """A chip: its *title* says what happened, *sentences* say more, *steps* what can be done about it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tone: Tone = "failure"
    title: str = Field(max_length=_LONGEST)
    sentences: tuple[str, ...] = Field((), max_length=10)
    steps: tuple[Step, ...] = ()


def of_failure(error: PlaygroundError, *, has_text: bool) -> Notice:
    """What to say of *error*; *has_text*: whether a part of the answer stands above it."""
    return Notice(
        tone="cut" if has_text else "failure",
        title="The answer is incomplete." if has_text else "No answer.",
        sentences=tuple(filter(None, (error.sentence, error.advice))),
        steps=tuple(_steps(error)),
    )


def _steps(error: PlaygroundError) -> Iterator[Step]:
    match error:
        case Unauthorized():
            yield from ("credential", "retry")
        case Rejected(status=401 | 403):
            yield from ("credential", "retry")
        case UnknownModel() | Unavailable() | TooLarge() | OverBudget():
            yield "model"
        case Cut():
            yield from ("retry", "model")
        case Refused():
            pass  # the same again is refused again
        case _:
            yield from ("retry", "model")
