"""Orders and the ledger agree."""

import pytest

from app.context import now
from models import new_id
from tests.support.verified_returns import VerifiedReturns
from tests.support.verified_shop import ITEMS, MOVEMENTS, ORDERS, VerifiedShop, first, unprotected


def test_another_quantity_of_an_item_is_a_problem(shop: VerifiedShop) -> None:
    shop.execute(
        ITEMS.update().where(ITEMS.c.order_id == shop.first, ITEMS.c.product_id == shop.two).values(quantity=4)
    )

    text = f"product {shop.two}: 4 were ordered, its SALE movements add up to 3."
    assert shop.problems()["orderMovements"] == text
    assert set(shop.verify()) == {"orderMovements", "orderAmounts"}
    assert first(shop.verify()["orderMovements"]) == (shop.tenant.slug, shop.first, None)


def test_items_of_the_same_product_are_added_up(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "SUBMITTED", [(shop.one, 1), (shop.one, 2)])
        shop.move(connection, shop.one, 4, "SALE", 40, -3, order=order)

    assert shop.verify() == {}


def test_a_missing_sale_is_a_problem(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "SUBMITTED", [(shop.one, 1), (shop.two, 2)])
        shop.move(connection, shop.one, 4, "SALE", 40, -1, order=order)

    text = f"product {shop.two}: 2 were ordered, its SALE movements add up to 0."
    assert shop.problems() == {"orderMovements": text}


def test_a_sale_of_a_product_that_the_order_does_not_contain_is_a_problem(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "SUBMITTED", [(shop.one, 1)])
        shop.move(connection, shop.one, 4, "SALE", 40, -1, order=order)
        shop.move(connection, shop.two, 4, "SALE", 7, -1, order=order)

    text = f"product {shop.two}: 0 were ordered, its SALE movements add up to 1."
    assert shop.problems() == {"orderMovements": text}


@pytest.mark.parametrize("reason", ["SALE", "CANCELLATION"])
def test_an_empty_movement_of_a_product_that_the_order_does_not_contain_is_a_problem(
    shop: VerifiedShop, reason: str
) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "CANCELLED", [(shop.one, 1)])
        shop.move(connection, shop.one, 4, "SALE", 40, -1, order=order)
        shop.move(connection, shop.one, 5, "CANCELLATION", 39, 1, order=order)
        shop.move(connection, shop.two, 4, reason, 7, 0, order=order)

    text = f"product {shop.two}: the order does not contain it, but it has movements of the order."
    assert shop.problems() == {"orderMovements": text}


@pytest.mark.parametrize("values", [{"has_movements": None}, {"has_movements": False}])
def test_sales_of_an_order_that_has_no_movements_are_a_problem(shop: VerifiedShop, values: dict[str, object]) -> None:
    shop.update(ORDERS, shop.first, **values)

    text = f"product {shop.one}: the order was placed before the ledger existed, but it has SALE movements."
    assert shop.problems() == {"orderMovements": text}
    assert shop.verify()["orderMovements"].bad == 2


def test_an_order_from_before_the_ledger_may_be_restocked(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "CANCELLED", [(shop.one, 1), (shop.two, 2)])
        shop.move(connection, shop.one, 4, "CANCELLATION", 40, 1, order=order)
        shop.move(connection, shop.two, 4, "CANCELLATION", 7, 2, order=order)
    shop.update(ORDERS, order, has_movements=None)

    assert shop.verify() == {}


def test_a_cancelled_order_may_keep_its_goods(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "CANCELLED", [(shop.one, 1)])
        shop.move(connection, shop.one, 4, "SALE", 40, -1, order=order)

    assert shop.verify() == {}


@pytest.mark.parametrize("status", ["SUBMITTED", "CONFIRMED", "SHIPPED", "DELIVERED"])
def test_cancellations_of_an_order_that_is_not_cancelled_are_a_problem(shop: VerifiedShop, status: str) -> None:
    shop.update(ORDERS, shop.second, status=status)

    text = f"product {shop.one}: the order is {status}, but it has CANCELLATION movements."
    assert shop.problems() == {"orderMovements": text}


