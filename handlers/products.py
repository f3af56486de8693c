"""Operations tagged Products (contract, sections 4 and 9.3)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse
from app.schemas.products import PRODUCT, PRODUCT_CREATE, PRODUCT_UPDATE, PRODUCT_UPSERT, upsert_key
from app.schemas.responses import created
from app.schemas.times import load_times
from app.services import product_deletion, product_writes, products
from app.services.versions import Version, versioned


def list_products(ctx: Context, **query: Any) -> Json:
    """Return a page of products."""
    page = products.page(ctx, **load_times(query))
    return PRODUCT.page(page.rows, page.next_cursor, page.synced_until)


@versioned(Version.of(PRODUCT, products.SELECT_ONE), id="product_id")
def get_product(ctx: Context, product_id: str) -> StatusResponse:
    """Return one product."""
    return PRODUCT.one(products.get(ctx, product_id))


def create_product(ctx: Context, body: Json) -> StatusResponse:
    """Create a product and return it."""
    product = product_writes.create(ctx, PRODUCT_CREATE.load(body))
    return created(PRODUCT.one(product), f"/products/{product.id}")


def upsert_product(ctx: Context, body: Json, sku: str | None = None, external_id: str | None = None) -> StatusResponse:
    """Create or update the product with an sku or external id, and return it."""
    draft = PRODUCT_UPSERT.load(body)
    product, is_new = product_writes.upsert(ctx, upsert_key(sku, external_id, draft), draft)
    response = PRODUCT.one(product)
    return created(response, f"/products/{product.id}") if is_new else response


def update_product(ctx: Context, product_id: str, body: Json) -> StatusResponse:
    """Update a product and return it."""
    return PRODUCT.one(product_writes.update(ctx, product_id, PRODUCT_UPDATE.load(body)))


def delete_product(ctx: Context, product_id: str) -> Json:
    """Delete a product."""
    product_deletion.delete(ctx, product_id)
    return {"data": {"id": product_id, "deleted": True}}
