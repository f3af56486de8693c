"""SQL that the two databases word differently. Not here: which rows are meant (the services), and column types."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Dialect, FromClause
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from models.base import Instant

LIMB = 1_000_000  # what stock is worth is added up in parts of this size on SQLite: they do not overflow 64 bits
CENTS = 2  # places of Money, which SQLite counts in cents


class Worth(TypeDecorator[tuple[int, Decimal]]):
    """How many, and how much: `3,131.25`, on SQLite `3,0,0,13125` for limbs of cents. Exact at any size."""

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, Decimal] | None:
        """Return count and amount."""
        if value is None:
            return None
        count, *parts = value.split(",")
        if dialect.name == "postgresql":
            return int(count), Decimal(parts[0])
        cents = 0
        for part in parts:
            cents = cents * LIMB + int(part)
        return int(count), Decimal(cents).scaleb(-CENTS)


class Tallies(TypeDecorator[list[tuple[int, str, int, int]]]):
    """Many numbers of rows and sums in cents in one value: `0,SUBMITTED,3,13125;1,SHIPPED,…`.

    A row costs the interpreter's lock, and orders that are placed meanwhile wait for it: one row costs it once.
    """

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[tuple[int, str, int, int]]:  # noqa: ARG002
        """Return number, name, count and cents of those that count any."""
        entries = (entry.split(",") for entry in value.split(";")) if value else ()
        return [(int(number), name, int(count), int(cents)) for number, name, count, cents in entries if count != "0"]


class tally(FunctionElement[str]):  # noqa: N801 - reads as an SQL function
    """Count the rows and add up a column of Money in cents, both in one value: a subquery has only one."""

    type = sa.Text()
    inherit_cache = True


class worth(FunctionElement[tuple[int, Decimal]]):  # noqa: N801 - reads as an SQL function
    """Count the rows and add up a whole number times a column of Money."""

    type = Worth()
    inherit_cache = True


def tallies(
    number: ColumnElement[int], name: ColumnElement[str], tally: ColumnElement[str]
) -> ColumnElement[list[tuple[int, str, int, int]]]:
    """Return the tallies of all rows, each with its number and name, as one value."""
    entry = sa.cast(number, sa.Text) + "," + name + "," + tally
    return sa.type_coerce(sa.func.aggregate_strings(entry, ";"), Tallies())


@compiles(tally, "postgresql")
def _tally(element: Any, compiler: Any, **options: Any) -> str:
    return f"count(*) || ',' || round(coalesce(sum({compiler.process(element.clauses, **options)}), 0) * 100)"


@compiles(tally, "sqlite")
def _tally_of_cents(element: Any, compiler: Any, **options: Any) -> str:
    return _row("count(*)", f"sum({compiler.process(element.clauses, **options)})")


@compiles(worth, "postgresql")
def _worth(element: Any, compiler: Any, **options: Any) -> str:
    number, price = (compiler.process(each, **options) for each in element.clauses)
    return f"count(*) || ',' || coalesce(sum({number} * {price}), 0)"


@compiles(worth, "sqlite")
def _worth_in_limbs(element: Any, compiler: Any, **options: Any) -> str:
    """Multiply as on paper: a large stock at a high price has more than 64 bits."""
    factors = (compiler.process(each, **options) for each in element.clauses)
    (a, b), (c, d) = ((f"{each} / {LIMB}", f"{each} % {LIMB}") for each in factors)
    return _row("count(*)", f"sum({a} * ({c}))", f"sum({a} * ({d}) + {b} * ({c}))", f"sum({b} * ({d}))")


def _row(*values: str) -> str:
    return " || ',' || ".join(f"coalesce({value}, 0)" for value in values)


class Spans:
    """The bound parameter `spans` as a table: JSON `[[start, end], ...]` in milliseconds, a row for each from 0 on."""

    def __init__(self, dialect: str) -> None:
        """Word it for one database."""
        given = sa.bindparam("spans", type_=sa.Text)
        self.table: FromClause
        self.start: ColumnElement[Any]
        self.end: ColumnElement[Any]
        if dialect == "postgresql":
            elements = sa.func.jsonb_array_elements(sa.cast(given, postgresql.JSONB))
            value = sa.column("value", postgresql.JSONB)
            self.table = elements.table_valued(value, with_ordinality="ordinal").render_derived()
            self.number: Any = self.table.c.ordinal - 1
            self.start, self.end = (_moment(self.table.c.value[each].astext) for each in (0, 1))
        else:
            self.table = sa.func.json_each(given).table_valued("key", "value")
            self.number = self.table.c.key
            self.start, self.end = (
                sa.func.json_extract(self.table.c.value, path, type_=Instant) for path in ("$[0]", "$[1]")
            )


def _moment(milliseconds: ColumnElement[str]) -> ColumnElement[Any]:
    """Return the moment on PostgreSQL; the cast rounds what the division left of a microsecond."""
    seconds = sa.cast(milliseconds, sa.Double) / sa.literal_column("1000", sa.Double)
    return sa.cast(sa.func.to_timestamp(seconds), Instant)
