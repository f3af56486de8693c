"""Inventory movements and adjustments as JSON (contract, section 9.3)."""

from dataclasses import dataclass
from datetime import datetime

from marshmallow import fields

from app.errors import BODY, InvalidParameterError
from app.queries.rows import Row
from app.schemas.base import DraftSchema, NormalizedText, Schema, row_schema, stored_code
from app.schemas.products import ProductKey, max_length
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


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkInventoryAdjustment(InventoryAdjustmentCreate):
    """An adjustment of the stock of the product that exactly one of the names identifies."""

    product_id: str | None = None
    sku: str | None = None
    product_external_id: str | None = None

    @property
    def key(self) -> ProductKey:
        """The key of the product."""
        values = {"id": self.product_id, "sku": self.sku, "external_id": self.product_external_id}
        return next(ProductKey(column, value) for column, value in values.items() if value is not None)


class Reference(fields.String):
    """A reference as it is stored; null if it is empty. Loading raises InvalidParameterError if NFC is too long."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str | None:  # type: ignore[override]
        reference = stored_code(value)
        if len(reference) > MAX_REFERENCE:
            message = f"reference must be at most {MAX_REFERENCE} characters"
            raise InvalidParameterError("reference", message, parent=BODY)
        return reference or None


class InventoryAdjustmentFields(Schema):
    """The fields of an adjustment."""

    delta = fields.Integer()
    counted_stock = fields.Integer()
    reason = fields.Enum(MovementReason, by_value=True)
    expected_stock = fields.Integer(allow_none=True)
    reference = Reference(allow_none=True)
    note = fields.String(allow_none=True)


class InventoryAdjustmentCreateSchema(InventoryAdjustmentFields, DraftSchema[InventoryAdjustmentCreate]):
    """The body that adjusts the stock of a product."""


class BulkInventoryAdjustmentSchema(InventoryAdjustmentFields, DraftSchema[BulkInventoryAdjustment]):
    """An item of a bulk request that adjusts the stock of products."""

    product_id = fields.String()
    sku = NormalizedText(max_length("sku"))
    product_external_id = NormalizedText(max_length("external_id"))


INVENTORY_MOVEMENT = row_schema(InventoryMovementRow, version=["id"])
INVENTORY_ADJUSTMENT_CREATE = InventoryAdjustmentCreateSchema()
BULK_INVENTORY_ADJUSTMENT = BulkInventoryAdjustmentSchema()
