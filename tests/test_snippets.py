"""The code that the page shows: each piece is run, and the far end gets what the back end would send it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from conftest import ACCOUNT, TOKEN
from playground import Playground
from upstream import Play, Request, Upstream, cloudflare_error, compact, json_answer

from neptun_demo.backends.asking import neptun_body, workers_ai_body
from neptun_demo.backends.http import Upstream as FarEnd
from neptun_demo.backends.neptun import Neptun
from neptun_demo.backends.offline import Offline
from neptun_demo.backends.protocol import Question
from neptun_demo.backends.workers_ai import WorkersAI
from neptun_demo.contract import Message
from neptun_demo.models import GUIDE_MODEL, NEPTUN_MODEL, WORKERS_AI_MODELS, Model
from neptun_demo.snippets import LANGUAGES, SYNTAX, TARGETS, Asked, Language, Target, snippet
from neptun_demo.snippets.literals import JSON, PYTHON, literal
from neptun_demo.streams import Text

VISITOR = "Fe26.2*1*a-visitors-own-session"
GPT = next(model for model in WORKERS_AI_MODELS if model.name == "gpt-oss-20b")

# Each is one message of the conversation that every piece of code sends.
HOSTILE = (
    'It\'s "quoted" and `touch pwned-1` and ‘curly’ «so»',
    "$(touch pwned-2) ${HOME} $HOME $$ $'\\n' !! !$ !touch %s %d {0} {x} {{y}} #{z}",
    "'",
    "'; touch pwned-3; '",
    '"""; import os; os.system("touch pwned-4"); """',
    "`${process.env.NEPTUN_SESSION}` \\`${1+1}\\`",
    "\\ \\\\ \\n \\u0041 \\x41 \\' \\\" trailing \\",
    "line\none\r\ntwo\rthree\ttab\v\f\x00\x1b[31m\x7f\x85",
    "EOF\nJSON\nEOF",
    "@/etc/hostname",
    "-d @/etc/hostname --help",
    "emoji 👩\u200d👧 🏴\U000e0067\U000e007f é e\u0301 \u2028 \u2029 \u202e \ufeff 日本\u3000語",
    "<script>alert(1)</script> &lt; &amp; -->",
    "  spaces around  ",
    "How do I run the tests?",  # a short page of the offline guide
)
# What each answer is, in the pieces that the models send.
ANSWER = (
    "Hello ",
    "'\"\\ $(touch pwned-5) %s\n",
    '0:"x"\n3:"y"\ndata: {}\n',
    "a\u2028b\u2029c\u0085d ",
    "😀é\t\r\n",
    "end",
)

SYSTEM = HOSTILE[1]
PARAMETERS = {
    "max_tokens": 77,
    "temperature": 0.7,
    "top_p": 1,
    "seed": 7,
    "stop": ["'\n\"", "$(touch pwned-6)"],
    "reasoning_effort": "low",
}


def conversation(texts: Iterable[str] = HOSTILE) -> list[Message]:
    roles = ("user", "assistant")
    return [Message(role=roles[at % 2], content=text) for at, text in enumerate(texts)]


def asked(model: Model, **more: Any) -> Asked:
    given: dict[str, Any] = {"messages": conversation()}
    if model.backend == "workers-ai":
        given |= {"system": SYSTEM, "parameters": PARAMETERS}
    if model.backend == "neptun":
        given |= {"chat_id": 7, "temporary": False}
    return Asked(model, **given | more)


def pieces(wire: str) -> tuple[bytes, ...]:
    """The wire in pieces that end inside of lines and of characters."""
    data = wire.encode()
    return tuple(data[at : at + 5] for at in range(0, len(data), 5))


LINES = "".join(f"0:{compact(text)}\n" for text in ANSWER) + '0:6\ne:{}\nd:{"finishReason":"stop"}\n'
EVENTS = "".join(f"data: {compact({'response': text, 'p': 'ab'})}\n\n" for text in ANSWER[:3])
EVENTS += "".join(f"data: {compact({'choices': [{'delta': {'content': text}}]})}\n\n" for text in ANSWER[3:])
EVENTS += 'data: {"response":6}\n\ndata: {"choices":[],"usage":{"prompt_tokens":1}}\n\ndata: [DONE]\n\n'
TEXT = "".join(ANSWER) + "6"

NEPTUN_ANSWERS = Play(chunks=pieces(LINES))
WORKERS_AI_ANSWERS = Play(headers={"content-type": "text/event-stream"}, chunks=pieces(EVENTS))

NEPTUN_BREAKS = Play(chunks=('0:"So far"\n', '3:"the model is gone"\n'))
WORKERS_AI_BREAKS = Play(
    headers={"content-type": "text/event-stream"},
    chunks=('data: {"response":"So far"}\n\n', 'data: {"error":{"message":"the model is gone"}}\n\n'),
)
NEPTUN_REFUSES = json_answer({"statusCode": 401, "message": "Unauthorized by the far end"}, 401)
WORKERS_AI_REFUSES = cloudflare_error(10000, "Unauthorized by the far end", 401)


def far_end(request: Request) -> Play:
    """Both far ends in one; the beginning of the path says what it does."""
    ours = "/ai/run/" in request.path
    if request.path.startswith("/refuses"):
        return WORKERS_AI_REFUSES if ours else NEPTUN_REFUSES
    if request.path.startswith("/breaks"):
        return WORKERS_AI_BREAKS if ours else NEPTUN_BREAKS
    return WORKERS_AI_ANSWERS if ours else NEPTUN_ANSWERS


# Running


@dataclass
class Run:
    """A piece of code as a process, in a folder of its own."""

    folder: Path
    process: subprocess.Popen[bytes]
    ended: tuple[bytes, bytes] | None = None

    def end(self) -> tuple[int, str, str]:
        """The exit code, and what was written on both outputs."""
        if self.ended is None:
            self.ended = self.process.communicate(timeout=60)
        out, err = self.ended
        return self.process.returncode, out.decode(), err.decode()

    def printed(self) -> str:
        """What it printed; it went well, and left nothing behind."""
        code, out, err = self.end()
        assert code == 0, err
        assert not err
        assert len(list(self.folder.iterdir())) == 1, "the prompt did something"
        return out


RunCode = Callable[..., Run]

FILES: dict[Language, str] = {
    "curl": "ask.sh",
    "python": "ask.py",
    "typescript": "ask.mts",
    "gradio_client": "ask.py",
}


@pytest.fixture
def run(tmp_path: Path, node: str) -> Iterator[RunCode]:
    """Start a piece of code; several run at a time."""
    python = [sys.executable, "-W", "error"]
    runners = {"curl": ["bash"], "python": python, "typescript": [node], "gradio_client": python}

    with ExitStack() as stack:

        def start(language: Language, target: Target, question: Asked, **env: str) -> Run:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            file = folder / FILES[language]
            file.write_text(snippet(language, target, question), encoding="utf-8", newline="")
            process = subprocess.Popen(
                [*runners[language], file.name],
                cwd=folder,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return Run(folder, process)

        yield start


FAR_ENDS = {"NEPTUN_SESSION": VISITOR, "CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": TOKEN}


def right(app: Playground) -> dict[str, str]:
    return {"NEPTUN_SESSION": VISITOR, "PLAYGROUND_SESSION": app.key}


WRONG = dict.fromkeys(("NEPTUN_SESSION", "PLAYGROUND_SESSION"), "pg-another-playgrounds-key")


# What the back ends send


def sent_by_the_back_end(question: Asked, upstream: Upstream) -> Request:
    async def ask() -> None:
        far = FarEnd("The far end", connect_timeout=5, idle_timeout=5)
        session, account = VISITOR, ACCOUNT
        backend = (
            Neptun(far, question.upstream, session)
            if question.model.backend == "neptun"
            else WorkersAI(far, question.upstream, account, TOKEN)
        )
        put = Question(
            model=question.model,
            messages=question.messages,
            system=question.system,
            parameters=question.parameters,
            chat_id=question.chat_id,
            is_playground=question.temporary,
        )
        async with aclosing(backend.answer(put)) as events:
            async for _ in events:
                pass
        await backend.aclose()

    before = len(upstream.requests)
    asyncio.run(ask())
    return upstream.requests[before]


def same_request(code: Request, backend: Request, headers: Iterable[str]) -> bool:
    """Whether two requests say the same, down to the order of the body's fields."""
    for name in (*headers, "content-type"):
        assert code.header(name) == backend.header(name), name
    assert (code.method, code.target) == (backend.method, backend.target)
    return json.dumps(code.json()) == json.dumps(backend.json())


