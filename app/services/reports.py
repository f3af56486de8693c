"""Reports: figures that equal a plain sum over the orders, to the cent (contract, section 7).

Each takes a fixed number of statements, and each statement reads an index, not the orders themselves.
Not here: which moments a preset means (`app/services/ranges.py`).
"""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import Row, Select, bindparam

from app.context import Context
from app.services import ranges
from app.services.customers import TABLE as CUSTOMERS
from app.services.expressions import Spans, tallies, tally
from app.services.orders import TABLE
from app.services.pricing import CENT
from app.services.ranges import Range
from app.services.tenant import bound, mine, owned
from models import OrderStatus
from models.base import EPOCH, MILLISECOND

MAX_ZEROS = 366  # days of a range up to which days without orders are listed too
MAX_LIMIT = 1000
DAY_MILLISECONDS = 86_400_000
INSTANT = TABLE.c.created_at.type
IN_RANGE = (
    TABLE.c.created_at >= bindparam("start", type_=INSTANT),
    TABLE.c.created_at <= bindparam("end", type_=INSTANT),
)
EDGE = owned(TABLE.c.created_at).where(*IN_RANGE).limit(1)
EDGES = sa.select(
    EDGE.order_by(TABLE.c.created_at).scalar_subquery().label("first"),
    EDGE.order_by(TABLE.c.created_at.desc()).scalar_subquery().label("last"),
)


class Figures(NamedTuple):
    """What every report tells of some orders."""

    order_count: int
    revenue: Decimal

    @property
    def average(self) -> Decimal:
        """Return the revenue of an order, rounded half up to the cent; 0 where there is none."""
        return (self.revenue / self.order_count).quantize(CENT, ROUND_HALF_UP) if self.order_count else Decimal(0)


NOTHING = Figures(0, Decimal(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sales:
    """The orders of a range, by day and by status."""

    totals: Figures
    daily: Sequence[tuple[date, Figures]]
    by_status: Sequence[tuple[OrderStatus, Figures]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Buyers:
    """The orders of a range, by customer; `rows` holds those with the highest revenue."""

    customer_count: int
    totals: Figures
    unassigned: Figures
    rows: Sequence[tuple[Row[Any], Figures]]


def sales(ctx: Context, period: Range) -> Sales:
    """Add up the orders of a range. Two statements: between which days there are any, then all figures."""
    tallied = _tallies(ctx, period)
    by_day, by_status = _sums(tallied, 0), _sums(tallied, 1)
    days = set(by_day)  # with the first millisecond after the last day, if an order was placed in it
    if period.day_count <= MAX_ZEROS:
        days |= set(ranges.days(period.start.date(), period.last_day))
    return Sales(
        totals=functools.reduce(_plus, by_status.values(), NOTHING),
        daily=[(day, by_day.get(day, NOTHING)) for day in sorted(days)],
        by_status=[(status, by_status.get(status, NOTHING)) for status in OrderStatus],
    )


def customers(ctx: Context, period: Range, *, limit: int = 100) -> Buyers:
    """Add up the orders of a range by customer. One statement. `limit` is clamped to 1..1000."""
    parameters = bound(ctx, start=period.start, end=period.end, limit=clamped(limit))
    rows = ctx.session.execute(BY_CUSTOMER, parameters).all()
    if not rows:
        return Buyers(customer_count=0, totals=NOTHING, unassigned=NOTHING, rows=[])
    first = rows[0]
    return Buyers(
        customer_count=first.customer_count,
        totals=Figures(int(first.all_orders), first.all_revenue),
        unassigned=Figures(int(first.unassigned_orders), first.unassigned_revenue),
        rows=[(row, Figures(row.order_count, row.revenue)) for row in rows if row.customer_id is not None],
    )


def clamped(limit: int) -> int:
    """Return what a `limit` of a report stands for."""
    return min(max(limit, 1), MAX_LIMIT)


def _plus(one: Figures, other: Figures) -> Figures:
    return Figures(one[0] + other[0], one[1] + other[1])


def _tallies(ctx: Context, period: Range) -> list[tuple[date, str, int, int]]:
    """Return day, status, count and cents of each day and status that has orders."""
    first, last = ctx.session.execute(EDGES, bound(ctx, start=period.start, end=period.end)).one()
    if first is None:
        return []
    days = list(ranges.days(first.date(), last.date()))
    parameters = bound(ctx, spans=_spans(days, period))
    found = ctx.session.execute(_by_day_and_status(ctx.session.get_bind().dialect.name), parameters).scalar_one()
    return [(days[number], status, count, cents) for number, status, count, cents in found]


def _sums(tallied: Sequence[tuple[date, str, int, int]], key: int) -> dict[Any, Figures]:
    """Add up by the day (0) or the status (1): in whole numbers, because decimals take ten times as long."""
    counts: Counter[Any] = Counter()
    sums: Counter[Any] = Counter()
    for each in tallied:
        counts[each[key]] += each[2]
        sums[each[key]] += each[3]
    return {name: Figures(count, sums[name] * CENT) for name, count in counts.items()}


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
        mine(TABLE),
        TABLE.c.status == statuses.c.status,
        TABLE.c.created_at >= spans.start,
        TABLE.c.created_at <= spans.end,
    )
    both = spans.table.join(statuses, sa.true())
    correlated = figures.correlate(spans.table, statuses).scalar_subquery()
    return sa.select(tallies(spans.number, statuses.c.status, correlated)).select_from(both)


def _by_customer() -> Select[Any]:
    """Rank customers by revenue, with the sums over all of them in every row; orders without one come last."""
    each = (
        owned(
            TABLE.c.customer_id,
            sa.func.count().label("order_count"),
            sa.func.sum(TABLE.c.total).label("revenue"),
            sa.func.max(TABLE.c.created_at).label("last_order_at"),
        )
        .where(*IN_RANGE)
        .group_by(TABLE.c.customer_id)
        .subquery("each_customer")
    )
    is_nobody = each.c.customer_id.is_(None)
    sums = {
        "customer_count": sa.func.count(each.c.customer_id),
        "all_orders": sa.func.sum(each.c.order_count),
        "all_revenue": sa.func.sum(each.c.revenue),
        "unassigned_orders": sa.func.sum(sa.case((is_nobody, each.c.order_count), else_=0)),
        "unassigned_revenue": sa.func.sum(sa.case((is_nobody, each.c.revenue), else_=0)),
    }
    place = is_nobody, each.c.revenue.desc(), each.c.customer_id
    best = sa.select(*each.c, *(value.over().label(name) for name, value in sums.items()))
    best_ones = best.order_by(*place).limit(bindparam("limit")).subquery("best")
    return (
        sa.select(*best_ones.c, CUSTOMERS.c.name, CUSTOMERS.c.email)
        .outerjoin(CUSTOMERS, CUSTOMERS.c.id == best_ones.c.customer_id)
        .order_by(best_ones.c.customer_id.is_(None), best_ones.c.revenue.desc(), best_ones.c.customer_id)
    )


BY_CUSTOMER = _by_customer()
