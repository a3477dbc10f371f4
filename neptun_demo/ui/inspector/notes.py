"""What happened to a question on its way, and why: trimmed, dropped, escaped, asked again. In sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from neptun_demo import parameters
from neptun_demo.answer import Start
from neptun_demo.catalogue import Catalogue
from neptun_demo.chat import room
from neptun_demo.contract import is_blank
from neptun_demo.errors import Refused
from neptun_demo.models import NEPTUN_OUTPUT_TOKENS, Model
from neptun_demo.ui.inspector.records import Record

from .markup import plural


def notes(record: Record, catalogue: Catalogue, highest_cap: int) -> Iterator[str]:
    """The sentences, as text. *highest_cap* is the most output tokens that the host allows."""
    start = record.start
    if start is None:
        return
    model = _model(start, catalogue)
    if start.dropped:
        yield _dropped(record, start, model, highest_cap)
    match start.backend:
        case "neptun":
            yield from _neptun(record, start)
        case "workers-ai":
            yield from _workers_ai(record)
        case "offline":
            yield "Nothing left this app: the offline guide reads from a handbook that ships with it."
    yield from _asked_again(record)


def _model(start: Start, catalogue: Catalogue) -> Model | None:
    with suppress(Refused):
        return catalogue.find(start.backend, start.model)
    return None


def _dropped(record: Record, start: Start, model: Model | None, highest_cap: int) -> str:
    left_out = f"{plural(start.dropped, 'earlier message')} {'was' if start.dropped == 1 else 'were'} left out"
    if model is None:
        return f"{left_out}: the context window holds no more."
    checked = parameters.check(model, record.options.parameters, highest_cap)
    free = room(model, checked)
    if model.context is not None and free == model.context - checked.cap:
        return (
            f"{left_out}: the context window of {model.name} is {model.context:,} tokens, of which"
            f" {checked.cap:,} are kept for the answer. Lengths are estimated on the safe side."
        )
    return (
        f"{left_out}: the conversation may be {free or 0:,} tokens long (“truncate”), which is estimated on the"
        " safe side."
    )


def _neptun(record: Record, start: Start) -> Iterator[str]:
    if start.escaped:
        signs = plural(start.escaped, "sign")
        yield (
            f"{signs} < or > {'was' if start.escaped == 1 else 'were'} sent as &lt; and &gt;: the endpoint's"
            " filter refuses a whole request with a bare one in it."
        )
    empty = sum(message.role == "assistant" and is_blank(message.content) for message in record.messages)
    if empty:
        yield f"{plural(empty, 'empty answer')} left out: the endpoint refuses a history with one in it."
    yield (
        "The endpoint puts an instruction of its own to write Markdown in front, and stops at"
        f" {NEPTUN_OUTPUT_TOKENS} tokens without saying so. It takes no sampling parameters."
    )
    if start.stored:
        yield "The endpoint stores this chat: the question is in it even if the answer failed."
    elif not record.options.is_playground:
        yield "It was sent as a temporary chat: the host's own session never writes into a chat."


def _workers_ai(record: Record) -> Iterator[str]:
    given = {name for name, value in record.options.parameters.items() if value is not None}
    if not given & {"max_tokens", "max_new_tokens"}:
        yield ("max_tokens was added: where a request names none, Workers AI stops at 256 tokens.")


def _asked_again(record: Record) -> Iterator[str]:
    for number, attempt in enumerate(record.attempts[:-1], start=1):
        if attempt.retry:
            wait = f"{attempt.retry.seconds:.1f} s"
            yield f"Request {number} failed, and was sent again after {wait}: {attempt.retry.reason}"
        else:
            yield f"Request {number} was answered with nothing, and was sent again, for an answer in one piece."
    if record.more_attempts:
        yield f"{plural(record.more_attempts, 'request')} in between not kept."
