"""Order previews (contract, section 9.4), over HTTP on both databases."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.db import Database
from models import PriceBreak, Scope
from tests.http.test_orders import Shop
from tests.http.test_orders_terms import every_problem, without_message
from tests.support import factories
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant, order_body
from tests.support.servers import Server

BREAKS = (PriceBreak(5, Decimal("9.00")), PriceBreak(10, Decimal("7.25")))


@pytest.fixture
def shop(client: Client, tenant: Tenant, database: Database) -> Shop:
    return Shop(client, tenant, database)


def preview(shop: Shop, *items: tuple[str, int], **fields: Any) -> httpx.Response:
    return shop.client.post("/order-previews", json=order_body(shop.customer, *items, **fields))


def data(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()["data"]
    return content


class TestPreviewOrder:
    def test_returns_the_members_of_the_contract(self, shop: Shop) -> None:
        blue = shop.product(name="Widget Blue", sku="WDG-001", price=Decimal(10), price_breaks=BREAKS, stock=42)
        plain = shop.product(name="Plain", sku=None, price=Decimal("0.99"))
        factories.terms(shop.database, shop.company_id, tax_rate="0.07", shipping="9.50")

        assert data(preview(shop, (blue, 3), (plain, 3), (blue, 4))) == {
            "canBePlaced": True,
            "items": [
                {
                    "productId": blue,
                    "sku": "WDG-001",
                    "productName": "Widget Blue",
                    "quantity": 3,
                    "unitPrice": 9.0,
                    "listPrice": 10.0,
                    "available": 42,
                    "lineTotal": 27.0,
                },
                {
                    "productId": plain,
                    "sku": None,
                    "productName": "Plain",
                    "quantity": 3,
                    "unitPrice": 0.99,
                    "listPrice": 0.99,
                    "available": 100,
                    "lineTotal": 2.97,
                },
                {
                    "productId": blue,
                    "sku": "WDG-001",
                    "productName": "Widget Blue",
                    "quantity": 4,
                    "unitPrice": 9.0,
                    "listPrice": 10.0,
                    "available": 42,
                    "lineTotal": 36.0,
                },
            ],
            "subtotal": 65.97,
            "tax": 4.62,
            "shipping": 9.5,
            "total": 80.09,
            "problems": [],
        }

    def test_the_price_and_the_tax_rate_of_the_customer_apply(self, shop: Shop) -> None:
        shop.customer = factories.customer(shop.database, shop.company_id, tax_rate_override=Decimal("0.05"))
        product = shop.product(price=Decimal(10))
        factories.price_override(
            shop.database, shop.company_id, shop.customer, product, "8", price_breaks=(PriceBreak(2, Decimal(6)),)
        )

        found = data(preview(shop, (product, 2)))

        assert (found["items"][0]["unitPrice"], found["items"][0]["listPrice"]) == (6.0, 10.0)
        assert (found["subtotal"], found["tax"], found["total"]) == (12.0, 0.6, 12.6)

    def test_an_unknown_customer_sees_catalogue_prices_and_the_rate_of_the_company(self, shop: Shop) -> None:
        factories.terms(shop.database, shop.company_id, tax_rate="0.2", shipping="5")
        product = shop.product(price=Decimal(10), price_breaks=BREAKS)
        factories.price_override(shop.database, shop.company_id, shop.customer, product, "1")
        other = factories.tenant(shop.database)
        theirs = factories.customer(shop.database, other.company_id, tax_rate_override=Decimal(0))

        for customer in ("unknown", theirs):
            found = data(shop.client.post("/order-previews", json=order_body(customer, (product, 5))))
            assert (found["canBePlaced"], found["subtotal"], found["tax"], found["total"]) == (False, 45.0, 9.0, 59.0)
            assert [problem["code"] for problem in found["problems"]] == ["customer_not_found"]

    def test_a_blocked_customer_sees_their_prices(self, shop: Shop) -> None:
        shop.customer = factories.customer(shop.database, shop.company_id, status="BLOCKED")
        product = shop.product(price=Decimal(10))
        factories.price_override(shop.database, shop.company_id, shop.customer, product, "1")

        found = data(preview(shop, (product, 5)))

        assert found["subtotal"] == 5.0
        assert [problem["code"] for problem in found["problems"]] == ["customer_blocked"]

    def test_items_without_a_product_are_left_out(self, shop: Shop) -> None:
        product = shop.product(price=Decimal(2))
        theirs = factories.product(shop.database, factories.tenant(shop.database).company_id, stock=5)

        found = data(preview(shop, ("unknown", 1), (product, 3), (theirs, 1)))

        assert [item["productId"] for item in found["items"]] == [product]
        assert found["subtotal"] == 6.0
        assert [problem["pointer"] for problem in found["problems"]] == ["/items/0/productId", "/items/2/productId"]

    def test_inactive_products_and_shortages_have_their_prices(self, shop: Shop) -> None:
        old, few = shop.product(is_active=False, stock=0), shop.product(stock=1)

        found = data(preview(shop, (old, 1), (few, 2)))

        assert [(item["available"], item["lineTotal"]) for item in found["items"]] == [(0, 8.5), (1, 17.0)]
        assert found["subtotal"] == 25.5

    def test_the_problems_are_the_details_of_the_refusal(self, shop: Shop) -> None:
        body, expected = every_problem(shop)

        found = data(shop.client.post("/order-previews", json=body))

        assert found["problems"] == refusals(shop.client.post("/orders", json=body))
        assert [without_message(problem) for problem in found["problems"]] == expected
        assert not found["canBePlaced"]
        assert len(found["items"]) == 160

    def test_an_external_id_that_is_taken_is_a_problem(self, shop: Shop) -> None:
        product = shop.product()
        shop.place((product, 1), externalId="S-1")

        found = data(preview(shop, (product, 1), externalId="S-1"))

        assert found["problems"] == refusals(shop.place((product, 1), externalId="S-1"))
        assert [problem["code"] for problem in found["problems"]] == ["external_id_taken"]

    def test_the_largest_amounts_have_a_preview(self, shop: Shop) -> None:
        gold = [shop.product(price=Decimal("9999999999.99")) for _ in range(2)]
        factories.terms(shop.database, shop.company_id, tax_rate="0.3", shipping="9999999999.99")

        found = data(preview(shop, *[(gold[number % 2], 1_000_000) for number in range(200)]))

        assert found["total"] > 2.5e18
        assert [problem["code"] for problem in found["problems"]] == ["insufficient_stock"] * 2 + [
            "order_total_too_large"
        ]

    def test_the_body_is_that_of_an_order(self, shop: Shop) -> None:
        for body in ({}, {"customerId": "x", "items": []}, {"customerId": "x", "items": [{"quantity": 1}], "x": 1}):
            refused, expected = (shop.client.post(path, json=body) for path in ("/order-previews", "/orders"))
            assert (refused.status_code, refused.json()) == (400, expected.json())

    def test_writes_nothing(self, shop: Shop) -> None:
        product = shop.product(stock=1)
        before = shop.counts()

        for quantity in (1, 2):
            assert preview(shop, (product, quantity), poNumber="PO-1").status_code == 200

        assert shop.counts() == before
        assert shop.stock(product) == 1

    def test_an_idempotency_key_is_ignored(self, shop: Shop) -> None:
        product, headers = shop.product(price=Decimal(2)), {"Idempotency-Key": "same"}
        bodies = [order_body(shop.customer, (product, quantity)) for quantity in (1, 2)]

        found = [shop.client.post("/order-previews", json=body, headers=headers) for body in bodies]

        assert [data(response)["subtotal"] for response in found] == [2.0, 4.0]
        assert "idempotency-replayed" not in found[1].headers
        assert shop.client.post("/orders", json=bodies[0], headers=headers).status_code == 201

    def test_the_scope_is_that_of_reading_orders(
        self, shop: Shop, server: Server, tenant: Tenant, contract: Contract
    ) -> None:
        statuses = {}
        for scope in (Scope.ORDERS_READ, Scope.ORDERS_WRITE):
            _, key = factories.api_key(shop.database, tenant.company_id, scopes=[scope])
            with Client(server.url, key, contract) as client:
                body = order_body(shop.customer, (shop.product(), 1))
                statuses[scope] = client.post("/order-previews", json=body).status_code

        assert statuses == {Scope.ORDERS_READ: 200, Scope.ORDERS_WRITE: 403}
