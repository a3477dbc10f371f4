"""An answer as it grows: events, folded. Every door folds with this."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .backends.protocol import Retry
from .settings import BackendName
from .streams import Event, Finish, Text, Thinking, Timing, Usage


@dataclass(frozen=True, slots=True)
class Start:
    """The first event: the question was accepted, and is about to be sent.

    *model* is the name by which the back end calls it. *dropped* messages were trimmed for room,
    *escaped* characters are escaped in what is sent. *stored* says whether the far end keeps the chat.
    """

    model: str
    backend: BackendName
    dropped: int = 0
    escaped: int = 0
    stored: bool = False


class Answer:
    """The fold of `reply()`'s events. What did not come yet is empty or `None`."""

    def __init__(self) -> None:
        self.start: Start | None = None
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.waiting: Retry | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []

    def add(self, event: Start | Retry | Event) -> None:
        """Take one event in."""
        match event:
            case Text(text):
                self._text.append(text)
                self.waiting = None
            case Thinking(text):
                self._thinking.append(text)
                self.waiting = None
            case Usage():
                self.usage = event
            case Finish():
                self.finish = event
                self.waiting = None
            case Retry():
                self.waiting = event
            case Start():
                self.start = event

    @property
    def text(self) -> str:
        """The text so far."""
        return _joined(self._text)

    @property
    def thinking(self) -> str:
        """The thinking so far."""
        return _joined(self._thinking)

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended, in the far end's words; `None` while it runs, and when it failed."""
        return self.finish.reason if self.finish else None

    @property
    def timing(self) -> Timing | None:
        """The measured times, at the end."""
        return self.finish.timing if self.finish else None

    @property
    def model(self) -> str:
        return self.start.model if self.start else ""

    @property
    def backend(self) -> str:
        return self.start.backend if self.start else ""

    @property
    def dropped(self) -> int:
        return self.start.dropped if self.start else 0

    @property
    def escaped(self) -> int:
        return self.start.escaped if self.start else 0

    @property
    def stored(self) -> bool:
        return self.start.stored if self.start else False

    def as_object(self) -> dict[str, Any]:
        """The whole answer as plain JSON: what the Gradio API sends, frame by frame."""
        return {
            "text": self.text,
            "thinking": self.thinking,
            "finish_reason": self.finish_reason,
            "usage": asdict(self.usage) if self.usage else None,
            "timing": asdict(self.timing) if self.timing else None,
            "model": self.model,
            "backend": self.backend,
            "dropped_messages": self.dropped,
        }


def _joined(pieces: list[str]) -> str:
    """The pieces as one text; they are replaced by it, so that the next call joins only what is new."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


__all__ = ["Answer", "Start"]
