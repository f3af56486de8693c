"""Every total of the customers report equals a plain sum over the orders, to the cent."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.db import Database
from app.reports import customers, sales
from app.reports.order_totals import clamp_limit
from tests.reports.conftest import EDGES, ENDS, ORDERS, PROPERTY, Rows, between, company, count_and_revenue, custom

CENT = Decimal("0.01")


@PROPERTY
@given(orders=ORDERS, ends=ENDS, limit=st.sampled_from([-1, 1, 2, 100, 10**9]))
@example(orders=[], ends=[EDGES[0], EDGES[1]], limit=100)
@example(
    orders=[{"created_at": EDGES[0], "total": Decimal(1), "status": "SHIPPED", "customer": None}],
    ends=[EDGES[0], EDGES[1]],
    limit=1,
)
def test_every_total_is_the_plain_sum(database: Database, orders: Rows, ends: list[datetime], limit: int) -> None:
    period = custom(*ends)
    with company(database, orders) as (ctx, created):
        report = customers.build(ctx, period, limit=limit)

    inside = between(created, period)
    customer_ids = {order["customer_id"] for order in inside} - {None}
    by_customer = {
        customer_id: [order for order in inside if order["customer_id"] == customer_id] for customer_id in customer_ids
    }
    ranking = sorted(
        customer_ids, key=lambda customer_id: (-count_and_revenue(by_customer[customer_id])[1], customer_id)
    )
    assert report.range == period
    assert report.totals == (len(customer_ids), *count_and_revenue(inside))
    assert report.unassigned == count_and_revenue([order for order in inside if order["customer_id"] is None])
    assert [entry.customer_id for entry in report.customers] == ranking[: max(limit, 1)]
    for entry in report.customers:
        count, revenue = count_and_revenue(by_customer[entry.customer_id])
        assert (entry.order_count, entry.revenue) == (count, revenue)
        assert entry.average_order_value == (revenue / count).quantize(CENT, ROUND_HALF_UP)
        assert entry.last_order_at == max(order["created_at"] for order in by_customer[entry.customer_id])


def test_totals_equal_those_of_the_sales_report(database: Database) -> None:
    orders = [
        {"created_at": at, "total": Decimal("1.23"), "customer": customer}
        for customer, at in zip([None, 0, 1], EDGES, strict=False)
    ]
    with company(database, orders) as (ctx, _):
        period = custom(EDGES[0], EDGES[-1])
        report = customers.build(ctx, period, limit=1)
        assert report.totals[1:] == sales.build(ctx, period).totals[:2]


@pytest.mark.parametrize(("limit", "listed"), [(-1, 1), (0, 1), (1000, 1000), (1001, 1000)])
def test_a_limit_is_clamped_to_1_to_1000(limit: int, listed: int) -> None:
    assert clamp_limit(limit) == listed
