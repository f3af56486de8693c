"""What a return is refunded, to the cent (contract, section 9.7).

    goods     received quantity times frozen unit price, of all items of the return
    tax       half_up(order.tax * goods refunded so far / order.subtotal) - tax refunded so far
    shipping  what the request asks for
    subtotal  the goods, or what is left of a given amount

"So far" means the refunds of the order that are not void, and for the goods also this one. So if all goods
are refunded without an amount, in any order and number of parts, the refunds contain exactly the tax of the order.
Together with all of its shipping, they equal its total.

- An order with the subtotal 0 has no tax that could be refunded.
- The tax is never negative. After a refund is void, the tax refunded so far may exceed that of the goods, because the
  refunds after one with a lower amount include the tax that it left out.
- With an amount, the tax is at most what remains of it after the shipping. A later refund includes the rest.

Not in this module: which refunds an order has (`app/services/order_refunds.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.services import pricing
from models import CENT

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundAmounts(pricing.Amounts):
    """The amounts of a refund, and the value of the goods from which its tax was calculated."""

    goods: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundedAmounts:
    """The sums of the refunds of an order that are not void."""

    goods: Decimal = ZERO
    tax: Decimal = ZERO
    shipping: Decimal = ZERO
    total: Decimal = ZERO


def goods(items: Iterable[tuple[int, Decimal]]) -> Decimal:
    """Return the value of items of received quantity and unit price, without tax."""
    return sum((pricing.item_amount(quantity, unit_price) for quantity, unit_price in items), ZERO)


def refund(
    order: pricing.Amounts,
    refunded: RefundedAmounts,
    goods: Decimal,
    *,
    amount: Decimal | None = None,
    shipping: Decimal = ZERO,
) -> RefundAmounts:
    """Return the amounts of the next refund of an order: of `goods`, or `amount` in total, which includes `shipping`.

    An amount is at least the shipping. The result may exceed what is left of the order.
    """
    tax = max(tax_of(order, refunded.goods + goods) - refunded.tax, ZERO)
    if amount is None:
        return RefundAmounts(goods=goods, subtotal=goods, tax=tax, shipping=shipping)
    tax = min(tax, amount - shipping)
    return RefundAmounts(goods=goods, subtotal=amount - shipping - tax, tax=tax, shipping=shipping)


def refundable(order: pricing.Amounts, refunded: RefundedAmounts, goods: Decimal) -> Decimal:
    """Return what a refund of `goods` would pay now, without shipping and at most what is left of the order."""
    return min(refund(order, refunded, goods).total, left(order, refunded))


def left(order: pricing.Amounts, refunded: RefundedAmounts) -> Decimal:
    """Return how much of an order can still be refunded."""
    return order.total - refunded.total


def shipping_left(order: pricing.Amounts, refunded: RefundedAmounts) -> Decimal:
    """Return how much of the shipping of an order can still be refunded."""
    return order.shipping - refunded.shipping


def tax_of(order: pricing.Amounts, goods: Decimal) -> Decimal:
    """Return the tax of a part of the goods of an order, rounded half up to the cent.

    It is calculated in whole cents, because their product has more digits than a Decimal keeps.
    """
    if not order.subtotal:
        return ZERO
    tax, part, whole = (int(value / CENT) for value in (order.tax, goods, order.subtotal))
    return (2 * tax * part + whole) // (2 * whole) * CENT
