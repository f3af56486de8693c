"""A CSV file of products: check every cell, and collect all errors of the file.

Not in this module: how a spreadsheet writes files (`text_file`, `csv_table`, `csv_numbers`), the values of the cells
(`product_cells`), and what is stored (`comparison`).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, NamedTuple, TypedDict, cast

from app.errors import DomainError
from app.product_import import product_cells
from app.product_import.csv_numbers import DecimalMarkDetector
from app.product_import.csv_table import Cells, CsvOptions, CsvTable, quoted_list
from app.product_import.product_cells import NUMBERS, PRICE_BREAKS, REQUIRED, Value
from app.product_import.text_file import TextFile, UnreadableFileError, quoted
from models import PriceBreak

FIELDS = {
    "sku": "sku",
    "name": "name",
    "description": "description",
    "category": "category",
    "unit": "unit",
    "price": "price",
    "stock": "stock",
    "isActive": "is_active",
    "externalId": "external_id",
    "barcode": "barcode",
    "lowStockThreshold": "low_stock_threshold",
    "imageUrl": "image_url",
    "priceBreaks": "price_breaks",
    "minOrderQuantity": "min_order_quantity",
    "orderMultiple": "order_multiple",
    "maxOrderQuantity": "max_order_quantity",
}
UNIQUE = {"sku": "sku", "externalId": "external_id"}  # each value may be in one row of a file


class ProductFields(TypedDict, total=False):
    """Fields of a product by the names of its columns in the database. None in a row of a file is an empty cell."""

    sku: str
    name: str
    description: str | None
    category: str | None
    unit: str | None
    price: Decimal
    stock: int | None
    is_active: bool | None
    external_id: str | None
    barcode: str | None
    low_stock_threshold: int | None
    image_url: str | None
    price_breaks: tuple[PriceBreak, ...] | None
    min_order_quantity: int | None
    order_multiple: int | None
    max_order_quantity: int | None


class NumberedRow(NamedTuple):
    """A row of a file, and the line on which it starts."""

    line: int
    fields: ProductFields


@dataclass(frozen=True, kw_only=True, slots=True)
class RowError:
    """An error in a file: the line on which the row starts, and the rule that it violates."""

    line: int
    error: str


class RejectedFileError(DomainError):
    """Some rows are invalid, so no row is imported. `errors` has all errors in the order of the file."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        """Initialize with every error in the file."""
        super().__init__(f"The file has {len(errors)} errors. Nothing was imported.")
        self.errors = errors


class ProductCsv:
    """A CSV file of products: its valid rows, and the errors of the others.

    Memory use grows with the number of errors only, not with the number of rows.
    """

    def __init__(self, stream: IO[bytes], options: CsvOptions | None = None) -> None:
        """Scan the seekable file. Raises RejectedFileError if it cannot be read as a table of products."""
        options = options or CsvOptions()
        self.errors: list[RowError] = []
        try:
            text = TextFile(stream, options.encoding)
            self._table = CsvTable(text, options, known=tuple(FIELDS), required=REQUIRED)
            detector = self._detect_decimal_mark()
            decimal = detector.result(options.decimal)
        except UnreadableFileError as error:
            raise RejectedFileError([RowError(line=error.line, error=str(error))]) from None
        self._table.set_decimal_mark_certainty(is_certain=detector.is_certain)
        self._parsers = {
            index: (FIELDS[column], column, product_cells.parser(column, decimal))
            for index, column in enumerate(self._table.columns)
            if column is not None
        }

    @property
    def warnings(self) -> list[str]:
        """Messages for the person who made the file, even if every row can be read."""
        ignored = self._table.ignored
        return [f"Unknown columns were not imported: {quoted_list(ignored)}."] if ignored else []

    def rows(self) -> Iterator[ProductFields]:
        """Yield the fields of each valid row, and collect the errors of the others in `errors`."""
        return (fields for _, fields in self.numbered_rows())

    def numbered_rows(self) -> Iterator[NumberedRow]:
        """Yield the line and the fields of each valid row, and collect the errors of the others in `errors`."""
        self.errors.clear()
        with closing(_SeenValues()) as seen:
            for line, cells in self._table.rows():
                error_count = len(self.errors)
                row = self._parse(line, cells)
                self._reject_repeated(seen, line, row)
                if len(self.errors) == error_count:
                    yield NumberedRow(line, row)

    def _detect_decimal_mark(self) -> DecimalMarkDetector:
        detector = DecimalMarkDetector()
        numeric = (*NUMBERS, PRICE_BREAKS)
        columns = [(index, name) for index, name in enumerate(self._table.columns) if name in numeric]
        for line, cells in self._table.rows():
            for index, column in columns:
                if not isinstance(cells, str) and (cell := cells[index].strip()):
                    for number in product_cells.numbers(column, cell):
                        detector.add(line, column, number)
        return detector

    def _parse(self, line: int, cells: Cells | str) -> ProductFields:
        if isinstance(cells, str):
            self._add_error(line, cells)
            return {}
        values: dict[str, Value] = {}
        for index, (field, column, parse) in self._parsers.items():
            cell = cells[index].strip()
            try:
                values[field] = parse(cell)
            except ValueError as error:
                self._add_error(line, f"{column} {quoted(cell)} {error}" if cell else f"{column} {error}")
        return cast("ProductFields", values)

    def _reject_repeated(self, seen: "_SeenValues", line: int, row: ProductFields) -> None:
        for column, field in UNIQUE.items():
            value = cast("str | None", row.get(field))
            first = line if value is None else seen.first_line(column, value, line)
            if first != line:
                self._add_error(line, f"{column} {quoted(str(value))} is already on line {first}")

    def _add_error(self, line: int, error: str) -> None:
        self.errors.append(RowError(line=line, error=error))


class _SeenValues:
    """The first line of every unique value, in a temporary file: a million skus would take 150 MB of memory."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        columns = "name TEXT, value TEXT, line INTEGER, PRIMARY KEY (name, value)"
        self._file.execute(f"CREATE TABLE seen ({columns}) WITHOUT ROWID")
        self._file.execute("BEGIN")

    def first_line(self, column: str, value: str, line: int) -> int:
        """Return the first line with `value` in `column`, which may be `line`."""
        if self._file.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (column, value, line)).rowcount:
            return line
        query = "SELECT line FROM seen WHERE name = ? AND value = ?"
        (first,) = self._file.execute(query, (column, value)).fetchone()
        return int(first)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
