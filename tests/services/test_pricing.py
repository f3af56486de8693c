"""Amounts are exact at any size."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services import pricing
from models import PriceBreak


@settings(max_examples=300)
@given(
    items=st.lists(
        st.tuples(st.integers(1, 1_000_000), st.decimals("0", "9999999.99", places=2)), min_size=1, max_size=200
    ),
    rate=st.decimals("0", "0.3", places=6),
    shipping=st.decimals("0", "9999.99", places=2),
)
def test_amounts_are_exact_and_tax_is_rounded_half_up(
    items: list[tuple[int, Decimal]], rate: Decimal, shipping: Decimal
) -> None:
    subtotal = sum((quantity * Fraction(price) for quantity, price in items), Fraction(0))
    cents = subtotal * Fraction(rate) * 100
    tax = Fraction((2 * cents.numerator + cents.denominator) // (2 * cents.denominator), 100)
    total = subtotal + tax + Fraction(shipping)

    amounts = pricing.amounts(items, rate, shipping)

    assert (Fraction(amounts.subtotal), Fraction(amounts.tax), Fraction(amounts.total)) == (subtotal, tax, total)


@pytest.mark.parametrize(
    ("quantity", "price"), [(1, "10"), (4, "10"), (5, "9"), (6, "9"), (49, "9"), (50, "7.5"), (200_000_000, "7.5")]
)
def test_the_last_price_break_that_is_reached_applies(quantity: int, price: str) -> None:
    breaks = (PriceBreak(5, Decimal(9)), PriceBreak(50, Decimal("7.5")))

    assert pricing.unit_price(Decimal(10), breaks, quantity) == Decimal(price)


def test_without_price_breaks_the_price_applies() -> None:
    assert pricing.unit_price(Decimal(10), (), 1_000_000) == Decimal(10)
