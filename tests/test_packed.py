"""How the page's files travel. What the whole app makes of it stands in `test_guard.py`."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest

from neptun_demo.ahead import links
from neptun_demo.packed import Packed

pytestmark = pytest.mark.anyio

SCRIPT = b"console.log(1);" * 100


class Site:
    """An application that counts what it is asked, and packs by itself as Gradio does."""

    def __init__(self, status: int = 200, *, breaks: bool = False) -> None:
        self.asked: list[str] = []
        self._status = status
        self._breaks = breaks

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        self.asked.append(scope["path"])
        takes = dict(scope["headers"]).get(b"accept-encoding", b"")
        packed = b"gzip" in takes and scope["path"].startswith("/assets")
        body = gzip.compress(SCRIPT) if packed else SCRIPT
        headers = [(b"content-type", b"text/javascript"), *([(b"content-encoding", b"gzip")] if packed else [])]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:10], "more_body": True})
        if self._breaks:
            raise ConnectionResetError("the disk is gone")
        await send({"type": "http.response.body", "body": body[10:], "more_body": False})


class Front:
    """Stands in front, as the guard does, and adds a header to whatever passes."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-front", b"1"))
            await send(message)

        await self._app(scope, receive, sending)


def client(site: Any, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=Front(Packed(site, **options)), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def test_a_script_of_the_page_s_own_names_its_origin_and_is_kept_all_the_same():
    site = Site()
    async with client(site) as browser:
        for _ in range(2):
            answer = await browser.get("/assets/a.js", headers={"Origin": "http://127.0.0.1"})
            assert answer.content == SCRIPT
    assert site.asked == ["/assets/a.js"]


@pytest.mark.parametrize("path", ["/assets/index-abc.js", "/static/fonts/a.woff2"])
async def test_a_file_is_asked_for_once_and_given_as_it_was(path):
    site = Site()
    async with client(site) as browser:
        first, *others = [await browser.get(path) for _ in range(3)]
    assert site.asked == [path]
    for other in others:
        assert other.content == first.content == SCRIPT
        assert {**other.headers, "content-length": ""} == {**first.headers, "content-length": ""}
        assert other.headers.get_list("x-front") == ["1"]


async def test_who_takes_it_otherwise_gets_it_otherwise():
    site = Site()
    async with client(site) as browser:
        for takes in ("gzip", "identity", "gzip", "identity"):
            answer = await browser.get("/assets/a.js", headers={"Accept-Encoding": takes})
            assert answer.content == SCRIPT
            assert answer.headers.get("content-encoding", "identity") == takes
    assert len(site.asked) == 2


async def test_what_is_named_by_its_content_need_not_be_asked_for_again():
    async with client(Site()) as browser:
        for _ in range(2):
            assert "immutable" in (await browser.get("/assets/a-1f2e.js")).headers["cache-control"]
            assert "cache-control" not in (await browser.get("/static/a.woff2")).headers


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/gradio_api/queue/data", {}),
        ("GET", "/theme.css", {}),
        ("HEAD", "/assets/a.js", {}),
        ("POST", "/assets/a.js", {}),
        ("GET", "/assets/a.js", {"Range": "bytes=0-9"}),
        ("GET", "/assets/a.js", {"If-None-Match": '"x"'}),
        ("GET", "/assets/a.js", {"Origin": "https://where-it-is-embedded.example"}),
    ],
)
async def test_nothing_else_is_kept(method, path, headers):
    site = Site()
    async with client(site) as browser:
        for _ in range(2):
            await browser.request(method, path, headers=headers)
    assert len(site.asked) == 2


@pytest.mark.parametrize(
    ("site", "room"),
    [(Site(404), 10_000), (Site(breaks=True), 10_000), (Site(), 10)],
    ids=["no file", "cut", "no room"],
)
async def test_what_is_not_a_whole_file_or_has_no_room_is_not_kept(site, room):
    async with client(site, room=room) as browser:
        for _ in range(2):
            await browser.get("/static/a.js")
    assert len(site.asked) == 2


class Pages(Site):
    """Gives pages in pieces, the end of the head between two of them."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        headers = [(b"content-type", b"text/html"), (b"content-length", b"32")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (b"<html><head></he", b"ad></head></html>"):
            await send({"type": "http.response.body", "body": piece, "more_body": piece.startswith(b"<")})


@pytest.mark.parametrize("takes", ["gzip", "identity"])
async def test_the_page_names_files_once_at_the_end_of_its_head(takes: str):
    async with client(Pages(), named=links(["a.js", "b.css"])) as site:
        page = await site.get("/", headers={"Accept-Encoding": takes})
    assert page.text == (
        '<html><head><link rel="modulepreload" crossorigin href="./assets/a.js">'
        '<link rel="stylesheet" crossorigin href="./assets/b.css"></head></head></html>'
    )


async def test_nothing_else_names_files():
    async with client(Pages(), named=links(["a.js"])) as site:
        assert "a.js" not in (await site.get("/config")).text
