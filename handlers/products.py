"""Products: translate between HTTP and `app.services.products`."""

from typing import Any

from app.context import Context
from app.schemas.base import Json
from app.schemas.products import ProductSchema
from app.schemas.times import load_times
from app.services import products

SCHEMA = ProductSchema()


def list_products(ctx: Context, **query: Any) -> Json:
    """Answer a page of products, filtered."""
    page = products.page(ctx, **load_times(query))
    return SCHEMA.page(page.rows, page.next_cursor)


def get_product(ctx: Context, product_id: str) -> Json:
    """Answer one product."""
    return SCHEMA.one(products.get(ctx, product_id))
