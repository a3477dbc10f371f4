"""The views of a record: everything foreign is text, everything long is bounded, and the words are right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from neptun_demo.access import Budget, Gate
from neptun_demo.answer import Start
from neptun_demo.backends import Retry, digest
from neptun_demo.catalogue import Catalogue
from neptun_demo.chat import Chat, Options
from neptun_demo.contract import Message
from neptun_demo.errors import Cut
from neptun_demo.settings import load
from neptun_demo.snippets import LANGUAGES, TARGETS, snippet
from neptun_demo.streams import Event, Finish, Text, Thinking, Usage
from neptun_demo.ui.inspector import arrival as arriving
from neptun_demo.ui.inspector import records as bounds
from neptun_demo.ui.inspector import wire
from neptun_demo.ui.inspector.arrival import Arrival, Pause, arrival, in_words, picture
from neptun_demo.ui.inspector.code import code_view, of_record, of_transcript
from neptun_demo.ui.inspector.markup import coloured, json_or_text, laid_out, raw, seen
from neptun_demo.ui.inspector.notes import notes
from neptun_demo.ui.inspector.records import Record
from neptun_demo.ui.inspector.request import request_view
from neptun_demo.ui.inspector.saved import FORMAT, VERSION, saved
from neptun_demo.ui.inspector.wire import wire_view

HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;</details><script>alert(2)</script>\u202eevil\u2028\x00"
NEPTUN = Start(model="cloudflare/llama-3.3-70b-instruct-fp8-fast", backend="neptun")
LLAMA = Start(model="@cf/meta/llama-3.3-70b-instruct-fp8-fast", backend="workers-ai")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Story:
    """A record that is told step by step, at the seconds that the steps name."""

    def __init__(self, start: Start | None = NEPTUN, options: Options | None = None, *messages: str) -> None:
        self.clock = Clock()
        self.record = Record("0123456789ab", clock=self.clock)
        roles: tuple[Any, Any] = ("user", "assistant")
        turns = [Message(role=roles[at % 2], content=text) for at, text in enumerate(messages or ("Hi",))]
        self.record.asked(turns, options or Options(backend=start.backend if start else "neptun"))
        if start:
            self.record.event(start)

    def sent(self, body: bytes = b'{"messages": []}', **headers: str) -> Story:
        self.record.sent("POST", "https://far.end/chat?chat_id=-1", headers, body)
        return self

    def head(self, at: float, status: int = 200, **headers: str) -> Story:
        self.clock.now = at
        self.record.headers(status, headers)
        return self

    def piece(self, at: float, data: bytes, *made: Event) -> Story:
        self.clock.now = at
        self.record.piece(data)
        return self.made(at, *made)

    def made(self, at: float, *made: Event | Retry) -> Story:
        self.clock.now = at
        for event in made:
            self.record.event(event)
        return self

    def ended(self, at: float, reason: str = "stop") -> Record:
        self.clock.now = at
        self.record.event(Finish(reason))
        return self.record


class Reader(HTMLParser):
    """What a browser would make of HTML, roughly: the elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, data: str) -> None:
        self.text += data


OURS = {
    *("p", "span", "code", "bdi", "i", "pre", "button", "div", "dl", "dt", "dd", "details", "summary", "h4"),
    *("ul", "ol", "li", "svg", "title", "desc", "path", "rect", "text", "tspan"),
}


def read(html: str) -> Reader:
    reader = Reader(html)
    assert reader.open == []
    assert {tag for tag, _ in reader.elements} <= OURS
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    return reader


def both(record: Record) -> Reader:
    return read(request_view(record, notes(record, Catalogue(), 2048)) + wire_view(record))


# Foreign text


def hostile() -> Record:
    body = json.dumps({HOSTILE: [HOSTILE, 1.5, None]}).encode()
    story = Story(
        NEPTUN, Options(backend="neptun", model=HOSTILE, system=HOSTILE, parameters={"stop": HOSTILE})
    )
    story.record.asked([Message(role="user", content=HOSTILE)], story.record.options)
    story.sent(body, **{HOSTILE: HOSTILE}).head(1, 200, **{HOSTILE: HOSTILE})
    story.made(1, Retry(1, 2, HOSTILE)).sent(HOSTILE.encode() + b"\xff\xe2").head(2)
    story.piece(3, HOSTILE.encode(), Text(HOSTILE), Thinking(HOSTILE)).piece(4, b"\xf0\x9f\x98")
    return story.ended(5, HOSTILE)


