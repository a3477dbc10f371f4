"""An id for a conversation, made from Gradio's session."""

from __future__ import annotations

import hashlib

import gradio as gr


def conversation_id(request: gr.Request | None) -> str:
    """An id that stays the same over one conversation and tells nobody the session, with which its answers
    could be read."""
    session = request.session_hash if request else None
    return hashlib.sha256(session.encode()).hexdigest()[:32] if session else ""


def column_id(conversation: str, column: str) -> str:
    """An id for the conversation of one *column* of the comparison, which is not that of the chat beside it."""
    return hashlib.sha256(f"{conversation}/{column}".encode()).hexdigest()[:32] if conversation else ""
