"""A CSV file of products: check every cell, and collect all errors of the file.

Not in this module: how a spreadsheet writes files (`text_file`, `csv_table`, `csv_numbers`), and what is stored
(`comparison`). The limits of the values are read from the OpenAPI document.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, NamedTuple, TypedDict, cast

from app import spec
from app.errors import DomainError
from app.product_import import csv_numbers
from app.product_import.csv_numbers import EXAMPLES, DecimalMarkDetector
from app.product_import.csv_table import Cells, CsvOptions, CsvTable, quoted_list
from app.product_import.text_file import TextFile, UnreadableFileError, quoted

FIELDS = {
    "sku": "sku",
    "name": "name",
    "description": "description",
    "category": "category",
    "unit": "unit",
    "price": "price",
    "stock": "stock",
    "isActive": "is_active",
}
REQUIRED = ("sku", "name", "price")
NUMBERS = ("price", "stock")
# The words in the English, German, French, Spanish, Italian, Portuguese, Dutch and Polish editions of spreadsheets.
TRUE = ("true", "1", "yes", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "prawda")
FALSE = ("false", "0", "no", "falsch", "faux", "falso", "onwaar", "fałsz")
BOOLEANS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
MULTILINE = "description"
CENT = Decimal("0.01")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
CONTROL_BUT_LINE_ENDS_AND_TABS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Value = str | Decimal | int | bool | None
Parser = Callable[[str], Value]


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
            index: (FIELDS[column], column, _parser(column, decimal))
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
        self.errors.clear()
        with closing(_SeenSkus()) as seen:
            for line, cells in self._table.rows():
                error_count = len(self.errors)
                row = self._parse(line, cells)
                self._reject_repeated_sku(seen, line, row.get("sku"))
                if len(self.errors) == error_count:
                    yield row

    def _detect_decimal_mark(self) -> DecimalMarkDetector:
        detector = DecimalMarkDetector()
        columns = [(index, name) for index, name in enumerate(self._table.columns) if name in NUMBERS]
        for line, cells in self._table.rows():
            for index, column in columns:
                if not isinstance(cells, str) and (cell := cells[index].strip()):
                    detector.add(line, column, cell)
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

    def _reject_repeated_sku(self, seen: "_SeenSkus", line: int, sku: str | None) -> None:
        first = line if sku is None else seen.first_line(sku, line)
        if first != line:
            self._add_error(line, f"sku '{sku}' is already on line {first}")

    def _add_error(self, line: int, error: str) -> None:
        self.errors.append(RowError(line=line, error=error))


class _SeenSkus:
    """The first line of every sku, in a temporary file, because a million skus would take 150 MB of memory."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("CREATE TABLE seen (sku TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._file.execute("BEGIN")

    def first_line(self, sku: str, line: int) -> int:
        """Return the first line of `sku`, which may be `line`."""
        if self._file.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (sku, line)).rowcount:
            return line
        (first,) = self._file.execute("SELECT line FROM seen WHERE sku = ?", (sku,)).fetchone()
        return int(first)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class _Bounds(NamedTuple):
    minimum: Decimal
    maximum: Decimal

    def check(self, number: Decimal) -> None:
        if number < self.minimum:
            raise ValueError(f"must be at least {self.minimum}")
        if number > self.maximum:
            raise ValueError(f"must be at most {self.maximum}")


def _parser(column: str, decimal: str) -> Parser:
    """Return a function that converts a trimmed cell of `column`, or raises ValueError with the violated rule."""
    document = spec.document()
    schema = spec.resolve(document, document["components"]["schemas"]["Product"]["properties"][column])
    parse: Parser
    if column == "isActive":
        parse = _parse_boolean
    elif column in NUMBERS:
        bounds = _Bounds(Decimal(str(schema["minimum"])), Decimal(str(schema["maximum"])))
        parse = _price_parser(bounds, decimal) if column == "price" else _stock_parser(bounds, decimal)
    else:
        parse = _text_parser(schema["maxLength"], CONTROL_BUT_LINE_ENDS_AND_TABS if column == MULTILINE else CONTROL)

    def parse_unless_empty(cell: str) -> Value:
        if cell:
            return parse(cell)
        if column in REQUIRED:
            raise ValueError("is required")
        return None

    return parse_unless_empty


def _text_parser(max_length: int, forbidden: re.Pattern[str]) -> Parser:
    def parse(cell: str) -> str:
        text = unicodedata.normalize("NFC", cell)
        if len(text) > max_length:
            raise ValueError(f"must be at most {max_length} characters")
        if forbidden.search(text):
            raise ValueError("must not contain control characters")
        return text

    return parse


def _price_parser(bounds: _Bounds, decimal: str) -> Parser:
    def parse(cell: str) -> Decimal:
        number = csv_numbers.parse(csv_numbers.split_currency(cell)[1], decimal)
        if number is None:
            raise ValueError(f"must be a number like {EXAMPLES[decimal]}")
        bounds.check(number)
        if number != number.quantize(CENT):
            raise ValueError("must have at most two decimal places")
        return number.quantize(CENT)

    return parse


def _stock_parser(bounds: _Bounds, decimal: str) -> Parser:
    def parse(cell: str) -> int:
        number = csv_numbers.parse(cell, decimal)
        if number is None:
            raise ValueError("must be a whole number")
        bounds.check(number)
        if number != number.to_integral_value():
            raise ValueError("must be a whole number")
        return int(number)

    return parse


def _parse_boolean(cell: str) -> bool:
    try:
        return BOOLEANS[cell.casefold()]
    except KeyError:
        raise ValueError("must be true or false (or 1 or 0, yes or no)") from None
