"""The sales report: the orders of a range by day and by status, equal to a plain sum to the cent (contract, section 7).

It takes two statements, both of which read only indexes. The first adds up the refunds, and finds the days of the first
and the last order, so that the second looks up only the days between them.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import Select, bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.reports import ranges
from app.reports.order_totals import IS_IN_RANGE, NO_ORDERS, OrderTotals
from app.reports.sql import DayRanges, DayStatusTotals, count_and_cents, daily_totals
from app.schemas.reports import ReportRange, SalesByDay, SalesByStatus, SalesReport, SalesTotals
from app.services.order_refunds import IS_NOT_VOID
from app.services.order_refunds import TABLE as REFUNDS
from app.services.orders import TABLE
from models import CENT, OrderStatus
from models.base import EPOCH, MILLISECOND, Instant

MAX_LISTED_DAYS = 366  # of a range that lists days without orders: a leap year
DAY_MILLISECONDS = 86_400_000
SELECT_ORDER_TIME = tenant.select(TABLE.c.created_at).where(*IS_IN_RANGE).limit(1)
# A void refund counts in no range, not even in that of the refund.
SELECT_REFUNDED = sa.select(sa.func.sum(REFUNDS.c.total)).where(
    tenant.where(REFUNDS),
    REFUNDS.c.refunded_at >= bindparam("start", type_=Instant),
    REFUNDS.c.refunded_at <= bindparam("end", type_=Instant),
    IS_NOT_VOID,
)


class RangeRow(Row):
    """The times of the first and the last order of a range, and the sum of its refunds."""

    first: datetime | None
    last: datetime | None
    refunded: Decimal | None


SELECT_RANGE = Statement(
    RangeRow,
    sa.select(
        SELECT_ORDER_TIME.order_by(TABLE.c.created_at).scalar_subquery().label("first"),
        SELECT_ORDER_TIME.order_by(TABLE.c.created_at.desc()).scalar_subquery().label("last"),
        SELECT_REFUNDED.scalar_subquery().label("refunded"),
    ),
)

K = TypeVar("K", date, str)


def build(ctx: Context, period: ReportRange) -> SalesReport:
    """Add up the orders of a range, and the refunds."""
    found = SELECT_RANGE.one(ctx.session, tenant.params(ctx, start=period.start, end=period.end))
    days, entries = _daily_totals(ctx, period, found)
    by_day = _add_up((days[day], count, cents) for day, _, count, cents in entries)
    by_status = _add_up((status, count, cents) for _, status, count, cents in entries)
    listed = set(by_day)  # may have the day after the last one, for an order in its first millisecond
    if ranges.day_count(period) <= MAX_LISTED_DAYS:
        listed |= set(ranges.days(period.start.date(), ranges.last_day(period.start, period.end)))
    totals = functools.reduce(_plus, by_status.values(), NO_ORDERS)
    return SalesReport(
        range=period,
        totals=_totals(totals, found.refunded or Decimal(0)),
        daily=[SalesByDay(day, *by_day.get(day, NO_ORDERS)) for day in sorted(listed)],
        by_status=[SalesByStatus(status, *by_status.get(status, NO_ORDERS)) for status in OrderStatus],
    )


def _totals(orders: OrderTotals, refunded: Decimal) -> SalesTotals:
    return SalesTotals(*orders, orders.average, refunded, orders.revenue - refunded)


def _plus(left: OrderTotals, right: OrderTotals) -> OrderTotals:
    return OrderTotals(left.order_count + right.order_count, left.revenue + right.revenue)


def _daily_totals(
    ctx: Context, period: ReportRange, found: RangeRow
) -> tuple[Sequence[date], Sequence[DayStatusTotals]]:
    """Return the days from the first to the last order, and the totals of each day and status that has orders."""
    if found.first is None or found.last is None:
        return [], []
    days = list(ranges.days(found.first.date(), found.last.date()))
    statement = _select_daily_totals(ctx.session.get_bind().dialect.name)
    parameters = tenant.params(ctx, day_ranges=_day_ranges(days, period))
    return days, ctx.session.execute(statement, parameters).scalar_one()


def _add_up(entries: Iterable[tuple[K, int, int]]) -> dict[K, OrderTotals]:
    """Add up counts and cents by key, in whole numbers: decimals take ten times as long."""
    counts: Counter[K] = Counter()
    sums: Counter[K] = Counter()
    for key, order_count, cents in entries:
        counts[key] += order_count
        sums[key] += cents
    return {key: OrderTotals(count, sums[key] * CENT) for key, count in counts.items()}


def _day_ranges(days: Sequence[date], period: ReportRange) -> str:
    """Return the first and the last millisecond since 1970 of each day, within the range, as JSON."""
    first = (ranges.midnight(days[0]) - EPOCH) // MILLISECOND
    start, end = ((at - EPOCH) // MILLISECOND for at in (period.start, period.end))
    midnights = range(first, first + len(days) * DAY_MILLISECONDS, DAY_MILLISECONDS)
    bounds = [[max(midnight, start), min(midnight + DAY_MILLISECONDS - 1, end)] for midnight in midnights]
    return orjson.dumps(bounds).decode()


@functools.cache
def _select_daily_totals(dialect: str) -> Select[list[DayStatusTotals]]:
    """Look up each day of each status in the index: a GROUP BY would sort or hash all orders of the range."""
    day_ranges = DayRanges(dialect)
    values = [(status.value,) for status in OrderStatus]
    statuses = sa.values(sa.column("status", sa.String)).data(values).cte("statuses")
    totals = sa.select(count_and_cents(TABLE.c.total)).where(
        tenant.where(TABLE),
        TABLE.c.status == statuses.c.status,
        TABLE.c.created_at >= day_ranges.start,
        TABLE.c.created_at <= day_ranges.end,
    )
    days_and_statuses = day_ranges.table.join(statuses, sa.true())
    correlated = totals.correlate(day_ranges.table, statuses).scalar_subquery()
    return sa.select(daily_totals(day_ranges.day, statuses.c.status, correlated)).select_from(days_and_statuses)
