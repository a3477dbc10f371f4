"""The view of what was sent: method, address, headers, body, and what became of the question on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from neptun_demo.models import TITLES
from neptun_demo.ui.inspector.records import Attempt, Record
from neptun_demo.ui.words import word

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
        yield f'<h4>{word("look_way")}</h4><ul class="notes">{listed}</ul>'
    for number, attempt in enumerate(attempts, start=1):
        if len(attempts) > 1:
            yield f"<h4>{word('look_request_of', str(number), str(len(attempts)))}</h4>"
        yield _attempt(attempt, opened=number == len(attempts))
    if attempts:
        yield (
            '<p class="aside">A credential is shown as the name of its variable, such as'
            " <code>$NEPTUN_SESSION</code>; its value is neither kept nor shown.</p>"
        )
    yield folded("look_asked", _asked(record), opened=not attempts)


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
            "look_headers",
            headers(attempt.headers, "Request headers"),
            opened=opened,
            note=str(len(attempt.headers)),
        )
        + folded("look_body", copyable(json_or_text(attempt.body), "body, laid out"), opened=opened, note=title)
        + folded("look_sent", copyable(raw(attempt.body), "body as it was sent", kind="exact"))
    )


def _asked(record: Record) -> str:
    options = record.options
    backend = options.backend or (record.start.backend if record.start else "")
    model = options.model or (record.start.model if record.start else "")
    rows = [(word("back_end"), _title(backend)), (word("model"), seen(model, 300))]
    if options.system:
        rows.append((word("system"), seen(options.system)))
    rows += [(seen(name), seen(str(value))) for name, value in options.parameters.items() if value is not None]
    if backend == "neptun":
        stored = word("look_stored", str(options.chat_id))
        rows.append((word("chat"), word("look_temporary") if options.is_playground else stored))
    messages: list[Any] = [{"role": message.role, "content": message.content} for message in record.messages]
    return table(rows, "As it was asked") + copyable(coloured(messages), "messages")


def _title(backend: str) -> str:
    return escape({str(name): title for name, title in TITLES.items()}.get(backend, backend))
