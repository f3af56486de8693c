"""Engines, sessions and `transaction()`, the only place that commits.

1. SQLite has one writer per process, for which threads queue, because SQLite's own lock is polled and unfair. Requests
   that have queued share a commit (`app/commit_group.py`). Readers have separate connections and never wait.
2. PostgreSQL has one pool for reads and writes.

Not in this module: statements (`app/queries`, `app/services`), the connections of each database (`app/sqlite.py`,
`app/postgresql.py`), what their exceptions mean (`app/driver_errors.py`), and migrations (`app/schema_version.py`).
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.dialects import registry
from sqlalchemy.orm import Session

from app import clock, sqlite
from app.commit_group import CommitGroup
from app.config import Settings
from app.driver_errors import BUSY_SECONDS, ConflictError, TranslatedErrors
from app.reading import ReadingSession
from app.writing import WritingSession

SQLITE_READERS, SQLITE_WRITERS = 6, 1  # 16 readers take up to 9 % more CPU time for pages, and 8 MiB more
POSTGRESQL_READERS, POSTGRESQL_WRITERS = 12, 8
SPARE_CONNECTIONS = 4  # in addition to those of requests: for key lookups and background work
AFTER_COMMIT = "after_commit"  # in the `info` of a session
MAX_ATTEMPTS = 4
LIFT_TIME_LIMIT = "SET LOCAL statement_timeout = 0"
LOCK_SCHEMA = (
    LIFT_TIME_LIMIT,
    "SET LOCAL lock_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SELECT pg_advisory_xact_lock(0x64697374)",  # 'dist'
)
SELECT_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")

registry.register("postgresql.distribu", "app.postgresql", "Dialect")  # imported only where PostgreSQL is used
T = TypeVar("T")


class Database:
    """The data of all companies, read and written through `transaction()`."""

    def __init__(self, settings: Settings) -> None:
        """Create the engines. They connect when the first transaction begins."""
        self.url = settings.database_url
        self._open_file: sqlite.OpenFile | None = None
        if self.is_sqlite:
            synchronous = settings.sqlite_synchronous
            path = Path(self.url.database or "")
            file = self._open_file = sqlite.OpenFile(path)
            self.readers, self.writers = SQLITE_READERS, SQLITE_WRITERS
            self._writer = sqlite.writer(
                self.url, file, synchronous, pool_seconds=BUSY_SECONDS, busy_seconds=BUSY_SECONDS
            )
            pool_size = self.readers + SPARE_CONNECTIONS
            self.reader = sqlite.reader(self.url, file, synchronous, pool_size=pool_size, pool_seconds=BUSY_SECONDS)
            probe = sqlite.writer(self.url, file, synchronous, pool_seconds=BUSY_SECONDS, busy_seconds=0)
            self._loop_reader: Engine | None = sqlite.loop_reader(self.url, file, synchronous)
            self._clock: clock.Clock = clock.SqliteClock(path, probe)
            self.new_group: Callable[[], CommitGroup] | None = partial(CommitGroup, self._writer, self._clock)
        else:
            self.readers, self.writers = POSTGRESQL_READERS, POSTGRESQL_WRITERS
            self._writer = self.reader = _postgresql(self.url)
            self._loop_reader = None
            self._clock = clock.PostgresqlClock()
            self.new_group = None  # PostgreSQL groups commits by itself

    @property
    def is_sqlite(self) -> bool:
        """Return whether this is SQLite, the embedded database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def can_read_on_loop(self) -> bool:
        """Return whether the event loop may read without a thread: SQLite is in this process."""
        return self._loop_reader is not None

    def reading_engine(self, *, is_on_loop: bool) -> Engine:
        """Return the engine of transactions that read, in the event loop or in a thread."""
        return self._loop_reader if is_on_loop and self._loop_reader is not None else self.reader

    @property
    def file(self) -> Path | None:
        """Return the file of an SQLite database, None for PostgreSQL."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @property
    def is_file_replaced(self) -> bool:
        """Return whether the path of an SQLite database has another file than when it was opened: no write succeeds."""
        return self._open_file is not None and self._open_file.is_replaced()

    @contextmanager
    def transaction(
        self, *, write: bool = False, group: CommitGroup | None = None, is_on_loop: bool = False
    ) -> Iterator[Session]:
        """Yield a session. Commit at the end of the block if `write`; roll back if the block raises.

        A transaction that writes has begun, and `clock.time_of` is its time. In a `group`, it becomes permanent when
        the group commits. One that `is_on_loop` reads in the event loop, without waiting for a lock, and only if
        `can_read_on_loop`. Raises DatabaseUnavailableError, also when the database is busy for BUSY_SECONDS.
        """
        info: dict[Any, Any] = {clock.CLOCK: self._clock}
        engine = self._writer if write else self.reading_engine(is_on_loop=is_on_loop)
        with (
            TranslatedErrors(),
            WritingSession(engine, group, info) if write else ReadingSession(engine, info) as session,
        ):
            if write:
                session.info[clock.STARTED_AT] = group.started_at if group else self._clock.start_write(session.begun())
            yield session
            if write:
                session.commit()
        for effect in session.info.get(AFTER_COMMIT, ()):
            effect() if group is None else group.after_commit(effect)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection in a separate transaction, for changes of the schema."""
        with TranslatedErrors(), self._writer.begin() as connection:
            yield connection

    def lift_time_limit(self, session: Session) -> None:
        """Let the statements of a transaction take as long as they need. SQLite has no time limit."""
        if not self.is_sqlite:
            session.connection().exec_driver_sql(LIFT_TIME_LIMIT)

    def lock_schema(self, connection: Connection) -> None:
        """Wait for other upgrades, and let this transaction change large tables without a time limit.

        SQLite needs neither: it has one writer, and no time limit on statements.
        """
        if not self.is_sqlite:
            for statement in LOCK_SCHEMA:
                connection.execute(text(statement))

    def encoding(self, connection: Connection) -> str:
        """Return the encoding of texts by its name in PostgreSQL. This project's SQLite files are UTF-8."""
        return "UTF8" if self.is_sqlite else str(connection.scalar(text("SHOW server_encoding")))

    def dispose(self) -> None:
        """Close every idle connection."""
        self._writer.dispose()
        self.reader.dispose()
        if self._loop_reader is not None:
            sqlite.dispose_loop_reader(self._loop_reader)
        self._clock.dispose()