def test_a_second_cancellation_is_a_problem(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        shop.move(connection, shop.one, 4, "CANCELLATION", 40, 5, order=shop.second)

    text = f"product {shop.one}: 5 were ordered, its CANCELLATION movements add up to 10."
    assert shop.problems() == {"orderMovements": text}
    assert first(shop.verify()["orderMovements"]) == (shop.tenant.slug, shop.second, None)


def test_a_cancellation_of_some_products_is_a_problem(shop: VerifiedShop) -> None:
    with unprotected(shop.database) as connection:
        order = shop.order(connection, "CANCELLED", [(shop.one, 1), (shop.two, 2)])
        shop.move(connection, shop.one, 4, "SALE", 40, -1, order=order)
        shop.move(connection, shop.two, 4, "SALE", 7, -2, order=order)
        shop.move(connection, shop.one, 5, "CANCELLATION", 39, 1, order=order)

    text = f"product {shop.two}: 2 were ordered, its CANCELLATION movements add up to 0."
    assert shop.problems() == {"orderMovements": text}


def test_a_movement_that_names_an_unknown_order_is_a_problem(shop: VerifiedShop) -> None:
    unknown, movement = new_id(now()), shop.movement(shop.one, 1)
    shop.update(MOVEMENTS, movement, order_id=unknown)

    assert shop.problems() == {
        "orderMovements": f"product {shop.one}: 2 were ordered, its SALE movements add up to 0.",
        "movementOrders": f"it names order {unknown}, which does not exist in this company.",
    }
    assert first(shop.verify()["movementOrders"]) == (shop.tenant.slug, movement, None)


def test_a_movement_that_names_an_order_of_another_company_is_a_problem(shop: VerifiedShop) -> None:
    other = VerifiedShop(shop.database)
    shop.update(MOVEMENTS, shop.movement(shop.one, 1), order_id=other.first)

    text = f"it names order {other.first}, which does not exist in this company."
    assert shop.problems()["movementOrders"] == text
    assert other.verify() == {}


@pytest.mark.parametrize("reason", ["RECEIVED", "COUNT", "CORRECTION", "IMPORT"])
def test_a_movement_with_another_reason_that_names_an_order_is_a_problem(shop: VerifiedShop, reason: str) -> None:
    with unprotected(shop.database) as connection:
        movement = shop.move(connection, shop.one, 4, reason, 40, 1, order=shop.first)

    text = f"its reason is {reason}, but it names order {shop.first}."
    assert shop.problems() == {"movementReasons": text}
    assert first(shop.verify()["movementReasons"]) == (shop.tenant.slug, movement, None)


@pytest.mark.parametrize("reason", ["SALE", "CANCELLATION"])
def test_a_sale_or_cancellation_without_an_order_is_a_problem(shop: VerifiedShop, reason: str) -> None:
    with unprotected(shop.database) as connection:
        movement = shop.move(connection, shop.one, 4, reason, 40, 0)
        shop.move(connection, shop.two, 4, reason, 7, 0)

    assert shop.problems() == {"movementReasons": f"its reason is {reason}, but it names no order."}
    assert shop.verify()["movementReasons"].bad == 2
    assert first(shop.verify()["movementReasons"]) == (shop.tenant.slug, movement, None)


@pytest.mark.parametrize(("column", "name"), [("order_id", "order"), ("return_id", "return")])
def test_a_return_movement_names_its_order_and_its_return(returns: VerifiedReturns, column: str, name: str) -> None:
    movement = returns.movement(returns.one, 4)
    returns.update(MOVEMENTS, movement, **{column: None})

    assert returns.problems()["movementReasons"] == f"its reason is RETURN, but it names no {name}."
    assert first(returns.verify()["movementReasons"]) == (returns.tenant.slug, movement, None)


@pytest.mark.parametrize("reason", ["SALE", "CANCELLATION", "RETURNED", "COUNT"])
def test_a_movement_with_another_reason_that_names_a_return_is_a_problem(returns: VerifiedReturns, reason: str) -> None:
    order = returns.second if reason in {"SALE", "CANCELLATION"} else None
    with unprotected(returns.database) as connection:
        returns.move(connection, returns.one, 5, reason, 41, 0, order=order, return_id=returns.manual)

    text = f"its reason is {reason}, but it names return {returns.manual}."
    assert returns.problems() == {"movementReasons": text}
