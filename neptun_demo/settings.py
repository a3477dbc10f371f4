"""The environment and `.env`, read once into one frozen object.

Nothing here is global: `app.py` calls `load()` and passes the result on. Secrets stay `SecretStr`;
`backends.connect()` is what opens them.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

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
    """The cookie's or key's value, which may be given with or without `neptun-session=` before it."""
    # More than once, in any case, and behind the key's own name, as a line of a `.env` is copied: what is
    # taken for a cookie is sent to Neptun, and a playground key that hides behind a name must not be.
    return _COOKIE_NAME.sub("", value.strip()).split(";", 1)[0].strip()


_COOKIE_NAME = re.compile(r"\A(?:(?:neptun-session|playground_session)=\s*)+", re.IGNORECASE)


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s?#@]+", value) or not _has_a_host(value):
        raise ValueError("must be an http:// or https:// address without user, query or fragment")
    return value.rstrip("/")


def _has_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, or half an IPv6 address
        return False


def _cookie(value: str) -> str:
    return _allowed(bare_cookie(value), COOKIE_OCTETS, "a cookie's value")


def _token(value: str) -> str:
    return _allowed(value, TOKEN, "an API token")


def _key(value: str) -> str:
    value = bare_cookie(value)
    if len(value) < SHORTEST_KEY:
        raise ValueError(f"must have {SHORTEST_KEY} characters or more")
    return _allowed(value, COOKIE_OCTETS, "a key (it travels as a cookie)")


def _allowed(value: str, characters: re.Pattern[str], what: str) -> str:
    if not value:
        raise ValueError(f"holds nothing that could be {what}")
    if not characters.fullmatch(value):
        raise ValueError(f"holds a character that {what} cannot have")
    return value


def _account(value: str) -> str:
    return _allowed(value, ACCOUNT, "an account id")


def _listening(name: str) -> str:
    if ":" in name:
        raise ValueError("must be a host name or an IPv4 address: Gradio listens at no other kind")
    return name


def _root_path(path: str) -> str:
    if not re.fullmatch(r"/[^\s?#]*|https?://[^\s?#@]+", path):
        raise ValueError("must begin with / or be an http:// or https:// address, without query or fragment")
    return path


def _hosts(value: Any) -> Any:
    return tuple(host for host in re.split(r"[,\s]+", value) if host) if isinstance(value, str) else value


def _host_names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if not HOST.fullmatch(host):
            raise ValueError(f"holds {host!r}, which is not a host name (no scheme, no port, no path)")
    return hosts


Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


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
    playground_daily_answers: Annotated[int, Field(ge=0, le=1_000_000_000)] = 200
    playground_max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    playground_max_seconds: Seconds = 300
    playground_parallel: Annotated[int, Field(ge=1, le=1000)] = 8
    playground_connect_timeout: Seconds = 10
    playground_idle_timeout: Seconds = 60
    playground_hosts: Annotated[tuple[str, ...], BeforeValidator(_hosts), AfterValidator(_host_names)] = ()
    gradio_server_name: Annotated[str, AfterValidator(_listening)] = "127.0.0.1"
    gradio_server_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    gradio_root_path: Annotated[str, AfterValidator(_root_path)] = ""
    space_id: str | None = None
    """The Space's name; empty where Spaces started the app without telling it, `None` elsewhere."""
    space_host: str | None = None

    made_key: str | None = Field(default=None, repr=False)
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
            data["playground_open"] = is_loopback(served_at) and "space_id" not in data
        if "playground_backend" not in data:
            data["playground_backend"] = _first_with_credentials(data)
        return data

    @property
    def workers_ai_set_up(self) -> bool:
        """Whether the host gave an account for Workers AI."""
        return self.cloudflare_account_id is not None and self.cloudflare_api_token is not None

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
        return server_name.lower() == "localhost"


def load(environment: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """The settings of *environment* and, for names that it lacks, of *env_file*.

    Empty and blank values count as absent. Raises `BadSettings`, which names every bad value; the value
    of a secret is never part of its text.
    """
    values = merged(environment, env_file)
    known = {field: values[field.upper()] for field in _NAMES if field.upper() in values}
    if values.get("SYSTEM") == "spaces":  # either name tells of Spaces
        known.setdefault("space_id", "")
    complaints = list(_incomplete(known))
    try:
        settings = Settings.model_validate(known)
    except ValidationError as error:
        complaints += [_sentence(flaw) for flaw in error.errors(include_input=False)]
    if complaints:
        raise BadSettings("\n".join(complaints))
    return settings


def merged(environment: Mapping[str, str], env_file: Path | None = None) -> dict[str, str]:
    """The values of *environment* and, for names that it lacks, of *env_file*; those that are not blank.

    Raises `BadSettings` for a file that cannot be read.
    """
    return {**_read(env_file), **_present(environment)}


_NAMES = tuple(name for name in Settings.model_fields if name != "made_key")


def _read(env_file: Path | None) -> dict[str, str]:
    if env_file is None or not env_file.is_file():
        return {}
    try:
        # Not interpolated: a secret may hold "${", and no other variable is of any concern here.
        return _present(dotenv_values(env_file, interpolate=False))
    except (OSError, UnicodeDecodeError):
        raise BadSettings(f"{env_file.name} cannot be read as UTF-8 text.") from None


def _present(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value.strip() for name, value in values.items() if value and value.strip()}


def _incomplete(known: Mapping[str, str]) -> Iterator[str]:
    """What is missing beside what is there; said together with what is wrong by itself."""
    account, token = "cloudflare_account_id" in known, "cloudflare_api_token" in known
    if account != token:
        yield "CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN belong together: set both, or neither."
    elif known.get("playground_backend") == "workers-ai" and not token:
        yield "PLAYGROUND_BACKEND is workers-ai, which needs CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN."


_WORDS = {
    "bool_parsing": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le:.15g} or less",
}


def _sentence(flaw: Any) -> str:
    name, context = str(flaw["loc"][0]).upper(), flaw.get("ctx", {})
    if flaw["type"] == "value_error":  # raised in here
        return f"{name}: {context['error']}."
    return f"{name}: {_WORDS.get(flaw['type'], 'cannot be read').format(**context)}."
