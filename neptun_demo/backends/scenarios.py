"""What the offline guide plays on request (`/demo cut`): answers and failures, without a far end.

A scenario is a generator that yields the events of an answer and raises the errors of one, as the real
back ends do; what it waits for, it yields as a `Pause`. It has no clock, so that a test can play it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from neptun_demo.errors import Cut, EmptyAnswer, Rejected, Reported, TimedOut
from neptun_demo.streams import Event, Finish, Text, Thinking, Usage

from .handbook import sections
from .protocol import Retry

READING_PACE = 1 / 70
"""Seconds for a word: faster than anybody reads, slow enough to be seen coming."""

# Tokens of /demo long, and seconds for each of them.
LONG, MODEL_PACE = 2_000, 1 / 200


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing comes for so many *seconds*."""

    seconds: float


Step = Event | Retry | Pause


@dataclass(frozen=True, slots=True)
class Scenario:
    """What it shows, in a few words, and how it goes."""

    shows: str
    play: Callable[[], Iterator[Step]]


def scenario(message: str) -> Iterator[Step] | None:
    """What *message* asks to be played: a scenario, or the list of them; `None` if it is a question."""
    asked = re.fullmatch(r"/demos?(?:\s+(.*))?", message.strip(), re.IGNORECASE | re.DOTALL)
    if asked is None:
        return None
    name = " ".join((asked[1] or "").lower().split())
    if name in SCENARIOS:
        return SCENARIOS[name].play()
    return read_out(_listing(name))


def read_out(text: str, pace: float = READING_PACE) -> Iterator[Step]:
    """A whole answer: *text*, and its end."""
    yield from spoken(text, pace)
    yield Finish("stop")


def spoken(text: str, pace: float = READING_PACE) -> Iterator[Step]:
    """*text* word for word, each with the white space behind it and a pause of *pace* seconds."""
    for word in re.findall(r"\s*\S+\s*|\s+", text):
        yield Text(word)
        yield Pause(pace)


def tokens(text: str) -> list[str]:
    """*text* in pieces about as long as those of a model."""
    return re.findall(r"\s*(?:\w{1,5}|[^\w\s])|\s+", text)


def _listing(name: str) -> str:
    head = f"There is no scenario of the name {_quoted(name)}. These there are:" if name else "I can play:"
    rows = "\n".join(f"- `/demo {name}` – {one.shows}" for name, one in SCENARIOS.items())
    return f"{head}\n\n{rows}"


def _quoted(name: str) -> str:
    """What the visitor typed, short, and as text whatever it holds."""
    return f"`{' '.join(name.replace('`', ' ').split())[:40]}`"


MARKDOWN = r"""
# Markdown, as a model may write it

This is `/demo markdown`: **bold**, *italics*, ~~struck out~~, `code in a line`, a [link](https://example.com/).

Letters of all sorts: naïve café, Ελλάδα, 日本語, עברית, 🙂 👩‍👩‍👧.

## Lists

1. First
2. Second
   - a point below it
   - another, with `code`
3. Third

- [x] done
- [ ] not done

## A table

| model | context | price in | price out |
|:--|--:|--:|--:|
| small | 60,000 | $0.027 | $0.201 |
| large | 131,000 | $0.270 | $0.850 |

A price is no formula: one costs $5, the other $10 to $20.

## Code

```python
def fibonacci(count: int) -> list[int]:
    numbers = [0, 1]
    while len(numbers) < count:  # four spaces deep
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:count]
```

Here the lines begin with tabs:

```makefile
test: install
	@echo "running"
	python -m pytest -q
```

## A quotation

> What comes from a model is text.
>
> – the handbook

## A formula

In a line \(a^2 + b^2 = c^2\), and by itself:

$$
\int_0^1 x^2 \, dx = \frac{1}{3}
$$

## What stays text

Raw HTML is shown as it was written: <b>not bold</b>, <button onclick="alert(1)">none</button>, a < b, x -> y.

An image is a link: ![a picture](https://example.com/picture.png).

---

That was all of it.
"""


def _markdown() -> Iterator[Step]:
    yield from read_out(MARKDOWN.strip() + "\n")


def _long() -> Iterator[Step]:
    yield from spoken("This is `/demo long`: pages of the handbook, one behind the other.\n\n")
    said = 0
    for section in sections():
        if said >= LONG:
            break
        for token in tokens(f"### {section.title}\n\n{section.text}\n\n"):
            yield Text(token)
            yield Pause(MODEL_PACE)
            said += 1
    yield from read_out(f"That was the end of `/demo long`: {said:,} pieces, {1 / MODEL_PACE:.0f} a second.")


