"""A conversation as it is kept in the browser and exported: plain data, in a versioned format of our own.

What the page itself writes into a conversation (numbers, notices) is kept as the facts that it shows, never
as the HTML that shows them: of a document from elsewhere nothing is drawn but what was checked here.
A credential has no place in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from neptun_demo.contract import whole_characters
from neptun_demo.settings import BackendName
from neptun_demo.ui.notices import Notice
from neptun_demo.ui.numbers import Numbers
from neptun_demo.ui.turn import THINKING, Message, Transcript, message, notice, numbers_message

FORMAT: Final = "neptun-playground"

VERSION: Final = 1

MOST_MESSAGES = 2_000
"""Messages that a document may have: each costs the page time with every frame of an answer."""

LONGEST_NAME = 200
"""Characters of a title, or of a model's name."""

Words = Annotated[str, AfterValidator(whole_characters)]

_Name = Annotated[Words, Field(max_length=LONGEST_NAME)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseModel):
    """What a conversation was asked with; what is `None` stands at its default. No credential."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: BackendName | None = None
    model: _Name | None = None
    system: Words = ""
    max_tokens: int | None = Field(None, ge=1)
    temperature: _Number | None = None
    top_p: _Number | None = None
    reasoning_effort: _Name | None = None
    seed: int | None = None
    stop: Words = ""
    temporary: bool = True
    chat_id: int | None = Field(None, ge=0)


class Said(BaseModel):
    """A message. Of an answer: what was thought, in how many seconds, its numbers, and what was noted of it.

    *answer* is the id by which a live session still knows what went over the wire.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Literal["user", "assistant"]
    content: Words
    thinking: Words | None = None
    thinking_seconds: float | None = Field(None, ge=0, allow_inf_nan=False)
    notice: Notice | None = None
    numbers: Numbers | None = None
    answer: str | None = Field(None, pattern="^[0-9a-f]{12}$")


class Document(BaseModel):
    """A conversation with its settings. *created* is the time of its first message (ISO 8601)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["neptun-playground"] = FORMAT
    version: Literal[1] = VERSION
    title: _Name = ""
    created: str | None = Field(None, pattern=r"^\d{4}-\d\d-\d\dT[\d:.]{5,15}(Z|[+-]\d\d:\d\d)$")
    settings: Settings = Settings()
    messages: tuple[Said, ...] = Field(min_length=1, max_length=MOST_MESSAGES)

    def as_json(self) -> str:
        """The file; what is unknown is left out."""
        return self.model_dump_json(exclude_none=True, indent=2)

    @property
    def name(self) -> str:
        """Its title, or how it begins."""
        questions = (said.content for said in self.messages if said.role == "user")
        return self.title.strip() or title_of(next(questions, "")) or "Conversation"

    def ready(self) -> tuple[Self, str]:
        """The document without an unanswered question at its end, and that question: it is to be sent."""
        *before, last = self.messages
        if last.role == "user":
            return self.model_copy(update={"messages": tuple(before)}), last.content
        return self, ""


def title_of(question: str) -> str:
    """A title for the conversation that begins with *question*: its first line, cut between words."""
    words = next((line for line in question.splitlines() if line.strip()), "").split()
    title = " ".join(words)
    return title if len(title) <= 60 else f"{title[:60].rsplit(' ', 1)[0]} …"


def of_transcript(transcript: Iterable[Message], settings: Settings, title: str = "") -> Document:
    """The document of a conversation that rests. Raises pydantic's `ValidationError` where it is empty."""
    return Document(title=title, settings=settings, messages=tuple(_said(transcript)))


# The order in which the pieces of an answer stand; one that comes too early begins another answer.
_PIECES = ("thinking", "content", "notice", "numbers")


def _said(transcript: Iterable[Message]) -> Iterator[Said]:
    answer: dict[str, Any] = {}
    for entry in transcript:
        if entry["role"] == "user":
            yield from _whole(answer)
            answer = {}
            yield Said(role="user", content=_text_of(entry))
            continue
        pieces = _pieces(entry)
        if answer and _rank(pieces) <= _rank(answer):
            yield from _whole(answer)
            answer = {}
        answer |= pieces
    yield from _whole(answer)


def _whole(answer: dict[str, Any]) -> Iterator[Said]:
    if answer:
        yield Said(**{"role": "assistant", "content": "", **answer})


def _rank(pieces: dict[str, Any]) -> int:
    return max((_PIECES.index(name) for name in pieces if name in _PIECES), default=-1)


def _pieces(entry: Message) -> dict[str, Any]:
    """What *entry* is of an answer; nothing of what waits."""
    match entry.get("metadata") or {}:
        case {"id": "waiting"}:
            return {}
        case {"id": "numbers" | "notice" as kind, "facts": dict(facts), **more}:
            return {kind: facts, **_id(more.get("answer"))}
        case {"id": "numbers" | "notice"}:
            return {}
        case {"title": str(), **more}:
            return {"thinking": _text_of(entry), "thinking_seconds": more.get("duration")}
        case _:
            return {"content": _text_of(entry)}


def _id(answer: Any) -> dict[str, str]:
    return {"answer": answer} if isinstance(answer, str) and answer else {}


def _text_of(entry: Message) -> str:
    return "".join(part["text"] for part in entry["content"])


def to_transcript(document: Document) -> Transcript:
    """The conversation as the page shows it. What the page itself wrote is drawn anew."""
    return [entry for said in document.messages for entry in _entries(said)]


def _entries(said: Said) -> Iterator[Message]:
    if said.role == "user":
        yield message("user", said.content)
        return
    answer_id = said.answer or ""
    if said.thinking:
        yield message("assistant", said.thinking, _thought(said.thinking_seconds))
    if said.content:
        yield message("assistant", said.content)
    if said.notice:
        yield notice(said.notice, answer_id)
    if said.numbers:
        yield numbers_message(said.numbers, answer_id)


def _thought(seconds: float | None) -> dict[str, Any]:
    done: dict[str, Any] = {"title": THINKING, "status": "done"}
    return done if seconds is None else {**done, "duration": seconds}
