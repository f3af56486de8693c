"""Products: list and get, for the API and the command line (contract, section 4)."""

from typing import Any

from sqlalchemy import Row, bindparam

from app.context import Context
from app.errors import NotFoundError
from app.services import paging
from app.services.tenant import bound, owned
from models import Product, searchable

TABLE = Product.metadata.tables[Product.__tablename__]
COLUMNS = [column for column in TABLE.c if column.name not in {"company_id", "search_text", "low_stock_threshold"}]
ONE = owned(*COLUMNS).where(TABLE.c.id == bindparam("id"))
LISTING = paging.Listing(
    TABLE,
    COLUMNS,
    {
        "category": TABLE.c.category == bindparam("category"),
        "active": TABLE.c.is_active == bindparam("active"),
        "search": TABLE.c.search_text.contains(bindparam("search"), escape="\\"),
    },
)


def get(ctx: Context, product_id: str) -> Row[Any]:
    """Return one product. Raises NotFoundError for an unknown or foreign id."""
    row = ctx.session.execute(ONE, bound(ctx, id=product_id)).one_or_none()
    if row is None:
        raise NotFoundError("Product")
    return row


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    category: str | None = None,
    search: str | None = None,
    active: bool | None = None,
) -> paging.Page:
    """Return a page of products, newest first. `search` is a substring of name, sku or category, in any case."""
    folded = None if search is None else _literal(searchable(search))
    return LISTING.page(ctx, limit=limit, cursor=cursor, category=category, search=folded, active=active)


def _literal(text: str) -> str:
    """Escape what LIKE would take for a wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
