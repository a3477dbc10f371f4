"""Who may: the one decision about whose credentials an answer is asked with, and the host's budget.

`Gate.who_may()` is called by `chat.reply()` and nowhere else, so that no door can forget it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import SecretStr

from .backends import digest
from .errors import NeedsACookie, OverBudget, Unauthorized, Unavailable
from .settings import COOKIE_OCTETS, KEY_PREFIX, BackendName, bare_cookie

Door = Literal["page", "api", "http"]
"""Where a question came in: the browser page, the Gradio API, or one of the HTTP routes."""


@dataclass(frozen=True, slots=True)
class Access:
    """A caller: the door, and the one credential that was shown there (empty: none)."""

    door: Door
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a credential is: the playground's key (*is_key*), a Neptun *cookie*, or nothing at all."""

    is_key: bool = False
    cookie: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose credentials are used: the visitor's own *cookie*, else the host's (if *spends*), else none."""

    cookie: SecretStr | None = None
    spends: bool = False


class Budget:
    """What the host's credentials may spend: answers a UTC day, and answers at a time.

    It is kept in memory: a restart begins a new count. *now* is the clock (UTC).
    """

    def __init__(
        self, daily: int, parallel: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._daily = daily
        self._parallel = parallel
        self._now = now
        self._day = now().date()
        self._spent = 0
        self._running = 0

    @property
    def left(self) -> int:
        """Answers that are left today."""
        self._turn_the_day()
        return max(0, self._daily - self._spent)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Room for one answer, counted when it is taken. Raises `OverBudget`, with the time to wait."""
        if not self.left:
            raise self._used_up()
        if self._running >= self._parallel:
            raise OverBudget(
                f"{self._running} answers at the host's cost are running, which is all that the host allows.",
                "Try again in a few seconds.",
                retry_after=5,
            )
        self._spent += 1
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def _turn_the_day(self) -> None:
        today = self._now().date()
        if today != self._day:
            self._day, self._spent = today, 0

    def _used_up(self) -> OverBudget:
        if not self._daily:
            return OverBudget(
                "The host pays for no answers here.", "Use a Neptun cookie of your own, or the offline guide."
            )
        now = self._now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        wait = midnight - now
        hours, minutes = divmod(int(wait.total_seconds()) // 60, 60)
        return OverBudget(
            f"The {self._daily} answers a day that the host pays for are used up.",
            f"They are free again at 00:00 UTC, in {hours} h {minutes} min."
            " Until then use a Neptun cookie of your own, or the offline guide.",
            retry_after=wait.total_seconds(),
        )


class Gate:
    """Knows the playground's key, whether visitors may do without it, and which accounts the host has.

    *key* is the `digest()` of the key; *host* names the back ends with credentials of the host.
    """

    def __init__(self, key: bytes, host: frozenset[BackendName], *, open_to_visitors: bool) -> None:
        self._key = key
        self._host = host
        self._open = open_to_visitors

    def who_may(self, backend: BackendName, access: Access) -> Admission:
        """Whose credentials this caller's question to *backend* is asked with.

        The host's serve whoever shows the key, on every door; without it only on the page and the
        Gradio API, and only where the host opened them. A Neptun cookie goes to Neptun only. What
        begins like a key and is none is refused and never forwarded.
        Raises `Unauthorized`, and `Unavailable` for a back end that is not set up.
        """
        shown = self.recognise(access.credential)
        if backend == "neptun" and shown.cookie is not None:
            return Admission(cookie=shown.cookie)
        if access.door == "http" and not shown.is_key:
            raise _refusal_at_a_route(backend, shown.cookie)
        if backend == "offline":
            return Admission()
        if backend not in self._host:
            raise _not_set_up(backend, is_key=shown.is_key)
        if not shown.is_key and not self._open:
            raise _needs_the_key(backend)
        return Admission(spends=True)

    def recognise(self, credential: str) -> Shown:
        """What *credential* is. Raises `Unauthorized` for a wrong key, and for what no cookie can be."""
        shown = bare_cookie(credential)
        if not shown:
            return Shown()
        if hmac.compare_digest(digest(shown), self._key):
            return Shown(is_key=True)
        return Shown(cookie=self._cookie(shown))

    @staticmethod
    def _cookie(shown: str) -> SecretStr:
        if shown.lower().startswith(KEY_PREFIX):
            raise Unauthorized(
                "That is not this playground's key.",
                "Ask the host. A key that was made at start is printed there, and is another after a restart.",
            )
        if not COOKIE_OCTETS.fullmatch(shown):
            raise Unauthorized(
                "The credential holds characters that no cookie can hold.",
                "Copy the value of the neptun-session cookie alone, without spaces, quotes or line breaks.",
            )
        return SecretStr(shown)


def _refusal_at_a_route(backend: BackendName, cookie: SecretStr | None) -> Unauthorized:
    if cookie is None:
        return Unauthorized(
            "This route needs a session.",
            "Send Cookie: neptun-session=… with this playground's key or with your own Neptun session.",
        )
    return Unauthorized(
        f"A Neptun session cannot be used with the {backend} back end.",
        "Add backend=neptun to the query, or send this playground's key instead.",
    )


def _not_set_up(backend: BackendName, *, is_key: bool) -> Unauthorized | Unavailable:
    if backend == "neptun":  # it is there for everybody who has a cookie
        needs = "That is the playground's key, but Neptun" if is_key else "The Neptun endpoint"
        return NeedsACookie(
            f"{needs} needs a session, and the host has set up none.",
            "Log in to Neptun and give the value of your neptun-session cookie.",
        )
    return Unavailable(
        "Workers AI is not set up here.",
        "The host sets CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN; use another back end.",
    )


def _needs_the_key(backend: BackendName) -> Unauthorized:
    own = ", or your own Neptun cookie" if backend == "neptun" else ""
    return Unauthorized(
        "The host keeps this account for those who have the playground's key.",
        f"Enter the key{own}, or choose the offline guide.",
    )
