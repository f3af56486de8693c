"""Orders: translate between HTTP and `app.services.orders`."""

from typing import Any

from app.context import Context
from app.schemas.base import Created, Json, envelope
from app.schemas.orders import OrderDraftSchema, OrderSchema
from app.schemas.times import load_times
from app.services import orders
from models import OrderStatus

DRAFT = OrderDraftSchema()
SCHEMA = OrderSchema()


def list_orders(ctx: Context, **query: Any) -> Json:
    """Answer a page of orders, filtered, each with its items."""
    found = orders.page(ctx, **load_times(query))
    data = [SCHEMA.with_items(row, found.items[row.id]) for row in found.page.rows]
    return envelope(data, found.page.next_cursor)


def get_order(ctx: Context, order_id: str) -> Json:
    """Answer one order."""
    return {"data": SCHEMA.detail(*orders.get(ctx, order_id))}


def create_order(ctx: Context, body: Json) -> Created:
    """Place an order."""
    order, items = orders.place(ctx, DRAFT.load(body))
    return {"data": SCHEMA.detail(order, items)}, 201, {"Location": f"/api/v1/orders/{order.id}"}


def update_order_status(ctx: Context, order_id: str, body: Json) -> Json:
    """Move an order on."""
    status, restock = OrderStatus(body["status"]), body.get("restock", False)
    return {"data": SCHEMA.detail(*orders.change_status(ctx, order_id, status, restock=restock))}
