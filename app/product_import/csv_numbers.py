"""Numbers as spreadsheets write them: 8.50, 8,50, 1,234.50, 1.234,50, 1 234,50, 1'234.50, $8.50, 8,50 €.

`1.234` is 1.234 where the point is the decimal mark, and 1234 where the comma is. One file has one decimal mark, so a
cell that can be read in one way only (`8,50`) shows it. By that, `1.234` is read as thousands only: where it would have
three decimal places, and where nothing shows the mark, the person who made the file has to say. A price is never
guessed.
"""

import re
from decimal import Decimal
from typing import NamedTuple

from app.product_import.csv_text import UnreadableError, shown

POINT, COMMA = ".", ","
OPTIONS = {POINT: "--decimal point", COMMA: "--decimal comma"}
EXAMPLES = {POINT: "12.50", COMMA: "12,50"}
GAPS = " \u00a0\u2009\u202f'\u2019"  # between thousands, beside the mark that is not the decimal one
# One of these before or after an amount. Not the signs of a hundredth (¢), and no letters: TSD is a thousand, not a
# currency.
CURRENCIES = "$€£¥₩₪₫₱₴₹₺₽"


def _pattern(decimal: str, other: str) -> re.Pattern[str]:
    thousands = rf"[1-9][0-9]{{0,2}}([{other}{GAPS}])[0-9]{{3}}(?:\1[0-9]{{3}})*"
    return re.compile(rf"-?(?:[0-9]+|{thousands})(?:[{decimal}][0-9]+)?")


PATTERNS = {POINT: _pattern(POINT, COMMA), COMMA: _pattern(COMMA, POINT)}


class Place(NamedTuple):
    """A cell of a file."""

    line: int
    column: str
    cell: str

    def __str__(self) -> str:
        """Name the cell for a message."""
        return f"{self.column} {shown(self.cell)} on line {self.line}"


def read(cell: str, decimal: str) -> Decimal | None:
    """Return the number that a cell holds by this decimal mark, None when it holds none."""
    if PATTERNS[decimal].fullmatch(cell) is None:
        return None
    whole, mark, fraction = cell.partition(decimal)
    return Decimal(re.sub(r"[^0-9-]", "", whole) + (mark and f".{fraction}"))


def split_currency(cell: str) -> tuple[str, str]:
    """Return the currency sign of an amount, or nothing, and the amount without it."""
    if cell[:1] in CURRENCIES:
        return cell[:1], cell[1:].strip()
    if cell[-1:] in CURRENCIES:
        return cell[-1:], cell[:-1].strip()
    return "", cell


class Survey:
    """What the numbers of a file say about its decimal mark and its currency."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._by_mark: dict[str, Place] = {}
        self._by_currency: dict[str, Place] = {}
        self._unclear: dict[str, Place] = {}  # by the mark that would give them three decimal places

    @property
    def is_certain(self) -> bool:
        """Whether a number showed the decimal mark."""
        return bool(self._by_mark)

    def add(self, line: int, column: str, cell: str) -> None:
        """Take a cell of a column of numbers into account."""
        if cell.isdecimal():
            return
        place = Place(line, column, cell)
        currency, number = split_currency(cell)
        if currency:
            self._by_currency.setdefault(currency, place)
        readings = {mark: value for mark in PATTERNS if (value := read(number, mark)) is not None}
        if len(readings) == 1:
            self._by_mark.setdefault(next(iter(readings)), place)
        elif len(set(readings.values())) > 1:
            self._unclear.setdefault(POINT if POINT in number else COMMA, place)

    def decimal(self, wanted: str | None) -> str:
        """Return the decimal mark. Raises UnreadableError when it is neither wanted nor certain."""
        if len(self._by_currency) > 1:
            first, other, *_ = self._by_currency.values()
            raise UnreadableError(other.line, f"{other} and {first} have different currency signs; import one currency")
        return wanted or self._found()

    def _found(self) -> str:
        if len(self._by_mark) > 1:
            first, other = self._by_mark.values()
            raise UnreadableError(
                other.line,
                f"{other} and {first} have different decimal marks. Correct one of them, or add {OPTIONS[POINT]} or "
                f"{OPTIONS[COMMA]} to see all that do not fit it",
            )
        unclear = [place for mark, place in self._unclear.items() if mark in self._by_mark or not self._by_mark]
        if unclear:
            raise self._ambiguous(unclear[0])
        return next(iter(self._by_mark), POINT)

    def _ambiguous(self, place: Place) -> UnreadableError:
        number = split_currency(place.cell)[1]
        meanings = [f"{read(number, mark):f} ({OPTIONS[mark]})" for mark in PATTERNS]
        return UnreadableError(
            place.line, f"{place.column} {shown(place.cell)} is {' or '.join(meanings)}; add the option that is right"
        )
