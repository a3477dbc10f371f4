"""One answer as the messages that the page shows: thinking, text, and what the page itself has to say.

A message of the page's own has `metadata` with an id of `OURS`, the id of its answer, and the facts that it
shows; its content is a drawing of them: HTML that is written here and nowhere else, every word of others in it
made literal. It is never sent, copied or edited.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from neptun_demo.answer import Answer, Start
from neptun_demo.backends import Retry
from neptun_demo.errors import PlaygroundError
from neptun_demo.models import TITLES, Model
from neptun_demo.streams import Event, Text, Thinking

from .display import literal
from .notices import Notice, of_failure
from .numbers import Numbers, capped, facts, in_html
from .words import english, word

Message = dict[str, Any]
Transcript = list[Message]

OURS = ("waiting", "numbers", "notice")
"""The ids of messages that the page itself wrote."""

THINKING = english("thinking")


def message(
    role: Literal["user", "assistant"], text: str, metadata: Mapping[str, Any] | None = None
) -> Message:
    """A message. Its content is a part, not a string: Gradio would take the indentation off a string."""
    plain: Message = {"role": role, "content": [{"type": "text", "text": text}]}
    return {**plain, "metadata": dict(metadata)} if metadata else plain


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether the page itself wrote that message."""
    return (entry.get("metadata") or {}).get("id") in OURS


def last_question(transcript: Sequence[Message]) -> int | None:
    """The place of the last message of the person's own."""
    places = range(len(transcript) - 1, -1, -1)
    return next((place for place in places if transcript[place]["role"] == "user"), None)


