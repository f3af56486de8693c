"""Indexes that are created while servers write: those of the models with `postgresql_concurrently`.

A revision would lock the table until its index is complete, and requests that wait for longer than 5 s fail. So
`distribu db upgrade` creates these indexes after the revisions. SQLite, which has one writer, cannot create an index
alongside others: there, the index of a large table is created only on request, when no server runs.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Index, Inspector, Table
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, DropIndex

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
    """An index that does not exist, or whose creation was interrupted."""

    definition: Index
    is_invalid: bool
    is_large: bool


def create_missing(database: Database, *, large: bool) -> list[str]:
    """Create the indexes that do not exist. Return the names of those that were not created, because of `large`."""
    with database.transaction() as session:
        missing = list(_missing(session))
        schema = None if database.is_sqlite else session.scalar(SELECT_SCHEMA)
    for index, is_invalid, is_large in missing:
        if is_large and not large:
            continue
        if is_invalid:
            database.execute_alone(DropIndex(index, if_exists=True), schema)
        database.execute_alone(CreateIndex(index, if_not_exists=True), schema)
        time.sleep(PAUSE_SECONDS)
    return [str(index.name) for index, _, is_large in missing if is_large and not large]


def _missing(session: Session) -> Iterator[MissingIndex]:
    connection = session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    invalid = set() if is_sqlite else set(session.scalars(SELECT_INVALID))
    for index in _online():
        if index.name in invalid or not _exists(sa.inspect(connection), index):
            is_large = is_sqlite and _row_count(session, index) > MAX_ROWS
            yield MissingIndex(index, index.name in invalid, is_large)


def _online() -> Iterator[Index]:
    for table in Base.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.dialect_options["postgresql"]["concurrently"]:
                yield index


def _exists(inspector: Inspector, index: Index) -> bool:
    return inspector.has_index(_table(index).name, str(index.name))


def _row_count(session: Session, index: Index) -> int:
    """Return the number of rows of an index, or one more than MAX_ROWS if there are more."""
    rows = sa.select(sa.literal(1)).select_from(_table(index)).limit(MAX_ROWS + 1)
    condition = index.dialect_options["sqlite"]["where"]
    if condition is not None:
        rows = rows.where(condition)
    return session.execute(sa.select(sa.func.count()).select_from(rows.subquery())).scalar_one()


def _table(index: Index) -> Table:
    assert index.table is not None  # it comes from a model
    return index.table
