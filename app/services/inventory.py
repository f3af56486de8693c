"""Stock: deducted and restocked while the products' rows are locked, never below zero (contract, section 5)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import Update, bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Statement
from app.schemas import events as payloads
from app.schemas.products import ProductRow
from app.services import events, pricing
from app.services.products import COLUMNS, TABLE


class OrderedProductRow(ProductRow):
    """A product and its price for one customer."""

    low_stock_threshold: int
    unit_price: Decimal


# Rows are locked in the order of their ids, so that two orders of the same products cannot deadlock.
SELECT_FOR_ORDER = Statement(
    OrderedProductRow,
    tenant.select(
        *COLUMNS,
        TABLE.c.low_stock_threshold,
        pricing.UNIT_PRICE.label("unit_price"),
    )
    .outerjoin(pricing.TABLE, pricing.IS_OVERRIDE_OF_CUSTOMER)
    .where(TABLE.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(TABLE.c.id)
    .with_for_update(of=TABLE, key_share=True),
)
REQUEST_TIME = bindparam("now", type_=TABLE.c.updated_at.type)
# A request that waited for the lock may have started before the change that it waited for.
UPDATED_AT = sa.case((TABLE.c.updated_at > REQUEST_TIME, TABLE.c.updated_at), else_=REQUEST_TIME)
QUANTITY = bindparam("quantity", type_=TABLE.c.stock.type)
UPDATE_DEDUCTED = (
    tenant.update(TABLE).where(TABLE.c.stock >= QUANTITY).values(stock=TABLE.c.stock - QUANTITY, updated_at=UPDATED_AT)
)
UPDATE_RESTOCKED = tenant.update(TABLE).values(stock=TABLE.c.stock + QUANTITY, updated_at=UPDATED_AT)

Quantities = Mapping[str, int]  # by the id of a product


def lock(ctx: Context, product_ids: Sequence[str], customer_id: str) -> dict[str, OrderedProductRow]:
    """Lock products for an order of a customer and return them by id. Unknown ids are left out."""
    parameters = tenant.params(ctx, ids=sorted(set(product_ids)), customer_id=customer_id)
    return {product.id: product for product in SELECT_FOR_ORDER.all(ctx.session, parameters)}


def deduct(ctx: Context, products: Mapping[str, OrderedProductRow], quantities: Quantities) -> None:
    """Deduct quantities from the stock of locked products. Publish an event for each that falls to its threshold."""
    _update(ctx, UPDATE_DEDUCTED, quantities)
    for product_id, quantity in sorted(quantities.items()):
        _publish_if_low(ctx, products[product_id], products[product_id].stock - quantity)


def restock(ctx: Context, quantities: Quantities) -> None:
    """Return quantities to stock."""
    _update(ctx, UPDATE_RESTOCKED, quantities)


def _update(ctx: Context, statement: Update, quantities: Quantities) -> None:
    parameters = [
        tenant.params(ctx, row_id=product_id, quantity=quantity, now=ctx.now)
        for product_id, quantity in sorted(quantities.items())
    ]
    updated = ctx.session.connection().execute(statement, parameters).rowcount
    if updated != len(parameters):  # a bug, because the rows are locked: abort rather than corrupt stock
        raise RuntimeError(f"The stock of {len(parameters)} products should have changed, but {updated} changed.")


def _publish_if_low(ctx: Context, product: OrderedProductRow, stock: int) -> None:
    threshold = product.low_stock_threshold
    if stock <= threshold < product.stock:
        events.publish(ctx, payloads.product_low_stock(product, stock=stock, threshold=threshold, at=ctx.now))
