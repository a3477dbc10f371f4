"""The MCP door, called by the `mcp` client over streamable HTTP: list, call, error, and a caller that dies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playground import ROOT, Playground
from upstream import Play, Upstream, data_lines, forever, recording, sse

mcp = pytest.importorskip("mcp", reason="no mcp here (requirements.txt)")
from mcp.client.streamable_http import streamable_http_client  # noqa: E402
from mcp.shared.memory import create_connected_server_and_client_session  # noqa: E402

from neptun_demo.mcp import Tools  # noqa: E402

VISITOR = "a-visitors-own-session"


@asynccontextmanager
async def session(app: Playground, credential: str | None) -> AsyncIterator[Any]:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    async with (
        httpx.AsyncClient(headers=headers, timeout=20, trust_env=False) as caller,
        streamable_http_client(f"{app.url}/mcp", http_client=caller) as (read, write, _),
        mcp.ClientSession(read, write) as client,
    ):
        await client.initialize()
        yield client


@pytest.mark.anyio
async def test_there_are_two_tools_with_typed_schemas(offline_playground: Playground) -> None:
    async with session(offline_playground, None) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"ask", "models"}
    assert tools["ask"].inputSchema["required"] == ["question"]
    assert all(tool.description and tool.outputSchema for tool in tools.values())
    assert all(field["description"] for field in tools["ask"].inputSchema["properties"].values())


@pytest.mark.anyio
async def test_ask_answers_with_the_text_and_the_whole_answer(
    playground: Playground, workers_ai: Upstream
) -> None:
    workers_ai.plays(sse({"response": "It is\u2028"}, {"response": 3}, {"response": ".50 😀"}))
    async with session(playground, playground.key) as client:
        given = await client.call_tool(
            "ask",
            {
                "question": "And the price?",
                "history": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}],
                "system": "Be brief.",
                "temperature": 0.5,
                "max_tokens": 100,
            },
        )
    assert not given.isError
    assert given.content[0].text == "It is\u20283.50 😀"
    assert given.structuredContent["text"] == "It is\u20283.50 😀"
    assert given.structuredContent["backend"] == "workers-ai"
    sent = workers_ai.requests[0].json()
    assert [message["content"] for message in sent["messages"]] == [
        "Be brief.",
        "Hello",
        "Hi",
        "And the price?",
    ]
    assert (sent["temperature"], sent["max_tokens"]) == (0.5, 100)


@pytest.mark.anyio
async def test_models_lists_the_catalogue(offline_playground: Playground) -> None:
    async with session(offline_playground, None) as client:
        given = await client.call_tool("models", {"backend": "neptun"})
    assert [row["name"] for row in given.structuredContent["models"]] == ["llama-3.3-70b-instruct-fp8-fast"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("ask", {}, "question is missing"),
        ("ask", {"question": ""}, "question is blank"),
        ("ask", {"question": " "}, "question is blank"),
        (
            "ask",
            {"question": "x", "history": [{"role": "user", "content": " "}]},
            "history[0].content is blank",
        ),
        ("ask", {"question": "x", "history": [{"role": "system", "content": "x"}]}, "history[0].role"),
        ("ask", {"question": "x", "history": [5]}, "history[0] must be an object"),
        ("ask", {"question": "x", "model": "nope", "backend": "offline"}, "no model named"),
        ("ask", {"question": "x", "max_tokens": 9, "backend": "offline"}, "takes no sampling parameters"),
        ("ask", {"question": "x", "colour": "red"}, "colour is not known"),
        ("models", {"backend": "nope"}, "backend must be"),
        ("delete_everything", {}, "no tool named"),
    ],
)
async def test_a_wrong_call_is_an_error_with_our_sentence(
    offline_playground: Playground, tool: str, arguments: dict[str, Any], words: str
) -> None:
    async with session(offline_playground, offline_playground.key) as client:
        given = await client.call_tool(tool, arguments)
    assert given.isError
    assert words in given.content[-1].text


@pytest.mark.anyio
async def test_a_parameter_is_checked_as_the_model_takes_it(
    playground: Playground, workers_ai: Upstream
) -> None:
    wrong = {"max_tokens": [0, True, "many", 1.5], "temperature": [9, "hot"], "top_p": [0]}
    async with session(playground, playground.key) as client:
        for name, values in wrong.items():
            for value in values:
                given = await client.call_tool("ask", {"question": "x", name: value})
                assert given.isError
                assert given.content[0].text.startswith(f"{name} must be "), given.content
    assert workers_ai.requests == []


@pytest.mark.anyio
@pytest.mark.parametrize("credential", [None, "pg-this-is-not-the-key", VISITOR])
async def test_without_a_credential_that_fits_nothing_is_asked(
    playground: Playground, workers_ai: Upstream, credential: str | None
) -> None:
    async with session(playground, credential) as client:
        given = await client.call_tool("ask", {"question": "hello", "backend": "workers-ai"})
    assert given.isError
    assert "Authorization: Bearer" in given.content[0].text  # what a client of this door can do about it
    assert "query" not in given.content[0].text
    assert workers_ai.requests == []


@pytest.mark.anyio
async def test_a_neptun_cookie_is_a_credential_for_neptun(playground: Playground, neptun: Upstream) -> None:
    neptun.plays(data_lines("ok"))
    async with session(playground, VISITOR) as client:
        given = await client.call_tool("ask", {"question": "hello", "backend": "neptun"})
    assert given.content[0].text == "ok"
    assert neptun.requests[0].query == {"chat_id": "-1", "is_playground": "true"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("play", "text", "words"),
    [
        (recording("up_err429"), None, "00:00 UTC"),
        (recording("up_cut_mid"), "one two three", "silent"),
        (recording("up_cut_mid", ended="cut"), "one two three", "broke"),
    ],
)
async def test_a_failure_is_an_error_with_the_text_so_far(
    playground: Playground, neptun: Upstream, play: Play, text: str | None, words: str
) -> None:
    neptun.plays(play)
    async with session(playground, VISITOR) as client:
        given = await client.call_tool("ask", {"question": "hello", "backend": "neptun"})
    assert given.isError
    assert [part.text for part in given.content[:-1]] == ([text] if text else [])
    assert words in given.content[-1].text


@pytest.mark.anyio
async def test_a_failure_of_ours_keeps_its_words(caplog: pytest.LogCaptureFixture) -> None:
    def rows(_: str) -> None:
        raise ValueError("words for the log alone")

    broken: Any = SimpleNamespace(backends={"offline": None}, catalogue=SimpleNamespace(rows=rows))
    async with create_connected_server_and_client_session(Tools(broken)._server) as client:
        given = await client.call_tool("models", {})
    assert given.isError
    assert given.content[0].text == "The playground itself failed. Try again."
    assert "words for the log alone" in caplog.text


CALLER = """
import asyncio, sys
import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

