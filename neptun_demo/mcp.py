"""The MCP door: two tools, `ask` and `models`, over streamable HTTP at `/mcp`.

It is a server of its own and not Gradio's, which makes a tool of every listener of the page, validates
nothing, and lets an answer run on for a caller that is gone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any, TypeVar

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .access import Access
from .answer import Answer
from .api import credential, other_methods
from .chat import Chat, Options
from .contract import Message, complaint, is_blank, quoted
from .errors import NeedsACookie, PlaygroundError, Refused, Unauthorized
from .listings import described
from .settings import BackendName

log = logging.getLogger(__name__)

PATH = "/mcp"

Arguments = TypeVar("Arguments", bound=BaseModel)

_INSTRUCTIONS = (
    "Ask chat models behind the Neptun endpoint or Cloudflare Workers AI, or the playground's offline guide."
    " Send the playground's key, or a Neptun cookie's value, as Authorization: Bearer."
)

_HOW_TO_SHOW_ONE = (
    "Send the playground's key as Authorization: Bearer; or, with the backend neptun, the value of your own"
    " neptun-session cookie."
)

_HOW_TO_SHOW_A_COOKIE = (
    "Send the value of your own neptun-session cookie as Authorization: Bearer, or choose another backend."
)


def _number(description: str, kind: str = "number", **bounds: int) -> WithJsonSchema:
    """The schema of a parameter. The model's row checks its value, as it does for every door."""
    return WithJsonSchema({"anyOf": [{"type": kind, **bounds}, {"type": "null"}], "description": description})


class Ask(BaseModel):
    """What `ask` takes."""

    model_config = ConfigDict(extra="forbid")

    # Pydantic's own minimum would refuse half a surrogate pair, which is only replaced in what is sent.
    question: str = Field(description="The question to answer.", json_schema_extra={"minLength": 1})
    history: list[Message] = Field(
        default=[], description="Earlier turns, the oldest first: {role: user or assistant, content: text}."
    )
    backend: BackendName | None = Field(
        default=None, description="Who answers; left out: the playground's choice."
    )
    model: str | None = Field(default=None, description="A model's name, as the tool `models` lists it.")
    system: str | None = Field(default=None, description="A system prompt; Workers AI only.")
    max_tokens: Annotated[Any, _number("Most output tokens; Workers AI only.", "integer", minimum=1)] = None
    temperature: Annotated[Any, _number("Sampling temperature; Workers AI only.")] = None
    top_p: Annotated[Any, _number("Nucleus sampling; Workers AI only.")] = None


class Asked(BaseModel):
    """What `ask` gives: the whole answer."""

    text: str
    thinking: str
    finish_reason: str | None
    usage: dict[str, Any] | None
    timing: dict[str, Any] | None
    model: str
    backend: str
    dropped_messages: int


class Models(BaseModel):
    """What `models` takes."""

    model_config = ConfigDict(extra="forbid")

    backend: BackendName | None = Field(default=None, description="List this back end's only.")


class Listed(BaseModel):
    """What `models` gives."""

    models: list[dict[str, Any]]


_TOOLS = [
    types.Tool(
        name="ask",
        title="Ask a chat model",
        description="Ask one question and get the whole answer, with what it cost and why it ended.",
        inputSchema=Ask.model_json_schema(),
        outputSchema=Asked.model_json_schema(),
        annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=True),
    ),
    types.Tool(
        name="models",
        title="List the models",
        description="List the models that can be asked, with context window, price and plan.",
        inputSchema=Models.model_json_schema(),
        outputSchema=Listed.model_json_schema(),
        annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=False),
    ),
]