class Turn:
    """An answer as it grows, folded, with the time that it takes.

    *answer_id* names it, *model_of* finds the row of its model (for prices), *now* is the clock in seconds.
    """

    def __init__(
        self,
        answer_id: str = "",
        model_of: Callable[[Answer], Model | None] = lambda answer: None,  # noqa: ARG005 - of any
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.answer = Answer()
        self.answer_id = answer_id
        self.replaces: Transcript = []
        """The messages of an earlier answer to the same question: they stay where this one gets no text."""
        self.highest_cap = False
        """Whether the output cap cannot be raised: then this is no step to offer."""
        self._model_of = model_of
        self._now = now
        self._asked = now()
        self._first_text: float | None = None
        self._last_text = 0.0
        self._characters_after = 0  # the first text
        self._thought_since: float | None = None
        self._thought_for: float | None = None

    def add(self, event: Start | Retry | Event) -> None:
        """Take one event in."""
        self.answer.add(event)
        if isinstance(event, Thinking) and self._thought_since is None:
            self._thought_since = self._now()
        elif isinstance(event, Text):
            self._add_text(event)

    def _add_text(self, event: Text) -> None:
        now = self._now()
        if self._first_text is not None:
            self._characters_after += len(event.text)
            self._last_text = now
            return
        self._first_text = self._last_text = now
        if self._thought_since is not None:
            self._thought_for = now - self._thought_since

    def running(self) -> Transcript:
        """The messages while the answer comes."""
        waiting = _waiting(self.answer, self._now() - self._asked, self.answer_id)
        return [*self._thinking(), *self._text(), waiting]

    def finished(self) -> Transcript:
        """The messages of the complete answer, with its numbers."""
        numbers = Numbers.of(self.answer, self._model_of(self.answer))
        return [*self._thinking(), *self._text(), *self._capped(numbers), self._numbers(numbers)]

    def failed(self, error: PlaygroundError) -> Transcript:
        """The text so far, and what happened."""
        has_text = bool(self.answer.text)
        return self._ended(of_failure(error, has_text=has_text), "cut" if has_text else "failed")

    def stopped(self, said: Notice) -> Transcript:
        """The text so far, and that somebody or something ended it."""
        end = "stopped" if said.tone == "stopped" else "cut" if self.answer.text else "failed"
        return self._ended(said, end)

    def _ended(self, said: Notice, end: str) -> Transcript:
        before: Transcript = []
        if self.replaces and not self.answer.text:
            before = self.replaces
            said = said.model_copy(update={"sentences": (*said.sentences, "The answer before this one stays.")})
        numbers: Transcript = []
        if self.answer.start:
            known = Numbers.of(self.answer, self._model_of(self.answer), end=end)
            numbers = [self._numbers(known.model_copy(update=self._times()))]
        chip = notice(said, self.answer_id)
        return settled([*before, *self._thinking(), *self._text(), chip, *numbers])

    def _times(self) -> dict[str, float | None]:
        """What the page's own clock knows of an answer that did not come to its end; the speed is that of what
        came, without the silence behind it."""
        total = self._now() - self._asked
        if self._first_text is None:
            return {"first": None, "total": total}
        seconds = self._last_text - self._first_text
        rate = self._characters_after / seconds if seconds > 0 else None
        return {"first": self._first_text - self._asked, "total": total, "rate": rate}

    def _capped(self, numbers: Numbers) -> Transcript:
        why = capped(numbers, self.answer.text)
        if not why:
            return []
        steps = ("raise",) if numbers.backend == "workers-ai" and not self.highest_cap else ("model",)
        chip = Notice(tone="capped", title="Cut short by the cap.", sentences=(why,), steps=steps)
        return [notice(chip, self.answer_id)]

    def _numbers(self, numbers: Numbers) -> Message:
        return numbers_message(numbers, self.answer_id)

    def _thinking(self) -> Transcript:
        if not self.answer.thinking:
            return []
        metadata: dict[str, Any] = {"title": THINKING, "status": "pending"}
        if self._thought_for is not None:
            metadata |= {"status": "done", "duration": round(self._thought_for, 1)}
        return [message("assistant", self.answer.thinking, metadata)]

    def _text(self) -> Transcript:
        return [message("assistant", self.answer.text)] if self.answer.text else []


def numbers_message(numbers: Numbers, answer_id: str) -> Message:
    """The numbers under an answer, its reason for the end first, and the way into it."""
    items = " ".join([*in_html(numbers), *_look(answer_id)])
    return _ours("numbers", "numbers", items, answer_id, facts(numbers))


def notice(said: Notice, answer_id: str = "") -> Message:
    """A chip; of its sentences, which others may have written, no sign counts."""
    words = [f"<strong>{literal(said.title)}</strong>", *(literal(one) for one in said.sentences if one)]
    words += [f'<a class="neptun-next" href="#next-{step}">{word(f"next_{step}")}</a>' for step in said.steps]
    html = " ".join(words)
    return _ours("notice", f"notice {said.tone}", html, answer_id, said.model_dump(mode="json"))


def _look(answer_id: str) -> list[str]:
    return [f'<a class="neptun-look" href="#look-{answer_id}">{word("look")}</a>'] if answer_id else []


def _ours(kind: str, classes: str, html: str, answer_id: str, known: Mapping[str, Any]) -> Message:
    return message("assistant", _html(classes, html), {"id": kind, "answer": answer_id, "facts": dict(known)})


def settled(transcript: Sequence[Message]) -> Transcript:
    """*transcript* after an answer that did not end by itself: nothing in it waits any more."""
    kept = [entry for entry in transcript if (entry.get("metadata") or {}).get("id") != "waiting"]
    return [_at_rest(entry) for entry in kept]


def waiting_again() -> Message:
    """Stands behind an answer that is asked for once more, until something comes in its place."""
    return message("assistant", _html("waiting", word("waiting", word("an_answer"))), {"id": "waiting"})


def _waiting(answer: Answer, seconds: float, answer_id: str) -> Message:
    """A running clock, until there is something to read; or the wait before another try."""
    if answer.text:
        words = word("answering")
    elif retry := answer.waiting:
        words = literal(f"{retry.reason} Try {retry.attempt} in {_seconds(retry.seconds)} …")
    else:
        who = literal(TITLES[answer.start.backend]) if answer.start else word("an_answer")
        words = word("waiting_since", who, f"{seconds:.0f} s") if seconds >= 1 else word("waiting", who)
    return message("assistant", _html("waiting", words), {"id": "waiting", "answer": answer_id})


def _at_rest(entry: Message) -> Message:
    metadata = entry.get("metadata") or {}
    if metadata.get("status") == "pending":
        return {**entry, "metadata": {**metadata, "status": "done"}}
    return entry


def _html(kind: str, words: str) -> str:
    """A block of HTML, which Markdown takes as it is since it is one line.

    Its role keeps a screen reader from reading the clock out loud every second.
    """
    role = ' role="timer"' if kind == "waiting" else ""
    return f'<div class="neptun-{kind}"{role}>{words}</div>'


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
