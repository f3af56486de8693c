"""The inventory report: stock, and its value at catalogue prices (contract, section 7).

It covers every product of the company, including products that cannot be ordered: they are still in stock. A value is
stock times price, calculated here for a product and by `sql.inventory_value` for a category: multiplication in SQLite
would overflow 64 bits.
"""

from collections.abc import Iterable
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.errors import TooLargeError
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.reports.order_totals import clamp_limit
from app.reports.sql import inventory_value
from app.schemas.reports import InventoryCategory, InventoryProduct, InventoryReport, InventoryTotals
from app.services.products import IS_LOW_STOCK, TABLE

MAX_COUNT = 2**63 - 1


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


class CategoryTotalsRow(Row):
    """The totals of one category."""

    category: str | None
    product_count: int
    unit_count: int | Decimal
    value: Decimal
    low_stock_count: int
    out_of_stock_count: int


class StockedProductRow(Row):
    """A product and its stock."""

    id: str
    name: str
    sku: str | None
    category: str | None
    stock: int
    price: Decimal
    is_low_stock: bool


SELECT_CATEGORIES = Statement(
    CategoryTotalsRow,
    sa.select(
        TABLE.c.category,
        sa.func.count().label("product_count"),
        sa.func.sum(TABLE.c.stock).label("unit_count"),
        inventory_value(TABLE.c.stock, TABLE.c.price).label("value"),
        _count(IS_LOW_STOCK).label("low_stock_count"),
        _count(TABLE.c.stock == 0).label("out_of_stock_count"),
    )
    .where(tenant.where(TABLE))
    .group_by(TABLE.c.category),
)
SELECT_MOST_VALUABLE = Statement(
    StockedProductRow,
    tenant.select(
        TABLE.c.id,
        TABLE.c.name,
        TABLE.c.sku,
        TABLE.c.category,
        TABLE.c.stock,
        TABLE.c.price,
        IS_LOW_STOCK.label("is_low_stock"),
    )
    .order_by((TABLE.c.stock * TABLE.c.price).desc(), TABLE.c.id)
    .limit(bindparam("limit")),
)


def build(ctx: Context, *, limit: int = 100) -> InventoryReport:
    """Add up the stock as it is now. `limit` is clamped to 1..1000. Raises TooLargeError.

    Two statements: the totals by category, then the products with the highest value.
    """
    categories = [_category(row) for row in SELECT_CATEGORIES.all(ctx.session, tenant.params(ctx))]
    categories.sort(key=lambda entry: (-entry.value, entry.category is None, entry.category or ""))
    totals = _add_up(categories)
    if totals.unit_count > MAX_COUNT:
        raise TooLargeError
    products = SELECT_MOST_VALUABLE.all(ctx.session, tenant.params(ctx, limit=clamp_limit(limit)))
    return InventoryReport(
        generated_at=ctx.now,
        totals=totals,
        by_category=categories,
        products=[_product(row) for row in products],
    )


def _category(row: CategoryTotalsRow) -> InventoryCategory:
    units = int(row.unit_count)
    return InventoryCategory(
        row.category, row.product_count, units, row.value, row.low_stock_count, row.out_of_stock_count
    )


def _product(row: StockedProductRow) -> InventoryProduct:
    value = row.stock * row.price
    return InventoryProduct(row.id, row.name, row.sku, row.category, row.stock, row.price, value, row.is_low_stock)


def _add_up(categories: Iterable[InventoryCategory]) -> InventoryTotals:
    zero = InventoryTotals(0, 0, Decimal(0), 0, 0)
    members = (entry[1:] for entry in categories)
    return InventoryTotals(*(sum(values, start) for start, *values in zip(zero, *members, strict=True)))
