"""The audit entries of the orders of the demo company, as the services would have written them at the time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from app.demo.customers import RowValues
from app.services.audit import Details
from app.services.companies import SYSTEM
from models import OrderStatus, new_id

STEPS: Mapping[OrderStatus, tuple[OrderStatus, ...]] = {
    OrderStatus.SUBMITTED: (),
    OrderStatus.CONFIRMED: (OrderStatus.CONFIRMED,),
    OrderStatus.SHIPPED: (OrderStatus.CONFIRMED, OrderStatus.SHIPPED),
    OrderStatus.DELIVERED: (OrderStatus.CONFIRMED, OrderStatus.SHIPPED, OrderStatus.DELIVERED),
    OrderStatus.CANCELLED: (OrderStatus.CANCELLED,),
}


class OrderHistory(NamedTuple):
    """What the audit log records of an order. `details` are those of the entry `order.placed`."""

    company_id: str
    order_id: str
    details: Details
    placed_at: datetime
    status: OrderStatus
    updated_at: datetime


def entries(order: OrderHistory) -> Iterator[RowValues]:
    """Yield the entries of an order: that it was placed, and each change of its status until the current one."""
    yield _entry(order, "order.placed", order.placed_at, order.details)
    before, steps = OrderStatus.SUBMITTED, STEPS[order.status]
    for number, status in enumerate(steps, 1):
        at = order.placed_at + (order.updated_at - order.placed_at) * number / len(steps)
        change = {"before": before, "after": status, "restock": status is OrderStatus.CANCELLED}
        yield _entry(order, "order.status_changed", at, change)
        before = status


def _entry(order: OrderHistory, action: str, at: datetime, details: Details) -> RowValues:
    return {
        "id": new_id(at),
        "company_id": order.company_id,
        "action": action,
        "actor_type": SYSTEM.type,
        "actor_id": SYSTEM.id,
        "entity_type": "order",
        "entity_id": order.order_id,
        "details": details,
        "request_id": new_id(at),
        "created_at": at,
    }
