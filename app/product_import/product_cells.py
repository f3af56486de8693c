"""The values in the cells of a product: what each column accepts. The document has the limits, for `POST /products`."""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import NamedTuple, Self

from app import gtin, spec
from app.product_import import csv_numbers, formulas, price_break_cells
from app.product_import.csv_numbers import EXAMPLES
from app.spec import Document
from models import CENT, PriceBreak

REQUIRED = ("sku", "name", "price")
NUMBERS = ("price", "stock", "lowStockThreshold", "minOrderQuantity", "orderMultiple", "maxOrderQuantity")
PRICE_BREAKS = "priceBreaks"
# The words in the English, German, French, Spanish, Italian, Portuguese, Dutch and Polish editions of spreadsheets.
TRUE = ("true", "1", "yes", "wahr", "vrai", "verdadero", "vero", "verdadeiro", "waar", "prawda")
FALSE = ("false", "0", "no", "falsch", "faux", "falso", "onwaar", "fałsz")
BOOLEANS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
MULTILINE = "description"

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
CONTROL_BUT_LINE_ENDS_AND_TABS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Value = str | Decimal | int | bool | tuple[PriceBreak, ...] | None
Parser = Callable[[str], Value]


class _Bounds(NamedTuple):
    minimum: Decimal
    maximum: Decimal

    @classmethod
    def of(cls, schema: Document) -> Self:
        """Return the bounds of a number in the document."""
        return cls(Decimal(str(schema["minimum"])), Decimal(str(schema["maximum"])))

    def check(self, number: Decimal) -> None:
        if number < self.minimum:
            raise ValueError(f"must be at least {self.minimum}")
        if number > self.maximum:
            raise ValueError(f"must be at most {self.maximum}")


def parser(column: str, decimal: str) -> Parser:
    """Return a function that converts a trimmed cell of `column`, or raises ValueError with the violated rule."""
    document = spec.document()
    schema = spec.resolve(document, document["components"]["schemas"]["ProductCreate"]["properties"][column])
    parse = _parser(column, schema, decimal)

    def parse_unless_empty(cell: str) -> Value:
        if cell:
            return parse(cell)
        if column in REQUIRED:
            raise ValueError("is required")
        return None

    return parse_unless_empty


def _parser(column: str, schema: Document, decimal: str) -> Parser:
    """Return the parser of the cells that are not empty."""
    parse: Parser
    if column == "isActive":
        parse = _parse_boolean
    elif column == "barcode":
        parse = _parse_barcode
    elif column == "imageUrl":
        parse = _url_parser(schema["maxLength"], re.compile(schema["pattern"]))
    elif column == PRICE_BREAKS:
        parse = _price_break_parser(decimal)
    elif column in NUMBERS:
        bounds = _Bounds.of(schema)
        parse = _price_parser(bounds, decimal) if column == "price" else _whole_number_parser(bounds, decimal)
    else:
        parse = _text_parser(schema["maxLength"], CONTROL_BUT_LINE_ENDS_AND_TABS if column == MULTILINE else CONTROL)
    return parse


def numbers(column: str, cell: str) -> list[str]:
    """Return the numbers in a cell that is not empty."""
    if column == PRICE_BREAKS:
        return price_break_cells.numbers(cell)
    return [cell] if column in NUMBERS else []


def _text_parser(max_length: int, forbidden: re.Pattern[str]) -> Parser:
    def parse(cell: str) -> str:
        text = unicodedata.normalize("NFC", formulas.unescape(cell)).strip()
        if len(text) > max_length:
            raise ValueError(f"must be at most {max_length} characters")
        if forbidden.search(text):
            raise ValueError("must not contain control characters")
        return text

    return parse


def _price_parser(bounds: _Bounds, decimal: str) -> Callable[[str], Decimal]:
    def parse(cell: str) -> Decimal:
        number = csv_numbers.parse(csv_numbers.split_currency(cell)[1], decimal)
        if number is None:
            raise ValueError(f"must be a number like {EXAMPLES[decimal]}")
        bounds.check(number)
        if number != number.quantize(CENT):
            raise ValueError("must have at most two decimal places")
        return number.quantize(CENT)

    return parse


def _price_break_parser(decimal: str) -> Parser:
    members = spec.document()["components"]["schemas"]["PriceBreakCreate"]["properties"]
    quantity = _whole_number_parser(_Bounds.of(members["minQuantity"]), decimal)
    price = _price_parser(_Bounds.of(members["price"]), decimal)
    return partial(price_break_cells.parse, quantity=quantity, price=price)


def _whole_number_parser(bounds: _Bounds, decimal: str) -> Callable[[str], int]:
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


def _parse_barcode(cell: str) -> str:
    if violation := gtin.violation(cell):
        raise ValueError(violation)
    return gtin.stored(cell)


def _url_parser(max_length: int, pattern: re.Pattern[str]) -> Parser:
    def parse(cell: str) -> str:
        url = formulas.unescape(cell)
        if len(url) > max_length:
            raise ValueError(f"must be at most {max_length} characters")
        if not pattern.fullmatch(url):
            raise ValueError("must be an http or https URL, with special characters percent-encoded")
        return url

    return parse
