"""The one generator: what it lets through, in which order it checks, how it times, and that it closes."""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

import pytest
from playground import ROOT
from upstream import Upstream, data_lines, forever, sse

from neptun_demo.access import Access, Budget, Gate
from neptun_demo.answer import Start
from neptun_demo.backends import Backend, NoWatch, Question, Retry, connect, digest
from neptun_demo.catalogue import Catalogue
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message
from neptun_demo.errors import (
    Cut,
    EmptyAnswer,
    OverBudget,
    PlaygroundError,
    Refused,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownModel,
)
from neptun_demo.models import DOCUMENTED, Model, parameters, row
from neptun_demo.settings import BackendName, load
from neptun_demo.streams import Event, Finish, Text, Thinking, Timing, Usage

pytestmark = pytest.mark.anyio

KEY = "pg-key-of-the-tests-0123456789"
HOST = {
    "NEPTUN_SESSION": "session-of-the-host",
    "CLOUDFLARE_ACCOUNT_ID": "account",
    "CLOUDFLARE_API_TOKEN": "token-of-the-host",
    "PLAYGROUND_SESSION": KEY,
}
VISITOR = "session-of-a-visitor"
DEFAULTS = Options()
ASK = [Message(role="user", content="Hello")]
PAGE, KEYED, OWN = Access("page"), Access("http", KEY), Access("http", VISITOR)

Step = Event | Retry | BaseException | Callable[[], Awaitable[object] | None]


class Scripted:
    """A back end that does as it is told: yields events, raises errors, calls what can be called."""

    name: BackendName = "neptun"

    def __init__(self, *steps: Step) -> None:
        self.steps: Sequence[Step] = steps
        self.questions: list[Question] = []
        self.open = 0
        self.refuses: PlaygroundError | None = None

    def escaped(self, messages: Sequence[Message]) -> int:
        return sum(message.content.count("<") for message in messages)

    def check(self, question: Question) -> None:  # noqa: ARG002 - the protocol's
        if self.refuses is not None:
            raise self.refuses

    async def answer(self, question: Question) -> AsyncGenerator[Event | Retry, None]:
        self.questions.append(question)
        self.open += 1
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    if inspect.isawaitable(waiting := step()):
                        await waiting
                else:
                    yield step
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        """Nothing is open."""


