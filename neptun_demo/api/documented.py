"""The documented route, with the documented query, cookie, body, statuses and error bodies.

The optional query `stream_protocol` chooses the wire: `text` as documented, `data` and `ui` for the two
generations of the AI SDK.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute

from neptun_demo.access import Access
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import ChatRequest, Message, quoted
from neptun_demo.errors import Refused
from neptun_demo.streams import WIRES, Wire

from .answering import Answering, Asked, streamed
from .bodies import credential, decoded, failure, other_methods, whole_body
from .specification import chat_described

CHAT_PATH = "/api/ai/cloudflare/{model_name:path}/chat"

_TRUTH: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


def routes(chat: Chat) -> Sequence[BaseRoute]:
    """The documented route of *chat*."""
    router = APIRouter()

    @router.post(CHAT_PATH, response_class=Response, **chat_described([*chat.backends]))
    async def chat_with_the_endpoint(request: Request) -> Response:
        """The answer comes as it is written, on the wire that `stream_protocol` chooses.

        - `text` is the text itself, as documented. A failure after the first text breaks the body off without
          its end, which most clients report as an error.
        - `data` is the data stream of AI SDK 4: lines such as `0:"text"`, `g:"thinking"`, `3:"failure"`, and
          `d:{…}` at the end.
        - `ui` is the UI message stream of AI SDK 5 and newer: server-sent events, with an `error` part for a
          failure, and `[DONE]` at the end.

        The status is decided before the first event that the wire carries: text, on `data` and `ui` thinking
        too. The checks come in this order: method, size, credential, query, body, model. A model that is not
        known is `Invalid model name`; one that was retired, or whose back end is not set up here, is `Service
        not available anymore.`
        """
        query, complaint = _query(request.query_params)
        asked = _asked(request, await whole_body(request), query, complaint)
        return Answering(chat, asked, streamed(query.wire), failure)

    otherwise = other_methods(CHAT_PATH, "POST", {"X-Chat-Backend": chat.default_backend})
    return [*router.routes, otherwise]


def _asked(request: Request, body: bytes, query: Query, complaint: Refused | None) -> Asked:
    def conversation() -> Sequence[Message]:
        """Called by `reply()` once it is known who may: a wrong credential is answered before this."""
        if complaint is not None:
            raise complaint
        return ChatRequest.of(decoded(body)).messages

    options = Options(
        backend=request.query_params.get("backend", ""),
        model=request.path_params["model_name"] or " ",  # no name is no model's here; to `reply()` it is any
        chat_id=query.chat_id,
        is_playground=query.is_playground,
    )
    return Asked(conversation, options, Access("http", credential(request)), not query.is_playground)


@dataclass(frozen=True, slots=True)
class Query:
    """The query. The documentation calls `is_playground` optional: absent is false."""

    chat_id: int = -1
    is_playground: bool = False
    wire: Wire = field(default=WIRES["text"])


def _query(given: QueryParams) -> tuple[Query, Refused | None]:
    """The query, and what is wrong with it, to be raised in its turn."""
    one = partial(_one, given)
    try:
        one("backend")
        return Query(_whole(one("chat_id")), _truth(one("is_playground")), _wire(one("stream_protocol"))), None
    except Refused as complaint:
        return Query(), complaint


def _one(given: QueryParams, name: str) -> str | None:
    values = given.getlist(name)
    if len(values) > 1:
        raise Refused(f"{name} is given {len(values)} times.", "Give it once.")
    return values[0] if values else None


def _whole(chat_id: str | None) -> int:
    if chat_id is None:
        raise Refused("chat_id is missing.", "Add it to the query; -1 with is_playground=true stores nothing.")
    digits = chat_id.strip()
    if not digits.removeprefix("-").isascii() or not digits.removeprefix("-").isdigit() or len(digits) > 20:
        raise Refused(f"chat_id must be a whole number, not {chat_id[:40]!r}.")
    return int(digits)


def _truth(is_playground: str | None) -> bool:
    if is_playground is None:
        return False
    if is_playground.strip().lower() not in _TRUTH:
        raise Refused(f"is_playground must be true or false, not {is_playground[:40]!r}.")
    return _TRUTH[is_playground.strip().lower()]


def _wire(stream_protocol: str | None) -> Wire:
    if stream_protocol is None:
        return WIRES["text"]
    if stream_protocol not in WIRES:
        raise Refused(f"stream_protocol must be {_listed(list(WIRES))}, not {quoted(stream_protocol)}.")
    return WIRES[stream_protocol]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
