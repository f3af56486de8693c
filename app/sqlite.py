"""Connections to SQLite: their settings, and how their transactions begin and end.

1. A transaction that only reads begins with BEGIN, which never waits.
2. One that writes begins with BEGIN IMMEDIATE. While another process writes, it tries again every millisecond: SQLite
   itself waits for up to 100 ms between two attempts, and would miss the short pauses of a process that writes without
   a break.
3. In a group (`app/commit_group.py`), a transaction is a savepoint, and the group decides when everything is committed.

Not in this module: the engines themselves (`app/db.py`), and what their exceptions mean (`app/driver_errors.py`).
"""

import random
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from app.reading import LoopDialect

BEGIN_WRITE = "BEGIN IMMEDIATE"
ATTEMPT_SECONDS = 0.001  # on average, between two attempts to begin
# Pages that a connection keeps in memory. Others are found in the cache of the system, in about 1 µs: with 0.5 instead
# of 16 MiB, requests take as long, and a server with 10 readers and a writer needs up to 150 MiB less. With 0.25 MiB,
# the pages of 50 orders with their products are not kept from one request to the next, which takes 15 % more CPU time.
READER_CACHE_KIB, WRITER_CACHE_KIB = 500, 4_000
LOOP_CACHE_KIB = 1_000  # its one connection serves all reads by id
SAVEPOINT, RELEASE, UNDO = "SAVEPOINT member", "RELEASE member", "ROLLBACK TO member"
# Where savepoints keep the pages that they change, to undo them. By default, SQLite writes those beyond 64 KiB to a
# temporary file, with 20 writes for an order. Only for groups: an upgrade sorts whole tables.
KEEP_IN_MEMORY = "PRAGMA temp_store=MEMORY"

registry.register("sqlite.reading", "app.reading", "SqliteDialect")
registry.register("sqlite.loop", "app.reading", "LoopDialect")
registry.register("sqlite.writing", "app.writing", "SqliteDialect")


