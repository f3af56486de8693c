"""Every figure of a report is what a plain sum over the orders gives, to the cent, on both databases."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.context import Context
from app.db import Database
from app.errors import InvalidParameterError
from app.reports import customers, inventory, ranges, sales
from app.reports.order_totals import clamped
from app.reports.ranges import Range
from models import MAX_AMOUNT, OrderStatus
from tests.support import factories

CENT = Decimal("0.01")
MILLISECOND = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
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
MOMENTS = st.sampled_from(EDGES) | st.integers(0, 730 * 86_400_000).map(
    lambda milliseconds: datetime(2023, 6, 1, tzinfo=UTC) + milliseconds * MILLISECOND
)
TOTALS = st.decimals(0, 100_000, places=2) | st.sampled_from([Decimal("0.01"), Decimal(0), MAX_AMOUNT])
ORDERS = st.lists(
    st.fixed_dictionaries(
        {
            "created_at": MOMENTS,
            "total": TOTALS,
            "status": st.sampled_from(OrderStatus),
            "customer": st.sampled_from([None, 0, 1, 2]),
        }
    ),
    max_size=25,
)
PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Orders = list[dict[str, Any]]


@contextmanager
def company(database: Database, orders: Orders, *, now: datetime | None = None) -> Iterator[tuple[Context, Orders]]:
    """Yield a context for a new company with these orders, and the orders as they were made."""
    tenant, foreign = factories.tenant(database), factories.tenant(database)
    buyers = [factories.customer(database, tenant.company_id) for _ in range(3)]
    made = [
        {**{name: value for name, value in each.items() if name != "customer"}, "customer_id": buyer}
        for each in orders
        for buyer in [None if each.get("customer") is None else buyers[each["customer"]]]
    ]
    factories.history(database, tenant.company_id, made)
    factories.history(database, foreign.company_id, [{"created_at": EDGES[3], "total": Decimal(7)}])
    with database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        yield (dataclasses.replace(ctx, now=now) if now else ctx), made


def between(orders: Orders, period: Range) -> Orders:
    return [each for each in orders if period.start <= each["created_at"] <= period.end]


def days_of(start: datetime, end: datetime) -> set[date]:
    """Return the days of a range; one that ends at midnight ends with the day before."""
    ends_at_midnight = end.time() == time() and start < end
    last = end.date().toordinal() - ends_at_midnight
    return {date.fromordinal(number) for number in range(start.date().toordinal(), last + 1)}


def figures(orders: Orders) -> tuple[int, Decimal]:
    return len(orders), sum((each["total"] for each in orders), Decimal(0))


def custom(start: datetime, end: datetime) -> Range:
    return Range(start=start, end=end, preset="custom", label="")


class TestSales:
    @PROPERTY
    @given(orders=ORDERS, ends=st.tuples(MOMENTS, MOMENTS).map(sorted))
    @example(orders=[], ends=[EDGES[0], EDGES[1]])
    @example(
        orders=[{"created_at": each, "total": MAX_AMOUNT, "status": "SHIPPED", "customer": None} for each in EDGES],
        ends=[EDGES[0], EDGES[-1]],
    )
    @example(
        orders=[{"created_at": EDGES[3] + hour * HOUR, "total": Decimal(1)} for hour in (0, 6, 12, 18)],
        ends=[EDGES[3] + 3 * HOUR, EDGES[3] + 15 * HOUR],
    )
    def test_every_figure_is_the_plain_sum(self, database: Database, orders: Orders, ends: list[datetime]) -> None:
        period = custom(*ends)
        with company(database, orders) as (ctx, made):
            report = sales.build(ctx, period)

        inside = between(made, period)
        assert report.totals == figures(inside)
        assert [status for status, _ in report.by_status] == list(OrderStatus)
        for status, of_status in report.by_status:
            assert of_status == figures([each for each in inside if each.get("status", "SUBMITTED") == status])
        for day, of_day in report.daily:
            assert of_day == figures([each for each in inside if each["created_at"].date() == day])
        ordered_on = {each["created_at"].date() for each in inside}
        every_day = days_of(*ends)
        assert [day for day, _ in report.daily] == sorted(
            ordered_on | every_day if len(every_day) <= 366 else ordered_on
        )

    @pytest.mark.parametrize(
        ("end", "count"),
        [(datetime(2025, 3, 2, tzinfo=UTC), 366), (datetime(2025, 3, 2, microsecond=1000, tzinfo=UTC), 1)],
    )
    def test_lists_days_without_orders_up_to_366_days(self, database: Database, end: datetime, count: int) -> None:
        with company(database, [{"created_at": EDGES[6], "total": Decimal(1)}]) as (ctx, _):
            report = sales.build(ctx, custom(datetime(2024, 3, 1, tzinfo=UTC), end))

        assert len(report.daily) == count

    def test_sums_have_no_limit_of_their_own(self, database: Database) -> None:
        """A hundred of the largest orders: more cents than a binary float is exact for."""
        with company(database, [{"created_at": EDGES[4], "total": MAX_AMOUNT}] * 100) as (ctx, _):
            report = sales.build(ctx, custom(EDGES[3], EDGES[4]))

        assert report.totals == (100, 100 * MAX_AMOUNT)

    def test_the_widest_range_there_is(self, database: Database) -> None:
        widest = custom(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC))
        with company(database, [{"created_at": EDGES[0], "total": Decimal(3)}]) as (ctx, _):
            report = sales.build(ctx, widest)

        assert report.daily == [(EDGES[0].date(), (1, Decimal(3)))]

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
    def test_the_average_is_rounded_half_up_to_the_cent(
        self, database: Database, totals: list[str], average: str
    ) -> None:
        with company(database, [{"created_at": EDGES[1], "total": Decimal(each)} for each in totals]) as (ctx, _):
            report = sales.build(ctx, custom(EDGES[1], EDGES[2]))

        assert report.totals.average == Decimal(average)


class TestCustomers:
    @PROPERTY
    @given(orders=ORDERS, ends=st.tuples(MOMENTS, MOMENTS).map(sorted), limit=st.sampled_from([-1, 1, 2, 100, 10**9]))
    @example(orders=[], ends=[EDGES[0], EDGES[1]], limit=100)
    @example(
        orders=[{"created_at": EDGES[0], "total": Decimal(1), "status": "SHIPPED", "customer": None}],
        ends=[EDGES[0], EDGES[1]],
        limit=1,
    )
    def test_every_figure_is_the_plain_sum(
        self, database: Database, orders: Orders, ends: list[datetime], limit: int
    ) -> None:
        period = custom(*ends)
        with company(database, orders) as (ctx, made):
            report = customers.build(ctx, period, limit=limit)

        inside = between(made, period)
        buyers = {each["customer_id"] for each in inside} - {None}
        by_buyer = {buyer: [each for each in inside if each["customer_id"] == buyer] for buyer in buyers}
        ranking = sorted(buyers, key=lambda buyer: (-figures(by_buyer[buyer])[1], buyer))
        assert report.customer_count == len(buyers)
        assert report.totals == figures(inside)
        assert report.unassigned == figures([each for each in inside if each["customer_id"] is None])
        assert [row.customer_id for row, _ in report.rows] == ranking[: max(limit, 1)]
        for row, of_buyer in report.rows:
            count, revenue = figures(by_buyer[row.customer_id])
            assert of_buyer == (count, revenue)
            assert of_buyer.average == (revenue / count).quantize(CENT, ROUND_HALF_UP)
            assert row.last_order_at == max(each["created_at"] for each in by_buyer[row.customer_id])

    def test_equals_the_sales_report(self, database: Database) -> None:
        orders = [
            {"created_at": at, "total": Decimal("1.23"), "customer": each}
            for each, at in zip([None, 0, 1], EDGES, strict=False)
        ]
        with company(database, orders) as (ctx, _):
            period = custom(EDGES[0], EDGES[-1])
            assert customers.build(ctx, period, limit=1).totals == sales.build(ctx, period).totals

    @pytest.mark.parametrize(("limit", "listed"), [(-1, 1), (0, 1), (1000, 1000), (1001, 1000)])
    def test_a_limit_stands_for_1_to_1000(self, limit: int, listed: int) -> None:
        assert clamped(limit) == listed


GOODS = st.lists(
    st.fixed_dictionaries(
        {
            "stock": st.integers(0, 50) | st.sampled_from([0, 5, 6, 1_000_000, 2**53 - 1]),
            "low_stock_threshold": st.integers(0, 7),
            "price": st.decimals(0, 1000, places=2) | st.sampled_from([Decimal("99999999.99"), Decimal("0.01")]),
            "category": st.sampled_from([None, "Baking", "Hygiene", "baking"]),
            "is_active": st.booleans(),
        }
    ),
    max_size=12,
)


class TestInventory:
    @PROPERTY
    @given(goods=GOODS, limit=st.sampled_from([0, 1, 3, 1000]))
    @example(goods=[], limit=100)
    @example(
        goods=[{"stock": 2**53 - 1, "price": Decimal("99999999.99"), "category": None, "low_stock_threshold": 5}] * 3,
        limit=2,
    )
    def test_every_figure_is_the_plain_sum(self, database: Database, goods: Orders, limit: int) -> None:
        tenant = factories.tenant(database)
        goods = [each | {"id": factories.product(database, tenant.company_id, **each)} for each in goods]
        with database.transaction() as session:
            report = inventory.build(factories.context(session, tenant.company_id), limit=limit)

        def holdings(some: Orders) -> tuple[int, int, Decimal, int, int]:
            units = [each["stock"] for each in some]
            value = sum((each["stock"] * each["price"] for each in some), Decimal(0))
            return len(some), sum(units), value, sum(map(is_low, some)), units.count(0)

        def is_low(one: dict[str, Any]) -> bool:
            return bool(one["stock"] <= one["low_stock_threshold"])

        assert report.totals == holdings(goods)
        categories = {each["category"] for each in goods}
        assert {name for name, _ in report.by_category} == categories
        for name, of_category in report.by_category:
            assert of_category == holdings([each for each in goods if each["category"] == name])
        values = sorted((each["stock"] * each["price"] for each in goods), reverse=True)
        assert [row.stock * row.price for row in report.products] == values[: max(limit, 1)]
        low = {each["id"]: is_low(each) for each in goods}
        assert all(row.is_low == low[row.id] for row in report.products)


NOW = datetime(2026, 4, 17, 14, 22, 5, 123_000, UTC)  # a Friday
TODAY_ENDS = datetime(2026, 4, 17, 23, 59, 59, 999_000, UTC)


class TestRanges:
    @pytest.mark.parametrize(
        ("preset", "start", "label"),
        [
            ("today", date(2026, 4, 17), "17 April 2026"),
            ("week", date(2026, 4, 13), "Week of 13 April 2026"),
            ("month", date(2026, 4, 1), "April 2026"),
            ("quarter", date(2026, 4, 1), "Q2 2026"),
            ("year", date(2026, 1, 1), "2026"),
            ("all", date(2024, 2, 29), "All time"),
        ],
    )
    def test_a_preset_ends_with_today(self, database: Database, preset: str, start: date, label: str) -> None:
        with company(database, [{"created_at": EDGES[4], "total": Decimal(1)}], now=NOW) as (ctx, _):
            period = ranges.resolve(ctx, preset=preset)

        assert period == Range(start=ranges.midnight(start), end=TODAY_ENDS, preset=preset, label=label)

    @pytest.mark.parametrize(
        ("now", "preset", "start"),
        [
            (datetime(2024, 2, 29, 23, 59, 59, 999_000, UTC), "month", date(2024, 2, 1)),
            (datetime(2025, 1, 1, tzinfo=UTC), "year", date(2025, 1, 1)),
            (datetime(2025, 1, 1, tzinfo=UTC), "week", date(2024, 12, 30)),
            (datetime(2024, 12, 31, 23, tzinfo=UTC), "quarter", date(2024, 10, 1)),
            (datetime(2024, 4, 1, tzinfo=UTC), "quarter", date(2024, 4, 1)),
            (datetime(2024, 4, 7, tzinfo=UTC), "week", date(2024, 4, 1)),
            (datetime(2024, 4, 8, tzinfo=UTC), "week", date(2024, 4, 8)),
            (datetime(2024, 4, 8, 9, tzinfo=UTC), "all", date(2024, 4, 8)),
        ],
    )
    def test_a_preset_begins_where_the_calendar_says(
        self, database: Database, now: datetime, preset: str, start: date
    ) -> None:
        with company(database, [], now=now) as (ctx, _):
            assert ranges.resolve(ctx, preset=preset).start == ranges.midnight(start)

    def test_either_end_replaces_its_own_alone(self, database: Database) -> None:
        with company(database, [], now=NOW) as (ctx, _):
            later = ranges.resolve(ctx, start=datetime(2026, 4, 10, tzinfo=UTC))
            earlier = ranges.resolve(ctx, preset="year", end=datetime(2026, 2, 1, tzinfo=UTC))

        assert (later.start.day, later.end, later.preset) == (10, TODAY_ENDS, "custom")
        assert later.label == "10 April 2026 to 17 April 2026"
        assert (earlier.start, earlier.end) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))

    @pytest.mark.parametrize("now", [NOW, datetime(2020, 1, 1, tzinfo=UTC)])
    def test_all_time_ends_where_the_caller_says_even_before_the_first_order(
        self, database: Database, now: datetime
    ) -> None:
        with company(database, [{"created_at": EDGES[4], "total": Decimal(1)}], now=now) as (ctx, _):
            period = ranges.resolve(ctx, preset="all", end=datetime(2019, 5, 6, 7, tzinfo=UTC))

        assert period.start == datetime(2019, 5, 6, tzinfo=UTC)
        assert period.label == "6 May 2019"

    def test_a_first_order_after_today_moves_no_range(self, database: Database) -> None:
        with company(database, [{"created_at": NOW + timedelta(days=2), "total": Decimal(1)}], now=NOW) as (ctx, _):
            assert ranges.resolve(ctx, preset="all").start == ranges.midnight(NOW.date())

    def test_names_the_end_that_makes_no_sense(self, database: Database) -> None:
        with company(database, [], now=NOW) as (ctx, _):
            with pytest.raises(InvalidParameterError, match="from must not be after to") as caught:
                ranges.resolve(ctx, start=TODAY_ENDS + MILLISECOND)
            assert caught.value.pointer == "/query/from"
            with pytest.raises(InvalidParameterError, match="from must not be after to") as caught:
                ranges.resolve(ctx, end=datetime(2026, 3, 31, tzinfo=UTC))
            assert caught.value.pointer == "/query/to"
            assert ranges.resolve(ctx, start=TODAY_ENDS).label == "17 April 2026"
