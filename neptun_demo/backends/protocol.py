"""What a back end is: something that answers a question with a stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from pydantic import SecretStr

from neptun_demo.contract import Message
from neptun_demo.models import Model
from neptun_demo.settings import BackendName
from neptun_demo.streams import Event


@dataclass(frozen=True, slots=True)
class Retry:
    """A wait before the same request is sent again; shown, since the person waits with it.

    *seconds* until the next try, *attempt* the number of that try (2 or 3), *reason* one sentence.
    """

    seconds: float
    attempt: int
    reason: str


class Watch(Protocol):
    """What wants to see the wire. Credentials are already replaced by their environment names."""

    def sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None: ...

    def headers(self, status: int, headers: Mapping[str, str]) -> None: ...

    def piece(self, piece: bytes) -> None: ...


class NoWatch:
    """Sees nothing."""

    def sent(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Pass."""

    def headers(self, status: int, headers: Mapping[str, str]) -> None:
        """Pass."""

    def piece(self, piece: bytes) -> None:
        """Pass."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, checked and trimmed, as a back end gets it.

    *asked* is the model's name as the caller wrote it. *parameters* are the sampling parameters in
    Workers AI's names, checked against the model's ranges.
    *cookie* is the visitor's own Neptun session; `None` means the host's credentials.
    *conversation* is an id that stays the same over one conversation (for cached prompts).
    """

    model: Model
    messages: Sequence[Message]
    asked: str = ""
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cookie: SecretStr | None = None
    chat_id: int = -1
    is_playground: bool = True
    conversation: str = ""
    watch: Watch = field(default_factory=NoWatch)


class Backend(Protocol):
    """A back end. It is stateless but for its connections: one object answers everybody."""

    name: BackendName

    def escaped(self, messages: Sequence[Message]) -> int:
        """How many characters of *messages* are escaped in what is sent."""
        ...

    def check(self, question: Question) -> None:
        """Raise `Refused` for what this back end cannot be asked; nothing is sent."""
        ...

    def answer(self, question: Question) -> AsyncGenerator[Event | Retry, None]:
        """The events of the answer, the last one a `Finish`. Raises `PlaygroundError`.

        Whoever iterates closes it (`aclosing`), and with it the connection.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


@runtime_checkable
class KnowsSessions(Protocol):
    """A back end that can tell whether a session is good, without asking anything with it."""

    async def knows(self, cookie: SecretStr) -> bool:
        """Whether the far end knows the session. Raises `UpstreamError` if it does not tell in time."""
        ...