def test_nothing_foreign_is_an_element():
    reader = both(hostile())
    assert reader.text.count("<img src=x onerror=alert(1)>") >= 10
    assert "\u202e" not in reader.text
    assert "\x00" not in reader.text
    assert "U+202E" in reader.text


def test_nothing_foreign_is_an_element_in_a_failure():
    record = hostile()
    record.outcome, record.failure = "failed", Cut(HOSTILE, HOSTILE)
    assert "<script>alert(2)" in both(record).text
    nothing = Story(None)
    nothing.record.failed(Cut(HOSTILE))
    assert "No request was sent. <img" in both(nothing.record).text


def test_what_is_unseen_is_named():
    assert read(seen("a\nb\tc\r\u200b\ufeff")).text == "a↵bTABcCRU+200BU+FEFF"
    assert read(laid_out("a\nb\tc\u200b")).text == "a\nb\tcU+200B"


def test_what_is_no_utf_8_is_shown_in_hexadecimal():
    assert read(raw("é".encode()[:1] + b"x")).text == "C3x"
    assert read(raw("é🔱".encode())).text == "é🔱"


def test_long_text_is_bounded_and_says_so():
    text = read(seen("<" * 50, limit=10)).text
    assert text == "<<<<<<<<<<… 40 more characters"
    assert "more characters" in read(coloured(["x" * 200_000])).text
    assert len(json_or_text(b'["' + b"x" * 250_000)) < 110_000


@pytest.mark.parametrize(
    "value",
    [
        {"a": 'q"\\', "b": [1, -2.5e10, True, None, "x: 1", {}], "": '":"'},
        {"messages": [{"role": "user", "content": 'say {"a": "b"}\n<b>'}]},
        "just text",
    ],
)
def test_colours_change_no_sign_of_json(value):
    text = read(coloured(value)).text
    assert text == json.dumps(value, indent=2, ensure_ascii=False)


def test_names_are_told_from_texts_in_json():
    html = coloured({"name": "name"})
    assert '<span class="json-name">&quot;name&quot;</span>: <span class="json-text">&quot;name&quot;' in html


# The request


def test_the_request_is_shown_line_by_line():
    record = Story().sent(b'{"messages":[]}', Cookie="neptun-session=$NEPTUN_SESSION").head(1).ended(2)
    text = read(request_view(record, [])).text
    assert "POST https://far.end/chat?chat_id=-1" in text
    assert "Cookieneptun-session=$NEPTUN_SESSION" in text
    assert '{\n  "messages": []\n}' in text  # laid out
    assert '{"messages":[]}' in text  # as it was sent
    assert "15 bytes" in text


