"""Refunds add up: each one, those of a return, and those of an order."""

from decimal import Decimal

import pytest

from app.context import now
from tests.support.verified_returns import REFUNDS, RETURNS, VerifiedReturns
from tests.support.verified_shop import ORDERS, first, unprotected

CENT = Decimal("0.01")


class TestAmounts:
    @pytest.mark.parametrize("cents", [-1, 1])
    def test_another_total_is_a_problem(self, returns: VerifiedReturns, cents: int) -> None:
        total = Decimal("8.60") + cents * CENT
        returns.update(REFUNDS, returns.void, total=total)

        text = f"total is {total}, subtotal, tax and shipping add up to 8.60."
        assert returns.problems() == {"refundAmounts": text}
        found = returns.verify()["refundAmounts"]
        assert first(found) == (returns.tenant.slug, returns.void, None)
        assert (found.checked, found.bad) == (3, 1)

    def test_another_order_than_that_of_the_return_is_a_problem(self, returns: VerifiedReturns) -> None:
        returns.update(REFUNDS, returns.payment, order_id=returns.second)

        text = f"it names order {returns.second}, but its return {returns.manual} is of order {returns.first}."
        assert returns.problems() == {"refundAmounts": text}


class TestOrders:
    @pytest.mark.parametrize(
        ("name", "of_order", "of_refund", "most"),
        [
            ("goods", "subtotal", "goods", Decimal("42.50")),
            ("tax", "tax", "tax", Decimal("0.50")),
            ("shipping", "shipping", "shipping", Decimal(2)),
            ("total", "total", "total", Decimal("45.00")),
        ],
    )
    def test_a_cent_more_than_the_order_is_a_problem(
        self, returns: VerifiedReturns, name: str, of_order: str, of_refund: str, most: Decimal
    ) -> None:
        others = {"goods": Decimal("8.50"), "tax": Decimal("0.10"), "shipping": Decimal(0), "total": Decimal("8.60")}
        returns.update(REFUNDS, returns.payment, **{of_refund: most - others[of_refund]})
        assert "orderRefunds" not in returns.verify()

        returns.update(REFUNDS, returns.payment, **{of_refund: most - others[of_refund] + CENT})

        problem = f"{name} is {most:.2f}, its refunds add up to {most + CENT}."
        assert returns.problems()["orderRefunds"] == problem
        found = returns.verify()["orderRefunds"]
        assert first(found) == (returns.tenant.slug, returns.first, None)
        assert (found.checked, found.bad) == (3, 1)
        assert of_order in {"subtotal", "tax", "shipping", "total"}

    def test_a_void_credit_note_does_not_count(self, returns: VerifiedReturns) -> None:
        returns.update(REFUNDS, returns.void, goods=Decimal("42.50"), subtotal=Decimal("42.50"), total=Decimal("42.60"))

        assert returns.verify() == {}

        returns.update(REFUNDS, returns.void, voided_at=None, void_reason=None)

        assert returns.problems()["orderRefunds"] == "total is 45.00, its refunds add up to 59.80."


class TestReturns:
    @pytest.mark.parametrize("cents", [-1, 1])
    def test_another_refunded_amount_is_a_problem(self, returns: VerifiedReturns, cents: int) -> None:
        amount = Decimal("8.60") + cents * CENT
        returns.update(RETURNS, returns.refunded, refunded_amount=amount)

        assert returns.problems() == {"returnRefunds": f"refunded_amount is {amount}, its refunds add up to 8.60."}
        found = returns.verify()["returnRefunds"]
        assert first(found) == (returns.tenant.slug, returns.refunded, None)
        assert (found.checked, found.bad) == (6, 1)

    def test_a_voided_credit_note_leaves_nothing_refunded(self, returns: VerifiedReturns) -> None:
        returns.update(REFUNDS, returns.note, voided_at=now(), void_reason="Wrong")

        assert returns.problems() == {"returnRefunds": "refunded_amount is 8.60, its refunds add up to 0.00."}

        returns.update(RETURNS, returns.refunded, refunded_amount=Decimal(0))

        assert returns.verify() == {}

    def test_a_second_refund_is_a_problem(self, returns: VerifiedReturns) -> None:
        with unprotected(returns.database) as connection:
            returns.refund(connection, returns.manual)

        text = "it has 2 refunds that are not void, but a return is refunded once."
        assert returns.problems() == {"returnRefunds": text}

    def test_a_refunded_return_without_refunds_is_a_problem(self, returns: VerifiedReturns) -> None:
        returns.update(RETURNS, returns.manual, refunded_amount=Decimal(0))
        returns.delete(REFUNDS, returns.payment)

        assert returns.problems() == {"returnRefunds": "it is REFUNDED, but the number of its refunds is 0."}

    @pytest.mark.parametrize("name", ["requested", "approved", "rejected", "received"])
    def test_a_refund_of_a_return_that_is_not_refunded_is_a_problem(self, returns: VerifiedReturns, name: str) -> None:
        with unprotected(returns.database) as connection:
            returns.refund(connection, getattr(returns, name))

        text = f"it is {name.upper()}, but the number of its refunds is 1."
        assert returns.problems() == {"returnRefunds": text}


def test_refunds_of_other_orders_do_not_count(returns: VerifiedReturns) -> None:
    returns.update(ORDERS, returns.second, total=Decimal(0))

    assert "orderRefunds" not in returns.verify()
