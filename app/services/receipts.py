"""Receipts of returns: which units arrived, and which of them go back to stock (contract, section 9.7)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from app.context import Context, later_than
from app.errors import RefusalError, refuse
from app.queries.rows import Parameters
from app.schemas import events as payloads
from app.schemas.returns import OrderReturn, ReturnItemReceive, ReturnReceive
from app.services import audit, events, inventory, return_items, returns
from app.services.inventory import NewMovement
from app.services.return_refusals import NothingReceivedError, ReceiveQuantityError, ReturnItemNotFoundError
from models import MovementReason, ReturnStatus


def receive(ctx: Context, return_id: str, draft: ReturnReceive) -> OrderReturn:
    """Receive an approved return, and return a part of it to stock. Inactive products are restocked too.

    Raises NotFoundError, and RefusalError with every reason.
    """
    before = returns.lock(ctx, return_id)
    ctx = later_than(ctx, before.row.updated_at)
    received = _received(before, draft)
    moves = returns.move_refusals(before.row, ReturnStatus.RECEIVED)
    refuse([*moves, *_item_refusals(before, draft), *_total_refusals(received)])
    row = returns.update(ctx, before.row, status=ReturnStatus.RECEIVED, received_at=ctx.now)
    after = return_items.receive(ctx, row, before.items, _quantities(received))
    _restock(ctx, after)
    audit.record(ctx, "return.received", "return", return_id, _details(before, after))
    events.publish(ctx, payloads.return_received(after))
    return after


def _received(found: OrderReturn, draft: ReturnReceive) -> Sequence[ReturnItemReceive]:
    """Return what was received of each item of a return: all of an item that the request leaves out."""
    given = {item.return_item_id: item for item in draft.items}
    return [
        given.get(item.id)
        or ReturnItemReceive(return_item_id=item.id, received_quantity=item.quantity, restock_quantity=0)
        for item in found.items
    ]


def _item_refusals(found: OrderReturn, draft: ReturnReceive) -> Iterator[RefusalError]:
    items = {item.id: item for item in found.items}
    for position, received in enumerate(draft.items):
        pointer, item = f"/items/{position}", items.get(received.return_item_id)
        if item is None:
            yield ReturnItemNotFoundError(f"{pointer}/returnItemId")
            continue
        if received.received_quantity > item.quantity:
            yield ReceiveQuantityError(f"{pointer}/receivedQuantity", item.product_name, "received", item.quantity)
        if received.restock_quantity > received.received_quantity:
            yield ReceiveQuantityError(
                f"{pointer}/restockQuantity", item.product_name, "restocked", received.received_quantity
            )


def _total_refusals(received: Sequence[ReturnItemReceive]) -> Iterator[RefusalError]:
    if not any(item.received_quantity for item in received):
        yield NothingReceivedError()


def _quantities(received: Sequence[ReturnItemReceive]) -> Mapping[str, Parameters]:
    """Return the columns of each item of a return by its id."""
    return {
        item.return_item_id: {
            "received_quantity": item.received_quantity,
            "restocked_quantity": item.restock_quantity,
        }
        for item in received
    }


def _restock(ctx: Context, received: OrderReturn) -> None:
    """Return the restocked quantity of each product to stock. Nothing is published, because stock only rises."""
    quantities = _restocked(received)
    if not quantities:
        return
    ids = {"order_id": received.row.order_id, "return_id": received.row.id}
    returned = [
        NewMovement(product_id=product_id, delta=quantity, reason=MovementReason.RETURN, **ids)
        for product_id, quantity in quantities.items()
    ]
    inventory.move(ctx, inventory.lock(ctx, quantities), returned)


def _restocked(received: OrderReturn) -> Mapping[str, int]:
    """Return the restocked quantity of each product by its id; several items may have the same product."""
    quantities: Counter[str] = Counter()
    for item in received.items:
        quantities[item.product_id] += item.restocked_quantity or 0
    return {product_id: quantity for product_id, quantity in quantities.items() if quantity}


def _details(before: OrderReturn, after: OrderReturn) -> dict[str, object]:
    """Return what the audit log has about a receipt. The quantities of items never change again."""
    return {
        "before": {"status": before.row.status},
        "after": {"status": after.row.status},
        "quantity": sum(item.quantity for item in after.items),
        "receivedQuantity": sum(item.received_quantity or 0 for item in after.items),
        "restockedQuantity": sum(item.restocked_quantity or 0 for item in after.items),
    }
