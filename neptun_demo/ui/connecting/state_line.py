"""One line about the chosen back end: what answers now, what that takes, and what is wrong as last seen."""

from __future__ import annotations

import html
from collections.abc import Mapping

from neptun_demo.chat import Chat
from neptun_demo.errors import AccountTrouble
from neptun_demo.settings import BackendName

_TROUBLES: Mapping[AccountTrouble, str] = {
    "quota": "Cloudflare's daily free allocation of the host was used up. It is free again at 00:00 UTC.",
    "token": "Cloudflare refused the host's API token. The host checks CLOUDFLARE_API_TOKEN.",
    "account": "Cloudflare did not know the host's account. The host checks CLOUDFLARE_ACCOUNT_ID.",
    "session": "Neptun refused the host's session. The host renews NEPTUN_SESSION; a cookie of your own works.",
}

_GET_A_COOKIE = (
    'Log in to <a href="{neptun}" target="_blank" rel="noopener noreferrer">Neptun</a>; under'
    " <em>Application → Cookies</em> in the browser's developer tools, copy the value of"
    " <code>neptun-session</code> into the box."
)


def state_of(chat: Chat, backend: str) -> str:
    """The line, as HTML. Nothing in it is of anybody's making but ours."""
    match backend:
        case "neptun":
            return _line(*_neptun(chat))
        case "workers-ai":
            return _line(*_workers_ai(chat))
        case _:
            return _line(
                "The offline guide answers.",
                "It is no model: it knows this playground's handbook, and plays <code>/demo</code>s.",
                "For a model, choose another back end.",
            )


def _line(headline: str, *sentences: str) -> str:
    return f"<p><strong>{headline}</strong> {' '.join(filter(None, sentences))}</p>"


def _neptun(chat: Chat) -> list[str]:
    if not chat.set_up("neptun"):
        return [
            "The Neptun endpoint answers, with your own cookie.",
            _GET_A_COOKIE.format(neptun=html.escape(chat.settings.neptun_base_url)),
        ]
    if not chat.settings.playground_open:
        headline = "The Neptun endpoint answers, with the playground's key"
        return [f"{headline} or with your own cookie.", _left(chat), _trouble(chat, "neptun")]
    headline = "The Neptun endpoint answers, on the host's session in temporary chats"
    return [f"{headline}, or with your own cookie.", _left(chat), _trouble(chat, "neptun")]


def _workers_ai(chat: Chat) -> list[str]:
    if not chat.set_up("workers-ai"):
        return ["Workers AI cannot answer here.", "The host has set up no account. Choose another back end."]
    if chat.settings.playground_open:
        headline, whose = "Workers AI answers.", "The host's account is open to every visitor."
    else:
        headline = "Workers AI answers, with the playground's key."
        whose = "The host's account is for whoever has the playground's key; put it into the box."
    if not chat.settings.playground_daily_answers:
        headline = "Workers AI does not answer here."
    elif not chat.budget.left:
        headline = "Workers AI answers again at 00:00 UTC."
    return [headline, whose, _left(chat), _trouble(chat, "workers-ai")]


def _left(chat: Chat) -> str:
    """What is left of the host's budget, which its back ends share."""
    daily = chat.settings.playground_daily_answers
    if not daily:
        return "The host pays for no answers."
    return f"Of {daily:,} answers a day at its cost {chat.budget.left:,} are left."


def _trouble(chat: Chat, backend: BackendName) -> str:
    seen = chat.troubles.last(backend)
    if not seen:
        return ""
    return f'<span class="trouble">Last seen, {seen.at:%H:%M} UTC: {_TROUBLES[seen.kind]}</span>'
