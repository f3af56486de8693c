"""Import price overrides from a CSV file: all rows or none, in one transaction (contract, section 9.4)."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from app.context import Context
from app.errors import NotFoundError
from app.product_import.importer import ImportResult
from app.product_import.price_csv import PriceRow
from app.product_import.product_csv import RejectedFileError, RowError
from app.product_import.text_file import quoted
from app.schemas.products import ProductKey
from app.services import price_plans, price_writes
from app.services.price_plans import PricePlan, PriceWrite
from app.services.prices import PriceKey

ItemT = TypeVar("ItemT")
Progress = Callable[[str, int, int], None]  # a step, and how many of how many rows it has done
BATCH = 1_000  # rows of one statement, as in a bulk request


def run(ctx: Context, rows: Sequence[PriceRow], on_progress: Progress) -> ImportResult:
    """Set the prices of the rows. Raises RejectedFileError with every error, and ConflictError like `price_writes`."""
    plans = _decide(ctx, rows, on_progress)
    for number, batch in enumerate(_batches(plans)):
        price_writes.apply(ctx, batch)
        on_progress("Importing", number * BATCH + len(batch), len(plans))
    created = sum(plan.before is None for plan in plans)
    changed = sum(plan.has_effect for plan in plans)
    return ImportResult(created=created, updated=changed - created, unchanged=len(plans) - changed)


def _decide(ctx: Context, rows: Sequence[PriceRow], on_progress: Progress) -> list[PricePlan]:
    """Return what each row does. Raises RejectedFileError if rows name nothing, or the same price."""
    plans, errors, lines = list[PricePlan](), list[RowError](), dict[PriceKey, int]()
    for batch in _batches(rows):
        for row, decision in zip(batch, _decide_batch(ctx, batch), strict=True):
            if isinstance(decision, str):
                errors.append(RowError(line=row.line, error=decision))
            elif (first := lines.setdefault(decision.key, row.line)) != row.line:
                errors.append(
                    RowError(line=row.line, error=f"line {first} already sets the price of this customer and product")
                )
            else:
                plans.append(decision)
        on_progress("Checking", len(plans) + len(errors), len(rows))
    if errors:
        raise RejectedFileError(errors)
    return plans


def _decide_batch(ctx: Context, rows: Sequence[PriceRow]) -> Iterable[PricePlan | str]:
    """Yield for each row what it does, or its error. A product is named by its sku or, if no product has it, its id."""
    by_sku, by_id = ([_price_write(row, column) for row in rows] for column in ("sku", "id"))
    named = price_writes.load(ctx, [*by_sku, *by_id])
    for row, *writes in zip(rows, by_sku, by_id, strict=True):
        write = next((write for write in writes if write.product in named.product_ids), writes[0])
        try:
            yield price_plans.decide(named, write)
        except NotFoundError:
            if row.customer in named.customer_ids:
                yield f"product {quoted(row.product)} does not exist"
            else:
                yield f"customer {quoted(row.customer.value)} does not exist"


def _price_write(row: PriceRow, column: str) -> PriceWrite:
    return PriceWrite(row.customer, ProductKey(column, row.product), row.draft)


def _batches(items: Sequence[ItemT]) -> Iterable[Sequence[ItemT]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
