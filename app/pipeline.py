"""Connections to PostgreSQL that send several statements in one message (docs/decisions/0028).

1. A write whose result is not needed waits on its connection. The next statement that returns something, a savepoint or
   COMMIT sends it, in psycopg's pipeline mode.
2. If a statement fails, PostgreSQL executes none of those that were sent after it, COMMIT included. Its error is raised
   where they are sent, and the transaction can only be rolled back, or back to a savepoint.

Not in this module: which writes wait (`app/driver.py`), and the settings of connections (`app/postgresql.py`).
"""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.types.string import TextLoader
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from app.compiled import Tuple
from app.reading import raising

TEXT_TYPES = ("timestamptz", "numeric")  # JSON is made of their texts, without a datetime or Decimal


class TextCursor(psycopg.Cursor[Tuple]):
    """A cursor that leaves the values of some types as texts."""

    __slots__ = ()
    _text_adapters = AdaptersMap(psycopg.adapters)
    for _name in TEXT_TYPES:
        _text_adapters.register_loader(_name, TextLoader)

    @property
    def adapters(self) -> AdaptersMap:
        """Return the functions that convert values, shared by all cursors."""
        return self._text_adapters


class Message(NamedTuple):
    """A statement, and its parameters or, if it `is_many`, a list of them."""

    text: Any  # a str, which psycopg takes only as a literal
    parameters: Any = None
    is_many: bool = False

    def execute(self, cursor: TextCursor) -> TextCursor:
        """Execute the statement and return the cursor. In a pipeline, it is only sent. Raises psycopg.Error."""
        execute = cursor.executemany if self.is_many else cursor.execute
        execute(self.text, self.parameters)
        return cursor


class PipelineConnection(psycopg.Connection[Tuple]):
    """A connection with writes that wait. Everything that it executes sends them first."""

    started_ms = 0  # the time of the transaction, if it has the lock of that time (`app/clock.py`)
    _waiting: Sequence[Message] = ()
    _has_failed = False  # a write that waited has failed, or was not executed

    @property
    def has_begun(self) -> bool:
        """Whether a transaction has begun, and no error has undone it."""
        return self.pgconn.transaction_status == TransactionStatus.INTRANS

    def later(self, text: str, parameters: object = None, *, is_many: bool = False) -> None:
        """Execute a statement together with the next one."""
        self._waiting = (*self._waiting, Message(text, parameters, is_many))

    def run(self, message: Message) -> TextCursor:
        """Execute a statement after those that wait, and return its cursor. Raises the first error of all of them."""
        if self._waiting or message.is_many:  # several parameters are a pipeline, too
            return self._send((*self._waiting, message))
        return message.execute(TextCursor(self))

    def flush(self) -> None:
        """Execute the statements that wait. Raises the first error."""
        if self._waiting:
            self._send(self._waiting)

    def cursor(self, *arguments: Any, **options: Any) -> Any:
        """Return a cursor, after the statements that wait."""
        self.flush()
        return super().cursor(*arguments, **options)

    def commit(self) -> None:
        """Commit, together with the statements that wait. If that fails, roll back, and raise the first error.

        A transaction in which a statement has failed cannot be committed. PostgreSQL itself would only undo it.
        """
        try:
            if self._has_failed or self.pgconn.transaction_status == TransactionStatus.INERROR:
                raise psycopg.InternalError("A statement of the transaction has failed.")
            # Not psycopg's own COMMIT, whose error has no code if a pooler adds one to that of a server that is lost.
            if self.pgconn.transaction_status != TransactionStatus.IDLE:
                self.run(Message("COMMIT"))
        except psycopg.Error:
            with suppress(psycopg.Error):  # the connection may be lost
                self.rollback()
            raise

    def rollback(self) -> None:
        """Undo the transaction."""
        self._forget()
        super().rollback()

    def save(self, savepoint: str) -> None:
        """Set a savepoint, together with the next statement. Raises the error of a statement that waits."""
        self.flush()
        self.later(f"SAVEPOINT {savepoint}")

    def undo(self, savepoint: str) -> None:
        """Undo what was executed since a savepoint. Statements that wait are later than any that was set."""
        is_set = Message(f"SAVEPOINT {savepoint}") not in self._waiting
        self._forget()
        if is_set:
            self.execute(f"ROLLBACK TO SAVEPOINT {savepoint}".encode())

    def _send(self, messages: Sequence[Message]) -> TextCursor:
        """Execute statements in one message, and return the cursor of the last one. Raises the first error."""
        self._waiting = ()
        self._has_failed = True  # until all have been executed
        cursors = [TextCursor(self) for _ in messages]
        try:
            with self.pipeline() if len(messages) > 1 else nullcontext():
                for message, cursor in zip(messages, cursors, strict=True):
                    message.execute(cursor)
        except psycopg.Error as error:
            pairs = zip(messages, cursors, strict=True)
            failed = next((message.text for message, cursor in pairs if not cursor.statusmessage), "")
            cause = self._cause(error)
            cause.add_note(f"[Statement: {failed}]")
            raise cause from None
        self._has_failed = False
        return cursors[-1]

    def _cause(self, error: psycopg.Error) -> psycopg.Error:
        """Return why a pipeline has failed.

        A connection that is lost may not leave the pipeline mode: psycopg raises that, with the cause as its context.
        It cannot even roll back, so it is closed, and the pool replaces it.
        """
        if self.pgconn.pipeline_status == PipelineStatus.OFF:
            return error
        self.close()
        return error.__context__ if isinstance(error.__context__, psycopg.Error) else error

    def _forget(self) -> None:
        self._waiting = ()
        self._has_failed = False


class PipelineDialect(PGDialect_psycopg):
    """The part of the dialect that makes such connections, and executes statements and savepoints on them."""

    def connect(self, *arguments: Any, **parameters: Any) -> Any:
        """Connect to the server."""
        return PipelineConnection.connect(*arguments, **parameters)

    @staticmethod
    def execute_now(driver: PipelineConnection, text: str, bound: object, *, is_many: bool) -> TextCursor:
        """Execute a statement after those that wait, and return its cursor. Raises psycopg.Error."""
        return driver.run(Message(text, bound, is_many))

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Set a savepoint together with the next statement. Raises what SQLAlchemy raises."""
        with raising(connection):
            driver_of(connection).save(name)

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Undo what was executed since a savepoint. Raises what SQLAlchemy raises."""
        with raising(connection):
            driver_of(connection).undo(name)

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Release a savepoint together with the next statement."""
        driver_of(connection).later(f"RELEASE SAVEPOINT {name}")


def driver_of(connection: Connection) -> PipelineConnection:
    """Return the connection of psycopg."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, PipelineConnection)
    return driver
