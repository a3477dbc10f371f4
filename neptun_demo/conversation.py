"""From what a page keeps to what is sent: one transcript, its messages, and the room they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from .contract import Message, is_blank, quoted
from .errors import Refused, TooLarge

# UTF-8 bytes per token, on the safe side: English text has about four, code and other scripts fewer.
BYTES_PER_TOKEN = 3


def messages_of(transcript: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The messages of a transcript of Gradio's message dictionaries.

    `content` is text, a part, or a list of parts. A message with `metadata` (thinking, notices, numbers)
    is no part of the conversation. The text so far of a stopped or cut answer is; pieces of one answer
    become one message. A question that got no text is left out, unless it is the last. Raises `Refused`
    for a part that is not text, and for roles other than user and assistant.
    """
    turns: list[Message] = []
    for place, entry in enumerate(transcript):
        if _is_a_note(entry.get("metadata")):
            continue
        message = Message(role=_role_of(entry, place), content=_text_of(entry.get("content"), place))
        if is_blank(message.content):
            continue
        if turns and turns[-1].role == message.role == "assistant":
            turns[-1] = Message(role="assistant", content=turns[-1].content + message.content)
        else:
            turns.append(message)
    return [*(first for first, second in pairwise(turns) if _is_answered(first, second)), *turns[-1:]]


def _is_a_note(metadata: Mapping[str, Any] | None) -> bool:
    # Gradio gives every message metadata; in those of a plain one nothing is filled in.
    return any(value not in (None, "") for value in (metadata or {}).values())


def _is_answered(message: Message, following: Message) -> bool:
    return message.role == "assistant" or following.role == "assistant"


def _role_of(entry: Mapping[str, Any], place: int) -> Literal["user", "assistant"]:
    match entry.get("role"):
        case "user":
            return "user"
        case "assistant":
            return "assistant"
        case _:
            raise Refused(f"Message {place + 1} is neither the user's nor the assistant's.")


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
        case {"type": str(kind)}:
            raise Refused(f"Message {place + 1} holds a part of type {quoted(kind)}.", "Only text can be sent.")
        case _:
            raise Refused(f"Message {place + 1} holds something that is not text.", "Only text can be sent.")


def tokens(text: str) -> int:
    """How many tokens *text* has, estimated on the safe side."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def weight(message: Message) -> int:
    """How many tokens *message* has where it is sent as it is."""
    return tokens(message.content)


def trimmed(
    messages: Sequence[Message], room: int | None, system: str = "", weigh: Callable[[Message], int] = weight
) -> tuple[list[Message], int]:
    """The newest messages that fit into *room* tokens beside the system prompt, and how many were dropped.

    *weigh* tells the tokens of a message as it is sent.

    At least one message is needed; the last one always stays. What is left of a trimmed conversation
    starts with a question. No *room* (`None`) is room for all. Raises `TooLarge` when the last message
    alone does not fit.
    """
    if room is None:
        return list(messages), 0
    left = room - tokens(system)
    first = len(messages)
    while first and (left := left - weigh(messages[first - 1])) >= 0:
        first -= 1
    if first == len(messages):
        raise _too_large(weigh(messages[-1]), room, system)
    while 0 < first < len(messages) - 1 and messages[first].role != "user":
        first += 1
    return list(messages[first:]), first


def _too_large(last: int, room: int, system: str) -> TooLarge:
    beside = " beside the system prompt" if system else ""
    return TooLarge(
        f"The last message is about {last:,} tokens long (estimated); there is room for"
        f" {max(0, room - tokens(system)):,}{beside}.",
        "Shorten it. Where the output cap can be lowered or another model chosen, that makes room too.",
    )
