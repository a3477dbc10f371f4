"""What went over the wire for one answer, kept while the page is open, for whoever wants to look inside.

A `Record` is the `Watch` of one answer and sees its events too. Decoders are pulled: what `reply()` yields
after a piece arrived, and before the next one does, was made of that piece. Everything kept is bounded; what
is beyond a bound is counted, and every view says so. Credentials never come here: a `Watch` gets them already
replaced by their names.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from neptun_demo.answer import Start
from neptun_demo.backends.protocol import Retry
from neptun_demo.chat import Options
from neptun_demo.contract import Message
from neptun_demo.errors import PlaygroundError
from neptun_demo.streams import Event, Finish, Text, Thinking, Usage

MOST_PIECE_BYTES = 1024 * 1024
"""Bytes of pieces that one record keeps; later ones are counted only."""

MOST_PIECES = 5000
"""Pieces that one record keeps, over all its tries; later ones are counted only."""

MOST_BODY_BYTES = 256 * 1024
"""Bytes of a request's body that a record keeps."""

MOST_ATTEMPTS = 6
"""Tries of one answer that are kept; a back end makes three, each of two requests at most."""

PER_SESSION = 20
"""Answers of a session that are kept; the oldest go first."""

MOST_SESSIONS = 500
"""Sessions of which something is kept; those that asked longest ago go first."""

MOST_BYTES = 96 * 1024 * 1024
"""About what all records together take; when more is kept, the oldest go first."""

# What a piece takes beside its bytes, roughly.
_PER_PIECE = 400

Outcome = Literal["running", "complete", "failed", "stopped", "broken"]
"""How an answer ended: `stopped` by the person or a page that left, `broken` by a fault of the app."""


@dataclass(slots=True)
class Piece:
    """What came at once: *at* seconds after the question, *data* as it came, *made* what it was decoded to.

    The offline guide has no wire: its pieces have no data.
    """

    at: float
    data: bytes
    made: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Pieces:
    """The pieces that are kept, and the count of those that are not: their number, bytes and last time."""

    kept: list[Piece] = field(default_factory=list)
    more: int = 0
    more_bytes: int = 0
    last_at: float | None = None

    @property
    def count(self) -> int:
        """All that came."""
        return len(self.kept) + self.more

    @property
    def size(self) -> int:
        """Bytes of all that came."""
        return sum(len(piece.data) for piece in self.kept) + self.more_bytes


@dataclass(slots=True)
class Attempt:
    """One request, and what it was answered. Times are seconds after the question.

    *body* is what is kept of the *body_size* bytes that were sent. *retry* says why the next try was made.
    """

    at: float
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    body_size: int
    status: int | None = None
    head_at: float | None = None
    answered: dict[str, str] = field(default_factory=dict)
    pieces: Pieces = field(default_factory=Pieces)
    retry: Retry | None = None


