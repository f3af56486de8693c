"""Numbers as spreadsheets write them: 8.50, 8,50, 1,234.50, 1.234,50, 1 234,50, 1'234.50, $8.50, 8,50 €.

`1.234` is a little more than 1 where the decimal mark is a point, and 1234 where it is a comma. A price is never
guessed:

1. One file has one decimal mark.
2. A number with only one possible reading, such as `8,50`, shows it.
3. `1.234` is ambiguous. The mark is read as a thousands separator if other numbers show the other mark. If they show
   the same mark, or if no number shows one, the file is rejected until an option names the mark.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from app.product_import.text_file import UnreadableFileError, quoted

POINT, COMMA = ".", ","
OPTIONS = {POINT: "--decimal point", COMMA: "--decimal comma"}
EXAMPLES = {POINT: "12.50", COMMA: "12,50"}
GROUP_SEPARATORS = " \u00a0\u2009\u202f'\u2019"  # thousands separators, in addition to the other mark
# One of these may come before or after an amount. No symbols of a hundredth (¢) and no letters: TSD means a thousand.
CURRENCY_SIGNS = "$€£¥₩₪₫₱₴₹₺₽"


def _pattern(decimal: str, other: str) -> re.Pattern[str]:
    thousands = rf"[1-9][0-9]{{0,2}}([{other}{GROUP_SEPARATORS}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
    return re.compile(rf"-?(?:[0-9]+|{thousands})(?:[{decimal}][0-9]+)?")


PATTERNS = {POINT: _pattern(POINT, COMMA), COMMA: _pattern(COMMA, POINT)}


class Cell(NamedTuple):
    """A cell of a file, for a message."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        """Name the cell."""
        return f"{self.column} {quoted(self.text)} on line {self.line}"


def parse(text: str, decimal: str) -> Decimal | None:
    """Return the number that a text represents with this decimal mark, or None if it is not a number."""
    if PATTERNS[decimal].fullmatch(text) is None:
        return None
    whole, mark, fraction = text.partition(decimal)
    number = Decimal(re.sub(r"[^0-9-]", "", whole) + (mark and f".{fraction}"))
    return number.copy_abs() if number.is_zero() else number  # -0 is 0


def split_currency(text: str) -> tuple[str, str]:
    """Return the currency symbol of an amount, or an empty string if there is none, and the amount without it."""
    if text[:1] in CURRENCY_SIGNS:
        return text[:1], text[1:].strip()
    if text[-1:] in CURRENCY_SIGNS:
        return text[-1:], text[:-1].strip()
    return "", text


class DecimalMarkDetector:
    """Detects the decimal mark of a file from its numbers, and requires them to have the same currency."""

    def __init__(self) -> None:
        """Initialize without numbers."""
        self._by_mark: dict[str, Cell] = {}
        self._by_currency: dict[str, Cell] = {}
        self._ambiguous: dict[str, Cell] = {}  # by the mark that would give them three decimal places

    @property
    def is_certain(self) -> bool:
        """Whether a number showed the decimal mark."""
        return bool(self._by_mark)

    def add(self, line: int, column: str, text: str) -> None:
        """Take a cell of a numeric column into account."""
        if text.isdecimal():
            return
        cell = Cell(line, column, text)
        currency, number = split_currency(text)
        if currency:
            self._by_currency.setdefault(currency, cell)
        readings = {mark: value for mark in PATTERNS if (value := parse(number, mark)) is not None}
        if len(readings) == 1:
            self._by_mark.setdefault(next(iter(readings)), cell)
        elif len(set(readings.values())) > 1:
            self._ambiguous.setdefault(POINT if POINT in number else COMMA, cell)

    def result(self, given: str | None) -> str:
        """Return the decimal mark. Raises UnreadableFileError if it is neither given nor certain."""
        if len(self._by_currency) > 1:
            first, other, *_ = self._by_currency.values()
            message = f"{other} and {first} have different currency symbols; use one currency"
            raise UnreadableFileError(other.line, message)
        return given or self._detected()

    def _detected(self) -> str:
        if len(self._by_mark) > 1:
            first, other = self._by_mark.values()
            raise UnreadableFileError(
                other.line,
                f"{other} and {first} have different decimal marks. Correct one of them, or add {OPTIONS[POINT]} "
                f"or {OPTIONS[COMMA]} to list all cells that do not match it",
            )
        ambiguous = [cell for mark, cell in self._ambiguous.items() if mark in self._by_mark or not self._by_mark]
        if ambiguous:
            raise _ambiguous_number(ambiguous[0])
        return next(iter(self._by_mark), POINT)


def _ambiguous_number(cell: Cell) -> UnreadableFileError:
    number = split_currency(cell.text)[1]
    readings = [f"{parse(number, mark):f} ({option})" for mark, option in OPTIONS.items()]
    message = f"{cell.column} {quoted(cell.text)} is {' or '.join(readings)}; add the correct option"
    return UnreadableFileError(cell.line, message)
