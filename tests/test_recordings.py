"""Every recorded reply and failure of the endpoint, out of the page and out of the Gradio API.

The documented route has the same in `test_api.py`. Replies are exact to the character, failures say what
happened; what stays open ends by the idle limit, with the text so far.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playground import Playground
from test_page import Visit
from upstream import Upstream, data_lines, recording

REPLIES = {
    "ok_playground": "Hello, world!",
    "ok_chat1_playground_false": "Hello, world!",
    "up_all_in_one_chunk": "one two three",
    "up_code_reply": "Code:\n\n```python\nprint(1)\n```\n\nDone.",
    "up_md_link": "See https://e.x/a) now.[docs](",
    "up_md_star_never_closes": "* item one\nplain text goes on until the end.",
    "up_md_table": "| a | b |\n|---|---|\n| 1 | 2 |\n\nDone.",
    "up_pause_mid": "one two",
    "up_slow_first": "late",
    "up_u2028": 'a\u2028bc\u2029de\u0085f\x00tab\thereq"uoteback\\slashnl\nnlcr\r\n\x7f</script>',
    "up_unicode": "Grüße 😀👩\u200d👩\u200d👧 日本عربىe\u0301",
    "xss_entities_user": "Hello, world!",
}
FAILURES = {
    "invalid_cookie": "does not accept this session",
    "no_cookie": "does not accept this session",
    "up_err401": "The session is fine",
    "up_err429": "00:00 UTC",
    "up_err500": "Internal server error",
    "up_drop": "failed before the first word",
    "up_cut_before_first_token": "failed before the first word",
    "up_empty_stream": "without any text",
    "other_provider_model": "does not know this model",
    "unknown_model": "does not know this model",
    "chat_id_too_big_for_int4": "Server Error",
    "chat_id_text": "chat_id",
    "missing_chat_id": "chat_id",
    "is_playground_omitted_chat1": "is_playground",
    "method_get": "405",
    "size_2000000": "413",
    "role_system": "messages.0.role",
    "messages_empty": "messages",
    "content_empty": "String must contain at least 1 character",
    "content_blank_earlier": "String must contain at least 1 character",
    "body_malformed_json": "Invalid JSON body",
    "xss_lt_in_user_text": "Bad Request",
    "xss_gt_in_assistant_history": "Bad Request",
}
COOKIE = "a-cookie-of-the-tests"
NEPTUN: dict[str, Any] = {"backend": "neptun", "credential": COOKIE, "api_name": "/chat"}


@pytest.fixture
def client(playground: Playground) -> Client:
    # Its own patience is 5 seconds.
    return Client(playground.url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 60})


def test_replies_are_exact_by_script(client: Client, neptun: Upstream) -> None:
    for name, text in REPLIES.items():
        neptun.plays(recording(name))
        assert client.predict("Go on", **NEPTUN)["text"] == text, name


def test_failures_are_raised_by_script(client: Client, neptun: Upstream) -> None:
    for name, words in FAILURES.items():
        neptun.plays(recording(name))
        with pytest.raises(AppError) as failure:
            client.predict("Go on", **NEPTUN)
        assert words in str(failure.value), name
        assert COOKIE not in str(failure.value)


def test_an_open_end_is_found_by_script(client: Client, neptun: Upstream) -> None:
    neptun.plays(recording("up_cut_mid"))
    job = client.submit("Go on", **NEPTUN)
    assert [frame["text"] for frame in job][-1] == "one two three"
    with pytest.raises(AppError, match="silent"):
        job.result()


def test_replies_are_exact_on_the_page(page: Any, playground: Playground, neptun: Upstream) -> None:
    """What the page holds is what the next turn sends: exact, but for `<` and `>`, which are sent escaped."""
    visitor = Visit(page, playground).on_neptun()
    neptun.plays(*(recording(name) for name in REPLIES), data_lines("The end."))
    for name in [*REPLIES, "the last one"]:
        visitor.ask(name)
        visitor.expect(visitor.numbers).to_be_visible()
    history = neptun.requests[-1].json()["messages"]
    answers = {question["content"]: answer["content"] for question, answer in pairwise(history[:-1])}
    escaped = {name: text.replace("<", "&lt;").replace(">", "&gt;") for name, text in REPLIES.items()}
    assert {name: answers[name] for name in REPLIES} == escaped


def test_failures_are_notices_on_the_page(page: Any, playground: Playground, neptun: Upstream) -> None:
    visitor = Visit(page, playground).on_neptun()
    for name, words in FAILURES.items():
        neptun.plays(recording(name))
        visitor.ask(name)
        visitor.expect(visitor.notice).to_contain_text(words)
    neptun.plays(recording("up_cut_mid"), data_lines("The end."))
    visitor.ask("stays open").expect(visitor.notice).to_contain_text("silent")
    visitor.expect(visitor.answer).to_contain_text("one two three")
    visitor.ask("the last one")
    sent = [message["content"] for message in neptun.requests[-1].json()["messages"]]
    assert sent == ["stays open", "one two three", "the last one"]  # failures without text are no part of it
