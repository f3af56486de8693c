"""Statements that the driver executes, without the work that SQLAlchemy does for each execution.

Connections, transactions, errors and the event `before_cursor_execute` are those of SQLAlchemy.

Not in this module: compiling (`app/compiled.py`), types of rows (`app/queries/rows.py`), transactions (`app/db.py`).
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Engine, Executable, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.compiled import Columns, Parameters, Texts, Values
from app.driver_errors import TranslatedErrors
from app.reading import ReadingSession
from app.writing import WritingSession
from models.base import Instant, Milliseconds

EXITS = (KeyboardInterrupt, SystemExit)


class Result(NamedTuple):
    """The rows of the driver, and what reads their values."""

    values: Values
    columns: Columns


class DriverStatement:
    """A statement that the driver executes in the transaction of a session."""

    def __init__(self, sql: Executable) -> None:
        """Initialize without compiling, which the first execution does."""
        self.sql = sql
        self._texts = Texts(sql)
        self._columns: dict[type[Dialect], Columns] = {}

    def fetch(self, session: Session | Connection, parameters: Parameters) -> Result:
        """Execute the statement and return its rows. Raises what SQLAlchemy raises."""
        connection = connection_of(session)
        compiled, parameters = self._texts.find(connection.dialect, parameters)
        bound = compiled.bind(parameters)
        try:
            cursor = _execute(connection, compiled.text, bound)
        except DBAPIError as error:
            if not isinstance(session, ReadingSession):
                raise
            connection = session.replace_lost(error)
            cursor = _execute(connection, compiled.text, bound)
        columns = self._columns.get(type(connection.dialect))
        if columns is None:  # the first result has the types of the driver
            codes = [column[1] for column in cursor.description]
            columns = self._columns[type(connection.dialect)] = Columns(compiled.types, connection.dialect, codes)
        return Result(_fetch_all(connection, cursor, compiled.text, bound), columns)

    def write(self, session: Session | Connection, rows: Sequence[Parameters]) -> None:
        """Execute the statement with each of some parameters, which have the same names.

        Raises what SQLAlchemy raises. On PostgreSQL, a session that writes sends the statement with the next one that
        returns something, or with its commit, which then raises the error.
        """
        connection, text, bound, is_many = self._prepare_write(session, rows)
        if isinstance(session, WritingSession) and session.lets_writes_wait:
            if _has_listeners(connection):
                _notify(connection, text, bound, is_many=is_many)
            session.execute_later(text, bound, is_many=is_many)
        else:
            _execute(connection, text, bound, is_many=is_many).close()

    def write_counted(self, session: Session | Connection, rows: Sequence[Parameters]) -> int:
        """Execute the statement with each of some parameters. Return the number of rows changed.

        Raises what SQLAlchemy raises.
        """
        connection, text, bound, is_many = self._prepare_write(session, rows)
        cursor = _execute(connection, text, bound, is_many=is_many)
        changed: int = cursor.rowcount
        cursor.close()
        return changed

    def _prepare_write(
        self, session: Session | Connection, rows: Sequence[Parameters]
    ) -> tuple[Connection, str, Any, bool]:
        """Return the connection, the text, the parameters, and whether these are a list of those of several rows."""
        connection = connection_of(session)
        compiled, first = self._texts.find(connection.dialect, rows[0])
        is_many = len(rows) > 1
        bound = [compiled.bind(row) for row in rows] if is_many else compiled.bind(first)
        return connection, compiled.text, bound, is_many


def connection_of(session: Session | Connection) -> Connection:
    """Return the connection of a session, in a transaction that has written the objects of the session."""
    if isinstance(session, (ReadingSession, WritingSession)):
        return session.begun()
    if isinstance(session, Session):
        session.flush()
        return session.connection()
    if not session.in_transaction():
        session.begin()
    return session


def send_writes(session: Session | Connection) -> None:
    """Send the writes that wait for the next statement. Raises what SQLAlchemy raises."""
    if isinstance(session, WritingSession) and session.lets_writes_wait:
        session.send_writes()


def _execute(connection: Connection, text: str, bound: Any, *, is_many: bool = False) -> Any:
    """Return the cursor of the driver after it has executed a statement."""
    if _has_listeners(connection):
        _notify(connection, text, bound, is_many=is_many)
    try:
        driver: Any = connection.connection.driver_connection
        execute_now = getattr(connection.dialect, "execute_now", None)
        if execute_now is not None:
            return execute_now(driver, text, bound, is_many=is_many)
        return (driver.executemany if is_many else driver.execute)(text, bound)
    except (connection.dialect.loaded_dbapi.Error, *EXITS) as error:
        connection._handle_dbapi_exception(error, text, bound, None, None)  # noqa: SLF001 - raises SQLAlchemy's own


def _has_listeners(connection: Connection) -> bool:
    """Return whether an event has listeners, as SQLAlchemy does: what precedes them takes time."""
    return connection._has_events or connection.engine._has_events  # noqa: SLF001 - see above


def _notify(connection: Connection, text: str, bound: object, *, is_many: bool) -> None:
    """Call the listeners of an event, which get no cursor."""
    parameters = tuple(bound) if isinstance(bound, list) and not is_many else bound
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, None, text, parameters, None, is_many)


def _fetch_all(connection: Connection, cursor: Any, text: str, bound: Any) -> Values:
    """Return all rows: SQLite reads them now, and may find then that it cannot."""
    try:
        rows: Values = cursor.fetchall()
    except (connection.dialect.loaded_dbapi.Error, *EXITS) as error:
        connection._handle_dbapi_exception(error, text, bound, None, None)  # noqa: SLF001 - raises SQLAlchemy's own
    return rows


class DriverSelect:
    """A select in a separate transaction. Its rows have the values of the driver, and times as milliseconds."""

    def __init__(self, engine: Engine, statement: "Select[tuple[object, ...]]") -> None:
        """Initialize with a statement that has no parameter that is a list."""
        columns = [Milliseconds(one) if isinstance(one.type, Instant) else one for one in statement.selected_columns]
        self._texts = Texts(statement.with_only_columns(*columns, maintain_column_froms=True))
        self._engine = engine
        # PostgreSQL: BEGIN, the select and ROLLBACK are one message instead of three. SQLite needs no transaction.
        self._read: Callable[[Any, str, Any], Values] = getattr(engine.dialect, "read_at_once", _read)
        self._without_ping = getattr(engine.dialect, "without_ping", nullcontext)
        self._take: Callable[[Engine], Connection] = getattr(engine.dialect, "take", Engine.connect)
        self._give_back: Callable[[Connection], None] = getattr(engine.dialect, "give_back", Connection.close)

    def rows(self, parameters: Parameters) -> Values | None:
        """Return the rows, or None if the driver fails: the request then takes the usual way, which reports it.

        Raises DatabaseUnavailableError if no connection becomes free.
        """
        with TranslatedErrors():
            try:
                with self._without_ping():
                    connection = self._take(self._engine)
                compiled, _ = self._texts.find(self._engine.dialect, parameters)
                return self._execute(connection, compiled.text, compiled.bind(parameters))
            except (DBAPIError, self._engine.dialect.loaded_dbapi.Error):
                return None

    def _execute(self, connection: Connection, text: str, bound: object) -> Values:
        try:
            return self._read(connection.connection.driver_connection, text, bound)
        except self._engine.dialect.loaded_dbapi.Error:
            connection.invalidate()  # it may be lost: nothing has tested it
            raise
        finally:
            self._give_back(connection)


def _read(connection: Any, text: str, parameters: Any) -> Values:
    rows: Values = connection.execute(text, parameters).fetchall()
    return rows