class Record:
    """See `Watch`; besides, `event()` is told each event of the answer. *clock* tells seconds."""

    def __init__(
        self, answer: str, *, clock: Callable[[], float] = time.monotonic, began: datetime | None = None
    ) -> None:
        self.answer = answer
        self.began = began or datetime.now(UTC)
        self.messages: list[Message] = []
        self.options = Options()
        self.start: Start | None = None
        self.attempts: list[Attempt] = []
        self.more_attempts = 0
        self.guided = Pieces()
        """What came without a wire: the offline guide's events."""
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.failure: PlaygroundError | None = None
        self.outcome: Outcome = "running"
        self.ended_at: float | None = None
        self._clock = clock
        self._asked_at = clock()
        self._kept_bytes = 0
        self._kept_pieces = 0

    def asked(self, messages: Sequence[Message], options: Options) -> None:
        """Keep the question as it was asked, before anything was trimmed. It holds no credential."""
        self.messages = list(messages)
        self.options = options

    @property
    def size(self) -> int:
        """About how many bytes this record takes."""
        bodies = sum(len(attempt.body) for attempt in self.attempts)
        asked = sum(len(message.content) for message in self.messages)
        return self._kept_bytes + _PER_PIECE * self._kept_pieces + bodies + asked

    # What the wire tells

    def sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """A request is sent: the first, or one more."""
        if len(self.attempts) >= MOST_ATTEMPTS:
            self.more_attempts += 1
            del self.attempts[1]  # the first and the newest tell the story
        kept = body if len(body) <= MOST_BODY_BYTES else _beginning(body)
        self.attempts.append(Attempt(self._now(), method, url, dict(headers), kept, len(body)))

    def headers(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of the answer to the last request."""
        attempt = self.attempts[-1]
        attempt.status, attempt.head_at, attempt.answered = status, self._now(), dict(headers)

    def piece(self, piece: bytes) -> None:
        """A piece of the answer to the last request, as it came."""
        self._keep(self.attempts[-1].pieces, piece)

    # What reply() tells

    async def follow(
        self, events: AsyncGenerator[Start | Retry | Event, None]
    ) -> AsyncGenerator[Start | Retry | Event, None]:
        """The *events*, each told to this record where it is pulled, and so is the way they end.

        Only here: behind a pump later pieces have arrived already, and nobody knows what was made of which.
        """
        try:
            async with aclosing(events) as pulled:
                async for event in pulled:
                    self.event(event)
                    yield event
        except PlaygroundError as error:
            self.failed(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            self.end("stopped")
            raise
        except BaseException:
            self.end("broken")
            raise

    def event(self, event: Start | Retry | Event) -> None:
        """An event that `reply()` yields."""
        match event:
            case Start():
                self.start = event
            case Retry():
                if self.attempts:
                    self.attempts[-1].retry = event
            case Finish():  # the very last one, so it is no piece's
                self.finish = event
                self.end("complete")
            case _:
                if isinstance(event, Usage):
                    self.usage = event
                self._made(event)

    def failed(self, error: PlaygroundError) -> None:
        """Note what the answer failed of; also of a question that was never sent."""
        if self.outcome == "running":
            self.failure = error
        self.end("failed")

    def end(self, outcome: Outcome) -> None:
        """Note how the answer ended; only the first word counts."""
        if self.outcome == "running":
            self.outcome, self.ended_at = outcome, self._now()

    def _made(self, event: Event) -> None:
        if not self.attempts:
            self._keep(self.guided, b"", event)
            return
        pieces = self.attempts[-1].pieces
        if pieces.kept and not pieces.more:
            pieces.kept[-1].made.append(event)

    def _keep(self, pieces: Pieces, data: bytes, *made: Event) -> None:
        size = len(data) + sum(len(event.text) for event in made if isinstance(event, Text | Thinking))
        now = self._now()
        pieces.last_at = now
        full = self._kept_pieces >= MOST_PIECES or self._kept_bytes + size > MOST_PIECE_BYTES
        if full or pieces.more:  # what is kept has no holes
            pieces.more += 1
            pieces.more_bytes += len(data)
            return
        pieces.kept.append(Piece(now, data, list(made)))
        self._kept_pieces += 1
        self._kept_bytes += size

    def _now(self) -> float:
        return self._clock() - self._asked_at


def _beginning(body: bytes) -> bytes:
    """As much as is kept of it, without half a character at its end."""
    return body[:MOST_BODY_BYTES].decode("utf-8", "ignore").encode()


class Records:
    """The newest records of each live session."""

    def __init__(
        self,
        *,
        per_session: int = PER_SESSION,
        most_sessions: int = MOST_SESSIONS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._per_session = per_session
        self._most_sessions = most_sessions
        self._most_bytes = most_bytes
        self._sessions: OrderedDict[str, dict[str, Record]] = OrderedDict()

    def begin(self, session: str | None, answer: str) -> Record:
        """A new record of *session*, Gradio's hash. Without one it is kept nowhere: nobody could ask for it."""
        record = Record(answer)
        if session:
            kept = self._sessions.setdefault(session, {})
            self._sessions.move_to_end(session)
            kept.pop(answer, None)
            kept[answer] = record
            self._make_room(kept)
        return record

    def find(self, session: str | None, answer: str) -> Record | None:
        """The record of that answer, if this very session asked for it and it is still kept."""
        return self._sessions.get(session or "", {}).get(answer)

    def answers(self, session: str | None) -> list[str]:
        """The ids of the answers that are kept, oldest first."""
        return list(self._sessions.get(session or "", {}))

    def forget(self, session: str | None) -> None:
        """Drop everything of *session*."""
        self._sessions.pop(session or "", None)

    def _make_room(self, newest: dict[str, Record]) -> None:
        while len(newest) > self._per_session:
            del newest[next(iter(newest))]
        while len(self._sessions) > self._most_sessions:
            self._sessions.popitem(last=False)
        size = sum(record.size for kept in self._sessions.values() for record in kept.values())
        while size > self._most_bytes:
            oldest = next(iter(self._sessions.values()))
            if len(oldest) == 1 and oldest is newest:
                return
            size -= oldest.pop(next(iter(oldest))).size
            if not oldest:
                self._sessions.popitem(last=False)
