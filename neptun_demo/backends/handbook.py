"""The handbook, and the finding of its best section.

A section is found by its title, its text, and the ways in which people ask for it (`asked`, a comment in
`handbook.md`). Two things make its score: BM25 over the words that mean something, in which the title
weighs most, and how near the question comes to one of the ways of asking as a whole. Words that mean the
same count as one (`SAME`), and a word that the handbook lacks is taken for the one that it resembles.
Nothing here is random: the same question finds the same sections.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

HANDBOOK = Path(__file__).with_name("handbook.md")

# BM25: how fast a repeated word stops counting, and how much a section pays for its length.
SATURATION, LENGTH = 1.4, 0.5
TITLE_WEIGHT, ASKED_WEIGHT = 4.0, 2.5
# What a question that is word for word one of the ways of asking adds to the score.
LIKENESS_WEIGHT = 8.0
# A word without a meaning of its own ("how", "is") still tells one way of asking from another.
STOP_WEIGHT = 0.2
# What the turn before weighs against the question itself.
BEFORE_WEIGHT = 0.4
# A word that the handbook has only in another spelling may well be another word.
RESEMBLING_WEIGHT = 0.6
# What a word that the handbook lacks weighs in `Found.share`: less than a rare one that it has, for most
# of them are figures of speech.
UNKNOWN_WEIGHT = 2.5
# Characters of a question that are looked up: a page of source code may not hold up everybody else.
LONGEST = 600

_STOP_WORDS = """
    a about actually after again all also always am an and another any anyone anything anywhere are
    aren as at be because been before being best better between but by bye can cannot cant cheers could
    couldn d detail details did didn do does doesn doesnt doing don done dont elaborate else ever every
    explain few for from get gets getting give go good got had hallo has have having he hello her here hey
    hi him his how i if im in instead into is isn isnt it its ive just kind know let like ll lot m made make
    makes many may maybe me mean means might mine moin more morning most much must my need no not now of off
    often ok okay old on once one only or other our out over own per please possible re really right s same
    say says see seem shall she should show so some somehow something sort still such sure t tell than thank
    thanks that thats the their them then there these they thing things this those through thx to too under
    until up us use used uses using ve very via want was way ways we well were what whats when where whether
    which while who whom whose why will with without won wont would yes yet you your yours yourself
"""
STOP = frozenset(_STOP_WORDS.split())

# Several words that are one name, and signs that are words: applied to lower-case text before it is cut.
PHRASES = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"'s\b", ""),
        (r"<|\bless[ -]than\b", " lessthan "),
        (r">|\bgreater[ -]than\b", " greaterthan "),
        (r"\b0:", " zeroprefix "),
        (r"\bback[ -]ends?\b", "backend"),
        (r"\b(log|sign)(g?ed|g?ing)?[ -]?in\b", "login"),
        (r"\bset[ -]?up\b", "setup"),
        (r"\bhugging ?face\b", "huggingface"),
        (r"\btime[ds]?[ -]?outs?\b", "timeout"),
        (r"\bdev(eloper)?[ -]?tools\b", "devtools"),
        (r"\bchat[ _-]?ids?\b", "chat_id"),
        (r"\baccount[ _-]?ids?\b", "account_id"),
        (r"\bapi[ _-]?(key|token)s?\b", "apitoken token"),
        (r"\brate[ -]?limit(s|ed|ing)?\b", "ratelimit"),
        (r"\bcommand[ -]?line\b", "terminal"),
        (r"\bgradio[ _-]client\b", "gradio_client"),
        (r"\bis[ _]playground\b", "is_playground"),
        (r"\bfinish[ _]reason\b", "finish_reason"),
        (r"\bmax(imum)?[ _]tokens?\b", "max_tokens"),
    )
)

# Words that the handbook's own word, on the left, stands for.
_SYNONYMS = """
    cookie: session
    login: auth authenticate authentication
    silence: hang hung stuck freeze frozen silent unresponsive
    cut: incomplete unfinished half partial abort aborted interrupted mid middle
    empty: blank nothing
    javascript: js ts typescript node nodejs react vue svelte frontend
    huggingface: hf space
    cost: cheap cheaper cheapest expensive price pricing money bill pay
    error: problem fail failure bug issue broken broke crash trouble
    privacy: private gdpr
    setting: configure configuration config env environment variable option
    short: shorter brief
    parameter: param sampling
    image: img photo picture
    terminal: shell bash console powershell
    invalid: incorrect
    speed: fast slow rate
    log: track tracking
    store: kept keep save saved
    thinking: think reason reasoning thought
    large: big long larger bigger longer huge
    answer: reply response
    host: deploy hosting
    visitor: people stranger
    unauthorized: unauthorised unauthenticated
    app: program application website site
    writing: write wrote
    forget: forgot forgotten lost lose
    automation: automate automated automatic automatically
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A title, a text in Markdown, and the ways in which people ask for it (never shown)."""

    title: str
    text: str
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A section that has to do with a question.

    *score* compares it with the others; *share* (0 to 1) is how much of the question it has at all.
    """

    section: Section
    score: float
    share: float


