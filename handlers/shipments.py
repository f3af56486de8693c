"""Operations tagged Shipments (contract, section 9.7)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.responses import created
from app.schemas.shipments import SHIPMENT, SHIPMENT_CREATE, SHIPMENT_UPDATE, shipment, shipment_response
from app.services import shipments
from app.services.versions import Version, versioned


def list_shipments(ctx: Context, order_id: str, **query: Any) -> Json:
    """Return a page of the shipments of an order."""
    found, next_cursor = shipments.page(ctx, order_id, **query)
    return envelope([shipment(one) for one in found], next_cursor)


@versioned(Version.of(SHIPMENT, shipments.SELECT_ONE), id="shipment_id", order_id="order_id")
def get_shipment(ctx: Context, order_id: str, shipment_id: str) -> StatusResponse:
    """Return one shipment."""
    return shipment_response(shipments.get(ctx, order_id, shipment_id))


def create_shipment(ctx: Context, order_id: str, body: Json) -> StatusResponse:
    """Create a shipment and return it."""
    made = shipments.create(ctx, order_id, SHIPMENT_CREATE.load(body))
    return created(shipment_response(made), f"/orders/{order_id}/shipments/{made[0].id}")


def update_shipment(ctx: Context, order_id: str, shipment_id: str, body: Json) -> StatusResponse:
    """Update a shipment and return it."""
    return shipment_response(shipments.update(ctx, order_id, shipment_id, SHIPMENT_UPDATE.load(body)))
