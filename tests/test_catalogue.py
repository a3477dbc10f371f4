"""The models on offer, against the facts they were copied from, and the look-up by any name."""

from __future__ import annotations

import json

import pytest
from upstream import recording

from neptun_demo.catalogue import Catalogue
from neptun_demo.contract import ModelConfiguration
from neptun_demo.errors import Unavailable, UnknownModel
from neptun_demo.models import BUILT_IN, GUIDE_MODEL, NEPTUN_MODEL, RETIRED, WORKERS_AI_MODELS, Model
from neptun_demo.models import row as row_of
from neptun_demo.parameters import RANGES
from neptun_demo.settings import BackendName

BACKENDS: tuple[BackendName, ...] = ("neptun", "workers-ai", "offline")

# Cloudflare's documentation, checked August to October 2026.
FACTS = """
| @cf/meta/llama-3.3-70b-instruct-fp8-fast | 24,000 | 0.293 / 2.253 | – | – | free |
| @cf/meta/llama-4-scout-17b-16e-instruct | 131,000 | 0.270 / 0.850 | – | yes | free |
| @cf/openai/gpt-oss-120b | 128,000 | 0.350 / 0.750 | low, medium, high | – | free |
| @cf/openai/gpt-oss-20b | 128,000 | 0.200 / 0.300 | low, medium, high | – | free |
| @cf/google/gemma-4-26b-a4b-it | 256,000 | 0.100 / 0.300 | chat_template_kwargs | yes | free |
| @cf/zai-org/glm-4.7-flash | 131,072 | 0.060 / 0.400 | yes | – | free |
| @cf/qwen/qwen3.8-27b | 262,144 | 0.450 / 3.200 | low, medium, xhigh | yes | free |
| @cf/nvidia/nemotron-3-120b-a12b | 256,000 | 0.500 / 1.500 | yes | – | free |
| @cf/qwen/qwen3-30b-a3b-fp8 | 32,768 | 0.051 / 0.335 | yes | – | free |
| @cf/mistralai/mistral-small-3.1-24b-instruct | 128,000 | 0.351 / 0.555 | – | – | free |
| @cf/ibm-granite/granite-4.0-h-micro | 131,000 | 0.017 / 0.112 | – | – | free |
| @cf/meta/llama-3.2-3b-instruct | 80,000 | 0.051 / 0.335 | – | – | free |
| @cf/meta/llama-3.2-1b-instruct | 60,000 | 0.027 / 0.201 | – | – | free |
| @cf/qwen/qwen2.5-coder-32b-instruct | 32,768 | 0.660 / 1.000 | – | – | free |
| @cf/deepseek-ai/deepseek-r1-distill-qwen-32b | 80,000 | 0.497 / 4.881 | inline `<think>` | – | free |
| @cf/zai-org/glm-5.3-flash | 1,310,720 | 0.150 / 0.500 | low, high, max | yes | paid |
| @cf/deepseek-ai/deepseek-v4-flash-0731 | 1,048,576 | 0.440 / 1.320 | none, low, high, max | – | paid |
| @cf/deepseek-ai/deepseek-v4-pro-0813 | 1,048,576 | 1.320 / 3.960 | none, low, high, max | – | paid |
| @cf/moonshotai/kimi-k2.6 | 262,144 | 0.950 / 4.000 | none, high | yes | paid |
"""


def reasoning_of(model: Model) -> str:
    if model.inline_thinking:
        return "inline `<think>`"
    if model.efforts:
        return ", ".join(model.efforts)
    return "yes" if model.reasoning else "–"


def as_fact(model: Model) -> str:
    reasoning = "chat_template_kwargs" if "gemma-4" in model.id else reasoning_of(model)
    vision, plan = "yes" if model.vision else "–", "paid" if model.paid else "free"
    prices = f"{model.price_in:.3f} / {model.price_out:.3f}"
    return f"| {model.id} | {model.context:,} | {prices} | {reasoning} | {vision} | {plan} |"


def made_up(name: str, backend: BackendName = "workers-ai") -> Model:
    parameters = NEPTUN_MODEL.row.configuration.parameters
    return Model(backend, row_of("author", name, f"@cf/author/{name}", "", parameters))


# The rows


def test_the_rows_say_what_the_facts_say() -> None:
    assert [as_fact(model) for model in WORKERS_AI_MODELS] == FACTS.strip().splitlines()
    assert all(model.reasoning for model in WORKERS_AI_MODELS if reasoning_of(model) != "–")


def test_the_endpoints_row_is_the_recorded_one() -> None:
    listing = json.loads("".join(map(str, recording("get_models").chunks)))
    (recorded,) = listing["configurations"]["cloudflare"].values()
    ours = NEPTUN_MODEL.row.model_dump(exclude_none=True)
    assert {**ours, "description": ""} == {**recorded, "description": ""}
    assert NEPTUN_MODEL.id == "cloudflare/llama-3.3-70b-instruct-fp8-fast"


def test_every_row_is_a_model_configuration_of_its_back_end() -> None:
    assert set(BUILT_IN) == set(BACKENDS)
    for backend, rows in BUILT_IN.items():
        assert rows
        assert {model.backend for model in rows} == {backend}
        assert all(isinstance(model.row, ModelConfiguration) for model in rows)


