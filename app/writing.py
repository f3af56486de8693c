"""Sessions that write.

Not in this module: `app/db.py`, transactions that share a commit (`app/commit_group.py`), and writes that are sent
together (`app/pipeline.py`).
"""

from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session

from app.commit_group import CommitGroup
from app.reading import begin, raising


class SqliteDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect for SQLite, with transactions that write."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction, unless a WritingSession did before SQLAlchemy joins it."""
        dbapi_connection.driver_connection.begin()


class WritingSession(Session):
    """A session that writes in a separate transaction or, on SQLite, in a savepoint of a group.

    Statements of the driver (`app/driver.py`) use its connection without the transaction objects of SQLAlchemy. The
    first use of anything else joins the transaction that has begun.
    """

    def __init__(self, engine: Engine, group: CommitGroup | None, info: dict[Any, Any]) -> None:
        """Connect, or use the connection of the group. Raises like both."""
        super().__init__(expire_on_commit=False, info=info)
        connect = getattr(engine.dialect, "connect_to_write", Engine.connect)
        self._connection: Connection = group.connection() if group else connect(engine)
        self._driver: Any = self._connection.connection.driver_connection
        self.lets_writes_wait = hasattr(self._driver, "later")  # for the next statement: PostgreSQL
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
            begin(self._connection)
            self._has_begun = True
        elif not self._driver.has_begun:
            raise PendingRollbackError("An error has undone the transaction.")
        return self._connection

    def get_bind(self, *_mappers: Any, **_options: Any) -> Connection:
        """Return the connection, for the statements that SQLAlchemy executes."""
        self._is_joined = True
        return self._begun()

    def execute_later(self, text: str, bound: object, *, is_many: bool) -> None:
        """Let a statement of the driver wait for the next one that returns something, or for the commit."""
        self._driver.later(text, bound, is_many=is_many)

    def send_writes(self) -> None:
        """Send the writes that wait. Raises what SQLAlchemy raises."""
        with raising(self._connection):
            self._driver.flush()

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
