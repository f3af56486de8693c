"""Stock, and the functions that move it: with one movement per change, never below zero (contract, section 9.3).

Lock the products, decide on the movements, then call `move`. It numbers the movements of each product without gaps and
writes them together with the new stock. A product's opening row is inserted before the product.

Not in this module: the stock in files, which imports write for many products in one statement, by the same rules
(`app/product_import/statements.py`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam

from app.context import Context, next_time
from app.queries import rows, tenant
from app.queries.rows import Parameters, Statement, Write
from app.queries.written_rows import WrittenRow
from app.schemas import events as payloads
from app.schemas.events import NewEvent
from app.schemas.products import ProductRow
from app.services.products import TABLE
from models import OPENING_SEQUENCE, InventoryMovement, MovementReason, new_id
from models.base import table


class LockedProductRow(ProductRow):
    """A product whose row is locked, so that its stock can be moved."""

    movement_sequence: int
    counted_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMovement:
    """A movement to be made. The reasons that the server sets also name the order, and RETURN the return."""

    product_id: str
    delta: int
    reason: MovementReason
    reference: str | None = None
    note: str | None = None
    order_id: str | None = None
    return_id: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement that was made."""

    id: str
    plan: NewMovement
    sequence: int
    stock_before: int
    stock_after: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """The movements in their order, and the events that the caller has to publish."""

    movements: Sequence[Movement]
    low_stock: Sequence[NewEvent]
    stocks: Mapping[str, Parameters]  # what was written to each product, by its id


@dataclass(frozen=True, slots=True)
class NewStock:
    """The stock with which a product will be created."""

    product_id: str
    stock: int
    created_at: datetime


MOVEMENTS = table(InventoryMovement)
OPTIONAL = ("reference", "note", "order_id", "return_id")
LOCKED_COLUMNS = rows.columns(LockedProductRow, TABLE)
HAS_ID = TABLE.c.id.in_(bindparam("ids", expanding=True))
# Rows are locked in the order of their ids, so that two transactions with the same products cannot deadlock.
SELECT_FOR_UPDATE = Statement(
    LockedProductRow,
    tenant.select(*LOCKED_COLUMNS).where(HAS_ID).order_by(TABLE.c.id).with_for_update(key_share=True),
)
UPDATE_MOVED = Write(tenant.update(TABLE).where(TABLE.c.movement_sequence == bindparam("previous_sequence")))
INSERT_MOVEMENTS = Write(MOVEMENTS.insert())
MOVED = WrittenRow(LockedProductRow, TABLE, LOCKED_COLUMNS)

Quantities = Mapping[str, int]  # by the id of a product
Products = Mapping[str, LockedProductRow]  # by id


def lock(ctx: Context, product_ids: Collection[str]) -> dict[str, LockedProductRow]:
    """Lock products and return them by id. Unknown ids are left out."""
    parameters = tenant.params(ctx, ids=sorted(set(product_ids)))
    return {product.id: product for product in SELECT_FOR_UPDATE.all(ctx.session, parameters)}


def deduct(ctx: Context, products: Products, quantities: Quantities, order_id: str) -> Moved:
    """Deduct the quantities of a new order from the stock of locked products."""
    reason = MovementReason.SALE
    sold = [
        NewMovement(product_id=product_id, delta=-quantity, reason=reason, order_id=order_id)
        for product_id, quantity in quantities.items()
    ]
    return move(ctx, products, sold)


def restock(ctx: Context, quantities: Quantities, order_id: str) -> Moved:
    """Return the quantities of a cancelled order to stock.

    The result may be over MAX_STOCK, which limits what clients enter: nothing is lost, and 64 bits are enough.
    """
    reason = MovementReason.CANCELLATION
    returned = [
        NewMovement(product_id=product_id, delta=quantity, reason=reason, order_id=order_id)
        for product_id, quantity in quantities.items()
    ]
    return move(ctx, lock(ctx, quantities), returned)