def test_a_cut_body_says_how_much_is_kept(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_BODY_BYTES", 10)
    text = read(request_view(Story().sent(b'{"messages": []}').ended(1), [])).text
    assert "16 bytes; the first 10 bytes are kept" in text


def test_the_guide_has_no_request_but_what_it_was_asked():
    record = Story(Start(model="cloudflare/offline-guide", backend="offline")).made(1, Text("I am")).ended(2)
    text = both(record).text
    assert "No request was sent: the offline guide has no upstream." in text
    assert "Back endOffline guide" in text
    assert '"content": "Hi"' in text
    assert "these pieces are its own" in text
    assert "textI am" in text.replace(" I am", "I am")


def said(record: Record, highest: int = 2048) -> str:
    return " ".join(notes(record, Catalogue(), highest))


def test_dropped_messages_are_explained_by_the_context_window():
    start = Start(model=LLAMA.model, backend="workers-ai", dropped=3)
    words = said(Story(start, Options(backend="workers-ai", parameters={"max_tokens": 512})).ended(1))
    assert "3 earlier messages were left out: the context window of llama-3.3-70b-instruct-fp8-fast" in words
    assert "is 24,000 tokens, of which 512 are kept for the answer" in words
    assert "max_tokens was added" not in words


def test_dropped_messages_are_explained_by_truncate_where_that_is_narrower():
    start = Start(model=LLAMA.model, backend="workers-ai", dropped=1)
    words = said(Story(start, Options(backend="workers-ai", parameters={"truncate": 700})).ended(1))
    assert "1 earlier message was left out: the conversation may be 700 tokens long" in words
    assert "max_tokens was added" in words


def test_dropped_messages_of_a_model_that_is_gone_are_told_all_the_same():
    words = said(Story(Start(model="@cf/gone", backend="workers-ai", dropped=2)).ended(1))
    assert "2 earlier messages were left out: the context window holds no more." in words


def test_what_the_endpoint_does_is_explained():
    start = Start(model=NEPTUN.model, backend="neptun", escaped=12)
    words = said(Story(start, None, "a", "", "b").ended(1))
    assert "12 signs < or > were sent as &lt; and &gt;" in words
    assert "1 empty answer left out" in words
    assert "stops at 256 tokens" in words
    stored = Start(model=NEPTUN.model, backend="neptun", stored=True)
    options = Options(backend="neptun", chat_id=7, is_playground=False)
    assert "stores this chat" in said(Story(stored, options).ended(1))
    assert "sent as a temporary chat" in said(Story(NEPTUN, options).ended(1))


def test_each_new_try_is_explained():
    story = Story().sent().head(1, 503).made(1, Retry(1.5, 2, "It was busy.")).sent().head(2)
    assert "Request 1 failed, and was sent again after 1.5 s: It was busy." in said(story.ended(3))
    again = Story(LLAMA).sent().head(1).sent().head(2).ended(3)
    assert "Request 1 was answered with nothing" in said(again)
    assert "Request 2 of 2" in both(again).text
    assert "Answer to request 2 of 2" in both(again).text


# The wire


def test_each_piece_is_shown_with_its_time_and_what_was_made_of_it():
    story = Story().sent().head(0.5, 200, **{"content-type": "text/plain"})
    story.piece(0.6, b'0:"Hel').piece(0.75, b'lo"\n0:" you"\n', Text("Hello"), Text(" you"))
    story.piece(0.9, b"x", Thinking("Hm"), Usage(prompt_tokens=3, neurons=1.5))
    text = read(wire_view(story.ended(1.25))).text
    assert "200 OK" in text
    assert "head after 0.500 s" in text
    assert "content-typetext/plain" in text
    assert '0.600 s0:"Helnothing yet' in text
    assert '0.750 slo"↵0:" you"↵text Hello you' in text
    assert "thinking Hm" in text
    assert "usage prompt_tokens 3, neurons 1.5" in text
    assert "Complete after 1.250 s. Reason for the end: stop." in text
    assert "Pieces 3, 20 bytes" in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("stopped", "Stopped after 2.000 s; the connection was closed."),
        ("broken", "The app itself failed after 2.000 s"),
    ],
)
def test_every_end_is_told(outcome, words):
    story = Story().sent()
    story.clock.now = 2
    story.record.end(outcome)
    text = both(story.record).text
    assert words in text
    assert "No answer came to the request" in text


def test_a_running_answer_is_told_as_such():
    assert "still coming" in both(Story().sent().head(1).record).text


def test_a_failure_is_told_with_its_advice():
    record = Story().sent().head(1, 429).piece(1, b'{"message": "no"}').record
    record.failed(Cut("It broke.", "Try again."))
    text = both(record).text
    assert "Failed after 1.000 s. It broke. Try again." in text
    assert "429 Too Many Requests" in text


def many(count: int) -> Story:
    story = Story().sent().head(0.5)
    for number in range(count):
        story.piece(0.5 + number / 100, f'0:"{number} "\n'.encode(), Text(f"{number} "))
    return story


def test_of_2000_pieces_the_first_and_the_last_are_drawn():
    html = wire_view(many(2000).ended(30))
    text = read(html).text
    assert html.count("<li>") == wire.FIRST_SHOWN + wire.LAST_SHOWN
    assert "1,500 pieces not drawn here" in text
    assert "text 1999 " in text
    assert len(html) < 200_000


