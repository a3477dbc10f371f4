"""What the page costs the server in an answer. `python benchmarks/answer.py [ROUNDS [TOKENS [MESSAGES]]]`

One answer of 2,000 tokens at 200 a second, from an upstream in this process, to a conversation of 200 messages,
read in turn: by the page's own event, as a browser reads it; by the documented route; and by `Chat.reply()` in
a process that does nothing else, which is reading the same upstream without a page. The table shows the
seconds of CPU (user and system) of whoever read, and the ratio to the last of them within the same round. A
running app costs something without any visitor; that is measured for as long, and is part of what it costs.
The ratios hold on another machine, the figures do not.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from statistics import median
from time import monotonic, process_time
from typing import Any

import httpx
from servers import App

sys.path.insert(0, str(Path(__file__).parents[1]))

from neptun_demo.access import Access, Budget, Gate
from neptun_demo.backends import connect
from neptun_demo.catalogue import Catalogue
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message
from neptun_demo.settings import load
from neptun_demo.streams import Text

ROOT = Path(__file__).parents[1]
KEY = "a-key-of-the-benchmark"
MODEL = "llama-3.3-70b-instruct-fp8-fast"
ROUTE = f"/api/ai/cloudflare/{MODEL}/chat?chat_id=-1&is_playground=true"
RATE = 200
LIMIT = 2.0
TICKS = os.sysconf("SC_CLK_TCK")

Reader = Callable[[], Awaitable[float]]


def conversation(messages: int) -> list[dict[str, str]]:
    """Give so many *messages* of 400 characters each, the last of them a question."""
    roles = ("user", "assistant")
    said = ("The quick brown fox jumps over the lazy dog. " * 9)[:400]
    return [{"role": roles[at % 2], "content": f"{at} {said}"} for at in range(messages)] + [
        {"role": "user", "content": "And now?"}
    ]


@asynccontextmanager
async def upstream(tokens: int) -> AsyncIterator[str]:
    """A Neptun endpoint that answers every question with so many *tokens*; gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            await _answer(writer, tokens)
        else:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _answer(writer: asyncio.StreamWriter, tokens: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n")
    writer.write(b"Connection: close\r\n\r\n")
    begun = monotonic()
    for number in range(tokens):
        # By the clock, not by pauses: they would add up on a loaded machine.
        await asyncio.sleep(max(begun + number / RATE - monotonic(), 0))
        line = b'0:"%s"\n' % (b"word " if number % 12 else b"end.\\n\\n")
        writer.write(b"%x\r\n%s\r\n" % (len(line), line))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Page:
    """The page's event, as its script in a browser asks for it."""

    def __init__(
        self, client: httpx.AsyncClient, config: dict[str, Any], messages: list[dict[str, str]]
    ) -> None:
        components = {one["id"]: one for one in config["components"]}
        bot = next(key for key, one in components.items() if one["props"].get("elem_id") == "conversation")
        self._event = next(
            one
            for one in config["dependencies"]
            if one["outputs"] == [bot] and one["inputs"][:1] == [bot] and one["types"]["generator"]
        )
        shown = [
            {"role": one["role"], "content": [{"type": "text", "text": one["content"]}], "metadata": None}
            for one in messages
        ]
        rest = [components[key]["props"].get("value") for key in self._event["inputs"][1:]]
        self._data = [shown, *rest]
        self._client = client
        self._visits = 0

    async def read(self) -> str:
        """The last answer's text, when the event is over."""
        self._visits += 1
        session = f"benchmark{self._visits}"
        joining = {
            "data": self._data,
            "fn_index": self._event["id"],
            "session_hash": session,
            "trigger_id": self._event["targets"][0][0],
            "event_data": None,
        }
        (await self._client.post("/gradio_api/queue/join", json=joining)).raise_for_status()
        last = b""
        async with self._client.stream(
            "GET", "/gradio_api/queue/data", params={"session_hash": session}
        ) as sent:
            async for line in sent.aiter_lines():
                if '"process_completed"' in line:
                    last = line.removeprefix("data: ").encode()
        finished = json.loads(last)["output"]["data"][0]
        text = [one for one in finished[len(self._data[0]) :] if not one["metadata"]]
        return "".join(part["text"] for one in text for part in one["content"])


async def by_route(client: httpx.AsyncClient, messages: list[dict[str, str]]) -> str:
    """The documented route's answer."""
    cookie = {"Cookie": f"neptun-session={KEY}"}
    async with client.stream("POST", ROUTE, headers=cookie, json={"messages": messages}) as answer:
        answer.raise_for_status()
        return "".join([text async for text in answer.aiter_text()])


async def bare(base_url: str, tokens: int, messages: int) -> None:
    """Read one answer with `Chat.reply()`, and print the seconds of CPU that it took."""
    settings = load({"NEPTUN_BASE_URL": base_url, "NEPTUN_SESSION": "a-cookie"})
    connections = connect(settings)
    gate = Gate(connections.key, connections.host, open_to_visitors=True)
    chat = Chat(settings, Catalogue(), connections.backends, gate, Budget(200, 8))
    said = [Message.model_validate(one) for one in conversation(messages)]
    begun = process_time()
    async with aclosing(chat.reply(said, Options(model=MODEL), Access("page"))) as events:
        text = "".join([event.text async for event in events if isinstance(event, Text)])
    print(process_time() - begun)
    _checked(text, tokens)
    await connections.aclose()


def _checked(text: str, tokens: int) -> None:
    if text.count("word") != sum(number % 12 > 0 for number in range(tokens)):
        raise SystemExit(f"an answer lost text: {text[-200:]}")


async def _in_a_process(base_url: str, tokens: int, messages: int) -> float:
    command = (sys.executable, __file__, "--bare", base_url, str(tokens), str(messages))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    return float(printed)


async def compare(rounds: int, tokens: int, messages: int) -> None:
    """Print the table."""
    said = conversation(messages)
    seconds = tokens / RATE
    async with upstream(tokens) as base_url:
        env = {"NEPTUN_BASE_URL": base_url, "NEPTUN_SESSION": "a-cookie", "PLAYGROUND_SESSION": KEY}
        with tempfile.TemporaryDirectory() as home, App("app.py", home=home, env=env, folder=ROOT) as app:
            await asyncio.to_thread(app.await_answer)
            async with httpx.AsyncClient(base_url=app.url, timeout=60) as client:
                page = Page(client, (await client.get("/config")).json(), said)

                async def in_the_app(read: Callable[[], Awaitable[str]]) -> float:
                    before = cpu(app.pid)
                    _checked(await read(), tokens)
                    return cpu(app.pid) - before

                async def idle() -> float:
                    before = cpu(app.pid)
                    await asyncio.sleep(seconds)
                    return cpu(app.pid) - before

                ways: dict[str, Reader] = {
                    "the page's event": lambda: in_the_app(page.read),
                    "the documented route": lambda: in_the_app(lambda: by_route(client, said)),
                    "the app, idle": idle,
                    "Chat.reply() alone": lambda: _in_a_process(base_url, tokens, messages),
                }
                await page.read()  # the first one imports and compiles what later ones have
                used = [{name: await way() for name, way in ways.items()} for _ in range(rounds)]
    print(f"{tokens:,} tokens at {RATE} a second, {messages} messages before, {rounds} rounds")
    print(f"\n{'read by':<24}{'CPU':>10}{'ratio':>9}{'limit':>9}")
    for name in ways:
        ratio = median(one[name] / one["Chat.reply() alone"] for one in used)
        limit = f"{LIMIT:9.2f}" if name == "the page's event" else ""
        print(f"{name:<24}{median(one[name] for one in used):>8.2f} s{ratio:>9.2f}{limit}")


def main() -> None:
    """Run the comparison, or be the process that only reads."""
    if sys.argv[1:2] == ["--bare"]:
        asyncio.run(bare(sys.argv[2], *map(int, sys.argv[3:])))
        return
    rounds, tokens, messages = [*map(int, sys.argv[1:]), *(3, 2000, 200)[len(sys.argv) - 1 :]]
    asyncio.run(compare(rounds, tokens, messages))


if __name__ == "__main__":
    main()