class Clock:
    """Stands still until it is told to go on; `clock.by(2)` is a step of a script."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def by(self, seconds: float) -> Callable[[], None]:
        def on() -> None:
            self.now += seconds

        return on


async def silence() -> None:
    await asyncio.Event().wait()


def chat(backend: Backend, clock: Callable[[], float] = time.monotonic, **environment: str) -> Chat:
    """A chat whose back ends are all that one."""
    settings = load({**HOST, **environment})
    return Chat(
        settings,
        Catalogue(),
        dict.fromkeys(("neptun", "workers-ai", "offline"), backend),
        Gate(digest(KEY), frozenset({"neptun", "workers-ai"}), open_to_visitors=settings.playground_open),
        Budget(settings.playground_daily_answers, settings.playground_parallel),
        clock=clock,
    )


async def events_of(
    asked: Chat, conversation: Any = ASK, options: Options = DEFAULTS, access: Access = PAGE
) -> list[Any]:
    async with aclosing(asked.reply(conversation, options, access)) as events:
        return [event async for event in events]


async def until_error(asked: Chat) -> tuple[list[Any], PlaygroundError]:
    """The events, and the failure that they end in."""
    events = []
    try:
        async with aclosing(asked.reply(ASK, DEFAULTS, PAGE)) as reply:
            async for event in reply:
                events.append(event)  # noqa: PERF401 - what came before the failure counts
    except PlaygroundError as error:
        return events, error
    pytest.fail(f"no failure after {events}")


def is_free(asked: Chat) -> bool:
    """Whether none of the places for answers is taken."""
    with suppress(OverBudget):
        places = [asked.budget.slot() for _ in range(asked.settings.playground_parallel)]
        for place in places:
            place.__enter__()
        for place in places:
            place.__exit__(None, None, None)
        return True
    return False


# The order of events


async def test_start_comes_first_and_finish_last() -> None:
    backend = Scripted(Thinking("h"), Text("a"), Usage(1, 2), Text("b"), Finish("stop"))
    start, *middle, finish = await events_of(chat(backend))
    assert start == Start(model=f"cloudflare/{DOCUMENTED}", backend="neptun")
    assert middle == [Thinking("h"), Text("a"), Usage(1, 2), Text("b")]
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"
    assert finish.timing is not None


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([Text("a")], "unknown"),
        ([Text("a"), Finish()], "unknown"),
        ([Finish("stop"), Text("a"), Usage(1)], "stop"),
        ([Text("a"), Finish("stop"), Finish("length")], "length"),
    ],
)
async def test_exactly_one_finish_whatever_the_back_end_does(steps: list[Step], reason: str) -> None:
    events = await events_of(chat(Scripted(*steps)))
    assert (
        [type(event) for event in events].count(Finish) == [type(event) for event in events].count(Start) == 1
    )
    assert events[-1].reason == reason


@pytest.mark.parametrize("steps", [[], [Finish("stop")], [Thinking("hm"), Usage(1, 2), Finish("length")]])
async def test_an_answer_without_text_is_a_failure(steps: list[Step]) -> None:
    asked = chat(Scripted(*steps))
    events, error = await until_error(asked)
    assert isinstance(error, EmptyAnswer)
    assert error.status == 502
    assert not [event for event in events if isinstance(event, Finish)]
    assert is_free(asked)


async def test_a_failure_comes_after_the_text_so_far_and_takes_its_place() -> None:
    backend = Scripted(Text("so f"), Cut("It broke."), Finish())
    asked = chat(backend)
    events, error = await until_error(asked)
    assert events[1:] == [Text("so f")]
    assert isinstance(error, Cut)
    assert backend.open == 0
    assert asked.budget.left == 199
    assert is_free(asked)


async def test_what_the_start_tells() -> None:
    long = [Message(role="user", content="<" * 9_000), Message(role="assistant", content="<"), *ASK]
    own = Options(chat_id=5, is_playground=False)
    start, *_ = await events_of(chat(Scripted(Text("a"))), long, own, OWN)
    assert start == Start(f"cloudflare/{DOCUMENTED}", "neptun", dropped=0, escaped=9_001, stored=True)
    # What is sent counts: 40,000 bytes have room as they are, but not as entities.
    for long[0] in (Message(role="user", content="x" * 80_000), Message(role="user", content="<" * 40_000)):
        start, *_ = await events_of(chat(Scripted(Text("a"))), long, Options(), OWN)
        assert start.dropped == 2
    two = [Message(role="user", content="x" * 80_000), *long[1:]]
    start, *_ = await events_of(chat(Scripted(Text("a"))), two, Options(), OWN)
    assert (start.dropped, start.escaped, start.stored) == (2, 0, False)


@pytest.mark.parametrize("backend", ["neptun", "workers-ai", "offline"])
async def test_only_a_visitors_own_session_stores_a_chat(backend: str) -> None:
    wanted = Options(backend=backend, chat_id=5, is_playground=False)
    assert not (await events_of(chat(Scripted(Text("a"))), ASK, wanted, KEYED))[0].stored
    own = (await events_of(chat(Scripted(Text("a"))), ASK, wanted, Access("page", VISITOR)))[0]
    assert own.stored == (backend == "neptun")


async def test_a_retry_is_let_through() -> None:
    wait = Retry(1.0, 2, "Busy.")
    assert (await events_of(chat(Scripted(wait, Text("a")))))[1] is wait


# The order of checks


def thunk(answer: Sequence[Message] | Exception = ASK) -> tuple[Callable[[], Sequence[Message]], list[int]]:
    """A conversation that is read when it is called, and its calls."""
    calls: list[int] = []

    def read() -> Sequence[Message]:
        calls.append(1)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read, calls


@pytest.mark.parametrize("credential", ["", "pg-wrong", "two words"])
@pytest.mark.parametrize("options", [Options(), Options(backend="none"), Options(model="none")])
async def test_a_wrong_credential_comes_before_everything(credential: str, options: Options) -> None:
    read, calls = thunk(Refused("The body is bad."))
    backend = Scripted(Text("a"))
    with pytest.raises(Unauthorized):
        await events_of(chat(backend), read, options, Access("http", credential))
    assert not calls
    assert not backend.questions


CHECKS: list[tuple[Any, Options, type[PlaygroundError], str]] = [
    (Refused("The body is bad."), Options(backend="Neptun"), Refused, "There is no back end named 'Neptun'"),
    (Refused("The body is bad."), Options(model="none"), Refused, "The body is bad."),
    ([], Options(model="none"), Refused, "messages is empty"),
    ([*ASK, Message(role="user", content=" ")], Options(), Refused, "messages[1].content is blank"),
    ([*ASK, Message(role="assistant", content="x")], Options(), Refused, "not the user's"),
    (ASK, Options(model="none", parameters={"x": 1}), UnknownModel, "no model named 'none'"),
    (ASK, Options(model="gemma-7b-it"), Unavailable, "retired"),
    (ASK, Options(parameters={"temperature": 1}), Refused, "temperature: Neptun endpoint takes no"),
    (ASK, Options(backend="workers-ai", parameters={"temperature": 9}), Refused, "temperature must be between"),
    (ASK, Options(parameters={"truncate": 1}), TooLarge, "The last message is about 2 tokens"),
    ([Message(role="user", content="x" * 80_000)], Options(), TooLarge, "there is room for 23,744"),
]


@pytest.mark.parametrize(("conversation", "options", "kind", "words"), CHECKS)
async def test_what_is_refused_is_neither_asked_nor_counted(
    conversation: Any, options: Options, kind: type[PlaygroundError], words: str
) -> None:
    read, _ = thunk(conversation)
    backend = Scripted(Text("a"))
    asked = chat(backend)
    with pytest.raises(PlaygroundError) as refused:
        await events_of(asked, read, options, KEYED)
    assert type(refused.value) is kind
    assert words in refused.value.sentence
    assert not backend.questions
    assert asked.budget.left == 200


@pytest.mark.parametrize("access", [PAGE, KEYED, OWN])
@pytest.mark.parametrize("own", ["neptun", "workers-ai", "offline"])
async def test_any_credential_that_is_one_hears_of_a_wrong_back_end(access: Access, own: str) -> None:
    asked = chat(Scripted(), PLAYGROUND_BACKEND=own)
    with pytest.raises(Refused, match="There is no back end named 'nope'"):
        await events_of(asked, options=Options(backend="nope"), access=access)


async def test_what_the_back_end_refuses_is_not_counted_either() -> None:
    backend = Scripted(Text("a"))
    backend.refuses = Refused("No.")
    asked = chat(backend)
    with pytest.raises(Refused, match=r"^No\.$"):
        await events_of(asked)
    assert asked.budget.left == 200


async def test_the_conversation_is_read_once() -> None:
    read, calls = thunk()
    await events_of(chat(Scripted(Text("a"))), read, access=KEYED)
    assert calls == [1]


async def test_a_blank_answer_in_the_history_is_no_obstacle() -> None:
    history = [*ASK, Message(role="assistant", content=""), *ASK]
    assert await events_of(chat(Scripted(Text("a"))), history)


# What is asked


async def question(options: Options = DEFAULTS, access: Access = PAGE, **environment: str) -> Question:
    backend = Scripted(Text("a"))
    await events_of(chat(backend, **environment), ASK, options, access)
    return backend.questions[0]


@pytest.mark.parametrize("access", [PAGE, KEYED, Access("api", KEY)])
@pytest.mark.parametrize("is_playground", [True, False])
@pytest.mark.parametrize("chat_id", [-1, 7, 2**40])
async def test_the_hosts_session_writes_into_no_chat(access: Access, is_playground: bool, chat_id: int) -> None:
    asked = await question(Options(chat_id=chat_id, is_playground=is_playground), access)
    assert (asked.chat_id, asked.is_playground, asked.cookie) == (-1, True, None)


async def test_a_visitors_own_session_writes_where_it_says() -> None:
    asked = await question(Options(chat_id=7, is_playground=False), OWN)
    assert (asked.chat_id, asked.is_playground) == (7, False)
    assert asked.cookie is not None
    assert asked.cookie.get_secret_value() == VISITOR
    assert VISITOR not in repr(asked)
    assert (await question(Options(chat_id=2**40), OWN)).chat_id == 2**40  # a temporary one may have any


@pytest.mark.parametrize("chat_id", [2**31, -(2**31) - 1])
async def test_a_stored_chat_has_32_bits(chat_id: int) -> None:
    with pytest.raises(Refused, match="chat_id is beyond"):
        await question(Options(chat_id=chat_id, is_playground=False), OWN)


async def test_the_question_holds_what_was_chosen() -> None:
    options = Options(
        backend="workers-ai",
        model="GPT-OSS-20b",
        system=" Be brief. \ud83d ",
        parameters={"temperature": 0.5, "reasoning_effort": "low", "max_new_tokens": 9, "top_p": None},
        conversation="id",
    )
    asked = await question(options)
    assert asked.model.id == "@cf/openai/gpt-oss-20b"
    assert (asked.asked, asked.conversation) == ("GPT-OSS-20b", "id")
    assert asked.system == "Be brief. \ufffd"  # as it can be sent
    assert asked.parameters == {"temperature": 0.5, "reasoning_effort": "low", "max_tokens": 9}
    assert isinstance(asked.watch, NoWatch)


async def test_the_watch_is_handed_on_even_if_it_looks_empty() -> None:
    class Empty(NoWatch):
        def __len__(self) -> int:
            return 0

    watch, backend = Empty(), Scripted(Text("a"))
    async with aclosing(chat(backend).reply(ASK, Options(), PAGE, watch)) as events:
        assert [event async for event in events]
    assert backend.questions[0].watch is watch


@pytest.mark.parametrize(
    ("options", "room"),
    [
        (Options(backend="neptun"), 24_000 - 256),  # the window, not the documented truncate of 130,816
        (Options(backend="neptun", parameters={"truncate": 500}), 500),
        (Options(backend="neptun", parameters={"truncate": 500_000}), 24_000 - 256),
        (Options(backend="workers-ai"), 24_000 - 1024),
        (Options(backend="workers-ai", parameters={"max_tokens": 2000}), 24_000 - 2000),
        (Options(backend="workers-ai", model="gpt-oss-20b"), 128_000 - 1024),
        (Options(backend="workers-ai", model="gpt-oss-20b", parameters={"truncate": 9, "max_tokens": 1}), 9),
        (Options(backend="workers-ai", system="x" * 300), 24_000 - 1024 - 100),
    ],
)
async def test_the_room_is_the_lesser_of_truncate_and_the_window_without_the_answer(
    options: Options, room: int
) -> None:
    backend = Scripted(Text("a"))
    whole = [Message(role="user", content="abc" * room)]
    assert (await events_of(chat(backend), whole, options))[0].dropped == 0
    with pytest.raises(TooLarge):
        await events_of(chat(backend), [Message(role="user", content="abc" * room + ".")], options)
    start, *_ = await events_of(chat(backend), [*ASK, Message(role="assistant", content="x"), *whole], options)
    assert start.dropped == 2
    assert list(backend.questions[-1].messages) == whole


async def test_offline_there_is_room_for_all() -> None:
    whole = [Message(role="user", content="abc" * 1_000_000)]
    assert (await events_of(chat(Scripted(Text("a"))), whole, Options(backend="offline")))[0].dropped == 0


async def test_the_configured_model_answers_as_soon_as_there_is_one() -> None:
    asked = chat(Scripted(Text("a")), PLAYGROUND_BACKEND="workers-ai", PLAYGROUND_MODEL="new-model")
    assert (await events_of(asked))[0].model == f"@cf/meta/{DOCUMENTED}"
    new = Model("workers-ai", row("a", "new-model", "@cf/a/new-model", "", parameters(1000)))
    other = Model("workers-ai", row("a", "a-model", "@cf/a/a-model", "", parameters(1000)))
    asked.catalogue.replace("workers-ai", [other, new])
    assert (await events_of(asked, options=Options(parameters={"max_tokens": 9})))[0].model == "@cf/a/new-model"
    assert (await events_of(asked, options=Options(backend="neptun")))[0].model == f"cloudflare/{DOCUMENTED}"


async def test_the_configured_model_is_that_of_the_apps_own_back_end() -> None:
    asked = chat(Scripted(Text("a")), PLAYGROUND_BACKEND="offline", PLAYGROUND_MODEL="gpt-oss-20b")
    assert asked.default_model("workers-ai").name == DOCUMENTED


async def test_a_live_list_does_not_change_the_default() -> None:
    asked, built_in = chat(Scripted(Text("a"))), Catalogue().rows("workers-ai")
    asked.catalogue.replace("workers-ai", built_in[::-1])
    assert asked.default_model("workers-ai") is built_in[0]
    asked.catalogue.replace("workers-ai", built_in[3:5])
    assert asked.default_model("workers-ai") is built_in[3]


async def test_set_up_says_what_the_host_gave() -> None:
    asked = chat(Scripted())
    assert asked.set_up("neptun")
    assert asked.set_up("workers-ai")
    bare = Chat(load({}), Catalogue(), {}, Gate(b"", frozenset(), open_to_visitors=True), Budget(1, 1))
    assert not bare.set_up("neptun")
    assert not bare.set_up("workers-ai")
    assert bare.set_up("offline")


# The budget


async def test_the_hosts_credentials_are_spent_and_a_visitors_own_are_not() -> None:
    asked = chat(Scripted(Text("a")), PLAYGROUND_DAILY_ANSWERS="2")
    await events_of(asked)
    await events_of(asked, access=KEYED)  # the key opens, but does not pay
    assert asked.budget.left == 0
    with pytest.raises(OverBudget) as over:
        await events_of(asked)
    assert over.value.status == 429
    assert over.value.retry_after
    assert await events_of(asked, access=OWN)
    assert await events_of(asked, options=Options(backend="offline"))


async def test_so_many_at_a_time() -> None:
    asked = chat(Scripted(Text("a"), silence), PLAYGROUND_PARALLEL="1")
    async with aclosing(asked.reply(ASK, Options(), PAGE)) as first:
        assert isinstance(await anext(first), Start)
        with pytest.raises(OverBudget):
            await events_of(asked)
        assert asked.budget.left == 199
        async with aclosing(asked.reply(ASK, Options(), OWN)) as own:  # a cookie of one's own needs no place
            assert isinstance(await anext(own), Start)
    assert is_free(asked)


# Closing


@pytest.mark.parametrize("taken", range(5))
async def test_closing_closes_the_back_end_at_once(taken: int) -> None:
    backend = Scripted(Thinking("h"), Text("a"), Text("b"), Text("c"), silence)
    asked = chat(backend)
    events = asked.reply(ASK, Options(), PAGE)
    for _ in range(taken):
        await anext(events)
    assert backend.open == (taken > 1)
    tasks = asyncio.all_tasks()
    await events.aclose()
    assert backend.open == 0
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks  # nothing in between is left for the collector to close
    assert is_free(asked)
    assert len(backend.questions) == (taken > 1)


async def test_cancelling_closes_the_back_end_at_once() -> None:
    reached = asyncio.Event()
    backend = Scripted(Text("a"), reached.set, silence)
    asked = chat(backend)
    task = asyncio.create_task(events_of(asked))
    await reached.wait()
    assert backend.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert backend.open == 0
    assert is_free(asked)


async def test_a_failure_of_ours_closes_too() -> None:
    backend = Scripted(Text("a"), KeyError("a bug"))
    asked = chat(backend)
    with pytest.raises(KeyError):
        await events_of(asked)
    assert backend.open == 0
    assert is_free(asked)


async def test_who_never_iterates_leaves_nothing() -> None:
    read, calls = thunk()
    backend = Scripted(Text("a"))
    asked = chat(backend)
    events = asked.reply(read, Options(), PAGE)
    del events
    gc.collect()
    closed = asked.reply(read, Options(), PAGE)
    await closed.aclose()
    assert not calls
    assert not backend.questions
    assert asked.budget.left == 200


# The limit of any answer


@pytest.mark.parametrize(
    "steps",
    [
        [silence],
        [Text("a"), silence],
        [Retry(60, 2, "Busy."), silence],
        [part for _ in range(1000) for part in (Text("a"), lambda: asyncio.sleep(0.01))],
    ],
    ids=["silent", "silent after text", "waiting", "trickling"],
)
async def test_any_answer_ends_at_the_limit(steps: list[Step]) -> None:
    backend = Scripted(*steps)
    asked = chat(backend, PLAYGROUND_MAX_SECONDS="0.15")
    began = time.monotonic()
    events, error = await until_error(asked)
    assert 0.1 < time.monotonic() - began < 8  # the trickle alone takes ten seconds
    assert isinstance(error, TimedOut)
    assert error.status == 504
    assert "0.15 seconds" in error.sentence
    assert isinstance(events[0], Start)
    assert events[1:2] == [step for step in steps[:1] if not callable(step)]  # the text so far
    assert backend.open == 0
    assert is_free(asked)


async def test_also_one_that_never_pauses() -> None:
    clock = Clock()
    backend = Scripted(*[step for _ in range(50) for step in (Text("a"), clock.by(10))])
    events, error = await until_error(chat(backend, clock, PLAYGROUND_MAX_SECONDS="300"))
    assert isinstance(error, TimedOut)
    assert len(events) == 1 + 31  # what was asked for before the limit is still given out
    assert backend.open == 0


async def test_an_answer_within_the_limit_is_whole() -> None:
    clock = Clock()
    backend = Scripted(Text("a"), clock.by(299), Text("b"))
    assert len(await events_of(chat(backend, clock))) == 4


# The times

CLOCK = Clock()
by = CLOCK.by


@pytest.mark.parametrize(
    ("steps", "timing"),
    [
        ([by(2), Text("abc"), by(1), Text("de"), by(1), Text("fgh"), by(1)], Timing(2, 5, 5 / 3, "characters")),
        ([by(2), Text("abc"), by(1), Text("d"), Usage(9, 11), by(1)], Timing(2, 4, 10 / 2, "tokens")),
        ([by(1), Thinking("h"), by(2), Text("abc"), by(2), Usage(9, 9)], Timing(3, 5, 8 / 4, "tokens")),
        ([Thinking("h"), by(4), Text("abc"), Usage(9, 5)], Timing(4, 4, 4 / 4, "tokens")),
        ([by(1), Thinking("h"), by(2), Text("abc"), by(2), Text("de")], Timing(3, 5, 2 / 2, "characters")),
        ([by(3), Retry(3, 2, "Busy."), by(3), Text("a"), by(1), Text("b")], Timing(6, 7, 1, "characters")),
        ([Text("a"), by(1), Text("b")], Timing(0, 1, 1, "characters")),
        # The last count holds, wherever it comes.
        ([Usage(9, 99), Text("a"), by(1), Text("b"), Usage(9, 3)], Timing(0, 1, 2, "tokens")),
        ([Text("a"), by(1), Text("b"), Usage(9, None, 0, 1.5)], Timing(0, 1, 1, "characters")),
        # One piece, or no time, leaves nothing to divide.
        ([by(2), Text("abc"), by(1)], Timing(2, 3, None, "characters")),
        ([by(2), Text("abc"), Usage(9, 100), by(0.001)], Timing(2, 2.001, None, "tokens")),
        ([by(2), Text("abc"), Text("de")], Timing(2, 2, None, "characters")),
        ([by(2), Text("a"), by(1), Text("b"), Usage(9, 0)], Timing(2, 3, None, "tokens")),
    ],
)
async def test_the_times_of_an_answer(steps: list[Step], timing: Timing) -> None:
    finish = (await events_of(chat(Scripted(*steps, Finish("stop")), CLOCK)))[-1]
    assert finish.reason == "stop"
    assert (finish.timing.rate is None) == (timing.rate is None)
    assert (finish.timing.first, finish.timing.total, finish.timing.rate or 0) == pytest.approx(
        (timing.first, timing.total, timing.rate or 0)
    )
    assert finish.timing.unit == timing.unit


# Over real sockets


def connected(far_end: Upstream, **environment: str) -> Chat:
    """A chat with the real back ends, which find *far_end* for both."""
    settings = load({**HOST, "NEPTUN_BASE_URL": far_end.url, "CLOUDFLARE_BASE_URL": far_end.url, **environment})
    connections = connect(settings)
    return Chat(
        settings,
        Catalogue(),
        connections.backends,
        Gate(connections.key, connections.host, open_to_visitors=settings.playground_open),
        Budget(200, 8),
    )


async def closed(asked: Chat) -> None:
    for backend in asked.backends.values():
        await backend.aclose()


async def left(far_end: Upstream) -> float:
    """Seconds after which the client of the first answer left."""
    exchange = far_end.arrived()
    assert await asyncio.to_thread(exchange.left.wait, 2)
    assert exchange.left_after is not None
    return exchange.left_after


async def test_an_answer_of_the_real_thing(upstream: Upstream) -> None:
    upstream.plays(data_lines("Hel", "lo"))
    asked = connected(upstream)
    start, *texts, finish = await events_of(asked, access=KEYED)
    assert start.backend == "neptun"
    assert texts == [Text("Hel"), Text("lo")]
    assert finish.timing.total >= finish.timing.first > 0
    (request,) = upstream.requests
    assert request.query == {"chat_id": "-1", "is_playground": "true"}
    assert request.header("Cookie") == "neptun-session=session-of-the-host"
    await closed(asked)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("by_cancelling", [False, True])
async def test_who_leaves_ends_the_real_thing_within_a_second(
    upstream: Upstream, silent: bool, by_cancelling: bool
) -> None:
    play = data_lines("a", ended="open") if silent else data_lines(chunks=[forever('0:"a"\n')], gap=0.02)
    upstream.plays(play)
    asked = connected(upstream)
    answering = asyncio.Event()

    async def read() -> None:
        async with aclosing(asked.reply(ASK, Options(), OWN)) as events:
            async for event in events:
                if isinstance(event, Text):
                    answering.set()
                    if not by_cancelling:
                        return

    if by_cancelling:
        task = asyncio.create_task(read())
        await answering.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await read()
    assert await left(upstream) < 3
    assert is_free(asked)
    await closed(asked)


@pytest.mark.parametrize(
    "play", [data_lines(chunks=[forever('0:"a"\n')], gap=0.02), data_lines("a", ended="open")]
)
async def test_the_limit_ends_the_real_thing(upstream: Upstream, play: Any) -> None:
    upstream.plays(play)
    asked = connected(upstream, PLAYGROUND_MAX_SECONDS="1.5")
    events, error = await until_error(asked)
    assert isinstance(error, TimedOut)
    assert events[1] == Text("a")
    assert 1 < await left(upstream) < 4
    await closed(asked)


async def test_no_credential_goes_where_it_does_not_belong(upstream: Upstream) -> None:
    upstream.answers(
        lambda request: sse({"response": "Hi"}) if "/ai/run/" in request.path else data_lines("Hi")
    )
    asked = connected(upstream, PLAYGROUND_OPEN="true")
    for shown in ("pg-wrong-key", KEY, VISITOR, f"neptun-session=neptun-session={KEY}", "Neptun-Session=pg-x"):
        for backend in ("neptun", "workers-ai"):
            with suppress(Unauthorized):
                await events_of(asked, options=Options(backend=backend), access=Access("page", shown))
    neptun = [request for request in upstream.requests if request.path.startswith("/api/ai/")]
    workers_ai = [request for request in upstream.requests if "/ai/run/" in request.path]
    assert [request.header("Cookie") for request in neptun] == [
        "neptun-session=session-of-the-host",
        f"neptun-session={VISITOR}",
        "neptun-session=session-of-the-host",
    ]
    assert {request.header("Cookie") for request in workers_ai} == {None}
    assert {request.header("Authorization") for request in workers_ai} == {"Bearer token-of-the-host"}
    assert {request.header("Authorization") for request in neptun} == {None}
    for request in upstream.requests:
        wire = repr((request.target, request.headers, request.body))
        assert "pg-" not in wire
    await closed(asked)


# The package


async def test_every_module_can_be_imported_first_and_none_of_them_brings_a_server() -> None:
    modules = (
        "answer access catalogue chat contract conversation errors models parameters settings backends streams"
    )
    script = f"""
import sys
for name in {modules.split()!r}:
    for loaded in [one for one in sys.modules if one.startswith("neptun_demo")]:
        del sys.modules[loaded]
    __import__("neptun_demo." + name)
heavy = {{"gradio", "fastapi", "starlette", "pandas", "numpy", "uvicorn"}} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    command = [sys.executable, "-c", script]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
