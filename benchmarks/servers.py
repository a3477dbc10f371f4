"""A server as a process of its own, as a person starts it, for the benchmarks of the page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx


class App:
    """`python *arguments` at `url`, in *folder*; of this process's environment it has the path alone."""

    def __init__(self, *arguments: str, home: str, env: Mapping[str, str], folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(  # noqa: S603 - a server of our own
            [sys.executable, *arguments],
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": home,
                "GRADIO_ANALYTICS_ENABLED": "False",
                "GRADIO_SERVER_NAME": "127.0.0.1",
                "GRADIO_SERVER_PORT": str(port),
                **env,
            },
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def await_answer(self, seconds: float = 180) -> None:
        """Wait until it serves. Raises `RuntimeError` if it ends, or not within so many *seconds*."""
        until = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < until:
            try:
                httpx.get(self.url)
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError(f"the app did not answer in {seconds} s")
