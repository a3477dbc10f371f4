"""The files of `examples/`, each run as it is against the app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playground import ROOT, Playground

FOLDER = ROOT / "examples"
IN_PLACE = "This is the offline guide, a handbook and not a model"
ITSELF = "I am the offline guide"

# What each prints, in this order.
PRINTS = {
    "gradio_ask.py": [ITSELF, "offline-guide on offline, in ", "###"],
    "gradio_stream.py": [ITSELF, "It ended because of: stop"],
    "gradio_parallel.py": ["characters"],
    "route.sh": [IN_PLACE],
    "route_httpx.py": [IN_PLACE],
    "route.mts": [IN_PLACE],
    "openai_chat.py": ["Models: neptun/llama-3.3-70b-instruct-fp8-fast, offline/", IN_PLACE, IN_PLACE],
}

# Those that are run with a wrong key too: one of a kind.
FAILS = ("gradio_ask.py", "route.sh", "route_httpx.py", "route.mts", "openai_chat.py")


class Runs:
    """Every example, started at once: they wait for the guide, not for each other."""

    def __init__(self, app: Playground, node: str, stack: ExitStack) -> None:
        self._app, self._node, self._stack = app, node, stack
        self._ended: dict[subprocess.Popen[str], tuple[str, str]] = {}
        self._right = {name: self._start(name, app.key) for name in PRINTS}
        self._wrong = {name: self._start(name, "pg-another-playgrounds-key") for name in FAILS}

    def end(self, name: str, *, key: str = "right") -> tuple[int, str, str]:
        """The exit code, and what was written on both outputs."""
        process = (self._right if key == "right" else self._wrong)[name]
        if process not in self._ended:
            self._ended[process] = process.communicate(timeout=100)
        return process.returncode, *self._ended[process]

    def _start(self, name: str, key: str) -> subprocess.Popen[str]:
        runner = {"py": [sys.executable, "-W", "error"], "sh": ["sh"], "mts": [self._node]}[name.split(".")[1]]
        env = {**os.environ, "PLAYGROUND_URL": self._app.url, "PLAYGROUND_SESSION": key}
        pipe = subprocess.PIPE
        process = subprocess.Popen([*runner, name], cwd=FOLDER, env=env, stdout=pipe, stderr=pipe, text=True)
        self._stack.enter_context(process)  # waits for its end, and closes its pipes
        self._stack.callback(process.kill)
        return process


@pytest.fixture(scope="module")
def runs(offline_playground: Playground, node: str) -> Iterator[Runs]:
    pytest.importorskip("openai", reason="no openai package here (tests/requirements.txt)")
    with ExitStack() as stack:
        yield Runs(offline_playground, node, stack)


def test_every_example_is_known_here() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.suffix in (".py", ".sh", ".mts")} == set(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_prints_the_answer(runs: Runs, name: str) -> None:
    code, out, err = runs.end(name)
    assert code == 0, err
    place = 0
    for words in PRINTS[name]:
        place = out.index(words, place) + len(words)


@pytest.mark.parametrize("name", FAILS)
def test_an_example_says_what_is_wrong(runs: Runs, name: str) -> None:
    code, out, err = runs.end(name, key="wrong")
    assert code != 0
    assert "That is not this playground's key." in out + err


def test_one_failure_of_many_does_not_stop_the_others(runs: Runs) -> None:
    code, out, err = runs.end("gradio_parallel.py")
    assert code == 0, err
    assert out.count(" characters") == 3
    assert "/demo error: The far end is not available" in out
    assert "4/4" in err


@pytest.mark.parametrize("name", ["route.mts", "mcp.json", "gradio_parallel.py"])
def test_the_readme_shows_the_example_that_is_run(name: str) -> None:
    block = re.search(
        rf"<!-- {re.escape(name)} -->\n```\w+\n(.*?)```\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    assert block
    assert block[1] == (ROOT / "examples" / name).read_text("utf-8")
