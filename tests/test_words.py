"""The labels in two languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from neptun_demo.ui.notices import Step
from neptun_demo.ui.words import ENGLISH, GERMAN, WORDS, english, label, word

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
    assert {f"next_{step}" for step in get_args(Step)} <= ENGLISH.keys()


def test_both_languages_have_the_same_places_for_figures():
    assert {key for key, (one, other) in WORDS.items() if one.count("{}") != other.count("{}")} == set()


def test_a_word_in_html_names_its_key_and_reads_english():
    assert word("chat") == '<span class="neptun-word-chat">Chat</span>'
    assert word("waiting_since", "<b>{}</b>", "3 s") == (
        '<span class="neptun-word-waiting_since">Waiting for <span><b>{}</b></span> … <span>3 s</span></span>'
    )
    assert word("total", "1", tag="tspan") == '<tspan class="neptun-word-total">total <tspan>1</tspan></tspan>'
    assert "&#60; or &#62;" in word("escaped", "2")
    assert english("waiting_since", "it", "3 s") == "Waiting for it … 3 s"


def test_a_word_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        word("no-such-label")
