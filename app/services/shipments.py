"""Shipments of orders: create, list, get, update (contract, section 9.7).

An order is locked while one of its shipments is created or changed, and its `updated_at` moves with every change: its
shipments are a part of it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import NotFoundError, RefusalError, refuse
from app.queries import listing, rows, tenant
from app.queries.rows import Statement, Write
from app.queries.written_rows import Insert, WrittenRow
from app.schemas.base import given, timestamp
from app.schemas.orders import OrderDetailRow
from app.schemas.shipments import (
    SHIPMENT,
    Shipment,
    ShipmentCreate,
    ShipmentItemCreate,
    ShipmentRow,
    ShipmentUpdate,
    ShippedItemRow,
)
from app.services import audit, order_quantities, order_shipments, orders
from app.services.order_shipments import ITEMS, SELECT_ITEMS, TABLE, Shipments
from models import OrderStatus, new_id

MAX_SHIPMENTS = 100  # of an order: every response with the order contains all of them
SHIPPABLE = {OrderStatus.CONFIRMED, OrderStatus.SHIPPED}
COLUMNS = rows.columns(ShipmentRow, TABLE)
SELECT_BY_IDS = Statement(ShippedItemRow, SELECT_ITEMS.where(TABLE.c.id.in_(bindparam("ids", expanding=True))))
SELECT_ONE = Statement(
    ShipmentRow,
    tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"), TABLE.c.order_id == bindparam("order_id")),
)
INSERT_ONE = Insert(ShipmentRow, TABLE, COLUMNS)
INSERT_ITEMS = Write(ITEMS.insert())
UPDATE = Write(tenant.update(TABLE))
WRITTEN = WrittenRow(ShipmentRow, TABLE, COLUMNS)
LISTING = listing.Listing(
    ShipmentRow, TABLE, filters={}, parent={"order_id": TABLE.c.order_id == bindparam("order_id")}
)
ShippedItems = Sequence[ShipmentItemCreate]


class NotShippableError(RefusalError):
    """Only confirmed and shipped orders can have shipments."""

    code = "order_not_shippable"

    def __init__(self, current: str) -> None:
        """Initialize with the status of the order."""
        super().__init__(f"Order cannot be shipped while {current}.", currentStatus=current)


class ShipmentLimitError(RefusalError):
    """The order has as many shipments as an order can have."""

    code = "shipment_limit_reached"

    def __init__(self, maximum: int) -> None:
        """Initialize with the maximum number of shipments."""
        super().__init__(f"Shipment limit reached. An order can have at most {maximum}.")


class NothingToShipError(RefusalError):
    """A shipment without items is created for an order of which nothing is left to ship."""

    code = "nothing_to_ship"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("Nothing is left to ship. The shipments of the order contain all of its items.")


class ShipmentQuantityError(RefusalError):
    """A shipment contains more of an item than is left to ship."""

    code = "shipment_quantity_exceeded"

    def __init__(self, pointer: str, name: str, left: int) -> None:
        """Initialize with the pointer to the quantity, the name of the product, and the quantity that is left."""
        super().__init__(f"Only {left} of {name} can still be shipped.", pointer=pointer, left=left)


def create(ctx: Context, order_id: str, draft: ShipmentCreate) -> Shipment:
    """Create a shipment. The first one of a confirmed order changes its status to SHIPPED.

    Raises NotFoundError, and RefusalError with every reason.
    """
    before, items, earlier = orders.lock(ctx, order_id)
    ctx = later_than(ctx, before.updated_at)
    left = _left(items, earlier)
    shipped = _remaining(left) if draft.items is None else draft.items
    refuse([*_order_refusals(before, earlier), *_item_refusals(shipped, items, left)])
    after = orders.update(ctx, before, status=OrderStatus.SHIPPED, has_shipments=True)
    shipment = _insert(ctx, order_id, draft, shipped)
    audit.record(ctx, "order.shipped", "order", order_id, _details(shipment))
    if before.status != after.status:
        orders.record_move(ctx, before, after, [shipment])
    return shipment


def page(
    ctx: Context, order_id: str, *, limit: int = 50, cursor: str | None = None
) -> tuple[list[Shipment], str | None]:
    """Return a page of the shipments of an order, newest first, and its next cursor. Raises NotFoundError."""
    orders.find(ctx, order_id)
    found = LISTING.page(ctx, limit=limit, cursor=cursor, order_id=order_id)
    shipments = _by_ids(ctx, [row.id for row in found.rows])
    return [shipments[row.id] for row in found.rows], found.next_cursor


def get(ctx: Context, order_id: str, shipment_id: str) -> Shipment:
    """Return one shipment. Raises NotFoundError if the company has no such order, or the order no such shipment."""
    orders.find(ctx, order_id)
    shipment = _by_ids(ctx, [shipment_id]).get(shipment_id)
    if shipment is None or shipment[0].order_id != order_id:
        raise NotFoundError("Shipment")
    return shipment


def update(ctx: Context, order_id: str, shipment_id: str, draft: ShipmentUpdate) -> Shipment:
    """Update a shipment. An update that changes nothing is not recorded.

    Raises NotFoundError and PreconditionFailedError.
    """
    order, _, shipments = orders.lock(ctx, order_id)
    before = next((shipment for shipment in shipments if shipment[0].id == shipment_id), None)
    if before is None:
        raise NotFoundError("Shipment")
    ctx.precondition.check(before[0], SHIPMENT.tag)
    ctx = later_than(ctx, order.updated_at, before[0].updated_at)
    changed = {name: value for name, value in given(draft).items() if getattr(before[0], name) != value}
    if not changed:
        return before
    values = {**changed, "updated_at": ctx.now}
    UPDATE.one(ctx.session, tenant.params(ctx, row_id=shipment_id, **values))
    orders.update(ctx, order)
    row = WRITTEN.updated(before[0], values)
    after = [ShippedItemRow((*row, item.order_item_id, item.quantity)) for item in before]
    changes = audit.changes(SHIPMENT.render(before[0]), SHIPMENT.render(after[0]))
    audit.record(ctx, "order.shipment_updated", "order", order_id, {"shipmentId": shipment_id, **changes})
    return after


def _order_refusals(order: OrderDetailRow, earlier: Shipments) -> Iterator[RefusalError]:
    if order.status not in SHIPPABLE:
        yield NotShippableError(order.status)
    if len(earlier) >= MAX_SHIPMENTS:
        yield ShipmentLimitError(MAX_SHIPMENTS)


def _item_refusals(shipped: ShippedItems, items: orders.Items, left: Mapping[str, int]) -> Iterator[RefusalError]:
    if not shipped:
        yield NothingToShipError()
    yield from order_quantities.refusals(shipped, items, left, ShipmentQuantityError)


def _remaining(left: Mapping[str, int]) -> ShippedItems:
    return [ShipmentItemCreate(order_item_id=item, quantity=quantity) for item, quantity in left.items() if quantity]


def _left(items: orders.Items, earlier: Shipments) -> Mapping[str, int]:
    """Return the quantity that is left to ship of each item of an order, by its id."""
    left = Counter({item.id: item.quantity for item in items})
    for shipment in earlier:
        left.subtract({item.order_item_id: item.quantity for item in shipment})
    return left


def _insert(ctx: Context, order_id: str, draft: ShipmentCreate, items: ShippedItems) -> Shipment:
    shipment_id = new_id(ctx.now)
    row = {
        "id": shipment_id,
        "company_id": ctx.company_id,
        "order_id": order_id,
        "carrier": draft.carrier,
        "tracking_numbers": list(draft.tracking_numbers),
        "tracking_url": draft.tracking_url,
        "shipped_at": draft.shipped_at or ctx.now,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    inserted = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "shipment_id": shipment_id,
            "order_item_id": item.order_item_id,
            "position": position,
            "quantity": item.quantity,
        }
        for position, item in enumerate(items)
    ]
    shipment = INSERT_ONE.one(ctx.session, row)
    INSERT_ITEMS.all(ctx.session, inserted)
    return [ShippedItemRow((*shipment, item.order_item_id, item.quantity)) for item in items]


def _details(shipment: Shipment) -> dict[str, object]:
    """Return what the audit log has about a new shipment. Its items never change, so it does not have them."""
    row = shipment[0]
    return {
        "shipmentId": row.id,
        "itemCount": len(shipment),
        "quantity": sum(item.quantity for item in shipment),
        "carrier": row.carrier,
        "trackingNumbers": row.tracking_numbers,
        "trackingUrl": row.tracking_url,
        "shippedAt": timestamp(row.shipped_at),
    }


def _by_ids(ctx: Context, ids: list[str]) -> Mapping[str, Shipment]:
    found = SELECT_BY_IDS.all(ctx.session, tenant.params(ctx, ids=ids)) if ids else []
    return {shipment[0].id: shipment for shipment in order_shipments.grouped(found)}
