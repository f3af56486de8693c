"""The amounts of every order add up."""

from decimal import Decimal

import pytest

from tests.support.verified_shop import ITEMS, ORDERS, VerifiedShop, first

CENT = Decimal("0.01")


@pytest.mark.parametrize("cents", [-1, 1])
def test_another_total_is_a_problem(shop: VerifiedShop, cents: int) -> None:
    total = Decimal("45.00") + cents * CENT
    shop.update(ORDERS, shop.first, total=total)

    text = f"total is {total}, subtotal, tax and shipping add up to 45.00."
    assert shop.problems() == {"orderAmounts": text}
    assert first(shop.verify()["orderAmounts"]) == (shop.tenant.slug, shop.first, None)


@pytest.mark.parametrize("cents", [-1, 1])
def test_another_subtotal_is_a_problem(shop: VerifiedShop, cents: int) -> None:
    subtotal = Decimal("42.50") + cents * CENT
    shop.update(ORDERS, shop.first, subtotal=subtotal, total=subtotal + Decimal("2.50"))

    assert shop.problems() == {"orderAmounts": f"subtotal is {subtotal}, its items add up to 42.50."}


def test_another_price_of_an_item_is_a_problem(shop: VerifiedShop) -> None:
    for order in (shop.second, shop.first):
        shop.execute(
            ITEMS.update()
            .where(ITEMS.c.order_id == order, ITEMS.c.product_id == shop.two)
            .values(unit_price=Decimal("8.51"))
        )

    assert shop.problems() == {"orderAmounts": "subtotal is 42.50, its items add up to 42.53."}
    assert shop.verify()["orderAmounts"].bad == 2


def test_an_order_without_items_is_a_problem_unless_its_subtotal_is_zero(shop: VerifiedShop) -> None:
    shop.execute(ITEMS.delete().where(ITEMS.c.order_id == shop.first))

    assert shop.problems()["orderAmounts"] == "subtotal is 42.50, its items add up to 0.00."

    shop.update(ORDERS, shop.first, subtotal=Decimal(0), total=Decimal("2.50"))

    assert "orderAmounts" not in shop.problems()