class Tools:
    """The tools of *chat*: `routes` to be served, within `running()`."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._server: Server[Any, Any] = Server("neptun-playground", instructions=_INSTRUCTIONS)
        self._manager: StreamableHTTPSessionManager | None = None
        self._server.list_tools()(_list)  # type: ignore[no-untyped-call]  # mcp left its types out
        # Its own validation speaks JSON Schema; ours names the place in a sentence.
        self._server.call_tool(validate_input=False)(self._call)
        # POST alone: without a session there is nothing that a client could listen to, or end.
        self.routes = [
            Route(PATH, endpoint=_Endpoint(self), methods=["POST"]),
            other_methods(PATH, "POST"),
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve, until the block ends."""
        # One for each life of the app. Stateless: each call stands alone, and ends with its connection.
        self._manager = StreamableHTTPSessionManager(self._server, stateless=True)
        async with self._manager.run():
            yield
        self._manager = None

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._manager is None:
            raise RuntimeError("the MCP door is not running")
        await self._manager.handle_request(scope, receive, send)

    async def _call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        try:
            return await self._given(name, arguments)
        except PlaygroundError as error:
            return types.CallToolResult(content=[_text(error.message)], isError=True)
        except Exception:  # whatever it is, its own words are for our log, and not for the caller
            log.exception("The MCP door failed.")
            words = "The playground itself failed. Try again."
            return types.CallToolResult(content=[_text(words)], isError=True)

    async def _given(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        match name:
            case "ask":
                return await self._ask(_validated(Ask, arguments))
            case "models":
                return self._models(_validated(Models, arguments))
            case _:
                raise Refused(f"There is no tool named {quoted(name)}.", "There are: ask, models.")

    async def _ask(self, asked: Ask) -> types.CallToolResult:
        options = Options(
            backend=asked.backend or "",
            model=asked.model or "",
            system=asked.system or "",
            parameters={
                "max_tokens": asked.max_tokens,
                "temperature": asked.temperature,
                "top_p": asked.top_p,
            },
        )
        conversation = _conversation(asked)
        request = self._server.request_context.request
        access = Access("http", credential(request) if isinstance(request, Request) else "")
        answer = Answer()
        try:
            async with aclosing(self._chat.reply(conversation, options, access)) as events:
                async for event in events:
                    answer.add(event)
        except PlaygroundError as error:
            so_far = [_text(answer.text)] if answer.text else []
            return types.CallToolResult(content=[*so_far, _text(_words(error))], isError=True)
        return types.CallToolResult(content=[_text(answer.text)], structuredContent=answer.as_object())

    def _models(self, asked: Models) -> types.CallToolResult:
        names: list[BackendName] = [asked.backend] if asked.backend else list(self._chat.backends)
        listed = {"models": [described(model) for name in names for model in self._chat.catalogue.rows(name)]}
        return types.CallToolResult(
            content=[_text(json.dumps(listed, ensure_ascii=False))], structuredContent=listed
        )


class _Endpoint:
    """Makes an ASGI application of a route's endpoint: Starlette gives a function a request instead."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._tools.handle(scope, receive, send)


async def _list() -> list[types.Tool]:
    return _TOOLS


def _validated(kind: type[Arguments], arguments: dict[str, Any]) -> Arguments:
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        raise Refused(f"{complaint(error)}.") from error


def _conversation(asked: Ask) -> list[Message]:
    """All that was said. A blank question is refused here, since `reply()` does not know its place."""
    questions = [
        (f"history[{at}].content", said.content) for at, said in enumerate(asked.history) if said.role == "user"
    ]
    for place, question in [*questions, ("question", asked.question)]:
        if is_blank(question):
            raise Refused(f"{place} is blank.", "Ask something.")
    return [*asked.history, Message(role="user", content=asked.question)]


def _words(error: PlaygroundError) -> str:
    """The sentence, and what to do in an MCP client, which has no cookie and no query."""
    match error:
        case NeedsACookie():
            return f"{error.sentence} {_HOW_TO_SHOW_A_COOKIE}"
        case Unauthorized():
            return f"{error.sentence} {_HOW_TO_SHOW_ONE}"
        case _:
            return error.message


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)
