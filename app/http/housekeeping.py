"""What has to be tidied up now and then while the server runs: what is past its time, and what was interrupted."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator

from app.context import Context, Transactions, now
from app.db import Database
from app.http import idempotency
from app.product_import import importer, lease
from app.services import events, webhooks
from app.services.companies import SYSTEM
from models import new_id

LOG = logging.getLogger(__name__)
PAUSE_SECONDS = 600.0
IMPORTS_PAUSE_SECONDS = 10.0  # an import that was killed while it was being applied is half visible until then


@contextlib.asynccontextmanager
async def running(database: Database) -> AsyncIterator[None]:
    """Tidy up in the background until the block ends."""
    tasks = [
        asyncio.create_task(_run(tidy, database, PAUSE_SECONDS)),
        asyncio.create_task(_run(resume_imports, database, IMPORTS_PAUSE_SECONDS)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(work: Callable[[Database], None], database: Database, pause: float) -> None:
    while True:
        try:
            await asyncio.to_thread(work, database)
        except Exception as error:  # noqa: BLE001 - what fails now is tried again after the pause
            LOG.warning("housekeeping failed: %s", error)
        await asyncio.sleep(pause)


def tidy(database: Database) -> None:
    """Remove what is no longer kept; events, of which there may be many, a few at a time."""
    with database.transaction(write=True) as session:
        idempotency.forget_expired(session, now())
        webhooks.forget_deleted(session, now())
    forgotten = events.FORGOTTEN_AT_ONCE
    while forgotten == events.FORGOTTEN_AT_ONCE:
        with database.transaction(write=True) as session:
            forgotten = events.forget_old(session, now())


def resume_imports(database: Database) -> None:
    """Complete imports whose process was killed while it applied them, and remove those that had not come so far."""
    with database.transaction() as session:
        companies = lease.left_behind(session, now())
    for company_id in companies:
        importer.resume(_transactions(database, company_id))


def _transactions(database: Database, company_id: str) -> Transactions:
    @contextlib.contextmanager
    def transaction(*, write: bool = False) -> Iterator[Context]:
        with database.transaction(write=write) as session:
            at = now()
            yield Context(session=session, actor=SYSTEM, company_id=company_id, request_id=new_id(at), now=at)

    return transaction
