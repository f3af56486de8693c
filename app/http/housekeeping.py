"""What has to be tidied up now and then while the server runs: what is past its time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from app.context import now
from app.db import Database
from app.http import idempotency
from app.services import events, webhooks

LOG = logging.getLogger(__name__)
PAUSE_SECONDS = 600.0


@contextlib.asynccontextmanager
async def running(database: Database) -> AsyncIterator[None]:
    """Tidy up in the background until the block ends."""
    task = asyncio.create_task(_run(database))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run(database: Database) -> None:
    while True:
        try:
            await asyncio.to_thread(tidy, database)
        except Exception as error:  # noqa: BLE001 - what fails now is tried again after the pause
            LOG.warning("housekeeping failed: %s", error)
        await asyncio.sleep(PAUSE_SECONDS)


def tidy(database: Database) -> None:
    """Remove what is no longer kept; events, of which there may be many, a few at a time."""
    with database.transaction(write=True) as session:
        idempotency.forget_expired(session, now())
        webhooks.forget_deleted(session, now())
    forgotten = events.FORGOTTEN_AT_ONCE
    while forgotten == events.FORGOTTEN_AT_ONCE:
        with database.transaction(write=True) as session:
            forgotten = events.forget_old(session, now())
