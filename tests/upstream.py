"""A far end that does as it is told, over real sockets.

`Upstream` is a small HTTP/1.1 server with a thread and an event loop of its own. It is written on raw streams
since a web framework would not let it cut a body, reset a connection, fall silent or answer garbage. What it
shall answer is a `Play`; what it saw are `requests` and `exchanges`. Tests never sleep: they wait for an event,
with a limit.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

FOLDER = Path(__file__).with_name("recordings")
RECORDINGS = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
Ending = Literal["clean", "length", "close", "open", "cut", "reset"]
TEXT = {"content-type": "text/plain; charset=utf-8"}  # what the endpoint really sends, whatever it documents


# What is answered


@dataclass(frozen=True)
class Forever:
    """Pieces that come round and round until the client leaves."""

    parts: tuple[bytes | str, ...]


def forever(*parts: bytes | str) -> Forever:
    return Forever(parts)


class Gate:
    """A place in an answer that is passed only once the test calls `open()`."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._lock = threading.Lock()
        self._opened = False
        self._wake: list[Callable[[], object]] = []

    def open(self) -> None:
        with self._lock:
            self._opened = True
            for wake in self._wake:
                wake()

    async def passed(self) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        with self._lock:
            self._wake.append(wake)
            if self._opened:
                woken.set()
        self.reached.set()
        try:
            await woken.wait()
        finally:
            with self._lock:
                self._wake.remove(wake)


Chunk = bytes | str | Gate | Forever


@dataclass(frozen=True)
class Play:
    """One answer, down to the way it ends.

    *ended*: `clean` the final chunk, `length` a Content-Length body, `close` a body delimited by the close,
    `open` silence on an open socket, `cut` a FIN without the final chunk, `reset` an RST.
    Framing headers that are given are sent as they are, so that a play can lie. With *head* false only the
    chunks' bytes are sent: no status line, no framing.
    """

    status: int = 200
    headers: Headers = field(default_factory=lambda: dict(TEXT))
    chunks: Sequence[Chunk] = ()
    ended: Ending = "clean"
    before: float = 0.0  # seconds of silence before the head
    head_delay: float = 0.0  # seconds between the head and the first chunk
    gap: float | Sequence[float] = 0.0  # seconds between chunks; a list says how long after each chunk
    head: bool = True

    def pieces(self) -> Iterator[bytes | Gate]:
        for chunk in self.chunks:
            parts = itertools.cycle(chunk.parts) if isinstance(chunk, Forever) else (chunk,)
            for part in parts:
                yield part.encode() if isinstance(part, str) else part

    def pauses(self) -> Iterator[float]:
        """How long it is silent before each piece, and last before the end."""
        if isinstance(self.gap, int | float):
            return itertools.chain((0.0,), itertools.repeat(float(self.gap)))
        return itertools.chain((0.0,), self.gap, itertools.repeat(0.0))


@dataclass(frozen=True)
class Recorded:
    """The request that a recorded answer was the answer to."""

    method: str
    target: str
    headers: dict[str, str]
    body: str


