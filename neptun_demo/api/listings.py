"""What a program may ask before it asks a question: the models, its credential, what is set up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import NoReturn

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response
from starlette.routing import BaseRoute

from neptun_demo.access import Access
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import ModelConfiguration
from neptun_demo.errors import Unauthorized
from neptun_demo.models import TITLES
from neptun_demo.settings import BackendName

from .bodies import credential, failure, json_response, other_methods
from .specification import AUTH_CHECK, HEALTH, MODELS


class ModelList(BaseModel):
    """The endpoint's own shape (recording `get_models`).

    *models* are `publisher/name`. The keys of *endpoints* are what `backend` takes in the query.
    """

    configurations: dict[str, dict[str, ModelConfiguration]]
    models: list[str]
    endpoints: dict[str, list[str]]


class BackendState(BaseModel):
    """A back end. *set_up*: it answers with the host's credentials, or needs none.

    *models* are on offer; *live* says whether the list came from the far end.
    """

    name: BackendName
    title: str
    set_up: bool
    models: int
    live: bool


class Health(BaseModel):
    """What is set up, without secrets. *model* and *backend* answer a caller who names none."""

    model_config = ConfigDict(frozen=True)

    status: str
    backend: BackendName
    model: str
    backends: list[BackendState]


def routes(chat: Chat) -> Sequence[BaseRoute]:
    """The routes that answer no question."""
    router = APIRouter()

    @router.get("/models", response_model=ModelList, **MODELS)
    async def list_the_endpoints_models(_: Request) -> Response:
        """The rows of the back ends that can be asked. Descriptions are the far ends', and may hold HTML."""
        return json_response(model_list(chat))

    @router.head("/api/auth/check", response_class=Response, **AUTH_CHECK)
    async def check_the_credential(request: Request) -> Response:
        """As the endpoint checks a session. What else a credential may be worth, only its back end can tell."""
        try:
            await _show(chat, Access("http", credential(request)))
        except Unauthorized as error:
            return failure(error, {})
        return Response(status_code=204, headers={"Cache-Control": "no-cache"})

    @router.get("/health", response_model=Health, **HEALTH)
    async def health(_: Request) -> Response:
        """Without secrets."""
        return json_response(state(chat))

    return [
        *router.routes,
        other_methods("/models", "GET, HEAD"),
        other_methods("/api/auth/check", "HEAD"),
        other_methods("/health", "GET, HEAD"),
    ]


def model_list(chat: Chat) -> ModelList:
    """The models of the back ends that can be asked here, in the endpoint's shape."""
    listing = ModelList(configurations={}, models=[], endpoints={})
    for backend in chat.backends:
        for model in chat.catalogue.rows(backend):
            row = model.row
            listing.configurations.setdefault(row.publisher, {})[row.name] = row
            listing.models.append(f"{row.publisher}/{row.name}")
            listing.endpoints.setdefault(backend, []).append(f"/api/ai/cloudflare/{row.name}/chat")
    return listing


def state(chat: Chat) -> Health:
    """Every back end, those that are not set up included."""
    backends = [
        BackendState(
            name=name,
            title=TITLES[name],
            set_up=chat.set_up(name),
            models=len(chat.catalogue.rows(name)),
            live=chat.catalogue.is_live(name),
        )
        for name in TITLES
    ]
    default = chat.default_backend
    return Health(status="ok", backend=default, model=chat.default_model(default).name, backends=backends)


class _Withdrawn(Exception):
    """The question was taken back: all that was asked is whether it may be put."""


async def _show(chat: Chat, access: Access) -> None:
    """Show a credential and ask nothing; raises `Unauthorized` for one that is not the playground's key.

    Who may is decided in `reply()` and nowhere else. The offline guide takes the key alone on HTTP routes.
    """

    def withdrawn() -> NoReturn:
        raise _Withdrawn

    async with aclosing(chat.reply(withdrawn, Options(backend="offline"), access)) as events:
        try:
            await anext(events)
        except _Withdrawn:
            return
