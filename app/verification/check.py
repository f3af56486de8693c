"""A check: a rule about the rows of a company, and the statement that finds the rows that break it.

A check reads ranges of ids, each with one statement in a short transaction. The memory that it takes does not depend on
the size of the company, and no writer waits for it. One statement sees one snapshot on both databases: a concurrent
change is either completely visible to it, with all its rows, or not at all.

Ranges of two tables are combined with UNION ALL and GROUP BY and not with a join: the plan of a join depends on
statistics, which PostgreSQL does not have yet of a table that was just filled.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement

from app.context import Context
from app.queries import tenant
from app.queries.rows import NO_PARAMETERS, Parameters, Row, Statement
from app.verification.ranges import IdRange, Ranges, within

CORRECT = "It was changed outside this server. Restore it or correct it as in docs/deployment.md, Verification."

RowT = TypeVar("RowT", bound=Row)
T = TypeVar("T")


class Problem(NamedTuple):
    """What is wrong with one row, and what to do. People know the row by its `label`, for example its sku.

    `separator` is between the row and the text: a space if both are one sentence.
    """

    entity: str
    id: str
    label: str | None
    text: str
    separator: str = ": "


class Findings(NamedTuple):
    """How many rows were checked, how many of them are bad, and the problem of the first one."""

    checked: int
    bad: int
    first: Problem | None


class CountRow(Row):
    """The number of rows in a range."""

    number: int


class CompanyRanges(Protocol):
    """Ranges of the rows of a company, in the order in which they are checked."""

    def of_company(self, ctx: Context) -> Iterator[IdRange]:
        """Yield ranges that together include every row. The first begins at FIRST, and the last ends at LAST."""


class AnyCheck(Protocol):
    """A check: `Check` has one statement, and others have more to do. `Check` describes the attributes."""

    name: str
    subject: str
    rule: str

    @property
    def ranges(self) -> CompanyRanges:
        """Return the ranges of what is checked."""

    def run(self, ctx: Context, ids: IdRange) -> Findings:
        """Check the rows of a range."""


class Check(Generic[RowT]):
    """A check that a statement does.

    `subject` is what the check counts, in the plural: the rows that have one of the columns `counted`. `bad` yields the
    bad rows of a range, the first one first, and `problem` describes one. `parameters` returns further parameters of
    `bad` from the current time.
    """

    def __init__(
        self,
        name: str,
        *,
        subject: str,
        rule: str,
        ranges: Ranges,
        counted: Sequence[Column[str]],
        bad: Statement[RowT],
        problem: Callable[[RowT], Problem],
        parameters: Callable[[datetime], Parameters] = lambda _: NO_PARAMETERS,
    ) -> None:
        """Prepare the statements that count rows."""
        self.name = name
        self.subject = subject
        self.rule = rule
        self.ranges = ranges
        self._counts = [_count(column) for column in counted]
        self._bad = bad
        self._problem = problem
        self._parameters = parameters

    def run(self, ctx: Context, ids: IdRange) -> Findings:
        """Check the rows of a range."""
        parameters = tenant.params(ctx, **ids._asdict(), **self._parameters(ctx.now))
        bad = self._bad.all(ctx.session, parameters)
        checked = sum(count.one(ctx.session, parameters).number for count in self._counts)
        return Findings(checked, len(bad), self._problem(bad[0]) if bad else None)


def previous(column: Column[T], group: Column[str], *order: Column[Any]) -> ColumnElement[T]:
    """Return the value of a column in the row before, in the order of `order` within a group; null for the first."""
    return sa.func.lag(column).over(partition_by=group, order_by=order)


def _count(column: Column[str]) -> Statement[CountRow]:
    rows = sa.select(sa.func.count().label("number")).select_from(column.table)
    return Statement(CountRow, rows.where(tenant.where(column.table), within(column)))
