"""OpenAI's routes over all back ends: `POST /v1/chat/completions` and `GET /v1/models`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from neptun_demo.access import Access
from neptun_demo.chat import Chat
from neptun_demo.contract import quoted

from .answering import Answering, Asked, streamed
from .bodies import credential, json_response, whole_body
from .completion_answer import listed, whole, wire
from .completion_errors import failure_of, outside
from .completion_request import completion
from .specification import COMPLETIONS, OPENAI_MODEL, OPENAI_MODELS


def routes(chat: Chat) -> Sequence[BaseRoute]:
    """OpenAI's routes; what lies beside them below `/v1/` is refused in OpenAI's shape."""
    router = APIRouter()

    @router.post("/v1/chat/completions", response_class=Response, **COMPLETIONS)
    async def create_a_chat_completion(request: Request) -> Response:
        """For programs that speak to OpenAI: set their base address to `…/v1`, and their API key.

        The key is the playground's, or, for models of the Neptun back end (`neptun/NAME`), the value of a
        neptun-session cookie. System and developer messages become the system prompt, thinking is
        `reasoning_content`. With `stream` the answer comes as server-sent events; a failure after the first
        one is an event with an `error`, at which clients raise. `native_finish_reason` is the far end's own
        word for why it ended, or an estimate. A failure with `X-Should-Retry: false` was
        tried again already, where that is safe.
        """
        asked = completion(chat, await whole_body(request))
        way = streamed(wire(include_usage=asked.include_usage)) if asked.stream else whole
        access = Access("http", credential(request))
        return Answering(chat, Asked(asked.conversation, asked.options, access), way, failure_of(asked.names))

    @router.get("/v1/models", **OPENAI_MODELS)
    async def list_the_models(_: Request) -> Response:
        """Each as `backend/NAME`; a model's other names are understood too."""
        return json_response({"object": "list", "data": list(_models(chat))})

    @router.get("/v1/models/{model:path}", **OPENAI_MODEL)
    async def retrieve_a_model(request: Request) -> Response:
        """The row of the list."""
        name = request.path_params["model"]
        for model in _models(chat):
            if model["id"] == name:
                return json_response(model)
        return outside(404, f"There is no model {quoted(name)}; GET /v1/models lists them.", "model_not_found")

    return [*router.routes, *_others()]


def _others() -> Iterator[Route]:
    """What is asked for at OpenAI's addresses and is not here."""
    # A response is an ASGI application: as an endpoint it takes every method that is left.
    for path, allowed in (
        ("/v1/chat/completions", "POST"),
        ("/v1/models", "GET, HEAD"),
        ("/v1/models/{model:path}", "GET, HEAD"),
    ):
        message = f"This route takes {allowed} alone."
        yield Route(path, outside(405, message, "method_not_supported", {"Allow": allowed}))
    message = "Of OpenAI's routes there are /v1/chat/completions and /v1/models here."
    yield Route("/v1/{rest:path}", outside(404, message, "unknown_url"))


def _models(chat: Chat) -> Iterator[dict[str, Any]]:
    """The models of the back ends that can be asked here. Far ends do not say when a model was made."""
    for backend in chat.backends:
        rows = chat.catalogue.rows(backend)
        names = Counter(row.name for row in rows)
        for row in rows:
            name = listed(backend, row.name) if names[row.name] == 1 else f"{backend}/{row.id}"
            yield {"id": name, "object": "model", "created": 0, "owned_by": row.row.publisher}
