"""SQL expressions of the reports that SQLite and PostgreSQL write differently.

Not in this module: which rows a report covers (its own module), and the types of columns (`models/base.py`).
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Dialect, FromClause
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from models.base import Instant

BASE = 1_000_000  # SQLite multiplies and adds up inventory values digit by digit in this base, because it has 64 bits
DECIMAL_PLACES = 2  # of Money, which SQLite stores in cents

# The number of a day in `DayRanges`, a status, and the number and the cents of the orders of both. Not a NamedTuple: a
# report creates thousands, and would take 3 percent longer.
DayStatusTotals = tuple[int, str, int, int]


class InventoryValue(TypeDecorator[Decimal]):
    """A sum of stock times price, exact at any size. On SQLite it is the text of its digits in cents: `3,131,25`."""

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Return the value."""
        if not isinstance(value, str):
            return value
        cents = 0
        for digit in value.split(","):
            cents = cents * BASE + int(digit)
        return Decimal(cents).scaleb(-DECIMAL_PLACES)


class DailyTotals(TypeDecorator[list[DayStatusTotals]]):
    """The totals of many days and statuses in one value: `0,SUBMITTED,3,13125;1,SHIPPED,…`.

    Fetching a row takes the interpreter's lock, for which concurrent orders wait. One value takes it only once.
    """

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[DayStatusTotals]:  # noqa: ARG002
        """Return the totals of the days and statuses that have orders."""
        entries = (entry.split(",") for entry in value.split(";")) if value else ()
        return [(int(day), status, int(count), int(cents)) for day, status, count, cents in entries if count != "0"]


class count_and_cents(FunctionElement[str]):  # noqa: N801 - reads as an SQL function
    """Count the rows and add up a column of Money in cents, as one value `3,13125`: a subquery yields only one."""

    type = sa.Text()
    inherit_cache = True


class inventory_value(FunctionElement[Decimal]):  # noqa: N801 - reads as an SQL function
    """Add up stock times price."""

    type = InventoryValue()
    inherit_cache = True


def daily_totals(
    day: ColumnElement[int], status: ColumnElement[str], totals: ColumnElement[str]
) -> ColumnElement[list[DayStatusTotals]]:
    """Return the totals of all rows, each with its day and status, as one value. `totals` is a `count_and_cents`."""
    entry = sa.cast(day, sa.Text) + "," + status + "," + totals
    return sa.type_coerce(sa.func.aggregate_strings(entry, ";"), DailyTotals())


@compiles(count_and_cents, "postgresql")
def _count_and_cents_postgresql(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    return f"count(*) || ',' || round(coalesce(sum({compiler.process(element.clauses, **options)}), 0) * 100)"


@compiles(count_and_cents, "sqlite")
def _count_and_cents_sqlite(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    return _joined("count(*)", f"sum({compiler.process(element.clauses, **options)})")


@compiles(inventory_value, "postgresql")
def _inventory_value_postgresql(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    stock, price = (compiler.process(clause, **options) for clause in element.clauses)
    return f"coalesce(sum({stock} * {price}), 0)"


@compiles(inventory_value, "sqlite")
def _inventory_value_sqlite(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
    """Multiply two numbers of two digits each, as on paper."""
    factors = (compiler.process(clause, **options) for clause in element.clauses)
    (a, b), (c, d) = ((f"{factor} / {BASE}", f"{factor} % {BASE}") for factor in factors)
    return _joined(f"sum({a} * ({c}))", f"sum({a} * ({d}) + {b} * ({c}))", f"sum({b} * ({d}))")


def _joined(*values: str) -> str:
    return " || ',' || ".join(f"coalesce({value}, 0)" for value in values)


class DayRanges:
    """The bound parameter `day_ranges` as a table: JSON `[[start, end], ...]` in milliseconds, one row for each day.

    Days are numbered from 0.
    """

    def __init__(self, dialect: str) -> None:
        """Write it for one database."""
        parameter = sa.bindparam("day_ranges", type_=sa.Text)
        self.table: FromClause
        self.start: ColumnElement[datetime]
        self.end: ColumnElement[datetime]
        if dialect == "postgresql":
            elements = sa.func.jsonb_array_elements(sa.cast(parameter, postgresql.JSONB))
            value = sa.column("value", postgresql.JSONB)
            self.table = elements.table_valued(value, with_ordinality="ordinal").render_derived()
            self.day: ColumnElement[int] = self.table.c.ordinal - 1
            self.start, self.end = (_instant(self.table.c.value[index].astext) for index in (0, 1))
        else:
            self.table = sa.func.json_each(parameter).table_valued("key", "value")
            self.day = self.table.c.key
            self.start, self.end = (
                sa.func.json_extract(self.table.c.value, path, type_=Instant) for path in ("$[0]", "$[1]")
            )


def _instant(milliseconds: ColumnElement[str]) -> ColumnElement[datetime]:
    """Return the time on PostgreSQL. The cast rounds away the fraction of a microsecond that the division leaves."""
    seconds = sa.cast(milliseconds, sa.Double) / sa.literal_column("1000", sa.Double)
    return sa.cast(sa.func.to_timestamp(seconds), Instant)
