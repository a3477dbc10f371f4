"""What a text looks like to Gradio's renderer, and back; at the end the renderer itself is asked."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neptun_demo.ui.chatbot import Chatbot, Transcript
from neptun_demo.ui.display import DELIMITERS, END, GUARD, literal, shown, typed
from neptun_demo.ui.notices import Notice
from neptun_demo.ui.page import launch_arguments
from neptun_demo.ui.turn import message, notice

# What Markdown, HTML, formulas and Gradio itself make something of.
MARKS = r"""
    < <b> </b> <img/src=//e.vil/x> <form> <style>*{}</style> <script>1</script> <div/style=position:fixed>
    <!-- --> <https://a.b/c> </a> &lt; &amp; &#60; &copy; & ![a](//e.vil/i.png) ![r] [r]: [l](<//x.y>)
    [l](//x.y) ` `` ``` ```html ```mermaid ~~~ - 1. > # --- === | |-|-| * ** _ ~~ $$ $5 \( \) \[ \] \ [ ] ( )
    a x<y List<int> : " ! . %%%LATEX_BLOCK_0%%% src="/file https://www.x.y/ www.a.b a@b.c
""".split()  # noqa: SIM905 - a list of them would fill the page
SPACES = ("\n", "\n\n", " ", "    ", "\t", "\r\n", GUARD, END)
texts = st.lists(st.sampled_from(MARKS + list(SPACES)) | st.text(max_size=4), max_size=40).map("".join)


@settings(max_examples=1000)
@given(texts)
def test_the_typed_text_comes_back(text):
    assert typed(shown(text)) == text


@settings(max_examples=300)
@given(st.text())
def test_any_text_comes_back(text):
    assert typed(shown(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "a < b, i<10, x <= y, -> and =>",
        "Tom & Jerry, AT&T, a && b",
        "It costs $5 or $6.",
        "**bold**, `code`, [link](https://example.org/a?b=1&c=2), 1 * 2",
        "\tindented\n- a\n\t- b",
        "wow! [link](https://example.org/)",
        "$$ x^2 $$ and \\( y \\) and \\[ z \\]",
        "$$\n\\begin{matrix} a & b \\\\ c & d \\end{matrix}\n$$",
        "",
    ],
)
def test_a_text_without_danger_stays_as_it_is(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("<b>", f"<{GUARD}b>"),
        ("</b>", f"</{GUARD}b>"),
        ("<!-- -->", f"<{GUARD}!-- -->"),
        ("&lt;", f"&{GUARD}lt;"),
        ("&#60; &#x3C;", f"&{GUARD}#60; &{GUARD}#x3C;"),
        ("![alt](url)", f"!{GUARD}[alt](url)"),
        ("```mermaid\na-->b\n```", f"```{GUARD}mermaid\na-->b\n```"),
        ("echo $$\n\nprintf `$$`", f"echo ${GUARD}$\n\nprintf `${GUARD}$`"),
        ("sed 's/\\(a`b\\)/'", f"sed 's/\\{GUARD}(a`b\\{GUARD})/'"),
        ("<https://a.b/c>", f"<{GUARD}https://a.b/c{END}>"),
        ("https://a.b/?x=1&copy;=2", "https://a.b/?x=1&copy;=2"),
        ("%%%LATEX_BLOCK_0%%%", f"%%%{GUARD}LATEX_BLOCK_0%%%"),
        ('<img src="/file">', f'<{GUARD}img src="{GUARD}/file">'),
        (f"a{GUARD}b{END}c", f"a{GUARD}{GUARD}b{END}{END}c"),
        ("```make\nall:\n\techo\n```\n\ttext", f"```make\nall:\n{GUARD}\techo\n```\n\ttext"),
        ("- x\n  ```\n  \ty\n  ```\n\t- z", f"- x\n  ```\n  {GUARD}\ty\n  ```\n\t- z"),
    ],
)
def test_what_would_be_more_than_markdown_is_broken_in_two(text, guarded):
    assert shown(text) == guarded


def test_nothing_that_html_knows_survives_literal():
    words = literal('The far end said: <b>no</b>, **never**, $$x$$, [l](http://x) & `c`\n\n# "quoted"')
    assert not set(words) & set("<>*$[]()`\"'\n\\")
    assert words.startswith("The far end said&#58; &#60;b&#62;no")


@pytest.mark.parametrize(
    "unit", ["$$ ", "\\( ", "\\[\\\\", "](  ", "&a", "```\n\t", "<", "https://", "%%%", "a<b ", "![", "`", "\\"]
)
def test_a_long_text_costs_linear_time(unit):
    begun = time.perf_counter()
    shown(unit * 100_000)
    assert time.perf_counter() - begun < 5


# The component


def test_listeners_see_the_typed_text_and_the_browser_the_guarded_one():
    bot = Chatbot(render=False)
    said = [
        message("user", "List<int>"),
        message("assistant", "\t<b>"),
        notice(Notice(title="No.", sentences=("<b>",))),
    ]
    sent = bot.postprocess(said)
    assert [entry["content"][0]["text"] for entry in sent] == [
        f"List<{GUARD}int>",
        f"\t<{GUARD}b>",
        '<div class="neptun-notice failure"><strong>No&#46;</strong> &#60;b&#62;</div>',
    ]
    back = bot.preprocess(Transcript.model_validate(sent))
    assert [entry["content"] for entry in back] == [entry["content"] for entry in said]
    assert back[2]["metadata"] == said[2]["metadata"]
    assert bot.postprocess(back) == sent


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}},
        {"type": "component", "component": "html", "value": "x", "constructor_args": {}, "props": {}},
        {"type": "text", "text": 1},
        "bare",
    ],
)
def test_what_is_not_text_is_refused(part):
    with pytest.raises(ValidationError):
        Transcript.model_validate([{"role": "user", "content": [part]}])


def test_no_other_role_is_taken():
    with pytest.raises(ValidationError):
        Transcript.model_validate([{"role": "system", "content": [{"type": "text", "text": "x"}]}])


def test_the_browser_draws_it_as_a_chatbot():
    assert Chatbot(render=False).get_block_name() == "chatbot"


# The renderer itself

DRAWN = """() => [...document.querySelectorAll("#conversation [data-testid=bot] .md")].map((drawn) => {
  const formula = ".katex, .katex-error, .katex-display, .copy_code_button";
  const ours = (e) => !e.closest(formula) && !e.querySelector(":scope > .katex-display, :scope > .katex");
  const names = [...drawn.querySelectorAll("*")].filter(ours).map((e) => e.tagName.toLowerCase()
    + (e.hasAttribute("style") ? "[style]" : "") + (e.matches("div:not(.code_wrap)") ? "?" : ""));
  return [[...new Set(names)], drawn.textContent];
})"""
MARKDOWN = re.compile(
    "p|br|em|strong|del|code|pre|a|ul|ol|li|blockquote|h[1-6]|hr|table|thead|tbody|tr|th|td|span|div|input"
)


@pytest.fixture
def renderer() -> Iterator[tuple[str, list[str]]]:
    """A page that shows many random texts, each a message of its own; and the texts."""
    choice = random.Random(20261123)  # noqa: S311 - the same texts every time
    marks = [*MARKS, *SPACES[:6]]
    texts = ["".join(choice.choices(marks, k=choice.randint(2, 24))) for _ in range(600)]
    with gr.Blocks() as demo:
        Chatbot(
            [message("assistant", text) for text in texts],
            elem_id="conversation",
            latex_delimiters=DELIMITERS,
            allow_tags=False,
            group_consecutive_messages=False,
        )
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, **launch_arguments())
    yield url, texts
    demo.close(verbose=False)


def test_the_renderer_makes_nothing_but_markdown_of_any_text(page, renderer):
    url, texts = renderer
    page.goto(url)
    page.wait_for_function(
        f"document.querySelectorAll('#conversation [data-testid=bot]').length === {len(texts)}"
    )
    page.wait_for_function(
        "document.querySelector('#conversation [data-testid=bot]:last-child .md')?.textContent"
    )
    page.wait_for_load_state("networkidle")
    drawn = page.evaluate(DRAWN)
    assert len(drawn) == len(texts)
    for text, (names, words) in zip(texts, drawn, strict=True):
        assert all(map(MARKDOWN.fullmatch, names)), text
        assert GUARD not in words, text
        assert END not in words, text
