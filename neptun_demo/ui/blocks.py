"""The blocks that the page is built of."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .chatbot import Chatbot

POLL = 0.01
"""Seconds after which an idle queue is looked at again. Gradio's own millisecond is a twelfth of a core."""


class Page(gr.Blocks):
    """Blocks that take text, numbers and truth values from a browser, and no files; nor do they show any.

    Gradio looks for files in everything that a listener gives, three times over, before it sends what is
    new in it. Here a frame of an answer costs the same in a long conversation as in a short one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.unload(self._forget)

    def queue(self, *args: Any, **kwargs: Any) -> Page:
        """Gradio's queue, which looks after itself less often."""
        super().queue(*args, **kwargs)
        self._queue.sleep_when_free = POLL
        return self

    async def process_api(
        self,
        block_fn: Any,
        inputs: list[Any],
        state: Any = None,
        *args: Any,
        root_path: str | None = None,  # noqa: ARG002 - it is put before the addresses of files
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Gradio's, of which nothing stays: it would keep each value that came or went, credentials too."""
        try:
            processed: dict[str, Any] = await super().process_api(block_fn, inputs, state, *args, **kwargs)
        finally:
            # Not of this listener's components alone: Gradio notes an updated one under an id that it made up.
            for known in state.config_values.values() if state else ():
                known.get("props", {}).pop("value", None)
        return processed

    def _forget(self, request: gr.Request) -> None:
        """What was drawn for one session alone, and Gradio keeps when that ends, loses what it began with."""
        state = self.state_holder.session_data.get(request.session_hash or "")
        drawn = state.blocks_config.blocks if state else {}
        for block in (block for key, block in drawn.items() if key not in self.blocks):
            vars(block).pop("value", None)
            for arguments in block._constructor_args:  # noqa: SLF001 - there is no other way to them
                arguments.pop("value", None)

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Gradio's, which keeps what was sent to itself.

        Gradio would fetch the address of whatever looks like a file, in any component's value, and write
        values that it cannot read to the log, a credential among them.
        """
        if any(map(_holds_a_file, inputs)):
            raise _refusal("Only text can be sent.")
        if len(inputs) < len(block_fn.inputs):
            needed = [block for block in block_fn.inputs if not block.skip_api]
            raise _refusal(
                f"It takes {len(needed)} values, and {len(inputs)} came. By name, at /gradio_api/call/v2/…,"
                " those that have a default may be left out."
            )
        try:
            values: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error as error:
            raise _refusal(error.message) from error
        except (TypeError, ValueError) as error:
            raise _refusal("A value that was sent is not of the kind that belongs there.") from error
        return values

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """A conversation is sent as it is."""
        match block_fn.outputs:
            case [Chatbot() as bot] if isinstance(predictions, list):
                return [bot.postprocess(predictions)]
        values: list[Any] = await super().postprocess_data(block_fn, predictions, state)
        return values


def _refusal(sentence: str) -> gr.Error:
    return gr.Error(sentence, print_exception=False)


def _holds_a_file(value: Any) -> bool:
    """Whether *value* holds what Gradio takes for a file."""
    if isinstance(value, dict):
        meta = value.get("meta")
        return (isinstance(meta, dict) and "_type" in meta) or any(map(_holds_a_file, value.values()))
    return isinstance(value, list) and any(map(_holds_a_file, value))
