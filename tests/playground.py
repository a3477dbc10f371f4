"""The real app as a process: started as a reader of the README starts it, in a known environment."""

from __future__ import annotations

import contextlib
import http.client
import inspect
import ipaddress
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

ROOT = Path(__file__).parents[1]
# All that the app may read of its folder.
PARTS = ("app.py", "neptun_demo", "assets", "requirements.txt", "README.md")


# Nothing leaves this machine: these functions watch over pytest's process and, as its sitecustomize, the app's.


def host_of(event: str, args: tuple[Any, ...]) -> object:
    """The host that an audit event is about to look up or to reach, if it is about one."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        return args[0]
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        inet = args[0].family in (socket.AF_INET, socket.AF_INET6)
        return args[1][0] if inet and args[1] else None
    return None


def is_foreign(host: object, *, lookup: bool) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if not isinstance(name, str) or name in ("", "localhost"):
        return False
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return True  # to look a name up is to talk to somebody already
    address = getattr(address, "ipv4_mapped", None) or address
    return not (lookup or address.is_loopback or address.is_unspecified)


def keep_home(note: Callable[[str], object]) -> None:
    """Refuse, for the rest of this process, whatever leads away from this machine."""

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event.startswith("socket.") and is_foreign(host := host_of(event, args), lookup="get" in event):
            note(f"{event} {host!s}")
            raise ConnectionRefusedError(111, f"tests stay on this machine, {host!s} is refused")

    sys.addaudithook(watch)


def leave_stubs() -> None:
    """Keep Gradio from writing a stub beside each of its own components whenever it is imported.

    That takes half of the time that an app needs to start. Beside others' source they are still written.
    """
    getfile = inspect.getfile

    def watched(thing: Any) -> str:
        asked_by = sys._getframe(1).f_globals.get("__name__")
        if asked_by == "gradio.component_meta" and thing.__module__.startswith("gradio."):
            raise OSError("its stub is not needed")  # which Gradio takes for a component without a file
        return getfile(thing)

    inspect.getfile = watched


def _sitecustomize(log: Path) -> str:
    return "\n".join(
        [
            "import inspect, ipaddress, socket, sys",
            "from collections.abc import Callable",
            "from typing import Any",
            *map(inspect.getsource, (host_of, is_foreign, keep_home, leave_stubs)),
            "leave_stubs()",
            f"keep_home(lambda seen: print(seen, file=open({str(log)!r}, 'a', buffering=1)))",
        ]
    )


# The folder


def copy_app(target: Path, root: Path = ROOT) -> Path:
    """What of the repository is the app, without anybody's `.env`.

    A copy and no symbolic links: Python resolves them for `sys.path[0]`, so that code which looks beside itself
    would find the developer's `.env` again; and Gradio writes `.pyi` files beside its callers.
    """
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        if (root / part).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.pyi", ".*")
            shutil.copytree(root / part, target / part, ignore=ignore, dirs_exist_ok=True)
        elif (root / part).exists():
            shutil.copy2(root / part, target / part)
    return target


# The process


class Stopped(NamedTuple):
    code: int
    seconds: float


class Playground:
    """`python app.py` in *folder*. Nothing of the tester's environment reaches it but PATH.

    *env* is added; a value of None takes one of the harness's own away.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str | None] | None = None,
        *,
        script: str = "app.py",
        limit: float = 180.0,
    ) -> None:
        self.folder, self.script, self.limit = folder, script, limit
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._added = dict(env or {})
        self._lines: list[str] = []
        self._printed = threading.Condition()
        self._stopped: Stopped | None = None

    def __enter__(self) -> Self:
        self._own = Path(tempfile.mkdtemp(prefix="playground-"))
        try:
            self._start()
            self._await_answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._own, ignore_errors=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def key(self) -> str:
        """The playground's key: the configured one, or the made one as it was printed."""
        return self._added.get("PLAYGROUND_SESSION") or self.printed(r"\bpg-[\w-]{13,}")[0]

    def output(self) -> str:
        """What it wrote so far, on both of its outputs."""
        with self._printed:
            return "".join(self._lines)

    def printed(self, pattern: str, timeout: float = 10.0) -> re.Match[str]:
        """The match of *pattern* in the output, as soon as it is there."""
        with self._printed:
            self._printed.wait_for(lambda: re.search(pattern, "".join(self._lines)), timeout)
        found = re.search(pattern, self.output())
        assert found, f"{pattern!r} was not printed in {timeout} s (unflushed?); this was:\n{self.output()}"
        return found

    def foreign(self) -> list[str]:
        """What the app tried to look up or to reach outside this machine, in vain."""
        log = self._own / "foreign"
        return log.read_text().splitlines() if log.exists() else []

    def stop(self, by: signal.Signals = signal.SIGTERM, limit: float = 10.0) -> Stopped:
        """Ask it to end, and make it end after *limit*; a second call gives the first one's result."""
        if self._stopped is None:
            begun = time.monotonic()
            self._process.send_signal(by)
            try:
                self._process.wait(limit)
            except subprocess.TimeoutExpired:
                self._process.kill()
            code = self._process.wait()
            self._stopped = Stopped(code, time.monotonic() - begun)
            self._reader.join(5)
        return self._stopped

    def _environment(self) -> dict[str, str]:
        home, guard = self._own / "home", self._own / "guard"
        home.mkdir()
        guard.mkdir()
        (guard / "sitecustomize.py").write_text(_sitecustomize(self._own / "foreign"))
        env: dict[str, str | None] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(guard),  # the app fetches lists of models unasked
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(self.port),
            **self._added,
        }
        return {name: value for name, value in env.items() if value is not None}

    def _start(self) -> None:
        with _hearing_ctrl_c():
            self._process = subprocess.Popen(
                [sys.executable, self.script],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        self._reader = threading.Thread(target=self._read, name="playground output", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                with self._printed:
                    self._lines.append(line)
                    self._printed.notify_all()

    def _await_answer(self) -> None:
        until = time.monotonic() + self.limit
        while (status := self._status()) is None or status >= 500:
            if self._process.poll() is not None or time.monotonic() > until:
                code = self.stop().code
                said = f"{self.script} did not answer (last status {status}, exit code {code})"
                raise RuntimeError(f"{said}; its output:\n{self.output()}")
            with contextlib.suppress(subprocess.TimeoutExpired):  # a pause that its end cuts short
                self._process.wait(0.05)

    def _status(self) -> int | None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/")
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return None


# The system's: hypothesis seeds Python's own, and then every worker of a run would draw the same ports.
_ports = random.SystemRandom()


def free_port() -> int:
    """A free port below those that systems hand out, so that nobody is handed it while the app is starting."""
    while True:
        port = _ports.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("0.0.0.0", port))  # noqa: S104 - free for every address; nothing listens
            return port


@contextlib.contextmanager
def _hearing_ctrl_c() -> Iterator[None]:
    """A shell's background job ignores Ctrl-C, and so would its children: `stop(SIGINT)` would test nothing."""
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not deaf or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
