"""The panel of kept conversations, and what the app does for it.

The browser keeps them (`assets/store.js`, `assets/history.js`). The app gets the one that is opened or
imported, and gives back what the page shows: checked data, drawn anew. It keeps none of them, and is given no
credential for any of this.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from gradio.components import Component

from neptun_demo.chat import Chat
from neptun_demo.errors import Refused
from neptun_demo.ui.bridge import Bridge, told
from neptun_demo.ui.connecting.controls import AT_ONCE, Controls
from neptun_demo.ui.connecting.question import CHOSEN
from neptun_demo.ui.turn import Transcript

from .document import LONGEST_NAME, Document, Settings, of_transcript, to_transcript
from .importing import LARGEST, parse
from .links import build, in_words, read
from .markdown_export import markdown
from .usable import filled, of_values, usable

MENU = f'<div class="neptun-tools" data-largest="{LARGEST}"></div>'
"""The place of the menu: what can be done with the open conversation. The script draws it."""

NOTES = '<div id="keeping-notes"></div>'
"""The place of the line that says what was done, or went wrong."""

_PLACE = '<div class="neptun-keeping"></div>'
_DRAWN = "window.neptun.panel.mount(element.querySelector('.neptun-keeping'))"

# What the page shows, as `history.js` takes it: the conversation, and the controls by name.
_SHOWN = f"""(...given) => {{
    const [transcript, ...values] = given.slice(-{len(CHOSEN) + 1});
    const names = {json.dumps(CHOSEN)};
    const settings = Object.fromEntries(names.map((name, at) => [name, values[at]]));
    window.neptun.history.%s(...given.slice(0, -{len(CHOSEN) + 1}), transcript, settings);
}}"""


class Keeping:
    """The panel. It is drawn where this is made; `listen()` connects it with a conversation.

    *filled* are the events (`.success`) after each of which the controls may stand otherwise than before.
    """

    def __init__(self, chat: Chat, controls: Controls) -> None:
        self._chat = chat
        self._controls = controls
        self.filled: list[Any] = []
        gr.HTML(_PLACE, elem_id="keeping", padding=False, js_on_load=_DRAWN, apply_default_css=False)
        # What the app has to say to the script, as JSON.
        self._said = gr.HTML("", visible=False)

    def listen(self, bot: gr.Chatbot, box: Component, loaded: Any, bridge: Bridge) -> None:
        """Keep what *bot* shows. *loaded* is the page's last event at load that sets controls; what is wanted
        comes over *bridge*."""
        end, said, values = bridge.end, self._said, self._controls.chosen
        controls: list[Component] = [self._controls.backend, *self._controls.changing]
        bot.change(None, [bot, *values], None, js=_SHOWN % "changed", **AT_ONCE)
        bot.clear(None, None, None, js="() => window.neptun.history.left()", **AT_ONCE)
        new = "() => { window.neptun.history.left(); return [[]]; }"
        end("keeping-new")(None, None, [bot], js=new, **AT_ONCE)
        end("keeping-json")(None, [bot, *values], None, js=_SHOWN % "exportJson", **AT_ONCE)
        filling = end("keeping-fill")(self._fill, values, [said, bot, box, *controls], **AT_ONCE)
        writing = end("keeping-write")(self._write, [bot, box, *values], [said], **AT_ONCE)
        for event in (filling, writing):
            event.success(None, [said, bot, *values], None, js=_SHOWN % "heard", **AT_ONCE)
            event.failure(None, None, None, js="() => window.neptun.history.unheard()", **AT_ONCE)
        self.filled.append(filling.success)
        loaded.then(None, None, None, js="() => window.neptun.history.started()", **AT_ONCE)

    def _fill(self, event: gr.EventData, *values: Any) -> list[Any]:
        """The page as a document or a link has it."""
        return self._follow(event) if told(event, "wanted") == "link" else self._open(event, *values)

    def _write(self, event: gr.EventData, transcript: Transcript, prompt: str, *values: Any) -> str:
        """The page as a link or a Markdown file."""
        if told(event, "wanted") == "copy":
            return self._copy(prompt, *values)
        return self._markdown(event, transcript, *values)

    def _open(self, event: gr.EventData, *values: Any) -> list[Any]:
        """The conversation of a document, kept here or from a file, in the place of the one that is shown."""
        try:
            document, question = parse(told(event, "document")).ready()
            settings, left_out = self._settings(document, told(event, "origin"), values)
        except Refused as error:
            return [_reply(note=error.message), gr.skip(), gr.skip(), *self._as_they_stand()]
        box = question or gr.skip()
        reply = _reply(title=document.name, note=" ".join(f"Left out: {why}" for why in left_out))
        return [reply, to_transcript(document), box, *self._filled(settings)]

    def _settings(self, document: Document, origin: str, values: Sequence[Any]) -> tuple[Settings, list[str]]:
        """What the controls are to stand at for *document*, and what of it was left out."""
        given = document.settings
        if given.backend is None:  # a bare list of messages: everything else stays
            given = of_values(values).model_copy(update={"system": given.system} if given.system else {})
        if origin == "file":  # nobody else's file decides what Neptun stores of one's own
            given = given.model_copy(update={"temporary": True, "chat_id": None})
        settings, left_out = usable(self._chat, given)
        return settings, list(left_out.values())

    def _follow(self, event: gr.EventData) -> list[Any]:
        """What a link asks for. Nothing is sent by it."""
        try:
            query = parse_qsl(told(event, "query"), max_num_fields=100)
        except ValueError:
            return [_reply(note="The link has too many values."), gr.skip(), gr.skip(), *self._as_they_stand()]
        link = read(self._chat, query)
        box = link.prompt or gr.skip()
        return [_reply(note=link.in_words), gr.skip(), box, *self._filled(link.settings)]

    def _copy(self, prompt: str, *values: Any) -> str:
        """The query of a link to what stands in the controls and in the message box."""
        try:
            query, left_out = build(self._chat, of_values(values), prompt)
        except Refused as error:
            return _reply(note=error.message)
        words = f"Link copied: {in_words(query)}; no credential."
        return _reply(link=query, note=" ".join([words, *left_out]))

    def _markdown(self, event: gr.EventData, transcript: Transcript, *values: Any) -> str:
        """The conversation as a Markdown file."""
        if not transcript:
            return _reply(note="There is nothing to export yet.")
        try:
            document = of_transcript(transcript, of_values(values), told(event, "title")[:LONGEST_NAME])
        except Refused as error:
            return _reply(note=error.message)
        return _reply(markdown=markdown(document))

    def _filled(self, settings: Settings) -> list[Any]:
        return filled(self._chat, settings)

    def _as_they_stand(self) -> list[Any]:
        return [gr.skip()] * (1 + len(self._controls.changing))


def _reply(**fields: str) -> str:
    return json.dumps(fields, ensure_ascii=False)
