"""The quantities that the rules of a product allow, and the nearest ones to a quantity that they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.quantity_rules import QuantityNotAllowedError, QuantityRules

HORIZON = 400


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (QuantityRules(24, 12, 240), "in multiples of 12, from 24, up to 240"),
        (QuantityRules(24, None, None), "from 24"),
        (QuantityRules(None, 12, None), "in multiples of 12"),
        (QuantityRules(None, None, 240), "up to 240"),
        (QuantityRules(24, None, 240), "from 24, up to 240"),
        (QuantityRules(None, 12, 240), "in multiples of 12, up to 240"),
    ],
)
def test_the_message_has_the_rules_that_exist(rules: QuantityRules, text: str) -> None:
    error = QuantityNotAllowedError("/items/0/quantity", "Widget Blue", rules, 1)

    assert str(error) == f"Widget Blue can be ordered {text}."


@pytest.mark.parametrize(
    ("rules", "quantity", "below", "above"),
    [
        (QuantityRules(24, 12, 240), 23, None, 24),
        (QuantityRules(24, 12, 240), 25, 24, 36),
        (QuantityRules(24, 12, 240), 241, 240, None),
        (QuantityRules(24, 12, 240), 1_000, 240, None),
        (QuantityRules(24, None, None), 1, None, 24),
        (QuantityRules(None, 12, None), 11, None, 12),
        (QuantityRules(None, 12, None), 13, 12, 24),
        (QuantityRules(None, None, 240), 241, 240, None),
        (QuantityRules(12, 12, 12), 13, 12, None),
        (QuantityRules(12, 12, 12), 11, None, 12),
        (QuantityRules(None, None, 0), 1, None, None),
    ],
)
def test_the_nearest_allowed_quantities(
    rules: QuantityRules, quantity: int, below: int | None, above: int | None
) -> None:
    assert not rules.allow(quantity)
    assert (rules.next_below(quantity), rules.next_above(quantity)) == (below, above)


OPTIONAL = st.none() | st.integers(1, 60)


@given(minimum=OPTIONAL, multiple=OPTIONAL, maximum=OPTIONAL, quantity=st.integers(1, 200))
def test_the_nearest_quantities_are_those_that_a_search_finds(
    minimum: int | None, multiple: int | None, maximum: int | None, quantity: int
) -> None:
    """Also for rules that do not fit together."""
    rules = QuantityRules(minimum, multiple, maximum)
    allowed = [
        number
        for number in range(1, HORIZON)
        if number % (multiple or 1) == 0 and (minimum or 1) <= number <= (maximum or HORIZON)
    ]

    assert rules.allow(quantity) is (quantity in allowed)
    assert rules.next_below(quantity) == max((number for number in allowed if number < quantity), default=None)
    assert rules.next_above(quantity) == min((number for number in allowed if number > quantity), default=None)
