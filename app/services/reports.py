"""Reports: sales, customers, inventory (contract, section 7). Every figure is what a plain sum over the rows gives.

A report reads its rows in one statement, from an index that holds all it needs. It is a read: it never blocks an order.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, func

from app.context import Context
from app.services import customers, orders, products, ranges
from app.services.pricing import CENT
from app.services.ranges import Preset, Range
from app.services.tenant import bound, owned
from models import OrderStatus
from models.base import EPOCH, day_number

MAX_ZERO_DAYS = 366  # a longer range lists only the days that have orders
MAX_LIMIT = 1000
ORDERS, CUSTOMERS, PRODUCTS = orders.TABLE, customers.TABLE, products.TABLE
MOMENT = ORDERS.c.created_at.type

FIRST = owned(ORDERS.c.created_at).order_by(ORDERS.c.created_at, ORDERS.c.id).limit(1)
IN_RANGE = ORDERS.c.created_at.between(bindparam("start", type_=MOMENT), bindparam("end", type_=MOMENT))
COUNT, REVENUE = func.count().label("order_count"), func.sum(ORDERS.c.total).label("revenue")
SALES = (
    owned(ORDERS.c.status, day_number(ORDERS.c.created_at).label("day"), COUNT, REVENUE)
    .where(IN_RANGE)
    .group_by(sa.text("day"), ORDERS.c.status)
)
LAST = func.max(ORDERS.c.created_at).label("last_order_at")
EACH = owned(ORDERS.c.customer_id, COUNT, REVENUE, LAST).where(IN_RANGE).group_by(ORDERS.c.customer_id).cte("each")
BY_CUSTOMER = (
    sa.select(
        EACH,
        CUSTOMERS.c.name,
        CUSTOMERS.c.email,
        func.count(EACH.c.customer_id).over().label("customers"),
        func.sum(EACH.c.order_count).over().label("orders"),
        func.sum(EACH.c.revenue).over().label("everything"),
    )
    .outerjoin(CUSTOMERS, CUSTOMERS.c.id == EACH.c.customer_id)
    .order_by(EACH.c.customer_id.is_not(None), EACH.c.revenue.desc(), EACH.c.customer_id)
    .limit(bindparam("limit"))
)
VALUE = sa.type_coerce(PRODUCTS.c.stock * PRODUCTS.c.price, PRODUCTS.c.price.type)
IS_LOW = PRODUCTS.c.stock <= PRODUCTS.c.low_stock_threshold
BY_CATEGORY = owned(
    PRODUCTS.c.category,
    func.count().label("product_count"),
    func.sum(PRODUCTS.c.stock).label("unit_count"),
    func.sum(VALUE).label("value"),
    func.sum(sa.case((IS_LOW, 1), else_=0)).label("low"),
    func.sum(sa.case((PRODUCTS.c.stock == 0, 1), else_=0)).label("out"),
).group_by(PRODUCTS.c.category)
DEAREST = (
    owned(
        *(PRODUCTS.c[name] for name in ("id", "name", "sku", "category", "stock", "price")),
        VALUE.label("value"),
        IS_LOW.label("is_low_stock"),
    )
    .order_by(VALUE.desc(), PRODUCTS.c.id)
    .limit(bindparam("limit"))
)


@dataclass(slots=True)
class Tally:
    """Orders and what they brought in."""

    order_count: int = 0
    revenue: Decimal = Decimal("0.00")

    def add(self, count: int, revenue: Decimal) -> None:
        """Count some more orders in."""
        self.order_count += count
        self.revenue += revenue

    @property
    def average_order_value(self) -> Decimal:
        """Return what an order brings in, half up to the cent; nothing when there is none."""
        return (self.revenue / max(self.order_count, 1)).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sales:
    """Totals of a range, by day and by status: cancelled orders are counted in."""

    range: Range
    totals: Tally = field(default_factory=Tally)
    daily: Mapping[date, Tally]
    by_status: Mapping[OrderStatus, Tally]


@dataclass(frozen=True, kw_only=True, slots=True)
class Customers:
    """Who ordered in a range, highest revenue first; `unassigned` are orders without a customer."""

    range: Range
    customer_count: int
    totals: Tally
    unassigned: Tally
    rows: Sequence[tuple[Row[Any], Tally]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """What is in stock: by category, and the products of the highest value."""

    generated_at: datetime
    categories: Sequence[Row[Any]]
    rows: Sequence[Row[Any]]


def find_range(
    ctx: Context, *, preset: str = Preset.MONTH, start: datetime | None = None, end: datetime | None = None
) -> Range:
    """Return the range that a report is asked for. Raises InvalidParameterError when it ends before it begins."""
    chosen = Preset(preset)
    first = ctx.session.execute(FIRST, bound(ctx)).scalar_one_or_none() if chosen is Preset.ALL else None
    return ranges.find(ctx.now, chosen, start=start, end=end, first=first)


def sales(ctx: Context, within: Range) -> Sales:
    """Return what was sold in a range."""
    daily = defaultdict(Tally, {day: Tally() for day in _days(within)})
    report = Sales(range=within, daily=daily, by_status={status: Tally() for status in OrderStatus})
    for row in ctx.session.execute(SALES, bound(ctx, start=within.start, end=within.end)):
        day = EPOCH.date() + timedelta(days=row.day)
        for tally in (report.totals, daily[day], report.by_status[OrderStatus(row.status)]):
            tally.add(row.order_count, row.revenue)
    return report


def by_customer(ctx: Context, within: Range, limit: int = 100) -> Customers:
    """Return who ordered in a range; `limit` is clamped to 1..MAX_LIMIT."""
    limit = _clamped(limit)
    values = bound(ctx, start=within.start, end=within.end, limit=limit + 1)  # what is unassigned comes first
    rows = ctx.session.execute(BY_CUSTOMER, values).all()
    unassigned = Tally(*rows[0][1:3]) if rows and rows[0].customer_id is None else Tally()
    return Customers(
        range=within,
        customer_count=rows[0].customers if rows else 0,
        totals=Tally(int(rows[0].orders), rows[0].everything) if rows else Tally(),
        unassigned=unassigned,
        rows=[(row, Tally(*row[1:3])) for row in rows if row.customer_id is not None][:limit],
    )


def inventory(ctx: Context, limit: int = 100) -> Inventory:
    """Return what is in stock now, inactive products included; `limit` is clamped to 1..MAX_LIMIT."""
    categories = ctx.session.execute(BY_CATEGORY, bound(ctx)).all()
    by_value = sorted(categories, key=lambda row: (-row.value, row.category is None, row.category))
    rows = ctx.session.execute(DEAREST, bound(ctx, limit=_clamped(limit))).all()
    return Inventory(generated_at=ctx.now, categories=by_value, rows=rows)


def _days(within: Range) -> Iterator[date]:
    """Yield every day of a range, none of a range that is too long."""
    first, last = within.start.date(), within.end.date()
    count = (last - first).days + 1
    return (first + timedelta(days=number) for number in range(count if count <= MAX_ZERO_DAYS else 0))


def _clamped(limit: int) -> int:
    return min(max(limit, 1), MAX_LIMIT)
