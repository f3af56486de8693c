"""The errors of single items of every bulk operation (contract, section 9.3), on both databases."""

from typing import Any

import pytest

from app.db import Database
from models import PriceOverride
from tests.support import factories
from tests.support.client import Client
from tests.support.company import BulkCompany
from tests.support.factories import Tenant

CUSTOMER_IS_REQUIRED = {"pointer": "/customerId", "message": "customerId, email or customerExternalId is required"}
PRODUCT_IS_REQUIRED = {"pointer": "/productId", "message": "productId, sku or productExternalId is required"}
KEY_IS_REQUIRED = {"pointer": "/id", "message": "id, sku or externalId is required"}
DELTA_IS_REQUIRED = {"pointer": "/delta", "message": "delta or countedStock is required"}
REASON_IS_REQUIRED = {"pointer": "/reason", "message": "reason is required"}
PRICE_IS_REQUIRED = {"pointer": "/price", "message": "price is required"}
PRICE_IS_A_NUMBER = {"pointer": "/price", "message": "price must be a number"}
NOT_STORABLE = "contains NUL or an unpaired surrogate"


class BulkItemCompany(BulkCompany):
    """A company with a product and a customer, and methods to send bulk requests to every path."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        super().__init__(client, tenant, database)
        self.flour = self.product(sku="FLR")
        self.anna = factories.customer(database, tenant.company_id, email="anna@example.com")

    def at(self, name: str) -> "BulkItemCompany":
        self.path = f"/bulk/{name}"
        return self

    def good(self) -> dict[str, Any]:
        """Return a valid item for the path."""
        return {
            "/bulk/products": {"sku": "FLR", "price": 3},
            "/bulk/prices": {"email": "anna@example.com", "sku": "FLR", "price": 3},
            "/bulk/inventory-adjustments": {"sku": "FLR", "delta": 1, "reason": "OTHER"},
        }[self.path]


@pytest.fixture
def shop(client: Client, tenant: Tenant, database: Database) -> BulkItemCompany:
    return BulkItemCompany(client, tenant, database)


def details(*found: tuple[str, str]) -> list[dict[str, str]]:
    return [{"pointer": pointer, "message": message} for pointer, message in found]


class TestForm:
    @pytest.mark.parametrize(
        ("name", "item", "expected"),
        [
            ("prices", {}, [CUSTOMER_IS_REQUIRED, PRODUCT_IS_REQUIRED, PRICE_IS_REQUIRED]),
            ("prices", {"price": "x", "sku": "FLR"}, [CUSTOMER_IS_REQUIRED, PRICE_IS_A_NUMBER]),
            (
                "prices",
                {"customerId": "c", "email": "a", "customerExternalId": "e", "price": "x"},
                [
                    *details(
                        ("/email", "email is not allowed together with customerId"),
                        ("/customerExternalId", "customerExternalId is not allowed together with customerId"),
                    ),
                    PRODUCT_IS_REQUIRED,
                    PRICE_IS_A_NUMBER,
                ],
            ),
            (
                "prices",
                {"customerId": None, "email": "a", "productId": "p", "price": 1},
                details(
                    ("/customerId", "customerId must be a string"),
                    ("/email", "email is not allowed together with customerId"),
                ),
            ),
            ("products", {"price": "x"}, [KEY_IS_REQUIRED, PRICE_IS_A_NUMBER]),
            ("products", {"sku": None, "price": "x"}, [KEY_IS_REQUIRED, PRICE_IS_A_NUMBER]),
            ("products", {}, [KEY_IS_REQUIRED]),
            ("products", {"sku": 5, "externalId": None}, details(("/sku", "sku must be a string"))),
            ("inventory-adjustments", {}, [PRODUCT_IS_REQUIRED, DELTA_IS_REQUIRED, REASON_IS_REQUIRED]),
            (
                "inventory-adjustments",
                {"delta": 1, "countedStock": -1},
                [
                    PRODUCT_IS_REQUIRED,
                    *details(
                        ("/countedStock", "countedStock must be at least 0"),
                        ("/countedStock", "countedStock is not allowed together with delta"),
                    ),
                    REASON_IS_REQUIRED,
                ],
            ),
            *((name, 5, details(("", "The item must be an object"))) for name in ("prices", "products")),
        ],
    )
    def test_every_error_of_an_item_is_listed(
        self, shop: BulkItemCompany, name: str, item: Any, expected: list[dict[str, str]]
    ) -> None:
        (result,) = shop.at(name).results(item)

        assert (result["status"], result["code"]) == (400, "validation_failed")
        assert result["error"] == expected[0]["message"]
        assert result["details"] == expected

    def test_every_error_of_a_single_adjustment_is_listed(self, shop: BulkItemCompany) -> None:
        path = f"/products/{shop.flour}/inventory-adjustments"

        response = shop.client.post(path, json={}, headers={"Idempotency-Key": "1"})

        assert response.status_code == 400
        assert response.json()["details"] == [DELTA_IS_REQUIRED, REASON_IS_REQUIRED]


class TestText:
    @pytest.mark.parametrize("name", ["prices", "products", "inventory-adjustments"])
    @pytest.mark.parametrize("character", ["\x00", "\ud800"])
    def test_text_that_cannot_be_stored_is_an_error_of_its_item(
        self, shop: BulkItemCompany, name: str, character: str
    ) -> None:
        good = shop.at(name).good()
        bad = {**good, "sku": f"A{character}"}

        first, second, third = shop.results({**good, "sku": "B" + character}, good, {"note": character})
        response = shop.send(good, bad)

        assert (first["status"], first["details"]) == (400, details(("/sku", f"sku {NOT_STORABLE}")))
        assert second["status"] in {200, 201}
        assert (third["status"], third["details"]) == (400, details(("/note", f"note {NOT_STORABLE}")))
        assert (response.status_code, response.json()["code"]) == (422, "bulk_refused")
        assert response.json()["details"][0]["pointer"] == "/items/1/sku"
        assert [result["status"] for result in response.json()["results"]] == [424, 400]


class TestNotFound:
    @pytest.mark.parametrize(
        "customer", [{"customerId": "none"}, {"email": "none@example.com"}, {"customerExternalId": "none"}]
    )
    @pytest.mark.parametrize("product", [{"productId": "none"}, {"sku": "none"}, {"productExternalId": "none"}])
    def test_the_names_of_a_price_are_pointed_to(
        self, shop: BulkItemCompany, customer: dict[str, str], product: dict[str, str]
    ) -> None:
        (customer_name,), (product_name,) = customer, product
        known = {"customerId": shop.anna}, {"productId": shop.flour}
        no_customer = (f"/{customer_name}", "Customer not found.")
        no_product = (f"/{product_name}", "Product not found.")

        both, only_customer, only_product = shop.at("prices").results(
            {**customer, **product, "price": 1},
            {**customer, **known[1], "price": 1},
            {**known[0], **product, "price": 1},
        )

        assert [result["status"] for result in (both, only_customer, only_product)] == [404, 404, 404]
        assert (both["error"], both["details"]) == ("Customer not found.", details(no_customer, no_product))
        assert (only_customer["error"], only_customer["details"]) == ("Customer not found.", details(no_customer))
        assert (only_product["error"], only_product["details"]) == ("Product not found.", details(no_product))
        assert shop.count(PriceOverride) == 0

    @pytest.mark.parametrize("name", ["productId", "sku", "productExternalId"])
    def test_the_name_of_an_adjusted_product_is_pointed_to(self, shop: BulkItemCompany, name: str) -> None:
        item = {name: "none", "delta": 1, "reason": "OTHER"}

        (result,) = shop.at("inventory-adjustments").results(item)
        response = shop.send(item)

        assert (result["status"], result["details"]) == (404, details((f"/{name}", "Product not found.")))
        assert response.json()["details"][0]["pointer"] == f"/items/0/{name}"

    def test_the_id_of_a_product_is_pointed_to(self, shop: BulkItemCompany) -> None:
        (result,) = shop.at("products").results({"id": "none", "price": 1})

        assert (result["status"], result["details"]) == (404, details(("/id", "Product not found.")))

    def test_an_operation_for_one_resource_names_it_in_its_path(self, shop: BulkItemCompany) -> None:
        body, key = {"delta": 1, "reason": "OTHER"}, {"Idempotency-Key": "1"}
        responses = [
            shop.client.put(f"/customers/{shop.anna}/prices/none", json={"price": 1}),
            shop.client.put(f"/customers/none/prices/{shop.flour}", json={"price": 1}),
            shop.client.patch("/products/none", json={"price": 1}),
            shop.client.post("/products/none/inventory-adjustments", json=body, headers=key),
        ]

        for response in responses:
            assert response.status_code == 404
            assert list(response.json()) == ["error", "code"]
