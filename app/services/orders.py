"""Orders: list, get, place, change their status (contract, section 5)."""

import operator
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import compress

from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import (
    NotFoundError,
    RefusalError,
    RestockWithoutCancelError,
    StatusTransitionError,
    refuse,
)
from app.queries import listing, rows, tenant
from app.queries.rows import Rows, Statement
from app.queries.written_rows import Insert
from app.schemas import events as payloads
from app.schemas.base import stored_code
from app.schemas.orders import (
    ListedOrderItemRow,
    ListedOrderRow,
    OrderCreate,
    OrderDetailRow,
    OrderStatusUpdate,
    order_tag,
)
from app.services import audit, events, inventory, order_shipments, order_terms, pricing, products, unique_values
from app.services.order_shipments import Shipments
from app.services.order_terms import PricedItem
from models import NEXT_STATUSES, Order, OrderItem, OrderStatus, new_id
from models.base import table

TABLE = table(Order)
ITEMS = table(OrderItem)
COLUMNS = rows.columns(OrderDetailRow, TABLE)
SELECT_BY_ID = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
SELECT_ONE = Statement(OrderDetailRow, SELECT_BY_ID)
SELECT_ONE_FOR_UPDATE = Statement(OrderDetailRow, SELECT_BY_ID.with_for_update(key_share=True))
ITEM_COLUMNS = (
    ITEMS.c.id,
    ITEMS.c.quantity,
    ITEMS.c.unit_price,
    ITEMS.c.product_id,
    products.TABLE.c.name.label("product_name"),
    products.TABLE.c.sku.label("product_sku"),
    ITEMS.c.order_id,
)
SELECT_ITEMS = Statement(
    ListedOrderItemRow,
    tenant.select(*ITEM_COLUMNS)
    .join(products.TABLE, products.TABLE.c.id == ITEMS.c.product_id)
    .where(ITEMS.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .order_by(ITEMS.c.order_id, ITEMS.c.position),
)
INSERT_ONE = Insert(OrderDetailRow, TABLE, COLUMNS)
INSERT_ITEMS = Insert(ListedOrderItemRow, ITEMS, ITEM_COLUMNS)
UPDATE_IN_STATUS = Statement(
    OrderDetailRow,
    tenant.update(TABLE).where(TABLE.c.status == bindparam("previous_status")).returning(*COLUMNS),
)
LISTING = listing.Listing(
    ListedOrderRow,
    TABLE,
    filters={
        "status": TABLE.c.status == bindparam("status"),
        "customer_id": TABLE.c.customer_id == bindparam("customer_id"),
    },
    created_at_filters={"since": operator.ge, "until": operator.le},
    lookups={"po_number": TABLE.c.po_number, "external_id": TABLE.c.external_id},
)
Items = Sequence[ListedOrderItemRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """A page of orders, the items of all of them, and their shipments by the id of the order."""

    page: listing.Page[ListedOrderRow]
    items: Rows[ListedOrderItemRow]
    shipments: Mapping[str, Shipments]


OrderParts = tuple[OrderDetailRow, Items, Shipments]


def find(ctx: Context, order_id: str) -> OrderDetailRow:
    """Return one order. Raises NotFoundError if the company has no such order."""
    return _find(ctx, SELECT_ONE, order_id)


def get(ctx: Context, order_id: str) -> OrderParts:
    """Return one order, its items and its shipments. Raises NotFoundError if the company has no such order."""
    return _parts(ctx, find(ctx, order_id))


def lock(ctx: Context, order_id: str) -> OrderParts:
    """Return what `get` returns. Until the transaction ends, no other changes the order. Raises NotFoundError."""
    return _parts(ctx, _find(ctx, SELECT_ONE_FOR_UPDATE, order_id))


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    customer_id: str | None = None,
    po_number: str | None = None,
    external_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    updated_since: datetime | None = None,
) -> OrderPage:
    """Return a page of orders, newest first, with their items in one more statement, and one more for shipments."""
    lookups = {"po_number": po_number, "external_id": None if external_id is None else stored_code(external_id)}
    filters = {"status": status, "customer_id": customer_id, **lookups, "since": since, "until": until}
    found = LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
    ids, have_shipments = found.rows.column("id"), found.rows.column("has_shipments")
    shipments = order_shipments.read_all(ctx, list(compress(ids, have_shipments)))
    return OrderPage(page=found, items=_item_rows(ctx, ids), shipments=shipments)


def place(ctx: Context, draft: OrderCreate) -> tuple[OrderDetailRow, Items]:
    """Place an order as a whole or not at all: deduct the stock, freeze the prices, publish the event.

    Raises RefusalError with every reason (`app/services/order_terms.py`).
    """
    terms = order_terms.lock(ctx, draft)
    refuse(terms.problems)
    order = _insert(ctx, draft, terms.amounts)
    items = _insert_items(ctx, order.id, terms.items)
    moved = inventory.deduct(ctx, terms.products, terms.quantities, order.id)
    event = payloads.order_created(order, items)
    details = {name: value for name, value in event.data.items() if name != "items"}
    audit.record(ctx, "order.placed", "order", order.id, details)
    events.publish_all(ctx, [*moved.low_stock, event])
    return order, items


def change_status(ctx: Context, order_id: str, change: OrderStatusUpdate) -> OrderParts:
    """Move an order to its next status.

    Raises NotFoundError, PreconditionFailedError, StatusTransitionError and RestockWithoutCancelError.
    """
    before, items, shipments = lock(ctx, order_id)
    ctx.precondition.check(before, lambda order: order_tag(order, items))
    ctx = later_than(ctx, before.updated_at)
    refuse(_status_refusals(before.status, change))
    after = update(ctx, before, status=change.status)
    if change.restock:
        inventory.restock(ctx, _quantities(items), order_id)
    record_move(ctx, before, after, shipments, restock=change.restock)
    return after, items, shipments


def update(ctx: Context, before: OrderDetailRow, **values: object) -> OrderDetailRow:
    """Update a locked order. The time of the context must be later than its last change."""
    conditions = {"row_id": before.id, "previous_status": before.status}
    return UPDATE_IN_STATUS.one(ctx.session, tenant.params(ctx, **conditions, **values, updated_at=ctx.now))


def record_move(
    ctx: Context, before: OrderDetailRow, after: OrderDetailRow, shipments: Shipments, *, restock: bool = False
) -> None:
    """Add the audit entry and publish the events of an order that has moved to its next status."""
    details = {"before": before.status, "after": after.status, "restock": restock}
    audit.record(ctx, "order.status_changed", "order", after.id, details)
    events.publish_all(ctx, payloads.order_status_changed(after, before.status, shipments))


def _status_refusals(current: str, change: OrderStatusUpdate) -> Iterator[RefusalError]:
    if change.status not in NEXT_STATUSES[OrderStatus(current)]:
        yield StatusTransitionError(current, change.status)
    if change.restock and change.status is not OrderStatus.CANCELLED:
        yield RestockWithoutCancelError()


def _quantities(items: Items) -> Counter[str]:
    """Return the quantity of each product by its id; several items of an order may have the same product."""
    quantities: Counter[str] = Counter()
    for item in items:
        quantities[item.product_id] += item.quantity
    return quantities


def _insert(ctx: Context, draft: OrderCreate, amounts: pricing.Amounts) -> OrderDetailRow:
    row = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "customer_id": draft.customer_id,
        "po_number": draft.po_number,
        "external_id": draft.external_id,
        "notes": draft.notes,
        "shipping_address": draft.shipping_address,
        **asdict(amounts),
        "total": amounts.total,
        "has_movements": True,
        "event_sequence": events.FIRST_SEQUENCE,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    return unique_values.write(ctx, INSERT_ONE, row)


def _insert_items(ctx: Context, order_id: str, items: Sequence[PricedItem]) -> Items:
    inserted = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "order_id": order_id,
            "position": position,
            "product_id": item.product.id,
            "quantity": item.quantity,
            "unit_price": item.unit_price,
            "product_name": item.product.name,
            "product_sku": item.product.sku,
        }
        for position, item in enumerate(items)
    ]
    return INSERT_ITEMS.all(ctx.session, inserted)


def _find(ctx: Context, statement: Statement[OrderDetailRow], order_id: str) -> OrderDetailRow:
    order = statement.one_or_none(ctx.session, tenant.params(ctx, id=order_id))
    if order is None:
        raise NotFoundError("Order")
    return order


def _parts(ctx: Context, order: OrderDetailRow) -> OrderParts:
    return order, _items(ctx, [order.id])[order.id], order_shipments.read(ctx, [order])[order.id]


def _items(ctx: Context, order_ids: Sequence[str]) -> Mapping[str, Items]:
    items: dict[str, list[ListedOrderItemRow]] = defaultdict(list)
    for item in _item_rows(ctx, order_ids):
        items[item.order_id].append(item)
    return items


def _item_rows(ctx: Context, order_ids: Sequence[str]) -> Rows[ListedOrderItemRow]:
    if not order_ids:
        return Rows.none(ListedOrderItemRow)
    return SELECT_ITEMS.rows(ctx.session, tenant.params(ctx, order_ids=order_ids))
