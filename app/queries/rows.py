"""Typed rows: the columns that a statement returns, known to the type checker and checked once at import time.

1. A subclass of `Row` lists the columns of a statement, in their order. It is only a description: rows remain
   SQLAlchemy rows, with the same attributes and positions, so a type has no cost per row.
2. `Statement` connects a row type with a statement. If the statement returns different columns, importing the module
   fails.
3. A `RowSchema` (`app/schemas/base.py`) renders rows by position. It also names a row type, and is checked against it.

    class TermsRow(Row):
        status: str
        tax_rate: Decimal | None

    SELECT_TERMS = Statement(TermsRow, tenant.select(TABLE.c.status, TABLE.c.tax_rate))
    SELECT_TERMS.one(ctx.session, tenant.params(ctx)).tax_rate
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Generic, TypeVar, cast, get_args, get_type_hints

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Connection, Table
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import ExecutableReturnsRows, ReturnsRows

from models import PriceBreaks

AnyColumn = ColumnElement[Any]
Parameters = Mapping[str, object]
NO_PARAMETERS: Parameters = {}


class Row(tuple[object, ...]):
    """The base of row types. A subclass with more columns adds them at the end."""

    __slots__ = ()


RowT = TypeVar("RowT", bound=Row)


class Statement(Generic[RowT]):
    """A statement that returns rows of one type: a select, or an update or insert with RETURNING."""

    __slots__ = ("row_type", "sql")

    def __init__(self, row_type: type[RowT], sql: ExecutableReturnsRows) -> None:
        """Check the columns of `sql`. Raises TypeError if the columns or their order differ from the row type."""
        _check(row_type, sql)
        self.row_type = row_type
        self.sql = sql

    def all(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> Sequence[RowT]:
        """Return every row."""
        return cast("Sequence[RowT]", session.execute(self.sql, parameters).all())

    def one(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> RowT:
        """Return the only row. Raises NoResultFound or MultipleResultsFound when there is not exactly one."""
        return cast("RowT", session.execute(self.sql, parameters).one())

    def one_or_none(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> RowT | None:
        """Return the only row, or None when there is none."""
        return cast("RowT | None", session.execute(self.sql, parameters).one_or_none())


def names(row_type: type) -> list[str]:
    """Return the fields of a row type, starting with those of its base."""
    return list(get_type_hints(row_type))


def columns(row_type: type[Row], table: Table) -> list[Column[Any]]:
    """Return the columns of `table` that a row type lists."""
    return [table.c[name] for name in names(row_type)]


def check_order(subject: object, found: Iterable[str], expected: Iterable[str]) -> None:
    """Raise TypeError at the first name of `subject` that differs from the expected one."""
    for number, (name, expected_name) in enumerate(zip_longest(found, expected), 1):
        if name != expected_name:
            raise TypeError(f"{subject}: column {number} must be {expected_name}, but is {name}.")


def _check(row_type: type[Row], sql: ReturnsRows) -> None:
    hints = get_type_hints(row_type)
    selected = sql.exported_columns
    check_order(f"A statement that yields {row_type.__qualname__}", selected.keys(), hints)
    for column, (name, hint) in zip(selected, hints.items(), strict=True):
        if hasattr(sa.Row, name):
            raise TypeError(f"{row_type.__qualname__}.{name}: every row already has an attribute of this name.")
        if _yields_null(column) and type(None) not in get_args(hint):
            raise TypeError(f"{row_type.__qualname__}.{name}: the type has no None, but {column} may be null.")


def _yields_null(column: AnyColumn) -> bool:
    """Return whether a column may be null in a row. Null price breaks are an empty tuple there."""
    return isinstance(column, Column) and bool(column.nullable) and not isinstance(column.type, PriceBreaks)