def after_commit(session: Session, effect: Callable[[], object]) -> None:
    """Call `effect`, which must not raise, when the transaction has been committed."""
    session.info.setdefault(AFTER_COMMIT, []).append(effect)


def retrying(attempt: Callable[[], T]) -> T:
    """Run a whole transaction again when PostgreSQL ended it to resolve a deadlock or a conflict.

    `attempt` must have no effect outside its transaction. Raises ConflictError after MAX_ATTEMPTS.
    """
    for number in range(1, MAX_ATTEMPTS):
        try:
            return attempt()
        except ConflictError:
            time.sleep(random.uniform(0.01, 0.05) * number)  # noqa: S311 - jitter keeps concurrent writers apart
    return attempt()


def try_lock(session: Session, name: str) -> bool:
    """Lock a name until the end of the transaction. Return False when another transaction holds the lock.

    SQLite has one writer at a time, so a writing transaction is the lock.
    """
    if session.get_bind().dialect.name == "sqlite":
        return True
    return bool(session.connection().execute(SELECT_LOCK, {"name": name}).scalar_one())


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+distribu"),
        pool_size=POSTGRESQL_READERS + POSTGRESQL_WRITERS,
        max_overflow=SPARE_CONNECTIONS,
        pool_timeout=BUSY_SECONDS,
        pool_pre_ping=True,
    )
