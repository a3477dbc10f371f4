"""The view of what was sent: method, address, headers, body, and what became of the question on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from neptun_demo.models import TITLES
from neptun_demo.ui.inspector.records import Attempt, Record

from .markup import coloured, copyable, folded, headers, json_or_text, raw, seen, size, table


def request_view(record: Record, notes: Iterable[str]) -> str:
    """The HTML. *notes* are sentences as text."""
    return "".join(_parts(record, list(notes)))


def _parts(record: Record, notes: list[str]) -> Iterator[str]:
    attempts = list(record.attempts)
    if not attempts:
        yield f'<p class="said">{escape(_not_sent(record))}</p>'
    if notes:
        listed = "".join(f"<li>{seen(note)}</li>" for note in notes)
        yield f'<h4>On the way</h4><ul class="notes">{listed}</ul>'
    for number, attempt in enumerate(attempts, start=1):
        if len(attempts) > 1:
            yield f"<h4>Request {number} of {len(attempts)}</h4>"
        yield _attempt(attempt, opened=number == len(attempts))
    if attempts:
        yield (
            '<p class="aside">A credential is shown as the name of its variable, such as'
            " <code>$NEPTUN_SESSION</code>; its value is neither kept nor shown.</p>"
        )
    yield folded("As it was asked", _asked(record), opened=not attempts)


def _not_sent(record: Record) -> str:
    if record.start and record.start.backend == "offline":
        return "No request was sent: the offline guide has no upstream. This is what it was asked."
    if record.failure:
        return f"No request was sent. {record.failure.message}"
    return "No request was sent."


def _attempt(attempt: Attempt, *, opened: bool) -> str:
    cut = attempt.body_size - len(attempt.body)
    kept = f"; the first {size(len(attempt.body))} are kept" if cut else ""
    title = f"{size(attempt.body_size)}{kept}"
    method = f'<span class="method">{escape(attempt.method)}</span>'
    return (
        f'<p class="line">{method} <bdi>{seen(attempt.url)}</bdi></p>'
        + folded(
            "Headers",
            headers(attempt.headers, "Request headers"),
            opened=opened,
            note=str(len(attempt.headers)),
        )
        + folded(
            "Body, laid out", copyable(json_or_text(attempt.body), "body, laid out"), opened=opened, note=title
        )
        + folded("Body as it was sent", copyable(raw(attempt.body), "body as it was sent", kind="exact"))
    )


def _asked(record: Record) -> str:
    options = record.options
    backend = options.backend or (record.start.backend if record.start else "")
    model = options.model or (record.start.model if record.start else "")
    rows = [("Back end", _title(backend)), ("Model", seen(model, 300))]
    if options.system:
        rows.append(("System prompt", seen(options.system)))
    rows += [(name, seen(str(value))) for name, value in options.parameters.items() if value is not None]
    if backend == "neptun":
        rows.append(("Chat", "temporary" if options.is_playground else f"stored as {options.chat_id}"))
    messages: list[Any] = [{"role": message.role, "content": message.content} for message in record.messages]
    return table(rows, "As it was asked") + copyable(coloured(messages), "messages")


def _title(backend: str) -> str:
    return escape({str(name): title for name, title in TITLES.items()}.get(backend, backend))
