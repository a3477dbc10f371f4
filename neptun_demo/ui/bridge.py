"""An unseen component by which the page's own script triggers a listener of the app.

In the browser: `window.neptun.tell(elem_id, data)`. Here: `bridge(elem_id).submit(listener)`, which gets *data*
as `gr.EventData` (`told()`). What is told comes from a browser: a listener checks it.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

_ON_LOAD = """window.neptun.bridge("{elem_id}", (data) => trigger("submit", data))"""


def bridge(elem_id: str) -> gr.HTML:
    """The end of a bridge in this page; *elem_id* is its name on both sides."""
    return gr.HTML(
        "",
        elem_id=elem_id,
        elem_classes="neptun-bridge",
        padding=False,
        js_on_load=_ON_LOAD.format(elem_id=elem_id),
    )


def told(event: gr.EventData, name: str) -> str:
    """The text that was told under *name*; empty where there is none."""
    data: Any = event._data  # noqa: SLF001 - Gradio has no other way to an event's own fields of any name
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) else ""
