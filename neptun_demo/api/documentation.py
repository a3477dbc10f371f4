"""The documentation of the routes: `/api/openapi.json` for programs, `/api/docs` for people.

The page is made here from the same specification, without a script, and without a font of others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, Template
from markdown_it import MarkdownIt
from markupsafe import Markup
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from neptun_demo.contract import ChatRequest

from .bodies import json_response, other_methods
from .completion_shape import ChatCompletionChunk, CompletionRequest
from .specification import SECURITY_SCHEMES

ABOUT = (
    "Doors for scripts and other programs. Each leads to the same answers as the page: from the Neptun"
    " endpoint, from Cloudflare Workers AI, or from the offline guide, as the host has set them up.\n\n"
    "**One credential** opens them: the playground's key, which is printed where the app is started unless the"
    " host chose it; or, for the Neptun back end, the value of your own `neptun-session` cookie."
)

_SAID = {"type": "string", "pattern": r"[^\s\ufeff]", "description": "Not blank."}
_TEXT_PART = {
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    "required": ["type", "text"],
}
_MUTE_PART = {"properties": {"type": {"enum": ["step-start", "reasoning"]}}, "required": ["type"]}

MESSAGE: Mapping[str, Any] = {
    "title": "Message",
    "description": "One turn, with its text as `content`, or as `parts`, as AI SDK 5 and newer send it."
    " Other fields (`id`, `createdAt`, …) are passed over.",
    "type": "object",
    "properties": {
        "role": {"type": "string", "enum": ["user", "assistant"]},
        "content": {"anyOf": [_SAID, {"type": "null"}]},
        "parts": {"description": "Read where there is no `content`: text, and thinking, which is passed over."},
        "isStreaming": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "required": ["role"],
    "anyOf": [
        {"properties": {"content": _SAID}, "required": ["content"]},
        {
            "properties": {
                "content": {"type": "null"},
                "parts": {
                    "type": "array",
                    "items": {"type": "object", "anyOf": [_TEXT_PART, _MUTE_PART]},
                    "contains": {"properties": {"type": {"const": "text"}, "text": _SAID}},
                },
            },
            "required": ["parts"],
        },
    ],
}
"""A message as the documented route takes it: `contract.Message`, and what it makes of `parts`."""

# Fields of a specification that hold Markdown.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")


def routes(doors: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The documentation of *doors*."""
    router = APIRouter(include_in_schema=False)

    @cache
    def described(root: str) -> dict[str, Any]:
        return specification(doors, root)

    # No coroutines: to describe everything takes a moment, in which answers go on.
    @router.get("/api/openapi.json")
    def openapi(request: Request) -> Response:
        return json_response(described(request.scope.get("root_path", "")))

    @router.get("/api/docs")
    def docs(request: Request) -> Response:
        page = _page().render(spec=described(request.scope.get("root_path", "")))
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    return [
        *router.routes,
        other_methods("/api/openapi.json", "GET, HEAD"),
        other_methods("/api/docs", "GET, HEAD"),
    ]


def specification(doors: Sequence[BaseRoute], root: str) -> dict[str, Any]:
    """The OpenAPI document of *doors*, which a proxy serves below *root*."""
    spec: dict[str, Any] = get_openapi(
        title="Neptun Playground",
        version="1",
        description=ABOUT,
        routes=doors,
        servers=[{"url": root or "/"}],
    )
    # The routes read their bodies themselves, so FastAPI knows nothing of these.
    _, described = models_json_schema(
        [
            (ChatRequest, "validation"),
            (CompletionRequest, "validation"),
            (ChatCompletionChunk, "serialization"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    schemas = {**spec["components"]["schemas"], **described["$defs"], "Message": MESSAGE}
    spec["components"] = {"schemas": schemas, "securitySchemes": SECURITY_SCHEMES}
    return spec


@cache
def _page() -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["markdown"] = lambda text: Markup(_MARKDOWN.render(text))  # noqa: S704 - its HTML is off
    environment.filters["kind"] = kind
    return environment.from_string(Path(__file__).with_name("documentation.html").read_text("utf-8"))


def kind(schema: dict[str, Any]) -> str:
    """What may stand there, in a few words: `integer`, `list of Turn`, `text or data or ui`."""
    match schema:
        case {"$ref": str(reference)}:
            return reference.rsplit("/", 1)[-1]
        case {"anyOf": list(choices)}:
            return " or ".join(dict.fromkeys(kind(choice) for choice in choices))
        case {"const": value}:
            return str(value)
        case {"enum": list(values)}:
            return " or ".join(map(str, values))
        case {"type": "array", "items": dict(items)}:
            return f"list of {kind(items)}"
        case {"type": list(types)}:
            return " or ".join(types)
        case {"additionalProperties": dict(values)}:
            return f"object of {kind(values)}"
        case _:
            return str(schema.get("type", "anything"))
