"""Companies with given orders, and plain sums to compare reports with."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from app.context import Context
from app.db import Database
from app.schemas.reports import ReportRange
from models import MAX_AMOUNT, OrderStatus
from tests.support import factories

MILLISECOND = timedelta(milliseconds=1)
# The first and the last millisecond of days that are special in the calendar.
EDGES = [
    datetime(2023, 12, 31, 23, 59, 59, 999_000, UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 28, 23, 59, 59, 999_000, UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, 999_000, UTC),
    datetime(2024, 3, 1, tzinfo=UTC),
    datetime(2024, 3, 31, 23, 59, 59, 999_000, UTC),
    datetime(2024, 4, 1, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 59, 59, 999_000, UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
]
TIMES = st.sampled_from(EDGES) | st.integers(0, 730 * 86_400_000).map(
    lambda milliseconds: datetime(2023, 6, 1, tzinfo=UTC) + milliseconds * MILLISECOND
)
ENDS = st.tuples(TIMES, TIMES).map(sorted)
TOTALS = st.decimals(0, 100_000, places=2) | st.sampled_from([Decimal("0.01"), Decimal(0), MAX_AMOUNT])
ORDERS = st.lists(
    st.fixed_dictionaries(
        {
            "created_at": TIMES,
            "total": TOTALS,
            "status": st.sampled_from(OrderStatus),
            "customer": st.sampled_from([None, 0, 1, 2]),
        }
    ),
    max_size=25,
)
PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Rows = list[dict[str, Any]]


@contextmanager
def company(database: Database, orders: Rows, *, now: datetime | None = None) -> Iterator[tuple[Context, Rows]]:
    """Yield a context for a new company with these orders, and the orders as they were created.

    `customer` is the number of one of three customers.
    """
    tenant, foreign = factories.tenant(database), factories.tenant(database)
    customers = [factories.customer(database, tenant.company_id) for _ in range(3)]
    created = []
    for order in orders:
        columns = {name: value for name, value in order.items() if name != "customer"}
        number = order.get("customer")
        created.append(columns | {"customer_id": None if number is None else customers[number]})
    factories.history(database, tenant.company_id, created)
    factories.history(database, foreign.company_id, [{"created_at": EDGES[3], "total": Decimal(7)}])
    with database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        yield (dataclasses.replace(ctx, now=now) if now else ctx), created


def between(orders: Rows, period: ReportRange) -> Rows:
    return [order for order in orders if period.start <= order["created_at"] <= period.end]


def count_and_revenue(orders: Rows) -> tuple[int, Decimal]:
    return len(orders), sum((order["total"] for order in orders), Decimal(0))


def custom(start: datetime, end: datetime) -> ReportRange:
    return ReportRange(start=start, end=end, preset="custom", label="")
