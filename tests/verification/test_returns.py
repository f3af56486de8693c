"""The status of every return agrees with its times and received items."""

import pytest

from app.context import now
from tests.support.verified_returns import RETURN_ITEMS, RETURNS, VerifiedReturns
from tests.support.verified_shop import first


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("approved", "approved_at"),
        ("rejected", "rejected_at"),
        ("received", "approved_at"),
        ("received", "received_at"),
        ("refunded", "approved_at"),
        ("refunded", "received_at"),
        ("refunded", "refunded_at"),
    ],
)
def test_a_missing_time_is_a_problem(returns: VerifiedReturns, name: str, time: str) -> None:
    returns.update(RETURNS, getattr(returns, name), **{time: None})

    assert returns.problems() == {"returnStatuses": f"it is {name.upper()}, but {time} is not set."}
    assert first(returns.verify()["returnStatuses"]) == (returns.tenant.slug, getattr(returns, name), None)
    assert (returns.verify()["returnStatuses"].checked, returns.verify()["returnStatuses"].bad) == (6, 1)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("requested", ["approved_at", "received_at", "refunded_at", "rejected_at"]),
        ("approved", ["received_at", "refunded_at", "rejected_at"]),
        ("rejected", ["received_at", "refunded_at"]),
        ("received", ["refunded_at", "rejected_at"]),
        ("refunded", ["rejected_at"]),
    ],
)
def test_a_time_of_another_status_is_a_problem(returns: VerifiedReturns, name: str, times: list[str]) -> None:
    for time in times:
        returns.update(RETURNS, getattr(returns, name), **{time: now()})

        assert returns.problems() == {"returnStatuses": f"it is {name.upper()}, but {time} is set."}

        returns.update(RETURNS, getattr(returns, name), **{time: None})


def test_a_return_may_be_rejected_before_it_is_approved(returns: VerifiedReturns) -> None:
    returns.update(RETURNS, returns.rejected, approved_at=None)

    assert returns.verify() == {}


def test_a_received_return_of_which_nothing_was_received_is_a_problem(returns: VerifiedReturns) -> None:
    returns.update_item(returns.received, received_quantity=0)

    assert returns.problems() == {"returnStatuses": "it is RECEIVED, but nothing was received."}

    returns.execute(RETURN_ITEMS.delete().where(RETURN_ITEMS.c.return_id == returns.received))

    assert returns.problems() == {"returnStatuses": "it is RECEIVED, but nothing was received."}


@pytest.mark.parametrize("column", ["received_quantity", "restocked_quantity"])
def test_a_quantity_that_is_set_before_the_receipt_is_a_problem(returns: VerifiedReturns, column: str) -> None:
    for name in ("requested", "approved", "rejected"):
        returns.update_item(getattr(returns, name), **{column: 0})

        text = f"the return is {name.upper()}, but {column} is set."
        assert returns.problems() == {"receivedQuantities": text}

        returns.update_item(getattr(returns, name), **{column: None})


@pytest.mark.parametrize("column", ["received_quantity", "restocked_quantity"])
def test_a_missing_quantity_of_a_received_return_is_a_problem(returns: VerifiedReturns, column: str) -> None:
    returns.update_item(returns.received, **{column: None})

    found = returns.verify()["receivedQuantities"]

    text = f"the return is RECEIVED, but {column} is not set."
    assert returns.problems()["receivedQuantities"] == text
    assert (found.checked, found.bad) == (6, 1)
    assert first(found)[2] == f"of return {returns.received}"


@pytest.mark.parametrize(("received", "restocked"), [(-1, -1), (1, -1), (1, 2), (3, 1)])
def test_impossible_quantities_are_a_problem(returns: VerifiedReturns, received: int, restocked: int) -> None:
    returns.update_item(returns.refunded, received_quantity=received, restocked_quantity=restocked)

    text = f"2 were returned, {received} received and {restocked} restocked."
    assert returns.problems()["receivedQuantities"] == text


@pytest.mark.parametrize("quantity", [0, 1])
def test_possible_quantities_are_clean(returns: VerifiedReturns, quantity: int) -> None:
    returns.update_item(returns.refunded, restocked_quantity=quantity)

    assert "receivedQuantities" not in returns.verify()
