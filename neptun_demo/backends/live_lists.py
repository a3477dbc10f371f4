"""The live lists of models: fetched in the background, so that nothing ever waits for one."""

from __future__ import annotations

import asyncio
import logging
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
        self,
        catalogue: Catalogue,
        listings: Mapping[BackendName, Callable[[], Awaitable[list[Model]]]],
        *,
        fresh: float = FRESH,
        again_after: float = AGAIN_AFTER,
    ) -> None:
        self._catalogue = catalogue
        self._listings = listings
        self._fresh = fresh
        self._again_after = again_after

    async def keep(self) -> None:
        """Fetch each list, and fetch it again when it is due, for ever; a task of the app's life."""
        async with asyncio.TaskGroup() as lists:
            for backend in self._listings:
                lists.create_task(self._keep(backend))

    async def _keep(self, backend: BackendName) -> None:
        while True:
            rows = await self._fetched(backend)
            self._catalogue.replace(backend, rows)
            await asyncio.sleep(self._fresh if rows else self._again_after)

    async def _fetched(self, backend: BackendName) -> list[Model]:
        try:
            return await self._listings[backend]()
        except PlaygroundError as error:
            log.info("No live list of models: %s", error.sentence)
        except Exception:  # nobody foresaw it: worth lines in the log, but not the task that keeps the lists
            log.exception("The live list of %s could not be read.", backend)
        return []
