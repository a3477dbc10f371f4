"""Connect: what answers now and on whose account, the credential and its check, and how to get one.

The credential goes from its box to the server and is never sent back: what comes back are words about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import gradio as gr

from neptun_demo.access import Access
from neptun_demo.chat import Chat
from neptun_demo.credentials import Finding
from neptun_demo.ui.display import literal
from neptun_demo.ui.words import label

from .controls import AT_ONCE, CHANGING, build_backend, build_controls, build_credential, changes, listen
from .state_line import state_of

FIRST_LOOK, LAST_LOOK = 4.0, 300.0
"""Seconds between two looks for news of the host (live lists, budget, trouble): short at first, then longer."""

MOST_CHECKS = 20
"""Checks at a time, over all visitors; more wait for their turn."""


class Connect:
    """The panel, built where it is made. *controls* are the conversation's own, *state* says what answers now.

    *looked* is the event after which the page knows what the host knows: what sets controls when the page is
    opened (a link, a kept conversation) is chained to it.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        backend = build_backend(chat)
        self.state = gr.HTML(state_of(chat, chat.default_backend), elem_id="state", padding=False)
        credential = build_credential()
        with gr.Row(elem_classes="neptun-checking"):
            self._check = gr.Button(label("check"), size="sm", scale=0, min_width=72, elem_id="check")
            self._found = gr.HTML("", elem_id="checked", padding=False)
        self.controls = build_controls(chat, credential, backend=backend, model_id="model")
        self._begun_with = chat.default_model(chat.default_backend).id
        # What of the catalogue this page has seen, and when it looks again.
        self._seen = gr.State(chat.catalogue.revision)
        self._timer = gr.Timer(FIRST_LOOK)
        self.looked: Any = None

    def listen(self, page: gr.Blocks) -> None:
        """Set the panel going, once *page* has everything that it consists of."""
        listen(self._chat, self.controls)
        self.after([self.controls.backend.input])
        self._listen_to_the_button()
        shown = [self._seen, self.state, *self.controls.changing]
        known = [self._seen, *self.controls.chosen]
        self.looked = page.load(self._look, known, shown, **AT_ONCE)
        self._timer.tick(self._look_again, [self._timer, *known], [self._timer, *shown], **AT_ONCE)

    def after(self, events: Iterable[Callable[..., Any]]) -> None:
        """Say anew what answers after each of *events*, such as the end of an answer."""
        for event in events:
            event(self._state, [self.controls.backend], [self.state], **AT_ONCE)

    def _state(self, backend: str) -> str:
        return state_of(self._chat, backend)

    def _look(self, seen: int, *chosen: Any) -> list[Any]:
        """What is new at the host. Whatever the visitor chose stays, in a list as it is now."""
        now = self._chat.catalogue.revision
        backend, model = chosen[0], chosen[1]
        state = state_of(self._chat, backend)
        if now == seen:
            return [gr.skip(), state, *(gr.skip() for _ in CHANGING)]
        # The configured model may have come with the list.
        untouched = backend == self._chat.default_backend and model == self._begun_with
        return [now, state, *changes(self._chat, chosen, another_backend=untouched)]

    def _look_again(self, after: float, seen: int, *chosen: Any) -> list[Any]:
        return [gr.update(value=min(2 * after, LAST_LOOK)), *self._look(seen, *chosen)]

    def _listen_to_the_button(self) -> None:
        credential, found = self.controls.credential, self._found
        pressed = [self._check.click, credential.submit]
        gr.on(pressed, None, [credential], [found], js=_CHECKING, **AT_ONCE)
        checking = gr.on(
            pressed,
            self._checked,
            [credential],
            [found],
            api_visibility="private",
            show_progress="hidden",
            concurrency_limit=MOST_CHECKS,
        )
        checking.failure(None, None, [found], js=_FAILED, **AT_ONCE)
        for event in (credential.input, checking.success):
            event(None, [credential, found], [found], js=_STILL_FOUND, **AT_ONCE)

    async def _checked(self, credential: str) -> str:
        return found(await self._chat.check_credential(Access("page", credential or "")))


def build_connect(chat: Chat) -> Connect:
    """The panel, in the Blocks that are being built."""
    return Connect(chat)


def found(finding: Finding) -> str:
    """What a check found, to stand beside its button."""
    sentence, advice = literal(finding.sentence), literal(finding.advice)
    return f'<p class="neptun-check {finding.verdict}"><strong>{sentence}</strong> {advice}</p>'


# In the browser (`assets/connect.js`); what was found does not outlive a change of the credential.
_CHECKING = "(credential) => window.neptun.checking(credential)"
_STILL_FOUND = "(credential, found) => window.neptun.stillFound(credential, found)"
_FAILED = """() => '<p class="neptun-check"><strong>The check failed.</strong> Try again.</p>'"""


def first_visit(chat: Chat) -> str | None:
    """HTML for a conversation that is empty yet: how to connect. `None` where a model answers at once."""
    begins_with = chat.default_backend
    if begins_with != "offline" and chat.set_up(begins_with) and chat.settings.playground_open:
        return None
    return FIRST_VISIT.format(
        chosen=_GUIDE_IS_CHOSEN if begins_with == "offline" else _GUIDE_TO_CHOOSE,
        neptun=_link(chat.settings.neptun_base_url, "Neptun"),
        workers_ai=_how_to_workers_ai(chat),
    )


def _link(address: str, words: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">{words}</a>'


# Not Markdown, to read which would take a browser longer than to draw the card.
FIRST_VISIT = (
    "<h3>The offline guide answers without any account</h3>"
    "<p>{chosen}:</p>"
    "<ul><li><strong>Neptun endpoint</strong> – log in to {neptun}. In your browser's developer tools, under"
    " <em>Application → Cookies</em>, copy the value of <code>neptun-session</code> into the box; the button"
    " below it says if it is good.</li>"
    "<li><strong>Cloudflare Workers AI</strong> – {workers_ai}</li></ul>"
)

# Named and followed by the page's script (`assets/talk.js`), in the browser's language.
_SETTINGS = '<a class="neptun-next" href="#next-settings">Settings</a>'
_GUIDE_IS_CHOSEN = f"For a model, choose a back end under {_SETTINGS}"
_GUIDE_TO_CHOOSE = f"Choose it as the back end under {_SETTINGS}, or connect a model there"

_DASHBOARD = _link("https://dash.cloudflare.com", "Cloudflare's dashboard")
_ACCOUNT_OF_THE_HOST = (
    "whoever starts this app sets <code>CLOUDFLARE_ACCOUNT_ID</code> and <code>CLOUDFLARE_API_TOKEN</code>. The"
    f" id stands on the Workers AI page of {_DASHBOARD}, where the token is made too, with the"
    " permissions <em>Workers AI Read</em> and <em>Edit</em>."
)


def _how_to_workers_ai(chat: Chat) -> str:
    if not chat.set_up("workers-ai"):
        return _ACCOUNT_OF_THE_HOST
    if chat.settings.playground_open:
        return "set up by the host, and open to you."
    return "set up by the host, for whoever has the playground's key. Put the key into the box."
