"""The card of a model: its facts, what is unknown, what will be sent; and that what others wrote is text."""

from __future__ import annotations

import re

import pytest
from conftest import model_search

from neptun_demo.catalogue import Catalogue
from neptun_demo.listings import workers_ai_rows
from neptun_demo.models import GUIDE_MODEL, NEPTUN_MODEL, Model
from neptun_demo.ui.connecting.model_card import LONGEST_DESCRIPTION, card, mark, no_card, sent

HOSTILE = """<img src=x onerror=alert(1)> **b** {{value}} ${1+1} "quoted" <script>alert(2)</script> a < b"""


def live(description: str = "", **properties: str) -> Model:
    """A model as Workers AI's list has it; values are strings, as it sends them."""
    listing = model_search("@cf/acme/new-model")
    (row,) = listing["result"]
    row["description"] = description
    row["properties"] = [{"property_id": name, "value": value} for name, value in properties.items()]
    (model,) = workers_ai_rows(listing)
    return model


def known(name: str) -> Model:
    return Catalogue().find("workers-ai", name)


def facts(html: str) -> dict[str, str]:
    return {words(name): fact for name, fact in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html)}


def words(html: str) -> str:
    """What is read; entities stand for punctuation."""
    text = re.sub(r"</?(p|div|dl|dt|dd|ul|li)\b[^>]*>", " ", html)
    return re.sub(r"&#(\d+);", lambda number: chr(int(number[1])), re.sub(r"<[^>]*>", "", text))


def fact(model: Model, name: str, catalogue: Catalogue | None = None) -> str:
    return words(facts(card(catalogue or Catalogue(), model))[name])


def test_all_that_is_known_stands_on_the_card() -> None:
    price = '[{"unit": "per M input tokens", "price": 0.1}, {"unit": "per M output tokens", "price": 2}]'
    model = live(
        "A model.",
        context_window="131072",
        price=price,
        reasoning_effort="low,high",
        vision="true",
        require_workers_paid="true",
        planned_deprecation_date="2026-12-31T00:00:00Z",
    )
    catalogue = Catalogue()
    catalogue.replace("workers-ai", [model])
    html = card(catalogue, model)
    assert "A model" in words(html)
    assert {name: words(fact) for name, fact in facts(html).items()} == {
        "Publisher": "acme",
        "Context window": "131,072 tokens",
        "Per million tokens": "$0.100 in · $2.000 out",
        "Plan": "paid",
        "Reasoning": "yes: low, high",
        "Vision": "yes",
        "Retires": "2026-12-31",
        "List": "live",
    }
    assert mark(model) == " (reasoning, vision, paid plan)"


def test_what_is_unknown_is_a_dash() -> None:
    model = live()
    for name in ("Description", "Context window", "Per million tokens", "Retires"):
        assert fact(model, name) == "–"
    assert "built in" in fact(model, "List")
    assert mark(model) == ""


def test_what_others_wrote_is_text() -> None:
    html = card(Catalogue(), live(HOSTILE))
    assert set(re.findall(r"<(\w+)", html)) <= {"div", "p", "dl", "dt", "dd", "span"}
    for sign in ("{", "$", "*", "onerror="):
        assert sign not in html
    assert "alert(2) a < b" in words(html)
    assert len(words(card(Catalogue(), live("x" * 5000)))) < LONGEST_DESCRIPTION + 300


def test_neptuns_card_says_where_it_bites() -> None:
    html = words(card(Catalogue(), NEPTUN_MODEL))
    for said in ("256 tokens", "answer in Markdown", "bare < or >", "&lt; and &gt;", "Neptun's account pays"):
        assert said in html
    assert fact(NEPTUN_MODEL, "Reasoning") == "no"  # as Workers AI says of the same model
    assert facts(card(Catalogue(), GUIDE_MODEL)) == {}


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (known("gpt-oss-20b"), {"max_tokens": 77}, "max_tokens 77"),
        (
            known("gpt-oss-20b"),
            {"max_tokens": 9, "temperature": 1.2, "seed": 7, "reasoning_effort": "low", "stop": ["a", "b"]},
            "max_tokens 9 temperature 1.2 seed 7 reasoning_effort low stop “a”, “b”",
        ),
        (NEPTUN_MODEL, {}, "no parameters; every answer ends at 256 tokens."),
        (GUIDE_MODEL, {}, "no parameters; the guide is no model."),
    ],
)
def test_the_line_about_what_is_sent(model: Model, given: dict[str, object], said: str) -> None:
    assert " ".join(words(sent(model, given, 2048)).split()) == f"Sent with the question: {said}"


def test_what_cannot_be_sent_says_why() -> None:
    assert "Not possible: seed must be between 1 and" in words(sent(known("gpt-oss-20b"), {"seed": 0}, 2048))
    with pytest.raises(Exception, match="Workers AI has no model") as unknown:
        known("gpt<b>")
    assert "<b>" not in no_card(unknown.value)
