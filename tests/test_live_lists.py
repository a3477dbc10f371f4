"""The live lists of models: how they are read, and that nothing waits for, or breaks with, one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from upstream import Play, Upstream, closes, hangs, json_answer, recording, refusing

from neptun_demo.backends import connect
from neptun_demo.backends.http import Upstream as FarEnd
from neptun_demo.backends.live_lists import AGAIN_AFTER, FRESH, LiveLists
from neptun_demo.backends.workers_ai import MOST_PAGES, WorkersAI
from neptun_demo.catalogue import Catalogue
from neptun_demo.errors import PlaygroundError
from neptun_demo.listings import neptun_rows, pages_of, workers_ai_rows
from neptun_demo.models import BUILT_IN, NEPTUN_MODEL, WORKERS_AI_MODELS, Model
from neptun_demo.settings import BackendName, Settings

ACCOUNT, TOKEN = "account-of-the-host", "token-of-the-host"
SEARCH = f"/accounts/{ACCOUNT}/ai/models/search"
NEW = "@cf/new/model-1.5"


def entry(
    name: Any = NEW, *, description: Any = "", task: Any = "Text Generation", **properties: Any
) -> dict[str, Any]:
    listed = [{"property_id": key, "value": value} for key, value in properties.items()]
    return {
        "id": "a-uuid",
        "name": name,
        "description": description,
        "task": {"name": task},
        "properties": listed,
    }


def page(*entries: Any, **info: Any) -> dict[str, Any]:
    return {"success": True, "errors": [], "result": list(entries), "result_info": info}


def model(**properties: Any) -> Model:
    (row,) = workers_ai_rows(page(entry(**properties)))
    return row


# Neptun's list


def listing() -> Any:
    return json.loads("".join(map(str, recording("get_models").chunks)))


def test_of_neptuns_list_cloudflares_models_are_offered():
    (row,) = neptun_rows(listing())
    assert row.name == NEPTUN_MODEL.name
    assert row.names == NEPTUN_MODEL.names
    assert row.row.configuration == NEPTUN_MODEL.row.configuration
    assert row.context == NEPTUN_MODEL.context


def test_a_row_that_cannot_be_read_is_left_out():
    data = listing()
    rows = data["configurations"]["cloudflare"]
    good = rows["llama-3.3-70b-instruct-fp8-fast"]
    unknown = {**good, "name": "new", "configuration": {**good["configuration"], "model": "@cf/new/new"}}
    rows |= {"a": None, "b": {**good, "name": 7}, "c": {**good, "configuration": {}}, "d": unknown}
    assert [(row.name, row.context) for row in neptun_rows(data)] == [(good["name"], 24_000), ("new", None)]


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"configurations": []}, {"configurations": {"cloudflare": None}}]
)
def test_what_is_no_list_has_no_rows(data):
    assert neptun_rows(data) == []
    assert workers_ai_rows(data) == []
    assert pages_of(data, 100) == 1


# Workers AI's list


def test_a_row_with_all_its_properties_as_strings():
    prices = [
        {"unit": "per M cached input tokens", "price": 0.05, "currency": "USD"},
        {"unit": "per M input tokens", "price": 0.5, "currency": "USD"},
        {"unit": "per M output tokens", "price": "1.5", "currency": "USD"},
    ]
    row = model(
        description="A <b>model</b>.",
        context_window="1048576",
        price=prices,
        require_workers_paid="true",
        reasoning="true",
        reasoning_effort="low, high,max",
        vision="true",
        planned_deprecation_date="2026-12-31T00:00:00Z",
        beta="true",
    )
    assert (row.backend, row.id, row.name, row.row.publisher) == ("workers-ai", NEW, "model-1.5", "new")
    assert row.row.description == "A <b>model</b>."
    assert row.row.configuration.parameters.truncate == row.context == 1_048_576
    assert (row.price_in, row.price_out) == (0.5, 1.5)
    assert (row.paid, row.reasoning, row.vision) == (True, True, True)
    assert row.efforts == ("low", "high", "max")
    assert row.retires == "2026-12-31"


def test_a_row_with_nothing_but_its_name():
    row = model()
    assert (row.id, row.context, row.price_in, row.price_out) == (NEW, None, None, None)
    assert (row.paid, row.reasoning, row.vision, row.efforts, row.retires) == (False, False, False, (), None)


@pytest.mark.parametrize("known", WORKERS_AI_MODELS, ids=lambda known: known.name)
def test_what_the_list_leaves_out_is_what_we_know(known):
    row = model(name=known.id, description=known.row.description)
    assert row == known


def test_what_the_list_says_counts_more_than_what_we_know():
    row = model(
        name="@cf/moonshotai/kimi-k2.6", context_window="7", require_workers_paid="false", vision="false"
    )
    assert (row.context, row.paid, row.vision) == (7, False, False)


def test_a_new_distilled_model_thinks_within_its_text():
    row = model(name="@cf/deepseek-ai/deepseek-r1-distill-llama-8b")
    assert (row.inline_thinking, row.reasoning) == (True, True)


@pytest.mark.parametrize(
    ("value", "efforts"),
    [
        ("low,medium", ("low", "medium")),
        (["low", "medium"], ("low", "medium")),
        ('["low", "medium"]', ("low", "medium")),
        ({"default": "low", "values": ["low", "medium"]}, ("low", "medium")),
        ('{"options": ["low", "medium"]}', ("low", "medium")),
        ({"default": "low"}, ()),
        ("high", ("high",)),
        ("true", ()),
        (True, ()),
        (None, ()),
        ([1, None, " "], ()),
    ],
)
def test_efforts_are_words_or_an_object(value, efforts):
    row = model(reasoning_effort=value)
    assert row.efforts == efforts
    assert row.reasoning == bool(efforts)


def test_one_effort_alone_does_not_take_the_known_ones_away():
    assert model(name="@cf/openai/gpt-oss-20b", reasoning_effort="medium").efforts == ("low", "medium", "high")


@pytest.mark.parametrize(
    "properties",
    [
        {"context_window": "many", "price": "free", "reasoning": "perhaps", "planned_deprecation_date": "soon"},
        {"context_window": "-1", "price": [None, {"unit": 7}, {"unit": "per M input tokens", "price": "nan"}]},
        {"context_window": "Infinity", "price": [{"unit": "per image", "price": 7}], "vision": "1"},
        {"context_window": True, "price": [{"unit": "input tokens", "price": True}], "vision": {}},
        {"context_window": "9" * 5000, "reasoning_effort": "[" * 100_000},
        {"context_window": None, "price": {}, "planned_deprecation_date": 7},
    ],
)
def test_a_property_that_cannot_be_read_is_not_known(properties):
    row = model(**properties)
    assert (row.context, row.price_in, row.price_out, row.vision, row.retires) == (
        None,
        None,
        None,
        False,
        None,
    )


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "@cf/new/model",
        {},
        {"name": None},
        entry("model"),
        entry("@cf/model"),
        entry("@cf/new/model/more"),
        entry("@cf/new/a model"),
        entry("@cf/new/model?x=1"),
        entry("@cf/../model"),
        entry(task="Text-to-Image"),
    ],
)
def test_a_malformed_entry_is_left_out(bad):
    assert [row.id for row in workers_ai_rows(page(bad, entry()))] == [NEW]


@pytest.mark.parametrize("properties", [None, 7, {"context_window": 7}, [None, 7, {}, {"property_id": 7}]])
def test_malformed_properties_are_none(properties):
    (row,) = workers_ai_rows(page({"name": NEW, "properties": properties, "description": 7}))
    assert (row.id, row.context, row.row.description) == (NEW, None, "")


@pytest.mark.parametrize(
    ("info", "pages"),
    [
        ({"total_pages": 3}, 3),
        ({"total_pages": "3"}, 3),
        ({"total_count": 100}, 1),
        ({"total_count": 101}, 2),
        ({"total_count": 101, "per_page": 50}, 3),
        ({"total_pages": None, "total_count": 250}, 3),
        ({"total_count": 0}, 1),
        ({}, 1),
    ],
)
def test_how_many_pages_there_are(info, pages):
    assert pages_of(page(**info), 100) == pages


@asynccontextmanager
async def workers_ai(url: str) -> AsyncIterator[WorkersAI]:
    backend = WorkersAI(FarEnd("Workers AI", connect_timeout=10, idle_timeout=10), url, ACCOUNT, TOKEN)
    try:
        yield backend
    finally:
        await backend.aclose()


@pytest.mark.anyio
async def test_all_pages_are_fetched(upstream):
    pages = [page(entry(f"@cf/new/model-{at}"), total_pages=3) for at in range(3)]
    upstream.plays(*map(json_answer, pages))
    async with workers_ai(upstream.url) as backend:
        rows = await backend.models()
    assert [row.name for row in rows] == ["model-0", "model-1", "model-2"]
    assert [sent.target for sent in upstream.requests] == [
        f"{SEARCH}?task=Text%20Generation&per_page=100&page={at}" for at in (1, 2, 3)
    ]
    assert {sent.method for sent in upstream.requests} == {"GET"}
    assert {sent.header("authorization") for sent in upstream.requests} == {f"Bearer {TOKEN}"}


@pytest.mark.anyio
async def test_pages_without_an_end_are_not(upstream):
    upstream.plays(json_answer(page(entry(), total_pages=10**9)))
    async with workers_ai(upstream.url) as backend:
        assert len(await backend.models()) == MOST_PAGES == len(upstream.requests)


@pytest.mark.anyio
@pytest.mark.parametrize("second", [Play(status=500), closes(), Play(chunks=("<html>",))])
async def test_a_list_without_one_of_its_pages_is_none(upstream, second):
    upstream.plays(json_answer(page(entry(), total_pages=2)), second)
    async with workers_ai(upstream.url) as backend:
        with pytest.raises(PlaygroundError):
            await backend.models()


# Keeping them


@asynccontextmanager
async def kept(
    neptun_url: str, workers_ai_url: str, **times: float
) -> AsyncIterator[tuple[Catalogue, asyncio.Task[None]]]:
    """The app's own way: settings, connections, and a task beside everything else."""
    settings = Settings.model_validate(
        {
            "neptun_base_url": neptun_url,
            "cloudflare_base_url": workers_ai_url,
            "cloudflare_account_id": ACCOUNT,
            "cloudflare_api_token": TOKEN,
        }
    )
    connections, catalogue = connect(settings), Catalogue()
    task = asyncio.create_task(LiveLists(catalogue, connections.listings, **times).keep())
    try:
        yield catalogue, task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await connections.aclose()


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not there():  # noqa: ASYNC110 - the far end's thread sets no event of this loop
            await asyncio.sleep(0.01)


