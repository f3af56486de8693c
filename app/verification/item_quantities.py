"""No more of an item of an order is shipped, or returned, than was ordered (contract, section 9.7).

The ordered quantity is read with a subquery for each item that was shipped or returned, and not with a join: few items
of a company may have been, and the plan of a join depends on statistics.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import OrderItem, Return, ReturnItem, ReturnStatus, Shipment, ShipmentItem
from models.base import table

ITEMS = table(OrderItem)
SHIPMENTS, SHIPMENT_ITEMS = table(Shipment), table(ShipmentItem)
RETURNS, RETURN_ITEMS = table(Return), table(ReturnItem)


class QuantityRow(Row):
    """An item of an order, its quantity, and a sum of quantities; `ordered` is null if the order has no such item."""

    order_item_id: str
    order_id: str
    total: int
    ordered: int | None


def _exceeding(quantities: Select[Any]) -> Statement[QuantityRow]:
    """Return the statement that finds items whose quantities add up to more than was ordered."""
    sums = quantities.subquery()
    has_same_id = (ITEMS.c.id == sums.c.order_item_id) & (ITEMS.c.order_id == sums.c.order_id)
    ordered = sa.select(ITEMS.c.quantity).where(has_same_id).scalar_subquery()
    compared = sa.select(sums.c.order_item_id, sums.c.order_id, sums.c.total, ordered.label("ordered")).subquery()
    return Statement(
        QuantityRow,
        sa.select(compared)
        .where(sa.or_(compared.c.ordered.is_(None), compared.c.total > compared.c.ordered))
        .order_by(compared.c.order_id, compared.c.order_item_id),
    )


SELECT_SHIPPED = _exceeding(
    tenant.select(
        SHIPMENTS.c.order_id, SHIPMENT_ITEMS.c.order_item_id, sa.func.sum(SHIPMENT_ITEMS.c.quantity).label("total")
    )
    .join(SHIPMENT_ITEMS, SHIPMENT_ITEMS.c.shipment_id == SHIPMENTS.c.id)
    .where(within(SHIPMENTS.c.order_id))
    .group_by(SHIPMENTS.c.order_id, SHIPMENT_ITEMS.c.order_item_id)
)
# From the receipt on, what was received counts.
RETURNED_QUANTITY = sa.func.coalesce(RETURN_ITEMS.c.received_quantity, RETURN_ITEMS.c.quantity)
SELECT_RETURNED = _exceeding(
    tenant.select(RETURNS.c.order_id, RETURN_ITEMS.c.order_item_id, sa.func.sum(RETURNED_QUANTITY).label("total"))
    .join(RETURN_ITEMS, RETURN_ITEMS.c.return_id == RETURNS.c.id)
    .where(within(RETURNS.c.order_id), RETURNS.c.status != ReturnStatus.REJECTED)
    .group_by(RETURNS.c.order_id, RETURN_ITEMS.c.order_item_id)
)


def _shipped(row: QuantityRow) -> Problem:
    return _problem(row, "shipments")


def _returned(row: QuantityRow) -> Problem:
    return _problem(row, "returns")


def _problem(row: QuantityRow, name: str) -> Problem:
    text = f"{row.ordered} were ordered, its {name} add up to {row.total}"
    if row.ordered is None:
        text = f"the order does not have it, but it has {name}"
    return Problem("order item", row.order_item_id, f"of order {row.order_id}", f"{text}. {CORRECT}")


SHIPPED = Check(
    "shippedQuantities",
    subject="shipments",
    rule="no more of an item was shipped than ordered",
    ranges=ranges.ORDERS,
    counted=[SHIPMENTS.c.order_id],
    bad=SELECT_SHIPPED,
    problem=_shipped,
)
RETURNED = Check(
    "returnedQuantities",
    subject="returns",
    rule="no more of an item was returned than ordered",
    ranges=ranges.ORDERS,
    counted=[RETURNS.c.order_id],
    bad=SELECT_RETURNED,
    problem=_returned,
)