def move(ctx: Context, products: Products, plans: Sequence[NewMovement]) -> Moved:
    """Make movements of locked products, in their order. The caller has checked that no stock falls below zero.

    Two statements, for any number of movements. A movement with a delta of 0 is recorded, and leaves `updated_at`.
    """
    if not plans:
        return Moved([], [], {})
    movements, last = list[Movement](), dict[str, Movement]()
    for plan in plans:
        movements.append(_movement(ctx, products[plan.product_id], plan, last.get(plan.product_id)))
        last[plan.product_id] = movements[-1]
    changed = {movement.plan.product_id for movement in movements if movement.plan.delta}
    stocks = _update(ctx, products, last, changed)
    _insert(ctx, movements)
    return Moved(movements, [event for id_ in last for event in _low_stock(products[id_], last[id_])], stocks)


def after(moved: Moved, product: LockedProductRow) -> LockedProductRow:
    """Return a product as it is after its movements."""
    return MOVED.updated(product, moved.stocks[product.id])


def last_time(product: LockedProductRow) -> datetime:
    """Return a time after which the next movement of a product is made: lists have them in the order of `sequence`."""
    return product.updated_at if product.counted_at is None else max(product.updated_at, product.counted_at)


def open_products(ctx: Context, products: Iterable[NewStock]) -> None:
    """Insert the opening rows of products that will be inserted next: also those without stock."""
    reason = MovementReason.OPENING
    openings = [
        Movement(
            id=new_id(product.created_at),
            plan=NewMovement(product_id=product.product_id, delta=product.stock, reason=reason),
            sequence=OPENING_SEQUENCE,
            stock_before=0,
            stock_after=product.stock,
            created_at=product.created_at,
        )
        for product in products
    ]
    if openings:
        _insert(ctx, openings)


def _movement(ctx: Context, product: LockedProductRow, plan: NewMovement, last: Movement | None) -> Movement:
    """Return the next movement of a product, after the last one of this batch."""
    sequence, before = (product.movement_sequence, product.stock) if last is None else (last.sequence, last.stock_after)
    at = max(ctx.now, next_time(last_time(product))) if last is None else last.created_at
    return Movement(new_id(at), plan, sequence + 1, before, before + plan.delta, at)


def _update(
    ctx: Context, products: Products, last: Mapping[str, Movement], changed: Collection[str]
) -> Mapping[str, Parameters]:
    """Update products to their last movements. Return what was written to each, by its id."""
    stocks = {
        product_id: tenant.params(
            ctx,
            row_id=product_id,
            previous_sequence=products[product_id].movement_sequence,
            stock=movement.stock_after,
            movement_sequence=movement.sequence,
            updated_at=movement.created_at if product_id in changed else products[product_id].updated_at,
            counted_at=products[product_id].counted_at if product_id in changed else movement.created_at,
        )
        for product_id, movement in last.items()
    }
    updated = UPDATE_MOVED.count(ctx.session, list(stocks.values()))
    if updated != len(stocks):  # a bug, because the rows are locked: abort rather than corrupt stock
        raise RuntimeError(f"The stock of {len(stocks)} products should have changed, but {updated} changed.")
    return stocks


def _insert(ctx: Context, movements: Sequence[Movement]) -> None:
    """Insert movements. A column that is null in all of them is left out, which makes an order cheaper."""
    optional = [name for name in OPTIONAL if any(getattr(movement.plan, name) is not None for movement in movements)]
    INSERT_MOVEMENTS.all(ctx.session, [columns(ctx, movement, optional) for movement in movements])


def columns(ctx: Context, movement: Movement, optional: Iterable[str] = OPTIONAL) -> dict[str, object]:
    """Return the columns of a movement."""
    return {
        "id": movement.id,
        "company_id": ctx.company_id,
        "product_id": movement.plan.product_id,
        "sequence": movement.sequence,
        "reason": movement.plan.reason,
        "delta": movement.plan.delta,
        "stock_before": movement.stock_before,
        "stock_after": movement.stock_after,
        **{name: getattr(movement.plan, name) for name in optional},
        "actor_type": ctx.actor.type,
        "actor_id": ctx.actor.id,
        "request_id": ctx.request_id,
        "created_at": movement.created_at,
    }


def _low_stock(product: LockedProductRow, last: Movement) -> list[NewEvent]:
    """Return the event of a product whose stock fell to its threshold."""
    if not last.stock_after <= product.low_stock_threshold < product.stock:
        return []
    return [payloads.product_low_stock(product, stock=last.stock_after, at=last.created_at)]
