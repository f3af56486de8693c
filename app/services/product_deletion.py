"""Delete products that nothing refers to (contract, section 9.3).

A product that has been ordered, or whose stock has moved, stays: orders and movements refer to it.
"""

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import NotFoundError, RefusalError
from app.queries import tenant
from app.queries.rows import Statement, Write
from app.schemas import events as payloads
from app.schemas.products import PRODUCT
from app.services import audit, events, prices
from app.services.inventory import LOCKED_COLUMNS, LockedProductRow
from app.services.products import TABLE
from models import OrderItem
from models.base import table


class ProductInUseError(RefusalError):
    """A product cannot be deleted, because something refers to it."""

    code = "product_in_use"

    def __init__(self, use: str) -> None:
        """Initialize with what refers to it, as the first sentence of the message: 'X has been ordered'."""
        super().__init__(f"{use}. Set isActive to false instead.")


ORDER_ITEMS = table(OrderItem)
# No other transaction may refer to the product from here on: an order waits, and then does not find it.
SELECT_ONE_FOR_UPDATE = Statement(
    LockedProductRow, tenant.select(*LOCKED_COLUMNS).where(TABLE.c.id == bindparam("id")).with_for_update()
)
SELECT_FIRST_ITEM = tenant.select(ORDER_ITEMS.c.id).where(ORDER_ITEMS.c.product_id == bindparam("id")).limit(1)
DELETE_ONE = Write(sa.delete(TABLE).where(tenant.where(TABLE), TABLE.c.id == bindparam("id")))


def delete(ctx: Context, product_id: str) -> None:
    """Delete a product with its price overrides. Its opening row stays.

    Raises NotFoundError, PreconditionFailedError and ProductInUseError.
    """
    parameters = tenant.params(ctx, id=product_id)
    product = SELECT_ONE_FOR_UPDATE.one_or_none(ctx.session, parameters)
    if product is None:
        raise NotFoundError("Product")
    ctx.precondition.check(product, PRODUCT.tag)
    if ctx.session.execute(SELECT_FIRST_ITEM, parameters).first() is not None:
        raise ProductInUseError(f"{product.name} has been ordered")
    if product.movement_sequence > 0:
        raise ProductInUseError(f"{product.name} has stock movements")
    ctx = later_than(ctx, product.updated_at)
    prices.delete_of_product(ctx, product_id)
    audit.record(ctx, "product.deleted", "product", product_id, {"before": PRODUCT.render(product)})
    events.publish(ctx, payloads.product_deleted(product))  # before the row is gone, which has the sequence
    DELETE_ONE.one(ctx.session, parameters)