async def main(url, key):
    caller = httpx.AsyncClient(headers={"Authorization": "Bearer " + key}, timeout=20)
    async with streamable_http_client(url, http_client=caller) as (read, write, _):
        async with ClientSession(read, write) as client:
            await client.initialize()
            await client.call_tool("ask", {"question": "hello", "backend": "neptun"})

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(Play(chunks=[forever('0:"tick "\n')], gap=0.05), id="while text flows"),
        pytest.param(Play(chunks=('0:"one"\n',), ended="open"), id="while it is silent"),
    ],
)
def test_a_caller_that_dies_keeps_no_answer_running(
    patient_playground: Playground, neptun: Upstream, play: Play, tmp_path: Path
) -> None:
    neptun.plays(play)
    script = tmp_path / "caller.py"
    script.write_text(CALLER)
    with subprocess.Popen([sys.executable, script, f"{patient_playground.url}/mcp", VISITOR]) as caller:
        exchange = neptun.arrived(timeout=60)
        assert exchange.begun.wait(20)
        caller.kill()
        assert exchange.left.wait(5), "the answer runs on for a caller that is dead"


def test_a_plain_request_is_no_call(offline_playground: Playground) -> None:
    answer = httpx.post(f"{offline_playground.url}/mcp", content=b"{", trust_env=False, timeout=60)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_nothing_to_listen_to(offline_playground: Playground, method: str) -> None:
    """Whoever opens the stream of a session that does not exist is told so, and holds no connection."""
    headers = {"Accept": "application/json, text/event-stream"}
    url = f"{offline_playground.url}/mcp"
    with httpx.stream(method, url, headers=headers, timeout=20, trust_env=False) as answer:
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.anyio
async def test_the_example_configuration_leads_to_the_tools(offline_playground: Playground) -> None:
    """`examples/mcp.json`, with this run's address, and the key that a client takes from its environment."""
    text = (ROOT / "examples" / "mcp.json").read_text("utf-8")
    text = text.replace("http://127.0.0.1:7860", offline_playground.url)
    server = json.loads(text.replace("${PLAYGROUND_SESSION}", offline_playground.key))["mcpServers"]
    configured = server["neptun-playground"]
    assert configured["type"] == "http"
    async with (
        httpx.AsyncClient(headers=configured["headers"], timeout=20, trust_env=False) as caller,
        streamable_http_client(configured["url"], http_client=caller) as (read, write, _),
        mcp.ClientSession(read, write) as client,
    ):
        await client.initialize()
        given = await client.call_tool("ask", {"question": "What is the playground?"})
    assert not given.isError
    assert "offline guide" in given.content[0].text