def text_of_chunks(wire: str) -> str:
    data = [line.removeprefix("data: ") for line in wire.split("\n") if line.startswith("data: {")]
    choices = [choice for datum in data for choice in json.loads(datum)["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


OWN = [language for language in LANGUAGES if language != "gradio_client"]


@pytest.mark.parametrize("language", OWN)
def test_against_the_far_end_it_sends_what_the_back_end_sends(
    upstream: Upstream, run: RunCode, language: Language
) -> None:
    upstream.answers(far_end)
    to_neptun = asked(NEPTUN_MODEL, upstream=upstream.url)
    to_workers_ai = asked(GPT, upstream=upstream.url)
    neptun, workers_ai = (run(language, "upstream", one, **FAR_ENDS) for one in (to_neptun, to_workers_ai))
    expected = (LINES, EVENTS) if language == "curl" else (f"{TEXT}\n", f"{TEXT}\n")
    assert (neptun.printed(), workers_ai.printed()) == expected
    by_path = {request.path.partition("/ai/")[0]: request for request in upstream.requests}
    assert len(upstream.requests) == 2
    cookie = ("cookie", "accept")
    assert same_request(by_path["/api"], sent_by_the_back_end(to_neptun, upstream), cookie)
    ours = by_path[f"/accounts/{ACCOUNT}"]
    assert same_request(ours, sent_by_the_back_end(to_workers_ai, upstream), ["authorization"])
    assert by_path["/api"].query == {"chat_id": "7", "is_playground": "false"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_against_the_playground_the_far_end_gets_the_same(
    playground: Playground, neptun: Upstream, workers_ai: Upstream, run: RunCode, language: Language
) -> None:
    neptun.plays(NEPTUN_ANSWERS)
    workers_ai.plays(WORKERS_AI_ANSWERS)
    questions = [asked(model, playground=f"{playground.url}/") for model in (NEPTUN_MODEL, GPT, GUIDE_MODEL)]
    runs = [run(language, "playground", question, **right(playground)) for question in questions]
    printed = [one.printed() for one in runs]
    if language == "curl":
        text = [printed[0], *map(text_of_chunks, printed[1:])]
    else:
        assert all(one.endswith("\n") for one in printed)
        text = [one[:-1] for one in printed]
    assert text == [TEXT, TEXT, guides_answer()]

    (to_neptun,), (to_workers_ai,) = neptun.requests, workers_ai.requests
    assert to_neptun.json() == neptun_body(conversation())
    assert to_neptun.query == {"chat_id": "7", "is_playground": "false"}
    assert to_neptun.header("cookie") == f"neptun-session={VISITOR}"
    assert to_workers_ai.json() == workers_ai_body(conversation(), SYSTEM.strip(), PARAMETERS, stream=True)
    assert to_workers_ai.path.endswith(GPT.id)


def guides_answer() -> str:
    async def read() -> str:
        put = Question(model=GUIDE_MODEL, messages=conversation(), asked=GUIDE_MODEL.name)
        return "".join([event.text async for event in Offline(pace=0).answer(put) if isinstance(event, Text)])

    return asyncio.run(read())


@pytest.mark.parametrize("language", OWN)
def test_a_failure_of_the_far_end_is_shown(upstream: Upstream, run: RunCode, language: Language) -> None:
    upstream.answers(far_end)
    # An address is the host's to choose: whatever stands in it, no language takes it for anything else.
    hostile = "/refuses$(touch pwned-7)`touch pwned-8`'\"${HOME}"
    runs = {
        (path, model.backend): run(
            language,
            "upstream",
            asked(model, upstream=f"{upstream.url}{path}"),
            **FAR_ENDS,
        )
        for model in (NEPTUN_MODEL, GPT)
        for path in (hostile, "/breaks")
    }
    for (path, _), one in runs.items():
        code, out, err = one.end()
        assert ("the model is gone" if path == "/breaks" else "Unauthorized by the far end") in out + err
        assert ("So far" in out) == (path == "/breaks")
        # cURL shows the wire, in which the failure is, and knows nothing of it.
        assert (code != 0) == (language != "curl" or path != "/breaks"), out + err
        assert len(list(one.folder.iterdir())) == 1
    assert len([request for request in upstream.requests if request.path.startswith(f"{hostile}/")]) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failure_of_the_playground_is_shown(
    playground: Playground, neptun: Upstream, workers_ai: Upstream, run: RunCode, language: Language
) -> None:
    neptun.plays(NEPTUN_BREAKS)
    workers_ai.plays(WORKERS_AI_BREAKS)
    models = (NEPTUN_MODEL, GPT)
    questions = [asked(model, playground=playground.url) for model in models]
    wrong = [run(language, "playground", question, **WRONG) for question in questions]
    broken = [run(language, "playground", question, **right(playground)) for question in questions]
    for one in wrong:
        code, out, err = one.end()
        assert code != 0
        assert "That is not this playground's key." in out + err
    for one, model in zip(broken, models, strict=True):
        code, out, err = one.end()
        assert "So far" in out
        # The documented route has no word for a failure half-way: its body breaks off.
        if model is NEPTUN_MODEL and language != "gradio_client":
            assert code != 0
        else:
            assert (code != 0) == (language != "curl")
            assert "the model is gone" in out + err


def test_a_long_conversation_is_more_than_an_argument(upstream: Upstream, run: RunCode) -> None:
    upstream.answers(far_end)
    long = conversation([*HOSTILE[:-1], "JSON\n!\n'é" * 40_000])
    question = asked(NEPTUN_MODEL, upstream=upstream.url, messages=long)
    assert run("curl", "upstream", question, **FAR_ENDS).printed() == LINES
    assert upstream.requests[0].json() == neptun_body(long)
    # An interactive zsh puts in commands of the past at a `!`, also in here.
    assert "!" not in snippet("curl", "upstream", question).partition("<<'JSON'")[2]


# The text itself

NAMES = (*FAR_ENDS, "PLAYGROUND_SESSION")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cannot_be_asked_is_said_in_a_comment(language: Language) -> None:
    code = snippet(language, "upstream", asked(GUIDE_MODEL))
    assert code.count("\n") == 1
    assert code.startswith("// " if language == "typescript" else "# ")
    assert ("offline guide" in code) == (language != "gradio_client")


@pytest.mark.parametrize("model", [NEPTUN_MODEL, GPT, GUIDE_MODEL], ids=lambda model: model.backend)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_line_names_every_variable(language: Language, target: Target, model: Model) -> None:
    code = snippet(
        language, target, asked(model, messages=conversation(["Hi"]), system="", upstream="http://far")
    )
    first, _, rest = code.partition("\n")
    used = {name for name in NAMES if name in rest}
    assert used == {name for name in NAMES if name in first}
    assert bool(used) == bool(rest)


def test_no_credential_ever_comes_here() -> None:
    names = {one.name for one in fields(Asked)}
    assert names == {
        *("model", "messages", "system", "parameters", "chat_id", "temporary", "playground", "upstream"),
    }


@pytest.mark.parametrize("language", OWN)
def test_a_gateways_address_is_not_written_down(upstream: Upstream, run: RunCode, language: Language) -> None:
    upstream.plays(WORKERS_AI_ANSWERS)
    gateway = f"{upstream.url}/v1/{ACCOUNT}/mine/workers-ai"
    question = asked(GPT, upstream=gateway)
    assert ACCOUNT not in snippet(language, "upstream", question)
    env = FAR_ENDS | {"CLOUDFLARE_BASE_URL": gateway}
    assert TEXT in run(language, "upstream", question, **env).printed() or language == "curl"
    assert same_request(upstream.requests[0], sent_by_the_back_end(question, upstream), ["authorization"])


def test_a_blank_answer_in_the_conversation_is_left_out() -> None:
    said = [
        Message(role="user", content="a"),
        Message(role="assistant", content=" "),
        Message(role="user", content="b"),
    ]
    for language in LANGUAGES:
        assert '" "' not in snippet(language, "playground", asked(NEPTUN_MODEL, messages=said))


def test_a_message_has_a_line_of_its_own() -> None:
    messages = conversation(["Hello", "x" * 200])
    code = snippet("curl", "playground", Asked(GUIDE_MODEL, messages, playground="https://play.example"))
    assert (
        code
        == f"""\
# Needs PLAYGROUND_SESSION (the playground's key) in the environment; the text comes in lines data: {{…}}
curl -sSN --fail-with-body "https://play.example/v1/chat/completions" \\
  -H "Authorization: Bearer $PLAYGROUND_SESSION" \\
  -H "Content-Type: application/json" \\
  --data-raw '{{
  "model": "offline/offline-guide",
  "messages": [
    {{"role": "user", "content": "Hello"}},
    {{
      "role": "assistant",
      "content": "{"x" * 200}"
    }}
  ],
  "stream": true
}}'
"""
    )


VALUES = [*HOSTILE, "\ud83d half", True, False, None, 0, -1.5, 1e-7, 9_999_999_999, [], {}, {"a": [1, "b"]}]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_literal_is_the_value(value: Any) -> None:
    whole = value.replace("\ud83d", "\ufffd") if isinstance(value, str) else value
    for nested in (value, [value, {"x": value}]):
        expected = whole if nested is value else [whole, {"x": whole}]
        assert json.loads(literal(nested, JSON)) == expected
        assert eval(literal(nested, PYTHON), {"__builtins__": {}}) == expected  # noqa: S307 - our own literal
        for language in (JSON, PYTHON):
            assert all(line.isprintable() for line in literal(nested, language).split("\n"))


def test_every_language_has_a_syntax() -> None:
    assert set(SYNTAX) == set(LANGUAGES) == set(get_args(Language))
    assert set(TARGETS) == set(get_args(Target))


def test_the_sampling_parameters_of_others_are_not_sent() -> None:
    for model in (NEPTUN_MODEL, GUIDE_MODEL):
        question = replace(asked(model), parameters=PARAMETERS)
        for language in LANGUAGES:
            assert "max_tokens" not in snippet(language, "playground", question)
