"""A CSV file of products: find its rows, check every cell, and tell all that is wrong with it.

Not here: what the database knows (`app/services/imports.py`). What a cell may hold is read from the OpenAPI
document; only the spelling of numbers and truth values is decided here.
"""

import csv
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from app import spec
from app.errors import DomainError

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
TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
MULTILINE = "description"

LINE_BYTES = 1_000_000  # far beyond any row that could pass
BOM = b"\xef\xbb\xbf"
SHOWN = 100  # characters of a cell that an error repeats

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
NOT_UTF8 = re.compile(r"[\udc80-\udcff]")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

# What Python's csv module says, and what to tell the person who made the file.
SYNTAX = {
    "unexpected end": "a quotation mark opens a cell here and is never closed",
    "expected after": 'something follows a closing quotation mark; a quotation mark inside a cell is written ""',
    "new-line": "lines must end with LF or CRLF, not with CR alone",
    "field limit": "a cell is too long; is a closing quotation mark missing?",
}

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


class Sheet:
    """A file being read: its columns, the good rows, and what is wrong with the others."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read the header. Raises RejectedFileError when it will not do."""
        self.errors: list[RowError] = []
        self._rows = _rows(stream)
        self._first_seen: dict[str, int] = {}
        self._columns = self._header()
        self._parsers = [_parser(column) for column in self._columns]

    def records(self) -> Iterator[Record]:
        """Yield the fields of each good row, None for an empty cell; what is wrong with a bad one goes to `errors`."""
        for line, cells in self._rows:
            faults = len(self.errors)
            record = self._parse(line, cells)
            self._refuse_repetition(line, record.get("sku"))
            if len(self.errors) == faults:
                yield record

    def _header(self) -> list[str]:
        line, cells = next(self._rows, (1, "the file is empty; its first line must name the columns"))
        if isinstance(cells, str):
            raise RejectedFileError([RowError(line=line, error=cells)])
        columns = [cell.strip() for cell in cells]
        faults = list(_header_faults(columns))
        if faults:
            raise RejectedFileError([RowError(line=line, error=fault) for fault in faults])
        return columns

    def _parse(self, line: int, cells: list[str] | str) -> Record:
        if isinstance(cells, str):
            self._add(line, cells)
            return {}
        if len(cells) != len(self._columns):
            self._add(line, f"there are {len(cells)} cells, but the header names {len(self._columns)} columns")
            return {}
        if any(NOT_UTF8.search(cell) for cell in cells):
            self._add(line, "the text is not UTF-8; save the file in that encoding")
            return {}
        return self._parse_cells(line, cells)

    def _parse_cells(self, line: int, cells: list[str]) -> Record:
        record = {}
        for column, parse, cell in zip(self._columns, self._parsers, cells, strict=True):
            try:
                record[FIELDS[column]] = parse(cell.strip())
            except ValueError as error:
                self._add(line, f"{column} {error}")
        return record

    def _refuse_repetition(self, line: int, sku: str | None) -> None:
        if sku is None:
            return
        first = self._first_seen.setdefault(sku, line)
        if first != line:
            self._add(line, f"sku '{sku}' is already on line {first}")

    def _add(self, line: int, error: str) -> None:
        self.errors.append(RowError(line=line, error=error))


def _header_faults(columns: Sequence[str]) -> Iterator[str]:
    for column in dict.fromkeys(columns):
        if column not in FIELDS:
            shown = NOT_UTF8.sub("\N{REPLACEMENT CHARACTER}", column[:SHOWN])
            yield f"'{shown}' is not a known column. Known are: {', '.join(FIELDS)}, separated by commas"
        elif columns.count(column) > 1:
            yield f"the column '{column}' is there {columns.count(column)} times"
    yield from (f"the column '{column}' is missing" for column in REQUIRED if column not in columns)


def _rows(stream: IO[bytes]) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the line on which each row starts, with its cells or with what is wrong; skip empty lines."""
    reader = csv.reader(_lines(stream), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, _explain(error)
        else:
            if cells:
                yield line, cells


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield decoded lines; bytes that are not UTF-8 stay recognisable, so that reading can go on after them."""
    data = stream.readline(LINE_BYTES).removeprefix(BOM)
    while data:
        if len(data) == LINE_BYTES:
            raise csv.Error(f"the line is longer than {LINE_BYTES} bytes; the rest of the file was not read")
        yield data.decode("utf-8", "surrogateescape")
        data = stream.readline(LINE_BYTES)


def _explain(error: csv.Error) -> str:
    said = str(error)
    return next((meaning for words, meaning in SYNTAX.items() if words in said), said)


def _parser(column: str) -> Parse:
    """Return what turns a trimmed cell of `column` into a value, or raises ValueError with the broken rule."""
    document = spec.document()
    schema = spec.resolve(document, document["components"]["schemas"]["Product"]["properties"][column])
    parse = {"price": _price(schema), "stock": _stock(schema), "isActive": _truth}.get(column) or _text(column, schema)

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


def _price(schema: Mapping[str, Any]) -> Parse:
    def parse(cell: str) -> Decimal:
        match = NUMBER.fullmatch(cell)
        if match is None:
            raise ValueError("must be a number like 12.50")
        if len(match[1] or "") > len(".00"):
            raise ValueError("must have at most two decimal places")
        return _in_range(cell, schema)

    return parse


def _stock(schema: Mapping[str, Any]) -> Parse:
    def parse(cell: str) -> int:
        match = NUMBER.fullmatch(cell)
        if match is None or match[1]:
            raise ValueError("must be a whole number")
        return int(_in_range(cell, schema))

    return parse


def _in_range(cell: str, schema: Mapping[str, Any]) -> Decimal:
    number = Decimal(cell)
    if number < Decimal(str(schema["minimum"])):
        raise ValueError(f"must be at least {schema['minimum']}")
    if number > Decimal(str(schema["maximum"])):
        raise ValueError(f"must be at most {schema['maximum']}")
    return number


def _truth(cell: str) -> bool:
    try:
        return TRUTH[cell.lower()]
    except KeyError:
        raise ValueError("must be true or false (or 1 or 0, yes or no)") from None
