"""The inventory movements of orders in the past, as they would have been made at the time (contract, section 9.3)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from app.context import Context, next_time
from app.demo.customers import RowValues
from app.queries import tenant
from app.services import inventory, products
from app.services.companies import SYSTEM
from models import OPENING_SEQUENCE, MovementReason, new_id


class Change(NamedTuple):
    """A change of the stock of a product. Without an id, its movement gets a new one."""

    product_id: str
    at: datetime
    delta: int
    reason: MovementReason
    order_id: str | None = None
    id: str | None = None


class Opening(NamedTuple):
    """A product to be created, and the stock that it has at the end of the history."""

    product_id: str
    created_at: datetime
    updated_at: datetime
    stock: int


class History(NamedTuple):
    """The movements of a new product, and what they leave in its row."""

    movements: list[RowValues]
    stock: int
    last_sequence: int
    updated_at: datetime


def changes(
    order_id: str, quantities: Iterable[tuple[str, int]], *, at: datetime, cancelled_at: datetime | None
) -> Iterator[Change]:
    """Yield what an order deducts for each product and its quantity and, if it is cancelled, what is restocked."""
    for product_id, quantity in quantities:
        yield Change(product_id, at, -quantity, MovementReason.SALE, order_id)
        if cancelled_at is not None:
            yield Change(product_id, cancelled_at, quantity, MovementReason.CANCELLATION, order_id)


def by_product(found: Iterable[Change]) -> Mapping[str, Sequence[Change]]:
    """Return the changes of each product, the oldest first."""
    grouped: dict[str, list[Change]] = defaultdict(list)
    for change in found:
        grouped[change.product_id].append(change)
    return {product_id: sorted(own, key=lambda change: change.at) for product_id, own in grouped.items()}


def open_product(company_id: str, product: Opening, sold: Sequence[Change] = ()) -> History:
    """Return the history of a product that is not inserted yet, starting with its opening row.

    The stock at the end is as planned, unless stock would have been below zero at some time.
    """
    net = sum(change.delta for change in sold)
    stock = max(product.stock - net, _need(sold))
    found = [Change(product.product_id, product.created_at, stock, MovementReason.OPENING), *sold]
    movements = list(_rows(company_id, found, stock=0, sequence=OPENING_SEQUENCE))
    return History(movements, stock + net, OPENING_SEQUENCE + len(sold), max(product.updated_at, found[-1].at))


def record(ctx: Context, found: Mapping[str, Sequence[Change]]) -> None:
    """Record the changes of existing products. What they need is received before, so that their stock does not fall."""
    movements, updated = list[RowValues](), list[RowValues]()
    for product in inventory.lock(ctx, found).values():
        sold = found[product.id]
        received = Change(product.id, sold[0].at, _need(sold), MovementReason.RECEIVED)
        own = [change for change in (received, *sold) if change.delta]
        sequence = product.movement_sequence
        movements += _rows(ctx.company_id, own, stock=product.stock, sequence=sequence + 1)
        stock = product.stock + sum(change.delta for change in own)
        at = max(ctx.now, next_time(product.updated_at))
        values = {"stock": stock, "movement_sequence": sequence + len(own), "updated_at": at}
        updated.append(tenant.params(ctx, row_id=product.id, **values))
    if updated:
        connection = ctx.session.connection()
        connection.execute(tenant.update(products.TABLE), updated)
        connection.execute(inventory.MOVEMENTS.insert(), movements)


def _need(found: Sequence[Change]) -> int:
    """Return the stock that changes need, so that it never falls below zero."""
    return -min(accumulate((change.delta for change in found), initial=0))


def _rows(company_id: str, found: Iterable[Change], *, stock: int, sequence: int) -> Iterator[RowValues]:
    """Yield the movements that changes make, the first one with `sequence`."""
    for number, change in enumerate(found, sequence):
        yield {
            "id": change.id or new_id(change.at),
            "company_id": company_id,
            "product_id": change.product_id,
            "sequence": number,
            "reason": change.reason,
            "delta": change.delta,
            "stock_before": stock,
            "stock_after": stock + change.delta,
            "order_id": change.order_id,
            "actor_type": SYSTEM.type,
            "actor_id": SYSTEM.id,
            "created_at": change.at,
        }
        stock += change.delta
