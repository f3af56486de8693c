"""Inserts that return their rows without reading them: the caller gives the values, or columns have a default.

    INSERT_ONE = Insert(OrderDetailRow, TABLE, COLUMNS)  # the columns with which a select returns such a row
    order = INSERT_ONE.one(ctx.session, {"id": new_id(ctx.now), ...})

A row has the values that reading it would return: an amount has the scale of its column, a time ends at the
millisecond, and an enumeration is a text. If the value of a column is not known, importing the module fails.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Column, Connection, Table
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import Label
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from app.compiled import ColumnType, Processor
from app.queries.rows import AnyColumn, Parameters, RowT, Write, check
from models.base import Fixed, Instant


def _read_json(value: object) -> object:
    return json.loads(json.dumps(value))


# By the type of a column: the function from a value that is written to the one that is read, None if they are equal.
READERS: Mapping[type[ColumnType], Callable[..., Processor | None]] = {
    Fixed: lambda kind: kind.exact,
    Instant: lambda kind: kind.truncated,
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


class Insert(Generic[RowT]):
    """An insert, and the rows that it makes."""

    def __init__(self, row_type: type[RowT], table: Table, columns: Sequence[AnyColumn]) -> None:
        """Prepare the insert into `table`. `columns` are those with which a select returns such a row.

        The values of columns of other tables are given with those that are inserted, by their names in the row. Raises
        TypeError if the columns differ from the row type, or if the value of one is not known.
        """
        check(row_type, sa.select(*columns))
        self.row_type = row_type
        self._write = Write(table.insert())
        self._sources = [_source(table, column) for column in columns]
        self._not_inserted = {source.name for source in self._sources} - {*table.c.keys()}

    def one(self, session: Session | Connection, values: Parameters) -> RowT:
        """Insert a row and return it. Raises what SQLAlchemy raises."""
        (row,) = self.all(session, [values])
        return row

    def all(self, session: Session | Connection, rows: Sequence[Parameters]) -> list[RowT]:
        """Insert rows, at least one, and return them. Their values have the same names."""
        self._write.all(session, [self._inserted(values) for values in rows] if self._not_inserted else rows)
        return [self.row_type(self._read(values)) for values in rows]

    def _inserted(self, values: Parameters) -> Parameters:
        return {name: value for name, value in values.items() if name not in self._not_inserted}

    def _read(self, values: Parameters) -> Iterable[object]:
        for name, default, read in self._sources:
            value = values.get(name, default)
            yield value if value is None or read is None else read(value)


def _source(table: Table, selected: AnyColumn) -> Source:
    """Return the source of a column of a row. Raises TypeError."""
    column = selected.element if isinstance(selected, Label) else selected
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
