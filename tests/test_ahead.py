"""Which files the page names: those of Gradio that a browser would ask for by itself."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from test_page import Visit

from neptun_demo import ahead
from neptun_demo.ahead import files, links


def test_the_page_names_the_files_that_a_browser_would_ask_for(page, offline_playground):
    url = f"{offline_playground.url}/"
    html = httpx.get(url, trust_env=False, timeout=60).text
    as_gradio_gives_it = html.replace(links(files()).decode(), "")
    assert len(as_gradio_gives_it) < len(html)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(f"{url}assets/")))
    page.route(url, lambda route: route.fulfill(body=as_gradio_gives_it, content_type="text/html"))
    Visit(page, offline_playground).settings().showing("The offline guide answers")
    needed = [name for name in asked if "/" not in name and f"./assets/{name}" not in as_gradio_gives_it]
    assert sorted(needed) == sorted(files()), "assets/first-page.txt should be:\n" + "\n".join(needed)


def test_what_this_gradio_does_not_have_is_not_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    listed = ahead._NAMES.read_text(encoding="utf-8").split()
    assert files() == listed
    monkeypatch.setattr(ahead, "_THERE", tmp_path)
    (tmp_path / listed[3]).touch()
    assert files() == [listed[3]]
