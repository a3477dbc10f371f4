"""A record as JSON, to be kept as a file or attached to a report. It is what the views are drawn of, whole."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from neptun_demo.streams import Event, Text, Thinking, Usage
from neptun_demo.ui.inspector.records import Attempt, Piece, Pieces, Record

FORMAT = "neptun-playground-record"
VERSION = 1


def saved(record: Record) -> str:
    """*record* as JSON text, without halves of characters, which no file could hold."""
    written = json.dumps(as_object(record), ensure_ascii=False, indent=1)
    return written.encode("utf-8", "backslashreplace").decode()  # a half becomes JSON's own escape


def as_object(record: Record) -> Mapping[str, Any]:
    """*record* as plain JSON.

    Times are seconds after `began` (UTC). Bodies and pieces are `text`, or `base64` where they are no UTF-8.
    Credentials are the names of their variables. What was only counted stands under `not_kept`.
    """
    failure = record.failure
    return {
        "format": FORMAT,
        "version": VERSION,
        "answer": record.answer,
        "began": record.began.isoformat(timespec="milliseconds"),
        "asked": _asked(record),
        "accepted": asdict(record.start) if record.start else None,
        "requests": [_attempt(attempt) for attempt in list(record.attempts)],
        "requests_not_kept": record.more_attempts,
        "guide": _pieces(record.guided),
        "usage": asdict(record.usage) if record.usage else None,
        "finish": asdict(record.finish) if record.finish else None,
        "failure": {"sentence": failure.sentence, "advice": failure.advice} if failure else None,
        "outcome": record.outcome,
        "ended": _rounded(record.ended_at),
    }


def _asked(record: Record) -> Mapping[str, Any]:
    options = record.options
    return {
        "backend": options.backend,
        "model": options.model,
        "system": options.system,
        "parameters": dict(options.parameters),
        "chat_id": options.chat_id,
        "temporary": options.is_playground,
        "messages": [{"role": message.role, "content": message.content} for message in record.messages],
    }


def _attempt(attempt: Attempt) -> Mapping[str, Any]:
    retry = attempt.retry
    return {
        "at": _rounded(attempt.at),
        "method": attempt.method,
        "url": attempt.url,
        "headers": attempt.headers,
        "body": _bytes(attempt.body),
        "body_bytes": attempt.body_size,
        "answer": None
        if attempt.status is None
        else {"at": _rounded(attempt.head_at), "status": attempt.status, "headers": attempt.answered},
        "pieces": _pieces(attempt.pieces),
        "retry": {"seconds": _rounded(retry.seconds), "reason": retry.reason} if retry else None,
    }


def _pieces(pieces: Pieces) -> Mapping[str, Any]:
    return {
        "kept": [_piece(piece) for piece in list(pieces.kept)],
        "not_kept": {"pieces": pieces.more, "bytes": pieces.more_bytes},
        "last": _rounded(pieces.last_at),
    }


def _piece(piece: Piece) -> Mapping[str, Any]:
    came = _bytes(piece.data) if piece.data else {}
    return {"at": _rounded(piece.at), **came, "made": [_event(event) for event in piece.made]}


def _event(event: Event) -> Mapping[str, Any]:
    match event:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking(text):
            return {"type": "thinking", "text": text}
        case Usage():
            return {"type": "usage", **asdict(event)}
        case _:
            return {"type": "finish", "reason": event.reason}


def _bytes(data: bytes) -> Mapping[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
