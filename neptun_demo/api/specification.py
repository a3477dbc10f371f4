"""What each route takes and answers, for `/api/openapi.json`: the keyword arguments of its decorator.

The descriptions are the routes' docstrings. The shapes of the endpoint's documentation come from
`contract.py`, OpenAI's from `completion_shape.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypedDict

from neptun_demo.contract import ErrorBody
from neptun_demo.models import DOCUMENTED, GUIDE, TITLES
from neptun_demo.streams import WIRES

from .completion_shape import ChatCompletion, ErrorAnswer, OpenAIModel, OpenAIModels


class Described(TypedDict, total=False):
    """The part of a route's decorator that says what it does."""

    tags: list[str | Enum] | None
    summary: str
    status_code: int
    responses: dict[int | str, dict[str, Any]]
    openapi_extra: dict[str, Any]


SECURITY_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The playground's key, or the value of a neptun-session cookie for the Neptun back end.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "neptun-session",
        "description": "The same as a cookie, as the endpoint documents it.",
    },
}
_SECURITY: Sequence[Mapping[str, Sequence[str]]] = [{name: []} for name in SECURITY_SCHEMES]

_REFUSALS: Mapping[int | str, str] = {
    400: "The request cannot be sent as it is; the message names the place.",
    401: "There is no credential, it is wrong, or it is one that the back end cannot use.",
    413: "The request, or the conversation in it, is larger than the far end takes.",
    429: "The host's budget or the far end's quota is used up, or the far end is busy.",
    500: "The far end, or the host's account there, failed before the answer began.",
    502: "The far end could not be reached, or answered without any text.",
    503: "The far end is not available.",
    504: "The far end took too long.",
    "4XX": "Any other status with which the Neptun endpoint refused.",
}


def _refusals(shape: type, *statuses: int | str) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": shape, "description": _REFUSALS[status], **_wait(status)} for status in statuses}


def _wait(status: int | str) -> dict[str, Any]:
    if status not in (429, 503):
        return {}
    return {"headers": {"Retry-After": {"description": "Seconds, if known.", "schema": {"type": "integer"}}}}


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


def _parameter(
    where: str, name: str, description: str, schema: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    required = where == "path"
    return {
        "name": name,
        "in": where,
        "required": required,
        "description": description,
        "schema": schema,
        **more,
    }


def _body(reference: str, example: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{reference}"}
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}


_QUESTION = [{"role": "user", "content": "Hello, how are you?"}]
_ANSWERER = {"X-Chat-Backend": _header("The back end that answers.", enum=[*TITLES])}
_DROPPED = {"X-Chat-Dropped": _header("How many of the oldest messages had no room, where some had none.")}
_ON_THE_UI_WIRE = """\
data: {"type":"start"}

data: {"type":"start-step"}

data: {"type":"text-start","id":"1"}

data: {"type":"text-delta","id":"1","delta":"Hello!"}

data: {"type":"text-end","id":"1"}

data: {"type":"finish-step"}

data: {"type":"finish","finishReason":"stop"}

data: [DONE]

"""
_ON_THE_DATA_WIRE = """\
0:"Hello!"
e:{"finishReason":"stop","isContinued":false}
d:{"finishReason":"stop"}
"""
_CHUNKS = """\
data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795400000,"model":"offline/offline-guide",\
"choices":[{"index":0,"logprobs":null,"delta":{"role":"assistant","content":"Hello!"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795400000,"model":"offline/offline-guide",\
"choices":[{"index":0,"logprobs":null,"delta":{},"finish_reason":"stop","native_finish_reason":"stop"}]}

data: [DONE]

"""
_CHUNK = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/ChatCompletionChunk"},
                    {"$ref": "#/components/schemas/ErrorAnswer"},
                ]
            },
            "description": "A chunk, or an error that ends the answer; `[DONE]` at the end.",
        }
    },
}


