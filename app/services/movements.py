"""Inventory movements: list and get, for the API and the command line (contract, section 9.3).

Not in this module: what writes them (`app/services/inventory.py`).
"""

import operator
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam

from app.context import Context
from app.errors import NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import Row, Statement
from app.schemas.base import stored_code
from app.schemas.inventory import InventoryMovementRow
from models import InventoryMovement, Product
from models.base import table


class ProductSkuRow(Row):
    """The sku of a product."""

    id: str
    sku: str | None


TABLE = table(InventoryMovement)
PRODUCTS = table(Product)
COLUMNS = rows.columns(InventoryMovementRow, TABLE)
SELECT_ONE = Statement(InventoryMovementRow, tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id")))
SELECT_SKUS = Statement(
    ProductSkuRow,
    tenant.select(*rows.columns(ProductSkuRow, PRODUCTS)).where(PRODUCTS.c.id.in_(bindparam("ids", expanding=True))),
)
LISTING = listing.Listing(
    InventoryMovementRow,
    TABLE,
    filters={
        "product_id": TABLE.c.product_id == bindparam("product_id"),
        "reason": TABLE.c.reason == bindparam("reason"),
    },
    created_at_filters={"since": operator.ge, "until": operator.le},
    lookups={"reference": TABLE.c.reference, "order_id": TABLE.c.order_id},
)


def get(ctx: Context, movement_id: str) -> InventoryMovementRow:
    """Return one movement. Raises NotFoundError if the company has no such movement."""
    movement = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, id=movement_id))
    if movement is None:
        raise NotFoundError("Movement")
    return movement


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    product_id: str | None = None,
    reason: str | None = None,
    reference: str | None = None,
    order_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> listing.Page[InventoryMovementRow]:
    """Return a page of movements, newest first, including those of deleted products."""
    reference = None if reference is None else stored_code(reference)
    filters = {"product_id": product_id, "reason": reason, "reference": reference, "order_id": order_id}
    return LISTING.page(ctx, limit=limit, cursor=cursor, since=since, until=until, **filters)


def skus(ctx: Context, page_rows: Sequence[InventoryMovementRow]) -> dict[str, str | None]:
    """Return the skus of the products of a page by their ids. Deleted products are left out."""
    parameters = tenant.params(ctx, ids=sorted({row.product_id for row in page_rows}))
    return {product.id: product.sku for product in SELECT_SKUS.all(ctx.session, parameters)}
