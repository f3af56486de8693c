"""The sales report: the orders of a range by day and by status, equal to a plain sum to the cent (contract, section 7).

Two statements, each of which reads an index and not the orders themselves.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy import Select

from app.context import Context
from app.queries import tenant
from app.reports import ranges
from app.reports.order_totals import IN_RANGE, NO_ORDERS, OrderTotals
from app.reports.ranges import Range
from app.reports.sql import Spans, tallies, tally
from app.services.orders import TABLE
from app.services.pricing import CENT
from models import OrderStatus
from models.base import EPOCH, MILLISECOND

MAX_ZEROS = 366  # days of a range up to which days without orders are listed too
DAY_MILLISECONDS = 86_400_000
EDGE = tenant.select(TABLE.c.created_at).where(*IN_RANGE).limit(1)
EDGES = sa.select(
    EDGE.order_by(TABLE.c.created_at).scalar_subquery().label("first"),
    EDGE.order_by(TABLE.c.created_at.desc()).scalar_subquery().label("last"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SalesReport:
    """The orders of a range, by day and by status."""

    totals: OrderTotals
    daily: Sequence[tuple[date, OrderTotals]]
    by_status: Sequence[tuple[OrderStatus, OrderTotals]]


def build(ctx: Context, period: Range) -> SalesReport:
    """Add up the orders of a range. Two statements: between which days there are any, then all figures."""
    tallied = _tallies(ctx, period)
    by_day, by_status = _sums(tallied, 0), _sums(tallied, 1)
    days = set(by_day)  # with the first millisecond after the last day, if an order was placed in it
    if period.day_count <= MAX_ZEROS:
        days |= set(ranges.days(period.start.date(), period.last_day))
    return SalesReport(
        totals=functools.reduce(_plus, by_status.values(), NO_ORDERS),
        daily=[(day, by_day.get(day, NO_ORDERS)) for day in sorted(days)],
        by_status=[(status, by_status.get(status, NO_ORDERS)) for status in OrderStatus],
    )


def _plus(one: OrderTotals, other: OrderTotals) -> OrderTotals:
    return OrderTotals(one[0] + other[0], one[1] + other[1])


def _tallies(ctx: Context, period: Range) -> list[tuple[date, str, int, int]]:
    """Return day, status, count and cents of each day and status that has orders."""
    first, last = ctx.session.execute(EDGES, tenant.params(ctx, start=period.start, end=period.end)).one()
    if first is None:
        return []
    days = list(ranges.days(first.date(), last.date()))
    parameters = tenant.params(ctx, spans=_spans(days, period))
    found = ctx.session.execute(_by_day_and_status(ctx.session.get_bind().dialect.name), parameters).scalar_one()
    return [(days[number], status, count, cents) for number, status, count, cents in found]


def _sums(tallied: Sequence[tuple[date, str, int, int]], key: int) -> dict[Any, OrderTotals]:
    """Add up by the day (0) or the status (1): in whole numbers, because decimals take ten times as long."""
    counts: Counter[Any] = Counter()
    sums: Counter[Any] = Counter()
    for each in tallied:
        counts[each[key]] += each[2]
        sums[each[key]] += each[3]
    return {name: OrderTotals(count, sums[name] * CENT) for name, count in counts.items()}


def _spans(days: Sequence[date], period: Range) -> str:
    """Return the first and the last millisecond since 1970 of each day, within the range, as JSON."""
    first = (ranges.midnight(days[0]) - EPOCH) // MILLISECOND
    start, end = ((each - EPOCH) // MILLISECOND for each in (period.start, period.end))
    midnights = range(first, first + len(days) * DAY_MILLISECONDS, DAY_MILLISECONDS)
    return orjson.dumps([[max(each, start), min(each + DAY_MILLISECONDS - 1, end)] for each in midnights]).decode()


@functools.cache
def _by_day_and_status(dialect: str) -> Select[Any]:
    """Look each day of each status up in the index: nothing has to be sorted or hashed, as for a GROUP BY."""
    spans = Spans(dialect)
    statuses = sa.values(sa.column("status", sa.String)).data([(each.value,) for each in OrderStatus]).cte("statuses")
    figures = sa.select(tally(TABLE.c.total)).where(
        tenant.where(TABLE),
        TABLE.c.status == statuses.c.status,
        TABLE.c.created_at >= spans.start,
        TABLE.c.created_at <= spans.end,
    )
    both = spans.table.join(statuses, sa.true())
    correlated = figures.correlate(spans.table, statuses).scalar_subquery()
    return sa.select(tallies(spans.number, statuses.c.status, correlated)).select_from(both)
