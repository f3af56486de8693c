"""Prices, quantity rules and skus in orders (contract, sections 5 and 9.4), over HTTP on both databases."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.db import Database
from app.schemas.orders import ORDER_CREATE
from app.services import order_terms, orders
from models import MAX_AMOUNT, PriceBreak
from tests.http.test_orders import Shop
from tests.support import factories
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.statements import counted

BREAKS = (PriceBreak(5, Decimal("9.00")), PriceBreak(10, Decimal("7.25")))


@pytest.fixture
def shop(client: Client, tenant: Tenant, database: Database) -> Shop:
    return Shop(client, tenant, database)


def place(shop: Shop, *items: dict[str, Any]) -> httpx.Response:
    return shop.client.post("/orders", json={"customerId": shop.customer, "items": items})


def prices(response: httpx.Response) -> list[float]:
    assert response.status_code == 201, response.text
    return [item["unitPrice"] for item in response.json()["data"]["items"]]


class TestPriceBreaks:
    @pytest.mark.parametrize(("quantity", "price"), [(1, 10.0), (4, 10.0), (5, 9.0), (9, 9.0), (10, 7.25), (11, 7.25)])
    def test_the_last_break_that_the_quantity_reaches_applies(self, shop: Shop, quantity: int, price: float) -> None:
        product = shop.product(price=Decimal(10), price_breaks=BREAKS)

        response = shop.place((product, quantity))

        assert prices(response) == [price]
        assert response.json()["data"]["subtotal"] == price * quantity

    @pytest.mark.parametrize(("quantities", "price"), [((2, 2), 10.0), ((2, 3), 9.0), ((4, 5), 9.0), ((4, 6), 7.25)])
    def test_the_sum_of_all_items_of_a_product_counts(
        self, shop: Shop, quantities: tuple[int, int], price: float
    ) -> None:
        product, other = shop.product(price=Decimal(10), price_breaks=BREAKS), shop.product(price=Decimal(1))
        first, second = quantities

        assert prices(shop.place((product, first), (other, 50), (product, second))) == [price, 1.0, price]

    @pytest.mark.parametrize(("quantity", "price"), [(2, 8.0), (3, 6.0), (100, 6.0)])
    def test_an_override_replaces_the_price_and_the_breaks(self, shop: Shop, quantity: int, price: float) -> None:
        product = shop.product(price=Decimal(10), price_breaks=BREAKS)
        breaks = (PriceBreak(3, Decimal(6)),)
        factories.price_override(shop.database, shop.company_id, shop.customer, product, "8", price_breaks=breaks)

        assert prices(shop.place((product, quantity))) == [price]

    def test_an_override_without_breaks_has_one_price(self, shop: Shop) -> None:
        product = shop.product(price=Decimal(10), price_breaks=BREAKS)
        factories.price_override(shop.database, shop.company_id, shop.customer, product, "9.99")

        assert prices(shop.place((product, 100))) == [9.99]

    def test_an_override_of_another_customer_does_not_apply(self, shop: Shop) -> None:
        product = shop.product(price=Decimal(10), price_breaks=BREAKS)
        other = factories.customer(shop.database, shop.company_id)
        factories.price_override(shop.database, shop.company_id, other, product, "1", price_breaks=BREAKS)

        assert prices(shop.place((product, 4))) == [10.0]


class TestQuantityRules:
    @pytest.mark.parametrize(
        ("quantity", "below", "above"),
        [(1, None, 24), (12, None, 24), (23, None, 24), (25, 24, 36), (239, 228, 240), (241, 240, None)],
    )
    def test_another_quantity_is_refused_with_the_nearest_ones(
        self, shop: Shop, quantity: int, below: int | None, above: int | None
    ) -> None:
        rules = {"min_order_quantity": 24, "order_multiple": 12, "max_order_quantity": 240}
        product = shop.product(name="Widget Blue", stock=1000, **rules)

        assert refusals(shop.place((product, quantity))) == [
            {
                "pointer": "/items/0/quantity",
                "code": "quantity_not_allowed",
                "message": "Widget Blue can be ordered in multiples of 12, from 24, up to 240.",
                "nextBelow": below,
                "nextAbove": above,
            }
        ]
        assert shop.stock(product) == 1000

    @pytest.mark.parametrize("quantity", [24, 36, 228, 240])
    def test_an_allowed_quantity_is_ordered(self, shop: Shop, quantity: int) -> None:
        rules = {"min_order_quantity": 24, "order_multiple": 12, "max_order_quantity": 240}

        assert shop.place((shop.product(stock=1000, **rules), quantity)).status_code == 201

    def test_the_sum_of_all_items_of_a_product_counts(self, shop: Shop) -> None:
        product, other = shop.product(order_multiple=12, max_order_quantity=24), shop.product()

        assert shop.place((product, 5), (other, 1), (product, 7)).status_code == 201
        (refusal,) = refusals(shop.place((other, 1), (product, 12), (product, 13)))
        assert (refusal["pointer"], refusal["nextBelow"], refusal["nextAbove"]) == ("/items/1/quantity", 24, None)

    def test_a_quantity_that_is_not_allowed_is_reported_before_a_shortage(self, shop: Shop) -> None:
        product = shop.product(stock=3, order_multiple=4)

        assert [refusal["code"] for refusal in refusals(shop.place((product, 5)))] == ["quantity_not_allowed"]
        assert [refusal["code"] for refusal in refusals(shop.place((product, 8)))] == ["insufficient_stock"]


class TestSkus:
    def test_a_product_is_ordered_by_its_sku(self, shop: Shop) -> None:
        product = shop.product(sku="A/1 ü", price=Decimal("2.50"))

        response = place(shop, {"sku": "  A/1 u\u0308 ", "quantity": 4})

        assert prices(response) == [2.5]
        assert response.json()["data"]["items"][0]["productId"] == product
        assert shop.stock(product) == 96

    def test_items_by_id_and_by_sku_are_one_product(self, shop: Shop) -> None:
        product = shop.product(sku="BOTH", stock=10, price=Decimal(10), price_breaks=BREAKS)

        short = refusals(place(shop, {"sku": "BOTH", "quantity": 6}, {"productId": product, "quantity": 5}))
        assert [(refusal["pointer"], refusal["available"]) for refusal in short] == [("/items/0/quantity", 10)]
        assert prices(place(shop, {"productId": product, "quantity": 6}, {"sku": "BOTH", "quantity": 4})) == [7.25] * 2
        assert shop.stock(product) == 0

    def test_a_sku_is_compared_exactly(self, shop: Shop) -> None:
        shop.product(sku="Case")

        for sku in ("case", "Cas", "Case2"):
            assert refusals(place(shop, {"sku": sku, "quantity": 1})) == [
                {"pointer": "/items/0/sku", "code": "product_not_found", "message": "Product not found."}
            ]

    def test_a_sku_of_another_company_is_unknown(self, shop: Shop) -> None:
        other = factories.tenant(shop.database)
        factories.product(shop.database, other.company_id, sku="THEIRS", stock=9)

        (refusal,) = refusals(place(shop, {"sku": "THEIRS", "quantity": 1}))
        assert (refusal["pointer"], refusal["code"]) == ("/items/0/sku", "product_not_found")

    def test_an_id_is_not_a_sku(self, shop: Shop) -> None:
        product = shop.product(sku="S")

        found = refusals(place(shop, {"sku": product, "quantity": 1}, {"productId": "S", "quantity": 1}))

        assert [refusal["pointer"] for refusal in found] == ["/items/0/sku", "/items/1/productId"]

    def test_an_inactive_product_is_pointed_to_by_what_names_it(self, shop: Shop) -> None:
        shop.product(name="Old", sku="OLD", is_active=False)

        assert refusals(place(shop, {"sku": "OLD", "quantity": 1})) == [
            {"pointer": "/items/0/sku", "code": "product_inactive", "message": "Old is not available."}
        ]

    def test_every_item_without_exactly_one_name_is_an_error(self, shop: Shop) -> None:
        response = place(
            shop,
            {"quantity": 0},
            {"productId": "x", "sku": "x", "quantity": 1},
            {"sku": "x", "quantity": 1},
            {"productId": "x", "sku": None, "quantity": 1},
        )

        assert response.status_code == 400
        assert [(detail["pointer"], detail["message"]) for detail in response.json()["details"]] == [
            ("/items/0/productId", "productId is required"),
            ("/items/0/quantity", "quantity must be at least 1"),
            ("/items/1/sku", "sku is not allowed together with productId"),
            ("/items/3/sku", "sku must be a string"),
            ("/items/3/sku", "sku is not allowed together with productId"),
        ]


class TestProblems:
    def test_two_hundred_items_with_every_problem_are_refused_at_once(self, shop: Shop) -> None:
        body, expected = every_problem(shop)

        response = shop.client.post("/orders", json=body)

        assert [without_message(refusal) for refusal in refusals(response)] == expected
        assert response.json()["error"] == "Customer not found."

    def test_a_total_that_is_too_large_comes_after_the_items(self, shop: Shop) -> None:
        gold = shop.product(name="Gold", price=Decimal("9999999999.99"), stock=1)

        found = refusals(shop.place((gold, 1_000_000), ("unknown", 1)))

        assert [(refusal["pointer"], refusal["code"]) for refusal in found] == [
            ("/items/0/quantity", "insufficient_stock"),
            ("/items/1/productId", "product_not_found"),
            ("/items", "order_total_too_large"),
        ]

    def test_the_largest_total_is_accepted_and_a_cent_more_is_refused(self, shop: Shop) -> None:
        product = shop.product(price=Decimal("9999999999.99"), stock=100)
        factories.terms(shop.database, shop.company_id, shipping="0.99")

        data = shop.place((product, 99), (shop.product(price=Decimal("9999999999.99")), 1)).json()["data"]
        assert Decimal(str(data["total"])) == MAX_AMOUNT

        factories.terms(shop.database, shop.company_id, shipping="1")
        (refusal,) = refusals(shop.place((shop.product(price=Decimal("9999999999.99")), 100)))
        assert refusal["code"] == "order_total_too_large"


class TestStatements:
    @pytest.mark.parametrize("number", [1, 200])
    @pytest.mark.parametrize("by_sku", [False, True])
    def test_the_number_of_statements_does_not_grow(self, shop: Shop, number: int, *, by_sku: bool) -> None:
        products = factories.products(shop.database, shop.company_id, number, stock=9, price_breaks=BREAKS)
        named = [{"sku": sku_of(shop, product)} if by_sku else {"productId": product} for product in products]
        body = {"customerId": shop.customer, "items": [{**name, "quantity": 1} for name in named]}
        with shop.database.transaction(write=True) as session:
            ctx = factories.context(session, shop.company_id)
            with counted(session) as placed:
                orders.place(ctx, ORDER_CREATE.load(body))
        with shop.database.transaction() as session:
            ctx = factories.context(session, shop.company_id)
            with counted(session) as read:
                order_terms.read(ctx, ORDER_CREATE.load(body))

        assert len(read) == 2  # the charges, the products
        assert len(placed) == 9


def sku_of(shop: Shop, product_id: str) -> str:
    return str(shop.client.get(f"/products/{product_id}").json()["data"]["sku"])


def without_message(refusal: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in refusal.items() if name != "message"}


def every_problem(shop: Shop) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the body of an order of 200 items with every kind of problem, and the problems without their messages."""
    items: list[dict[str, Any]] = []
    expected: list[dict[str, Any]] = [{"pointer": "/customerId", "code": "customer_not_found"}]
    short = factories.products(shop.database, shop.company_id, 40, stock=3)
    inactive = factories.products(shop.database, shop.company_id, 40, stock=3, is_active=False)
    packed = factories.products(shop.database, shop.company_id, 40, stock=9, order_multiple=4)
    fine = factories.products(shop.database, shop.company_id, 40, stock=9)
    for number in range(40):
        start = len(items)
        items += [
            {"productId": short[number], "quantity": 4},
            {"productId": inactive[number], "quantity": 1},
            {"productId": packed[number], "quantity": 5},
            {"productId": fine[number], "quantity": 9},
            {"sku": f"unknown {number // 2}", "quantity": 1},  # each is named twice
        ]
        expected += [
            {"pointer": f"/items/{start}/quantity", "code": "insufficient_stock", "available": 3},
            {"pointer": f"/items/{start + 1}/productId", "code": "product_inactive"},
            {
                "pointer": f"/items/{start + 2}/quantity",
                "code": "quantity_not_allowed",
                "nextBelow": 4,
                "nextAbove": 8,
            },
        ]
        if number % 2 == 0:
            expected.append({"pointer": f"/items/{start + 4}/sku", "code": "product_not_found"})
    return {"customerId": "unknown", "items": items}, expected
