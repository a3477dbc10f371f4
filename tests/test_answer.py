"""The fold of an answer's events."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from neptun_demo.answer import Answer, Start
from neptun_demo.backends import Retry
from neptun_demo.streams import Event, Finish, Text, Thinking, Timing, Usage

START = Start(model="cloudflare/x", backend="neptun", dropped=2, escaped=3, stored=True)
TIMING = Timing(first=0.1, total=1.5, rate=20.0, unit="tokens")


def folded(*events: Start | Retry | Event) -> Answer:
    answer = Answer()
    for event in events:
        answer.add(event)
    return answer


def test_before_the_first_event_it_is_empty() -> None:
    answer = folded()
    assert (answer.text, answer.thinking, answer.model, answer.backend) == ("", "", "", "")
    assert (answer.dropped, answer.escaped, answer.stored) == (0, 0, False)
    assert answer.finish_reason is answer.timing is answer.usage is answer.waiting is answer.start is None


def test_a_whole_answer() -> None:
    answer = folded(
        START,
        Thinking("h"),
        Thinking("m"),
        Text("Hel"),
        Usage(1, 2),
        Text("lo"),
        Usage(3, 4),
        Finish("stop", TIMING),
    )
    assert (answer.text, answer.thinking) == ("Hello", "hm")
    assert (answer.model, answer.backend) == ("cloudflare/x", "neptun")
    assert (answer.dropped, answer.escaped, answer.stored) == (2, 3, True)
    assert answer.usage == Usage(3, 4)  # the last one counts
    assert (answer.finish_reason, answer.timing) == ("stop", TIMING)


def test_the_object_of_the_gradio_api_is_plain_json() -> None:
    whole = folded(START, Text("Hi"), Usage(3, 4, 0, 1.5), Finish("stop", TIMING)).as_object()
    assert json.loads(json.dumps(whole)) == whole
    assert whole == {
        "text": "Hi",
        "thinking": "",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "cached_tokens": 0, "neurons": 1.5},
        "timing": {"first": 0.1, "total": 1.5, "rate": 20.0, "unit": "tokens"},
        "model": "cloudflare/x",
        "backend": "neptun",
        "dropped_messages": 2,
    }
    empty = folded().as_object()
    assert list(empty) == list(whole)
    assert empty["finish_reason"] is empty["usage"] is empty["timing"] is None


def test_a_wait_is_shown_until_something_comes() -> None:
    wait = Retry(seconds=1.0, attempt=2, reason="Busy.")
    assert folded(START, wait).waiting is wait
    assert folded(START, wait, Usage()).waiting is wait
    for event in (Text("x"), Thinking("x"), Finish()):
        assert folded(START, wait, event).waiting is None


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(st.builds(Text, st.text()) | st.builds(Thinking, st.text())))
def test_every_look_sees_all_so_far(events: list[Text | Thinking]) -> None:
    answer, text, thinking = Answer(), "", ""
    for event in events:
        answer.add(event)
        text += event.text if isinstance(event, Text) else ""
        thinking += event.text if isinstance(event, Thinking) else ""
        assert (answer.text, answer.thinking) == (text, thinking)
        assert answer.text == text
