"""Sessions that write, and how their transactions begin on SQLite.

Not in this module: `app/db.py`, and transactions that share a commit (`app/commit_group.py`).
"""

from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session

from app import sqlite
from app.commit_group import CommitGroup


class SqliteDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect for SQLite, with transactions that write."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction, unless a WritingSession did before SQLAlchemy joins it."""
        dbapi_connection.driver_connection.begin()


class WritingSession(Session):
    """A session that writes to SQLite in a separate transaction, or in a savepoint of a group.

    Statements of the driver (`app/driver.py`) use its connection without the transaction objects of SQLAlchemy. The
    first use of anything else joins the transaction that has begun.
    """

    def __init__(self, engine: Engine, group: CommitGroup | None, info: dict[Any, Any]) -> None:
        """Connect, or use the connection of the group. Raises like both."""
        super().__init__(expire_on_commit=False, info=info)
        self._connection = group.connection() if group else engine.connect()
        self._driver = sqlite.driver(self._connection)
        self._is_member = group is not None
        self._has_begun = self._is_joined = False

    def begun(self) -> Connection:
        """Return the connection, in a transaction of the driver or, once SQLAlchemy has joined it, of the session.

        Raises OperationalError if it cannot begin, PendingRollbackError if an error has undone it.
        """
        if not self.in_transaction():
            return self._begun()
        self.flush()
        return self.connection()

    def _begun(self) -> Connection:
        if not self._has_begun:
            sqlite.begin(self._driver)
            self._has_begun = True
        elif not self._driver.has_begun:
            raise PendingRollbackError("An error has undone the transaction.")
        return self._connection

    def get_bind(self, *_mappers: Any, **_options: Any) -> Connection:
        """Return the connection, for the statements that SQLAlchemy executes."""
        self._is_joined = True
        return self._begun()

    def commit(self) -> None:
        """Commit what the driver and SQLAlchemy have written. Raises what SQLAlchemy raises."""
        if self.in_transaction():
            self.connection()  # joins, if nothing has: SQLAlchemy commits only what it has joined
            super().commit()
        elif self._has_begun:
            try:
                self._begun()
                self._driver.commit()
            except self._connection.dialect.loaded_dbapi.Error as error:
                self._connection._handle_dbapi_exception(error, None, None, None, None)  # noqa: SLF001 - its own error
        self._has_begun = False

    def close(self) -> None:
        """Undo what has not been committed. The connection returns to the pool, or remains that of the group."""
        if self.in_transaction() or self._is_joined:
            super().close()
        if not self._is_member:
            self._connection.close()
        elif self._has_begun:
            self._driver.rollback()
        self._has_begun = False


def session(engine: Engine, group: CommitGroup | None, info: dict[Any, Any]) -> Session:
    """Return a session that writes: to SQLite alone, or as a member of a group."""
    if isinstance(engine.dialect, SqliteDialect):
        return WritingSession(engine, group, info)
    return Session(engine, expire_on_commit=False, info=info)


def begun(session: Session) -> Connection:
    """Return the connection of a session, in a transaction that has begun."""
    return session.begun() if isinstance(session, WritingSession) else session.connection()
