"""The offline guide: answers from the handbook, or plays a scenario. It is no model, and says so.

It needs no network and no credentials, and goes through the same pipe as every back end: its answers are
events with time between them, its failures are the errors of the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence

from neptun_demo.contract import Message
from neptun_demo.errors import Refused
from neptun_demo.models import GUIDE_MODEL
from neptun_demo.settings import BackendName
from neptun_demo.streams import Event, Text

from .handbook import LONGEST, Found, Handbook, sections, words
from .protocol import Question, Retry
from .scenarios import READING_PACE, Pause, Step, read_out, scenario, spoken

OPENING = "I am the offline guide: a handbook that reads itself out, not a model."

# A page is read out if it has this share of what was asked; below it the guide says that it has none.
ENOUGH = 0.38
# The next two pages are named if they come this near to the best.
CLOSE = 0.55

CONTENTS = "What you can ask"
"""The title of the page that is read out when there is no other."""

NO_PAGE = "The handbook has no page on that, and I cannot make one up."


class Offline:
    """See `Backend`. *pace* is the time for a word in seconds; all waits of the scenarios go with it."""

    name: BackendName = "offline"

    def __init__(self, pace: float = READING_PACE) -> None:
        self._slowness = pace / READING_PACE
        self._handbook = Handbook(sections())

    def escaped(self, messages: Sequence[Message]) -> int:  # noqa: ARG002 - nothing is sent anywhere
        """None: nothing is sent."""
        return 0

    def check(self, question: Question) -> None:
        """Raise `Refused` for a system prompt, which a handbook cannot follow."""
        if question.system:
            raise Refused(
                "The offline guide takes no system prompt: it is a handbook, not a model.",
                "Leave the system prompt empty, or choose Workers AI.",
            )

    async def answer(self, question: Question) -> AsyncGenerator[Event | Retry, None]:
        """The events of the answer; see `Backend.answer`."""
        due = time.monotonic()
        for step in self._steps(question):
            match step:
                case Pause(seconds):
                    # By the clock, since short sleeps take longer than they are asked to.
                    due += seconds * self._slowness
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                case event:
                    yield event

    async def aclose(self) -> None:
        """Nothing is open."""

    def _steps(self, question: Question) -> Iterator[Step]:
        asked = question.messages[-1].content
        steps = scenario(asked) or read_out(self._page(asked, question.messages[:-1]))
        return _opened(steps, _opening(question))

    def _page(self, asked: str, earlier: Sequence[Message]) -> str:
        """What the handbook says to *asked*, which may need the turns before it to be understood."""
        found = self._found(asked, earlier)
        if not found or found[0].share < ENOUGH:
            contents = next(one for one in self._handbook.sections if one.title == CONTENTS)
            return f"{NO_PAGE}{_nearest(found)}\n\n{contents.text}"
        best, *others = found
        close = _titles(one for one in others[:2] if one.score >= CLOSE * best.score)
        also = f"\n\nSee also: {close}" if close else ""
        return f"{_heading(best)}\n\n{best.section.text}{also}"

    def _found(self, asked: str, earlier: Sequence[Message]) -> list[Found]:
        before = next((one.content for one in reversed(earlier) if _is_question(one)), "")
        found = self._handbook.find(asked, before)
        if before and not words(asked[:LONGEST]) and not (found and found[0].share >= ENOUGH):
            # "And why?", "tell me more": the same topic, without what was read out already.
            known = "\n".join(one.content for one in earlier if one.role == "assistant")
            found = [one for one in self._handbook.find(before) if _heading(one) not in known]
        return found


def _opening(question: Question) -> str:
    """What the answer begins with: always that another model was asked for, else once that this is none."""
    asked = question.asked.strip()
    if asked and asked.lower() not in map(str.lower, GUIDE_MODEL.names):
        return (
            f"This is the offline guide, a handbook and not a model, in place of {asked}: no other"
            " back end is set up, or none was asked for.\n\n"
        )
    said = any(OPENING in one.content for one in question.messages if one.role == "assistant")
    return "" if said else f"{OPENING}\n\n"


def _opened(steps: Iterator[Step], opening: str) -> Iterator[Step]:
    """The *steps*, with *opening* before the first text, wherever that is."""
    for step in steps:
        if opening and isinstance(step, Text):
            yield from spoken(opening)
            opening = ""
        yield step


def _is_question(message: Message) -> bool:
    return message.role == "user" and scenario(message.content) is None


def _heading(found: Found) -> str:
    return f"### {found.section.title}"


def _nearest(found: Sequence[Found]) -> str:
    near = _titles(one for one in found[:2] if one.share >= ENOUGH / 2)
    return f" What comes nearest: {near}." if near else ""


def _titles(found: Iterable[Found]) -> str:
    """The titles, to be asked for next; the contents are no answer to anything in particular."""
    return " · ".join(f"**{one.section.title}**" for one in found if one.section.title != CONTENTS)
