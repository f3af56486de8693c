"""Orders agree with their shipments and returns."""

import pytest

from tests.support.verified_returns import RETURNS, SHIPMENT_ITEMS, SHIPMENTS, VerifiedReturns
from tests.support.verified_shop import ORDERS, VerifiedShop, first


def remove_shipments(returns: VerifiedReturns) -> None:
    returns.execute(SHIPMENT_ITEMS.delete())
    returns.execute(SHIPMENTS.delete())


def test_an_order_without_shipments_that_is_said_to_have_some_is_a_problem(shop: VerifiedShop) -> None:
    shop.update(ORDERS, shop.second, has_shipments=True)

    text = "has_shipments is true, but the number of its shipments is 0."
    assert shop.problems() == {"orderShipments": text}
    assert first(shop.verify()["orderShipments"]) == (shop.tenant.slug, shop.second, None)
    assert shop.verify()["orderShipments"].checked == 2


def test_shipments_of_an_order_that_is_said_to_have_none_are_a_problem(returns: VerifiedReturns) -> None:
    returns.update(ORDERS, returns.first, has_shipments=False)

    text = "has_shipments is false, but the number of its shipments is 2."
    assert returns.problems() == {"orderShipments": text}


@pytest.mark.parametrize("status", ["SUBMITTED", "CONFIRMED", "CANCELLED"])
def test_shipments_of_an_order_that_is_not_shipped_are_a_problem(returns: VerifiedReturns, status: str) -> None:
    returns.update(ORDERS, returns.first, status=status)

    assert returns.problems() == {"orderShipments": f"the order is {status}, but it has shipments."}


@pytest.mark.parametrize("status", ["SUBMITTED", "CONFIRMED", "CANCELLED"])
def test_returns_of_an_order_that_is_not_shipped_are_a_problem(returns: VerifiedReturns, status: str) -> None:
    remove_shipments(returns)
    returns.update(ORDERS, returns.first, status=status, has_shipments=False)

    assert returns.problems() == {"orderShipments": f"the order is {status}, but it has returns."}


@pytest.mark.parametrize("status", ["SHIPPED", "DELIVERED"])
def test_a_shipped_order_may_have_no_shipments(returns: VerifiedReturns, status: str) -> None:
    remove_shipments(returns)
    returns.update(ORDERS, returns.first, status=status, has_shipments=False)

    assert returns.verify() == {}


def test_a_return_of_another_order_is_a_problem(returns: VerifiedReturns) -> None:
    returns.update(RETURNS, returns.requested, order_id=returns.second)

    assert returns.problems()["orderShipments"] == "the order is CANCELLED, but it has returns."
