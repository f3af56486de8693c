"""The products that an order names by id or sku, each with the price override of a customer (contract, section 9.4).

One statement, whatever the number of products. For an order it locks them, in the order of their ids, so that two
orders with the same products cannot deadlock; for a preview it only reads.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Statement
from app.schemas.products import ProductKey
from app.services.inventory import HAS_ID, LOCKED_COLUMNS, LockedProductRow
from app.services.products import TABLE
from models import PriceBreak, PriceOverride
from models.base import table


class OrderedProductRow(LockedProductRow):
    """A product with the price override of a customer, if there is one. `read` returns it without a lock."""

    override_price: Decimal | None
    override_price_breaks: tuple[PriceBreak, ...]


OVERRIDES = table(PriceOverride)
IS_OVERRIDE_OF_CUSTOMER = (
    (TABLE.c.company_id == OVERRIDES.c.company_id)
    & (OVERRIDES.c.product_id == TABLE.c.id)
    & (OVERRIDES.c.customer_id == bindparam("customer_id"))
)
SELECT = (
    tenant.select(
        *LOCKED_COLUMNS,
        OVERRIDES.c.price.label("override_price"),
        OVERRIDES.c.price_breaks.label("override_price_breaks"),
    )
    .outerjoin(OVERRIDES, IS_OVERRIDE_OF_CUSTOMER)
    .order_by(TABLE.c.id)
)
HAS_SKU = TABLE.c.sku.in_(bindparam("skus", expanding=True))
# A subquery for each key: with OR, SQLite would read all products of the company. Most orders have only ids. A join, so
# that PostgreSQL finds the products that a concurrent transaction is changing (`product_writes.py`).
NAMED = sa.union(tenant.select(TABLE.c.id).where(HAS_ID), tenant.select(TABLE.c.id).where(HAS_SKU)).subquery("named")
SELECT_BY_ID = SELECT.where(HAS_ID)
SELECT_BY_ID_OR_SKU = SELECT.join(NAMED, TABLE.c.id == NAMED.c.id)
READ_BY_ID = Statement(OrderedProductRow, SELECT_BY_ID)
READ_BY_ID_OR_SKU = Statement(OrderedProductRow, SELECT_BY_ID_OR_SKU)
# The products are locked, the price overrides are not.
LOCK_BY_ID = Statement(OrderedProductRow, SELECT_BY_ID.with_for_update(of=TABLE, key_share=True))
LOCK_BY_ID_OR_SKU = Statement(OrderedProductRow, SELECT_BY_ID_OR_SKU.with_for_update(of=TABLE, key_share=True))

NamedProducts = Mapping[ProductKey, OrderedProductRow]


def read(ctx: Context, keys: Iterable[ProductKey], customer_id: str) -> NamedProducts:
    """Return the products with these keys. Unknown keys are left out."""
    return _find(ctx, keys, customer_id, READ_BY_ID, READ_BY_ID_OR_SKU)


def lock(ctx: Context, keys: Iterable[ProductKey], customer_id: str) -> NamedProducts:
    """Lock the products with these keys and return them. Unknown keys are left out."""
    return _find(ctx, keys, customer_id, LOCK_BY_ID, LOCK_BY_ID_OR_SKU)


def _find(
    ctx: Context,
    keys: Iterable[ProductKey],
    customer_id: str,
    by_id: Statement[OrderedProductRow],
    by_id_or_sku: Statement[OrderedProductRow],
) -> NamedProducts:
    named: dict[str, set[str]] = {"id": set(), "sku": set()}
    for key in keys:
        named[key.column].add(key.value)
    parameters = tenant.params(ctx, ids=sorted(named["id"]), customer_id=customer_id)
    if not named["sku"]:
        return {ProductKey("id", product.id): product for product in by_id.all(ctx.session, parameters)}
    products = by_id_or_sku.all(ctx.session, {**parameters, "skus": sorted(named["sku"])})
    by_sku = {ProductKey("sku", product.sku): product for product in products if product.sku is not None}
    return {**by_sku, **{ProductKey("id", product.id): product for product in products}}
