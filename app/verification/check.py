"""A check: a rule about the rows of a company, and the statement that finds the rows that break it.

A check reads ranges of ids, each with one statement in a short transaction. The memory that it takes does not depend on
the size of the company, and no writer waits for it. One statement sees one snapshot on both databases: a concurrent
change is either completely visible to it, with all its rows, or not at all.

Ranges of two tables are combined with UNION ALL and GROUP BY and not with a join: the plan of a join depends on
statistics, which PostgreSQL does not have yet of a table that was just filled.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import NO_PARAMETERS, Parameters, Row, Statement
from models.base import Id

RANGE_ROWS = 10_000  # of each table: 50 ms on a small machine
FIRST, LAST = "", "~"  # sort before and after every id
AFTER_PARAMETER, LAST_PARAMETER = bindparam("after", type_=Id), bindparam("last", type_=Id)
OFFSET = bindparam("offset", type_=sa.Integer)
CORRECT = "It was changed outside this server. Restore it or correct it as in docs/deployment.md, Verification."

RowT = TypeVar("RowT", bound=Row)
T = TypeVar("T")


class IdRange(NamedTuple):
    """The ids after `after`, up to and including `last`."""

    after: str
    last: str


class Problem(NamedTuple):
    """What is wrong with one row, and what to do. People know the row by its `label`, for example its sku."""

    entity: str
    id: str
    label: str | None
    text: str


class Findings(NamedTuple):
    """How many rows of a range were checked, how many of them are bad, and the problem of the first one."""

    checked: int
    bad: int
    first: Problem | None


class IdRow(Row):
    """The id at the end of a range."""

    id: str


class CountRow(Row):
    """The number of rows in a range."""

    number: int


class Check(Generic[RowT]):
    """A check that a statement does.

    `subject` is what the check counts, in the plural: the rows of the tables of the columns `counted`. The ranges of
    ids have at most RANGE_ROWS rows of each of these tables and of those of the columns `limited`, apart from further
    rows with the last id. `bad` yields the bad rows of a range, the first one first, and `problem` describes one.
    `parameters` returns further parameters of `bad` from the current time.
    """

    def __init__(
        self,
        name: str,
        *,
        subject: str,
        rule: str,
        counted: Sequence[Column[str]],
        limited: Sequence[Column[str]] = (),
        bad: Statement[RowT],
        problem: Callable[[RowT], Problem],
        parameters: Callable[[datetime], Parameters] = lambda _: NO_PARAMETERS,
    ) -> None:
        """Prepare the statements that count rows and limit ranges."""
        self.name = name
        self.subject = subject
        self.rule = rule
        self._counts = [_count(column) for column in counted]
        self._ends = [_end(column) for column in (*counted, *limited)]
        self._bad = bad
        self._problem = problem
        self._parameters = parameters

    def ranges(self, ctx: Context) -> Iterator[IdRange]:
        """Yield ranges that together include every id, also of rows that are added later."""
        after = FIRST
        while (last := self._end_of_range(ctx, after)) is not None:
            yield IdRange(after, last)
            after = last
        yield IdRange(after, LAST)

    def run(self, ctx: Context, ids: IdRange) -> Findings:
        """Check the rows of a range."""
        parameters = tenant.params(ctx, **ids._asdict(), **self._parameters(ctx.now))
        bad = self._bad.all(ctx.session, parameters)
        checked = sum(count.one(ctx.session, parameters).number for count in self._counts)
        return Findings(checked, len(bad), self._problem(bad[0]) if bad else None)

    def _end_of_range(self, ctx: Context, after: str) -> str | None:
        parameters = tenant.params(ctx, after=after, offset=RANGE_ROWS - 1)
        found = (end.one_or_none(ctx.session, parameters) for end in self._ends)
        return min((row.id for row in found if row is not None), default=None)


def within(column: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that an id is in the range."""
    return sa.and_(column > AFTER_PARAMETER, column <= LAST_PARAMETER)


def previous(column: Column[T], group: Column[str], *order: Column[Any]) -> ColumnElement[T]:
    """Return the value of a column in the row before, in the order of `order` within a group; null for the first."""
    return sa.func.lag(column).over(partition_by=group, order_by=order)


def _count(column: Column[str]) -> Statement[CountRow]:
    rows = sa.select(sa.func.count().label("number")).select_from(column.table)
    return Statement(CountRow, rows.where(tenant.where(column.table), within(column)))


def _end(column: Column[str]) -> Statement[IdRow]:
    rows = sa.select(column.label("id")).where(tenant.where(column.table), column > AFTER_PARAMETER)
    return Statement(IdRow, rows.order_by(column).offset(OFFSET).limit(1))
