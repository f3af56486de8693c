"""Refunds of an order never exceed it, and add up to exactly its amounts when everything came back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services import pricing, refund_amounts
from app.services.pricing import Amounts
from app.services.refund_amounts import RefundAmounts, RefundedAmounts
from models import CENT

ZERO = Decimal(0)
ITEMS = st.lists(st.tuples(st.integers(1, 30), st.decimals("0", "9999.99", places=2)), min_size=1, max_size=200)
RATES = st.decimals("0", "0.3", places=6)
SHIPPING = st.decimals("0", "999.99", places=2)
Items = list[tuple[int, Decimal]]


@dataclass
class RefundedOrder:
    """An order that is split into returns, and the refunds of each that are not void."""

    amounts: Amounts
    returns: Sequence[Decimal]  # the goods of each return
    refunds: dict[int, RefundAmounts] = field(default_factory=dict)

    @property
    def refunded(self) -> RefundedAmounts:
        found = self.refunds.values()
        return RefundedAmounts(
            goods=sum((one.goods for one in found), ZERO),
            tax=sum((one.tax for one in found), ZERO),
            shipping=sum((one.shipping for one in found), ZERO),
            total=sum((one.total for one in found), ZERO),
        )

    def refund(self, number: int, *, amount: Decimal | None = None, shipping: Decimal = ZERO) -> None:
        """Refund a return, if the order has that much left. Compare the amounts with the rules, in fractions."""
        refunded, order, goods = self.refunded, self.amounts, self.returns[number]
        assert 0 <= refund_amounts.refundable(order, refunded, goods) <= refund_amounts.left(order, refunded)
        made = refund_amounts.refund(order, refunded, goods, amount=amount, shipping=shipping)
        so_far = expected_tax(order, refunded.goods + goods) - Fraction(refunded.tax)
        tax = max(so_far, Fraction(0))
        if amount is not None:
            tax = min(tax, Fraction(amount) - Fraction(shipping))
        total = Fraction(goods) + tax + Fraction(shipping) if amount is None else Fraction(amount)
        assert (Fraction(made.tax), Fraction(made.total)) == (tax, total)
        assert (made.goods, made.shipping) == (goods, shipping)
        assert made.subtotal >= 0
        assert made.subtotal + made.tax + made.shipping == made.total
        if made.total <= refund_amounts.left(order, refunded):
            self.refunds[number] = made
        after = self.refunded
        assert ZERO <= after.total <= order.total
        assert ZERO <= after.tax <= order.tax
        assert ZERO <= after.shipping <= order.shipping


def expected_tax(order: Amounts, goods: Decimal) -> Fraction:
    """Return the tax of a part of the goods, half up to the cent, in fractions."""
    if order.subtotal == 0:
        return Fraction(0)
    cents = Fraction(order.tax) * Fraction(goods) / Fraction(order.subtotal) * 100
    return Fraction((2 * cents.numerator + cents.denominator) // (2 * cents.denominator), 100)


def split(data: st.DataObject, items: Items) -> list[Decimal]:
    """Split all units of an order into returns, and return the goods of each."""
    count = data.draw(st.integers(1, 6), label="returns")
    parts: list[Items] = [[] for _ in range(count)]
    for quantity, price in items:
        left = quantity
        for part in parts[:-1]:
            taken = data.draw(st.integers(0, left))
            part.append((taken, price))
            left -= taken
        parts[-1].append((left, price))
    return [refund_amounts.goods(part) for part in parts]


def cents(data: st.DataObject, low: Decimal, high: Decimal) -> Decimal:
    return data.draw(st.integers(int(low / CENT), int(high / CENT))) * CENT


@settings(max_examples=200, deadline=None)
@given(data=st.data(), items=ITEMS, rate=RATES, shipping=SHIPPING)
def test_refunds_of_everything_add_up_to_exactly_the_order(
    data: st.DataObject, items: Items, rate: Decimal, shipping: Decimal
) -> None:
    amounts = pricing.amounts(items, rate, shipping)
    order = RefundedOrder(amounts, split(data, items))
    assert sum(order.returns) == amounts.subtotal

    for number in data.draw(st.permutations(range(len(order.returns)))):
        asked = cents(data, ZERO, refund_amounts.shipping_left(amounts, order.refunded))
        is_last = len(order.refunds) == len(order.returns) - 1
        order.refund(number, shipping=amounts.shipping - order.refunded.shipping if is_last else asked)

    assert len(order.refunds) == len(order.returns)
    assert order.refunded == RefundedAmounts(
        goods=amounts.subtotal, tax=amounts.tax, shipping=amounts.shipping, total=amounts.total
    )


@settings(max_examples=200, deadline=None)
@given(data=st.data(), items=ITEMS, rate=RATES, shipping=SHIPPING)
def test_no_fees_goodwill_and_voids_exceed_the_order(
    data: st.DataObject, items: Items, rate: Decimal, shipping: Decimal
) -> None:
    amounts = pricing.amounts(items, rate, shipping)
    order = RefundedOrder(amounts, split(data, items))

    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        number = data.draw(st.integers(0, len(order.returns) - 1), label="return")
        if number in order.refunds:
            del order.refunds[number]  # its credit note is void
            continue
        asked = cents(data, ZERO, refund_amounts.shipping_left(amounts, order.refunded))
        highest = refund_amounts.left(amounts, order.refunded)
        has_amount = asked <= highest and data.draw(st.booleans(), label="has an amount")
        order.refund(number, amount=cents(data, asked, highest) if has_amount else None, shipping=asked)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), items=ITEMS, rate=RATES)
def test_refunds_of_everything_add_up_after_voids(data: st.DataObject, items: Items, rate: Decimal) -> None:
    amounts = pricing.amounts(items, rate, ZERO)
    order = RefundedOrder(amounts, split(data, items))

    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        number = data.draw(st.integers(0, len(order.returns) - 1), label="return")
        if number in order.refunds:
            del order.refunds[number]
        else:
            order.refund(number)
    for number in range(len(order.returns)):
        if number not in order.refunds:
            order.refund(number)

    assert order.refunded == RefundedAmounts(goods=amounts.subtotal, tax=amounts.tax, total=amounts.total)


ORDER = Amounts(subtotal=Decimal("10.00"), tax=Decimal("0.85"), shipping=Decimal("5.00"))


@pytest.mark.parametrize(
    ("amount", "shipping", "expected"),
    [
        (None, "0", ("5.00", "0.43", "0.00")),  # 0.425, half up
        (None, "5", ("5.00", "0.43", "5.00")),
        ("4.00", "0", ("3.57", "0.43", "0.00")),  # less than the goods: a restocking fee
        ("6.00", "0", ("5.57", "0.43", "0.00")),  # more: goodwill
        ("5.42", "5", ("0.00", "0.42", "5.00")),  # too little for the tax
        ("5.43", "5", ("0.00", "0.43", "5.00")),
        ("5.44", "5", ("0.01", "0.43", "5.00")),
        ("5.00", "5", ("0.00", "0.00", "5.00")),
    ],
)
def test_an_amount_pays_shipping_then_tax_then_goods(
    amount: str | None, shipping: str, expected: tuple[str, str, str]
) -> None:
    made = refund_amounts.refund(
        ORDER,
        RefundedAmounts(),
        Decimal(5),
        amount=None if amount is None else Decimal(amount),
        shipping=Decimal(shipping),
    )

    assert (made.subtotal, made.tax, made.shipping) == tuple(Decimal(value) for value in expected)


def test_a_later_refund_includes_the_tax_that_a_lower_amount_left_out() -> None:
    order = RefundedOrder(ORDER, [Decimal(5), Decimal(5)])
    order.refund(0, amount=CENT)
    order.refund(1)

    assert [(one.subtotal, one.tax) for one in order.refunds.values()] == [(ZERO, CENT), (Decimal(5), Decimal("0.84"))]


def test_the_tax_is_not_negative_after_a_void() -> None:
    order = RefundedOrder(ORDER, [Decimal(2), Decimal(3), Decimal(5)])
    order.refund(0, amount=CENT)
    order.refund(1)  # includes the tax of the first
    del order.refunds[0]
    order.refund(0)

    assert (order.refunds[1].tax, order.refunds[0].tax) == (Decimal("0.42"), Decimal("0.01"))
    del order.refunds[0]
    assert refund_amounts.refund(ORDER, order.refunded, ZERO).tax == 0


def test_an_order_of_free_goods_has_no_tax_and_its_shipping() -> None:
    order = Amounts(subtotal=ZERO, tax=ZERO, shipping=Decimal(5))

    made = refund_amounts.refund(order, RefundedAmounts(), ZERO, shipping=Decimal(5))

    assert (made.subtotal, made.tax, made.total) == (ZERO, ZERO, Decimal(5))


def test_what_is_refundable_is_at_most_what_is_left() -> None:
    goodwill = RefundedAmounts(goods=Decimal(5), tax=Decimal("0.43"), total=Decimal("15.00"))

    assert refund_amounts.refundable(ORDER, RefundedAmounts(), Decimal(5)) == Decimal("5.43")
    assert refund_amounts.refundable(ORDER, goodwill, Decimal(5)) == Decimal("0.85")
    assert refund_amounts.left(ORDER, goodwill) == Decimal("0.85")


def test_the_largest_amounts_are_exact() -> None:
    largest = Amounts(subtotal=Decimal("769230769230.76"), tax=Decimal("230769230769.23"), shipping=ZERO)

    for goods in (Decimal("0.01"), Decimal("1.65"), Decimal("769230769230.75"), largest.subtotal):
        assert Fraction(refund_amounts.tax_of(largest, goods)) == expected_tax(largest, goods)
