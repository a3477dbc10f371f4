"""The check of a credential, and the trouble of the host's accounts as it was last seen, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from test_chat import HOST, KEY, KEYED, OWN, VISITOR, closed, connected, events_of
from upstream import Play, Upstream, cloudflare_error, data_lines, recording, refusing, sse

from neptun_demo.access import Access
from neptun_demo.chat import Chat, Options
from neptun_demo.credentials import EMPTY, NOT_KNOWN, SIGNED_IN
from neptun_demo.errors import PlaygroundError, Rejected
from neptun_demo.troubles import Trouble, Troubles

pytestmark = pytest.mark.anyio

LLAMA = Options(backend="workers-ai")


@asynccontextmanager
async def talking_to(upstream: Upstream, **environment: str) -> AsyncIterator[Chat]:
    asked = connected(upstream, **environment)
    try:
        yield asked
    finally:
        await closed(asked)


# The check


async def test_a_cookie_is_checked_with_neptun_and_nothing_is_spent(upstream: Upstream) -> None:
    upstream.plays(recording("auth_check_head_valid"), recording("auth_check_head_missing"))
    async with talking_to(upstream) as chat:
        assert await chat.check_credential(Access("page", f"neptun-session={VISITOR}; Path=/")) == SIGNED_IN
        assert await chat.check_credential(Access("page", VISITOR)) == NOT_KNOWN
        assert chat.budget.left == 200
    assert [(sent.method, sent.path) for sent in upstream.requests] == [("HEAD", "/api/auth/check")] * 2
    assert {sent.header("cookie") for sent in upstream.requests} == {f"neptun-session={VISITOR}"}


@pytest.mark.parametrize(
    ("credential", "verdict", "words"),
    [
        ("", "unknown", EMPTY.advice),
        ("  neptun-session= ", "unknown", "The box is empty."),
        (KEY, "good", "Neptun endpoint and Cloudflare Workers AI"),
        (f"neptun-session={KEY}", "good", "at the host's cost"),
        (f"{KEY}x", "bad", "not this playground's key"),
        ("two words", "bad", "characters that no cookie can hold"),
    ],
)
async def test_nobody_is_asked_about_what_is_no_cookie(
    upstream: Upstream, credential: str, verdict: str, words: str
) -> None:
    async with talking_to(upstream) as chat:
        finding = await chat.check_credential(Access("page", credential))
        assert chat.budget.left == 200
    assert finding.verdict == verdict
    assert words in f"{finding.sentence} {finding.advice}"
    assert KEY not in repr(finding)
    assert upstream.requests == []


async def test_the_key_of_a_host_without_accounts_opens_the_routes(upstream: Upstream) -> None:
    without = dict.fromkeys(HOST.keys() - {"PLAYGROUND_SESSION"}, "")
    async with talking_to(upstream, **without) as chat:
        finding = await chat.check_credential(Access("page", KEY))
    assert "no account" in finding.advice


async def test_a_check_that_fails_says_why_and_nothing_of_the_cookie(upstream: Upstream) -> None:
    with refusing() as nowhere:
        async with talking_to(upstream, NEPTUN_BASE_URL=nowhere) as chat:
            finding = await chat.check_credential(OWN)
    assert (finding.verdict, finding.sentence) == ("unknown", "The Neptun endpoint could not be reached.")
    assert "not known whether the cookie is good" in finding.advice
    assert VISITOR not in repr(finding)


# The trouble


async def ask(chat: Chat, options: Options = LLAMA, access: Access = KEYED) -> None:
    with suppress(PlaygroundError):
        await events_of(chat, options=options, access=access)


@pytest.mark.parametrize(
    ("play", "kind"),
    [
        (cloudflare_error(4006, "used up", 429), "quota"),
        (cloudflare_error(3036, "used up", 429), "quota"),
        (cloudflare_error(10000, "Authentication error", 401), "token"),
        (Play(status=403), "token"),
        (cloudflare_error(7003, "no route", 404), "account"),
        # About what was asked, or of the moment:
        (cloudflare_error(5018, "not this model", 403), None),
        (cloudflare_error(5007, "no such model", 400), None),
    ],
)
async def test_trouble_of_the_hosts_account_is_remembered_until_it_works(
    upstream: Upstream, play: Play, kind: str | None
) -> None:
    upstream.plays(play, sse({"response": "Yes."}))
    async with talking_to(upstream) as chat:
        await ask(chat)
        seen = chat.troubles.last("workers-ai")
        assert (seen.kind if seen else None) == kind
        assert chat.troubles.last("neptun") is None
        await ask(chat)
        assert chat.troubles.last("workers-ai") is None


async def test_the_hosts_session_is_the_hosts_trouble_and_a_visitors_is_not(upstream: Upstream) -> None:
    upstream.plays(recording("invalid_cookie"), recording("invalid_cookie"), data_lines("Hello"))
    neptun = Options(backend="neptun")
    async with talking_to(upstream) as chat:
        await ask(chat, neptun, OWN)
        assert chat.troubles.last("neptun") is None
        await ask(chat, neptun)
        assert getattr(chat.troubles.last("neptun"), "kind", None) == "session"
        await ask(chat, neptun, OWN)  # works, and says nothing about the host's
        assert chat.troubles.last("neptun") is not None


def test_a_quota_is_free_again_the_next_day_and_a_token_is_not() -> None:
    now = datetime(2026, 10, 1, 23, 59, tzinfo=UTC)
    troubles = Troubles(lambda: now)
    for backend, kind in (("workers-ai", "quota"), ("neptun", "token")):
        with suppress(Rejected), troubles.watching(backend):
            raise Rejected("No.", status=429, trouble=kind)
    assert troubles.last("workers-ai") == Trouble("quota", now)
    now += timedelta(minutes=2)
    assert troubles.last("workers-ai") is None
    assert troubles.last("neptun") is not None


def test_an_answer_that_began_before_the_trouble_does_not_end_it() -> None:
    now = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
    troubles = Troubles(lambda: now)
    with troubles.watching("workers-ai"):
        now += timedelta(seconds=1)
        with suppress(Rejected), troubles.watching("workers-ai"):
            raise Rejected("No.", status=429, trouble="quota")
        now += timedelta(seconds=1)
    assert troubles.last("workers-ai") is not None
    with troubles.watching("workers-ai"):
        pass
    assert troubles.last("workers-ai") is None
