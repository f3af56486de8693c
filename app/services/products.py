"""Products: list and get, for the API and the command line (contract, section 4)."""

from datetime import datetime

import orjson
from sqlalchemy import bindparam

from app.context import Context
from app.errors import NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import Parameters, Statement
from app.schemas.base import stored_code
from app.schemas.products import ProductRow
from app.schemas.times import parse_time
from models import Event, EventType, Product
from models.base import table

TABLE = table(Product)
COLUMNS = rows.columns(ProductRow, TABLE)
SELECT_ONE = Statement(ProductRow, tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id")))
SELECT_ID_BY_SKU = tenant.select(TABLE.c.id).where(TABLE.c.sku == bindparam("sku"))
EVENTS = table(Event)
SELECT_DELETED_PAYLOAD = tenant.select(EVENTS.c.payload).where(
    EVENTS.c.entity_id == bindparam(listing.CURSOR), EVENTS.c.type == EventType.PRODUCT_DELETED
)
IS_LOW_STOCK = TABLE.c.stock <= TABLE.c.low_stock_threshold


def _find_deleted(ctx: Context, parameters: Parameters) -> datetime | None:
    """Return when a product was created that has been deleted since, as long as the event of its deletion is stored."""
    payload = ctx.session.execute(SELECT_DELETED_PAYLOAD, parameters).scalar_one_or_none()
    return None if payload is None else parse_time(orjson.loads(payload)["data"]["createdAt"])


LISTING = listing.Listing(
    ProductRow,
    TABLE,
    filters={
        "category": TABLE.c.category == bindparam("category"),
        "active": TABLE.c.is_active == bindparam("active"),
        # Without a parameter: an index that has only the products that are low on stock serves this condition.
        "is_low_stock": IS_LOW_STOCK,
        "is_not_low_stock": ~IS_LOW_STOCK,
    },
    lookups={"sku": TABLE.c.sku, "external_id": TABLE.c.external_id, "barcode": TABLE.c.barcode},
    find_deleted=_find_deleted,
)


def get(ctx: Context, product_id: str) -> ProductRow:
    """Return one product. Raises NotFoundError if the company has no such product."""
    product = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, id=product_id))
    if product is None:
        raise NotFoundError("Product")
    return product


def find(ctx: Context, identifier: str) -> ProductRow:
    """Return the product with this sku or id. Raises NotFoundError."""
    parameters = tenant.params(ctx, sku=stored_code(identifier))
    return get(ctx, ctx.session.execute(SELECT_ID_BY_SKU, parameters).scalar_one_or_none() or identifier)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    category: str | None = None,
    sku: str | None = None,
    external_id: str | None = None,
    barcode: str | None = None,
    search: str | None = None,
    active: bool | None = None,
    low_stock: bool | None = None,
    updated_since: datetime | None = None,
) -> listing.Page[ProductRow]:
    """Return a page of products, newest first. `search` is a substring of name, sku or category, ignoring case."""
    filters = {
        "category": category,
        "sku": None if sku is None else stored_code(sku),
        "external_id": None if external_id is None else stored_code(external_id),
        "barcode": None if barcode is None else barcode.strip(),
        "search": search,
        "active": active,
        "is_low_stock": low_stock or None,
        "is_not_low_stock": None if low_stock is None else not low_stock or None,
    }
    return LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
