"""Who may, as a table; and what the host's credentials may spend."""

from __future__ import annotations

import hmac
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from neptun_demo.access import Access, Admission, Budget, Door, Gate
from neptun_demo.backends import digest
from neptun_demo.errors import OverBudget, Unauthorized, Unavailable
from neptun_demo.settings import BackendName

MADE, CONFIGURED = "pg-made-at-start-0123456789", "a-key-without-the-prefix"
COOKIE = "Fe26.2**0a1b~c_d-e*1!2"

# One credential in all the ways in which it may be shown.
CREDENTIALS: dict[str, list[str]] = {
    "none": ["", "  ", "neptun-session=", " neptun-session= ; Path=/", ";"],
    "key": [
        "{key}",
        " {key}\n",
        "neptun-session={key}",
        "Neptun-Session= {key}; Path=/",
        "neptun-session=neptun-session={key}",
        "PLAYGROUND_SESSION={key}",
        "neptun-session=PLAYGROUND_SESSION={key}",
    ],
    "wrong": [
        "pg-",
        "pg-x",
        "{key}x",
        "neptun-session=pg-{key}",
        "PG-x",
        "neptun-session=neptun-session=pg-x",
        "PLAYGROUND_SESSION=pg-x",
        "pg-ключ",
    ],
    "cookie": [COOKIE, f"neptun-session={COOKIE}", f"  NEPTUN-SESSION={COOKIE}; Path=/; HttpOnly "],
    "octets": [
        "two words",
        'a"b',
        f'"{COOKIE}"',
        "a,b",
        "a\\b",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "naïve",
        "\ud83d",
        "куки",
    ],
}

# What becomes of it: own cookie, the host's credentials, none needed, or a refusal.
#             neptun                              workers-ai                          offline
# the host:   has one           has none          has one           has none          either way
# door:       http closed open  http closed open  http closed open  http closed open  http closed/open
TABLE = """
none          401  401    host  401  401    401   401  401    host  401  400    400   401  free
key           host host   host  401  401    401   host host   host  400  400    400   free free
wrong         401  401    401   401  401    401   401  401    401   401  401    401   401  401
cookie        own  own    own   own  own    own   401  401    host  401  400    400   401  free
octets        401  401    401   401  401    401   401  401    401   401  401    401   401  401
"""
HTTP, CLOSED, OPEN = 0, 1, 2


def expected(kind: str, backend: BackendName, where: int, *, host: bool) -> str:
    row = next(line for line in TABLE.splitlines() if line.startswith(kind)).split()[1:]
    if backend == "offline":
        return row[12 + min(where, 1)]
    return row[{"neptun": 0, "workers-ai": 6}[backend] + (0 if host else 3) + where]


def became(gate: Gate, backend: BackendName, access: Access) -> str:
    try:
        admission = gate.who_may(backend, access)
    except (Unauthorized, Unavailable) as error:
        shown = access.credential.strip().rsplit("=", 1)[-1]
        return (
            f"{error.status} told the credential"
            if len(shown) > 3 and shown in error.message
            else str(error.status)
        )
    match admission:
        case Admission(cookie=None, spends=True):
            return "host"
        case Admission(cookie=None, spends=False):
            return "free"
        case Admission(cookie=cookie, spends=False) if cookie is not None:
            assert cookie.get_secret_value() == COOKIE
            assert COOKIE not in repr(admission)
            return "own"
    return repr(admission)


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_credential_is_recognised_for_what_it_is(kind: str) -> None:
    def recognised(form: str) -> str:
        try:
            shown = Gate(digest(MADE), frozenset(), open_to_visitors=False).recognise(form.format(key=MADE))
        except Unauthorized:
            return "refused"
        assert COOKIE not in repr(shown)
        return "key" if shown.is_key else "cookie" if shown.cookie else "none"

    wanted = "refused" if kind in ("wrong", "octets") else kind
    assert [recognised(form) for form in CREDENTIALS[kind]] == [wanted] * len(CREDENTIALS[kind])


DOORS: tuple[Door, ...] = ("page", "api", "http")
BACKENDS: tuple[BackendName, ...] = ("neptun", "workers-ai", "offline")


@pytest.mark.parametrize("key", [MADE, CONFIGURED])
@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("door", DOORS)
def test_who_may(door: Door, kind: str, key: str) -> None:
    seen: list[Any] = []
    wanted: list[Any] = []
    for backend, host, is_open, form in product(BACKENDS, (True, False), (True, False), CREDENTIALS[kind]):
        if key == CONFIGURED and form == "{key}x":
            continue  # without the prefix nothing tells a mistyped key from a cookie
        where = HTTP if door == "http" else OPEN if is_open else CLOSED
        gate = Gate(digest(key), frozenset({backend}) if host else frozenset(), open_to_visitors=is_open)
        case = (backend, host, is_open, form)
        seen.append((*case, became(gate, backend, Access(door, form.format(key=key)))))
        wanted.append((*case, expected(kind, backend, where, host=host)))
    assert seen == wanted