def chat_described(backends: Sequence[str]) -> Described:
    """The documented route, where *backends* can be asked."""
    return {
        "tags": ["The documented route"],
        "summary": "Ask the endpoint, or another back end in its place",
        "responses": {
            200: {
                "description": "The answer, as it comes.",
                "headers": {
                    **_ANSWERER,
                    "X-Chat-Stored": _header("Sent where a chat was to be stored and is not.", const="false"),
                    **_DROPPED,
                    "X-Vercel-AI-Data-Stream": _header("With `stream_protocol=data`.", const="v1"),
                    "X-Vercel-AI-UI-Message-Stream": _header("With `stream_protocol=ui`.", const="v1"),
                },
                "content": {
                    # No schema: on one wire it is text, on the other events.
                    "text/event-stream": {
                        "examples": {"text": {"value": "Hello!"}, "ui": {"value": _ON_THE_UI_WIRE}},
                    },
                    "text/plain": {
                        "schema": {"type": "string"},
                        "examples": {"data": {"value": _ON_THE_DATA_WIRE}},
                    },
                },
            },
            **_refusals(ErrorBody, 400, 401, 413, 429, 500, 502, 503, 504, "4XX"),
        },
        "openapi_extra": {
            "security": _SECURITY,
            "parameters": [
                _parameter(
                    "path",
                    "model_name",
                    "Any name of a model of the back end: `NAME`, `cloudflare/NAME`, `@cf/author/NAME`.",
                    {"type": "string", "minLength": 1},
                    examples={"documented": {"value": DOCUMENTED}, "offline": {"value": GUIDE}},
                ),
                _parameter(
                    "query",
                    "chat_id",
                    "The chat in which the turn is stored, a number of 32 bits. In a temporary chat it means"
                    " nothing; `-1` will do.",
                    {"type": "integer"},
                    required=True,
                    example=-1,
                ),
                _parameter(
                    "query",
                    "is_playground",
                    "Whether the chat is temporary; false where it is absent.",
                    {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false", "1", "0"]}]},
                    example=True,
                ),
                _parameter(
                    "query",
                    "backend",
                    "Who answers; the app's own choice where it is absent.",
                    {"enum": [*backends]},
                ),
                _parameter(
                    "query", "stream_protocol", "The wire; `text` where it is absent.", {"enum": [*WIRES]}
                ),
            ],
            "requestBody": _body("ChatRequest", {"messages": _QUESTION}),
        },
    }


COMPLETIONS: Described = {
    "tags": ["OpenAI-compatible"],
    "summary": "Ask any back end in OpenAI's shape",
    "responses": {
        200: {
            "model": ChatCompletion,
            "description": "The answer, in one piece or as chunks.",
            "headers": {**_ANSWERER, **_DROPPED},
            "content": {
                "text/event-stream": {"itemSchema": _CHUNK, "examples": {"chunks": {"value": _CHUNKS}}}
            },
        },
        404: {"model": ErrorAnswer, "description": "There is no such model, or it is no longer available."},
        **_refusals(ErrorAnswer, 400, 401, 429, 500, 502, 503, 504, "4XX"),
        413: {"model": ErrorAnswer, "description": "The request has 2,000,000 bytes or more."},
    },
    "openapi_extra": {
        "security": _SECURITY,
        "requestBody": _body(
            "CompletionRequest", {"model": f"offline/{GUIDE}", "messages": _QUESTION, "stream": True}
        ),
    },
}

OPENAI_MODELS: Described = {
    "tags": ["OpenAI-compatible"],
    "summary": "The models, in OpenAI's shape",
    "responses": {200: {"model": OpenAIModels, "description": "The models."}},
}

OPENAI_MODEL: Described = {
    "tags": ["OpenAI-compatible"],
    "summary": "One model, in OpenAI's shape",
    "responses": {
        200: {"model": OpenAIModel, "description": "The model."},
        404: {"model": ErrorAnswer, "description": "The list has none of that name."},
    },
    "openapi_extra": {
        "parameters": [
            _parameter(
                "path",
                "model",
                "Its name in the list.",
                {"type": "string", "minLength": 1},
                example=f"offline/{GUIDE}",
            )
        ]
    },
}

MODELS: Described = {
    "tags": ["What is here"],
    "summary": "The models, in the endpoint's shape",
    "responses": {200: {"description": "The models."}},
}

AUTH_CHECK: Described = {
    "tags": ["What is here"],
    "summary": "Whether a credential is the playground's key",
    "status_code": 204,
    "responses": {204: {"description": "It is."}, 401: {"description": "It is not."}},
    "openapi_extra": {"security": _SECURITY},
}

HEALTH: Described = {
    "tags": ["What is here"],
    "summary": "What is set up",
    "responses": {200: {"description": "The app runs."}},
}
