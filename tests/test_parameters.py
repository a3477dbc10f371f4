"""The sampling parameters: what each family takes, what sends nothing, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neptun_demo.catalogue import Catalogue
from neptun_demo.errors import Refused
from neptun_demo.models import GUIDE_MODEL, NEPTUN_MODEL, Model
from neptun_demo.parameters import DEFAULT_MAX_TOKENS, RANGES, accepted, check

LEGACY = Catalogue().find("workers-ai", "llama-3.3-70b-instruct-fp8-fast")
OPENAI = Catalogue().find("workers-ai", "glm-4.7-flash")
EFFORTS = Catalogue().find("workers-ai", "gpt-oss-20b")
ALL = [LEGACY, OPENAI, EFFORTS, NEPTUN_MODEL, GUIDE_MODEL]
NAMES = sorted(
    {*RANGES["legacy"], "max_tokens", "max_new_tokens", "truncate", "typical_p", "return_full_text", "stop"}
)
PENALTIES = ("frequency_penalty", "presence_penalty")

steady = settings(derandomize=True, database=None, deadline=None, max_examples=50)


def sent(model: Model, given: dict[str, Any], highest: int = 2048) -> dict[str, Any]:
    """What goes to Workers AI beside the cap that goes without saying."""
    found = dict(check(model, given, highest).sent)
    if found["max_tokens"] == min(DEFAULT_MAX_TOKENS, highest):
        del found["max_tokens"]
    return found


def refusal(model: Model, given: dict[str, Any], highest: int = 2048) -> str:
    with pytest.raises(Refused) as refused:
        check(model, given, highest)
    assert refused.value.status == 400
    return refused.value.message


# What each family takes

ENDS = [
    (model, name, value)
    for model in (LEGACY, OPENAI)
    for name, within in RANGES[model.family].items()
    for value in (within.low, within.high)
]


@pytest.mark.parametrize(("model", "name", "value"), ENDS)
def test_both_ends_of_a_range_are_taken_and_nothing_beyond(model: Model, name: str, value: float) -> None:
    within = accepted(model)[name]
    assert sent(model, {name: value}) == {name: value}
    beyond = value + (1 if value == within.high else -0.0005)
    if beyond != -1:
        assert refusal(model, {name: beyond}).startswith(f"{name} must be between")


def test_the_ranges_are_those_of_the_facts() -> None:
    def of(family: Any) -> dict[str, tuple[float, float]]:
        return {name: (within.low, within.high) for name, within in RANGES[family].items()}

    shared = {"top_p": (0.001, 1), "seed": (1, 9_999_999_999)}
    penalties = {"frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}
    legacy = {"temperature": (0, 5), "top_k": (1, 50), "repetition_penalty": (0, 2)}
    assert of("legacy") == {**shared, **penalties, **legacy}
    assert of("openai") == {**shared, **penalties, "temperature": (0, 2)}


def test_whole_numbers_are_sent_whole() -> None:
    found = sent(LEGACY, {"top_k": 40.0, "seed": 7.0, "temperature": 1, "max_tokens": 100.0})
    assert json.dumps(found, sort_keys=True) == '{"max_tokens": 100, "seed": 7, "temperature": 1, "top_k": 40}'
    assert "whole number" in refusal(LEGACY, {"top_k": 40.5})


@pytest.mark.parametrize("name", ["top_k", "repetition_penalty"])
def test_what_only_the_legacy_family_has_is_refused_by_name(name: str) -> None:
    assert sent(LEGACY, {name: 1}) == {name: 1}
    said = refusal(OPENAI, {name: 1})
    assert said.startswith(f"{name}: glm-4.7-flash does not take this parameter. It takes temperature, ")
    assert "max_new_tokens, truncate, stop." in said


def test_the_effort_is_one_of_the_models_own() -> None:
    assert sent(EFFORTS, {"reasoning_effort": "high"}) == {"reasoning_effort": "high"}
    assert (
        refusal(EFFORTS, {"reasoning_effort": "max"})
        == "reasoning_effort: gpt-oss-20b takes low, medium, high."
    )
    assert "takes no choice of it" in refusal(OPENAI, {"reasoning_effort": "high"})
    assert "takes no choice of it" in refusal(LEGACY, {"reasoning_effort": "high"})
    for wrong in (5, ["high"], {}, ""):
        assert refusal(EFFORTS, {"reasoning_effort": wrong}).startswith("reasoning_effort: ")


def test_stop_is_text_or_texts_of_the_openai_family() -> None:
    assert sent(OPENAI, {"stop": "end"}) == {"stop": "end"}
    assert sent(OPENAI, {"stop": ["a", "b"]}) == {"stop": ["a", "b"]}
    assert sent(OPENAI, {"stop": ["\ud83d"]}) == {"stop": ["\ufffd"]}  # what cannot be sent is not sent
    for wrong in (5, [5], {"a": "b"}, True):
        assert refusal(OPENAI, {"stop": wrong}) == "stop must be text or a list of texts."
    assert refusal(LEGACY, {"stop": "end"}).startswith("stop: llama-3.3-70b-instruct-fp8-fast does not take")


# What sends nothing


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
@pytest.mark.parametrize("name", NAMES)
def test_minus_one_is_the_providers_default_but_for_the_penalties(model: Model, name: str) -> None:
    if name not in PENALTIES:
        assert check(model, {name: -1}, 2048) == check(model, {name: -1.0}, 2048) == check(model, {}, 2048)
    elif model.backend == "workers-ai":
        assert sent(model, {name: -1}) == {name: -1}
    else:
        assert refusal(model, {name: -1}).startswith(f"{name}: ")


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_what_is_absent_sends_nothing(model: Model) -> None:
    absent = {**dict.fromkeys(NAMES), "reasoning_effort": None, "something": None, "return_full_text": False}
    assert check(model, absent, 2048) == check(model, {}, 2048)


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_the_documented_parameters_of_a_model_with_the_providers_defaults_are_taken(model: Model) -> None:
    documented = {
        "max_new_tokens": 256,
        "typical_p": -1,
        "repetition_penalty": -1,
        "truncate": 1000,
        "return_full_text": False,
        "temperature": None,
    }
    if model is GUIDE_MODEL:
        documented["max_new_tokens"] = model.row.configuration.parameters.max_new_tokens
    checked = check(model, documented, 2048)
    assert checked.sent == {"max_tokens": 256}
    assert (checked.cap, checked.truncate) == (256, 1000)


def test_what_workers_ai_does_not_have_is_refused_by_name() -> None:
    assert refusal(LEGACY, {"typical_p": 0.2}).startswith("typical_p: Workers AI has no such parameter.")
    for wrong in (True, 1, "false"):
        assert refusal(LEGACY, {"return_full_text": wrong}).startswith("return_full_text: ")


@pytest.mark.parametrize(
    "name", ["max_completion_tokens", "Temperature", "stream", "messages", "x" * 9999, "\x1b[31m"]
)
@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_an_unknown_name_is_refused(model: Model, name: str) -> None:
    for value in (1, -1, False):
        said = refusal(model, {name: value})
        assert said.startswith(repr(name[:60])[:-1])
        assert said.isprintable()
        assert len(said) < 400


# The output cap


def test_the_cap_is_sent_as_max_tokens() -> None:
    for name in ("max_new_tokens", "max_tokens"):
        assert check(LEGACY, {name: 7}, 2048).sent == {"max_tokens": 7}
    assert check(LEGACY, {"max_new_tokens": 7, "max_tokens": 7.0}, 2048).cap == 7
    assert check(LEGACY, {"max_new_tokens": -1, "max_tokens": 7}, 2048).cap == 7
    assert "the same thing" in refusal(LEGACY, {"max_new_tokens": 7, "max_tokens": 8})


def test_the_host_says_how_high_it_may_be() -> None:
    assert check(LEGACY, {}, 2048).cap == DEFAULT_MAX_TOKENS == 1024  # not Workers AI's own 256
    assert check(LEGACY, {}, 100).cap == 100
    assert check(LEGACY, {"max_tokens": 100}, 100).cap == 100
    assert refusal(LEGACY, {"max_tokens": 101}, 100) == "max_tokens must be between 1 and 100 here."
    assert "between 1 and 100" in refusal(LEGACY, {"max_new_tokens": 0}, 100)


# Back ends without sampling


@pytest.mark.parametrize(
    "name", [*RANGES["legacy"], "reasoning_effort", "stop", "typical_p", "return_full_text"]
)
def test_a_back_end_without_sampling_refuses_by_name(name: str) -> None:
    said = refusal(NEPTUN_MODEL, {name: 1})
    assert said == f"{name}: Neptun endpoint takes no sampling parameters. Leave it out, or use Workers AI."
    assert refusal(GUIDE_MODEL, {name: 1}).startswith(f"{name}: Offline guide takes no")


def test_its_own_cap_and_a_room_are_no_choice() -> None:
    checked = check(NEPTUN_MODEL, {"max_tokens": 256, "truncate": 500}, 10)
    assert (checked.cap, checked.truncate) == (256, 500)
    assert refusal(NEPTUN_MODEL, {"max_tokens": 255}).startswith("max_tokens: Neptun endpoint takes no")
    assert not accepted(NEPTUN_MODEL)
    assert not accepted(GUIDE_MODEL)


# Whatever comes

WRONG = [
    True,
    "1",
    "",
    [],
    [1],
    {},
    {"a": 1},
    b"1",
    float("nan"),
    float("inf"),
    float("-inf"),
    10**400,
    -(10**400),
]


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("stop", "return_full_text")])
def test_no_value_gets_past_the_check(model: Model, name: str) -> None:
    for value in WRONG:
        said = refusal(model, {name: value})
        assert said.startswith(name)
        assert len(said) < 400


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@steady
@given(st.sampled_from(ALL), st.dictionaries(st.sampled_from(NAMES) | st.text(), ANYTHING))
def test_it_is_checked_or_refused_and_what_is_sent_is_json(model: Model, parameters: dict[str, Any]) -> None:
    try:
        checked = check(model, parameters, 2048)
    except Refused:
        return
    json.dumps(checked.sent, allow_nan=False, ensure_ascii=False).encode()
    assert 1 <= checked.cap <= 2048
    assert -1 not in [value for name, value in checked.sent.items() if name not in PENALTIES]
