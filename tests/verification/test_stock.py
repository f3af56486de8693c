"""The stock of every product equals the ledger."""

import pytest

from tests.support import factories
from tests.support.verified_shop import MOVEMENTS, PRODUCTS, VerifiedShop, first


def test_a_consistent_company_is_clean(shop: VerifiedShop) -> None:
    assert shop.verify() == {}


@pytest.mark.parametrize("stock", [39, 41, 0])
def test_another_stock_is_a_problem(shop: VerifiedShop, stock: int) -> None:
    shop.update(PRODUCTS, shop.one, stock=stock)

    assert shop.problems() == {"stock": f"stock is {stock}, its movements add up to 40."}
    assert first(shop.verify()["stock"]) == (shop.tenant.slug, shop.one, "WDG-001")


def test_the_first_of_several_problems_is_reported(shop: VerifiedShop) -> None:
    third = factories.product(shop.database, shop.tenant.company_id, stock=5)
    for product_id in (third, shop.two):
        shop.update(PRODUCTS, product_id, stock=6)

    result = shop.verify()["stock"]

    assert (result.checked, result.bad) == (3, 2)
    assert first(result) == (shop.tenant.slug, shop.two, None)


@pytest.mark.parametrize("sequence", [2, 4])
def test_another_movement_sequence_is_a_problem(shop: VerifiedShop, sequence: int) -> None:
    shop.update(PRODUCTS, shop.one, movement_sequence=sequence)

    assert shop.problems() == {"stock": f"movement_sequence is {sequence}, its last movement is 3."}


@pytest.mark.parametrize("stock", [0, 5])
def test_a_product_without_movements_is_a_problem(shop: VerifiedShop, stock: int) -> None:
    product_id = factories.product(shop.database, shop.tenant.company_id, stock=stock)
    shop.execute(MOVEMENTS.delete().where(MOVEMENTS.c.product_id == product_id))

    text = "it has no movements. Run distribu db upgrade, which writes the opening rows of older products."
    assert shop.problems() == {"stock": text}
