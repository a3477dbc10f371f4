"""The environment and `.env`, read once into one frozen object.

Nothing here is global: `app.py` calls `load()` and passes the result on. Secrets stay `SecretStr`;
`backends.connect()` is what opens them.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

BackendName = Literal["neptun", "workers-ai", "offline"]

SHORTEST_KEY = 16
"""Characters that a configured playground key has at least."""

KEY_PREFIX = "pg-"

# RFC 6265, section 4.1.1: the characters of a cookie's value.
COOKIE_OCTETS = re.compile(r"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]+")
# The characters of a bearer token (RFC 6750, section 2.1) and of an account id: neither may break
# out of a header or a path.
TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
ACCOUNT = re.compile(r"[A-Za-z0-9_-]+")
HOST = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class BadSettings(Exception):
    """One or more values that cannot be used; its text names each in a sentence of its own."""


def bare_cookie(value: str) -> str:
    """The cookie's value, which may be given with or without `neptun-session=` before it."""
    return value.strip().removeprefix("neptun-session=").split(";", 1)[0].strip()


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#@]+", value):
        raise ValueError("must be an http:// or https:// address without user, query or fragment")
    return value.rstrip("/")


def _cookie(value: str) -> str:
    return _allowed(bare_cookie(value), COOKIE_OCTETS, "a cookie's value")


def _token(value: str) -> str:
    return _allowed(value, TOKEN, "an API token")


def _key(value: str) -> str:
    if len(value) < SHORTEST_KEY:
        raise ValueError(f"must have {SHORTEST_KEY} characters or more")
    return _allowed(value, COOKIE_OCTETS, "a key (it travels as a cookie)")


def _allowed(value: str, characters: re.Pattern[str], what: str) -> str:
    if not characters.fullmatch(value):
        raise ValueError(f"holds a character that {what} cannot have")
    return value


def _account(value: str) -> str:
    return _allowed(value, ACCOUNT, "an account id")


def _hosts(value: Any) -> Any:
    return tuple(host for host in re.split(r"[,\s]+", value) if host) if isinstance(value, str) else value


def _host_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not HOST.fullmatch(host):
            raise ValueError(f"holds {host!r}, which is not a host name (no scheme, no port, no path)")
    return hosts


Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseModel):
    """What the host configured. Each field bears the lower-case name of its variable."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    neptun_base_url: Annotated[str, AfterValidator(_base_url)] = "https://neptun-webui.vercel.app"
    neptun_session: Annotated[SecretStr, BeforeValidator(_cookie)] | None = None
    cloudflare_base_url: Annotated[str, AfterValidator(_base_url)] = "https://api.cloudflare.com/client/v4"
    cloudflare_account_id: Annotated[str, AfterValidator(_account)] | None = None
    cloudflare_api_token: Annotated[SecretStr, BeforeValidator(_token)] | None = None
    playground_backend: BackendName = "offline"
    playground_model: str | None = None
    playground_session: Annotated[SecretStr, BeforeValidator(_key)]
    playground_open: bool = False
    playground_daily_answers: Annotated[int, Field(ge=0)] = 200
    playground_max_tokens: Annotated[int, Field(ge=1)] = 2048
    playground_max_seconds: Seconds = 300
    playground_parallel: Annotated[int, Field(ge=1, le=1000)] = 8
    playground_connect_timeout: Seconds = 10
    playground_idle_timeout: Seconds = 60
    playground_hosts: Annotated[tuple[str, ...], BeforeValidator(_hosts), AfterValidator(_host_names)] = ()
    gradio_server_name: str = "127.0.0.1"
    gradio_server_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    gradio_root_path: str = ""
    space_id: str | None = None
    space_host: str | None = None

    made_key: str | None = None
    """The key that was made at start since none was configured: the only one that is ever printed."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: dict[str, Any]) -> dict[str, Any]:
        """The values that depend on others."""
        data = dict(data)
        if "playground_session" not in data:
            data["made_key"] = KEY_PREFIX + secrets.token_urlsafe(24)
            data["playground_session"] = data["made_key"]
        if "playground_open" not in data:
            served_at = data.get("gradio_server_name", "127.0.0.1")
            data["playground_open"] = is_loopback(served_at) and not data.get("space_id")
        if "playground_backend" not in data:
            data["playground_backend"] = _first_with_credentials(data)
        return data

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cloudflare_account_id is None) != (self.cloudflare_api_token is None):
            raise ValueError(
                "CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN belong together: set both, or neither"
            )
        if self.playground_backend == "workers-ai" and not self.workers_ai_set_up:
            raise ValueError(
                "PLAYGROUND_BACKEND is workers-ai, which needs CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN"
            )
        return self

    @property
    def workers_ai_set_up(self) -> bool:
        """Whether the host gave an account for Workers AI."""
        return self.cloudflare_api_token is not None

    @property
    def on_spaces(self) -> bool:
        """Whether Hugging Face Spaces started the app."""
        return self.space_id is not None


def _first_with_credentials(data: Mapping[str, Any]) -> BackendName:
    if "neptun_session" in data:
        return "neptun"
    if "cloudflare_account_id" in data and "cloudflare_api_token" in data:
        return "workers-ai"
    return "offline"


def is_loopback(server_name: str) -> bool:
    """Whether only this machine reaches a server that listens at *server_name*."""
    try:
        return ipaddress.ip_address(server_name.strip("[]")).is_loopback
    except ValueError:
        return server_name == "localhost"


def load(environment: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """The settings of *environment* and, for names that it lacks, of *env_file*.

    Empty values count as absent. Raises `BadSettings`, which names every bad value; a secret's value
    is never part of the message.
    """
    values = {**_read(env_file), **{name: value for name, value in environment.items() if value.strip()}}
    known = {field: values[field.upper()].strip() for field in _NAMES if field.upper() in values}
    try:
        return Settings.model_validate(known)
    except ValidationError as error:
        raise BadSettings("\n".join(_sentence(flaw) for flaw in error.errors(include_input=False))) from None


_NAMES = tuple(name for name in Settings.model_fields if name != "made_key")


def _read(env_file: Path | None) -> dict[str, str]:
    if env_file is None or not env_file.is_file():
        return {}
    return {name: value for name, value in dotenv_values(env_file).items() if value and value.strip()}


def _sentence(flaw: Any) -> str:
    words = str(flaw["ctx"]["error"]) if flaw["type"] == "value_error" else flaw["msg"]
    if not flaw["loc"]:
        return f"{words}."
    words = words[:1].lower() + words[1:]
    return f"{str(flaw['loc'][0]).upper()}: {words.replace('input should', 'it should')}."
