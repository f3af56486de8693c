"""Products: list and get, for the API and the command line (contract, section 4)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam

from app.context import Context
from app.errors import NotFoundError
from app.queries import listing, tenant
from app.schemas.base import stored_sku
from app.schemas.products import ProductSchema
from models import Product
from models.base import table

TABLE = table(Product)
COLUMNS = ProductSchema().columns(TABLE)
ONE = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
BY_SKU = tenant.select(TABLE.c.id).where(TABLE.c.sku == bindparam("sku"))
LISTING = listing.Listing(
    TABLE,
    COLUMNS,
    {
        "category": TABLE.c.category == bindparam("category"),
        "active": TABLE.c.is_active == bindparam("active"),
    },
    lookups={"sku": TABLE.c.sku},
)


def get(ctx: Context, product_id: str) -> Row[Any]:
    """Return one product. Raises NotFoundError for an unknown or foreign id."""
    row = ctx.session.execute(ONE, tenant.params(ctx, id=product_id)).one_or_none()
    if row is None:
        raise NotFoundError("Product")
    return row


def find(ctx: Context, identifier: str) -> Row[Any]:
    """Return the product with this sku or id. Raises NotFoundError."""
    by_sku = ctx.session.execute(BY_SKU, tenant.params(ctx, sku=stored_sku(identifier))).scalar_one_or_none()
    return get(ctx, by_sku or identifier)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    category: str | None = None,
    sku: str | None = None,
    search: str | None = None,
    active: bool | None = None,
    updated_since: datetime | None = None,
) -> listing.Page:
    """Return a page of products, newest first. `search` is a substring of name, sku or category, in any case."""
    sku = None if sku is None else stored_sku(sku)
    filters = {"category": category, "sku": sku, "search": search, "active": active}
    return LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
