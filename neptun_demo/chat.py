"""The one way to get an answer: `Chat.reply()`. Every door calls it, and every rule of a chat is in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from . import credentials, parameters
from .access import Access, Admission, Budget, Gate
from .answer import Start
from .backends.protocol import Backend, NoWatch, Question, Retry, Watch
from .catalogue import Catalogue
from .contract import Message, is_blank, quoted, whole_characters
from .conversation import tokens, trimmed
from .credentials import Finding
from .errors import EmptyAnswer, Refused, TimedOut, Unauthorized, Unavailable
from .models import BUILT_IN, TITLES, Model
from .settings import BackendName, Settings
from .streams import Event, Finish, Text, Thinking, Timing, Usage
from .troubles import Troubles

Conversation = Sequence[Message] | Callable[[], Sequence[Message]]
"""Messages, or how to read them: a door that must answer a missing credential before a bad body gives
the latter, and it is called once it is known who may."""

# The endpoint numbers chats with 32 bits; above that it fails with a 500 (recording).
HIGHEST_CHAT_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller chose. Empty *backend* and *model* are the app's own choice.

    *parameters* bear the documentation's names or Workers AI's; `None` counts as absent. *chat_id* and
    *is_playground* (a temporary chat) are the endpoint's. *conversation* is an id that stays the same
    over one conversation.
    """

    backend: str = ""
    model: str = ""
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    chat_id: int = -1
    is_playground: bool = True
    conversation: str = ""


class Chat:
    """Back ends, catalogue and gate, put together once by `app.py`. *clock* tells seconds."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        backends: Mapping[BackendName, Backend],
        gate: Gate,
        budget: Budget,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.catalogue = catalogue
        self.budget = budget
        self.backends = backends
        self.troubles = Troubles()
        self._gate = gate
        self._clock = clock

    @property
    def default_backend(self) -> BackendName:
        """The back end that answers when a caller names none."""
        return self.settings.playground_backend

    def default_model(self, backend: BackendName) -> Model:
        """The model that answers when a caller names none.

        A configured model may come with a live list; app.py warned about it at start. Until then, and
        for the other back ends, it is the first built-in row: a live list is in no order.
        """
        configured = self.settings.playground_model if backend == self.default_backend else None
        for name in filter(None, (configured, BUILT_IN[backend][0].id)):
            with suppress(Refused):
                return self.catalogue.find(backend, name)
        return self.catalogue.rows(backend)[0]

    def set_up(self, backend: BackendName) -> bool:
        """Whether *backend* can answer with the host's credentials, or needs none."""
        match backend:
            case "neptun":
                return self.settings.neptun_session is not None
            case "workers-ai":
                return self.settings.workers_ai_set_up
            case "offline":
                return True

    async def check_credential(self, access: Access) -> Finding:
        """What the caller's credential is, and whether it is good. It asks nothing else, and spends nothing."""
        try:
            shown = self._gate.recognise(access.credential)
        except Unauthorized as error:
            return credentials.refused(error)
        host = [name for name in TITLES if name != "offline" and self.set_up(name)]
        return await credentials.checked(shown, self.backends["neptun"], host)

    async def reply(
        self, conversation: Conversation, options: Options, access: Access, watch: Watch | None = None
    ) -> AsyncGenerator[Start | Retry | Event, None]:
        """The events of one answer: `Start`, then `Text`, `Thinking`, `Usage`, and one last `Finish`.

        A `Retry` among them says that the same request is sent again after a wait; it comes before
        any text. A failure is a raised `PlaygroundError`; the text so far is what was yielded. The
        upstream is closed when the caller closes this generator (`aclosing`).
        """
        stopwatch = _Stopwatch(self._clock)
        backend = self._backend(options, access)
        try:
            admission = self._gate.who_may(backend, access)
        except Unavailable:
            _checked(conversation)  # that a back end is missing comes after what is wrong with the request
            raise
        messages = _checked(conversation)
        question, dropped = self._question(backend, messages, options, admission, watch)
        asked = self.backends[backend]
        asked.check(question)
        with self._slot(backend, admission):
            yield Start(
                model=question.model.id,
                backend=backend,
                dropped=dropped,
                escaped=asked.escaped(question.messages),
                stored=backend == "neptun" and not question.is_playground,
            )
            limit = self.settings.playground_max_seconds
            async with (
                aclosing(asked.answer(question)) as events,
                aclosing(_limited(events, stopwatch, limit)) as limited,
                aclosing(_timed(limited, stopwatch)) as timed,
            ):
                async for event in timed:
                    yield event

    def _backend(self, options: Options, access: Access) -> BackendName:
        if not options.backend:
            return self.default_backend
        for name in TITLES:
            if name == options.backend:
                return name
        self._turn_away(access)
        raise Refused(
            f"There is no back end named {quoted(options.backend)}.", f"There are: {', '.join(TITLES)}."
        )

    def _turn_away(self, access: Access) -> None:
        """Pass for a caller whom any back end would answer: to others a wrong credential comes first."""
        for name in TITLES:
            with suppress(Refused):
                self._gate.who_may(name, access)
                return
        self._gate.who_may(self.default_backend, access)

    def _question(
        self,
        backend: BackendName,
        messages: list[Message],
        options: Options,
        admission: Admission,
        watch: Watch | None,
    ) -> tuple[Question, int]:
        """The question as its back end gets it, and how many messages were dropped for room."""
        model = self.catalogue.find(backend, options.model) if options.model else self.default_model(backend)
        checked = parameters.check(model, options.parameters, self.settings.playground_max_tokens)
        system = whole_characters(options.system.strip())
        far_end = self.backends[backend]

        def weigh(message: Message) -> int:
            # An entity is three bytes longer than what it stands for: as many as are taken for a token.
            return tokens(message.content) + far_end.escaped([message])

        kept, dropped = trimmed(messages, room(model, checked), system, weigh)
        # The host's own session never writes into a chat that a visitor names.
        temporary = options.is_playground or admission.spends
        question = Question(
            model=model,
            messages=kept,
            asked=options.model,
            system=system,
            parameters=checked.sent,
            cookie=admission.cookie,
            chat_id=-1 if admission.spends else _chat_id(options.chat_id, temporary=temporary),
            is_playground=temporary,
            conversation=options.conversation,
            watch=NoWatch() if watch is None else watch,
        )
        return question, dropped

    @contextmanager
    def _slot(self, backend: BackendName, admission: Admission) -> Iterator[None]:
        """Around an answer: on the host's account it is counted, and what is wrong with it is noted."""
        if not admission.spends:
            yield
            return
        with self.budget.slot(), self.troubles.watching(backend):
            yield


