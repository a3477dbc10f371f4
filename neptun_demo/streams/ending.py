"""How an answer ends: what the far end said about it, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

from neptun_demo.errors import Cut, Malformed, PlaygroundError, Reported

from .values import Json

FAR_END = "The far end"
"""Who sent a body, where nobody knows a better name."""

LONGEST_WORDS = 500
"""Characters of the far end's words that go into our sentence; `Reported.words` has all of them."""


@dataclass(slots=True)
class Ending:
    """What the units of one body told about its end.

    *reason* is the far end's last word for the end of the answer, *step* its word for the end of the
    last step, which counts if the answer's own is missing. *error* holds the words of the first error
    that it reported. *done*: it said `[DONE]`. *cut*: the body ended inside a unit. *malformed*: a unit
    was left out. *who* sent the body, as a sentence begins with it.
    """

    who: str = FAR_END
    reason: str | None = None
    step: str | None = None
    error: str | None = None
    done: bool = False
    cut: bool = False
    malformed: bool = False

    @property
    def named(self) -> str | None:
        """The far end's reason, if it named one."""
        return self.reason or self.step

    def report(self, words: str) -> None:
        """Keep the first error: those behind it tend to be its consequences."""
        if self.error is None:
            self.error = words

    def failure(self, broken: PlaygroundError | None) -> PlaygroundError | None:
        """Give what failed, if anything. *broken* is what ended the reading before the body's end."""
        if self.error is not None or self.named == "error":
            return reported(self.error or "", self.who)
        if broken:
            return broken
        if self.cut:
            return Cut(
                f"{self.who}'s answer broke off before its end.",
                "The text so far is good; ask again for the whole of it.",
            )
        if self.malformed:
            return Malformed(
                f"{self.who} sent a part that could not be read; it is missing from the text.",
                "Ask again if the answer makes no sense without it.",
            )
        return None


def reported(words: str, who: str) -> Reported:
    """Give the error for the own *words* of *who* sent the body, which may be none."""
    said = f"{who} reported an error in the middle of its answer"
    shown = words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}…"
    return Reported(
        f"{said}: {shown}" if shown else f"{said} and did not say which.",
        "The text so far is good; ask again in a moment.",
        words=words,
    )


def error_words(payload: Json) -> str | None:
    """Give the words of an error in any of its shapes, `None` if *payload* reports none.

    OpenAI's and Cloudflare's objects, TGI's bare string, older vLLM's `{"object":"error"}`; keys that
    are there but empty (`"error": null`, `"errors": []`) report nothing.
    """
    if not (payload.get("error") or payload.get("errors") or payload.get("object") == "error"):
        return None
    match payload:
        case {"error": str(words)} | {"error": {"message": str(words)}} if words:
            return words
        case {"errors": [{"message": str(words)} | str(words), *_]} | {"message": str(words)}:
            return words
    return ""
