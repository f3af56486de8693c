"""A CSV file of price overrides: read and check it (contract, section 9.4).

A row names its customer by email or id, and its product by sku or id. Not in this module: how a spreadsheet writes
files (`text_file`, `csv_table`, `csv_numbers`), the values of the cells (`product_cells`), exports (`price_export`).
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import IO, NamedTuple, cast

from app.product_import import formulas, product_cells
from app.product_import.csv_numbers import DecimalMarkDetector
from app.product_import.csv_table import Cells, CsvOptions, CsvTable, quoted_list
from app.product_import.product_cells import Parser
from app.product_import.product_csv import RejectedFileError, RowError
from app.product_import.text_file import TextFile, UnreadableFileError, quoted
from app.schemas.base import NOT_GIVEN, NotGiven, stored_code
from app.schemas.customers import CustomerKey
from app.schemas.emails import stored_email
from app.schemas.prices import PriceOverrideUpsert
from models import PriceBreak

REQUIRED = ("customer", "product", "price")
COLUMNS = (*REQUIRED, "priceBreaks")


class PriceRow(NamedTuple):
    """A row of a file, and the line on which it starts. A name is None if its cell is invalid."""

    line: int
    customer: CustomerKey | None
    product: str | None  # its sku or id
    draft: PriceOverrideUpsert | None  # None if any cell is invalid


class PriceCsv:
    """A CSV file of price overrides: its rows, and the errors of their cells."""

    def __init__(self, stream: IO[bytes], options: CsvOptions, *, clear_empty: bool) -> None:
        """Scan the seekable file. Raises RejectedFileError if it cannot be read as a table of prices.

        With `clear_empty`, an empty cell of the price breaks removes them; otherwise they do not change.
        """
        self.errors: list[RowError] = []
        self._empty_price_breaks = () if clear_empty else NOT_GIVEN
        try:
            self._table = CsvTable(TextFile(stream, options.encoding), options, known=COLUMNS, required=REQUIRED)
            detector = self._detect_decimal_mark()
            decimal = detector.result(options.decimal)
        except UnreadableFileError as error:
            raise RejectedFileError([RowError(line=error.line, error=str(error))]) from None
        self._table.set_decimal_mark_certainty(is_certain=detector.is_certain)
        self._parsers: dict[str, Parser] = {
            "customer": _parse_key,
            "product": _parse_key,
            "price": product_cells.parser("price", decimal),
            "priceBreaks": product_cells.parser("priceBreaks", decimal),
        }

    @property
    def warnings(self) -> list[str]:
        """Messages for the person who made the file, even if every row can be read."""
        ignored = self._table.ignored
        return [f"Unknown columns were not imported: {quoted_list(ignored)}."] if ignored else []

    def rows(self) -> Iterator[PriceRow]:
        """Yield each row that has cells, and collect the errors in `errors`."""
        self.errors.clear()
        for line, cells in self._table.rows():
            if isinstance(cells, str):
                self._add_error(line, cells)
            else:
                yield self._row(line, cells)

    def _detect_decimal_mark(self) -> DecimalMarkDetector:
        detector = DecimalMarkDetector()
        for line, cells in self._table.rows():
            for column, cell in [] if isinstance(cells, str) else self._known(cells):
                for number in product_cells.numbers(column, cell):
                    detector.add(line, column, number)
        return detector

    def _known(self, cells: Cells) -> Iterator[tuple[str, str]]:
        """Yield the cells of the known columns."""
        for column, cell in zip(self._table.columns, cells, strict=True):
            if column is not None:
                yield column, cell.strip()

    def _row(self, line: int, cells: Cells) -> PriceRow:
        error_count = len(self.errors)
        values = self._parse(line, cells)
        return PriceRow(
            line,
            customer=_customer_key(str(values["customer"])) if "customer" in values else None,
            product=str(values["product"]) if "product" in values else None,
            draft=self._draft(values) if len(self.errors) == error_count else None,
        )

    def _parse(self, line: int, cells: Cells) -> dict[str, object]:
        values: dict[str, object] = {}
        for column, cell in self._known(cells):
            try:
                values[column] = self._parsers[column](cell)
            except ValueError as error:
                self._add_error(line, f"{column} {quoted(cell)} {error}" if cell else f"{column} {error}")
        return values

    def _draft(self, values: dict[str, object]) -> PriceOverrideUpsert:
        breaks = values.get("priceBreaks", NOT_GIVEN)  # there may be no such column
        price_breaks = self._empty_price_breaks if breaks is None else cast("tuple[PriceBreak, ...] | NotGiven", breaks)
        return PriceOverrideUpsert(price=cast("Decimal", values["price"]), price_breaks=price_breaks)

    def _add_error(self, line: int, error: str) -> None:
        self.errors.append(RowError(line=line, error=error))


def _customer_key(text: str) -> CustomerKey:
    return CustomerKey("email", stored_email(text)) if "@" in text else CustomerKey("id", text)


def _parse_key(cell: str) -> str:
    """Return an email, sku or id. Raises ValueError if it is empty or cannot be one."""
    if not cell:
        raise ValueError("is required")
    key = stored_code(formulas.unescape(cell))
    if product_cells.CONTROL.search(key):
        raise ValueError("must not contain control characters")
    return key
