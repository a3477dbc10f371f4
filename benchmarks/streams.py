"""How fast the decoder is, beside what one would write without it. `python benchmarks/streams.py [MEGABYTES]`

Every way reads the same chunks from the same asynchronous iterator and collects the text, in
interleaved rounds of one run; the table shows tokens per second of CPU time and, behind it, the ratio
to `bytes.split` with `json`. The ratios hold on another machine, the figures do not. The loops with
`split` join what a chunk has cut and do nothing else of what `tests/test_streams_traps.py` asks.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import httpx
import orjson

try:
    from httpx_sse import EventSource
except ImportError:
    EventSource = None  # its rows are left out

sys.path.insert(0, str(Path(__file__).parents[1]))

from neptun_demo.streams import Text, decode

ROUNDS = 7
HEADERS = {"Content-Type": "text/event-stream"}
WORD = "tok "

Way = Callable[[AsyncIterator[bytes]], Coroutine[Any, Any, str]]
Field = Callable[[Any], str]


async def arriving(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Give *chunks* as a response would."""
    for chunk in chunks:
        yield chunk


async def ours(chunks: AsyncIterator[bytes]) -> str:
    """Decode with the playground."""
    return "".join([event.text async for event in decode(chunks, HEADERS) if isinstance(event, Text)])


def split(start: bytes, loads: Callable[[bytes], Any], field: Field) -> Way:
    """Give the loop that everybody writes: lines that begin with *start*, each with JSON behind it."""

    async def way(chunks: AsyncIterator[bytes]) -> str:
        texts, tail = [], b""
        async for chunk in chunks:
            *lines, tail = (tail + chunk).split(b"\n")
            texts += [
                field(loads(line[len(start) :]))
                for line in lines
                if line.startswith(start) and line != b"data: [DONE]"
            ]
        return "".join(texts)

    return way


def library(field: Field) -> Way:
    """Decode with httpx-sse, the closest library."""

    async def way(chunks: AsyncIterator[bytes]) -> str:
        events = EventSource(httpx.Response(200, headers=HEADERS, content=chunks)).aiter_sse()
        return "".join([field(json.loads(event.data)) async for event in events if event.data != "[DONE]"])

    return way


def rates(way: Way, cuts: Iterable[list[bytes]], count: int) -> Iterable[float]:
    """Give the tokens per second of one round, for each way to cut."""
    for chunks in cuts:
        begun = process_time()
        text = asyncio.run(way(arriving(chunks)))
        took = process_time() - begun
        if text != WORD * count:
            raise SystemExit("a decoder lost text")
        yield count / took


def compare(title: str, unit: bytes, end: bytes, field: Field, megabytes: float) -> None:
    """Print one table: each way, with long chunks and with one token per chunk."""
    count = int(megabytes * 1_000_000 / len(unit))
    body = unit * count + end
    cuts = ([body[at : at + 65536] for at in range(0, len(body), 65536)], [unit] * count + [end])
    start = unit.partition(b'"')[0].partition(b"{")[0]
    ways = {
        "bytes.split + json": split(start, json.loads, field),
        "bytes.split + orjson": split(start, orjson.loads, field),
        "decode()": ours,
    }
    if EventSource and start == b"data: ":
        ways["httpx-sse + json"] = library(field)
    rounds = [{name: tuple(rates(way, cuts, count)) for name, way in ways.items()} for _ in range(ROUNDS)]
    print(f"\n{title + f', {count:,} tokens':<40}{'64 KiB chunks':>24}{'one token per chunk':>24}")
    for name in ways:
        print(f"{name:<40}", end="")
        for cut in range(len(cuts)):
            rate = median(one[name][cut] for one in rounds)
            ratio = median(one[name][cut] / one["bytes.split + json"][cut] for one in rounds)
            print(f"{rate:>14,.0f}/s ({ratio:5.2f})", end="")
        print()


def main() -> None:
    """Run all comparisons."""
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    native = f'data: {{"response":"{WORD}","p":"abcdefgh"}}\n\n'.encode()
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"} | {
        "choices": [{"index": 0, "delta": {"content": WORD}, "finish_reason": None}]
    }
    openai = f"data: {json.dumps(chunk)}\n\n".encode()
    done = b"data: [DONE]\n\n"
    compare("Workers AI", native, done, lambda event: event["response"], megabytes)
    compare("OpenAI chunks", openai, done, lambda event: event["choices"][0]["delta"]["content"], megabytes * 3)
    compare("Data stream v1", f'0:"{WORD}"\n'.encode(), b'd:{"finishReason":"stop"}\n', str, megabytes / 4)


if __name__ == "__main__":
    main()
