"""Indexes that are created while servers write: those of the models with `postgresql_concurrently`.

A revision would lock the table until its index is complete, and requests that wait for longer than 5 s fail. So
`distribu db upgrade` creates these indexes after the revisions. SQLite, which has one writer, cannot create an index
alongside others: there, the index of a large table is created only on request, when no server runs.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Index, Inspector, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, DropIndex, ExecutableDDLElement

from app.db import Database
from models import Base

MAX_ROWS = 500_000  # of an index of SQLite; its creation takes about 0.4 s
PAUSE_SECONDS = 0.25  # between two indexes; a waiting writer of SQLite sleeps for 0.1 s between two attempts
SELECT_SCHEMA = sa.text("SELECT current_schema()")
# PostgreSQL keeps an index whose creation was interrupted, and does not use it.
SELECT_INVALID = sa.text(
    "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE NOT indisvalid AND relnamespace = to_regnamespace(quote_ident(current_schema()))"
)


class MissingIndex(NamedTuple):
    """An index that does not exist, or whose creation was interrupted. It has `rows`, or more than the limit."""

    definition: Index
    is_invalid: bool
    rows: int


def create_missing(database: Database, *, max_rows: int | None = MAX_ROWS) -> list[str]:
    """Create the indexes that do not exist. Return the names of those of SQLite that have more than `max_rows`."""
    too_large = []
    with _alone(database):
        with database.transaction() as session:
            missing = list(_missing(session, max_rows))
            schema = None if database.is_sqlite else session.scalar(SELECT_SCHEMA)
        for definition, is_invalid, rows in missing:
            if max_rows is not None and rows > max_rows:
                too_large.append(str(definition.name))
                continue
            if is_invalid:
                _execute(database, DropIndex(definition, if_exists=True), schema)
            _execute(database, CreateIndex(definition, if_not_exists=True), schema)
            time.sleep(PAUSE_SECONDS)
    return too_large


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """Wait for other upgrades: to them, an index that is being created looks interrupted. SQLite has one writer."""
    if database.is_sqlite:
        yield
        return
    with database.connection() as connection:
        database.lock_schema(connection)
        yield


def _execute(database: Database, statement: ExecutableDDLElement, schema: str | None) -> None:
    """Execute a statement in a separate transaction on SQLite, and in none on PostgreSQL: no time limit applies there.

    Outside of a transaction there is no search path either, so names are qualified.
    """
    with database.connection() as connection:
        if database.is_sqlite:
            connection.execute(statement)
            return
        sql = statement.compile(connection, schema_translate_map={None: schema}, render_schema_translate=True)
        driver: Any = connection.connection.driver_connection
        driver.rollback()
        try:
            connection.dialect.execute_alone(driver, str(sql))  # type: ignore[attr-defined]  # of app/postgresql.py
        except Exception as error:
            raise DBAPIError(str(sql), None, error) from error


def _missing(session: Session, max_rows: int | None) -> Iterator[MissingIndex]:
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    invalid = set() if is_sqlite else set(session.scalars(SELECT_INVALID))
    for index in _online():
        if index.name in invalid or not _exists(sa.inspect(connection), index):
            rows = _row_count(session, index, max_rows + 1) if is_sqlite and max_rows is not None else 0
            yield MissingIndex(index, index.name in invalid, rows)


def _online() -> Iterator[Index]:
    for table in Base.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.dialect_options["postgresql"]["concurrently"]:
                yield index


def _exists(inspector: Inspector, index: Index) -> bool:
    return inspector.has_index(_table(index).name, str(index.name))


def _row_count(session: Session, index: Index, limit: int) -> int:
    """Return the number of rows that an index would have, at most `limit`."""
    rows = sa.select(sa.literal(1)).select_from(_table(index)).limit(limit)
    condition = index.dialect_options["sqlite"]["where"]
    if condition is not None:
        rows = rows.where(condition)
    return session.execute(sa.select(sa.func.count()).select_from(rows.subquery())).scalar_one()


def _table(index: Index) -> Table:
    assert index.table is not None  # it comes from a model
    return index.table