def _checked(conversation: Conversation) -> list[Message]:
    messages = conversation() if callable(conversation) else conversation
    if not messages:
        raise Refused("messages is empty.", "Ask something.")
    for place, message in enumerate(messages):
        if message.role == "user" and is_blank(message.content):
            raise Refused(f"messages[{place}].content is blank.", "Ask something.")
    if messages[-1].role != "user":
        raise Refused("The last message is not the user's.", "End the list with the question to answer.")
    return list(messages)


def _chat_id(chat_id: int, *, temporary: bool) -> int:
    if not temporary and not -HIGHEST_CHAT_ID - 1 <= chat_id <= HIGHEST_CHAT_ID:
        raise Refused("chat_id is beyond the endpoint's range.", "It has 32 bits.")
    return chat_id


def room(model: Model, checked: parameters.Checked) -> int | None:
    """Tokens that the conversation may take: min(`truncate`, context window - output cap); None: any."""
    documented = model.row.configuration.parameters
    window = model.context - checked.cap if model.context else None
    listed = documented.truncate if documented.truncate > 0 else None
    bounds = [bound for bound in (checked.truncate, listed, window) if bound is not None]
    return max(0, min(bounds)) if bounds else None


async def _limited(
    events: AsyncGenerator[Retry | Event, None], stopwatch: _Stopwatch, seconds: float
) -> AsyncGenerator[Retry | Event, None]:
    """The events, until *seconds* are over. Raises `TimedOut` then, whatever the far end does."""
    while (left := seconds - stopwatch.elapsed()) > 0:
        try:
            async with asyncio.timeout(left):
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            break
        yield event
    raise TimedOut(
        f"The answer took longer than the {seconds:g} seconds that this playground gives any answer.",
        "The text so far is kept. Ask for less at a time.",
    )


async def _timed(
    events: AsyncGenerator[Retry | Event, None], stopwatch: _Stopwatch
) -> AsyncGenerator[Retry | Event, None]:
    """The events, the `Finish` held back to the end and given its times. Raises `EmptyAnswer`."""
    finish = Finish()
    async for event in events:
        stopwatch.see(event)
        if isinstance(event, Finish):
            finish = event
        else:
            yield event
    if stopwatch.first_text is None:
        raise EmptyAnswer("The answer ended without any text.", "Ask again, or choose another model.")
    yield Finish(finish.reason, stopwatch.timing())


class _Stopwatch:
    """Runs from its making on, sees the events of an answer, and tells its times."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._usage = Usage()
        self._pieces = 0  # of text and thinking
        self._first_piece = 0.0
        self._characters_after = 0
        self.first_text: float | None = None

    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    def see(self, event: Retry | Event) -> None:
        """Take note of an event that comes now."""
        match event:
            case Usage():
                self._usage = event
            case Thinking():
                self._see_piece()
            case Text(text):
                self._see_piece()
                if self.first_text is None:
                    self.first_text = self.elapsed()
                else:
                    self._characters_after += len(text)

    def _see_piece(self) -> None:
        self._pieces += 1
        if self._pieces == 1:
            self._first_piece = self.elapsed()

    def timing(self) -> Timing:
        """The times now. The far end counts thinking as tokens too, so their rate begins with it."""
        total, counted = self.elapsed(), self._usage.completion_tokens
        if counted is None:
            seconds = total - (self.first_text or 0)
            return Timing(self.first_text, total, _rate(self._characters_after, seconds), "characters")
        after = counted - 1 if self._pieces > 1 else 0
        return Timing(self.first_text, total, _rate(after, total - self._first_piece), "tokens")


def _rate(amount: int, seconds: float) -> float | None:
    """*amount* per second; `None` where one piece, or no time, leaves nothing to divide."""
    return amount / seconds if amount > 0 and seconds > 0 else None
