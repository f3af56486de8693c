"""Refunds over HTTP: any order of refunds, fees, goodwill and voids leaves sums that are exact."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from tests.support import verified_shop
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.refunds_company import RefundsCompany

AMOUNTS = ("subtotal", "tax", "shipping", "total")
PRICES = st.lists(st.decimals("0", "999.99", places=2), min_size=1, max_size=5)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),  # the return
        st.none() | st.decimals("0.01", "300", places=2),  # the amount
        st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("4.99"), Decimal("9.99")]),  # the shipping
        st.sampled_from(["CREDIT_NOTE", "CREDIT_NOTE", "MANUAL"]),
    ),
    min_size=1,
    max_size=10,
)
PROPERTY = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> RefundsCompany:
    return RefundsCompany(client, tenant, database)


def money(value: float) -> Decimal:
    return Decimal(str(value))


def received(company: RefundsCompany, prices: Sequence[Decimal], rate: Decimal) -> tuple[dict[str, Any], list[Any]]:
    """Return an order of three units of each product, and three received returns that contain all of them."""
    company.set_terms(tax_rate=str(rate), shipping="9.99")
    products = [company.product(price=price, stock=9) for price in prices]
    order = company.order_of(*((product, 3) for product in products))
    return order, [company.returned(order, *[1] * len(prices), status="RECEIVED") for _ in range(3)]


def refunded(company: RefundsCompany, order: dict[str, Any]) -> dict[str, Decimal]:
    """Return the sums of the refunds of an order that are not void."""
    found = [one for one in company.refunds() if one.order_id == order["id"] and one.voided_at is None]
    return {name: sum((getattr(one, name) for one in found), Decimal(0)) for name in AMOUNTS}


def problems(company: RefundsCompany) -> set[str]:
    """Return the names of the checks of `distribu verify` that find a problem."""
    return {name for name, result in verified_shop.run(company.database, company.tenant).items() if result.bad}


@PROPERTY
@given(prices=PRICES, rate=st.decimals("0", "0.3", places=4), order_of_returns=st.permutations(range(3)))
def test_refunds_of_everything_are_exactly_the_order(
    company: RefundsCompany, prices: list[Decimal], rate: Decimal, order_of_returns: list[int]
) -> None:
    order, returns = received(company, prices, rate)

    for number in order_of_returns:
        expected = company.get(returns[number])["refundableAmount"]
        assert company.note(returns[number])["total"] == expected
    company.voided(company.client.get("/credit-notes", params={"limit": 1}).json()["data"][0])
    company.note(returns[order_of_returns[-1]], shipping=9.99)

    assert refunded(company, order) == {name: money(order[name]) for name in AMOUNTS}
    assert problems(company) == set()


@PROPERTY
@given(prices=PRICES, rate=st.decimals("0", "0.3", places=4), steps=STEPS)
def test_any_refunds_and_voids_stay_within_the_order(
    company: RefundsCompany, prices: list[Decimal], rate: Decimal, steps: list[tuple[Any, ...]]
) -> None:
    order, returns = received(company, prices, rate)
    notes: dict[int, Any] = {}

    for number, amount, shipping, method in steps:
        before = refunded(company, order)
        if notes.get(number):
            company.voided(notes.pop(number))
            continue
        if number in notes:  # a manual refund remains
            continue
        fields: dict[str, Any] = {"amount": None if amount is None else float(amount), "shipping": float(shipping)}
        response = company.refund(returns[number], method, **fields)
        if response.status_code == 200:
            notes[number] = response.json()["data"]["creditNote"]
        else:
            assert {one["code"] for one in refusals(response)} <= {
                "refund_too_high",
                "refund_shipping_too_high",
                "amount_below_shipping",
            }
            assert refunded(company, order) == before
        after = refunded(company, order)
        assert all(Decimal(0) <= after[name] <= money(order[name]) for name in ("tax", "shipping", "total"))
        refundable = [money(company.get(returned)["refundableAmount"]) for returned in returns]
        assert all(value <= money(order["total"]) - after["total"] for value in refundable)
        assert all(refundable[number] == 0 for number in notes)

    numbers = [one.number for one in company.refunds() if one.number is not None]
    assert sorted(numbers) == list(range(1, company.last_number() + 1))
    assert problems(company) == set()
