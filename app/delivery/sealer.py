"""The sealer: adds the seals of the audit log in the background (contract, section 9.8). Every worker runs one.

A batch reads entries and computes their seals in a transaction that reads, and stores them in a short one that writes.
Writers never wait for the first, and for the second only on SQLite, for 2 ms: its commits do not wait for the disk,
because seals that are lost are computed again (`process.py`). On PostgreSQL, a lock lets one process seal at a time. On
SQLite, where a writer is the lock, the second of two processes finds that its seals exist. A process that is killed
leaves whole batches.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.db import Database, try_lock
from app.errors import DatabaseUnavailableError
from app.services import audit_seals, unsealed_entries
from app.services.audit_seals import NewSeal

LOG = logging.getLogger(__name__)
LOCK = "audit seals"
BATCH = 250  # entries; on SQLite, writers wait for 2 ms while they are stored
BUSY_SECONDS = 0.2  # from one batch to the next while there are more entries: writers have 99 % of the time
IDLE_SECONDS = 1.0
FAILURE_PAUSE_SECONDS = 2.0
# Entries are sealed when they are this old. It absorbs differences between clocks after PostgreSQL has moved to another
# server. With the pauses, and any write that takes long, entries are sealed within 10 s.
SETTLING = timedelta(seconds=3)


class Sealer:
    """Seals the entries of all companies of a database."""

    def __init__(
        self,
        database: Database,
        *,
        settling: timedelta = SETTLING,
        busy_seconds: float = BUSY_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Initialize with the database. `run` starts the work."""
        self._database = database
        self._settling = settling
        self._busy_seconds = busy_seconds
        self._idle_seconds = idle_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Seal until `stop` is set."""
        with ThreadPoolExecutor(1, thread_name_prefix="sealer") as thread:
            loop = asyncio.get_running_loop()
            while not stop.is_set():
                pause = await loop.run_in_executor(thread, self._seal_and_log)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)

    def seal_batch(self) -> int:
        """Seal at most BATCH entries; return their number. It is 0 if another process seals at the same time."""
        with self._database.transaction() as session:
            until = clock.current_time(session) - self._settling
            pending = unsealed_entries.pending_companies(session, until)
        if not pending:
            return 0
        with self._database.transaction() as session:
            until = clock.synced_until(session) - self._settling  # first, because it precedes all reads
            if not try_lock(session, LOCK):
                return 0
            return self._store(self._next_seals(session, pending, until))

    def _seal_and_log(self) -> float:
        """Seal a batch. Return the time to wait until the next one, in seconds."""
        start = time.monotonic()
        try:
            has_more = self.seal_batch() > BATCH // 2
        except DatabaseUnavailableError as error:
            LOG.warning("the database is unavailable, sealing again in %.0f s: %s", FAILURE_PAUSE_SECONDS, error)
            return FAILURE_PAUSE_SECONDS
        except Exception:
            LOG.exception("the audit log could not be sealed, trying again in %.0f s", FAILURE_PAUSE_SECONDS)
            return FAILURE_PAUSE_SECONDS
        period = self._busy_seconds if has_more else self._idle_seconds
        return period - min(time.monotonic() - start, period / 2)

    def _next_seals(self, session: Session, pending: Sequence[str], until: datetime) -> Sequence[NewSeal]:
        """Return the next seals of companies in random order. Each has an equal share, and the rest of those before."""
        seals: list[NewSeal] = []
        companies = random.sample(pending, min(len(pending), BATCH))
        for done, company_id in enumerate(companies):
            share = (BATCH - len(seals)) // (len(companies) - done)
            seals += audit_seals.next_seals(session, company_id, until, share)
        return seals

    def _store(self, seals: Sequence[NewSeal]) -> int:
        """Store seals. Return their number, or 0 if another process has just sealed these entries."""
        if not seals:
            return 0
        try:
            with self._database.transaction(write=True) as session:
                audit_seals.append(session, seals, clock.time_of(session))
        except IntegrityError:
            LOG.debug("another worker has sealed these entries")
            return 0
        return len(seals)
