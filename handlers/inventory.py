"""Operations tagged Inventory (contract, section 9.3)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse
from app.schemas.inventory import INVENTORY_ADJUSTMENT_CREATE, INVENTORY_MOVEMENT
from app.schemas.responses import created
from app.schemas.times import load_times
from app.services import adjustments, movements, products
from app.services.versions import Version, versioned


def list_inventory_movements(ctx: Context, **query: Any) -> Json:
    """Return a page of movements."""
    page = movements.page(ctx, **load_times(query))
    return INVENTORY_MOVEMENT.page(page.rows, page.next_cursor)


def list_product_inventory_movements(ctx: Context, product_id: str, **query: Any) -> Json:
    """Return a page of a product's movements."""
    products.get(ctx, product_id)
    page = movements.page(ctx, product_id=product_id, **load_times(query))
    return INVENTORY_MOVEMENT.page(page.rows, page.next_cursor)


@versioned(Version.of(INVENTORY_MOVEMENT, movements.SELECT_ONE), id="movement_id")
def get_inventory_movement(ctx: Context, movement_id: str) -> StatusResponse:
    """Return one movement."""
    return INVENTORY_MOVEMENT.one(movements.get(ctx, movement_id))


def create_inventory_adjustment(ctx: Context, product_id: str, body: Json) -> StatusResponse:
    """Adjust the stock of a product and return the movement."""
    movement = adjustments.adjust(ctx, product_id, INVENTORY_ADJUSTMENT_CREATE.load(body))
    return created(INVENTORY_MOVEMENT.one(movement), f"/inventory-movements/{movement.id}")
