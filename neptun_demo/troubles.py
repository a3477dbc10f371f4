"""What was last seen to be wrong with the host's accounts, so that the page can say so before anybody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from .errors import AccountTrouble, Rejected
from .settings import BackendName


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the host's account, and when (UTC) it was seen."""

    kind: AccountTrouble
    at: datetime


class Troubles:
    """The last trouble of each back end's account, kept in memory until an answer succeeds.

    It holds no words of the far end and nothing of a visitor. *now* is the clock (UTC).
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._seen: dict[BackendName, Trouble] = {}

    def last(self, backend: BackendName) -> Trouble | None:
        """The trouble that stands; a quota is free again when the UTC day is over."""
        seen = self._seen.get(backend)
        if seen and seen.kind == "quota" and seen.at.date() != self._now().date():
            return None
        return seen

    @contextmanager
    def watching(self, backend: BackendName) -> Iterator[None]:
        """Around an answer on the host's account: notes what is wrong with it, or that nothing is any more."""
        began = self._now()
        try:
            yield
        except Rejected as error:
            if error.trouble:
                self._seen[backend] = Trouble(error.trouble, self._now())
            raise
        seen = self._seen.get(backend)
        # An answer that began before the trouble says nothing about the time after it.
        if seen and seen.at <= began:
            del self._seen[backend]
