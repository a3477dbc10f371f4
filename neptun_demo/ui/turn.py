"""One answer as the messages that the page shows: thinking, text, and what the page itself has to say.

A message of the page's own has `metadata` with an id of `OURS`; its content is HTML that is written here and
nowhere else, every word of others in it made literal. It is never sent, copied or edited.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from neptun_demo.answer import Answer, Start
from neptun_demo.backends import Retry
from neptun_demo.errors import PlaygroundError
from neptun_demo.models import TITLES
from neptun_demo.streams import Event, Text, Thinking

from .display import literal

Message = dict[str, Any]
Transcript = list[Message]

OURS = ("waiting", "numbers", "notice")
"""The ids of messages that the page itself wrote."""

THINKING = "Thinking"

_Tone = Literal["failure", "stopped"]


def message(
    role: Literal["user", "assistant"], text: str, metadata: Mapping[str, Any] | None = None
) -> Message:
    """A message. Its content is a part, not a string: Gradio would take the indentation off a string."""
    plain: Message = {"role": role, "content": [{"type": "text", "text": text}]}
    return {**plain, "metadata": dict(metadata)} if metadata else plain


def is_ours(entry: Mapping[str, Any]) -> bool:
    """Whether the page itself wrote that message."""
    return (entry.get("metadata") or {}).get("id") in OURS


class Turn:
    """An answer as it grows, folded, with the time that it takes. *now* is the clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.answer = Answer()
        self._now = now
        self._asked = now()
        self._thought_since: float | None = None
        self._thought_for: float | None = None

    def add(self, event: Start | Retry | Event) -> None:
        """Take one event in."""
        self.answer.add(event)
        if isinstance(event, Thinking) and self._thought_since is None:
            self._thought_since = self._now()
        elif isinstance(event, Text) and self._thought_for is None and self._thought_since is not None:
            self._thought_for = self._now() - self._thought_since

    def running(self) -> Transcript:
        """The messages while the answer comes."""
        return [*self._thinking(), *self._text(), _waiting(self.answer, self._now() - self._asked)]

    def finished(self) -> Transcript:
        """The messages of the complete answer, with its numbers."""
        numbers = " · ".join(map(literal, numbers_of(self.answer)))
        return [
            *self._thinking(),
            *self._text(),
            message("assistant", _html("numbers", numbers), {"id": "numbers"}),
        ]

    def failed(self, error: PlaygroundError) -> Transcript:
        """The text so far, and what happened."""
        title = "The answer is incomplete." if self.answer.text else "No answer."
        said = notice("failure", title, error.sentence, error.advice)
        return settled([*self._thinking(), *self._text(), said])

    def _thinking(self) -> Transcript:
        if not self.answer.thinking:
            return []
        metadata: dict[str, Any] = {"title": THINKING, "status": "pending"}
        if self._thought_for is not None:
            metadata |= {"status": "done", "duration": round(self._thought_for, 1)}
        return [message("assistant", self.answer.thinking, metadata)]

    def _text(self) -> Transcript:
        return [message("assistant", self.answer.text)] if self.answer.text else []


def notice(tone: _Tone, title: str, *sentences: str) -> Message:
    """What the page itself has to say; of *sentences*, which others may have written, no sign counts."""
    said = " ".join(literal(sentence) for sentence in sentences if sentence)
    words = f"<strong>{literal(title)}</strong> {said}"
    return message("assistant", _html(f"notice {tone}", words), {"id": "notice"})


def settled(transcript: Sequence[Message]) -> Transcript:
    """*transcript* after an answer that did not end by itself: nothing in it waits any more."""
    kept = [entry for entry in transcript if (entry.get("metadata") or {}).get("id") != "waiting"]
    return [_at_rest(entry) for entry in kept]


def numbers_of(answer: Answer) -> Iterator[str]:
    """The measured numbers and the reason for the end, in words. What is unknown is left out."""
    yield answer.model.rsplit("/", 1)[-1]
    if timing := answer.timing:
        if timing.first is not None:
            yield f"first text {_seconds(timing.first)}"
        yield f"total {_seconds(timing.total)}"
        if timing.rate is not None:
            yield f"{_figure(timing.rate)} {timing.unit}/s"
    yield from _usage(answer)
    if answer.dropped:
        yield f"{answer.dropped} earlier messages left out for room"
    if answer.escaped:
        yield f"{answer.escaped} < or > sent escaped"
    yield f"end: {answer.finish_reason}"


def _usage(answer: Answer) -> Iterator[str]:
    if not (usage := answer.usage):
        return
    counts = {
        "tokens in": usage.prompt_tokens,
        "cached": usage.cached_tokens,
        "tokens out": usage.completion_tokens,
        "neurons": usage.neurons,
    }
    yield from (f"{_figure(count)} {what}" for what, count in counts.items() if count is not None)


def _waiting(answer: Answer, seconds: float) -> Message:
    """A running clock, until there is something to read; or the wait before another try."""
    if answer.text:
        words = "Answering …"
    elif retry := answer.waiting:
        words = f"{retry.reason} Try {retry.attempt} in {_seconds(retry.seconds)} …"
    else:
        who = TITLES[answer.start.backend] if answer.start else "an answer"
        words = f"Waiting for {who} … {seconds:.0f} s" if seconds >= 1 else f"Waiting for {who} …"
    return message("assistant", _html("waiting", literal(words)), {"id": "waiting"})


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


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.2f}"
