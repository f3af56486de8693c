"""Every total of the sales report equals a plain sum over the orders, to the cent."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.db import Database
from app.reports import sales
from models import MAX_AMOUNT, OrderStatus
from tests.reports.conftest import (
    EDGES,
    ENDS,
    MILLISECOND,
    ORDERS,
    PROPERTY,
    TIMES,
    TOTALS,
    Rows,
    between,
    company,
    count_and_revenue,
    custom,
)
from tests.support import factories, refund_rows

HOUR = timedelta(hours=1)
REFUNDS = st.lists(
    st.fixed_dictionaries({"refunded_at": TIMES, "total": TOTALS, "voided_at": st.none() | TIMES}), max_size=12
)


def days_of(start: datetime, end: datetime) -> set[date]:
    """Return the days of a range. A range that ends at midnight ends with the day before."""
    ends_at_midnight = end.time() == time() and start < end
    last = end.date().toordinal() - ends_at_midnight
    return {date.fromordinal(number) for number in range(start.date().toordinal(), last + 1)}


@PROPERTY
@given(orders=ORDERS, ends=ENDS)
@example(orders=[], ends=[EDGES[0], EDGES[1]])
@example(
    orders=[{"created_at": at, "total": MAX_AMOUNT, "status": "SHIPPED", "customer": None} for at in EDGES],
    ends=[EDGES[0], EDGES[-1]],
)
@example(
    orders=[{"created_at": EDGES[3] + hour * HOUR, "total": Decimal(1)} for hour in (0, 6, 12, 18)],
    ends=[EDGES[3] + 3 * HOUR, EDGES[3] + 15 * HOUR],
)
def test_every_total_is_the_plain_sum(database: Database, orders: Rows, ends: list[datetime]) -> None:
    period = custom(*ends)
    with company(database, orders) as (ctx, created):
        report = sales.build(ctx, period)

    inside = between(created, period)
    assert report.range == period
    assert report.totals[:2] == count_and_revenue(inside)
    assert [entry.status for entry in report.by_status] == list(OrderStatus)
    for status, *totals in report.by_status:
        expected = count_and_revenue([order for order in inside if order.get("status", "SUBMITTED") == status])
        assert tuple(totals) == expected
    for day, *totals in report.daily:
        expected = count_and_revenue([order for order in inside if order["created_at"].date() == day])
        assert tuple(totals) == expected
    ordered_on = {order["created_at"].date() for order in inside}
    every_day = days_of(*ends)
    listed = ordered_on | every_day if len(every_day) <= 366 else ordered_on
    assert [entry.date for entry in report.daily] == sorted(listed)


@pytest.mark.parametrize(
    ("end", "count"),
    [(datetime(2025, 3, 2, tzinfo=UTC), 366), (datetime(2025, 3, 2, microsecond=1000, tzinfo=UTC), 1)],
)
def test_days_without_orders_are_listed_in_ranges_of_up_to_366_days(
    database: Database, end: datetime, count: int
) -> None:
    with company(database, [{"created_at": EDGES[6], "total": Decimal(1)}]) as (ctx, _):
        report = sales.build(ctx, custom(datetime(2024, 3, 1, tzinfo=UTC), end))

    assert len(report.daily) == count


def test_sums_may_exceed_the_largest_amount(database: Database) -> None:
    """A hundred of the largest orders: more cents than a binary float represents exactly."""
    with company(database, [{"created_at": EDGES[4], "total": MAX_AMOUNT}] * 100) as (ctx, _):
        report = sales.build(ctx, custom(EDGES[3], EDGES[4]))

    assert report.totals == (100, 100 * MAX_AMOUNT, MAX_AMOUNT, Decimal(0), 100 * MAX_AMOUNT)


def test_the_widest_range(database: Database) -> None:
    widest = custom(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC))
    with company(database, [{"created_at": EDGES[0], "total": Decimal(3)}]) as (ctx, _):
        report = sales.build(ctx, widest)

    assert report.daily == [(EDGES[0].date(), 1, Decimal(3))]


@pytest.mark.parametrize(
    ("totals", "average"),
    [
        (["0.01", "0.02"], "0.02"),
        (["0.02", "0.03"], "0.03"),
        (["0.01", "0.01", "0.02"], "0.01"),
        (["10", "10", "11"], "10.33"),
        ([], "0"),
    ],
)
def test_the_average_is_rounded_half_up_to_the_cent(database: Database, totals: list[str], average: str) -> None:
    with company(database, [{"created_at": EDGES[1], "total": Decimal(total)} for total in totals]) as (ctx, _):
        report = sales.build(ctx, custom(EDGES[1], EDGES[2]))

    assert report.totals.average_order_value == Decimal(average)


@PROPERTY
@given(orders=ORDERS, refunds=REFUNDS, ends=ENDS)
def test_refunds_count_when_they_were_made(
    database: Database, orders: Rows, refunds: Rows, ends: list[datetime]
) -> None:
    period = custom(*ends)
    foreign = factories.tenant(database).company_id
    refund_rows.refund_history(database, foreign, [{"refunded_at": ends[0], "total": Decimal(7)}])
    with company(database, orders) as (ctx, created):
        before = sales.build(ctx, period)
    refund_rows.refund_history(database, ctx.company_id, refunds)
    with database.transaction() as session:
        report = sales.build(factories.context(session, ctx.company_id), period)

    counted = [one for one in refunds if period.start <= one["refunded_at"] <= period.end and one["voided_at"] is None]
    refunded = sum((one["total"] for one in counted), Decimal(0))
    _, revenue = count_and_revenue(between(created, period))
    assert report.totals[-2:] == (refunded, revenue - refunded)
    assert report.totals[:-2] == before.totals[:-2]


@pytest.mark.parametrize(
    ("at", "refunded"),
    [
        (EDGES[1] - MILLISECOND, 0),
        (EDGES[1], 5),
        (EDGES[2], 5),
        (EDGES[2] + MILLISECOND, 0),
    ],
)
def test_a_range_without_orders_has_its_refunds(database: Database, at: datetime, refunded: int) -> None:
    with company(database, []) as (ctx, _):
        pass
    refund_rows.refund_history(database, ctx.company_id, [{"refunded_at": at, "total": Decimal(5)}])
    with database.transaction() as session:
        report = sales.build(factories.context(session, ctx.company_id), custom(EDGES[1], EDGES[2]))

    assert report.totals[-2:] == (Decimal(refunded), Decimal(-refunded))