def gate(*host: BackendName, is_open: bool = False, key: str = MADE) -> Gate:
    return Gate(digest(key), frozenset(host), open_to_visitors=is_open)


def refusal(backend: BackendName, access: Access, asked: Gate) -> Unauthorized | Unavailable:
    with pytest.raises((Unauthorized, Unavailable)) as refused:
        asked.who_may(backend, access)
    return refused.value


def test_the_account_of_another_back_end_helps_nobody() -> None:
    assert refusal("neptun", Access("page", MADE), gate("workers-ai", is_open=True)).status == 401
    assert isinstance(refusal("workers-ai", Access("page", MADE), gate("neptun", is_open=True)), Unavailable)


def test_a_refusal_says_what_to_do() -> None:
    nothing = gate()
    assert "neptun-session=" in refusal("offline", Access("http"), nothing).advice
    assert "Add backend=neptun to the query" in refusal("offline", Access("http", COOKIE), nothing).advice
    assert "Add backend=neptun" in refusal("workers-ai", Access("http", COOKIE), gate("workers-ai")).advice
    assert "host has set up none" in refusal("neptun", Access("page"), nothing).sentence
    assert "host has set up none" in refusal("neptun", Access("http", MADE), nothing).sentence
    assert "own Neptun cookie" in refusal("neptun", Access("page"), gate("neptun")).advice
    assert "cookie" not in refusal("workers-ai", Access("api"), gate("workers-ai")).advice
    assert "not this playground's key" in refusal("neptun", Access("api", "pg-x"), gate("neptun")).sentence
    unavailable = refusal("workers-ai", Access("http", MADE), nothing)
    assert (unavailable.status, unavailable.status_message) == (400, "Service not available anymore.")


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[Any, Any]] = []
    real = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for shown in (MADE, "x", "x" * 10_000, "\ud83d"):
        with ExitStack() as stack:
            if shown == "\ud83d":
                stack.enter_context(pytest.raises(Unauthorized))
            gate("neptun").who_may("neptun", Access("page", shown))
    assert {(type(side), len(side)) for pair in compared for side in pair} == {(bytes, 32)}
    assert len(compared) == 4


def test_a_credential_is_not_in_what_is_shown_of_its_caller() -> None:
    assert "s3cret" not in repr(Access("page", "s3cret"))


# The budget


class Day:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 10, 5, 22, 29, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def spend(budget: Budget, times: int) -> None:
    for _ in range(times):
        with budget.slot():
            pass


def test_answers_are_counted_when_they_begin() -> None:
    budget = Budget(3, 8, Day())
    with budget.slot():
        assert budget.left == 2
    assert budget.left == 2
    with pytest.raises(RuntimeError), budget.slot():
        raise RuntimeError
    assert budget.left == 1


def test_a_day_that_is_used_up_says_until_when() -> None:
    day = Day()
    budget = Budget(2, 8, day)
    spend(budget, 2)
    with pytest.raises(OverBudget) as over, budget.slot():
        pass
    assert over.value.status == 429
    assert over.value.retry_after == 90 * 60 + 30
    assert "free again at 00:00 UTC, in 1 h 30 min" in over.value.advice
    assert "2 answers a day" in over.value.sentence
    assert budget.left == 0


def test_the_count_turns_at_midnight_utc() -> None:
    day = Day()
    budget = Budget(2, 8, day)
    spend(budget, 2)
    day.now = datetime(2026, 10, 5, 23, 59, 59, 999_999, tzinfo=UTC)
    assert budget.left == 0
    day.now += timedelta(microseconds=1)
    assert budget.left == 2
    spend(budget, 2)
    assert budget.left == 0


def test_without_a_clock_it_is_the_real_one() -> None:
    budget = Budget(1, 1)
    spend(budget, 1)
    with pytest.raises(OverBudget) as over, budget.slot():
        pass
    assert over.value.retry_after is not None
    assert 0 < over.value.retry_after <= 24 * 3600


def test_so_many_at_a_time() -> None:
    budget = Budget(100, 2, Day())
    with budget.slot():
        with budget.slot(), pytest.raises(OverBudget) as over, budget.slot():
            pass
        assert over.value.status == 429
        assert over.value.retry_after
        with budget.slot():  # one has become free
            pass
    assert budget.left == 97  # what was refused is not counted


def test_an_answer_over_midnight_still_takes_its_place() -> None:
    day = Day()
    budget = Budget(5, 1, day)
    with budget.slot():
        day.now += timedelta(hours=2)
        assert budget.left == 5
        with pytest.raises(OverBudget), budget.slot():
            pass
    spend(budget, 5)
    assert budget.left == 0


def test_a_host_may_give_nothing() -> None:
    with pytest.raises(OverBudget), Budget(0, 8, Day()).slot():
        pass
