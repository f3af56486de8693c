"""When keys were last used: noted in memory, written in the background (contract, section 1).

At most one write a minute for a key; it never delays a request and never makes one fail.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.context import now
from app.db import Database
from app.http.request_state import call_of
from app.services import keys

LOG = logging.getLogger(__name__)
WRITE_SECONDS = 60.0
CHECK_SECONDS = 2.0


class Usage:
    """The uses of keys that are not written yet."""

    def __init__(self, database: Database) -> None:
        """Take where to write."""
        self._database = database
        self._pending: dict[str, datetime] = {}
        self._written: dict[str, float] = {}

    def note(self, key_id: str) -> None:
        """Remember that a call with this key went well just now."""
        self._pending[key_id] = now()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write in the background until the block ends, and what is left then."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._write(self._take(everything=True))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._write(self._take(everything=False))

    def _take(self, *, everything: bool) -> dict[str, datetime]:
        """Remove and return the uses of keys whose last write is old enough."""
        old = time.monotonic() - WRITE_SECONDS
        self._written = {key_id: at for key_id, at in self._written.items() if at > old}
        due = [key_id for key_id in self._pending if everything or key_id not in self._written]
        return {key_id: self._pending.pop(key_id) for key_id in due}

    async def _write(self, uses: dict[str, datetime]) -> None:
        if not uses:
            return
        self._written |= dict.fromkeys(uses, time.monotonic())
        try:
            await asyncio.to_thread(self._store, uses)
        except Exception as error:  # noqa: BLE001 - a missed note of use must not stop the notes after it
            LOG.warning("last use of %d keys not written, will be tried again: %s", len(uses), error)
            self._pending = {**uses, **self._pending}
            self._written = {key_id: at for key_id, at in self._written.items() if key_id not in uses}

    def _store(self, uses: dict[str, datetime]) -> None:
        with self._database.transaction(write=True) as session:
            keys.record_use(session, uses)


class UsageMiddleware:
    """Note every call that went well."""

    def __init__(self, app: ASGIApp, *, usage: Usage) -> None:
        """Wrap `app`."""
        self.app = app
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; look at the status as it goes by."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def note(message: Message) -> None:
            key = call_of(scope).key
            if message["type"] == "http.response.start" and message["status"] < 400 and key is not None:
                self._usage.note(key.id)
            await send(message)

        await self.app(scope, receive, note)
