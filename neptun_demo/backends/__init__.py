"""The back ends, and `connect()`: the one place where secrets are opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from neptun_demo.models import Model
from neptun_demo.settings import BackendName, Settings

from .http import Upstream
from .neptun import Neptun
from .offline import Offline
from .protocol import Backend, NoWatch, Question, Retry, Watch
from .workers_ai import WorkersAI

__all__ = [
    "Backend",
    "Connections",
    "NoWatch",
    "Question",
    "Retry",
    "Watch",
    "connect",
    "digest",
]


@dataclass(frozen=True, slots=True)
class Connections:
    """What the settings lead to. *host* names the back ends with credentials of the host.

    *key* is the digest of the playground's key; *listings* fetch the live lists of models.
    """

    backends: Mapping[BackendName, Backend]
    listings: Mapping[BackendName, Callable[[], Awaitable[list[Model]]]]
    host: frozenset[BackendName]
    key: bytes = field(repr=False)

    async def aclose(self) -> None:
        """Close every connection."""
        for backend in self.backends.values():
            await backend.aclose()


def digest(key: str) -> bytes:
    """What is kept of the playground's key: enough to recognise it, and of one length for every guess."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def connect(settings: Settings) -> Connections:
    """The back ends of *settings*. Opens its secrets; no connection is made before the first question."""
    session, token = settings.neptun_session, settings.cloudflare_api_token
    neptun = Neptun(
        _upstream("The Neptun endpoint", settings),
        settings.neptun_base_url,
        session.get_secret_value() if session else None,
    )
    backends: dict[BackendName, Backend] = {"neptun": neptun, "offline": Offline()}
    listings: dict[BackendName, Callable[[], Awaitable[list[Model]]]] = {"neptun": neptun.models}
    host: set[BackendName] = {"neptun"} if session else set()
    if token and settings.cloudflare_account_id:
        workers_ai = WorkersAI(
            _upstream("Workers AI", settings),
            settings.cloudflare_base_url,
            settings.cloudflare_account_id,
            token.get_secret_value(),
        )
        backends["workers-ai"] = workers_ai
        listings["workers-ai"] = workers_ai.models
        host.add("workers-ai")
    key = digest(settings.playground_session.get_secret_value())
    return Connections(backends, listings, frozenset(host), key)


def _upstream(who: str, settings: Settings) -> Upstream:
    return Upstream(
        who,
        connect_timeout=settings.playground_connect_timeout,
        idle_timeout=settings.playground_idle_timeout,
    )
