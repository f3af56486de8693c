"""Bulk requests: decide on every item, then write those without an error (contract, section 9.3).

The number of statements does not depend on the number of items. Not in this module: the rules of a single item, which
are those of the single operations (`product_plans.py`, `adjustments.py`, `price_plans.py`).
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from app.context import Context
from app.errors import NotFoundError, RefusalError
from app.schemas.bulk import BulkRequest, Outcome, Written, refuse_if
from app.schemas.errors import API_ERRORS, ApiDomainError
from app.schemas.inventory import BulkInventoryAdjustment, InventoryMovementRow
from app.schemas.prices import BulkPrice, PriceOverrideRow
from app.schemas.products import BulkProduct, ProductRow
from app.services import adjustments, price_plans, price_writes, product_plans, product_writes
from app.services.adjustments import Adjustment
from app.services.inventory import NewMovement
from app.services.price_plans import NamedResources, PricePlan, PriceWrite
from app.services.prices import PriceKey
from app.services.product_plans import Catalogue, ProductPlan, ProductWrite

T = TypeVar("T")
ResultT = TypeVar("ResultT")
UNKNOWN_ID = ""  # of a product that the company does not have


class DuplicateItemError(RefusalError):
    """An earlier item of a bulk request names the same thing."""

    code = "duplicate_item"

    def __init__(self, noun: str) -> None:
        """Initialize with what both items name: 'product'."""
        super().__init__(f"An earlier item of this request names the same {noun}. Merge the two items.")


def upsert_products(ctx: Context, request: BulkRequest[BulkProduct]) -> list[Outcome[ProductRow]]:
    """Create and update products.

    Raises BulkRefusedError if an item has an error and the mode is `all`, and ConflictError like `product_writes`.
    """
    writes = [product_writes.from_draft(item.key, item) for item in _without_errors(request.items)]
    catalogue = product_writes.load(ctx, writes)
    plans = _replaced(request.items, _decide_products(ctx, writes, catalogue))
    refuse_if(request.mode, plans)
    written = product_writes.apply(ctx, _without_errors(plans))
    return _replaced(plans, [Written(product, is_new) for product, is_new in written])


def adjust_inventory(
    ctx: Context, request: BulkRequest[BulkInventoryAdjustment]
) -> list[Outcome[InventoryMovementRow]]:
    """Adjust the stock of products, in the order of the items.

    Raises BulkRefusedError if an item has an error and the mode is `all`.
    """
    items = _without_errors(request.items)
    catalogue = product_writes.load(ctx, [ProductWrite(key=item.key, fields={}) for item in items])
    found = [catalogue.find(item.key) for item in items]
    products = {product.id: product for product in found if product is not None}
    named = [
        Adjustment(UNKNOWN_ID if product is None else product.id, item)
        for product, item in zip(found, items, strict=True)
    ]
    decisions = [_pointed(found, item) for found, item in zip(adjustments.decide(products, named), items, strict=True)]
    plans = _replaced(request.items, decisions)
    refuse_if(request.mode, plans)
    written = adjustments.apply(ctx, products, _without_errors(plans))
    return _replaced(plans, [Written(movement, is_new=True) for movement in written])


def upsert_prices(ctx: Context, request: BulkRequest[BulkPrice]) -> list[Outcome[PriceOverrideRow]]:
    """Set price overrides.

    Raises BulkRefusedError if an item has an error and the mode is `all`, and ConflictError like `price_writes`.
    """
    writes = [PriceWrite(item.customer, item.product, item) for item in _without_errors(request.items)]
    plans = _replaced(request.items, _decide_prices(writes, price_writes.load(ctx, writes)))
    refuse_if(request.mode, plans)
    written = price_writes.apply(ctx, _without_errors(plans))
    return _replaced(plans, [Written(price, before is None) for price, before in written])


def _pointed(decision: NewMovement | ApiDomainError, item: BulkInventoryAdjustment) -> NewMovement | ApiDomainError:
    """Return a decision. If the product does not exist, the error has the pointer to its name in the item."""
    return NotFoundError("Product", pointer=item.key.pointer) if isinstance(decision, NotFoundError) else decision


def _decide_prices(writes: Iterable[PriceWrite], named: NamedResources) -> list[PricePlan | ApiDomainError]:
    """Return for each write, in order, its plan or the error that it would raise."""
    decisions, planned = list[PricePlan | ApiDomainError](), set[PriceKey]()
    for write in writes:
        try:
            plan = price_plans.decide(named, write)
        except API_ERRORS as error:
            decisions.append(error)
        else:
            decisions.append(DuplicateItemError("customer and product") if plan.key in planned else plan)
            planned.add(plan.key)
    return decisions


def _decide_products(
    ctx: Context, writes: Iterable[ProductWrite], catalogue: Catalogue
) -> list[ProductPlan | ApiDomainError]:
    """Return for each write, in order, its plan or the error that it would raise."""
    decisions, planned = list[ProductPlan | ApiDomainError](), set[str]()
    for write in writes:
        try:
            plan = _decide_product(ctx, write, catalogue, planned)
        except API_ERRORS as error:
            decisions.append(error)
        else:
            planned.add(plan.product_id)
            decisions.append(plan)
    return decisions


def _decide_product(ctx: Context, write: ProductWrite, catalogue: Catalogue, planned: set[str]) -> ProductPlan:
    """Decide on a write. Raises DuplicateItemError for a product that is planned, and like `product_plans.decide`."""
    if write.key is not None and catalogue.identify(write.key) in planned:
        raise DuplicateItemError("product")
    return product_plans.decide(ctx, write, catalogue)


def _without_errors(outcomes: Sequence[T | ApiDomainError]) -> list[T]:
    """Return what is not an error, in order."""
    return [outcome for outcome in outcomes if not isinstance(outcome, API_ERRORS)]


def _replaced(
    outcomes: Sequence[T | ApiDomainError], results: Iterable[ResultT | ApiDomainError]
) -> list[ResultT | ApiDomainError]:
    """Return the errors in their places, and the results in the places of everything else."""
    following = iter(results)
    return [outcome if isinstance(outcome, API_ERRORS) else next(following) for outcome in outcomes]
