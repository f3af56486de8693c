"""When keys were last used: noted in memory, written in the background (contract, section 1).

Writing never delays or fails a request, and happens at most once a minute for a key.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from datetime import datetime

from app.context import now
from app.db import Database
from app.http import background
from app.http.background import BackgroundJob
from app.services import keys

LOG = logging.getLogger(__name__)
WRITE_SECONDS = 60.0  # between two writes for the same key
CHECK_SECONDS = 2.0


class KeyUsage:
    """The times of last use that have not been written yet."""

    def __init__(self, database: Database) -> None:
        """Initialize with the database to write to."""
        self._database = database
        self._pending: dict[str, datetime] = {}  # by the id of the key
        self._written: dict[str, float] = {}  # when its last write was, on the monotonic clock

    def note(self, key_id: str) -> None:
        """Note that a request with this key has just succeeded."""
        self._pending[key_id] = now()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write in the background until the block ends, then write the rest."""
        try:
            async with background.running(
                BackgroundJob(name="key usage", run=self._write_due, pause_seconds=CHECK_SECONDS)
            ):
                yield
        finally:
            await self._write(self._take(everything=True))

    async def _write_due(self) -> None:
        await self._write(self._take(everything=False))

    def _take(self, *, everything: bool) -> dict[str, datetime]:
        """Remove and return the uses of keys whose last write is old enough."""
        threshold = time.monotonic() - WRITE_SECONDS
        self._written = {key_id: at for key_id, at in self._written.items() if at > threshold}
        due = [key_id for key_id in self._pending if everything or key_id not in self._written]
        return {key_id: self._pending.pop(key_id) for key_id in due}

    async def _write(self, uses: dict[str, datetime]) -> None:
        if not uses:
            return
        self._written |= dict.fromkeys(uses, time.monotonic())
        try:
            await asyncio.to_thread(self._store, uses)
        except Exception as error:  # noqa: BLE001 - these uses are written later, with the next ones
            LOG.warning("last use of %d keys not written, will be tried again: %s", len(uses), error)
            self._pending = {**uses, **self._pending}
            self._written = {key_id: at for key_id, at in self._written.items() if key_id not in uses}

    def _store(self, uses: dict[str, datetime]) -> None:
        with self._database.transaction(write=True) as session:
            keys.record_use(session, uses)
