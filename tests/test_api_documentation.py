"""The documentation of the routes says what they do: schemathesis tries it, and a browser reads it.

schemathesis is a process of its own, which takes this file as its hooks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from playground import Playground

schemathesis = pytest.importorskip("schemathesis", reason="no schemathesis here (tests/requirements.txt)")

CHAT = "/api/ai/cloudflare/{model_name}/chat"
COMPLETIONS = "/v1/chat/completions"

# What is refused though it fits the description, since OpenAPI has no words for the reason: it depends
# on another field, on the place in a list, or on what the host has set up.
NO_WORDS_FOR = (
    "The last message is not the user's.",
    "takes no sampling parameters",
    "takes no system prompt",
    "has no model named",
    "is beyond the endpoint's range",
    "chat_id must be a whole number, not '",  # of more digits than anybody's
)


@schemathesis.hook
def filter_failure(_: Any, failure: Any, __: Any, response: Any) -> bool:
    """Whether schemathesis has found something."""
    expected = type(failure).__name__ == "RejectedPositiveData"
    return not (expected and any(words in response.text for words in NO_WORDS_FOR))


@pytest.fixture(scope="module")
def spec(offline_playground: Playground) -> dict[str, Any]:
    answer = httpx.get(f"{offline_playground.url}/api/openapi.json", trust_env=False, timeout=60)
    assert answer.headers["content-type"] == "application/json"
    described: dict[str, Any] = answer.json()
    return described


@pytest.fixture(scope="module", autouse=True)
def tries(
    offline_playground: Playground, spec: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[subprocess.Popen[str]]]:
    """schemathesis, which waits for answers most of the time, and meanwhile the other tests run."""
    folder = tmp_path_factory.mktemp("schemathesis")
    # The guide reads its answers out; its answer to this question is a short one.
    described = folder / "openapi.json"
    described.write_text(json.dumps(spec).replace("Hello, how are you?", "/demo length"))
    groups = {
        "chat": ["--include-path", CHAT],
        "completions": ["--include-path", COMPLETIONS],
        "rest": ["--exclude-path", CHAT, "--exclude-path", COMPLETIONS],
    }
    with ExitStack() as stack:
        runs = [
            _schemathesis(offline_playground, described, folder / name, *one) for name, one in groups.items()
        ]
        for run in runs:
            stack.enter_context(run)
            stack.callback(run.kill)
        yield runs


def _schemathesis(app: Playground, described: Path, folder: Path, *which: str) -> subprocess.Popen[str]:
    folder.mkdir()
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", described, "--url", app.url, *which),
            *("--header", f"Authorization: Bearer {app.key}", "--request-timeout", "30"),
            *("--max-examples", "6", "--generation-deterministic", "--continue-on-failure"),
        ],
        cwd=folder,
        env={"SCHEMATHESIS_HOOKS": __file__, "PYTHONPATH": str(Path(__file__).parent), "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_route_of_ours_is_described(spec: dict[str, Any]) -> None:
    described = {(method, path) for path, methods in spec["paths"].items() for method in methods}
    assert described == {
        ("post", CHAT),
        ("post", COMPLETIONS),
        ("get", "/v1/models"),
        ("get", "/v1/models/{model}"),
        ("get", "/models"),
        ("head", "/api/auth/check"),
        ("get", "/health"),
    }


def test_streams_and_errors_are_described(spec: dict[str, Any]) -> None:
    chat, completions = (spec["paths"][path]["post"] for path in (CHAT, COMPLETIONS))
    assert set(chat["responses"]) == {"200", "400", "401", "413", "429", "4XX", "500", "502", "503", "504"}
    assert set(completions["responses"]) == {*chat["responses"], "404"}
    assert set(chat["responses"]["200"]["content"]) == {"text/event-stream", "text/plain"}
    assert set(completions["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    for operation, shape in ((chat, "ErrorBody"), (completions, "ErrorAnswer")):
        for status, response in operation["responses"].items():
            if status not in ("200", "413"):
                reference = response["content"]["application/json"]["schema"]["$ref"]
                assert reference == f"#/components/schemas/{shape}"
        assert operation["security"] == [{"bearer": []}, {"cookie": []}]
    wires = next(one for one in chat["parameters"] if one["name"] == "stream_protocol")
    assert wires["schema"]["enum"] == ["text", "data", "ui"]


def test_only_back_ends_that_can_be_asked_are_described(spec: dict[str, Any], playground: Playground) -> None:
    def backends(described: dict[str, Any]) -> list[str]:
        parameters = described["paths"][CHAT]["post"]["parameters"]
        listed: list[str] = next(one for one in parameters if one["name"] == "backend")["schema"]["enum"]
        return listed

    assert backends(spec) == ["neptun", "offline"]
    connected = httpx.get(f"{playground.url}/api/openapi.json", trust_env=False, timeout=60).json()
    assert sorted(backends(connected)) == ["neptun", "offline", "workers-ai"]


def test_every_reference_leads_somewhere(spec: dict[str, Any]) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    named = {f"#/components/schemas/{name}" for name in spec["components"]["schemas"]}
    assert references(spec) <= named


# For people


class Addresses(HTMLParser):
    """The addresses that a page loads by itself, the links in it, and the places that links lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.places |= {named["id"]} if "id" in named else set()
        if tag == "a":
            self.links.append(named["href"])
        else:
            asking = ("src", "href", "srcset", "action", "data")
            self.loaded += [named[name] for name in asking if name in named]


