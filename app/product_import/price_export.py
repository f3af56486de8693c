"""Price overrides as a CSV file, which an import reads back unchanged (contract, section 9.4).

Each page is read in a short transaction, so that a long export does not keep old versions of rows, and its memory use
does not grow with the number of prices.
"""

from collections.abc import Iterator

from app.context import Transactions
from app.product_import import csv_rows, formulas, price_break_cells
from app.product_import.price_csv import COLUMNS
from app.services import prices
from app.services.prices import NamedPriceOverrideRow, PriceKey


class PriceExport:
    """An export of every price override of the company."""

    def __init__(self, transactions: Transactions) -> None:
        """Initialize with the transactions of the company."""
        self._transactions = transactions

    def count(self) -> int:
        """Return how many prices the export has now."""
        with self._transactions() as ctx:
            return prices.count(ctx)

    def chunks(self) -> Iterator[tuple[int, str]]:
        """Yield the file in parts, each with its number of prices: first the header, then pages of rows."""
        yield 0, csv_rows.BYTE_ORDER_MARK + csv_rows.to_csv([COLUMNS])
        after = PriceKey("", "")
        while True:
            with self._transactions() as ctx:
                page = prices.page_after(ctx, after)
            if not page:
                return
            yield len(page), csv_rows.to_csv(_cells(price) for price in page)
            after = PriceKey(page[-1].customer_id, page[-1].product_id)


def _cells(price: NamedPriceOverrideRow) -> tuple[object, ...]:
    """Return the cells of a price, in the order of COLUMNS. A product without a sku is named by its id."""
    return (
        formulas.escape(price.customer),
        formulas.escape(price.sku or price.product_id),
        price.price,
        price_break_cells.format_cell(price.price_breaks),
    )
