"""Operations tagged Prices (contract, section 9.4)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse
from app.schemas.prices import PRICE_OVERRIDE, PRICE_OVERRIDE_UPSERT, deleted
from app.schemas.responses import created
from app.services import price_writes, prices
from app.services.versions import Version, versioned


def list_customer_prices(ctx: Context, customer_id: str, **query: Any) -> Json:
    """Return a page of a customer's price overrides."""
    page = prices.page(ctx, customer_id, **query)
    return PRICE_OVERRIDE.page(page.rows, page.next_cursor)


@versioned(Version.of(PRICE_OVERRIDE, prices.SELECT_ONE), customer_id="customer_id", product_id="product_id")
def get_customer_price(ctx: Context, customer_id: str, product_id: str) -> StatusResponse:
    """Return the price override of a customer for a product."""
    return PRICE_OVERRIDE.one(prices.get(ctx, customer_id, product_id))


def upsert_customer_price(ctx: Context, customer_id: str, product_id: str, body: Json) -> StatusResponse:
    """Set the price of a product for a customer and return it."""
    written = price_writes.put(ctx, customer_id, product_id, PRICE_OVERRIDE_UPSERT.load(body))
    response = PRICE_OVERRIDE.one(written.price)
    is_new = written.before is None
    return created(response, f"/customers/{customer_id}/prices/{product_id}") if is_new else response


def delete_customer_price(ctx: Context, customer_id: str, product_id: str) -> Json:
    """Delete the price override of a customer for a product."""
    prices.delete(ctx, customer_id, product_id)
    return deleted(product_id)
