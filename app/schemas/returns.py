"""Returns as JSON, in responses, events and requests (contract, section 9.7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from marshmallow import fields

from app.queries.rows import Row
from app.schemas import repeated_items
from app.schemas.base import (
    EXTERNAL_ID_LENGTH,
    NOT_GIVEN,
    DraftSchema,
    Json,
    NormalizedText,
    NotGiven,
    StatusResponse,
    row_schema,
    tagged,
)
from app.schemas.tags import entity_tag
from models import ReturnReason, ReturnStatus


class ReturnRow(Row):
    """A return without its items."""

    id: str
    order_id: str
    customer_id: str | None
    status: str
    refunded_amount: Decimal
    method: str | None
    reference: str | None
    notes: str | None
    external_id: str | None
    requested_at: datetime
    approved_at: datetime | None
    received_at: datetime | None
    refunded_at: datetime | None
    rejected_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ReturnItemRow(Row):
    """An item of a return; the name is the product's current one, and the price that of the order."""

    id: str
    order_item_id: str
    product_id: str
    product_name: str
    quantity: int
    received_quantity: int | None
    restocked_quantity: int | None
    unit_price: Decimal
    reason: str | None


class ListedReturnItemRow(ReturnItemRow):
    """An item in a list with items of several returns."""

    return_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReturn:
    """A return, its items in the order of the request, and what a refund of it would pay now."""

    row: ReturnRow
    items: Sequence[ReturnItemRow]
    refundable_amount: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnItemCreate:
    """The quantity of an item of the order that a new return contains."""

    order_item_id: str
    quantity: int
    reason: ReturnReason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnCreate:
    """A return to be created."""

    order_id: str
    items: Sequence[ReturnItemCreate]
    notes: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnUpdate:
    """The decision on a return: approved or rejected. Absent notes do not change."""

    status: ReturnStatus
    notes: str | NotGiven | None = NOT_GIVEN


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnItemReceive:
    """How many units of an item of a return arrived, and how many of these go back to stock."""

    return_item_id: str
    received_quantity: int
    restock_quantity: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnReceive:
    """What arrived of a return. Items that are absent arrived completely, and do not go back to stock."""

    items: Sequence[ReturnItemReceive] = ()


class ReturnItemCreateSchema(DraftSchema[ReturnItemCreate]):
    """An item in the body that creates a return."""

    order_item_id = fields.String()
    quantity = fields.Integer()
    reason = fields.Enum(ReturnReason, by_value=True, allow_none=True)


class ReturnCreateSchema(DraftSchema[ReturnCreate]):
    """The body that creates a return."""

    order_id = fields.String()
    items = fields.List(fields.Nested(ReturnItemCreateSchema))
    notes = fields.String(allow_none=True)
    external_id = NormalizedText(EXTERNAL_ID_LENGTH, allow_none=True)

    def load(self, data: Json, **options: Any) -> ReturnCreate:  # type: ignore[override]  # one object
        """Return the draft of a return. Raises InvalidParameterError if two items name the same item of the order."""
        repeated_items.check("orderItemId", [item["orderItemId"] for item in data["items"]])
        return super().load(data, **options)


class ReturnUpdateSchema(DraftSchema[ReturnUpdate]):
    """The body that approves or rejects a return."""

    status = fields.Enum(ReturnStatus, by_value=True)
    notes = fields.String(allow_none=True)


class ReturnItemReceiveSchema(DraftSchema[ReturnItemReceive]):
    """An item in the body that receives a return."""

    return_item_id = fields.String()
    received_quantity = fields.Integer()
    restock_quantity = fields.Integer()


class ReturnReceiveSchema(DraftSchema[ReturnReceive]):
    """The body that receives a return."""

    items = fields.List(fields.Nested(ReturnItemReceiveSchema))

    def load(self, data: Json, **options: Any) -> ReturnReceive:  # type: ignore[override]  # one object
        """Return the draft of a receipt. Raises InvalidParameterError if two items name the same item of the return."""
        repeated_items.check("returnItemId", [item["returnItemId"] for item in data.get("items", [])])
        return super().load(data, **options)


RETURN = row_schema(ReturnRow)
RETURN_ITEM = row_schema(ReturnItemRow)
RETURN_CREATE = ReturnCreateSchema()
RETURN_UPDATE = ReturnUpdateSchema()
RETURN_RECEIVE = ReturnReceiveSchema()
SHAPE = f"{RETURN.shape} {RETURN_ITEM.shape} refundableAmount"


def order_return(found: OrderReturn) -> Json:
    """Return a return with its items."""
    row = found.row
    return {
        "id": row.id,
        "orderId": row.order_id,
        "customerId": row.customer_id,
        "status": row.status,
        "items": [RETURN_ITEM.render(item) for item in found.items],
        "refundableAmount": float(found.refundable_amount),
        **RETURN.render(row),
    }


def return_tag(found: OrderReturn) -> str:
    """Return the entity tag of a return."""
    return version_tag(found.row.id, found.row.updated_at, (item.product_name for item in found.items))


def version_tag(return_id: object, updated_at: object, names: Iterable[object]) -> str:
    """Return the entity tag of the return with this id, `updated_at` and current names of its products.

    Everything else changes together with `updated_at`, also `refundableAmount`, which depends on other returns.
    """
    return entity_tag(SHAPE, (return_id, updated_at, *names))


def return_response(found: OrderReturn) -> StatusResponse:
    """Return the response 200 with a single return and its entity tag."""
    return tagged(order_return(found), return_tag(found))
