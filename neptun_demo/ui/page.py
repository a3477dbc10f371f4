"""The page: controls at the side, the conversation beside them, and what is given to `launch()` for both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from neptun_demo.chat import Chat
from neptun_demo.gradio_api import add_api

from .answering import Answering
from .blocks import Page
from .bridge import ON_LOAD, Bridge
from .comparing.tab import Compare
from .connecting.panel import build_connect
from .inspector.panel import Inspector
from .inspector.records import Records
from .keeping.panel import MENU, NOTES, Keeping
from .talk import Talk
from .theme import THEME
from .words import ENGLISH, GERMAN, I18N, label

TITLE = "Neptun Playground"
DESCRIPTION = (
    "The Neptun endpoint, Cloudflare Workers AI, and a guide that needs no account – here or by script."
)

ASSETS = Path(__file__).parents[2] / "assets"

SCRIPTS = (
    "page.js",
    "access.js",
    "talk.js",
    "panels.js",
    "connect.js",
    "inspector.js",
    "store.js",
    "history.js",
    "keeping.js",
    "compare.js",
)
STYLES = (
    "page.css",
    "conversation.css",
    "panels.css",
    "talk.css",
    "connect.css",
    "inspector.css",
    "keeping.css",
    "compare.css",
)

_AT_ONCE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}


def build(chat: Chat) -> gr.Blocks:
    """The page of *chat*, with its Gradio API."""
    page = Page(title=TITLE, analytics_enabled=False, fill_height=True)
    records = Records()
    answering = Answering(chat, records)
    with page:
        with gr.Sidebar(label="Settings", open=False, elem_id="settings"):
            gr.HTML(_panels(), elem_id="side-tabs", padding=False, apply_default_css=False)
            # Closed: it is drawn when it is wanted, or when nothing else is to be done (`assets/panels.js`).
            with gr.Accordion("", open=False, elem_id="side-panels"):
                with gr.Column(elem_id="side-settings"):
                    connect = build_connect(chat)
                with gr.Column(elem_id="side-conversations"):
                    keeping = Keeping(chat, connect.controls)
        bridge = Bridge(gr.HTML(_header(), elem_id="header", padding=False, js_on_load=ON_LOAD))
        with gr.Tabs(elem_id="ways") as ways:
            with gr.Tab(label("chat"), id="chat", elem_id="chat"):
                talk = Talk(answering, connect.controls, bridge)
            with gr.Tab(label("compare"), id="compare", elem_id="compare"):
                Compare(answering, connect, talk.chatbot, ways)
        inspector = Inspector(chat, records, talk.chatbot, connect.controls, bridge)
        page.unload(inspector.forget)
        connect.listen(page)
        keeping.listen(talk.chatbot, talk.textbox, connect.looked, bridge)
        connect.after([*talk.ended, *keeping.filled])
        page.load(None, js="() => window.neptun.openSide()", **_AT_ONCE)
        add_api(chat)
    return page


def launch_arguments() -> dict[str, Any]:
    """What `launch()` has to be given for the page: looks, words, scripts, icon."""
    scripts = "\n".join([_words(), *(_asset(name) for name in SCRIPTS)])
    return {
        "theme": THEME,
        "css": "\n".join(map(_asset, STYLES)),
        "head": f"<style>{_asset('motion.css')}</style><script>{scripts}</script>",
        "i18n": I18N,
        "favicon_path": ASSETS / "icon.svg",
        "footer_links": ["api", "gradio"],
    }


def _header() -> str:
    words = f"<div><h1>{TITLE}</h1><p>{DESCRIPTION}</p></div>"
    keys = '<button type="button" class="neptun-show-keys" title="Keyboard" aria-label="Keyboard">?</button>'
    return f'<div class="neptun-header">{_asset("logo.svg")}{words}{MENU}{keys}</div>{NOTES}'


def _panels() -> str:
    """The heads of the two panels of the side bar (`assets/panels.js`)."""
    heads = "".join(
        f'<button type="button" role="tab" id="side-tab-{name}" data-panel="{name}">{ENGLISH[name]}</button>'
        for name in ("settings", "conversations")
    )
    return f'<div role="tablist" aria-label="{TITLE}">{heads}</div>'


def _words() -> str:
    """The labels for what the scripts draw themselves, in both languages."""
    words = json.dumps({"en": ENGLISH, "de": GERMAN}, ensure_ascii=True).replace("<", "\\u003c")
    return f"window.neptunWords = {words};"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
