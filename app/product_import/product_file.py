"""A CSV file of products: check every cell, and collect all that is wrong with the file.

Not here: how a spreadsheet wrote it (`csv_text`, `csv_table`, `csv_numbers`), and what the database knows
(`comparison`). What a cell may hold is read from the OpenAPI document.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from app import spec
from app.errors import DomainError
from app.product_import import csv_numbers
from app.product_import.csv_numbers import EXAMPLES, Survey
from app.product_import.csv_table import Cells, Columns, Reading, Table, listed
from app.product_import.csv_text import Text, UnreadableError, shown

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
COLUMNS = Columns(known=tuple(FIELDS), required=REQUIRED)
# The words of the English, German, French, Spanish, Italian, Portuguese, Dutch and Polish editions of spreadsheets.
TRUE = ("true", "1", "yes", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "prawda")
FALSE = ("false", "0", "no", "falsch", "faux", "falso", "onwaar", "fałsz")
TRUTH = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
MULTILINE = "description"
CENT = Decimal("0.01")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Parse = Callable[[str], Any]
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowError:
    """One thing wrong with a file: the line on which the row starts, and the rule."""

    line: int
    error: str


class RejectedFileError(DomainError):
    """Some rows break a rule, so that none may be imported. `errors` has all of them in the order of the file."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        """Take every error of the file."""
        super().__init__(f"The file has {len(errors)} errors. Nothing was imported.")
        self.errors = errors


class ProductFile:
    """A file being read: its columns, the good rows, and what is wrong with the others.

    Memory does not grow with the number of rows, but for those that are wrong.
    """

    def __init__(self, stream: IO[bytes], reading: Reading | None = None) -> None:
        """Look through the seekable file. Raises RejectedFileError when it cannot be read as a table of products."""
        reading = reading or Reading()
        self.errors: list[RowError] = []
        try:
            self._table = Table(Text(stream, reading.encoding), reading, COLUMNS)
            survey = self._survey()
            decimal = survey.decimal(reading.decimal)
        except UnreadableError as error:
            raise RejectedFileError([RowError(line=error.line, error=str(error))]) from None
        self._table.check_widths(decimal_is_certain=survey.is_certain)
        self._parsers = {
            number: (FIELDS[column], column, _parser(column, decimal))
            for number, column in enumerate(self._table.columns)
            if column is not None
        }

    @property
    def warnings(self) -> list[str]:
        """What the person who made the file should know, although all of it can be read."""
        ignored = self._table.ignored
        return [f"Not imported, because not known: {listed(ignored)}."] if ignored else []

    def records(self) -> Iterator[Record]:
        """Yield the fields of each good row, None for an empty cell; what is wrong with a bad one goes to `errors`."""
        self.errors.clear()
        with closing(_Seen()) as seen:
            for line, cells in self._table.rows():
                faults = len(self.errors)
                record = self._parse(line, cells)
                self._refuse_repetition(seen, line, record.get("sku"))
                if len(self.errors) == faults:
                    yield record

    def _survey(self) -> Survey:
        survey = Survey()
        columns = [(number, name) for number, name in enumerate(self._table.columns) if name in NUMBERS]
        for line, cells in self._table.rows():
            for number, column in columns:
                if not isinstance(cells, str) and (cell := cells[number].strip()):
                    survey.add(line, column, cell)
        return survey

    def _parse(self, line: int, cells: Cells | str) -> Record:
        if isinstance(cells, str):
            self._add(line, cells)
            return {}
        record = {}
        for number, (name, column, parse) in self._parsers.items():
            cell = cells[number].strip()
            try:
                record[name] = parse(cell)
            except ValueError as error:
                self._add(line, f"{column} {shown(cell)} {error}" if cell else f"{column} {error}")
        return record

    def _refuse_repetition(self, seen: "_Seen", line: int, sku: str | None) -> None:
        first = line if sku is None else seen.first(sku, line)
        if first != line:
            self._add(line, f"sku '{sku}' is already on line {first}")

    def _add(self, line: int, error: str) -> None:
        self.errors.append(RowError(line=line, error=error))


class _Seen:
    """The first line of every sku, in a temporary file: a million of them would take 150 MB of memory."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("CREATE TABLE seen (sku TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._file.execute("BEGIN")

    def first(self, sku: str, line: int) -> int:
        """Return the line on which `sku` was seen first, which may be this one."""
        if self._file.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (sku, line)).rowcount:
            return line
        (first,) = self._file.execute("SELECT line FROM seen WHERE sku = ?", (sku,)).fetchone()
        return int(first)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def _parser(column: str, decimal: str) -> Parse:
    """Return what turns a trimmed cell of `column` into a value, or raises ValueError with the broken rule."""
    document = spec.document()
    schema = spec.resolve(document, document["components"]["schemas"]["Product"]["properties"][column])
    parse = {"price": _price(schema, decimal), "stock": _stock(schema, decimal), "isActive": _truth}.get(column)
    parse = parse or _text(column, schema)

    def parse_unless_empty(cell: str) -> Any:
        if cell:
            return parse(cell)
        if column in REQUIRED:
            raise ValueError("is required")
        return None

    return parse_unless_empty


def _text(column: str, schema: Mapping[str, Any]) -> Parse:
    longest = schema["maxLength"]
    control = CONTROL_IN_LINES if column == MULTILINE else CONTROL

    def parse(cell: str) -> str:
        text = unicodedata.normalize("NFC", cell)
        if len(text) > longest:
            raise ValueError(f"must be at most {longest} characters")
        if control.search(text):
            raise ValueError("must not contain control characters")
        return text

    return parse


def _price(schema: Mapping[str, Any], decimal: str) -> Parse:
    def parse(cell: str) -> Decimal:
        number = csv_numbers.read(csv_numbers.split_currency(cell)[1], decimal)
        if number is None:
            raise ValueError(f"must be a number like {EXAMPLES[decimal]}")
        _check_range(number, schema)
        if number != number.quantize(CENT):
            raise ValueError("must have at most two decimal places")
        return number.quantize(CENT)

    return parse


def _stock(schema: Mapping[str, Any], decimal: str) -> Parse:
    def parse(cell: str) -> int:
        number = csv_numbers.read(cell, decimal)
        if number is None:
            raise ValueError("must be a whole number")
        _check_range(number, schema)
        if number != number.to_integral_value():
            raise ValueError("must be a whole number")
        return int(number)

    return parse


def _check_range(number: Decimal, schema: Mapping[str, Any]) -> None:
    if number < Decimal(str(schema["minimum"])):
        raise ValueError(f"must be at least {schema['minimum']}")
    if number > Decimal(str(schema["maximum"])):
        raise ValueError(f"must be at most {schema['maximum']}")


def _truth(cell: str) -> bool:
    try:
        return TRUTH[cell.casefold()]
    except KeyError:
        raise ValueError("must be true or false (or 1 or 0, yes or no)") from None
