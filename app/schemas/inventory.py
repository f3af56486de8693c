"""Inventory movements and adjustments as JSON (contract, section 9.3)."""

from dataclasses import dataclass
from datetime import datetime

from marshmallow import fields

from app.errors import BODY, InvalidParameterError
from app.queries.rows import Row
from app.schemas.base import DraftSchema, row_schema, stored_code
from models import MovementReason

MAX_REFERENCE = 255


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


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryAdjustmentCreate:
    """An adjustment of the stock of a product, by a difference or to a counted stock."""

    reason: MovementReason
    delta: int | None = None
    counted_stock: int | None = None
    expected_stock: int | None = None
    reference: str | None = None
    note: str | None = None


class Reference(fields.String):
    """A reference as it is stored; null if it is empty. Loading raises InvalidParameterError if NFC is too long."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str | None:  # type: ignore[override]
        reference = stored_code(value)
        if len(reference) > MAX_REFERENCE:
            message = f"reference must be at most {MAX_REFERENCE} characters"
            raise InvalidParameterError("reference", message, parent=BODY)
        return reference or None


class InventoryAdjustmentCreateSchema(DraftSchema[InventoryAdjustmentCreate]):
    """The body that adjusts the stock of a product."""

    delta = fields.Integer()
    counted_stock = fields.Integer()
    reason = fields.Enum(MovementReason, by_value=True)
    expected_stock = fields.Integer(allow_none=True)
    reference = Reference(allow_none=True)
    note = fields.String(allow_none=True)


INVENTORY_MOVEMENT = row_schema(InventoryMovementRow)
INVENTORY_ADJUSTMENT_CREATE = InventoryAdjustmentCreateSchema()
