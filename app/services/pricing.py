"""What an order costs, to the cent (contract, section 5).

Not in this module: reading and writing price overrides (`app/services/prices.py`, `app/services/price_writes.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from models import CENT, PriceBreak

MAX_PRICE = Decimal("9999999999.99")  # the document has the same limit for a price


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """The amounts of an order. The total is exactly their sum."""

    subtotal: Decimal
    tax: Decimal
    shipping: Decimal

    @property
    def total(self) -> Decimal:
        """Return what the customer pays."""
        return self.subtotal + self.tax + self.shipping


def amounts(items: Iterable[tuple[int, Decimal]], tax_rate: Decimal, shipping: Decimal) -> Amounts:
    """Add up items of quantity and unit price. Tax is calculated on the subtotal and rounded once, half up to the cent.

    The total may exceed MAX_AMOUNT, the range of its column.
    """
    subtotal = sum((item_amount(quantity, unit_price) for quantity, unit_price in items), Decimal(0))
    tax = (subtotal * tax_rate).quantize(CENT, ROUND_HALF_UP)
    return Amounts(subtotal=subtotal, tax=tax, shipping=shipping)


def unit_price(price: Decimal, price_breaks: Sequence[PriceBreak], quantity: int) -> Decimal:
    """Return the price of a unit: that of the last price break that `quantity` reaches, otherwise `price`.

    `quantity` is the sum of all items of the product in an order. The breaks are in ascending order.
    """
    for entry in price_breaks:
        if quantity < entry.min_quantity:
            break
        price = entry.price
    return price


def item_amount(quantity: int, unit_price: Decimal) -> Decimal:
    """Return what an item of an order costs, without tax."""
    return quantity * unit_price
