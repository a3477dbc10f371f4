"""From what a page keeps to what is sent: one transcript, its messages, and the room they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .contract import Message, is_blank
from .errors import Refused, TooLarge

# UTF-8 bytes per token, on the safe side: English text has about four, code and other scripts fewer.
BYTES_PER_TOKEN = 3


def messages_of(transcript: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The messages of a transcript of Gradio's message dictionaries.

    `content` is text or a list of parts. A message with `metadata` (thinking, notices, numbers) is no
    part of the conversation. The text so far of a stopped or cut answer is; a question that got no
    text is left out, unless it is the last. Raises `Refused` for a part that is not text.
    """
    turns: list[Message] = []
    for place, entry in enumerate(transcript):
        if any((entry.get("metadata") or {}).values()):
            continue
        text = _text_of(entry.get("content"), place)
        if is_blank(text):
            continue
        if turns and turns[-1].role == entry["role"] == "assistant":
            text = turns.pop().content + text
        turns.append(Message(role=entry["role"], content=text))
    return [*(first for first, second in pairwise(turns) if _is_answered(first, second)), *turns[-1:]]


def _is_answered(message: Message, following: Message) -> bool:
    return message.role == "assistant" or following.role == "assistant"


def _text_of(content: Any, place: int) -> str:
    match content:
        case None:
            return ""
        case str():
            return content
        case {"type": "text", "text": str(text)}:
            return text
        case list():
            return "".join(_text_of(part, place) for part in content)
        case _:
            raise Refused(f"Message {place + 1} holds something that is not text.", "Only text can be sent.")


def tokens(text: str) -> int:
    """How many tokens *text* has, estimated on the safe side."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def trimmed(messages: Sequence[Message], room: int | None, system: str = "") -> tuple[list[Message], int]:
    """The newest messages that fit into *room* tokens beside the system prompt, and how many were dropped.

    The last message always stays, and what is left of a trimmed conversation starts with a question.
    Raises `TooLarge` when the last message alone does not fit.
    """
    if room is None:
        return list(messages), 0
    left = room - tokens(system)
    kept = len(messages)
    for message in reversed(messages):
        left -= tokens(message.content)
        if left < 0:
            break
        kept -= 1
    if kept == len(messages):
        raise TooLarge(
            f"The last message is about {tokens(messages[-1].content):,} tokens long (estimated);"
            f" there is room for {max(0, room - tokens(system)):,}.",
            "Shorten it, lower the output cap, or choose a model with a larger context window.",
        )
    while 0 < kept < len(messages) - 1 and messages[kept].role != "user":
        kept += 1
    return list(messages[kept:]), kept
