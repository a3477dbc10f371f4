"""The numbers under an answer, and the chips beside them."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from neptun_demo import errors
from neptun_demo.answer import Answer, Start
from neptun_demo.models import BUILT_IN
from neptun_demo.streams import Finish, Text, Timing, Usage
from neptun_demo.ui.notices import Notice, Step, of_failure
from neptun_demo.ui.numbers import Numbers, capped, end_in_words, facts, in_words
from neptun_demo.ui.turn import Turn, notice, numbers_message

LLAMA = BUILT_IN["workers-ai"][0]


def answered(*events, backend="workers-ai", model=LLAMA.id):
    answer = Answer()
    for event in (Start(model, backend), *events):
        answer.add(event)
    return answer


def said(numbers):
    return [words for words, _ in in_words(numbers)]


def test_what_was_measured_and_counted_is_said():
    timing = Timing(0.4567, 12.34, 41.6, "tokens")
    usage = Usage(1200, 512, 64, 3.5)
    numbers = Numbers.of(answered(Text("Yes."), usage, Finish("stop", timing)), LLAMA)
    assert said(numbers) == [
        "llama-3.3-70b-instruct-fp8-fast",
        "first text 0.46 s",
        "total 12.3 s",
        "42 tokens/s",
        "1,200 tokens in",
        "512 tokens out",
        "64 cached",
        "3.50 neurons",
        "≈ $0.000039",  # 3.5 neurons at $0.011 a thousand
    ]
    assert numbers.estimated == ("price",)
    assert end_in_words(numbers) == ("end: stop", "The model had said all")


def test_what_is_unknown_is_a_dash_and_never_a_zero():
    numbers = Numbers.of(answered(Text("Yes."), Finish()), LLAMA)
    assert said(numbers)[1:] == [
        "first text –",
        "total –",
        "– characters/s",
        "– tokens in",
        "– tokens out",
    ]
    assert (numbers.price, numbers.estimated, numbers.end) == (None, (), "unknown")


def test_without_neurons_the_price_is_of_the_tokens():
    usage = Usage(1_000_000, 2_000_000)
    numbers = Numbers.of(answered(usage), LLAMA)
    assert numbers.price == pytest.approx(LLAMA.price_in + 2 * LLAMA.price_out)
    assert Numbers.of(answered(usage), None).price is None
    assert Numbers.of(answered(Usage(5, None)), LLAMA).price is None


def test_what_the_guide_counts_costs_nothing():
    assert Numbers.of(answered(Usage(1, 2, 3, 4.0), backend="offline"), BUILT_IN["offline"][0]).price is None


@pytest.mark.parametrize(
    ("price", "words"),
    [(1.5, "1.50"), (0.25, "0.25"), (0.000019, "0.000019"), (0.0000000123, "0.000000012"), (0, "0")],
)
def test_a_price_is_written_without_an_exponent(price, words):
    assert said(Numbers(price=price))[-1] == f"≈ ${words}"


def test_numbers_go_through_json_and_back():
    numbers = Numbers.of(answered(Usage(1, 2), Finish("stop", Timing(0.1, 0.2, None, "tokens"))), LLAMA)
    assert Numbers.model_validate(json.loads(json.dumps(facts(numbers)))) == numbers


@pytest.mark.parametrize(
    "crafted", [{"first": -1}, {"total": float("nan")}, {"unit": "<b>"}, {"end": "x" * 201}]
)
def test_crafted_numbers_are_refused(crafted):
    with pytest.raises(ValueError, match=next(iter(crafted))):
        Numbers.model_validate(crafted)


# The cap


@pytest.mark.parametrize("end", ["length", "max_tokens"])
def test_a_named_cap_is_said(end):
    assert "cap on output tokens" in capped(Numbers(backend="workers-ai", end=end), "Half of")


@pytest.mark.parametrize(
    ("tokens_out", "text", "guessed"),
    [
        (256, "and so on, but", True),
        (256, "It is whole.", False),
        (255, "and so on, but", False),
        (None, "word " * 200, True),
        (None, "word " * 100, False),
    ],
)
def test_neptuns_silent_cap_is_guessed_where_a_sentence_breaks_off(tokens_out, text, guessed):
    words = capped(Numbers(backend="neptun", tokens_out=tokens_out), text)
    assert ("probably" in words) is guessed
    assert capped(Numbers(backend="workers-ai", tokens_out=tokens_out), text) == ""


# Chips


@pytest.mark.parametrize(
    ("error", "steps"),
    [
        (errors.Unauthorized("No."), ("credential", "retry")),
        (errors.Rejected("No.", status=401), ("credential", "retry")),
        (errors.Rejected("No.", status=403), ("credential", "retry")),
        (errors.Rejected("Busy.", status=503), ("retry", "model")),
        (errors.UnknownModel("No."), ("model",)),
        (errors.TooLarge("No."), ("model",)),
        (errors.OverBudget("No."), ("model",)),
        (errors.Refused("No."), ()),
        (errors.Cut("No."), ("retry", "model")),
        (errors.TimedOut("No."), ("retry", "model")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_failure_has_its_next_steps(error, steps):
    assert of_failure(error, has_text=False).steps == steps


def test_a_failure_after_text_is_an_incomplete_answer():
    whole, half = (of_failure(errors.Cut("Gone.", "Ask."), has_text=has) for has in (False, True))
    assert (whole.tone, whole.title) == ("failure", "No answer.")
    assert (half.tone, half.title) == ("cut", "The answer is incomplete.")
    assert half.sentences == ("Gone.", "Ask.")


def test_nothing_that_others_wrote_counts_as_markup():
    hostile = '<img src=x onerror="alert(1)"> [a](http://e.vil/) $$x$$'
    drawn = notice(Notice(title=hostile, sentences=(hostile,), steps=get_args(Step)), "ab12")["content"][0][
        "text"
    ]
    assert "<img" not in drawn
    assert "[a]" not in drawn
    assert "$$" not in drawn
    assert all(f'href="#next-{step}"' in drawn for step in get_args(Step))
    numbers = numbers_message(Numbers(model=hostile, end=hostile), "ab12")["content"][0]["text"]
    assert "<img" not in numbers
    assert 'href="#look-ab12"' in numbers


# Turns that end otherwise


def test_a_stopped_answer_keeps_its_text_and_has_numbers():
    times = iter([0.0, 1.5, 2.0, 3.5, 9.0])
    turn = Turn("ab12", now=lambda: next(times))
    for event in (Start(LLAMA.id, "workers-ai"), Text("So far"), Text(" as it"), Text(" came")):
        turn.add(event)
    text, chip, numbers = turn.stopped(Notice(tone="stopped", title="Stopped."))
    assert text["content"][0]["text"] == "So far as it came"
    assert chip["metadata"]["answer"] == numbers["metadata"]["answer"] == "ab12"
    known = numbers["metadata"]["facts"]
    assert (known["first"], known["total"], known["end"]) == (1.5, 9.0, "stopped")
    # Of what came after the first text, without the silence at the end
    assert (known["rate"], known["unit"]) == (11 / 2, "characters")


def test_what_was_never_sent_has_no_numbers():
    (chip,) = Turn("ab12").failed(errors.Unauthorized("No."))
    assert chip["metadata"]["facts"]["steps"] == ["credential", "retry"]


def test_a_capped_answer_says_so_above_its_numbers():
    turn = Turn("ab12")
    for event in (
        Start(LLAMA.id, "workers-ai"),
        Text("Half of"),
        Finish("length", Timing(0.1, 0.2, 3, "tokens")),
    ):
        turn.add(event)
    _, chip, numbers = turn.finished()
    assert (chip["metadata"]["facts"]["tone"], chip["metadata"]["facts"]["steps"]) == ("capped", ["raise"])
    assert numbers["metadata"]["facts"]["end"] == "length"
