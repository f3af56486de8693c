"""Inventory adjustments, one or many: lock the products, decide on each adjustment, apply (contract, section 9.3).

    products = inventory.lock(ctx, ids)
    decisions = decide(products, adjustments)       # a movement to be made, or the reason why not, for each
    rows = apply(ctx, products, [the movements])

A single adjustment is a batch of one, whose error is raised. Not in this module: how stock moves
(`app/services/inventory.py`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.context import Context, later_than
from app.errors import (
    BODY,
    InsufficientStockError,
    InvalidParameterError,
    NotFoundError,
    RefusalError,
)
from app.queries.written_rows import WrittenRow
from app.schemas import events as payloads
from app.schemas.errors import API_ERRORS, ApiDomainError
from app.schemas.events import NewEvent
from app.schemas.inventory import InventoryAdjustmentCreate, InventoryMovementRow
from app.services import audit, events, inventory, movements
from app.services.audit import NewEntry
from app.services.inventory import LockedProductRow, Moved, Movement, NewMovement, Products
from models import COUNT_REASONS, DECREASING_REASONS, INCREASING_REASONS, MAX_STOCK

CHANGED = ("stock",)
MADE = WrittenRow(InventoryMovementRow, movements.TABLE, movements.COLUMNS)


class StockChangedError(RefusalError):
    """The stock of a product is not the one that the client expects."""

    code = "stock_changed"
    pointer = "/expectedStock"

    def __init__(self, expected: int, found: int) -> None:
        """Initialize with the expected stock and the current one."""
        super().__init__(f"Stock has changed. Expected {expected}, found {found}.", found=found)


class StockTooLargeError(RefusalError):
    """An adjustment would raise the stock of a product above the maximum."""

    code = "stock_too_large"
    pointer = "/delta"

    def __init__(self, name: str, maximum: int) -> None:
        """Initialize with the name of the product and the maximum stock."""
        super().__init__(f"The stock of {name} must be at most {maximum}.")


class Adjustment(NamedTuple):
    """An adjustment of the product with this id."""

    product_id: str
    draft: InventoryAdjustmentCreate


def adjust(ctx: Context, product_id: str, draft: InventoryAdjustmentCreate) -> InventoryMovementRow:
    """Adjust the stock of a product.

    Raises NotFoundError, InvalidParameterError for fields that do not fit together, and RefusalError.
    """
    products = inventory.lock(ctx, [product_id])
    (decision,) = decide(products, [Adjustment(product_id, draft)])
    if not isinstance(decision, NewMovement):
        raise decision
    (movement,) = apply(ctx, products, [decision])
    return movement


def decide(products: Products, adjustments: Sequence[Adjustment]) -> list[NewMovement | ApiDomainError]:
    """Return for each adjustment, in order, the movement to be made or the error that it would raise.

    Several adjustments of a product build on one another; one with an error has no effect on those after it.
    """
    stocks = {product_id: product.stock for product_id, product in products.items()}
    decisions = list[NewMovement | ApiDomainError]()
    for product_id, draft in adjustments:
        try:
            check(draft)
            movement = _movement(products, stocks, product_id, draft)
        except API_ERRORS as error:
            decisions.append(error)
        else:
            stocks[product_id] += movement.delta
            decisions.append(movement)
    return decisions


def apply(ctx: Context, products: Products, planned: Sequence[NewMovement]) -> list[InventoryMovementRow]:
    """Make the movements of locked products, with an audit entry for each and the events of each product.

    The number of statements does not depend on how many they are.
    """
    if not planned:
        return []
    ctx = later_than(ctx, *(inventory.last_time(products[movement.product_id]) for movement in planned))
    moved = inventory.move(ctx, products, planned)
    audit.record_all(ctx, [_entry(movement) for movement in moved.movements])
    events.publish_all(ctx, _events(products, moved))
    return [MADE.inserted(inventory.columns(ctx, movement)) for movement in moved.movements]


def check(draft: InventoryAdjustmentCreate) -> None:
    """Check the rules that concern several fields. Raises InvalidParameterError."""
    field = "delta" if draft.counted_stock is None else "countedStock"
    message = _form_error(draft)
    if message is not None:
        raise InvalidParameterError(field, message, parent=BODY)


def _form_error(draft: InventoryAdjustmentCreate) -> str | None:
    """Return what is wrong with the fields of an adjustment together, None if they are valid."""
    if draft.counted_stock is not None:
        is_count = draft.reason in COUNT_REASONS
        return None if is_count else "countedStock is allowed only with the reasons COUNT and CORRECTION"
    assert draft.delta is not None  # the document requires one of the two
    if draft.reason in INCREASING_REASONS and draft.delta < 0:
        return f"delta must be positive for the reason {draft.reason}"
    if draft.reason in DECREASING_REASONS and draft.delta > 0:
        return f"delta must be negative for the reason {draft.reason}"
    return None


def _movement(
    products: Products, stocks: Mapping[str, int], product_id: str, draft: InventoryAdjustmentCreate
) -> NewMovement:
    """Return the movement of an adjustment of a product that has the stock in `stocks`.

    Raises NotFoundError and RefusalError.
    """
    if product_id not in products:
        raise NotFoundError("Product")
    return NewMovement(
        product_id=product_id,
        delta=_delta(products[product_id], stocks[product_id], draft),
        reason=draft.reason,
        reference=draft.reference,
        note=draft.note,
    )


def _delta(product: LockedProductRow, stock: int, draft: InventoryAdjustmentCreate) -> int:
    """Return the difference that an adjustment makes to a stock. Raises RefusalError."""
    if draft.expected_stock is not None and draft.expected_stock != stock:
        raise StockChangedError(draft.expected_stock, stock)
    if draft.counted_stock is not None:
        return draft.counted_stock - stock
    assert draft.delta is not None
    if stock + draft.delta < 0:
        raise InsufficientStockError("/delta", product.name, stock)
    if draft.delta > 0 and stock + draft.delta > MAX_STOCK:
        raise StockTooLargeError(product.name, MAX_STOCK)
    return draft.delta


def _entry(movement: Movement) -> NewEntry:
    """Return the audit entry of an adjustment. It names the product."""
    details = {
        "movementId": movement.id,
        "reason": movement.plan.reason,
        "before": {"stock": movement.stock_before},
        "after": {"stock": movement.stock_after},
    }
    return NewEntry("inventory.adjusted", "product", movement.plan.product_id, details)


def _events(products: Products, moved: Moved) -> list[NewEvent]:
    """Return an event for each product whose stock changed, and those of stock that fell to its threshold."""
    changed = dict.fromkeys(movement.plan.product_id for movement in moved.movements if movement.plan.delta)
    after = (inventory.after(moved, products[product_id]) for product_id in changed)
    return [*(payloads.product_updated(product, CHANGED) for product in after), *moved.low_stock]
