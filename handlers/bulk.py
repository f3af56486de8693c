"""Operations tagged Bulk (contract, section 9.3)."""

from app.context import Context
from app.schemas import bulk as requests
from app.schemas.base import Json
from app.schemas.inventory import BULK_INVENTORY_ADJUSTMENT, INVENTORY_MOVEMENT
from app.schemas.prices import BULK_PRICE, PRICE_OVERRIDE
from app.schemas.products import BULK_PRODUCT, PRODUCT
from app.services import bulk


def upsert_products(ctx: Context, body: Json) -> Json:
    """Create and update many products."""
    request = requests.load(body, BULK_PRODUCT)
    return requests.envelope(request.mode, bulk.upsert_products(ctx, request), PRODUCT.render)


def create_inventory_adjustments(ctx: Context, body: Json) -> Json:
    """Adjust the stock of many products."""
    request = requests.load(body, BULK_INVENTORY_ADJUSTMENT)
    return requests.envelope(request.mode, bulk.adjust_inventory(ctx, request), INVENTORY_MOVEMENT.render)


def upsert_prices(ctx: Context, body: Json) -> Json:
    """Set many price overrides."""
    request = requests.load(body, BULK_PRICE)
    return requests.envelope(request.mode, bulk.upsert_prices(ctx, request), PRICE_OVERRIDE.render)
