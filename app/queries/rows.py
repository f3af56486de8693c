"""Typed rows: the columns that a statement returns, known to the type checker and checked once at import time.

1. A subclass of `Row` lists the columns of a statement, in their order. Its rows are tuples whose values also have
   names.
2. `Statement` connects a row type with a statement. If the statement returns different columns, importing the module
   fails.
3. A `RowSchema` (`app/schemas/base.py`) renders rows by position. It also names a row type, and is checked against it.
4. `Rows` have the values of the driver. They become rows of their type where a service reads them; a list renders them
   as they are.

    class TermsRow(Row):
        status: str
        tax_rate: Decimal | None

    SELECT_TERMS = Statement(TermsRow, tenant.select(TABLE.c.status, TABLE.c.tax_rate))
    SELECT_TERMS.one(ctx.session, tenant.params(ctx)).tax_rate
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import zip_longest
from operator import itemgetter
from typing import Any, Generic, Self, TypeVar, get_args, get_type_hints, overload

from sqlalchemy import Column, ColumnElement, Connection, Table
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import ExecutableReturnsRows, ReturnsRows

from app.compiled import Columns, Values
from app.driver import DriverStatement
from models import PriceBreaks

AnyColumn = ColumnElement[Any]
Parameters = Mapping[str, object]
NO_PARAMETERS: Parameters = {}
NO_COLUMNS = Columns((), DefaultDialect(), ())


class Row(tuple[object, ...]):
    """The base of row types. A subclass with more columns adds them at the end."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Give the positions of a row their names."""
        declared = (name for base in reversed(cls.__mro__) for name in inspect.get_annotations(base))
        for position, name in enumerate(dict.fromkeys(declared)):  # a subclass may narrow the type of a column
            setattr(cls, name, property(itemgetter(position)))


RowT = TypeVar("RowT", bound=Row)


class Rows(Sequence[RowT]):
    """The rows of a statement with the values of the driver, until one is read."""

    def __init__(self, row_type: type[RowT], values: Values, columns: Columns) -> None:
        """Initialize with the values of the driver and what reads them."""
        self.row_type = row_type
        self.values = values
        self.columns = columns

    @classmethod
    def none(cls, row_type: type[RowT]) -> Self:
        """Return no rows, without a statement."""
        return cls(row_type, (), NO_COLUMNS)

    @cached_property
    def _rows(self) -> list[RowT]:
        return list(map(self.row_type, self.columns.read(self.values)))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)

    def __iter__(self) -> Iterator[RowT]:
        """Iterate over the rows."""
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> RowT: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> RowT | Self:
        """Return a row, or the rows of a slice, which have the values of the driver."""
        if isinstance(index, int):
            return self._rows[index]
        return type(self)(self.row_type, self.values[index], self.columns)

    def __add__(self, other: Self) -> Self:
        """Return these rows and those of a statement with the same columns."""
        return type(self)(self.row_type, [*self.values, *other.values], self.columns)

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence of rows."""
        return self._rows == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def column(self, name: str) -> list[Any]:
        """Return the values of one column."""
        if not self.values:
            return []
        position = _position(self.row_type, name)
        read = self.columns.readers[position]
        values = map(itemgetter(position), self.values)
        return list(values if read is None else map(read, values))


class Statement(Generic[RowT]):
    """A statement that returns rows of one type: a select, or an update or insert with RETURNING."""

    __slots__ = ("_statement", "row_type")

    def __init__(self, row_type: type[RowT], sql: ExecutableReturnsRows) -> None:
        """Check the columns of `sql`. Raises TypeError if the columns or their order differ from the row type."""
        check(row_type, sql)
        self.row_type = row_type
        self._statement = DriverStatement(sql)

    @property
    def sql(self) -> ExecutableReturnsRows:
        """The statement of SQLAlchemy."""
        return self._statement.sql  # type: ignore[return-value]  # given to the constructor

    def rows(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> Rows[RowT]:
        """Return every row, with the values of the driver until one is read."""
        return Rows(self.row_type, *self._statement.fetch(session, parameters))

    def all(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> Sequence[RowT]:
        """Return every row."""
        values, columns = self._statement.fetch(session, parameters)
        return list(map(self.row_type, columns.read(values)))

    def one(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> RowT:
        """Return the only row. Raises NoResultFound or MultipleResultsFound when there is not exactly one."""
        row = self.one_or_none(session, parameters)
        if row is None:
            raise NoResultFound("No row was found when one was required")
        return row

    def one_or_none(self, session: Session | Connection, parameters: Parameters = NO_PARAMETERS) -> RowT | None:
        """Return the only row, or None when there is none. Raises MultipleResultsFound."""
        rows = self.all(session, parameters)
        if len(rows) > 1:
            raise MultipleResultsFound("Multiple rows were found when one or none was required")
        return rows[0] if rows else None


class Write:
    """A statement that changes rows and returns none: an insert, update or delete."""

    __slots__ = ("_statement",)

    def __init__(self, sql: UpdateBase) -> None:
        """Initialize with the statement, whose parameters are also the columns that an insert or update sets."""
        self._statement = DriverStatement(sql)

    def one(self, session: Session | Connection, parameters: Parameters) -> None:
        """Execute the statement. Its error may be that of the next statement of the session, or of its commit."""
        self._statement.write(session, (parameters,))

    def all(self, session: Session | Connection, parameters: Sequence[Parameters]) -> None:
        """Execute the statement with each of some parameters, which have the same names. Raises like `one`."""
        self._statement.write(session, parameters)

    def count(self, session: Session | Connection, parameters: Sequence[Parameters]) -> int:
        """Execute the statement at once, with each of some parameters. Return the number of rows changed."""
        return self._statement.write_counted(session, parameters)


def names(row_type: type) -> list[str]:
    """Return the fields of a row type, starting with those of its base."""
    return list(get_type_hints(row_type))


@cache
def _position(row_type: type, name: str) -> int:
    return names(row_type).index(name)


def columns(row_type: type[Row], table: Table) -> list[Column[Any]]:
    """Return the columns of `table` that a row type lists."""
    return [table.c[name] for name in names(row_type)]


def check_order(subject: object, found: Iterable[str], expected: Iterable[str]) -> None:
    """Raise TypeError at the first name of `subject` that differs from the expected one."""
    for number, (name, expected_name) in enumerate(zip_longest(found, expected), 1):
        if name != expected_name:
            raise TypeError(f"{subject}: column {number} must be {expected_name}, but is {name}.")


def check(row_type: type[Row], sql: ReturnsRows) -> None:
    """Raise TypeError if a statement returns other columns than a row type lists, or a null that the type has not."""
    hints = get_type_hints(row_type)
    selected = sql.exported_columns
    check_order(f"A statement that yields {row_type.__qualname__}", selected.keys(), hints)
    for column, (name, hint) in zip(selected, hints.items(), strict=True):
        if hasattr(Row, name):
            raise TypeError(f"{row_type.__qualname__}.{name}: every row already has an attribute of this name.")
        if _yields_null(column) and type(None) not in get_args(hint):
            raise TypeError(f"{row_type.__qualname__}.{name}: the type has no None, but {column} may be null.")


def _yields_null(column: AnyColumn) -> bool:
    """Return whether a column may be null in a row. Null price breaks are an empty tuple there."""
    return isinstance(column, Column) and bool(column.nullable) and not isinstance(column.type, PriceBreaks)
