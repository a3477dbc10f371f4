"""The labels in two languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neptun_demo.ui.notices import STEPS
from neptun_demo.ui.words import ENGLISH, GERMAN, WORDS, label

ROOT = Path(__file__).parents[1]


def test_every_label_is_there_in_both_languages():
    assert ENGLISH.keys() == GERMAN.keys()
    assert all(english and german for english, german in WORDS.values())


def test_a_label_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        label("no-such-label")


def test_every_word_that_the_scripts_ask_for_is_there():
    asked = {
        key
        for script in (ROOT / "assets").glob("*.js")
        for key in re.findall(r'\bword\("(\w+)"', script.read_text(encoding="utf-8"))
    }
    assert asked
    assert asked <= WORDS.keys()


def test_every_next_step_has_its_word():
    assert {f"next_{step}": words for step, words in STEPS.items()}.items() <= ENGLISH.items()
