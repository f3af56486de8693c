"""Operations tagged Products (contract, section 4)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json
from app.schemas.products import PRODUCT
from app.schemas.times import load_times
from app.services import products


def list_products(ctx: Context, **query: Any) -> Json:
    """Return a page of products."""
    page = products.page(ctx, **load_times(query))
    return PRODUCT.page(page.rows, page.next_cursor, page.synced_until)


def get_product(ctx: Context, product_id: str) -> Json:
    """Return one product."""
    return PRODUCT.one(products.get(ctx, product_id))
