"""New returns: which quantities of an order can still be returned (contract, section 9.7)."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.errors import NotFoundError, RefusalError, refuse
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.queries.written_rows import Insert
from app.schemas import events as payloads
from app.schemas.returns import ListedReturnItemRow, OrderReturn, ReturnCreate, ReturnRow
from app.services import audit, events, order_quantities, orders, return_items, unique_values
from app.services.return_items import ITEMS, TABLE
from app.services.return_refusals import NotReturnableError, OrderNotFoundError, ReturnQuantityError
from app.services.returns import COLUMNS
from models import OrderStatus, ReturnStatus, new_id


class ReturnedItemRow(Row):
    """The quantity of an item of an order that its returns contain."""

    order_item_id: str
    quantity: int


RETURNABLE = {OrderStatus.SHIPPED, OrderStatus.DELIVERED}
# The received quantity counts as soon as there is one: what did not arrive can be returned again.
SELECT_RETURNED = Statement(
    ReturnedItemRow,
    tenant.select(
        ITEMS.c.order_item_id,
        sa.func.sum(sa.func.coalesce(ITEMS.c.received_quantity, ITEMS.c.quantity)).label("quantity"),
    )
    .join(TABLE, TABLE.c.id == ITEMS.c.return_id)
    .where(tenant.where(TABLE), TABLE.c.order_id == bindparam("order_id"), TABLE.c.status != ReturnStatus.REJECTED)
    .group_by(ITEMS.c.order_item_id),
)
INSERT_ONE = Insert(ReturnRow, TABLE, COLUMNS)
INSERT_ITEMS = Insert(ListedReturnItemRow, ITEMS, return_items.COLUMNS)


def create(ctx: Context, draft: ReturnCreate) -> OrderReturn:
    """Create a return. Raises RefusalError with every reason."""
    taken = unique_values.external_id_refusals(ctx, TABLE, draft.external_id, "A return")
    try:
        order, items, _ = orders.lock(ctx, draft.order_id)
    except NotFoundError:
        refuse([OrderNotFoundError(), *taken])
        raise
    exceeded = order_quantities.refusals(draft.items, items, _left(ctx, items), ReturnQuantityError)
    refuse([*_order_refusals(order.status), *exceeded, *taken])
    made = _insert(ctx, draft, order.customer_id, items)
    audit.record(ctx, "return.created", "return", made.row.id, _details(made))
    events.publish(ctx, payloads.return_created(made))
    return made


def _order_refusals(current: str) -> Iterator[RefusalError]:
    if current not in RETURNABLE:
        yield NotReturnableError(current)


def _left(ctx: Context, items: orders.Items) -> Mapping[str, int]:
    """Return the quantity that is left to return of each item of a locked order, by its id."""
    if not items:
        return {}
    found = SELECT_RETURNED.all(ctx.session, tenant.params(ctx, order_id=items[0].order_id))
    returned = {row.order_item_id: row.quantity for row in found}
    return {item.id: item.quantity - returned.get(item.id, 0) for item in items}


def _insert(ctx: Context, draft: ReturnCreate, customer_id: str | None, ordered: orders.Items) -> OrderReturn:
    row = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "order_id": draft.order_id,
        "customer_id": customer_id,
        "notes": draft.notes,
        "external_id": draft.external_id,
        "event_sequence": events.FIRST_SEQUENCE,
        "requested_at": ctx.now,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    made = unique_values.write(ctx, INSERT_ONE, row)
    by_id = {item.id: item for item in ordered}
    inserted = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "return_id": made.id,
            "order_item_id": item.order_item_id,
            "position": position,
            "quantity": item.quantity,
            "reason": item.reason,
            "product_id": by_id[item.order_item_id].product_id,
            "product_name": by_id[item.order_item_id].product_name,
            "unit_price": by_id[item.order_item_id].unit_price,
        }
        for position, item in enumerate(draft.items)
    ]
    return OrderReturn(row=made, items=INSERT_ITEMS.all(ctx.session, inserted), refundable_amount=Decimal(0))


def _details(made: OrderReturn) -> dict[str, object]:
    """Return what the audit log has about a new return. Its items never change, so it does not have them."""
    return {
        "orderId": made.row.order_id,
        "itemCount": len(made.items),
        "quantity": sum(item.quantity for item in made.items),
        "notes": made.row.notes,
        "externalId": made.row.external_id,
    }
