"""A request in OpenAI's shape becomes what `Chat.reply()` takes. What has no place here is refused by name.

Source: OpenAI's reference of `POST /v1/chat/completions` (October 2026).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message, complaint
from neptun_demo.errors import Refused, UnknownModel
from neptun_demo.models import TITLES

from .bodies import decoded
from .completion_errors import Unsupported
from .completion_shape import CompletionRequest, Turn

# What asks for nothing beyond what happens anyway: libraries send it unasked, so it counts as absent.
_ASKS_FOR_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "stop": ([],),
    "tools": ([],),
    "functions": ([],),
    "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
}

# Labels for OpenAI's own books, which say nothing about the answer.
_LABELS = frozenset({"user", "safety_identifier", "metadata", "prompt_cache_key", "prompt_cache_retention"})

_NO_TOOLS = "Text is passed on, and nothing is run."
_TEXT_ONLY = "Questions and answers are text."
_NO_PROBABILITIES = "No back end tells probabilities."
_UNSUPPORTED: Mapping[str, str] = {
    "n": "One answer is given at a time; ask again for another.",
    "tools": _NO_TOOLS,
    "functions": _NO_TOOLS,
    "tool_choice": _NO_TOOLS,
    "function_call": _NO_TOOLS,
    "parallel_tool_calls": _NO_TOOLS,
    "response_format": f"{_TEXT_ONLY} Ask for JSON in the prompt.",
    "modalities": _TEXT_ONLY,
    "audio": _TEXT_ONLY,
    "logprobs": _NO_PROBABILITIES,
    "top_logprobs": _NO_PROBABILITIES,
    "logit_bias": "No back end takes one.",
    "prediction": "No back end takes one.",
    "store": "Nothing is kept here.",
    "service_tier": "There is one tier.",
    "verbosity": "Say in the prompt how long the answer shall be.",
    "web_search_options": "Nothing is searched.",
}

# Two names for one thing, of which the back ends know the first.
_CAPS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Completion:
    """What was asked. *names* are the fields of the request, *complaint* is what is wrong with it."""

    options: Options = field(default_factory=Options)
    messages: Sequence[Message] = ()
    stream: bool = False
    include_usage: bool = False
    names: frozenset[str] = frozenset()
    complaint: Refused | None = None

    def conversation(self) -> Sequence[Message]:
        """The messages, for `reply()`, which calls this once it is known who may. Raises `Refused`."""
        if self.complaint is not None:
            raise self.complaint
        return self.messages


def completion(chat: Chat, body: bytes) -> Completion:
    """The request that *body* holds. What is wrong with it is kept, to be raised in its turn."""
    try:
        given = decoded(body)
    except Refused as flaw:
        return Completion(complaint=flaw)
    if not isinstance(given, dict):
        return Completion(complaint=Refused("The body must be a JSON object."))
    # Who may depends on the back end, which is read even where the rest cannot be.
    backend, model = _chosen(chat, given.get("model"))
    try:
        return _completion(given, backend, model)
    except Refused as flaw:
        return Completion(Options(backend=backend), names=frozenset(given), complaint=flaw)


def _chosen(chat: Chat, name: Any) -> tuple[str, str]:
    """The back end and the model that *name* stands for: `backend/NAME`, else the first back end to know it.

    The app's own back end comes first. An unknown name stays with it, and is refused there.
    """
    if not isinstance(name, str):
        return "", ""
    backend, _, rest = name.partition("/")
    if backend in TITLES and rest:
        return backend, rest
    for known in dict.fromkeys([chat.default_backend, *chat.backends]):
        try:
            chat.catalogue.find(known, name)
        except UnknownModel:
            continue
        except Refused:  # it is known, as one that was retired
            break
        return known, name
    return chat.default_backend, name


def _completion(given: Mapping[str, Any], backend: str, model: str) -> Completion:
    try:
        asked = CompletionRequest.model_validate(given)
    except ValidationError as error:
        raise Refused(f"{complaint(error)}.") from error
    messages = list(_said(asked.messages))
    if not messages:
        raise Refused("messages holds a system prompt and no question.", "Ask something.")
    options = Options(
        backend=backend,
        model=model,
        system=_system(asked.messages),
        parameters=dict(_parameters(given)),
        conversation=_conversation(given.get("prompt_cache_key")),
    )
    return Completion(
        options,
        messages,
        stream=bool(asked.stream),
        include_usage=bool(asked.stream_options and asked.stream_options.include_usage),
        names=frozenset(given),
    )


def _system(turns: Iterable[Turn]) -> str:
    return "\n\n".join(turn.content for turn in turns if turn.role in ("system", "developer"))


def _said(turns: Iterable[Turn]) -> Iterator[Message]:
    for turn in turns:
        if turn.role in ("user", "assistant"):
            yield Message(role=turn.role, content=turn.content)


def _parameters(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is left of a request: for the model's row to check, which refuses by name what it does not take."""
    for name, value in given.items():
        if value is None or name in _LABELS or name in _CAPS or _asks_for_nothing(name, value):
            continue
        if name in _UNSUPPORTED:
            raise Unsupported(f"{name} is not supported here.", _UNSUPPORTED[name])
        if name not in CompletionRequest.model_fields or name in CompletionRequest.parameters:
            yield name, value
    caps = [given[name] for name in _CAPS if given.get(name) not in (None, -1)]
    if caps and caps[0] != caps[-1]:
        raise Refused("max_completion_tokens and max_tokens are the same thing, with two values.")
    yield from (("max_tokens", cap) for cap in caps[:1])


def _asks_for_nothing(name: str, value: Any) -> bool:
    return any(
        isinstance(value, bool) == isinstance(nothing, bool) and value == nothing
        for nothing in _ASKS_FOR_NOTHING.get(name, ())
    )


def _conversation(key: Any) -> str:
    """An id of the conversation, where a caller gives one; hashed, since it travels in a header."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest() if isinstance(key, str) and key else ""
