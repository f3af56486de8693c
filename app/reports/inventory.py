"""The inventory report: what is on the shelves, and what it is worth at the catalogue's prices (contract, section 7).

It tells of every product of the company, those that cannot be ordered included: they stand on the shelf all the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Row, bindparam

from app.context import Context
from app.errors import TooLargeError
from app.queries import tenant
from app.reports.order_totals import clamped
from app.reports.sql import worth
from app.services.products import TABLE

MAX_COUNT = 2**63 - 1
IS_LOW = TABLE.c.stock <= TABLE.c.low_stock_threshold


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


BY_CATEGORY = (
    sa.select(
        TABLE.c.category,
        worth(TABLE.c.stock, TABLE.c.price).label("worth"),
        sa.func.sum(TABLE.c.stock).label("unit_count"),
        _count(IS_LOW).label("low_stock_count"),
        _count(TABLE.c.stock == 0).label("out_of_stock_count"),
    )
    .where(tenant.where(TABLE))
    .group_by(TABLE.c.category)
)
MOST_VALUABLE = (
    tenant.select(
        TABLE.c.id, TABLE.c.name, TABLE.c.sku, TABLE.c.category, TABLE.c.stock, TABLE.c.price, IS_LOW.label("is_low")
    )
    .order_by((TABLE.c.stock * TABLE.c.price).desc(), TABLE.c.id)
    .limit(bindparam("limit"))
)


class InventoryTotals(NamedTuple):
    """What some products come to. Low means at its threshold or below, so what is out of stock is low too."""

    product_count: int
    unit_count: int
    value: Decimal
    low_stock_count: int
    out_of_stock_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryReport:
    """All products by category, and those with the highest value one by one."""

    totals: InventoryTotals
    by_category: Sequence[tuple[str | None, InventoryTotals]]
    products: Sequence[Row[Any]]


def build(ctx: Context, *, limit: int = 100) -> InventoryReport:
    """Take stock as it is now. Two statements. `limit` is clamped to 1..1000. Raises TooLargeError."""
    categories = [_holdings(row) for row in ctx.session.execute(BY_CATEGORY, tenant.params(ctx))]
    categories.sort(key=lambda each: (-each[1].value, each[0] is None, each[0] or ""))
    totals = _add(holdings for _, holdings in categories)
    if totals.unit_count > MAX_COUNT:
        raise TooLargeError
    return InventoryReport(
        totals=totals,
        by_category=categories,
        products=ctx.session.execute(MOST_VALUABLE, tenant.params(ctx, limit=clamped(limit))).all(),
    )


def _holdings(row: Row[Any]) -> tuple[str | None, InventoryTotals]:
    count, value = row.worth
    return row.category, InventoryTotals(count, int(row.unit_count), value, row.low_stock_count, row.out_of_stock_count)


def _add(holdings: Iterable[InventoryTotals]) -> InventoryTotals:
    nothing = InventoryTotals(0, 0, Decimal(0), 0, 0)
    return InventoryTotals(*(sum(each, start) for start, *each in zip(nothing, *holdings, strict=True)))