def test_the_page_loads_nothing_and_its_links_lead_somewhere(offline_playground: Playground) -> None:
    answer = httpx.get(f"{offline_playground.url}/api/docs", trust_env=False, timeout=60)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    found = Addresses()
    found.feed(answer.text)
    assert found.loaded == ["data:,"]
    assert "<script" not in answer.text
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    inside = {link[1:] for link in found.links if link.startswith("#")}
    assert inside <= found.places
    assert {link for link in found.links if not link.startswith("#")} == {"openapi.json"}
    for said in (COMPLETIONS, "X-Chat-Stored", "stream_protocol", "native_finish_reason", "neptun or offline"):
        assert said in answer.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(offline_playground: Playground, visit: Callable[..., Any], scheme: str) -> None:
    """On a phone nothing lies outside of the screen; the fixture sees to it that nobody else is asked."""
    page = visit(color_scheme=scheme, viewport={"width": 360, "height": 700})
    page.goto(f"{offline_playground.url}/api/docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (brightness(paper) > brightness(ink)) == (scheme == "light")
    page.get_by_role("link", name="Ask any back end in OpenAI's shape").first.click()
    assert page.get_by_text(COMPLETIONS, exact=True).first.is_visible()
    page.get_by_role("link", name="openapi.json").click()
    page.wait_for_url("**/api/openapi.json")
    assert page.console_errors == page.page_errors == []


def brightness(colour: str) -> int:
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


def test_it_is_right_below_a_root_path(start_playground: Callable[..., Playground]) -> None:
    """A proxy passes the path on with its prefix, or without it."""
    app = start_playground(GRADIO_ROOT_PATH="/below")
    for prefix in ("", "/below"):
        described = httpx.get(f"{app.url}{prefix}/api/openapi.json", trust_env=False, timeout=60).json()
        assert described["servers"] == [{"url": "/below"}]
        page = httpx.get(f"{app.url}{prefix}/api/docs", trust_env=False, timeout=60).text
        assert f"/below{COMPLETIONS}" in page
        assert 'href="openapi.json"' in page
        assert httpx.get(f"{app.url}{prefix}/v1/models", trust_env=False, timeout=60).status_code == 200


# What schemathesis made of it, last, since it takes its time


def test_schemathesis_finds_nothing(tries: list[subprocess.Popen[str]], offline_playground: Playground) -> None:
    for run in tries:
        said, _ = run.communicate(timeout=200)
        assert run.returncode == 0, said
    assert "Traceback" not in offline_playground.output()
