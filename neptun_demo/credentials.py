"""The check of a credential, in words: what it is, and whether who gave it out still knows it.

Nothing is asked with it but the far end's own check; no answer is counted, and the credential is in no word.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from .access import Shown
from .backends.protocol import Backend, KnowsSessions
from .errors import PlaygroundError
from .models import TITLES
from .settings import BackendName

Verdict = Literal["good", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. *sentence* says what it is, *advice* what follows or what to do."""

    verdict: Verdict
    sentence: str
    advice: str = ""


EMPTY = Finding(
    "unknown",
    "The box is empty.",
    "Paste the value of your neptun-session cookie, or this playground's key if the host gave it to you.",
)
SIGNED_IN = Finding(
    "good", "Signed in: Neptun knows this session.", "It is sent with questions to the Neptun endpoint only."
)
NOT_KNOWN = Finding(
    "bad",
    "The Neptun endpoint does not know this cookie.",
    "Has it expired, or was it not copied whole? Log in to Neptun and copy the value of neptun-session again.",
)


async def checked(shown: Shown, neptun: Backend, host: Collection[BackendName]) -> Finding:
    """What was *shown*, and whether it is good. *host* are the back ends that have an account of the host."""
    if shown.is_key:
        return _key(host)
    if shown.cookie is None:
        return EMPTY
    if not isinstance(neptun, KnowsSessions):
        return Finding("unknown", "There is nobody here who could check a cookie.")
    try:
        return SIGNED_IN if await neptun.knows(shown.cookie) else NOT_KNOWN
    except PlaygroundError as error:
        return unsure(error)


def refused(error: PlaygroundError) -> Finding:
    """What was shown is neither the key nor anything that a cookie can be."""
    return Finding("bad", error.sentence, error.advice)


def unsure(error: PlaygroundError) -> Finding:
    """The check itself failed."""
    return Finding("unknown", error.sentence, "So it is not known whether the cookie is good. Check it again.")


def _key(host: Collection[BackendName]) -> Finding:
    opens = [TITLES[name] for name in TITLES if name in host]
    if not opens:
        return Finding(
            "good",
            "This is the playground's key.",
            "It opens the routes for scripts; the host has set up no account that it could open.",
        )
    return Finding(
        "good", "This is the playground's key.", f"It opens, at the host's cost: {' and '.join(opens)}."
    )