class OpenFile:
    """The file of a database, which must stay the same while a process uses it.

    If a backup is moved to its place, connections that are open use the file that is gone, and new ones the backup.
    With WAL, SQLite does not notice.
    """

    def __init__(self, path: Path) -> None:
        """Initialize without looking for the file, which may not exist yet."""
        self._path = path
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Remember which file the first connection has opened. Raises sqlite3.OperationalError for another one."""
        if self._identity is None:
            self._identity = self._found()
        elif self.is_replaced():
            raise self.replaced()

    def is_replaced(self) -> bool:
        """Return True if the path has another file now, or none."""
        return self._identity is not None and self._identity != self._found()

    def replaced(self) -> sqlite3.OperationalError:
        """Return the error of a connection or a write after the file was replaced."""
        message = f"{self._path} was replaced or removed while it was in use. Restart Distribu to use the new file"
        error = sqlite3.OperationalError(message)
        error.sqlite_errorname = "SQLITE_READONLY_DBMOVED"
        return error

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class WriterConnection(sqlite3.Connection):
    """A connection that writes. While `is_shared`, its transactions are savepoints of the transaction of a group."""

    file: OpenFile
    is_shared = False
    busy_seconds = 0.0
    _has_savepoint = False

    @property
    def has_begun(self) -> bool:
        """Whether a transaction has begun, and no error has undone it."""
        return self.in_transaction and (self._has_savepoint or not self.is_shared)

    def begin(self) -> None:
        """Begin a transaction, unless one has begun.

        Raises sqlite3.OperationalError if another process writes for `busy_seconds`, or if the file was replaced.
        """
        if self.has_begun:
            return
        if self.is_shared:
            self.execute(SAVEPOINT).close()
            self._has_savepoint = True
            return
        deadline = time.monotonic() + self.busy_seconds
        while not self._try_to_begin(must_begin=time.monotonic() >= deadline):
            time.sleep(random.uniform(0.5, 1.5) * ATTEMPT_SECONDS)  # noqa: S311 - keeps concurrent writers apart
        if self.file.is_replaced():
            super().rollback()
            raise self.file.replaced()

    def commit(self) -> None:
        """Commit the transaction, or keep what it has written for the commit of the group."""
        if self.is_shared:
            self.execute(RELEASE).close()
            self._has_savepoint = False
        else:
            super().commit()

    def rollback(self) -> None:
        """Undo the transaction. If a savepoint cannot be undone, or is lost already, undo the whole group."""
        if not self.is_shared:
            super().rollback()
        elif self.has_begun:
            try:
                self.execute(UNDO).close()
                self.execute(RELEASE).close()
            except sqlite3.Error:
                super().rollback()
        self._has_savepoint = False

    def _try_to_begin(self, *, must_begin: bool) -> bool:
        try:
            self.execute(BEGIN_WRITE).close()
        except sqlite3.OperationalError as error:
            if must_begin or not error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise
            return False
        return True


def reader(url: URL, file: OpenFile, synchronous: str, *, pool_size: int, pool_seconds: float) -> Engine:
    """Return an engine for transactions that read."""
    reading = url.set(drivername="sqlite+reading")  # the dialect begins: a listener takes time
    return _engine(
        reading, file, synchronous, pool_size=pool_size, pool_seconds=pool_seconds, cache_kib=READER_CACHE_KIB
    )


def loop_reader(url: URL, file: OpenFile, synchronous: str) -> Engine:
    """Return an engine for the event loop, with one connection, which never waits."""
    looping = url.set(drivername="sqlite+loop")
    return _engine(looping, file, synchronous, pool_size=1, pool_seconds=0, cache_kib=LOOP_CACHE_KIB)


def dispose_loop_reader(engine: Engine) -> None:
    """Close the connection of the event loop, which the engine alone does not. A listener slows statements down."""
    assert isinstance(engine.dialect, LoopDialect)
    engine.dialect.close()
    engine.dispose()


def writer(url: URL, file: OpenFile, synchronous: str, *, pool_seconds: float, busy_seconds: float) -> Engine:
    """Return an engine with one connection, whose transactions write. To begin, they wait for up to `busy_seconds`."""
    sizes = {"pool_size": 1, "cache_kib": WRITER_CACHE_KIB}
    writing = url.set(drivername="sqlite+writing")
    engine = _engine(writing, file, synchronous, pool_seconds=pool_seconds, factory=WriterConnection, **sizes)

    @event.listens_for(engine, "connect")
    def configure(connection: WriterConnection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=0").close()
        connection.busy_seconds = busy_seconds
        connection.file = file

    return engine


def driver(connection: Connection) -> WriterConnection:
    """Return the driver's connection of a connection that writes."""
    found = connection.connection.driver_connection
    assert isinstance(found, WriterConnection)
    return found


def begin(connection: WriterConnection) -> None:
    """Begin a transaction. Raises OperationalError, as SQLAlchemy does for the statements of a transaction."""
    try:
        connection.begin()
    except sqlite3.OperationalError as error:
        raise OperationalError(BEGIN_WRITE, None, error) from error


def _engine(
    url: URL, file: OpenFile, synchronous: str, *, pool_size: int, pool_seconds: float, cache_kib: int, **options: Any
) -> Engine:
    engine = create_engine(
        url.update_query_dict({"mode": "rw", "uri": "true"}).set(database=f"file:{quote(str(url.database))}"),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_seconds,
        connect_args={"isolation_level": None, "timeout": pool_seconds, "check_same_thread": False, **options},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        file.check()
        for pragma in (
            f"busy_timeout={int(pool_seconds * 1000)}",  # first, because the next one may already have to wait
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "journal_size_limit=67108864",
            f"cache_size=-{cache_kib}",
            "case_sensitive_like=ON",  # texts and patterns are folded before they reach LIKE
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    return engine
