"""Engines, sessions and `transaction()`: the only commit in the code base.

SQLite: one writer per process (callers queue for it in the process, not in SQLite's lock polling), which
starts with BEGIN IMMEDIATE; readers have connections of their own and never wait for it. PostgreSQL: one pool.
Not here: queries (`app/services`) and the schema's history (`app/schema_version.py`).
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from app.config import Settings
from app.errors import DatabaseBusyError, DatabaseUnavailableError, TooLargeError

SQLITE_READERS, SQLITE_WRITERS = 16, 1  # SQLite has one writer; a queue in the process is fairer than its lock
POSTGRESQL_READERS, POSTGRESQL_WRITERS = 12, 8
SPARE = 4  # connections beyond those of the requests: key look-ups and housekeeping
BUSY_SECONDS = 5  # how long anybody waits for a lock or a connection before the answer is 503
CONFLICTS = ("40001", "40P01")  # serialization failure, deadlock: doing it again may work at once
ATTEMPTS = 4
LOCKED = ("55P03", "SQLITE_BUSY")  # another transaction holds the lock
BUSY = f"The database is busy: others have been writing to it for {BUSY_SECONDS} s. Try again in a moment."
# Connection, resources, operator intervention, input and output, read-only server, lock not available
PASSING_POSTGRESQL_FAULTS = ("08", "53", "57", "58", "25006", "55P03")
PASSING_SQLITE_FAULTS = tuple(f"SQLITE_{name}" for name in ("BUSY", "LOCKED", "FULL", "IOERR", "CANTOPEN", "READONLY"))


registry.register("postgresql.distribu", "app.postgresql", "Dialect")  # imported where it is needed
T = TypeVar("T")


class ConflictError(DatabaseUnavailableError):
    """Another transaction was in the way, and PostgreSQL chose this one to give way."""


class Database:
    """The data of all companies, read and written through `transaction()`."""

    def __init__(self, settings: Settings) -> None:
        """Make the engines; nothing connects before the first transaction."""
        self.url = settings.database_url
        if self.is_sqlite:
            synchronous = settings.sqlite_synchronous
            self.readers, self.writers = SQLITE_READERS, SQLITE_WRITERS
            self._writer = _sqlite(self.url, synchronous, "BEGIN IMMEDIATE", pool_size=self.writers)
            self._reader = _sqlite(self.url, synchronous, "BEGIN", pool_size=self.readers + SPARE)
        else:
            self.readers, self.writers = POSTGRESQL_READERS, POSTGRESQL_WRITERS
            self._writer = self._reader = _postgresql(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether this is the embedded database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """Return the file of an embedded database, None for a server's."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Session]:
        """Yield a session; commit when the block ends well, roll back when it raises.

        Raises DatabaseUnavailableError when the database is away, or busy for longer than BUSY_SECONDS.
        """
        with unavailability(), Session(self._writer if write else self._reader, expire_on_commit=False) as session:
            yield session
            if write:
                session.commit()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection in a transaction of its own, for schema changes."""
        with unavailability(), self._writer.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close every idle connection."""
        self._writer.dispose()
        self._reader.dispose()


def retrying(attempt: Callable[[], T]) -> T:
    """Run a whole transaction again when PostgreSQL ended it to resolve a deadlock or a conflict.

    `attempt` must do nothing but its transaction. Raises DatabaseUnavailableError when ATTEMPTS were not enough.
    """
    for number in range(1, ATTEMPTS):
        try:
            return attempt()
        except ConflictError:
            time.sleep(random.uniform(0.01, 0.05) * number)  # noqa: S311 - only to keep the rivals apart
    return attempt()


@contextmanager
def unavailability() -> Iterator[None]:
    """Turn what drivers say of an absent or busy database, or of too large a sum, into an error of ours."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError(f"No database connection became free in {BUSY_SECONDS} s.") from error
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(CONFLICTS):
            raise ConflictError(str(error.orig).partition("\n")[0]) from error
        if _is_overflow(error):
            raise TooLargeError from error
        if _is_busy(error):
            raise DatabaseBusyError(BUSY) from error
        if _is_unavailability(error):
            raise DatabaseUnavailableError(str(error.orig).partition("\n")[0]) from error
        raise


def _is_busy(error: DBAPIError) -> bool:
    """Return whether another transaction held a lock for too long."""
    codes = (getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorname", None))
    return any(str(code).startswith(LOCKED) for code in codes)


def _is_overflow(error: DBAPIError) -> bool:
    """Tell a sum that has more than 64 bits."""
    return getattr(error.orig, "sqlstate", None) == "22003" or str(error.orig) == "integer overflow"


def _is_unavailability(error: DBAPIError) -> bool:
    """Tell faults that pass (locked, full, away, cancelled by a time limit) from mistakes of ours."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(PASSING_POSTGRESQL_FAULTS)
    name: str | None = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return name.startswith(PASSING_SQLITE_FAULTS)
    return isinstance(error, OperationalError)  # psycopg could not connect at all, or not in time


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+distribu"),
        pool_size=POSTGRESQL_READERS + POSTGRESQL_WRITERS,
        max_overflow=SPARE,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
    )


def _sqlite(url: URL, synchronous: str, begin: str, *, pool_size: int) -> Engine:
    engine = create_engine(
        url.update_query_dict({"mode": "rw", "uri": "true"}).set(database=f"file:{quote(str(url.database))}"),
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        connect_args={"isolation_level": None, "timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",  # first: the next one may already have to wait
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "journal_size_limit=67108864",
            "cache_size=-16000",
            "case_sensitive_like=ON",  # what is searched is folded on our side, so LIKE need not fold
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        if begin == "BEGIN":  # never has to wait, so no error of the driver needs translating, which costs time
            connection.connection.driver_connection.execute(begin).close()  # type: ignore[union-attr]
        else:
            connection.exec_driver_sql(begin)

    return engine