class Handbook:
    """Sections, and an index over their words."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self.sections = tuple(sections)
        self._counts = [_counts(section) for section in self.sections]
        self._asked = [
            [_likeness_terms(way) for way in (section.title, *section.asked)] for section in self.sections
        ]
        self._weights = _rarity(self._counts)
        lengths = [sum(counts.values()) for counts in self._counts]
        average = sum(lengths) / len(lengths)
        self._damping = [SATURATION * (1 - LENGTH + LENGTH * length / average) for length in lengths]

    def find(self, question: str, before: str = "") -> list[Found]:
        """The sections that have to do with *question*, best first.

        *before* is what was asked one turn earlier: it only helps to choose, so that "and with Python?"
        stays with its topic. Of a text that is longer than any question only the beginning is read.
        """
        fits = zip(self.sections, self._fits(question), self._fits(before), strict=True)
        found = [
            Found(section, score + BEFORE_WEIGHT * topic, share)
            for section, (score, share), (topic, _) in fits
            if share > 0
        ]
        return sorted(found, key=lambda one: -one.score)

    def _fits(self, text: str) -> list[tuple[float, float]]:
        """How well each section fits *text*: its score, and the share of *text* that it has."""
        terms, whole = self._terms(text[:LONGEST]), _likeness_terms(text[:LONGEST])
        return [self._fit(place, terms, whole) for place in range(len(self.sections))]

    def _fit(self, place: int, terms: Mapping[str, float], whole: Mapping[str, float]) -> tuple[float, float]:
        gained = sum(weight * self._gain(term, place) for term, weight in terms.items())
        like = max(_likeness(whole, way) for way in self._asked[place]) ** 2
        total = sum(self._weights.get(term, UNKNOWN_WEIGHT) for term in terms)
        had = sum(weight * self._weights[term] for term, weight in terms.items() if term in self._counts[place])
        return gained + LIKENESS_WEIGHT * like, max(had / total if total else 0.0, like)

    def _gain(self, term: str, place: int) -> float:
        """What *term* adds to the score of the section at *place* (BM25)."""
        count = self._counts[place].get(term, 0.0)
        return self._weights.get(term, 0.0) * count * (SATURATION + 1) / (count + self._damping[place])

    def _terms(self, text: str) -> dict[str, float]:
        """The terms of *text* with their weights, each unknown one as what it resembles, if anything."""
        terms: dict[str, float] = {}
        for term in words(text):
            if term in self._weights:
                terms[term] = 1.0
            else:
                terms.setdefault(self._resembling(term) or term, RESEMBLING_WEIGHT)
        return terms

    def _resembling(self, term: str) -> str | None:
        if len(term) < 4 or term.isdigit():  # too short to tell a typo from another word
            return None
        same_start = [known for known in self._weights if known[0] == term[0]]
        close = difflib.get_close_matches(term, same_start, n=1, cutoff=0.8)
        return close[0] if close else None


def words(text: str) -> list[str]:
    """The words of *text* that mean something, as stems, in order."""
    return [_one(word) for word in _cut(text) if _means(word)]


# The handbook has some 1,400 words, most of them many times: without this the index takes half as long again.
@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """*word* without the commonest English endings: enough to bring "retries" and "retry" together."""
    if len(word) <= 3 or not word.isalpha():
        return word
    word = word.removesuffix("s")
    if shorter := re.fullmatch(r"(\w*[aeiouy]\w+?)(ing|ed)", word):
        word = re.sub(r"([bdgmnprt])\1$", r"\1", shorter[1])  # "stopped", "settings"
    return re.sub(r"(?<![aeiou])y$", "i", word.removesuffix("e"))  # "retries", "retry", "cookie"


def _cut(text: str) -> list[str]:
    text = text.lower().replace("’", "'")
    for pattern, word in PHRASES:
        text = pattern.sub(word, text)
    return re.findall(r"\w+", text)


def _means(word: str) -> bool:
    return len(word) > 1 and word not in STOP


def _one(word: str) -> str:
    """The stem that stands for *word* and for what means the same."""
    return SAME.get(stem(word), stem(word))


def _synonyms(table: str) -> Iterator[tuple[str, str]]:
    for line in table.strip().splitlines():
        word, _, others = line.strip().partition(": ")
        yield from ((stem(other), stem(word)) for other in others.split())


SAME = dict(_synonyms(_SYNONYMS))


def _counts(section: Section) -> dict[str, float]:
    """How often each term occurs in *section*, a title or a way of asking counting more than the text."""
    counts = {term: float(count) for term, count in Counter(words(section.text)).items()}
    for text, weight in ((section.title, TITLE_WEIGHT), (" ".join(section.asked), ASKED_WEIGHT)):
        for term in set(words(text)):
            counts[term] = counts.get(term, 0.0) + weight
    return counts


def _rarity(counts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What each term weighs: the fewer sections have it, the more (BM25's inverse document frequency)."""
    having = Counter(term for one in counts for term in one)
    return {term: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for term, n in having.items()}


def _likeness_terms(text: str) -> dict[str, float]:
    return {_one(word): 1.0 if _means(word) else STOP_WEIGHT for word in _cut(text)}


def _likeness(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """How much two questions have in common (Dice's coefficient): 0 nothing, 1 all."""
    shared = sum(weight for term, weight in one.items() if term in other)
    total = sum(one.values()) + sum(other.values())
    return 2 * shared / total if total else 0.0


def sections(path: Path = HANDBOOK) -> Iterator[Section]:
    """The sections of the file *path*: each `## Title`, a comment `<!-- asked: …; … -->`, the text."""
    for part in re.split(r"^## ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        comment = re.match(r"<!-- asked: (.*) -->\n", rest)
        asked = tuple(comment[1].split("; ")) if comment else ()
        yield Section(title.strip(), rest[comment.end() if comment else 0 :].strip(), asked)
