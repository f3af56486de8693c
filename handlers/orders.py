"""Operations tagged Orders (contract, section 5)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.order_previews import order_preview
from app.schemas.orders import ORDER_CREATE, ORDER_STATUS_UPDATE, order_response, orders_with_items
from app.schemas.responses import created
from app.schemas.times import load_times
from app.services import order_previews, order_versions, orders
from app.services.versions import versioned


def list_orders(ctx: Context, **query: Any) -> Json:
    """Return a page of orders with their items."""
    found = orders.page(ctx, **load_times(query))
    data = orders_with_items(found.page.rows, found.items, found.shipments)
    return envelope(data, found.page.next_cursor, found.page.synced_until)


@versioned(order_versions.VERSION, id="order_id")
def get_order(ctx: Context, order_id: str) -> StatusResponse:
    """Return one order."""
    return order_response(*orders.get(ctx, order_id))


def create_order(ctx: Context, body: Json) -> StatusResponse:
    """Place an order and return it."""
    order, items = orders.place(ctx, ORDER_CREATE.load(body))
    return created(order_response(order, items, []), f"/orders/{order.id}")


def preview_order(ctx: Context, body: Json) -> Json:
    """Return what would happen if an order was placed."""
    return {"data": order_preview(order_previews.preview(ctx, ORDER_CREATE.load(body)))}


def update_order_status(ctx: Context, order_id: str, body: Json) -> StatusResponse:
    """Change the status of an order and return it."""
    return order_response(*orders.change_status(ctx, order_id, ORDER_STATUS_UPDATE.load(body)))
