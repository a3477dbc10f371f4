"""The settings: what is read, what it means, and what is said of values that cannot be used."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from playground import ROOT
from pydantic import ValidationError

from neptun_demo.settings import BadSettings, Settings, bare_cookie, is_loopback, load

SET_BY_SPACES_OR_NOBODY = {"space_id", "space_host", "made_key"}
ACCOUNT = {"CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef", "CLOUDFLARE_API_TOKEN": "a-token_of.the~host"}
KEY = "a-key-of-24-characters!!"


def env_file(folder: Path, text: str | bytes) -> Path:
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaints(environment: dict[str, str], file: Path | None = None) -> list[str]:
    with pytest.raises(BadSettings) as bad:
        load(environment, file)
    return str(bad.value).splitlines()


# Defaults


def test_without_anything_it_is_the_table_of_the_documentation() -> None:
    given = load({}).model_dump(exclude={"playground_session", "made_key"})
    assert given == {
        "neptun_base_url": "https://neptun-webui.vercel.app",
        "neptun_session": None,
        "cloudflare_base_url": "https://api.cloudflare.com/client/v4",
        "cloudflare_account_id": None,
        "cloudflare_api_token": None,
        "playground_backend": "offline",
        "playground_model": None,
        "playground_open": True,
        "playground_daily_answers": 200,
        "playground_max_tokens": 2048,
        "playground_max_seconds": 300,
        "playground_parallel": 8,
        "playground_connect_timeout": 10,
        "playground_idle_timeout": 60,
        "playground_hosts": (),
        "gradio_server_name": "127.0.0.1",
        "gradio_server_port": None,
        "gradio_root_path": "",
        "space_id": None,
        "space_host": None,
    }


def test_the_object_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load({}).playground_open = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("environment", "backend"),
    [
        ({}, "offline"),
        ({"NEPTUN_SESSION": "x"}, "neptun"),
        (ACCOUNT, "workers-ai"),
        ({"NEPTUN_SESSION": "x", **ACCOUNT}, "neptun"),
        ({"NEPTUN_SESSION": "x", "PLAYGROUND_BACKEND": "offline"}, "offline"),
        ({"NEPTUN_SESSION": "x", "PLAYGROUND_BACKEND": "workers-ai", **ACCOUNT}, "workers-ai"),
        ({"PLAYGROUND_BACKEND": "neptun"}, "neptun"),  # visitors bring a cookie of their own
        ({"NEPTUN_SESSION": " ", "PLAYGROUND_BACKEND": ""}, "offline"),
    ],
)
def test_the_back_end_is_the_first_with_credentials(environment: dict[str, str], backend: str) -> None:
    assert load(environment).playground_backend == backend


LOOPBACK = ["127.0.0.1", "127.8.8.8", "localhost", "LocalHost"]
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - nothing listens
NOT_LOOPBACK = [EVERY_ADDRESS, "192.168.1.5", "10.0.0.1", "example.com", "localhost.example"]


@pytest.mark.parametrize("name", LOOPBACK)
def test_the_page_is_open_on_a_loopback_address(name: str) -> None:
    assert is_loopback(name)
    assert load({"GRADIO_SERVER_NAME": name}).playground_open
    assert not load({"GRADIO_SERVER_NAME": name, "PLAYGROUND_OPEN": "false"}).playground_open


@pytest.mark.parametrize("name", NOT_LOOPBACK)
def test_it_is_closed_elsewhere(name: str) -> None:
    assert not is_loopback(name)
    assert not load({"GRADIO_SERVER_NAME": name}).playground_open
    assert load({"GRADIO_SERVER_NAME": name, "PLAYGROUND_OPEN": "True"}).playground_open


@pytest.mark.parametrize("environment", [{"SYSTEM": "spaces"}, {"SPACE_ID": "me/play"}])
@pytest.mark.parametrize("name", ["127.0.0.1", EVERY_ADDRESS])
def test_either_name_tells_of_spaces_and_closes_it(environment: dict[str, str], name: str) -> None:
    settings = load({**environment, "GRADIO_SERVER_NAME": name})
    assert settings.on_spaces
    assert not settings.playground_open
    assert load({**environment, "PLAYGROUND_OPEN": "1"}).playground_open


@pytest.mark.parametrize("environment", [{}, {"SYSTEM": "linux"}, {"SYSTEM": "", "SPACE_ID": " "}])
def test_everywhere_else_is_not_spaces(environment: dict[str, str]) -> None:
    assert not load(environment).on_spaces
    assert load(environment).playground_open


# The playground's key


def test_a_key_is_made_only_if_none_is_configured() -> None:
    made, again = load({}), load({})
    assert made.made_key
    assert re.fullmatch(r"pg-[\w-]{32}", made.made_key)
    assert made.playground_session.get_secret_value() == made.made_key != again.made_key


@pytest.mark.parametrize("key", [KEY, "pg-" + KEY, f"neptun-session={KEY}"])
def test_a_configured_key_is_never_the_printed_one(key: str) -> None:
    settings = load({"PLAYGROUND_SESSION": key, "MADE_KEY": "x", "made_key": "x"})
    assert settings.made_key is None
    assert settings.playground_session.get_secret_value() == key.removeprefix("neptun-session=")


@pytest.mark.parametrize(
    "shown", ["x", "neptun-session=x", " neptun-session= x ; Path=/", "Neptun-Session=neptun-session=x"]
)
def test_a_cookie_may_come_with_its_name(shown: str) -> None:
    assert bare_cookie(shown) == "x"
    session = load({"NEPTUN_SESSION": shown}).neptun_session
    assert session is not None
    assert session.get_secret_value() == "x"


# Environment and .env


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    file = env_file(tmp_path, "PLAYGROUND_PARALLEL=3\nPLAYGROUND_DAILY_ANSWERS=7\n")
    settings = load({"PLAYGROUND_PARALLEL": "4"}, file)
    assert (settings.playground_parallel, settings.playground_daily_answers) == (4, 7)


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_value_counts_as_absent(empty: str, tmp_path: Path) -> None:
    names = [field.upper() for field in Settings.model_fields if field != "made_key"]
    kept = {"playground_session", "made_key"}
    emptied = load(dict.fromkeys(names, empty), env_file(tmp_path, "\n".join(f"{name}=" for name in names)))
    assert emptied.model_dump(exclude=kept) == load({}).model_dump(exclude=kept)
    # ... and hides nothing that the file says
    file = env_file(tmp_path, f"PLAYGROUND_SESSION={KEY}")
    assert load({"PLAYGROUND_SESSION": empty}, file).made_key is None


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("PLAYGROUND_MODEL=x", "x"),
        ("export PLAYGROUND_MODEL = 'x'  # a comment", "x"),
        (b"\xef\xbb\xbfPLAYGROUND_MODEL=x\r\n", "x"),
        ("PLAYGROUND_MODEL=${HOME}", "${HOME}"),  # what is written is what is meant
        ("PLAYGROUND_MODEL", None),
        ("PLAYGROUND_MODEL=' '", None),
        ("", None),
    ],
)
def test_the_file_is_read_as_it_is_written(text: str | bytes, model: str | None, tmp_path: Path) -> None:
    assert load({}, env_file(tmp_path, text)).playground_model == model


def test_no_file_is_no_file(tmp_path: Path) -> None:
    assert load({}, tmp_path / "none").playground_parallel == 8
    assert load({}, tmp_path).playground_parallel == 8


# Values


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("NEPTUN_BASE_URL", "http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
        ("NEPTUN_BASE_URL", "http://[::1]:3000", "http://[::1]:3000"),
        (
            "CLOUDFLARE_BASE_URL",
            "https://gateway.example/v1/a/b/workers-ai",
            "https://gateway.example/v1/a/b/workers-ai",
        ),
        ("PLAYGROUND_OPEN", "no", False),
        ("PLAYGROUND_OPEN", "TRUE", True),
        ("PLAYGROUND_IDLE_TIMEOUT", "0.5", 0.5),
        ("PLAYGROUND_DAILY_ANSWERS", " 0 ", 0),
        (
            "PLAYGROUND_HOSTS",
            "chat.example,*.demo.example  10.0.0.1,",
            ("chat.example", "*.demo.example", "10.0.0.1"),
        ),
        ("GRADIO_SERVER_PORT", "7861", 7861),
        ("GRADIO_ROOT_PATH", "/chat", "/chat"),
    ],
)
def test_a_value_is_read(name: str, given: str, value: Any) -> None:
    assert getattr(load({name: given}), name.lower()) == value


BAD = [
    ("NEPTUN_BASE_URL", "neptun.example", "must be an http:// or https:// address"),
    ("NEPTUN_BASE_URL", "ftp://neptun.example", "must be an http:// or https:// address"),
    ("NEPTUN_BASE_URL", "https://user:word@neptun.example", "without user"),
    ("NEPTUN_BASE_URL", "https://neptun.example/?a=b", "query"),
    ("NEPTUN_BASE_URL", "https://:80", "must be"),
    ("NEPTUN_BASE_URL", "http://[::1", "must be"),
    ("CLOUDFLARE_BASE_URL", "https://cloudflare.example:99999", "must be"),
    ("CLOUDFLARE_BASE_URL", "https://cloudflare.example/a b", "must be"),
    ("NEPTUN_SESSION", "two words", "cookie"),
    ("NEPTUN_SESSION", "neptun-session=", "holds nothing that could be a cookie's value"),
    ("NEPTUN_SESSION", 'a"b', "cookie"),
    ("NEPTUN_SESSION", "naïve", "cookie"),
    ("PLAYGROUND_BACKEND", "Neptun", "must be 'neptun', 'workers-ai' or 'offline'"),
    ("PLAYGROUND_SESSION", "fifteen-letters", "16 characters or more"),
    ("PLAYGROUND_SESSION", "neptun-session=fifteen-letters", "16 characters or more"),
    ("PLAYGROUND_SESSION", "sixteen letters!!", "cookie"),
    ("PLAYGROUND_OPEN", "perhaps", "true or false"),
    ("PLAYGROUND_DAILY_ANSWERS", "many", "whole number"),
    ("PLAYGROUND_DAILY_ANSWERS", "1.5", "whole number"),
    ("PLAYGROUND_DAILY_ANSWERS", "9" * 5000, "whole number"),
    ("PLAYGROUND_DAILY_ANSWERS", "-1", "0 or more"),
    ("PLAYGROUND_MAX_TOKENS", "0", "1 or more"),
    ("PLAYGROUND_MAX_SECONDS", "0", "more than 0"),
    ("PLAYGROUND_MAX_SECONDS", "3601", "3600 or less"),
    ("PLAYGROUND_MAX_SECONDS", "inf", "must be a number"),
    ("PLAYGROUND_MAX_SECONDS", "nan", "must be a number"),
    ("PLAYGROUND_MAX_TOKENS", "9" * 26, "1000000 or less"),
    ("PLAYGROUND_DAILY_ANSWERS", "9" * 26, "1000000000 or less"),
    ("PLAYGROUND_PARALLEL", "0", "1 or more"),
    ("PLAYGROUND_CONNECT_TIMEOUT", "soon", "must be a number"),
    ("PLAYGROUND_IDLE_TIMEOUT", "-3", "more than 0"),
    ("PLAYGROUND_HOSTS", "https://chat.example", "'https://chat.example', which is not a host name"),
    ("PLAYGROUND_HOSTS", "{braces}", "'{braces}', which is not a host name"),
    ("PLAYGROUND_HOSTS", "chat.example:80", "no port"),
    ("GRADIO_SERVER_PORT", "65536", "65535 or less"),
    ("GRADIO_SERVER_PORT", "http", "whole number"),
    ("GRADIO_SERVER_NAME", "::1", "must be a host name or an IPv4 address"),
    ("GRADIO_SERVER_NAME", "[::1]", "must be a host name or an IPv4 address"),
    ("GRADIO_ROOT_PATH", "below", "must begin with /"),
    ("GRADIO_ROOT_PATH", "/below?a=b", "without query"),
]


@pytest.mark.parametrize(("name", "given", "words"), BAD)
@pytest.mark.parametrize("where", ["environment", "file"])
def test_a_bad_value_is_named_in_one_sentence(
    name: str, given: str, words: str, where: str, tmp_path: Path
) -> None:
    inside = where == "file"
    said = complaints(
        {} if inside else {name: given}, env_file(tmp_path, f"{name}='{given}'") if inside else None
    )
    assert len(said) == 1
    assert said[0].startswith(f"{name}: ")
    assert words in said[0]
    assert said[0].endswith(".")


@pytest.mark.parametrize("missing", ACCOUNT)
def test_account_and_token_belong_together(missing: str) -> None:
    (said,) = complaints({name: value for name, value in ACCOUNT.items() if name != missing})
    assert "CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN belong together" in said


def test_a_back_end_without_its_credentials_is_refused() -> None:
    (said,) = complaints({"PLAYGROUND_BACKEND": "workers-ai"})
    assert said.startswith("PLAYGROUND_BACKEND is workers-ai, which needs CLOUDFLARE_ACCOUNT_ID")


def test_all_bad_values_are_named() -> None:
    bad = {name: given for name, given, _ in BAD} | {"CLOUDFLARE_ACCOUNT_ID": "a/b"}
    said = complaints(bad)
    assert {line.split(" ")[0].rstrip(":") for line in said} == set(bad)
    assert any("belong together" in line for line in said)  # though each has errors of its own


# Secrets

SECRETS = {
    "NEPTUN_SESSION": "s3cret-session",
    "CLOUDFLARE_API_TOKEN": "s3cret-token",
    "PLAYGROUND_SESSION": "s3cret-key-of-the-playground",
}


def test_no_secret_is_in_what_is_shown_of_the_settings() -> None:
    settings = load({**ACCOUNT, **SECRETS})
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.model_dump())):
        assert "s3cret" not in shown
    made = load({})
    assert made.made_key
    assert made.made_key not in repr(made)


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_in_a_complaint_or_its_traceback(name: str) -> None:
    with pytest.raises(BadSettings) as bad:
        load({**ACCOUNT, **SECRETS, name: f"{SECRETS[name]} \u00e9", "PLAYGROUND_OPEN": "perhaps"})
    assert name in str(bad.value)
    assert "s3cret" not in str(bad.value)
    assert bad.value.__context__ is None  # pydantic's own error shows what it was given
    assert "s3cret" not in "".join(traceback.format_exception(bad.value))


# .env.example

EXAMPLE = (ROOT / ".env.example").read_text("utf-8")


def test_the_example_has_a_line_for_every_variable() -> None:
    named = re.findall(r"^# ([A-Z_]+)=.*  # \S.+$", EXAMPLE, re.MULTILINE)
    assert named == [field.upper() for field in Settings.model_fields if field not in SET_BY_SPACES_OR_NOBODY]


def test_the_example_changes_nothing_also_with_every_line_in_force(tmp_path: Path) -> None:
    kept = {"playground_session", "made_key", "gradio_server_port"}
    defaults = load({}).model_dump(exclude=kept)
    assert load({}, env_file(tmp_path, EXAMPLE)).model_dump(exclude=kept) == defaults
    in_force = re.sub(r"^# (?=[A-Z_]+=)", "", EXAMPLE, flags=re.MULTILINE)
    assert load({}, env_file(tmp_path, in_force)).model_dump(exclude=kept) == defaults
