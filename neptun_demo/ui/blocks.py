"""The blocks that the page is built of."""

from __future__ import annotations

from typing import Any

import gradio as gr


class Page(gr.Blocks):
    """Blocks that take text, numbers and truth values from a browser, and no files."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Gradio would fetch the address of whatever looks like a file, in any component's value."""
        if any(map(_holds_a_file, inputs)):
            raise gr.Error("Only text can be sent.", print_exception=False)
        values: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        return values


def _holds_a_file(value: Any) -> bool:
    """Whether *value* holds what Gradio takes for a file."""
    if isinstance(value, dict):
        meta = value.get("meta")
        return (isinstance(meta, dict) and "_type" in meta) or any(map(_holds_a_file, value.values()))
    return isinstance(value, list) and any(map(_holds_a_file, value))
