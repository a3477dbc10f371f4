"""What a piece of code asks: the request of one conversation, before any language spells it.

Credentials are never known here. Where one belongs stands `$NAME`, the name of an environment variable; no
other `$` is in an address or in a header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from neptun_demo.backends.asking import (
    ACCEPT,
    is_gateway,
    neptun_address,
    neptun_body,
    workers_ai_address,
    workers_ai_body,
)
from neptun_demo.contract import Message, is_blank
from neptun_demo.models import Model

Target = Literal["upstream", "playground"]

Wire = Literal["text", "lines", "events", "chunks"]
"""What comes back: the text itself, lines of the AI SDK's data stream, or server-sent events: Workers AI's in
all their shapes, or OpenAI's chunks."""

VARIABLE = re.compile(r"\$([A-Z_]+)")
"""An environment variable in an address or in a header."""

_NEPTUN_SESSION = "NEPTUN_SESSION"
_PLAYGROUND_SESSION = "PLAYGROUND_SESSION"

_MEANINGS: Mapping[str, str] = {
    _NEPTUN_SESSION: "the neptun-session cookie",
    _PLAYGROUND_SESSION: "the playground's key",
    "CLOUDFLARE_BASE_URL": "the AI Gateway's address, which ends in /workers-ai",
}

# All that an address is made of; `$`, quotes, braces and the like are not, and get percent-encoded.
_OF_AN_ADDRESS = "/:@[]%-._~+,=&*"


@dataclass(frozen=True, slots=True)
class Asked:
    """One conversation and its settings, as its back end was asked.

    *parameters* are the ones that are sent, in Workers AI's names (`parameters.Checked.sent`). *temporary*
    is the endpoint's `is_playground`. *playground* is this app's address as the visitor's browser sees it;
    *upstream* is the base address of the far end, empty for the offline guide.
    """

    model: Model
    messages: Sequence[Message]
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    chat_id: int = -1
    temporary: bool = True
    playground: str = "http://127.0.0.1:7860"
    upstream: str = ""

    @property
    def base(self) -> str:
        """The playground's address as it can stand in any language."""
        return _safe(self.playground.rstrip("/"))

    @property
    def name(self) -> str:
        """The model's name for the playground, which finds it by any."""
        return self.model.id if self.model.backend == "workers-ai" else self.model.name

    @property
    def key(self) -> str:
        """The name of the variable with the credential for the playground."""
        return _NEPTUN_SESSION if self.model.backend == "neptun" else _PLAYGROUND_SESSION

    @property
    def sampling(self) -> Mapping[str, Any]:
        """The parameters; none where the back end takes none."""
        return self.parameters if self.model.backend == "workers-ai" else {}

    @property
    def said(self) -> list[Message]:
        """The messages that the playground takes, which refuses a blank one."""
        return [message for message in self.messages if not is_blank(message.content)]


@dataclass(frozen=True, slots=True)
class Call:
    """A POST of JSON. *headers* are those beside Content-Type; *variables* the environment's names in it."""

    address: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    wire: Wire
    variables: Sequence[str]


def call(asked: Asked, target: Target) -> Call:
    """The request of *asked* to *target*. The offline guide has no upstream; do not ask for one."""
    match target, asked.model.backend:
        case "upstream", "neptun":
            return _neptun(asked)
        case "upstream", _:
            return _workers_ai(asked)
        case _, "neptun":
            return _documented_route(asked)
        case _:
            return _chat_completions(asked)


def needs(variables: Sequence[str]) -> str:
    """The sentence that names the *variables*, with what is in them where the name does not tell."""
    named = [f"{name} ({_MEANINGS[name]})" if name in _MEANINGS else name for name in variables]
    return f"Needs {' and '.join(named)} in the environment"


def _neptun(asked: Asked) -> Call:
    name, base = asked.model.name, _safe(asked.upstream)
    return Call(
        neptun_address(base, name, asked.chat_id, temporary=asked.temporary),
        {"Cookie": f"neptun-session=${_NEPTUN_SESSION}", "Accept": ACCEPT},
        neptun_body(asked.messages),
        "lines",
        [_NEPTUN_SESSION],
    )


def _workers_ai(asked: Asked) -> Call:
    model = _safe(asked.model.id)
    if is_gateway(asked.upstream):  # the account's id stands in such an address, so it is not written down
        where, address = "CLOUDFLARE_BASE_URL", f"$CLOUDFLARE_BASE_URL/{model}"
    else:
        where = "CLOUDFLARE_ACCOUNT_ID"
        address = workers_ai_address(_safe(asked.upstream), f"${where}", model)
    return Call(
        address,
        {"Authorization": "Bearer $CLOUDFLARE_API_TOKEN"},
        workers_ai_body(asked.messages, asked.system, asked.sampling, stream=True),
        "events",
        [where, "CLOUDFLARE_API_TOKEN"],
    )


def _documented_route(asked: Asked) -> Call:
    """The same route here. It is told the back end, since the app's own may be another one."""
    address = neptun_address(asked.base, asked.model.name, asked.chat_id, temporary=asked.temporary)
    messages = [{"role": message.role, "content": message.content} for message in asked.said]
    return Call(
        f"{address}&backend=neptun",
        {"Cookie": f"neptun-session=${_NEPTUN_SESSION}"},
        {"messages": messages},
        "text",
        [_NEPTUN_SESSION],
    )


def _chat_completions(asked: Asked) -> Call:
    name = {"model": f"{asked.model.backend}/{asked.name}"}
    return Call(
        f"{asked.base}/v1/chat/completions",
        {"Authorization": f"Bearer ${_PLAYGROUND_SESSION}"},
        name | workers_ai_body(asked.said, asked.system, asked.sampling, stream=True),
        "chunks",
        [_PLAYGROUND_SESSION],
    )


def _safe(address: str) -> str:
    return quote(address, safe=_OF_AN_ADDRESS)
