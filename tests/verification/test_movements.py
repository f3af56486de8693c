"""The movements of every product form a chain."""

import pytest

from tests.support import factories
from tests.support.verified_shop import MOVEMENTS, PRODUCTS, VerifiedShop, first, unprotected


def test_a_gap_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(MOVEMENTS, shop.movement(shop.one, 3), sequence=4)
    shop.update(PRODUCTS, shop.one, movement_sequence=4)

    assert shop.problems() == {"movements": "it follows movement 2."}
    label = f"4 of product {shop.one}"
    assert first(shop.verify()["movements"]) == (shop.tenant.slug, shop.movement(shop.one, 4), label)


def test_a_repeated_sequence_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(MOVEMENTS, shop.movement(shop.one, 3), sequence=2)
    shop.update(PRODUCTS, shop.one, movement_sequence=2)

    assert shop.problems() == {"movements": "it follows movement 2."}


def test_a_movement_that_begins_with_another_stock_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(MOVEMENTS, shop.movement(shop.one, 1), stock_before=43, stock_after=41)

    assert shop.problems() == {"movements": "it begins with stock 43, but the stock before it is 42."}
    assert shop.verify()["movements"].bad == 2
    assert first(shop.verify()["movements"])[1] == shop.movement(shop.one, 1)


def test_an_opening_row_that_begins_with_stock_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(MOVEMENTS, shop.movement(shop.two, 0), stock_before=1, delta=9)
    shop.update(MOVEMENTS, shop.movement(shop.two, 3), delta=2)

    assert shop.problems()["movements"] == "it begins with stock 1, but the stock before it is 0."


def test_a_delta_that_does_not_lead_to_the_stock_after_it_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(MOVEMENTS, shop.movement(shop.one, 3), stock_after=41)

    assert shop.problems() == {"movements": "stock 35 and a change of 5 is not 41."}


def test_a_missing_opening_row_is_a_problem(shop: VerifiedShop) -> None:
    shop.delete(MOVEMENTS, shop.movement(shop.one, 0))

    assert shop.problems() == {
        "stock": "stock is 40, its movements add up to -2.",
        "movements": "the product has no opening row.",
    }


def test_a_missing_movement_is_a_problem(shop: VerifiedShop) -> None:
    shop.delete(MOVEMENTS, shop.movement(shop.one, 2))

    assert shop.problems() == {
        "stock": "stock is 40, its movements add up to 45.",
        "movements": "it follows movement 1.",
        "orderMovements": f"product {shop.one}: 5 were ordered, its SALE movements add up to 0.",
    }


def test_an_opening_row_with_another_reason_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(MOVEMENTS, shop.movement(shop.one, 0), reason="COUNT")

    text = "its reason is COUNT, but the first movement, and no other, is an OPENING row."
    assert shop.problems() == {"movements": text}


def test_a_second_opening_row_is_a_problem(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        shop.move(connection, shop.one, 4, "OPENING", 40, 0)

    text = "its reason is OPENING, but the first movement, and no other, is an OPENING row."
    assert shop.problems() == {"movements": text}


def test_the_opening_row_of_a_deleted_product_is_clean(shop: VerifiedShop) -> None:
    shop.delete(PRODUCTS, factories.product(shop.database, shop.tenant.company_id, stock=5))

    assert shop.verify() == {}


@pytest.mark.parametrize("movements", [1, 2])
def test_further_movements_of_a_deleted_product_are_a_problem(shop: VerifiedShop, movements: int) -> None:
    product_id = factories.product(shop.database, shop.tenant.company_id, stock=5)
    with unprotected(shop.database) as connection:
        for sequence in range(1, movements + 1):
            shop.move(connection, product_id, sequence, "COUNT", 5, 0)
    shop.delete(PRODUCTS, product_id)

    text = f"it does not exist, but it has movements after its opening row: {movements}."
    assert shop.problems() == {"deletedProducts": text}
    assert first(shop.verify()["deletedProducts"]) == (shop.tenant.slug, product_id, None)


def test_movements_of_a_product_of_another_company_are_a_problem(shop: VerifiedShop) -> None:
    other = VerifiedShop(shop.database)
    with unprotected(shop.database) as connection:
        connection.execute(MOVEMENTS.update().values(company_id=other.tenant.company_id))

    assert {"stock", "deletedProducts"} <= set(other.verify()) | set(shop.verify())
    assert shop.problems()["stock"].startswith("it has no movements.")
    assert first(other.verify()["deletedProducts"])[1] == shop.one
