"""Import price overrides from a CSV file: all rows or none, in one transaction (contract, section 9.4)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from app.context import Context
from app.product_import.importer import ImportResult
from app.product_import.price_csv import PriceRow
from app.product_import.product_csv import RejectedFileError, RowError
from app.product_import.text_file import quoted
from app.schemas.customers import CustomerKey
from app.schemas.products import ProductKey
from app.services import price_plans, price_writes
from app.services.price_plans import NamedResources, PricePlan, PriceWrite
from app.services.prices import PriceKey

ItemT = TypeVar("ItemT")
Progress = Callable[[str, int, int], None]  # a step, and how many of how many rows it has done
BATCH = 1_000  # rows of one statement, as in a bulk request
NOTHING = ""  # in the place of a name that is invalid: it names no customer and no product


class RowKeys(NamedTuple):
    """The keys of the customer and the product of a row."""

    customer: CustomerKey
    product: ProductKey


def run(ctx: Context, rows: Sequence[PriceRow], errors: Iterable[RowError], on_progress: Progress) -> ImportResult:
    """Set the prices of the rows, unless their cells have `errors`.

    Raises RejectedFileError with every error of the file, and ConflictError like `price_writes`.
    """
    plans = _decide(ctx, rows, errors, on_progress)
    for number, batch in enumerate(_batches(plans)):
        price_writes.apply(ctx, batch)
        on_progress("Importing", number * BATCH + len(batch), len(plans))
    created = sum(plan.before is None for plan in plans)
    changed = sum(plan.has_effect for plan in plans)
    return ImportResult(created=created, updated=changed - created, unchanged=len(plans) - changed)


def _decide(
    ctx: Context, rows: Sequence[PriceRow], errors: Iterable[RowError], on_progress: Progress
) -> list[PricePlan]:
    """Return what each row does. Raises RejectedFileError if any row has an error."""
    plans, found, lines = list[PricePlan](), list(errors), dict[PriceKey, int]()
    for number, batch in enumerate(_batches(rows)):
        named = price_writes.load(ctx, [keys for row in batch for keys in _possible_keys(row)])
        for row in batch:
            keys = _keys(named, row)
            errors_of_row = [RowError(line=row.line, error=error) for error in _errors(named, row, keys, lines)]
            found += errors_of_row
            if row.draft is not None and not errors_of_row:
                plans.append(price_plans.decide(named, PriceWrite(*keys, row.draft)))
        on_progress("Checking", number * BATCH + len(batch), len(rows))
    if found:
        raise RejectedFileError(sorted(found, key=lambda error: error.line))
    return plans


def _errors(named: NamedResources, row: PriceRow, keys: RowKeys, lines: dict[PriceKey, int]) -> Iterator[str]:
    """Yield the errors of a row that its cells alone do not show. `lines` has the first line of each price."""
    customer_id, product_id = named.customer_ids.get(keys.customer), named.product_ids.get(keys.product)
    if row.customer is not None and customer_id is None:
        yield f"customer {quoted(row.customer.value)} does not exist"
    if row.product is not None and product_id is None:
        yield f"product {quoted(row.product)} does not exist"
    if customer_id is not None and product_id is not None:
        first = lines.setdefault(PriceKey(customer_id, product_id), row.line)
        if first != row.line:
            yield f"line {first} already sets the price of this customer and product"


def _keys(named: NamedResources, row: PriceRow) -> RowKeys:
    """Return the keys of a row. A product is named by its sku or, if no product has it, its id."""
    by_sku, by_id = _possible_keys(row)
    return by_id if by_sku.product not in named.product_ids and by_id.product in named.product_ids else by_sku


def _possible_keys(row: PriceRow) -> tuple[RowKeys, RowKeys]:
    """Return the keys of a row with the sku and with the id of its product."""
    customer, product = row.customer or CustomerKey("id", NOTHING), row.product or NOTHING
    return RowKeys(customer, ProductKey("sku", product)), RowKeys(customer, ProductKey("id", product))


def _batches(items: Sequence[ItemT]) -> Iterable[Sequence[ItemT]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