async def until_live(catalogue: Catalogue, backend: BackendName) -> None:
    await until(lambda: catalogue.is_live(backend))


def fetches(far_end: Upstream) -> int:
    return sum(sent.path == SEARCH for sent in far_end.served)


@pytest.fixture
def lists(upstream: Upstream) -> Upstream:
    """One far end for both lists."""
    upstream.serves("GET", "/models", recording("get_models"))
    upstream.serves("GET", SEARCH, json_answer(page(entry())))
    return upstream


def names(catalogue: Catalogue, backend: BackendName) -> list[str]:
    return [row.name for row in catalogue.rows(backend)]


@pytest.mark.anyio
async def test_live_rows_take_the_place_of_the_built_in_ones(lists):
    async with kept(lists.url, lists.url) as (catalogue, _):
        assert catalogue.rows("workers-ai") == BUILT_IN["workers-ai"]
        await until_live(catalogue, "neptun")
        await until_live(catalogue, "workers-ai")
        assert names(catalogue, "workers-ai") == ["model-1.5"]
        assert names(catalogue, "neptun") == [NEPTUN_MODEL.name]
        assert catalogue.find("workers-ai", NEW).id == NEW
    assert (len(lists.served), lists.requests) == (2, [])


@pytest.mark.anyio
async def test_a_list_counts_for_an_hour_and_is_then_fetched_again(lists):
    assert (FRESH, AGAIN_AFTER < FRESH) == (3600, True)
    async with kept(lists.url, lists.url, fresh=0.05) as (catalogue, _):
        await until(lambda: fetches(lists) >= 3)
        lists.serves("GET", SEARCH, json_answer(page(entry("@cf/new/newer"))))
        await until(lambda: names(catalogue, "workers-ai") == ["newer"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    "failing",
    [
        Play(status=500),
        Play(status=401),
        closes(),
        json_answer(page()),
        json_answer([1]),
        json_answer({"result": 7}),
        Play(chunks=("<html>",)),
    ],
)
async def test_a_fetch_that_fails_leaves_what_is_there_and_is_tried_again(lists, failing):
    lists.serves("GET", SEARCH, failing)
    async with kept(lists.url, lists.url, again_after=0.05) as (catalogue, _):
        await until_live(catalogue, "neptun")
        await until(lambda: fetches(lists) >= 2)
        assert catalogue.rows("workers-ai") == BUILT_IN["workers-ai"]
        lists.serves("GET", SEARCH, json_answer(page(entry())))
        await until_live(catalogue, "workers-ai")


@pytest.mark.anyio
async def test_live_rows_outlive_a_later_failure(lists):
    async with kept(lists.url, lists.url, fresh=0.05, again_after=0.05) as (catalogue, _):
        await until_live(catalogue, "workers-ai")
        lists.serves("GET", SEARCH, Play(status=500))
        before = fetches(lists)
        await until(lambda: fetches(lists) >= before + 3)
        assert names(catalogue, "workers-ai") == ["model-1.5"]


@pytest.mark.anyio
async def test_one_silent_list_holds_up_nothing(lists):
    lists.serves("GET", "/models", hangs())
    async with kept(lists.url, lists.url) as (catalogue, task):
        assert catalogue.rows("neptun") == BUILT_IN["neptun"]
        await until_live(catalogue, "workers-ai")
        assert catalogue.rows("neptun") == BUILT_IN["neptun"]
        assert not task.done()


@pytest.mark.anyio
async def test_nobody_there_is_no_failure_of_the_task():
    with refusing() as nobody:
        async with kept(nobody, nobody, again_after=0.01) as (catalogue, task):
            await asyncio.wait([task], timeout=0.15)
            assert not task.done()
            assert catalogue.rows("neptun") == BUILT_IN["neptun"]


@pytest.mark.anyio
async def test_what_nobody_foresaw_ends_neither_the_task_nor_the_other_list(caplog):
    tries = []

    async def broken() -> list[Model]:
        tries.append("broken")
        raise ZeroDivisionError

    async def whole() -> list[Model]:
        return [model()]

    catalogue = Catalogue()
    lists = LiveLists(catalogue, {"neptun": broken, "workers-ai": whole}, again_after=0.01)
    task = asyncio.create_task(lists.keep())
    await until_live(catalogue, "workers-ai")
    await until(lambda: len(tries) >= 3)
    assert not task.done()
    assert catalogue.rows("neptun") == BUILT_IN["neptun"]
    assert "The live list of neptun could not be read." in caplog.text
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.anyio
async def test_a_failure_is_one_quiet_line_without_secrets(lists, caplog):
    caplog.set_level(logging.INFO)
    lists.serves("GET", SEARCH, Play(status=401, chunks=(f"no {TOKEN}",)))
    async with kept(lists.url, lists.url) as (catalogue, _):
        await until_live(catalogue, "neptun")
        await until(lambda: "No live list" in caplog.text)
    assert "No live list of models: Workers AI answered 401." in caplog.text
    assert TOKEN not in caplog.text
    assert ACCOUNT not in caplog.text
