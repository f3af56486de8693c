"""Orders and previews against exact fractions: prices, sums, tax and rules of random catalogues."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from models import PriceBreak
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant

PRICES = st.decimals("0", "999.99", places=2)
BREAKS = st.lists(st.tuples(st.integers(2, 40), PRICES), max_size=3, unique_by=lambda entry: entry[0]).map(sorted)
Breaks = list[tuple[int, Decimal]]


@dataclass
class Offer:
    """A price and its price breaks."""

    price: Decimal
    breaks: Breaks

    def unit_price(self, quantity: int) -> Fraction:
        reached = [price for minimum, price in self.breaks if minimum <= quantity]
        return Fraction(reached[-1] if reached else self.price)

    def columns(self) -> dict[str, Any]:
        return {"price_breaks": tuple(PriceBreak(*entry) for entry in self.breaks)}


@dataclass
class Goods:
    """A product of the random catalogue, with the override of the customer."""

    offer: Offer
    override: Offer | None
    multiple: int | None
    least: int | None  # in multiples
    most: int | None
    is_active: bool
    stock: int
    id: str = ""
    sku: str = ""
    rules: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        step = self.multiple or 1
        least = None if self.least is None else self.least * step
        most = None if self.most is None else ((self.least or 1) + self.most) * step
        self.rules = {"order_multiple": self.multiple, "min_order_quantity": least, "max_order_quantity": most}

    def problem(self, quantity: int) -> str | None:
        """Return the code of what is wrong with this quantity."""
        allowed = range(self.rules["min_order_quantity"] or 1, (self.rules["max_order_quantity"] or 10**6) + 1)
        if not self.is_active:
            return "product_inactive"
        if quantity not in allowed or quantity % (self.multiple or 1):
            return "quantity_not_allowed"
        return "insufficient_stock" if quantity > self.stock else None


OFFERS = st.builds(Offer, price=PRICES, breaks=BREAKS)
GOODS = st.builds(
    Goods,
    offer=OFFERS,
    override=st.none() | OFFERS,
    multiple=st.none() | st.integers(1, 4),
    least=st.none() | st.integers(1, 3),
    most=st.none() | st.integers(0, 20),
    is_active=st.sampled_from([True, True, True, False]),
    stock=st.sampled_from([10**6, 10**6, 10]),
)
ITEMS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 24), st.booleans()), min_size=1, max_size=8)


def half_up(amount: Fraction) -> Fraction:
    """Round to the cent."""
    cents = amount * 100
    return Fraction((2 * cents.numerator + cents.denominator) // (2 * cents.denominator), 100)


def exact(number: float) -> Fraction:
    return Fraction(str(number))


@pytest.fixture(params=["0", "0.0725", "0.3"])
def tax_rate(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(catalogue=st.lists(GOODS, min_size=4, max_size=4), items=ITEMS, rate=st.none() | st.decimals(0, "0.3", places=6))
def test_a_preview_is_exact_and_equals_the_order_that_follows(
    client: Client,
    tenant: Tenant,
    database: Database,
    tax_rate: str,
    catalogue: list[Goods],
    items: list[tuple[int, int, bool]],
    rate: Decimal | None,
) -> None:
    factories.terms(database, tenant.company_id, tax_rate=tax_rate, shipping="4.99")
    customer = factories.customer(database, tenant.company_id, tax_rate_override=rate)
    for number, goods in enumerate(catalogue):
        create(database, tenant.company_id, customer, goods, f"{customer}-{number}")
    sums: dict[int, int] = {}
    for index, quantity, _ in items:
        sums[index] = sums.get(index, 0) + quantity
    prices = {index: (catalogue[index].override or catalogue[index].offer).unit_price(sums[index]) for index in sums}
    subtotal = sum((quantity * prices[index] for index, quantity, _ in items), Fraction(0))
    tax = half_up(subtotal * Fraction(tax_rate if rate is None else rate))
    problems = [problem for index in sums if (problem := catalogue[index].problem(sums[index]))]
    body = {
        "customerId": customer,
        "items": [content(catalogue[index], quantity, by_sku=by_sku) for index, quantity, by_sku in items],
    }

    preview = client.post("/order-previews", json=body).json()["data"]
    response = client.post("/orders", json=body)

    assert [exact(item["unitPrice"]) for item in preview["items"]] == [prices[index] for index, *_ in items]
    assert [exact(item["lineTotal"]) for item in preview["items"]] == [
        quantity * prices[index] for index, quantity, _ in items
    ]
    assert [exact(preview[name]) for name in ("subtotal", "tax", "total")] == [
        subtotal,
        tax,
        subtotal + tax + Fraction("4.99"),
    ]
    assert [problem["code"] for problem in preview["problems"]] == problems
    assert preview["canBePlaced"] is (response.status_code == 201) is (not problems)
    if problems:
        assert response.json()["details"] == preview["problems"]
        return
    order = response.json()["data"]
    for name in ("subtotal", "tax", "shipping", "total"):
        assert order[name] == preview[name]
    assert [(item["productId"], item["quantity"], item["unitPrice"]) for item in order["items"]] == [
        (item["productId"], item["quantity"], item["unitPrice"]) for item in preview["items"]
    ]


def create(database: Database, company_id: str, customer: str, goods: Goods, sku: str) -> None:
    """Store a product and the price override of the customer."""
    fields = {"price": goods.offer.price, **goods.offer.columns(), **goods.rules}
    goods.sku = sku
    goods.id = factories.product(database, company_id, sku=sku, stock=goods.stock, is_active=goods.is_active, **fields)
    if goods.override is not None:
        override = goods.override
        factories.price_override(database, company_id, customer, goods.id, str(override.price), **override.columns())


def content(goods: Goods, quantity: int, *, by_sku: bool) -> dict[str, Any]:
    """Return an item of the request."""
    return {**({"sku": goods.sku} if by_sku else {"productId": goods.id}), "quantity": quantity}
