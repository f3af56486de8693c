"""Reports against a brute-force sum over the orders, on both databases."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.context import Context
from app.db import Database
from app.errors import InvalidParameterError
from app.schemas import reports as schemas
from app.services import ranges, reports
from app.services.ranges import Preset
from models import Order, OrderStatus, Product, new_id
from models.base import table
from tests.support import factories

LEAP_DAY = datetime(2028, 2, 29, 12, tzinfo=UTC)
EDGES = [
    datetime(*day, tzinfo=UTC) + timedelta(milliseconds=offset)
    for day in ((2027, 1, 1), (2027, 4, 1), (2028, 2, 29), (2028, 3, 1), (2028, 12, 31), (2028, 2, 28))
    for offset in (-1, 0, 1)
]
MOMENTS = st.sampled_from(EDGES) | st.datetimes(
    datetime.fromisoformat("2026-12-01"),
    datetime.fromisoformat("2029-02-01"),
    timezones=st.just(UTC),
).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
AMOUNTS = st.decimals(0, 10**7, places=2) | st.just(Decimal("999999999999.99"))
ORDERS = st.lists(st.tuples(MOMENTS, st.sampled_from(OrderStatus), AMOUNTS, st.integers(0, 3)), max_size=25)
ENDS = st.none() | MOMENTS
Placed = Sequence[tuple[datetime, OrderStatus, Decimal, int]]


def cents(value: Decimal | int) -> Decimal:
    return Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)


def fill(ctx: Context, placed: Placed, buyers: Sequence[str | None]) -> None:
    rows = [
        {
            "id": new_id(at),
            "company_id": ctx.company_id,
            "customer_id": buyers[buyer],
            "status": status,
            "subtotal": total,
            "tax": 0,
            "shipping": 0,
            "total": total,
            "created_at": at,
            "updated_at": at,
        }
        for at, status, total, buyer in placed
    ]
    if rows:
        ctx.session.connection().execute(table(Order).insert(), rows)


class Company:
    """A company whose orders are replaced for every example, and another one that must never show."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.id = factories.tenant(database).company_id
        self.buyers: list[str | None] = [None, *(factories.customer(database, self.id) for _ in range(3))]
        other = factories.tenant(database).company_id
        with database.transaction(write=True) as session:
            ctx = factories.context(session, other)
            fill(ctx, [(at, OrderStatus.SHIPPED, Decimal(7), 0) for at in EDGES], [None])

    def report(self, placed: Placed, now: datetime, preset: Preset, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        with self.database.transaction(write=True) as session:
            session.execute(sa.delete(table(Order)).where(table(Order).c.company_id == self.id))
            ctx = replace(factories.context(session, self.id), now=now)
            fill(ctx, placed, self.buyers)
            within = reports.find_range(ctx, preset=preset, start=ends[0], end=ends[1])
            return reports.sales(ctx, within), reports.by_customer(ctx, within)


@pytest.fixture
def company(fresh_database: Database) -> Company:
    return Company(fresh_database)


@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(placed=ORDERS, now=MOMENTS, preset=st.sampled_from(Preset), ends=st.tuples(ENDS, ENDS))
@example(placed=[], now=LEAP_DAY, preset=Preset.ALL, ends=(None, None))
@example(placed=[], now=LEAP_DAY, preset=Preset.YEAR, ends=(None, None))
@example(
    placed=[(at, OrderStatus.CANCELLED, Decimal("0.01"), 1) for at in EDGES],
    now=LEAP_DAY,
    preset=Preset.ALL,
    ends=(None, None),
)
def test_every_figure_is_a_plain_sum(
    company: Company, placed: Placed, now: datetime, preset: Preset, ends: tuple[Any, Any]
) -> None:
    try:
        sales, customers = company.report(placed, now, preset, ends)
    except InvalidParameterError:
        assert ends != (None, None)
        return
    within = sales.range
    inside = [each for each in placed if within.start <= each[0] <= within.end]
    revenue = sum((total for _, _, total, _ in inside), Decimal(0))

    assert (sales.totals.order_count, sales.totals.revenue) == (len(inside), revenue)
    assert sales.totals.average_order_value == cents(revenue / len(inside) if inside else 0)
    for status, tally in sales.by_status.items():
        of_status = [total for _, each, total, _ in inside if each is status]
        assert (tally.order_count, tally.revenue) == (len(of_status), sum(of_status))
    assert list(sales.by_status) == list(OrderStatus)
    _check_days(sales, inside)
    _check_customers(company, customers, inside)
    shown = schemas.sales(sales)
    assert shown["totals"]["revenue"] == float(revenue)


def _check_days(sales: reports.Sales, inside: Placed) -> None:
    first, last = sales.range.start.date(), sales.range.end.date()
    days = (last - first).days + 1
    by_day: dict[Any, list[Decimal]] = defaultdict(list)
    for at, _, total, _ in inside:
        by_day[at.date()].append(total)
    expected = {first + timedelta(days=number) for number in range(days)} if days <= 366 else set(by_day)
    assert set(sales.daily) == expected
    for day, tally in sales.daily.items():
        assert (tally.order_count, tally.revenue) == (len(by_day[day]), sum(by_day[day]))
    assert [each["date"] for each in schemas.sales(sales)["daily"]] == [day.isoformat() for day in sorted(expected)]


def _check_customers(company: Company, report: reports.Customers, inside: Placed) -> None:
    expected = {}
    for number, buyer in enumerate(company.buyers):
        of_buyer = [(total, at) for at, _, total, each in inside if each == number]
        if of_buyer:
            totals = [total for total, _ in of_buyer]
            expected[buyer] = (len(totals), sum(totals), max(at for _, at in of_buyer))
    nobody = expected.pop(None, (0, Decimal(0), None))
    assert (report.unassigned.order_count, report.unassigned.revenue) == nobody[:2]
    assert report.customer_count == len(expected)
    assert (report.totals.order_count, report.totals.revenue) == (len(inside), sum(each[2] for each in inside))
    found = {row.customer_id: (tally.order_count, tally.revenue, row.last_order_at) for row, tally in report.rows}
    assert found == expected
    revenues = [tally.revenue for _, tally in report.rows]
    assert revenues == sorted(revenues, reverse=True)


class TestRange:
    NOW = datetime(2026, 4, 17, 10, 30, tzinfo=UTC)  # a Friday

    def find(self, preset: Preset, now: datetime = NOW, **ends: Any) -> tuple[str, str, str, str]:
        given = {"start": None, "end": None, "first": None, **ends}
        found = ranges.find(now, preset, **given)
        return (
            found.start.isoformat()[:19],
            found.end.isoformat(timespec="milliseconds")[:23],
            found.preset,
            found.label,
        )

    @pytest.mark.parametrize(
        ("preset", "start", "label"),
        [
            (Preset.TODAY, "2026-04-17", "17 April 2026"),
            (Preset.WEEK, "2026-04-13", "Week of 13 April 2026"),
            (Preset.MONTH, "2026-04-01", "April 2026"),
            (Preset.QUARTER, "2026-04-01", "Q2 2026"),
            (Preset.YEAR, "2026-01-01", "2026"),
            (Preset.ALL, "2026-04-17", "All time"),
        ],
    )
    def test_presets_end_with_today(self, preset: Preset, start: str, label: str) -> None:
        assert self.find(preset) == (f"{start}T00:00:00", "2026-04-17T23:59:59.999", preset, label)

    @pytest.mark.parametrize(("month", "start"), [(1, 1), (3, 1), (4, 4), (6, 4), (7, 7), (9, 7), (10, 10), (12, 10)])
    def test_quarters(self, month: int, start: int) -> None:
        now = self.NOW.replace(month=month, day=30)

        assert self.find(Preset.QUARTER, now)[0] == f"2026-{start:02}-01T00:00:00"

    def test_all_begins_with_the_day_of_the_first_order(self) -> None:
        first = datetime(2020, 2, 29, 23, 59, tzinfo=UTC)

        assert self.find(Preset.ALL, first=first)[0] == "2020-02-29T00:00:00"

    def test_a_first_order_after_today_moves_nothing(self) -> None:
        first = self.NOW + timedelta(days=2)

        assert self.find(Preset.ALL, first=first)[0] == "2026-04-17T00:00:00"

    def test_each_end_can_be_given_alone(self) -> None:
        first = datetime(2026, 4, 10, tzinfo=UTC)

        start, end, preset, label = self.find(Preset.MONTH, start=first)
        assert (start, end[:10], preset, label) == (
            "2026-04-10T00:00:00",
            "2026-04-17",
            "custom",
            "10 April 2026 to 17 April 2026",
        )
        assert self.find(Preset.MONTH, end=first)[:2] == ("2026-04-01T00:00:00", "2026-04-10T00:00:00.000")

    def test_an_end_before_its_beginning_is_refused(self) -> None:
        with pytest.raises(InvalidParameterError, match="from must not be after to"):
            self.find(Preset.MONTH, end=datetime(2026, 3, 31, tzinfo=UTC))


class TestInventory:
    @hypothesis_settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        goods=st.lists(
            st.tuples(
                st.integers(0, 10**6), st.decimals(0, 10**5, places=2), st.sampled_from(["A", "B", None]), st.booleans()
            ),
            max_size=15,
        ),
        limit=st.integers(-5, 12),
    )
    def test_every_figure_is_a_plain_sum(self, company: Company, goods: list[Any], limit: int) -> None:
        with company.database.transaction(write=True) as session:
            session.execute(sa.delete(table(Product)).where(table(Product).c.company_id == company.id))
        for stock, price, category, active in goods:
            values = {"stock": stock, "price": price, "category": category, "is_active": active}
            factories.product(company.database, company.id, low_stock_threshold=10, **values)
        with company.database.transaction() as session:
            report = schemas.inventory(reports.inventory(factories.context(session, company.id), limit))

        value = sum((stock * price for stock, price, *_ in goods), Decimal(0))
        assert report["totals"] == {
            "productCount": len(goods),
            "unitCount": sum(stock for stock, *_ in goods),
            "value": float(value),
            "lowStockCount": sum(stock <= 10 for stock, *_ in goods),
            "outOfStockCount": sum(stock == 0 for stock, *_ in goods),
        }
        assert {each["category"] for each in report["byCategory"]} == {category for *_, category, _ in goods}
        assert sum(Decimal(str(each["value"])) for each in report["byCategory"]) == value
        values_shown = [each["value"] for each in report["products"]]
        assert (
            values_shown == sorted((float(stock * price) for stock, price, *_ in goods), reverse=True)[: max(limit, 1)]
        )