def test_the_family_decides_the_ranges() -> None:
    legacy = {model.id for model in WORKERS_AI_MODELS if model.family == "legacy"}
    assert {name.split("/")[1] for name in legacy} == {
        "meta",
        "mistralai",
        "ibm-granite",
        "qwen",
        "deepseek-ai",
    }
    assert "@cf/qwen/qwen2.5-coder-32b-instruct" in legacy
    assert not legacy & {
        "@cf/qwen/qwen3-30b-a3b-fp8",
        "@cf/google/gemma-4-26b-a4b-it",
        "@cf/openai/gpt-oss-20b",
    }
    assert {model.family for model in WORKERS_AI_MODELS} == set(RANGES)


# The look-up


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_is_found_by_each_of_its_names_in_any_case(backend: BackendName) -> None:
    catalogue = Catalogue()
    for model in catalogue.rows(backend):
        short, full = model.row.name, model.row.configuration.model
        for name in (short, f"cloudflare/{short}", full, model.id):
            for given in (name, name.upper(), name.title(), f" {name}\n"):
                assert catalogue.find(backend, given) is model


@pytest.mark.parametrize("name", NEPTUN_MODEL.names)
def test_the_guide_answers_for_the_documented_model(name: str) -> None:
    assert Catalogue().find("offline", name.upper()) is GUIDE_MODEL


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("llama-3.3-70b-instruct", "llama-3.3-70b-instruct-fp8-fast"),
        ("@cf/meta/llama-3.3-70b-instruct-fp8", "llama-3.3-70b-instruct-fp8-fast"),
        ("cloudflare/gpt-oss-20", "gpt-oss-20b"),
        ("GPT-OSS", "gpt-oss-120b"),
        ("qwen", "qwen3.8-27b"),
        ("kimi", "kimi-k2.6"),
        ("llama", "llama-3.3-70b-instruct-fp8-fast"),  # a short name is far from every whole one
        ("mistral-smal-3.1-24b", "mistral-small-3.1-24b-instruct"),
    ],
)
def test_an_unknown_name_is_answered_with_what_is_close(name: str, close: str) -> None:
    with pytest.raises(UnknownModel) as unknown:
        Catalogue().find("workers-ai", name)
    error = unknown.value
    assert (error.status, error.status_message) == (400, "Invalid model name")
    assert error.sentence == f"Cloudflare Workers AI has no model named {name!r}."
    assert error.advice.startswith("Close to it: ")
    named = error.advice.removeprefix("Close to it: ").removesuffix(".").split(", ")
    assert close in named
    assert len(named) == len(set(named)) <= 3


@pytest.mark.parametrize("name", ["", " ", "/", "zzz", "x" * 100_000, "cloudflare/", "\ud83d", "../../etc"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_name_like_none_is_answered_with_what_there_is(backend: BackendName, name: str) -> None:
    with pytest.raises(UnknownModel) as unknown:
        Catalogue().find(backend, name)
    assert unknown.value.advice.startswith("There is: ")
    assert Catalogue().rows(backend)[0].name in unknown.value.advice
    assert len(unknown.value.message) < 500


@pytest.mark.parametrize("name", sorted(RETIRED))
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_retired_model_is_no_longer_available(backend: BackendName, name: str) -> None:
    for given in (name, name.upper(), f"cloudflare/{name}", f"@cf/author/{name}"):
        with pytest.raises(Unavailable) as gone:
            Catalogue().find(backend, given)
        assert gone.value.status_message == "Service not available anymore."
        assert name in gone.value.sentence


# Live lists


def test_a_live_list_takes_the_place_of_its_back_ends_rows() -> None:
    catalogue, new = Catalogue(), made_up("New-Model")
    assert not catalogue.is_live("workers-ai")
    catalogue.replace("workers-ai", [new])
    assert catalogue.is_live("workers-ai")
    assert catalogue.rows("workers-ai") == (new,)
    assert catalogue.find("workers-ai", "@CF/author/new-model") is new
    assert catalogue.rows("neptun") == BUILT_IN["neptun"]
    with pytest.raises(UnknownModel, match="gpt-oss-20b"):
        catalogue.find("workers-ai", "gpt-oss-20b")
    with pytest.raises(UnknownModel) as close:
        catalogue.find("workers-ai", "new-modell")
    assert close.value.advice == "Close to it: New-Model."


def test_an_empty_list_is_no_list() -> None:
    catalogue = Catalogue()
    catalogue.replace("workers-ai", [])
    assert catalogue.rows("workers-ai") == WORKERS_AI_MODELS
    assert not catalogue.is_live("workers-ai")


def test_what_a_live_list_still_has_is_not_retired() -> None:
    catalogue = Catalogue()
    catalogue.replace("workers-ai", [made_up("gemma-7b-it")])
    assert catalogue.find("workers-ai", "gemma-7b-it").name == "gemma-7b-it"


def test_a_list_that_is_changed_afterwards_changes_nothing() -> None:
    catalogue, rows = Catalogue(), [made_up("a")]
    catalogue.replace("workers-ai", rows)
    rows.clear()
    assert [model.name for model in catalogue.rows("workers-ai")] == ["a"]
