"""What the controls ask for, and what becomes of them when another model is chosen; without a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from test_chat import HOST, Scripted, chat

from neptun_demo.chat import Chat
from neptun_demo.errors import Refused
from neptun_demo.listings import workers_ai_rows
from neptun_demo.ui.connecting.controls import CHANGING, changes, model_choices, sent_now
from neptun_demo.ui.connecting.question import ASKED, CHOSEN, asked

LLAMA, GPT = "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/openai/gpt-oss-20b"
BEGUN: Mapping[str, Any] = {
    "backend": "workers-ai",
    "model": LLAMA,
    "credential": "",
    "temporary": True,
    "chat_id": -1,
    "system": "",
    "max_tokens": 1024,
    "temperature": 0.6,
    "top_p": 1,
    "reasoning_effort": "",
    "seed": None,
    "stop": "",
}


@pytest.fixture
def playground() -> Chat:
    return chat(Scripted())


def parameters(playground: Chat, **values: Any) -> dict[str, Any]:
    options, _ = asked(playground, [({**BEGUN, **values})[name] for name in ASKED], "c")
    return {name: value for name, value in options.parameters.items() if value is not None}


def changed(playground: Chat, *, another_backend: bool = False, **values: Any) -> dict[str, dict[str, Any]]:
    given = [({**BEGUN, **values})[name] for name in CHOSEN]
    return dict(zip(CHANGING, changes(playground, given, another_backend=another_backend), strict=True))


def test_what_stands_is_not_written_again() -> None:
    """It comes late, and would undo what was chosen while it was on its way."""
    playground = chat(Scripted())
    for another_backend in (False, True):
        assert "value" not in changed(playground, another_backend=another_backend)["model"]
    assert changed(playground, another_backend=True, model=GPT)["model"]["value"] == LLAMA


def test_the_list_one_chooses_from_stays_as_it_is() -> None:
    """Written again, it would open again for who went on by the keyboard."""
    playground = chat(Scripted())
    given = [BEGUN[name] for name in CHOSEN]
    models = dict(zip(CHANGING, changes(playground, given, same_list=True), strict=True))["model"]
    assert not {"choices", "value"} & set(models)
    assert changed(playground)["model"]["choices"]


def test_the_credential_decides_nothing_and_is_never_an_update() -> None:
    assert "credential" not in {*CHOSEN, *CHANGING}


def test_what_is_at_the_models_own_value_is_not_sent(playground: Chat) -> None:
    assert parameters(playground) == parameters(playground, seed=0) == {"max_tokens": 1024}
    assert parameters(playground, temperature=1.2, top_p=0.5, seed=7) == {
        "max_tokens": 1024,
        "temperature": 1.2,
        "top_p": 0.5,
        "seed": 7,
    }
    # 0.6 is Llama's own, and a choice for a model of the other family.
    assert parameters(playground, model=GPT, temperature=0.6)["temperature"] == 0.6


def test_what_a_disabled_control_still_holds_is_not_sent(playground: Chat) -> None:
    held = {"reasoning_effort": "high", "stop": "END\n\n---", "system": "Be brief."}
    assert parameters(playground, **held) == {"max_tokens": 1024}
    assert parameters(playground, model=GPT, **held, temperature=1) == {
        "max_tokens": 1024,
        "reasoning_effort": "high",
        "stop": ["END", "---"],
    }
    for backend in ("neptun", "offline"):
        options, _ = asked(playground, list({**BEGUN, **held, "backend": backend, "model": ""}.values()), "c")
        assert (options.system, options.parameters) == ("", {})


def test_whoever_chooses_another_model_keeps_what_it_takes(playground: Chat) -> None:
    to_gpt = changed(playground, model=GPT, temperature=1.2, max_tokens=77)
    assert to_gpt["temperature"]["maximum"] == 2
    assert [values["value"] for values in to_gpt.values() if "value" in values] == [
        to_gpt["card"]["value"],
        to_gpt["sent"]["value"],
    ]
    assert "temperature 1&#46;2" in to_gpt["sent"]["value"]
    assert changed(playground, model=GPT)["temperature"]["value"] == 1  # its own, instead of Llama's own
    assert changed(playground, model=GPT, temperature=4)["temperature"]["value"] == 1
    assert changed(playground, model=LLAMA, reasoning_effort="high")["reasoning_effort"]["value"] == ""
    assert "value" not in changed(playground, model=GPT, reasoning_effort="high")["reasoning_effort"]


@pytest.mark.parametrize(
    ("values", "control", "reason"),
    [
        ({"model": LLAMA}, "reasoning_effort", "does not think"),
        ({"model": "glm-4.7-flash"}, "reasoning_effort", "lets nobody choose how much"),
        ({"model": GPT}, "reasoning_effort", None),
        ({"model": LLAMA}, "stop", "does not take it"),
        ({"model": GPT}, "stop", None),
        ({"backend": "neptun", "model": ""}, "seed", "ignores it"),
        ({"backend": "offline", "model": ""}, "seed", "is no model"),
    ],
)
def test_what_is_ignored_says_why(
    playground: Chat, values: dict[str, str], control: str, reason: str | None
) -> None:
    now = changed(playground, **values)[control]
    assert now["interactive"] == (reason is None)
    assert reason is None or reason in now["info"]


def test_another_back_end_brings_its_own_model(playground: Chat) -> None:
    now = changed(playground, another_backend=True, backend="neptun")
    assert now["model"]["value"] == "cloudflare/llama-3.3-70b-instruct-fp8-fast"
    assert "no parameters" in now["sent"]["value"]


def test_a_model_that_nobody_knows_is_said_at_once(playground: Chat) -> None:
    now = changed(playground, model="llama-3.3-70b<b>")
    assert "value" not in now["model"]
    assert "has no model named" in now["card"]["value"]
    assert "<b>" not in now["card"]["value"]
    assert now["sent"]["value"] == ""
    values = {**BEGUN, "model": "llama-3.3-70b"}
    assert sent_now(playground, values) == ""
    with pytest.raises(Refused):
        asked(playground, list(values.values()), "c")


def test_a_live_list_is_sorted_and_says_what_is_special(playground: Chat) -> None:
    assert model_choices(playground, "workers-ai")[0] == ("llama-3.3-70b-instruct-fp8-fast", LLAMA)
    rows = workers_ai_rows(
        {"result": [{"name": name} for name in (LLAMA, "@cf/zai-org/glm-5.3-flash", GPT, "@cf/a/B-1")]}
    )
    seen = playground.catalogue.revision
    playground.catalogue.replace("workers-ai", rows)
    assert playground.catalogue.revision == seen + 1
    assert [label for label, _ in model_choices(playground, "workers-ai")] == [
        "B-1",
        "glm-5.3-flash (reasoning, vision, paid plan)",
        "gpt-oss-20b (reasoning)",
        "llama-3.3-70b-instruct-fp8-fast",
    ]
    playground.catalogue.replace("workers-ai", rows)
    assert playground.catalogue.revision == seen + 1


def test_no_secret_of_the_host_is_in_any_update(playground: Chat) -> None:
    everything = repr([changed(playground, backend=name, model="") for name in ("neptun", "workers-ai")])
    assert not [secret for secret in HOST.values() if len(secret) > 8 and secret in everything]
