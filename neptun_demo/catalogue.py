"""The models on offer, and the look-up by back end and any of a model's names.

The built-in rows are always there; a live list takes the place of its back end's rows.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from .contract import quoted
from .errors import Unavailable, UnknownModel
from .models import BUILT_IN, GUIDE_MODEL, NEPTUN_MODEL, RETIRED, TITLES, Model
from .settings import BackendName

MOST_NAMED = 3
"""Names that an error lists as close to the one that was asked for."""


class Catalogue:
    """The rows of each back end: the built-in ones until a live list takes their place."""

    def __init__(self) -> None:
        self._live: dict[BackendName, tuple[Model, ...]] = {}
        self.revision = 0
        """Goes up when any rows become others: whoever shows them compares it."""

    def rows(self, backend: BackendName) -> tuple[Model, ...]:
        """The models of *backend*, never empty."""
        return self._live.get(backend) or BUILT_IN[backend]

    def is_live(self, backend: BackendName) -> bool:
        """Whether the rows of *backend* came from a live list."""
        return backend in self._live

    def replace(self, backend: BackendName, rows: Sequence[Model]) -> None:
        """Take a live list; an empty one is no list."""
        if rows and self._live.get(backend) != tuple(rows):
            self._live[backend] = tuple(rows)
            self.revision += 1

    def find(self, backend: BackendName, name: str) -> Model:
        """The model of *backend* that bears *name*, in any of its forms.

        The offline guide answers for the endpoint's documented model too, so that the documentation's
        examples run without any account. Raises `UnknownModel` with what is close, `Unavailable` for a
        model that was retired.
        """
        wanted = name.strip().lower()
        for model in self.rows(backend):
            if wanted in map(str.lower, model.names):
                return model
        if backend == "offline" and wanted in map(str.lower, NEPTUN_MODEL.names):
            return GUIDE_MODEL
        short = wanted.rsplit("/", 1)[-1]
        if short in RETIRED:
            raise Unavailable(
                f"{short} was retired from Workers AI on 2026-05-30.", self._advice(backend, short)
            )
        raise UnknownModel(
            f"{TITLES[backend]} has no model named {quoted(name)}.", self._advice(backend, short)
        )

    def _advice(self, backend: BackendName, short: str) -> str:
        names = {model.name.lower(): model.name for model in self.rows(backend)}
        # A family's name ("llama") is too far from a whole name for difflib.
        close = [name for name in names if short and short in name]
        close += difflib.get_close_matches(short, names, n=MOST_NAMED, cutoff=0.4)
        if not close:
            return f"There is: {', '.join(list(names.values())[:5])}."
        return f"Close to it: {', '.join(names[name] for name in list(dict.fromkeys(close))[:MOST_NAMED])}."
