"""One answer for the page: the generator behind the chat and behind each column of the comparison."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, Protocol

import gradio as gr

from neptun_demo.access import Access
from neptun_demo.answer import Answer, Start
from neptun_demo.backends import Retry
from neptun_demo.backends.protocol import NoWatch, Watch
from neptun_demo.chat import Chat, Options
from neptun_demo.conversation import messages_of
from neptun_demo.errors import PlaygroundError, Refused
from neptun_demo.models import TITLES, Model
from neptun_demo.parameters import DEFAULT_MAX_TOKENS
from neptun_demo.streams import Event, Text, Thinking

from .notices import Notice
from .pump import pump
from .session import conversation_id
from .turn import Message, Transcript, Turn, last_question, notice, settled, waiting_again

MOST_RUNNING = 1000
"""Answers whose state is kept until they end; of one that nobody ever asks for again it is forgotten first."""


class Record(Watch, Protocol):
    """Takes down what goes over the wire of one answer, and what was made of it."""

    def asked(self, messages: Sequence[Any], options: Options) -> None: ...

    def follow(
        self, events: AsyncGenerator[Start | Retry | Event, None]
    ) -> AsyncGenerator[Start | Retry | Event, None]: ...

    def failed(self, error: PlaygroundError) -> None: ...


class Records(Protocol):
    """Gives a record for each answer of a live session."""

    def begin(self, session: str, answer_id: str) -> Record: ...


class Unseen(NoWatch):
    """Records that take nothing down: where nobody can look at them."""

    def begin(self, session: str, answer_id: str) -> Unseen:  # noqa: ARG002 - of any
        return self

    def asked(self, messages: Sequence[Any], options: Options) -> None:
        """Pass."""

    def follow(
        self, events: AsyncGenerator[Start | Retry | Event, None]
    ) -> AsyncGenerator[Start | Retry | Event, None]:
        """Give them as they are."""
        return events

    def failed(self, error: PlaygroundError) -> None:
        """Pass."""


class Answering:
    """Answers transcripts. *records* is told what each answer did on the wire."""

    def __init__(self, chat: Chat, records: Records) -> None:
        self.chat = chat
        self._records = records
        self._running: OrderedDict[str, Turn] = OrderedDict()

    async def answer(
        self,
        transcript: Transcript,
        asked: Callable[[str], tuple[Options, Access]],
        request: gr.Request,
    ) -> AsyncGenerator[Transcript, None]:
        """*transcript* with the answer to its last message, as it grows. A failure is a notice in it.

        *asked* gives what the controls ask for, given an id of the conversation; it may raise `Refused`.
        """
        transcript, replaced = _taken_up(transcript)
        if not transcript or transcript[-1]["role"] != "user":
            yield gr.skip()
            return
        turn = self._begin()
        turn.replaces = replaced
        yield [*transcript, *turn.running()]
        record = self._records.begin(request.session_hash or "", turn.answer_id)
        try:
            options, access = asked(conversation_id(request))
            turn.highest_cap = self._at_the_highest_cap(options)
            messages = messages_of(transcript)
            record.asked(messages, options)
            events = record.follow(self.chat.reply(messages, options, access, watch=record))
            async with aclosing(pump(events, at_once=_is_text)) as frames:
                async for frame in frames:
                    for event in frame:
                        turn.add(event)
                    yield [*transcript, *turn.running()]
        except PlaygroundError as error:
            record.failed(error)
            yield [*transcript, *turn.failed(error)]
        else:
            yield [*transcript, *turn.finished()]
        self._running.pop(turn.answer_id, None)

    def _at_the_highest_cap(self, options: Options) -> bool:
        cap = options.parameters.get("max_tokens") or DEFAULT_MAX_TOKENS
        return bool(cap >= self.chat.settings.playground_max_tokens)

    def broken_off(self, transcript: Transcript, cause: str) -> Transcript:
        """*transcript* after an answer that was stopped, or that failed in a way that nobody foresaw."""
        kept = settled(transcript)
        if not kept or cause == "cleared":
            return []
        said = "The text so far stays." if _has_text(kept) else "No text had come."
        if cause == "stopped":
            chip = Notice(tone="stopped", title="Stopped.", sentences=(said,), steps=("retry",))
        else:
            what = ("The app itself failed; the cause is in its log.", said)
            chip = Notice(tone="failure", title="Something broke.", sentences=what, steps=("retry",))
        turn = self._running.pop(_answer_id(transcript), None)
        if turn is None:
            return [*kept, notice(chip)]
        return [*_before_the_answer(kept), *turn.stopped(chip)]

    def _begin(self) -> Turn:
        turn = Turn(secrets.token_hex(6), self._model_of)
        self._running[turn.answer_id] = turn
        while len(self._running) > MOST_RUNNING:
            self._running.popitem(last=False)
        return turn

    def _model_of(self, answer: Answer) -> Model | None:
        for name in TITLES:
            if name == answer.backend:
                with suppress(Refused):
                    return self.chat.catalogue.find(name, answer.model)
        return None


def is_running(transcript: Transcript) -> bool:
    """Whether an answer is on its way: it has no end of its own yet."""
    return bool(transcript) and (transcript[-1].get("metadata") or {}).get("id") == "waiting"


def once_more(transcript: Transcript) -> Transcript | None:
    """*transcript* for `Answering.answer()`, whose last question is to be answered again; `None` without one.

    What answers it stays behind it until there is something in its place.
    """
    question = last_question(transcript)
    if question is None:
        return None
    before, answer = transcript[: question + 1], transcript[question + 1 :]
    if is_running(transcript) or not any(_is_of_the_answer(entry) for entry in answer):
        return before
    return [*transcript, waiting_again()]


def _taken_up(transcript: Transcript) -> tuple[Transcript, Transcript]:
    """The conversation up to what is to be answered, and the answer that the new one replaces."""
    question = last_question(transcript)
    if question is None or not is_running(transcript) or _answer_id(transcript):
        return transcript, []
    answer = settled(transcript[question + 1 :])
    ends = [place for place, entry in enumerate(answer) if (entry.get("metadata") or {}).get("id") == "numbers"]
    # Behind its numbers stand attempts that came to nothing.
    return transcript[: question + 1], answer[: ends[0] + 1] if ends else answer


def _is_of_the_answer(entry: Message) -> bool:
    """Whether it is text of the answer, neither thinking nor the page's own."""
    metadata = entry.get("metadata") or {}
    return not metadata.get("id") and not metadata.get("title")


def _is_text(event: object) -> bool:
    return isinstance(event, Text | Thinking)


def _answer_id(transcript: Transcript) -> str:
    return str((transcript[-1].get("metadata") or {}).get("answer", "")) if transcript else ""


def _has_text(transcript: Transcript) -> bool:
    """Whether the last answer has any text."""
    return transcript[-1]["role"] == "assistant" and not transcript[-1].get("metadata")


def _before_the_answer(transcript: Transcript) -> list[Message]:
    """Everything up to the last question."""
    asked = [place for place, entry in enumerate(transcript) if entry["role"] == "user"]
    return transcript[: asked[-1] + 1] if asked else []
