"""The shipments that orders have, read together with the orders (contract, section 9.7)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from sqlalchemy import bindparam

from app.context import Context
from app.queries import rows, tenant
from app.queries.rows import Statement
from app.schemas.orders import ListedOrderRow
from app.schemas.shipments import Shipment as ShipmentOfOrder
from app.schemas.shipments import ShipmentRow, ShippedItemRow
from models import Shipment, ShipmentItem
from models.base import table

TABLE = table(Shipment)
ITEMS = table(ShipmentItem)
SELECT_ITEMS = (
    tenant.select(*rows.columns(ShipmentRow, TABLE), ITEMS.c.order_item_id, ITEMS.c.quantity)
    .join(ITEMS, ITEMS.c.shipment_id == TABLE.c.id)
    .order_by(TABLE.c.order_id, TABLE.c.created_at, TABLE.c.id, ITEMS.c.position)
)
SELECT_OF_ORDERS = Statement(
    ShippedItemRow, SELECT_ITEMS.where(TABLE.c.order_id.in_(bindparam("order_ids", expanding=True)))
)
Shipments = Sequence[ShipmentOfOrder]


def read(ctx: Context, orders: Iterable[ListedOrderRow]) -> Mapping[str, Shipments]:
    """Return the shipments of orders by the id of the order, oldest first. If no order has any, nothing is read."""
    return read_all(ctx, [order.id for order in orders if order.has_shipments])


def read_all(ctx: Context, order_ids: Sequence[str]) -> Mapping[str, Shipments]:
    """Return the shipments of the orders with these ids, as `read` does."""
    found: dict[str, list[ShipmentOfOrder]] = defaultdict(list)
    if order_ids:
        for shipment in grouped(SELECT_OF_ORDERS.all(ctx.session, tenant.params(ctx, order_ids=order_ids))):
            found[shipment[0].order_id].append(shipment)
    return found


def grouped(items: Iterable[ShippedItemRow]) -> list[ShipmentOfOrder]:
    """Return the shipments of items, of which those of a shipment follow each other."""
    return [list(shipment) for _, shipment in groupby(items, key=lambda item: item.id)]
