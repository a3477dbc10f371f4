"""What the two far ends are asked: addresses and bodies as plain values. Nothing is sent from here.

The back ends send them, and the code that the page shows spells them out, so that both ask the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from neptun_demo.contract import Message, is_blank

ACCEPT = "text/event-stream, text/plain, application/json"
"""Never text/html: the endpoint's framework would then send its errors as a page of 150 kB."""


def neptun_address(base: str, name: str, chat_id: int, *, temporary: bool) -> str:
    """The documented route of the model *name*.

    Both values of the query are always there: the server answers 400 if either is absent (recorded).
    """
    word = str(temporary).lower()  # the server takes the lower-case word only
    route = f"{base}/api/ai/cloudflare/{quote(name, safe='')}/chat"
    return f"{route}?chat_id={chat_id}&is_playground={word}"


def neptun_body(messages: Sequence[Message]) -> dict[str, Any]:
    """The body as the endpoint takes it: empty assistant turns dropped, `<` and `>` escaped.

    The server refuses a request with a blank content anywhere in its history, and one with a bare
    `<` or `>` in it (recordings `content_blank_earlier`, `xss_*`).
    """
    sent = [
        {"role": message.role, "content": message.content.replace("<", "&lt;").replace(">", "&gt;")}
        for message in messages
        if message.role == "user" or not is_blank(message.content)
    ]
    return {"messages": sent}


def is_gateway(base: str) -> bool:
    """Whether *base* is an AI Gateway's address, in which the account stands already."""
    return base.endswith("/workers-ai")


def workers_ai_address(base: str, account: str, model_id: str) -> str:
    """Where the model *model_id* is run, for the *account* or behind an AI Gateway."""
    return f"{base if is_gateway(base) else f'{base}/accounts/{account}/ai/run'}/{model_id}"


def workers_ai_body(
    messages: Sequence[Message], system: str, parameters: Mapping[str, Any], *, stream: bool
) -> dict[str, Any]:
    """The body of a run: the system prompt as the first message, *parameters* in Workers AI's names."""
    first = [{"role": "system", "content": system}] if system else []
    said = [{"role": message.role, "content": message.content} for message in messages]
    return {"messages": [*first, *said], "stream": stream, **parameters}
