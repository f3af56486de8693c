"""Rows that a transaction has just written, without reading them: the values are given, or their columns have defaults.

    INSERT_ONE = Insert(OrderDetailRow, TABLE, COLUMNS)  # the columns with which a select returns such a row
    order = INSERT_ONE.one(ctx.session, {"id": new_id(ctx.now), ...})

    WRITTEN = WrittenRow(ProductRow, TABLE, COLUMNS)
    UPDATE.one(ctx.session, {"row_id": before.id, "price": price, ...})
    product = WRITTEN.updated(before, {"price": price, ...})  # `before` is locked, so the other columns are the same

A row has the values that reading it would return: an amount has the scale of its column, a time ends at the
millisecond, and an enumeration is a text. If the value of a column is not known, importing the module fails.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Table
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import Label
from sqlalchemy.sql.functions import coalesce
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from app.compiled import ColumnType, Processor
from app.queries.rows import AnyColumn, Parameters, RowT, Write, check
from models import PriceBreaks
from models.base import Fixed, Instant


def _read_json(value: object) -> object:
    return json.loads(json.dumps(value))


# By the type of a column: the function from a value that is written to the one that is read, None if they are equal.
READERS: Mapping[type[ColumnType], Callable[..., Processor | None]] = {
    Fixed: lambda kind: kind.exact,
    Instant: lambda kind: kind.truncated,
    PriceBreaks: lambda _kind: tuple,
    sa.JSON: lambda _kind: _read_json,
    sa.String: lambda _kind: str,
    sa.Boolean: lambda _kind: None,
    sa.Integer: lambda _kind: None,
}


class Source(NamedTuple):
    """Where the value of a column of a row comes from: its name among the values that are given, and its default."""

    name: str
    default: object
    read: Processor | None

    def inserted(self, values: Parameters) -> object:
        """Return the value that reading the column of a new row would return."""
        value = values.get(self.name, self.default)
        return value if value is None or self.read is None else self.read(value)

    def updated(self, before: object, values: Parameters) -> object:
        """Return the value that reading the column of an updated row would return, which had the value `before`."""
        return self.inserted(values) if self.name in values else before


class WrittenRow(Generic[RowT]):
    """The row that a select would return after an insert or an update."""

    def __init__(self, row_type: type[RowT], table: Table, columns: Sequence[AnyColumn]) -> None:
        """Prepare for rows of `table`. `columns` are those with which a select returns such a row.

        The values of columns of other tables are given with those that are written, by their names in the row. Raises
        TypeError if the columns differ from the row type, or if the value of one is not known.
        """
        check(row_type, sa.select(*columns))
        self.row_type = row_type
        self.sources = [_source(table, column) for column in columns]

    def inserted(self, values: Parameters) -> RowT:
        """Return the row that an insert of these values makes."""
        return self.row_type([source.inserted(values) for source in self.sources])

    def updated(self, before: RowT, values: Parameters) -> RowT:
        """Return the row that an update to these values makes of a locked row, which may have more columns."""
        pairs = zip(self.sources, before, strict=False)
        return self.row_type([source.updated(value, values) for source, value in pairs])


class Insert(Generic[RowT]):
    """An insert, and the rows that it makes."""

    def __init__(self, row_type: type[RowT], table: Table, columns: Sequence[AnyColumn]) -> None:
        """Prepare the insert into `table`. Raises like `WrittenRow`, which explains the parameters."""
        self._row = WrittenRow(row_type, table, columns)
        self._write = Write(table.insert())
        self._not_inserted = {source.name for source in self._row.sources} - {*table.c.keys()}

    def one(self, session: Session | Connection, values: Parameters) -> RowT:
        """Insert a row and return it. Raises what SQLAlchemy raises."""
        (row,) = self.all(session, [values])
        return row

    def all(self, session: Session | Connection, rows: Sequence[Parameters]) -> list[RowT]:
        """Insert rows, at least one, and return them. Their values have the same names."""
        self._write.all(session, [self._inserted(values) for values in rows] if self._not_inserted else rows)
        return [self._row.inserted(values) for values in rows]

    def _inserted(self, values: Parameters) -> Parameters:
        return {name: value for name, value in values.items() if name not in self._not_inserted}


def _source(table: Table, selected: AnyColumn) -> Source:
    """Return the source of a column of a row. Raises TypeError."""
    column = _written_column(selected)
    readers = [found(column.type) for kind, found in READERS.items() if isinstance(column.type, kind)]
    if not isinstance(column, Column) or not readers:
        raise TypeError(f"The value of {selected} after an insert is not known.")
    if column.table is not table:
        return Source(str(selected.key), None, readers[0])
    if isinstance(column.default, ScalarElementColumnDefault):
        return Source(column.name, column.default.arg, readers[0])
    if column.default is not None or column.server_default is not None:
        raise TypeError(f"The value of {column} after an insert is not known, because its default is not a constant.")
    return Source(column.name, None, readers[0])


def _written_column(selected: AnyColumn) -> AnyColumn:
    """Return the column whose value a column of a row has after a write that gives it, which may replace a null."""
    column = selected.element if isinstance(selected, Label) else selected
    return next(iter(column.clauses)) if isinstance(column, coalesce) else column