def test_pieces_that_were_only_counted_are_told(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PIECES", 2)
    text = read(wire_view(many(5).ended(30))).text
    assert "3 more pieces of 21 bytes only counted, the last after 0.540 s" in text
    assert "Pieces 5, 35 bytes" in text


# The picture


def shapes(seen: Arrival) -> ElementTree.Element:
    """The picture, which is well-formed, and all of whose places are within it."""
    drawn = picture(seen, "x")
    for number in re.findall(r'(?: x="|M)(-?[\d.]+)', drawn):
        assert 0 <= float(number) <= arriving.WIDTH
    return ElementTree.fromstring(drawn)  # noqa: S314 - it is ours


def test_one_piece():
    record = Story().sent().head(0.9).piece(1, b'0:"Hi"\n', Text("Hi")).ended(1.1)
    drawn = arrival(record)
    assert in_words(drawn) == (
        "The first text came after 1.00 s, the last after 1.00 s, in 1 piece."
        " It never paused for long. It ended after 1.10 s."
    )
    svg = shapes(drawn)
    assert svg.get("role") == "img"
    labels = ["".join(text.itertext()) for text in svg.iter("text")]
    assert labels == ["first text 1.00 s", "0 s", "1.10 s"]
    named = {element.get("id"): element.text for element in svg if element.get("id")}
    assert [named[name] for name in svg.get("aria-labelledby", "").split()] == [
        "How the text arrived",
        in_words(drawn),
    ]


def test_pauses_are_shaded_and_told():
    times = [0.5, 0.6, 0.7, 0.8, 3.8, 3.9, 4.0]
    seen = Arrival(times, [], 6)
    assert seen.pauses() == [Pause(0.8, 3.8), Pause(4.0, 6)]
    assert "From 0.80 s on it paused for 3.00 s. From 4.00 s on it paused for 2.00 s." in in_words(seen)
    svg = shapes(seen)
    assert [rect.get("class") for rect in svg.iter("rect")] == ["pause", "pause", "wait"]
    assert "3.00 s" in [text.text for text in svg.iter("text")]


def test_an_even_answer_has_no_pauses():
    assert Arrival([at / 10 for at in range(5, 50)], [], 5).pauses() == []
    # Slow, but even.
    assert Arrival([1.0, 2.0, 3.0, 4.0, 5.0], [], 5.2).pauses() == []


def test_2000_pieces_are_a_few_shapes():
    drawn = picture(arrival(many(2000).ended(30)), "x")
    assert drawn.count("<path") <= 4
    assert len(drawn) < 5000
    at_random = Arrival([at * 1.7 % 20 for at in range(2000)], [at * 1.3 % 20 for at in range(2000)], 20)
    assert len(picture(Arrival(sorted(at_random.text), sorted(at_random.thinking), 20), "x")) < 9000


def test_thinking_has_a_tone_of_its_own():
    seen = Arrival([3.0], [1.0, 2.0], 4.0)
    assert in_words(seen).startswith("Thinking came from 1.00 s to 2.00 s. The first text came after 3.00 s")
    assert [path.get("class") for path in shapes(seen).iter("path")] == ["axis", "thinking", "text", "first"]
    assert "No text followed." in in_words(Arrival([], [1.0], 2.0))
    shapes(Arrival([], [1.0], 2.0))


def test_no_text_is_no_picture():
    record = Story().sent().head(1, 500).piece(1, b"{}").record
    record.failed(Cut("It broke."))
    assert in_words(arrival(record)) == "No text arrived in 1.00 s."
    assert "<svg" not in wire_view(record)
    shapes(arrival(record))
    shapes(Arrival([0.0], [], 0.0))


# The code


@pytest.fixture(scope="module")
def chat() -> Chat:
    settings = load({"PLAYGROUND_MAX_TOKENS": "2048", "NEPTUN_BASE_URL": "https://neptun.test"})
    gate = Gate(digest("pg-key-of-the-tests-0123456789"), frozenset(), open_to_visitors=False)
    return Chat(settings, Catalogue(), {}, gate, Budget(1, 1))


def test_the_code_asks_what_was_asked(chat):
    start = Start(model=LLAMA.model, backend="workers-ai", dropped=2)
    options = Options(backend="workers-ai", system="Be kind.", parameters={"temperature": 0.5, "top_p": None})
    asked = of_record(Story(start, options, "old", "old", "Hi").ended(1), chat, "https://play.test/below/")
    assert [message.content for message in asked.messages] == ["Hi"]  # what was left out is left out
    assert asked.parameters == {"max_tokens": 1024, "temperature": 0.5}
    assert (asked.model.id, asked.system, asked.playground) == (
        LLAMA.model,
        "Be kind.",
        "https://play.test/below",
    )
    assert asked.upstream == "https://api.cloudflare.com/client/v4"


def test_the_code_for_a_question_that_was_refused(chat):
    record = Story(None, Options(backend="neptun", system="Be kind."), "Hi").record
    record.failed(Cut("No."))
    asked = of_record(record, chat, "javascript:alert(1)")
    assert asked.model.backend == "neptun"
    assert asked.playground == "http://127.0.0.1:7860"
    assert asked.upstream == "https://neptun.test"
    assert of_record(Story(None, Options(backend="neptun", model="gone")).record, chat, "") is None


@pytest.mark.parametrize(("stored", "temporary"), [(True, False), (False, True)])
def test_the_code_says_whether_the_chat_was_temporary(chat, stored, temporary):
    start = Start(model=NEPTUN.model, backend="neptun", stored=stored)
    options = Options(backend="neptun", chat_id=7, is_playground=False)
    assert of_record(Story(start, options).ended(1), chat, "").temporary is temporary


def transcript(*answers: str) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    for number, answer in enumerate(answers):
        facts = {"backend": "neptun", "model": NEPTUN.model}
        said += [
            {"role": "user", "content": f"q{number}"},
            {"role": "assistant", "content": f"a{number}"},
            {
                "role": "assistant",
                "content": "",
                "metadata": {"id": "numbers", "answer": answer, "facts": facts},
            },
        ]
    return said


def test_code_is_made_from_a_conversation_that_was_kept(chat):
    asked = of_transcript(transcript("one", "two", "three"), "two", chat, "https://play.test", Options())
    assert [message.content for message in asked.messages] == ["q0", "a0", "q1"]
    assert asked.model.backend == "neptun"
    assert of_transcript(transcript("one"), "two", chat, "", Options()) is None
    assert of_transcript([], "two", chat, "", Options()) is None
    gone = transcript("one")
    gone[2]["metadata"]["facts"]["model"] = "gone"
    assert of_transcript(gone, "one", chat, "", Options()) is None


def test_such_code_has_the_settings_as_they_stand_if_they_are_for_its_back_end(chat):
    kept = transcript("one")
    stored = Options(backend="neptun", chat_id=7, is_playground=False)
    asked = of_transcript(kept, "one", chat, "", stored)
    assert (asked.chat_id, asked.temporary) == (7, False)
    tuned = Options(backend="workers-ai", system="Be brief.", parameters={"max_tokens": 77}, chat_id=7)
    asked = of_transcript(kept, "one", chat, "", tuned)
    assert (asked.system, asked.chat_id, asked.temporary) == ("", -1, True)
    kept[2]["metadata"]["facts"] = {"backend": "workers-ai", "model": LLAMA.model}
    asked = of_transcript(kept, "one", chat, "", tuned)
    assert (asked.system, asked.parameters) == ("Be brief.", {"max_tokens": 77})


def test_the_code_is_text_and_whole(chat):
    record = Story(NEPTUN, None, HOSTILE + "x" * 150_000).ended(1)
    asked = of_record(record, chat, "")
    for language in LANGUAGES:
        for target in TARGETS:
            reader = read(code_view(asked, language, target, HOSTILE))
            assert snippet(language, target, asked).replace("\u202e", "U+202E") in reader.text
    assert "Copy cURL code" in read(code_view(asked, "unknown", "unknown")).text


# The file


def test_the_saved_record_has_everything():
    record = json.loads(saved(hostile()))
    assert (record["format"], record["version"]) == (FORMAT, VERSION)
    first, second = record["requests"]
    assert first["retry"] == {"seconds": 1, "reason": HOSTILE}
    assert first["headers"] == {HOSTILE: HOSTILE}
    assert second["body"].keys() == {"base64"}
    assert second["answer"] == {"at": 2, "status": 200, "headers": {}}
    pieces = second["pieces"]["kept"]
    assert pieces[0] == {
        "at": 3,
        "text": HOSTILE,
        "made": [{"type": "text", "text": HOSTILE}, {"type": "thinking", "text": HOSTILE}],
    }
    assert pieces[1] == {"at": 4, "base64": "8J+Y", "made": []}
    assert record["asked"]["messages"] == [{"role": "user", "content": HOSTILE}]
    assert record["accepted"]["backend"] == "neptun"
    assert record["outcome"] == "complete"
    assert record["finish"]["reason"] == HOSTILE
    assert record["ended"] == 5


def test_the_saved_record_can_be_written_to_a_file():
    story = Story(NEPTUN, Options(system="half \ud83d"))
    written = saved(story.ended(1))
    assert json.loads(written.encode().decode())["asked"]["system"] == "half \ud83d"


def test_the_saved_record_says_what_was_not_kept(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PIECES", 2)
    pieces = json.loads(saved(many(5).ended(1)))["requests"][0]["pieces"]
    assert len(pieces["kept"]) == 2
    assert pieces["not_kept"] == {"pieces": 3, "bytes": 21}
