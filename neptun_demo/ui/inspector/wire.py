"""The view of what came back: status, headers, and each piece with its time and what it was decoded to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from html import escape
from http import HTTPStatus

from neptun_demo.streams import UNKNOWN, Event, Text, Thinking, Usage
from neptun_demo.ui.inspector.records import Attempt, Piece, Pieces, Record
from neptun_demo.ui.words import word

from .arrival import arrival, in_words, picture
from .markup import folded, headers, plural, raw, seconds, seen, size

FIRST_SHOWN, LAST_SHOWN = 400, 100
"""Pieces that are drawn: the first and the last ones. The saved file has all that are kept."""

LONGEST_PIECE = 1500
"""Characters of a piece, and of what was made of it, that are drawn."""


def wire_view(record: Record) -> str:
    """The HTML."""
    return "".join(_parts(record))


def _parts(record: Record) -> Iterator[str]:
    drawn = arrival(record)
    yield f'<p class="said">{seen(_outcome(record))}</p>'
    if drawn.both:
        yield f'{picture(drawn, record.answer)}<p class="aside">{_legend(record)}{escape(in_words(drawn))}</p>'
    attempts = list(record.attempts)
    for number, attempt in enumerate(attempts, start=1):
        if len(attempts) > 1:
            yield f"<h4>{word('look_answer_to', str(number), str(len(attempts)))}</h4>"
        yield _answered(attempt, last=number == len(attempts))
    if record.guided.count:
        yield '<p class="aside">The offline guide has no wire: these pieces are its own.</p>'
        yield _pieces(record.guided, opened=True)


def _outcome(record: Record) -> str:
    match record.outcome:
        case "running":
            return "The answer is still coming; this is what had come when this was opened."
        case "complete":
            reason = record.finish.reason if record.finish else UNKNOWN
            said = "The far end gave no reason" if reason == UNKNOWN else f"Reason for the end: {reason}"
            return f"Complete after {seconds(record.ended_at)}. {said}."
        case "stopped":
            return f"Stopped after {seconds(record.ended_at)}; the connection was closed."
        case "failed":
            said = record.failure.message if record.failure else ""
            return f"Failed after {seconds(record.ended_at)}. {said}"
        case "broken":
            return f"The app itself failed after {seconds(record.ended_at)}; the cause is in its log."


def _legend(record: Record) -> str:
    kinds = ("text", "thinking") if any(_thinks(piece) for piece in _all(record)) else ("text",)
    keys = "".join(f'<span class="key {kind}">{word(f"look_{kind}")}</span> ' for kind in (*kinds, "pause"))
    return f'<span class="legend">{keys}</span>'


def _answered(attempt: Attempt, *, last: bool) -> str:
    if attempt.status is None:
        return f'<p class="line">No answer came to the request that was sent at {seconds(attempt.at)}.</p>'
    status = f"{attempt.status} {_phrase(attempt.status)}".strip()
    tone = "good" if attempt.status < 400 else "bad"
    return (
        f'<p class="line"><span class="status {tone}">{escape(status)}</span>'
        f' <span class="aside">{word("look_head", seconds(attempt.head_at))}</span></p>'
        + folded(
            "look_headers", headers(attempt.answered, "Headers of the answer"), note=str(len(attempt.answered))
        )
        + _pieces(attempt.pieces, opened=last)
    )


def _pieces(pieces: Pieces, *, opened: bool) -> str:
    note = f"{pieces.count:,}, {size(pieces.size)}" if pieces.size else f"{pieces.count:,}"
    return folded("look_pieces", _list(pieces), opened=opened, note=note)


def _list(pieces: Pieces) -> str:
    kept = list(pieces.kept)
    if not pieces.count:
        return '<p class="aside">None came.</p>'
    hidden = len(kept) - FIRST_SHOWN - LAST_SHOWN
    shown = [*map(_piece, kept if hidden <= 0 else kept[:FIRST_SHOWN])]
    if hidden > 0:
        shown.append(_gap(f"{plural(hidden, 'piece')} not drawn here; “Save as JSON” has them"))
        shown += map(_piece, kept[-LAST_SHOWN:])
    if pieces.more:
        shown.append(
            _gap(
                f"{plural(pieces.more, 'more piece')} of {size(pieces.more_bytes)} only counted, the last after"
                f" {seconds(pieces.last_at)}"
            )
        )
    return f'<ol class="pieces">{"".join(shown)}</ol>'


def _gap(words: str) -> str:
    return f'<li class="gap">{escape(words)}</li>'


def _piece(piece: Piece) -> str:
    came = f'<code class="came"><bdi>{raw(piece.data, LONGEST_PIECE)}</bdi></code>' if piece.data else ""
    made = "".join(map(_made, _joined(piece.made))) or f'<span class="made none">{word("look_nothing")}</span>'
    return f'<li><span class="at">{seconds(piece.at)}</span><span class="what">{came}{made}</span></li>'


def _joined(made: Sequence[Event]) -> Iterator[tuple[str, str]]:
    """What was made, neighbours of one kind joined, as kinds and text."""
    kind, texts = "", list[str]()
    for event in made:
        now, text = _read(event)
        if texts and (now != kind or now == "usage"):
            yield kind, "".join(texts)
            texts = []
        kind = now
        texts.append(text)
    if texts:
        yield kind, "".join(texts)


def _read(event: Event) -> tuple[str, str]:
    match event:
        case Text(text):
            return "text", text
        case Thinking(text):
            return "thinking", text
        case Usage():
            counts = {name: value for name, value in asdict(event).items() if value is not None}
            return "usage", ", ".join(f"{name} {value:g}" for name, value in counts.items())
        case _:
            return "finish", event.reason


def _made(read: tuple[str, str]) -> str:
    kind, text = read
    return (
        f'<span class="made {kind}"><span class="kind">{word(f"look_{kind}")}</span>'
        f" <bdi>{seen(text, LONGEST_PIECE)}</bdi></span>"
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _all(record: Record) -> Iterator[Piece]:
    for attempt in list(record.attempts):
        yield from list(attempt.pieces.kept)
    yield from list(record.guided.kept)


def _thinks(piece: Piece) -> bool:
    return any(isinstance(event, Thinking) for event in piece.made)
