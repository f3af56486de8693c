"""What the server cleans up in the background: expired rows, and imports that were interrupted."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

from app import clock
from app.context import Context, Transactions
from app.db import Database
from app.http import background
from app.http.background import BackgroundJob
from app.product_import import importer, lease
from app.services import events, stored_responses, webhooks
from app.services.companies import SYSTEM
from models import new_id

EXPIRED_PAUSE_SECONDS = 600.0
IMPORTS_PAUSE_SECONDS = 10.0  # until then, an import that was killed while it was being applied is partly visible


def running(database: Database) -> AbstractAsyncContextManager[None]:
    """Clean up in the background until the block ends."""
    return background.running(
        BackgroundJob(
            name="deleting expired rows",
            run=partial(asyncio.to_thread, delete_expired, database),
            pause_seconds=EXPIRED_PAUSE_SECONDS,
        ),
        BackgroundJob(
            name="resuming imports",
            run=partial(asyncio.to_thread, resume_imports, database),
            pause_seconds=IMPORTS_PAUSE_SECONDS,
        ),
    )


def delete_expired(database: Database) -> None:
    """Delete rows whose retention has ended; events, which may be many, in batches."""
    with database.transaction(write=True) as session:
        stored_responses.delete_expired(session, clock.time_of(session))
        webhooks.delete_expired(session, clock.time_of(session))
    deleted = events.DELETE_BATCH
    while deleted == events.DELETE_BATCH:
        with database.transaction(write=True) as session:
            deleted = events.delete_expired(session, clock.time_of(session))


def resume_imports(database: Database) -> None:
    """Complete imports that were killed while they were being applied, and remove those killed earlier."""
    with database.transaction() as session:
        companies = lease.companies_with_expired(session, clock.time_of(session))
    for company_id in companies:
        importer.resume(_transactions(database, company_id))


def _transactions(database: Database, company_id: str) -> Transactions:
    @contextlib.contextmanager
    def transaction(*, write: bool = False) -> Iterator[Context]:
        with database.transaction(write=write) as session:
            at = clock.time_of(session)
            yield Context(session=session, actor=SYSTEM, company_id=company_id, request_id=new_id(at), now=at)

    return transaction
