"""How the page's own script triggers listeners of the app: by events of a component.

In the browser: `window.neptun.tell(name, data)`. Here: `bridge.end(name)(listener, …)`; the listener gets
*data* as `gr.EventData` (`told()`). What is told comes from a browser: a listener checks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

# `retry` is an event that `gr.HTML` has, as `gr.on` wants it; to have the others it must find their names in
# what it is given to run.
_ENDS = (
    "retry",
    "keeping-fill",
    "keeping-write",
    "keeping-json",
    "keeping-new",
    "inspector-look",
    "inspector-recall",
    "inspector-save",
)

ON_LOAD = f"window.neptun.bridge(trigger, {json.dumps(_ENDS)})"


class Bridge:
    """The bridge of a page: *html*, whatever else it is for, that was made with `js_on_load=ON_LOAD`.

    It has no component of its own, since each one makes the page slower to open.
    """

    def __init__(self, html: gr.HTML) -> None:
        self._html = html

    def end(self, name: str) -> Callable[..., Any]:
        """The event by which listeners are told what is told to *name*."""
        event: Callable[..., Any] = getattr(self._html, name)
        return event


def told(event: gr.EventData, name: str) -> str:
    """The text that was told under *name*; empty where there is none."""
    data: Any = event._data  # noqa: SLF001 - Gradio has no other way to an event's own fields of any name
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""