def _recorded(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def recording(name: str, *, timed: bool = False, **changes: Any) -> Play:
    """A recorded answer as a play; *timed* waits before the head as long as the recorded server did."""
    answer = _recorded(name)["response"]
    headers = answer["headers"]
    if "content-length" in headers:
        # In eleven recordings it is 4 too many: the server's address was shortened in the body afterwards.
        headers["content-length"] = str(len("".join(answer["chunks"]).encode()))
    play = Play(
        status=answer["status"],
        headers=tuple(headers.items()),
        chunks=tuple(answer["chunks"]),
        ended=answer["ended"],
        before=answer["header_ms"] / 1000 if timed else 0.0,
    )
    return replace(play, **changes)


def recorded_request(name: str) -> Recorded:
    request = _recorded(name)["request"]
    return Recorded(request["method"], request["url"], request["headers"], request["body"])


def compact(payload: object) -> str:
    """JSON as `JSON.stringify` writes it: no spaces, characters as they are, lone surrogates escaped."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def data_lines(*texts: str, **more: Any) -> Play:
    """A Neptun reply: one `0:` line, and one chunk, for each text."""
    return Play(**{"chunks": tuple(f"0:{compact(text)}\n" for text in texts), **more})


def sse(*payloads: object, done: bool = True, **more: Any) -> Play:
    """A Workers AI stream: one event, and one chunk, for each payload; a string is sent as the data it is."""
    data = [payload if isinstance(payload, str) else compact(payload) for payload in payloads]
    chunks = tuple(f"data: {datum}\n\n" for datum in [*data, *(["[DONE]"] if done else [])])
    return Play(**{"headers": {"content-type": "text/event-stream"}, "chunks": chunks, **more})


def json_answer(payload: object, status: int = 200, **more: Any) -> Play:
    headers = {"content-type": "application/json"}
    chunks = (compact(payload),)
    return Play(**{"status": status, "headers": headers, "chunks": chunks, "ended": "length", **more})


def cloudflare_error(code: int, message: str, status: int, **more: Any) -> Play:
    """Workers AI's refusal before the first byte."""
    errors = [{"message": f"AiError: {message} (6ad1b2e5-0000-4000-8000-000000000000)", "code": code}]
    return json_answer({"errors": errors, "success": False, "result": {}, "messages": []}, status, **more)


def redirect(to: str, status: int = 302) -> Play:
    return Play(status=status, headers={"location": to, "content-type": "text/html"}, ended="length")


def gzipped(play: Play) -> Play:
    """The same answer packed, flushed after each chunk, so that it still streams."""
    packer = zlib.compressobj(wbits=31)
    chunks = [
        piece if isinstance(piece, Gate) else packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        for piece in play.pieces()
    ]
    headers = {**dict(play.headers), "content-encoding": "gzip"}
    return replace(play, headers=headers, chunks=(*chunks, packer.flush()))


def garbage(wire: bytes = b"SSH-2.0-OpenSSH_9.2p1\r\n") -> Play:
    """Something that is not HTTP, and the end."""
    return Play(head=False, chunks=(wire,), ended="cut")


def closes() -> Play:
    """The end without a byte."""
    return Play(head=False, ended="cut")


def resets() -> Play:
    return Play(head=False, ended="reset")


def hangs() -> Play:
    """The connection is taken, and then nothing."""
    return Play(head=False, ended="open")


# Far ends that nobody can connect to


@contextmanager
def refusing() -> Iterator[str]:
    """An address where connecting is refused at once; bound meanwhile, so that nobody else gets the port."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def unreachable() -> Iterator[str]:
    """An address where connecting never comes to an end: the queue of a socket that accepts nobody is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


# What is seen


@dataclass(frozen=True)
class Request:
    method: str
    target: str  # path and query as they came
    headers: tuple[tuple[str, str], ...]  # case and order as they came
    body: bytes
    at: float  # time.monotonic()

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        return dict(self.pairs)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """A request and what became of its answer. The events are set from the server's thread."""

    def __init__(self, request: Request, play: Play, connection: int) -> None:
        self.request = request
        self.play = play
        self.connection = connection  # the same number: the client used the same connection again
        self.begun = threading.Event()  # the first bytes were sent
        self.over = threading.Event()  # nothing more will be sent
        self.left = threading.Event()  # the client closed the connection before that
        self.left_at: float | None = None
        self.sent = 0  # pieces

    @property
    def left_after(self) -> float | None:
        """Seconds from the request to the client's leaving."""
        return None if self.left_at is None else self.left_at - self.request.at

    def note_leaving(self) -> None:
        if not self.over.is_set() and self.left_at is None:
            self.left_at = time.monotonic()
            self.left.set()


# The server


class _Connection(asyncio.StreamReaderProtocol):
    """Streams, and the one thing they do not tell: that the client left while we were writing."""

    def __init__(self, upstream: Upstream, number: int) -> None:
        super().__init__(asyncio.StreamReader(limit=2**20), self._made)
        self._upstream = upstream
        self.number = number
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.exchange: Exchange | None = None
        self.gone = asyncio.Event()
        self._line: asyncio.Transport  # the base class keeps a `_transport` of its own, and forgets it

    def _made(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        # Else the kernel holds small pieces back: for 40 ms on a connection that is used again.
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upstream._begin(self)

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._upstream._connections.add(self)
        self._line = transport
        super().connection_made(transport)

    def eof_received(self) -> bool | None:
        self._leave()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream._connections.discard(self)
        self._leave()
        super().connection_lost(exc)

    def abort(self) -> None:
        self._line.abort()

    def _leave(self) -> None:
        if self.exchange is not None:
            self.exchange.note_leaving()
        self.gone.set()


class Upstream:
    """The server. `with Upstream() as far_end:` starts it, the end of the block stops it.

    Standing answers (`serves`) are for what an app asks by itself, such as lists of models: they take nothing
    from the queue of plays, are kept in `served` instead of `requests`, and outlive `reset()`.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.exchanges: list[Exchange] = []
        self.served: list[Request] = []
        self._standing: dict[tuple[str, str], Play] = {}
        self._answer: Callable[[Request], Play] = _nothing_scripted
        self._open: dict[Exchange, _Connection] = {}
        self._connections: set[_Connection] = set()
        self._problems: list[BaseException] = []
        self._changed = threading.Condition()
        self._tasks: dict[asyncio.Task[None], _Connection] = {}
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="upstream", daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the upstream did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the upstream did not stop"
        self._raise_problem()

    # What it shall do

    def plays(self, *plays: Play) -> None:
        """The next request gets the first, and so on; the last one repeats."""
        queue = itertools.chain(plays, itertools.repeat(plays[-1]))
        self._answer = lambda _: next(queue)

    def answers(self, handler: Callable[[Request], Play]) -> None:
        """Each request gets what *handler* makes of it; what it raises, `reset()` or the end raises again."""
        self._answer = handler

    def serves(self, method: str, path: str, play: Play) -> None:
        self._standing[method, path] = play

    def reset(self) -> None:
        """A new test: nothing seen, nothing scripted, answers that are still open are dropped."""
        asyncio.run_coroutine_threadsafe(self._drop_open(), self._loop).result(10)
        with self._changed:
            self.requests, self.exchanges, self.served = [], [], []
            self._answer = _nothing_scripted
        self._raise_problem()

    # What it saw

    @property
    def open_now(self) -> int:
        """Answers that are not over. Idle connections kept for later do not count."""
        with self._changed:
            return len(self._open)

    def arrived(self, number: int = 1, timeout: float = 20.0) -> Exchange:
        """The *number*-th exchange since the start or the last `reset()`, as soon as it is there."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.exchanges) >= number, timeout)
            assert there, f"{len(self.exchanges)} requests came within {timeout} s, not {number}"
            return self.exchanges[number - 1]

    def quiet(self, timeout: float = 5.0) -> bool:
        """Whether, within the time, all answers are over."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout)

    # How it does it, all in the server's thread

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        numbers = itertools.count(1)
        server = await self._loop.create_server(lambda: _Connection(self, next(numbers)), sock=self._socket)
        self._ready.set()
        await self._stop.wait()
        server.close()
        await asyncio.sleep(0)  # who was accepted a moment ago gets its connection first
        await self._drop(list(self._tasks))
        while self._connections:  # an answer that is over may still wait for its last bytes to be taken
            for connection in list(self._connections):
                connection.abort()
            await asyncio.sleep(0)

    def _begin(self, connection: _Connection) -> None:
        task = self._loop.create_task(self._talk(connection))
        self._tasks[task] = connection
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._problems.append(problem)

    async def _drop_open(self) -> None:
        busy = set(self._open.values())
        await self._drop([task for task, connection in self._tasks.items() if connection in busy])

    async def _drop(self, tasks: list[asyncio.Task[None]]) -> None:
        connections = [self._tasks[task] for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections:  # only now, or our own cut would look like a client that left
            connection.abort()

    def _raise_problem(self) -> None:
        problems, self._problems = self._problems, []
        if problems:
            raise problems[0]

    async def _talk(self, connection: _Connection) -> None:
        try:
            while (request := await _read(connection)) is not None:
                exchange = self._arrival(request, connection)
                try:
                    if not await _played(exchange, connection):
                        break
                finally:
                    self._finish(exchange, connection)
        except ConnectionError:
            pass  # the client is gone; the connection has noted when
        finally:
            connection.writer.close()

    def _arrival(self, request: Request, connection: _Connection) -> Exchange:
        standing = self._standing.get((request.method, request.path))
        play = standing or self._ask(request)
        exchange = connection.exchange = Exchange(request, play, connection.number)
        if connection.gone.is_set():  # it left together with its request
            exchange.note_leaving()
        with self._changed:
            self._open[exchange] = connection
            if standing:
                self.served.append(request)
            else:
                self.requests.append(request)
                self.exchanges.append(exchange)
            self._changed.notify_all()
        return exchange

    def _ask(self, request: Request) -> Play:
        try:
            return self._answer(request)
        except Exception as problem:  # noqa: BLE001 - whatever a test's handler raises belongs to the test's thread
            self._problems.append(problem)
            return json_answer({"statusCode": 500, "statusMessage": "The test's handler failed."}, 500)

    def _finish(self, exchange: Exchange, connection: _Connection) -> None:
        exchange.over.set()
        connection.exchange = None
        with self._changed:
            del self._open[exchange]
            self._changed.notify_all()


def _nothing_scripted(request: Request) -> Play:
    said = f"The test scripted no answer to {request.method} {request.target}."
    return json_answer({"statusCode": 500, "statusMessage": said, "message": said}, 500)


async def _read(connection: _Connection) -> Request | None:
    try:
        head = await connection.reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    at = time.monotonic()
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    known = {name.lower(): value for name, value in headers}
    if known.get("expect", "").lower() == "100-continue":
        connection.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        body = await _read_body(connection.reader, known)
    except asyncio.IncompleteReadError:
        return None
    return Request(method, target, headers, body, at)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":  # trailers
        pass
    return body


async def _played(exchange: Exchange, connection: _Connection) -> bool:
    """Whether the connection may be used again after the answer; a client that leaves stops it."""
    playing = asyncio.create_task(_perform(exchange, connection.writer))
    leaving = asyncio.create_task(connection.gone.wait())
    try:
        await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return playing.done() and playing.result()
    finally:
        for task in (playing, leaving):
            task.cancel()
        with suppress(ConnectionError):
            await asyncio.gather(playing, leaving, return_exceptions=True)


async def _perform(exchange: Exchange, writer: asyncio.StreamWriter) -> bool:
    play = exchange.play
    await asyncio.sleep(play.before)
    headers, framing = _framing(play, exchange.request)
    if play.head:
        lines = [f"HTTP/1.1 {play.status} Played", *(f"{name}: {value}" for name, value in headers)]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        exchange.begun.set()
    await asyncio.sleep(play.head_delay)
    if framing != "none":
        await _send(exchange, writer, framing)
    if play.ended == "open":
        await asyncio.Event().wait()
    if framing == "chunked" and play.ended == "clean":
        writer.write(b"0\r\n\r\n")
    exchange.over.set()  # nothing may be awaited since the last byte: a client that leaves now has it all
    if play.ended == "reset":
        _reset(writer)
    return play.ended in ("clean", "length") and not _says_close(headers, exchange.request.headers)


async def _send(exchange: Exchange, writer: asyncio.StreamWriter, framing: str) -> None:
    play, pauses = exchange.play, exchange.play.pauses()
    for piece in play.pieces():
        await asyncio.sleep(next(pauses))
        if isinstance(piece, Gate):
            await piece.passed()
        elif piece:  # an empty chunk would be the final one
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await writer.drain()
            exchange.sent += 1
            exchange.begun.set()
    if not isinstance(play.gap, int | float):
        await asyncio.sleep(next(pauses))


def _framing(play: Play, request: Request) -> tuple[list[tuple[str, str]], str]:
    """The headers to send, and how the body is wrapped: as the headers say, else as the ending needs it."""
    pairs = list(play.headers.items() if isinstance(play.headers, Mapping) else play.headers)
    names = {name.lower(): value.lower() for name, value in pairs}
    if not play.head:
        return pairs, "raw"
    if request.method == "HEAD" or play.status in (204, 304):
        return pairs, "none"
    if "content-length" in names:
        return pairs, "raw"
    if "transfer-encoding" in names:
        return pairs, "chunked"
    if play.ended == "length":
        size = sum(len(piece) for piece in play.pieces() if isinstance(piece, bytes))
        return [*pairs, ("content-length", str(size))], "raw"
    if play.ended == "close":
        return [*pairs, ("connection", "close")], "raw"
    return [*pairs, ("transfer-encoding", "chunked")], "chunked"


def _reset(writer: asyncio.StreamWriter) -> None:
    """Lingering for no time makes the close an RST instead of a FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _says_close(*sides: Sequence[tuple[str, str]]) -> bool:
    said = [(name.lower(), value.lower()) for side in sides for name, value in side]
    return ("connection", "close") in said
