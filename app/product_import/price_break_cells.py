"""Price breaks in a cell: `10=8.00;50=7.50`, quantities and the unit prices from them on (contract, section 9.4).

An equals sign, because spreadsheet programs read `10:8.50` as a time.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from app.product_import.text_file import quoted
from app.schemas import price_breaks
from models import MAX_PRICE_BREAKS, PriceBreak

EXAMPLE = "10=8.00;50=7.50"


def numbers(cell: str) -> list[str]:
    """Return the numbers of a cell, for the detection of its decimal mark."""
    return [number.strip() for entry in cell.split(";") for number in entry.split("=")]


def parse(cell: str, quantity: Callable[[str], int], price: Callable[[str], Decimal]) -> tuple[PriceBreak, ...]:
    """Return the price breaks of a cell. Raises ValueError with the violated rule."""
    breaks = tuple(_parse_one(entry, quantity, price) for entry in cell.split(";"))
    if len(breaks) > MAX_PRICE_BREAKS:
        raise ValueError(f"must have at most {MAX_PRICE_BREAKS} price breaks")
    violation = price_breaks.order_violation(breaks)
    if violation is not None:
        raise ValueError(violation.rule)
    return breaks


def format_cell(breaks: Iterable[PriceBreak]) -> str:
    """Return the cell of price breaks, which `parse` reads back; an empty text for none."""
    return ";".join(f"{entry.min_quantity}={entry.price:.2f}" for entry in breaks)


def _parse_one(entry: str, quantity: Callable[[str], int], price: Callable[[str], Decimal]) -> PriceBreak:
    left, mark, right = (text.strip() for text in entry.partition("="))
    if not mark:
        raise ValueError(f"must be quantities with their prices, like {EXAMPLE}")
    try:
        min_quantity = quantity(left)
    except ValueError as error:
        raise ValueError(f"has the quantity {quoted(left)}, which {error}") from None
    try:
        return PriceBreak(min_quantity, price(right))
    except ValueError as error:
        raise ValueError(f"has the price {quoted(right)}, which {error}") from None
