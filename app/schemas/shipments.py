"""Shipments as JSON, in responses and requests (contract, section 9.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import fields

from app.queries.rows import Row
from app.schemas import repeated_items
from app.schemas.base import (
    NOT_GIVEN,
    DraftSchema,
    Json,
    NotGiven,
    Schema,
    StatusResponse,
    TrimmedText,
    row_schema,
    tagged,
)
from app.schemas.webhooks import StoredTime, UniqueList


class ShipmentRow(Row):
    """A shipment without its items."""

    id: str
    order_id: str
    carrier: str | None
    tracking_numbers: list[str]
    tracking_url: str | None
    shipped_at: datetime
    created_at: datetime
    updated_at: datetime


class ShippedItemRow(ShipmentRow):
    """An item of a shipment, together with the shipment."""

    order_item_id: str
    quantity: int


Shipment = Sequence[ShippedItemRow]  # all items of one shipment; there is at least one


@dataclass(frozen=True, kw_only=True, slots=True)
class ShipmentItemCreate:
    """The quantity of an item of the order that a new shipment contains."""

    order_item_id: str
    quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShipmentCreate:
    """A shipment to be created. Without items, it contains everything that is left to ship."""

    items: Sequence[ShipmentItemCreate] | None = None
    carrier: str | None = None
    tracking_numbers: Sequence[str] = ()
    tracking_url: str | None = None
    shipped_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShipmentUpdate:
    """Changes to a shipment. Fields that are absent do not change."""

    carrier: str | NotGiven | None = NOT_GIVEN
    tracking_numbers: Sequence[str] | NotGiven = NOT_GIVEN
    tracking_url: str | NotGiven | None = NOT_GIVEN


class TrackingNumbers(UniqueList):
    """Tracking numbers without duplicates. Null means none."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **options: Any) -> Any:
        """Return the numbers of a list or null."""
        return super().deserialize([] if value is None else value, attr, data, **options)


class ShipmentItemCreateSchema(DraftSchema[ShipmentItemCreate]):
    """An item in the body that creates a shipment."""

    order_item_id = fields.String()
    quantity = fields.Integer()


class ShipmentFields(Schema):
    """The fields of a shipment that a client may set at any time."""

    carrier = TrimmedText(allow_none=True)
    tracking_numbers = TrackingNumbers(TrimmedText())
    tracking_url = fields.String(allow_none=True)


class ShipmentCreateSchema(ShipmentFields, DraftSchema[ShipmentCreate]):
    """The body that creates a shipment."""

    items = fields.List(fields.Nested(ShipmentItemCreateSchema))
    shipped_at = StoredTime(allow_none=True)

    def load(self, data: Json, **options: Any) -> ShipmentCreate:  # type: ignore[override]  # one object
        """Return the draft of a shipment. Raises InvalidParameterError if two items name the same item of the order."""
        repeated_items.check("orderItemId", [item["orderItemId"] for item in data.get("items", [])])
        return super().load(data, **options)


class ShipmentUpdateSchema(ShipmentFields, DraftSchema[ShipmentUpdate]):
    """The body that updates a shipment."""


SHIPMENT = row_schema(ShipmentRow)  # the version of a shipment; its items never change
SHIPMENT_SHAPE = f"{SHIPMENT.shape} items orderItemId quantity"
SHIPMENT_CREATE = ShipmentCreateSchema()
SHIPMENT_UPDATE = ShipmentUpdateSchema()


def shipment(found: Shipment) -> Json:
    """Return a shipment with its items."""
    items = [{"orderItemId": item.order_item_id, "quantity": item.quantity} for item in found]
    return {"id": found[0].id, "orderId": found[0].order_id, "items": items, **SHIPMENT.render(found[0])}


def shipment_response(found: Shipment) -> StatusResponse:
    """Return the response 200 with a single shipment and its entity tag."""
    return tagged(shipment(found), SHIPMENT.tag(found[0]))
