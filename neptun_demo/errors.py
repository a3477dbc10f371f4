"""Everything that can go wrong, each with its HTTP status and one sentence for a person.

    PlaygroundError
      Refused                400  what was asked cannot be sent as it is
        UnknownModel         400  "Invalid model name"
        Unavailable          400  "Service not available anymore."
        Unauthorized         401  no credential, a wrong one, or one that this back end cannot use
        TooLarge             413  the question is larger than the far end takes
        OverBudget           429  the host's credentials have no answers left for now
      UpstreamError          502  the far end, or the way to it, failed
        Rejected             its own status: the far end refused before its first byte
        NoConnection         502  no connection could be made
        TimedOut             504  a time limit of this playground ended the wait
        Cut                  502  the body broke, or ended inside a unit
        Malformed            502  a finished unit of the body was not valid
        Reported             502  the far end reported an error in the middle of its answer
        EmptyAnswer          502  the answer ended without any text

Foreign exceptions are translated where they occur, once, and chained.
"""

from __future__ import annotations

from typing import Literal

AccountTrouble = Literal["quota", "token", "account", "session"]
"""What is wrong with the host's own account at a far end, whatever it is asked: its daily allocation is used
up, its token or session is refused, or it is not known."""

# The statusMessage of a status that the endpoint's documentation has no phrase for. The words for
# 405 and 413 are those of the endpoint's server (recordings `method_get`, `size_2000000`).
PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "HTTP method is not allowed.",
    408: "Request Timeout",
    413: "Payload Too Large",
    414: "URI Too Long",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class PlaygroundError(Exception):
    """A failure that a person can read.

    *sentence* says who failed and what happened, *advice* what to do now (it may be empty).
    *status* is the HTTP status for it, *phrase* the `statusMessage` of the documented error body.
    *retry_after* is the number of seconds after which the same request may work, where it is known.
    """

    status = 500
    phrase: str | None = None

    def __init__(
        self,
        sentence: str,
        advice: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice
        self.retry_after = retry_after
        if status is not None:
            self.status = status

    @property
    def message(self) -> str:
        """The sentence and, behind it, the advice."""
        return f"{self.sentence} {self.advice}".strip()

    @property
    def status_message(self) -> str:
        """The documented phrase where there is one, else the usual words for the status."""
        return self.phrase or PHRASES.get(self.status, "Error")


class Refused(PlaygroundError):
    """What was asked cannot be sent as it is."""

    status = 400


class UnknownModel(Refused):
    """No model of the back end bears that name."""

    phrase = "Invalid model name"


class Unavailable(Refused):
    """The model was retired, or its back end is not set up here."""

    phrase = "Service not available anymore."


class Unauthorized(Refused):
    """There is no credential, it is wrong, or this back end cannot use it."""

    status = 401


class NeedsACookie(Unauthorized):
    """Only a Neptun cookie of the caller's own would do: the playground's key has no session behind it."""


class TooLarge(Refused):
    """The question is larger than the far end takes."""

    status = 413


class OverBudget(Refused):
    """The host's credentials have no answers left for now; `retry_after` says until when."""

    status = 429


class UpstreamError(PlaygroundError):
    """The far end, or the way to it, failed."""

    status = 502


class Rejected(UpstreamError):
    """The far end refused before its first byte.

    *status* is the one that our callers get, *upstream_status* the one that the far end sent, *code*
    its own error code, if it named one, *trouble* what it tells about the host's account, if it does.
    """

    def __init__(
        self,
        sentence: str,
        advice: str = "",
        *,
        status: int,
        upstream_status: int | None = None,
        code: int | None = None,
        phrase: str | None = None,
        retry_after: float | None = None,
        trouble: AccountTrouble | None = None,
    ) -> None:
        super().__init__(sentence, advice, status=status, retry_after=retry_after)
        self.upstream_status = upstream_status or status
        self.code = code
        self.phrase = phrase
        self.trouble = trouble


class NoConnection(UpstreamError):
    """No connection could be made."""


class TimedOut(UpstreamError):
    """A time limit of this playground ended the wait."""

    status = 504


class Cut(UpstreamError):
    """The body broke, or ended inside a unit. The text so far is good."""


class Malformed(UpstreamError):
    """A finished unit of the body was not valid; it was left out, the rest was read."""


class Reported(UpstreamError):
    """The far end reported an error in the middle of its answer; *words* are its own."""

    def __init__(self, sentence: str, advice: str = "", *, words: str = "") -> None:
        super().__init__(sentence, advice)
        self.words = words


class EmptyAnswer(UpstreamError):
    """The answer ended without any text."""
