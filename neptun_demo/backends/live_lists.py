"""The live lists of models: fetched in the background, so that nothing ever waits for one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from neptun_demo.catalogue import Catalogue
from neptun_demo.errors import PlaygroundError
from neptun_demo.models import Model
from neptun_demo.settings import BackendName

log = logging.getLogger(__name__)

FRESH = 3600.0
"""Seconds for which a list counts as fresh."""

AGAIN_AFTER = 300.0
"""Seconds after a failed fetch before the next; until one succeeds the built-in rows stand."""


class LiveLists:
    """Keeps the rows of *catalogue* fresh. *listings* fetch the list of each back end."""

    def __init__(
        self, catalogue: Catalogue, listings: Mapping[BackendName, Callable[[], Awaitable[list[Model]]]]
    ) -> None:
        self._catalogue = catalogue
        self._listings = listings
        self._due = dict.fromkeys(listings, 0.0)

    async def keep(self) -> None:
        """Fetch what is due, for ever; a task of the app's life."""
        while True:
            now = time.monotonic()
            async with asyncio.TaskGroup() as fetches:
                for backend in [name for name, due in self._due.items() if now >= due]:
                    fetches.create_task(self._fetch(backend))
            await asyncio.sleep(max(1.0, min(self._due.values()) - time.monotonic()))

    async def _fetch(self, backend: BackendName) -> None:
        self._due[backend] = time.monotonic() + AGAIN_AFTER
        try:
            rows = await self._listings[backend]()
        except PlaygroundError as error:
            log.info("No live list of models: %s The built-in one stands.", error.sentence)
            return
        if rows:
            self._catalogue.replace(backend, rows)
            self._due[backend] = time.monotonic() + FRESH
