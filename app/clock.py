"""The time of a write, and the time up to which a list is complete: `syncedUntil` (contract, section 3).

1. A writing transaction takes its time while it holds a lock that every process can see, and holds it until it ends.
2. A reader takes the time first, then looks for such locks, and reads the rows last. A writer that it does not see
   either has committed, so that its rows are visible, or takes its time later.
3. SQLite: the lock is that of the one writer. A file that all processes share has the time of the last one.
4. PostgreSQL: a shared advisory lock, whose key contains the time of the server's clock. It delays nothing.

A clock that is set back by up to MAX_STEP_BACK_MS repeats its last time until it has caught up: on SQLite in all
processes, on PostgreSQL in the same process. Not in this module: the time of a transaction that reads
(`app/context.py`).
"""

import contextlib
import os
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.context import now
from app.errors import DatabaseUnavailableError
from models.base import EPOCH, MILLISECOND

MAX_STEP_BACK_MS = 60_000  # a clock that is set back further was wrong before, and so is every time from then
CLOCK, STARTED_AT = "clock", "started_at"  # in the `info` of a session
FILE_SUFFIX = "-clock"
OLD_MS = 1000  # a time in the file that is older may be that of an earlier writer
PAUSES_SECONDS = (0.001, 0.004)  # the new writer stores its time within microseconds
NAMESPACE = 0x636C  # 'cl': the first 16 bits of a lock's key; `db.try_lock` has exclusive locks, with any key
MILLISECONDS = "pg_catalog.floor(EXTRACT(epoch FROM {time}) * 1000)::bigint"
SERVER_MS = MILLISECONDS.format(time="pg_catalog.clock_timestamp()")
SELECT_TIME = f"SELECT {SERVER_MS}"
# CASE evaluates its condition first, so the time is read while the lock is held.
LOCK_AND_SELECT_TIME = f"""
    SELECT CASE WHEN pg_catalog.pg_advisory_xact_lock_shared(({NAMESPACE}::bigint << 48) | {SERVER_MS}) IS NOT NULL
    THEN {SERVER_MS} END
"""
# The time of the statement is the time at which it arrived: before it reads the locks.
SELECT_TIME_AND_OLDEST_WRITE = f"""
    SELECT {MILLISECONDS.format(time="pg_catalog.statement_timestamp()")},
        pg_catalog.min(((classid::bigint & 65535) << 32) | objid::bigint)
    FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND mode = 'ShareLock' AND objsubid = 1 AND classid::bigint >> 16 = {NAMESPACE}
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""  # noqa: S608 - constants


class Clock(Protocol):
    """The times of the writes to one database."""

    def start_write(self, connection: Connection) -> datetime:
        """Return the time of a transaction that has just begun to write."""

    def synced_until(self, connection: Connection) -> datetime:
        """Return a time before which every change is visible to the statements that follow."""

    def current_time(self, connection: Connection) -> datetime:
        """Return the time that a write would take now, to compare with times that are stored."""

    def dispose(self) -> None:
        """Close idle connections."""


class SqliteClock:
    """The clock of this machine. The file next to the database has the last time that any process took."""

    def __init__(self, database: Path, probe: Engine) -> None:
        """Initialize with an engine that begins with BEGIN IMMEDIATE and does not wait for the lock."""
        self._database = database.resolve()  # a link and its target share one file, as they share SQLite's own
        self._file = self._database.with_name(self._database.name + FILE_SUFFIX)
        self._probe = probe

    def start_write(self, _connection: Connection) -> datetime:
        """Return the time, and store it in the file. The caller holds the lock."""
        try:
            return _from_ms(self._take_time())
        except OSError as error:
            raise DatabaseUnavailableError(f"{self._file} cannot be written: {error.strerror}.") from error

    def synced_until(self, _connection: Connection) -> datetime:
        """Return the current time if there is no writer, and otherwise its time, after a few milliseconds at most."""
        for pause in (*PAUSES_SECONDS, 0):
            # A reader gets its page even if the disk is full, or the process may not write.
            with contextlib.suppress(DBAPIError, OSError), self._probe.begin():
                return _from_ms(self._take_time())
            if _to_ms(now()) - self._last_time() < OLD_MS:
                break
            time.sleep(pause)
        return _from_ms(self._last_time())

    def current_time(self, _connection: Connection) -> datetime:
        """Return the time of this machine."""
        return now()

    def dispose(self) -> None:
        """Close the connection that tests whether there is a writer."""
        self._probe.dispose()

    def _take_time(self) -> int:
        at = steady(_to_ms(now()), self._last_time())
        descriptor = self._open()
        try:
            os.pwrite(descriptor, at.to_bytes(8, "big"), 0)
        finally:
            os.close(descriptor)
        return at

    def _last_time(self) -> int:
        """Return the time in the file. If it cannot be read, return 0: every write is later."""
        try:
            return int.from_bytes(self._file.read_bytes()[:8], "big")
        except OSError:
            return 0

    def _open(self) -> int:
        """Open the file. Create it with the owner and the permissions of the database, as SQLite does with its own."""
        with contextlib.suppress(FileNotFoundError):
            return os.open(self._file, os.O_WRONLY)
        database = self._database.stat()
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.fchmod(descriptor, database.st_mode & 0o666)
        if os.geteuid() == 0:
            os.fchown(descriptor, database.st_uid, database.st_gid)
        return descriptor


class PostgresqlClock:
    """The clock of the database server: the servers of the API may run on machines whose clocks differ."""

    def __init__(self) -> None:
        """Initialize without a time: the first one comes from the first transaction."""
        self._lock = threading.Lock()
        self._last = 0  # the last time that this process took

    def start_write(self, connection: Connection) -> datetime:
        """Return the time that LOCK_AND_SELECT_TIME has returned in the message that began the transaction."""
        at: int = connection.connection.driver_connection.started_ms  # type: ignore[union-attr]  # `app/pipeline.py`
        return _from_ms(self._take(at))

    def synced_until(self, connection: Connection) -> datetime:
        """Return the time of the oldest write in progress, or the current time if there is none."""
        at, oldest = connection.exec_driver_sql(SELECT_TIME_AND_OLDEST_WRITE).one()
        self._take(at)
        return _from_ms(at if oldest is None else min(at, oldest))

    def current_time(self, connection: Connection) -> datetime:
        """Return the time of the database server."""
        return _from_ms(connection.exec_driver_sql(SELECT_TIME).scalar_one())

    def dispose(self) -> None:
        """Do nothing: the clock uses the connections of the transactions."""

    def _take(self, at: int) -> int:
        with self._lock:
            self._last = steady(at, self._last)
            return self._last


def time_of(session: Session) -> datetime:
    """Return the time at which a transaction got the right to write. For one that only reads, return the time now."""
    started_at: datetime | None = session.info.get(STARTED_AT)
    return started_at or now()


def synced_until(session: Session) -> datetime:
    """Return a time before which every change is visible to the next statement of a transaction that has read nothing.

    A change is one that takes its `updated_at` from `time_of`.
    """
    clock: Clock = session.info[CLOCK]
    return clock.synced_until(session.connection())


def current_time(session: Session) -> datetime:
    """Return the current time of the clock that writes use."""
    clock: Clock = session.info[CLOCK]
    return clock.current_time(session.connection())


def steady(at: int, last: int) -> int:
    """Return `at`, or `last` if the clock was set back since then by up to MAX_STEP_BACK_MS."""
    return last if at < last <= at + MAX_STEP_BACK_MS else at


def _to_ms(at: datetime) -> int:
    return (at - EPOCH) // MILLISECOND


def _from_ms(milliseconds: int) -> datetime:
    return EPOCH + milliseconds * MILLISECOND
