"""Inventory movements as JSON (contract, section 9.3)."""

from datetime import datetime

from app.queries.rows import Row
from app.schemas.base import row_schema


class InventoryMovementRow(Row):
    """A change of a product's stock."""

    id: str
    product_id: str
    delta: int
    stock_before: int
    stock_after: int
    reason: str
    reference: str | None
    note: str | None
    order_id: str | None
    return_id: str | None
    actor_type: str
    actor_id: str
    request_id: str | None
    created_at: datetime


INVENTORY_MOVEMENT = row_schema(InventoryMovementRow)
