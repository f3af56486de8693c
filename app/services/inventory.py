"""Stock: taken and given back under the rows' locks, never below zero (contract, section 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam

from app.context import Context
from app.queries import tenant
from app.schemas.base import timestamp
from app.schemas.products import ProductSchema
from app.services import events
from app.services.products import COLUMNS, TABLE
from models import EventType, PriceOverride
from models.base import table

OVERRIDES = table(PriceOverride)
AGREED = (
    (OVERRIDES.c.company_id == TABLE.c.company_id)
    & (OVERRIDES.c.product_id == TABLE.c.id)
    & (OVERRIDES.c.customer_id == bindparam("customer_id"))
)
# Rows are locked in the order of their ids, so that two orders of the same products never wait for each other.
FOR_ORDER = (
    tenant.select(*COLUMNS, TABLE.c.low_stock_threshold, OVERRIDES.c.price.label("agreed_price"))
    .outerjoin(OVERRIDES, AGREED)
    .where(TABLE.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(TABLE.c.id)
    .with_for_update(of=TABLE, key_share=True)
)
NOW = bindparam("now", type_=TABLE.c.updated_at.type)
LATER = sa.case((TABLE.c.updated_at > NOW, TABLE.c.updated_at), else_=NOW)  # whoever waited may have begun earlier
QUANTITY = bindparam("quantity", type_=TABLE.c.stock.type)
TAKE = tenant.update(TABLE).where(TABLE.c.stock >= QUANTITY).values(stock=TABLE.c.stock - QUANTITY, updated_at=LATER)
GIVE_BACK = tenant.update(TABLE).values(stock=TABLE.c.stock + QUANTITY, updated_at=LATER)
RENDER = ProductSchema().render

Quantities = Mapping[str, int]  # by the id of a product


def for_order(ctx: Context, product_ids: Sequence[str], customer_id: str) -> dict[str, Row[Any]]:
    """Lock and return products by id, each with the price agreed with the customer; unknown ids are left out."""
    parameters = tenant.params(ctx, ids=sorted(set(product_ids)), customer_id=customer_id)
    return {row.id: row for row in ctx.session.execute(FOR_ORDER, parameters)}


def take(ctx: Context, products: Mapping[str, Row[Any]], quantities: Quantities) -> None:
    """Take quantities of locked products, which have as much; publish those that fall to their threshold."""
    _move(ctx, TAKE, quantities)
    for product_id, quantity in sorted(quantities.items()):
        _tell_if_low(ctx, products[product_id], products[product_id].stock - quantity)


def give_back(ctx: Context, quantities: Quantities) -> None:
    """Put quantities of products back on the shelf."""
    _move(ctx, GIVE_BACK, quantities)


def _move(ctx: Context, statement: Any, quantities: Quantities) -> None:
    parameters = [
        tenant.params(ctx, row_id=product_id, quantity=quantity, now=ctx.now)
        for product_id, quantity in sorted(quantities.items())
    ]
    moved = ctx.session.connection().execute(statement, parameters).rowcount
    if moved != len(parameters):  # the rows are locked, so this would be a bug, and stock is too dear to go on
        raise RuntimeError(f"stock of {len(parameters)} products was to move, of {moved} it did")


def _tell_if_low(ctx: Context, product: Row[Any], stock: int) -> None:
    threshold = product.low_stock_threshold
    if stock <= threshold < product.stock:
        data = {**RENDER(product), "stock": stock, "lowStockThreshold": threshold}
        data["updatedAt"] = timestamp(ctx.now)
        events.publish(ctx, TABLE, product.id, EventType.PRODUCT_LOW_STOCK, data)
