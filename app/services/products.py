"""Products: list and get, for the API and the command line (contract, section 4)."""

from datetime import datetime

from sqlalchemy import bindparam

from app.context import Context
from app.errors import NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import Statement
from app.schemas.base import stored_sku
from app.schemas.products import ProductRow
from models import Product
from models.base import table

TABLE = table(Product)
COLUMNS = rows.columns(ProductRow, TABLE)
SELECT_ONE = Statement(ProductRow, tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id")))
SELECT_ID_BY_SKU = tenant.select(TABLE.c.id).where(TABLE.c.sku == bindparam("sku"))
LISTING = listing.Listing(
    ProductRow,
    TABLE,
    filters={
        "category": TABLE.c.category == bindparam("category"),
        "active": TABLE.c.is_active == bindparam("active"),
    },
    lookups={"sku": TABLE.c.sku},
)


def get(ctx: Context, product_id: str) -> ProductRow:
    """Return one product. Raises NotFoundError if the company has no such product."""
    product = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, id=product_id))
    if product is None:
        raise NotFoundError("Product")
    return product


def find(ctx: Context, identifier: str) -> ProductRow:
    """Return the product with this sku or id. Raises NotFoundError."""
    parameters = tenant.params(ctx, sku=stored_sku(identifier))
    return get(ctx, ctx.session.execute(SELECT_ID_BY_SKU, parameters).scalar_one_or_none() or identifier)


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
) -> listing.Page[ProductRow]:
    """Return a page of products, newest first. `search` is a substring of name, sku or category, ignoring case."""
    sku = None if sku is None else stored_sku(sku)
    filters = {"category": category, "sku": sku, "search": search, "active": active}
    return LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