def _slow() -> Iterator[Step]:
    yield Pause(8)
    yield from spoken("This is `/demo slow`. Before the first word there was a silence of eight seconds. ", 0.3)
    yield Pause(2)
    yield from spoken("The words come slowly, ", 0.3)
    yield Pause(3)
    yield from read_out("and now and then with a pause, as from a busy model. Stop works at any time.", 0.3)


def _thinking() -> Iterator[Step]:
    thought = (
        "The visitor wants to see thinking. A sum will do: 17 times 24.\n"
        "17 times 20 is 340, and 17 times 4 is 68. Together that is 408.\n"
        "Check: 24 times 17 is 240 and 168, which is 408 too."
    )
    for token in tokens(thought):
        yield Thinking(token)
        yield Pause(0.04)
    yield from spoken(
        "17 × 24 = **408**.\n\nThis is `/demo thinking`: nobody thought. The thinking was written beforehand,"
        " and so were the numbers of tokens under this answer, which are made up."
    )
    yield Usage(prompt_tokens=19, completion_tokens=154, cached_tokens=0, neurons=1.62)
    yield Finish("stop")


def _length() -> Iterator[Step]:
    yield from spoken(
        "This is `/demo length`. The cap of tokens is reached here, in the middle of a sentence that would"
        " have gone on to say"
    )
    yield Finish("length")


def _retry() -> Iterator[Step]:
    yield Retry(seconds=3, attempt=2, reason="The far end has no capacity (a demo).")
    yield Pause(3)
    yield from read_out("This is `/demo retry`. The first try failed, and this is the second one.")


def _cut() -> Iterator[Step]:
    yield from spoken("This is `/demo cut`. The connection will be lost before this sentence has come to")
    raise Cut(
        "The far end broke the answer off before its end (a demo).",
        "The text so far is kept. Go on with it, or try again.",
    )


def _silence() -> Iterator[Step]:
    yield from spoken("This is `/demo silence`. After these words nothing more comes, until the time limit")
    yield Pause(6)
    raise TimedOut(
        "The far end fell silent: nothing came within the time limit (a demo).",
        "The text so far is kept. Try again; if it stays silent, the model behind it has failed.",
    )


def _empty() -> Iterator[Step]:
    yield Pause(1)
    raise EmptyAnswer("The far end ended its answer without any text (a demo).", "Try again.")


def _error() -> Iterator[Step]:
    yield Pause(1)
    raise Rejected("The far end is not available (503; a demo).", "Wait a moment and try again.", status=503)


def _late_error() -> Iterator[Step]:
    yield from spoken("This is `/demo error late`. Now that some text is there, the far end reports")
    words = "internal error"
    raise Reported(
        f"The far end reported an error in the middle of its answer: {words} (a demo).",
        "The text so far is kept. Try again.",
        words=words,
    )


def _quota() -> Iterator[Step]:
    yield Pause(0.5)
    raise Rejected(
        "The host's daily free allocation at Cloudflare is used up (429, code 4006; a demo).",
        "It is free again at 00:00 UTC. Until then choose another back end.",
        status=429,
        code=4006,
    )


def _unauthorized() -> Iterator[Step]:
    yield Pause(0.5)
    raise Rejected(
        "The Neptun endpoint does not accept this session (401; a demo).",
        "Log in to Neptun again and copy the new value of the neptun-session cookie.",
        status=401,
    )


SCENARIOS: Mapping[str, Scenario] = {
    "markdown": Scenario("headings, lists, a table, code, formulas", _markdown),
    "long": Scenario("about 2,000 tokens, 200 a second", _long),
    "slow": Scenario("a long silence, then slow text", _slow),
    "thinking": Scenario("thinking before the answer, and made-up numbers after it", _thinking),
    "length": Scenario("an answer that ends at its cap of tokens", _length),
    "retry": Scenario("a wait before the second try", _retry),
    "cut": Scenario("an answer that breaks off", _cut),
    "silence": Scenario("an answer that falls silent until the time limit ends it", _silence),
    "empty": Scenario("an answer without text", _empty),
    "error": Scenario("a failure before the first word", _error),
    "error late": Scenario("a failure reported in the middle", _late_error),
    "quota": Scenario("the day's quota is used up", _quota),
    "unauthorized": Scenario("a session that is not accepted", _unauthorized),
}
