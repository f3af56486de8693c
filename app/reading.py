"""Transactions that only read: their sessions, and how they begin on SQLite. Not in this module: `app/db.py`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session


class SqliteDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect for SQLite, with a BEGIN for transactions that read. It never waits and never fails."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction, unless a ReadingSession did before SQLAlchemy joins it."""
        if not dbapi_connection.in_transaction:
            dbapi_connection.execute("BEGIN").close()


class LoopDialect(SqliteDialect):
    """The dialect of the event loop, which keeps its connection.

    Taking a connection from the pool and returning it takes as long as two short statements. Its cursors must be read
    to the end: an open one keeps an old snapshot for later requests.
    """

    supports_statement_cache = True
    _kept: Connection | None = None

    def take(self, engine: Engine) -> Connection:
        """Return the connection, for the event loop to give back. Raises what the pool raises."""
        kept, self._kept = self._kept, None
        return engine.connect() if kept is None else kept

    connect_to_read = take  # no BEGIN: one statement reads the response, others only whether what it belongs to exists

    def give_back(self, connection: Connection) -> None:
        """End the transaction of the driver, and keep the connection. One that fails is replaced."""
        try:
            driver: Any = connection.connection.driver_connection
            if driver.in_transaction:
                driver.rollback()
        except (sqlite3.Error, StatementError):
            connection.invalidate()
            connection.close()
        else:
            self._kept = connection

    def close(self) -> None:
        """Close the connection. The next transaction opens another one."""
        if self._kept is not None:
            self._kept.detach()  # from the pool, to which it would be returned
            self._kept.close()
            self._kept = None


class ReadingSession(Session):
    """A session whose statements read, and which is rolled back at its end.

    On SQLite, they read one snapshot, except in the event loop.

    Statements of the driver (`app/driver.py`) use its connection without the transaction objects of SQLAlchemy, which
    cost as much as a short statement. The first use of anything else joins the transaction that has begun, or begins
    one.
    """

    def __init__(self, engine: Engine, info: dict[Any, Any]) -> None:
        """Initialize without a connection, which is taken from the pool by the first statement."""
        super().__init__(expire_on_commit=False, info=info)
        self._engine = engine
        self._connection: Connection | None = None

    def begun(self) -> Connection:
        """Return the connection, in a transaction of the session if SQLAlchemy has begun or joined it.

        Otherwise it is in one of the driver, or on PostgreSQL in none.
        """
        if not self.in_transaction():
            return self._begun()
        self.flush()
        return self.connection()

    def _begun(self) -> Connection:
        if self._connection is None:
            connect = getattr(self._engine.dialect, "connect_to_read", _connect)
            self._connection = connect(self._engine)
        return self._connection

    def replace_lost(self, error: DBAPIError) -> Connection:
        """Return another connection if the one that raised `error` is lost, to repeat a statement that reads.

        Raises the error if the connection is not lost, or if SQLAlchemy has joined the transaction.
        """
        if not error.connection_invalidated or self.in_transaction():
            raise error
        self.close()
        return self._begun()

    def get_bind(self, *_mappers: Any, **_options: Any) -> Connection:
        """Return the connection, for the statements that SQLAlchemy executes."""
        if self._connection is None:
            take = getattr(self._engine.dialect, "take", Engine.connect)
            self._connection = take(self._engine)
        return self._connection

    def close(self) -> None:
        """End the transaction, and return the connection to the pool, which rolls back, or to the event loop."""
        if self.in_transaction():  # something else than the driver has used it
            super().close()
        if self._connection is not None:
            give_back = getattr(self._engine.dialect, "give_back", Connection.close)
            give_back(self._connection)
            self._connection = None


def begin(connection: Connection) -> None:
    """Begin a transaction of the driver. Raises what SQLAlchemy raises."""
    try:  # not `raising`, which takes 1 µs more: every transaction begins here
        connection.dialect.do_begin(connection.connection)
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, None, None, None, None)  # noqa: SLF001 - SQLAlchemy's error


@contextmanager
def raising(connection: Connection) -> Iterator[None]:
    """Raise the errors of the driver in a block as SQLAlchemy does."""
    try:
        yield
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, None, None, None, None)  # noqa: SLF001 - SQLAlchemy's error


def _connect(engine: Engine) -> Connection:
    connection = engine.connect()
    begin(connection)
    return connection
