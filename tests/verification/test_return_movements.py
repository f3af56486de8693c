"""The RETURN movements of a return equal its restocked quantities."""

import pytest

from app.context import now
from models import new_id
from tests.support.verified_returns import VerifiedReturns
from tests.support.verified_shop import MOVEMENTS, first, unprotected


@pytest.mark.parametrize("restocked", [0, 2])
def test_another_restocked_quantity_is_a_problem(returns: VerifiedReturns, restocked: int) -> None:
    returns.update_item(returns.refunded, received_quantity=2, restocked_quantity=restocked)

    text = f"product {returns.two}: {restocked} were restocked, its RETURN movements add up to 1."
    assert returns.problems()["returnMovements"] == text


def test_a_movement_of_a_return_that_is_not_received_is_a_problem(returns: VerifiedReturns) -> None:
    with unprotected(returns.database) as connection:
        order, return_id = returns.first, returns.approved
        returns.move(connection, returns.two, 5, "RETURN", 8, 1, order=order, return_id=return_id)

    text = f"product {returns.two}: 0 were restocked, its RETURN movements add up to 1."
    found = returns.verify()["returnMovements"]
    assert returns.problems() == {"returnMovements": text}
    assert (found.checked, found.bad) == (6, 1)
    assert first(found) == (returns.tenant.slug, returns.approved, f"of order {returns.first}")


def test_a_movement_of_another_product_is_a_problem(returns: VerifiedReturns) -> None:
    returns.update_item(returns.received, restocked_quantity=1)
    with unprotected(returns.database) as connection:
        order, return_id = returns.first, returns.received
        returns.move(connection, returns.two, 5, "RETURN", 8, 1, order=order, return_id=return_id)

    assert returns.verify()["returnMovements"].bad == 2


def test_movements_of_a_product_are_added_up(returns: VerifiedReturns) -> None:
    returns.update_item(returns.refunded, received_quantity=1, quantity=3, restocked_quantity=1)
    with unprotected(returns.database) as connection:
        order, return_id = returns.first, returns.refunded
        returns.move(connection, returns.two, 5, "RETURN", 8, 2, order=order, return_id=return_id)
        returns.move(connection, returns.two, 6, "RETURN", 10, -2, order=order, return_id=return_id)

    assert returns.verify() == {}


def test_a_movement_that_names_another_return_is_a_problem(returns: VerifiedReturns) -> None:
    unknown = new_id(now())
    returns.update(MOVEMENTS, returns.movement(returns.one, 4), return_id=unknown)

    texts = {
        f"product {returns.one}: {restocked} were restocked, its RETURN movements add up to {1 - restocked}."
        for restocked in (0, 1)
    }
    assert returns.problems()["returnMovements"] in texts
    assert returns.verify()["returnMovements"].bad == 2


def test_a_movement_that_names_another_order_than_its_return_is_a_problem(returns: VerifiedReturns) -> None:
    returns.update(MOVEMENTS, returns.movement(returns.one, 4), order_id=returns.second)

    assert returns.verify()["returnMovements"].bad == 2
