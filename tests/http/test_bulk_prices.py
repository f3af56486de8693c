"""POST /bulk/prices (contract, sections 9.3 and 9.4), on both databases."""

import uuid
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.db import Database
from models import Event, PriceOverride, Scope
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server

PATH = "/bulk/prices"
BREAKS = [{"minQuantity": 10, "price": 7.5}, {"minQuantity": 50, "price": 7}]
DUPLICATE = "An earlier item of this request names the same customer and product. Merge the two items."
IDS = "customerId, email or customerExternalId is required"


class PriceList:
    """A company with a customer and two products, and methods to set prices."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        self.client = client
        self.tenant = tenant
        self.database = database
        company_id = tenant.company_id
        self.customer_id = factories.customer(database, company_id, email="anna@example.com", external_id="CRM-1")
        self.flour = factories.product(database, company_id, sku="FLR", external_id="ERP-1", price=Decimal(9))
        self.rice = factories.product(database, company_id, sku="RICE", external_id="ERP-2", price=Decimal(5))

    def set(self, *items: Any, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.client.post(PATH, json={"items": items, **fields}, headers=headers)

    def results(self, *items: Any) -> list[dict[str, Any]]:
        response = self.set(*items, mode="each")
        assert response.status_code == 200, response.text
        return list(response.json()["data"]["results"])

    def item(self, product_id: str, price: float = 8, **fields: Any) -> dict[str, Any]:
        return {"customerId": self.customer_id, "productId": product_id, "price": price, **fields}

    def get(self, product_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/customers/{self.customer_id}/prices/{product_id}").json()["data"])

    def counts(self) -> list[int]:
        """Return the numbers of price overrides, of their audit entries, and of events."""
        company_id = self.tenant.company_id
        entries = factories.audited_actions(self.database, company_id)
        prices, events = (factories.count(self.database, model, company_id) for model in (PriceOverride, Event))
        return [prices, len(entries), events]


@pytest.fixture
def price_list(client: Client, tenant: Tenant, database: Database) -> PriceList:
    return PriceList(client, tenant, database)


class TestResults:
    def test_each_item_has_a_result_in_the_order_of_the_request(self, price_list: PriceList) -> None:
        price_list.set(price_list.item(price_list.rice, priceBreaks=BREAKS))

        response = price_list.set(
            price_list.item(price_list.rice, 4.5),
            price_list.item("x"),
            price_list.item(price_list.flour, 8.25, priceBreaks=BREAKS),
            mode="each",
        )

        data = response.json()["data"]
        assert (data["mode"], data["succeeded"], data["failed"]) == ("each", 2, 1)
        assert [(result["index"], result["status"]) for result in data["results"]] == [(0, 200), (1, 404), (2, 201)]
        assert data["results"][0]["data"] == price_list.get(price_list.rice)
        assert data["results"][2]["data"] == price_list.get(price_list.flour)
        assert (data["results"][0]["data"]["price"], data["results"][0]["data"]["priceBreaks"]) == (4.5, BREAKS)

    def test_an_error_is_that_of_the_operation_for_one_price(self, price_list: PriceList) -> None:
        out_of_order = [{"minQuantity": 5, "price": 1}, {"minQuantity": 5, "price": 1}]
        for customer_id, product_id, fields in (
            ("x", price_list.flour, {"price": 1}),
            (price_list.customer_id, "x", {"price": 1}),
            ("x", "x", {"price": 1}),
            (price_list.customer_id, price_list.flour, {}),
            (price_list.customer_id, price_list.flour, {"price": -1, "priceBreaks": 1, "unit": "each"}),
            (price_list.customer_id, price_list.flour, {"price": 1, "priceBreaks": out_of_order}),
        ):
            single = price_list.client.put(f"/customers/{customer_id}/prices/{product_id}", json=fields)

            (result,) = price_list.results({"customerId": customer_id, "productId": product_id, **fields})

            assert "details" not in single.json() or single.status_code == 400
            details = {"details": result["details"]}  # in the path of the operation for one price
            assert result == {"index": 0, "status": single.status_code, **details, **single.json()}
            assert single.status_code in {400, 404}

    def test_with_all_one_error_refuses_every_item(self, price_list: PriceList) -> None:
        response = price_list.set(price_list.item(price_list.flour), price_list.item(price_list.rice, -1), 7)

        assert response.status_code == 422
        body = response.json()
        assert (body["code"], body["error"]) == ("bulk_refused", "price must be at least 0")
        assert body["details"][0]["pointer"] == "/items/1/price"
        assert [result["status"] for result in body["results"]] == [424, 400, 400]
        assert price_list.counts() == [0, 0, 0]


class TestNames:
    @pytest.mark.parametrize(
        "customer", [{"customerId": ""}, {"email": " Anna@Example.COM "}, {"customerExternalId": " CRM-1 "}]
    )
    @pytest.mark.parametrize("product", [{"productId": ""}, {"sku": " FLR "}, {"productExternalId": " ERP-1"}])
    def test_each_name_identifies(
        self, price_list: PriceList, customer: dict[str, str], product: dict[str, str]
    ) -> None:
        ids = {"customerId": price_list.customer_id, "productId": price_list.flour}
        named = {name: ids.get(name, value) for name, value in {**customer, **product}.items()}

        (result,) = price_list.results({**named, "price": 8})

        assert (result["status"], result["data"]["productId"]) == (201, price_list.flour)
        assert price_list.get(price_list.flour)["price"] == 8

    @pytest.mark.parametrize(
        ("names", "pointer", "error"),
        [
            ({"sku": "FLR"}, "/customerId", IDS),
            ({"email": "a@b.cd"}, "/productId", "productId, sku or productExternalId is required"),
            (
                {"customerId": "c", "email": "a", "sku": "FLR"},
                "/email",
                "email is not allowed together with customerId",
            ),
            (
                {"email": "a", "customerExternalId": "c", "sku": "FLR"},
                "/customerExternalId",
                "customerExternalId is not allowed together with email",
            ),
            ({"email": "a", "productId": "c", "sku": "F"}, "/sku", "sku is not allowed together with productId"),
        ],
    )
    def test_exactly_one_name_each_is_required(
        self, price_list: PriceList, names: dict[str, str], pointer: str, error: str
    ) -> None:
        (result,) = price_list.results({**names, "price": 8})

        assert (result["status"], result["error"]) == (400, error)
        assert result["details"] == [{"pointer": pointer, "message": error}]

    @pytest.mark.parametrize("name", ["customerId", "email", "customerExternalId", "productId", "sku"])
    @pytest.mark.parametrize("value", [None, "", 7, "x" * 256])
    def test_a_name_that_is_no_text_of_valid_length_is_rejected(
        self, price_list: PriceList, name: str, value: object
    ) -> None:
        (result,) = price_list.results({**price_list.item(price_list.flour), name: value})

        assert (result["status"], result["details"][0]["pointer"]) == (400, f"/{name}")

    def test_names_of_another_company_are_not_found(self, price_list: PriceList, database: Database) -> None:
        other = factories.tenant(database)
        customer_id = factories.customer(database, other.company_id, email="ben@example.com", external_id="CRM-9")
        product_id = factories.product(database, other.company_id, sku="THEIRS", external_id="ERP-9")
        customers = ({"customerId": customer_id}, {"email": "ben@example.com"}, {"customerExternalId": "CRM-9"})
        products = ({"productId": product_id}, {"sku": "THEIRS"}, {"productExternalId": "ERP-9"})

        unknown_customers = price_list.results(*({**names, "sku": "FLR", "price": 1} for names in customers))
        unknown_products = price_list.results(
            *({**names, "email": "anna@example.com", "price": 1} for names in products)
        )

        assert {(result["status"], result["error"]) for result in unknown_customers} == {(404, "Customer not found.")}
        assert {(result["status"], result["error"]) for result in unknown_products} == {(404, "Product not found.")}
        assert factories.count(database, PriceOverride, other.company_id) == 0


class TestDuplicates:
    def test_a_second_item_for_the_same_customer_and_product_is_an_error(self, price_list: PriceList) -> None:
        results = price_list.results(
            price_list.item(price_list.flour, 8),
            {"email": "anna@example.com", "sku": "FLR", "price": 7},
            price_list.item(price_list.rice, 4),
            {"customerExternalId": "CRM-1", "productExternalId": "ERP-1", "price": 6},
        )

        assert [result["status"] for result in results] == [201, 422, 201, 422]
        detail = {"pointer": "", "code": "duplicate_item", "message": DUPLICATE}
        assert results[1] == {
            "index": 1,
            "status": 422,
            "error": DUPLICATE,
            "code": "duplicate_item",
            "details": [detail],
        }
        assert price_list.get(price_list.flour)["price"] == 8

    def test_an_item_with_an_error_does_not_count(self, price_list: PriceList) -> None:
        results = price_list.results(price_list.item(price_list.flour, -1), price_list.item(price_list.flour, 7))

        assert [result["status"] for result in results] == [400, 201]


class TestEffects:
    def test_each_price_that_changed_has_one_entry_and_no_event(self, price_list: PriceList) -> None:
        items = [price_list.item(price_list.flour), price_list.item(price_list.rice, 4)]
        first = price_list.results(*items)
        second = price_list.results(price_list.item(price_list.flour, 7), items[1])

        assert price_list.counts() == [2, 3, 0]
        assert [result["status"] for result in second] == [200, 200]
        assert second[1]["data"] == first[1]["data"]
        actions = factories.audited_actions(price_list.database, price_list.tenant.company_id)
        assert actions == ["price.set"] * 3

    @pytest.mark.parametrize("mode", ["all", "each"])
    def test_a_duplicate_request_is_replayed(self, price_list: PriceList, mode: str) -> None:
        key, items = str(uuid.uuid4()), (price_list.item(price_list.flour), price_list.item("x"))

        first, second = (price_list.set(*items, mode=mode, key=key) for _ in "12")

        assert first.content == second.content
        assert second.headers["idempotency-replayed"] == "true"
        assert price_list.counts()[0] == (0 if mode == "all" else 1)

    def test_a_thousand_prices_with_price_breaks_are_set(self, price_list: PriceList, database: Database) -> None:
        products = factories.products(database, price_list.tenant.company_id, 1000)
        breaks = [{"minQuantity": quantity, "price": 1.25} for quantity in range(2, 22)]

        data = price_list.set(*(price_list.item(id_, priceBreaks=breaks) for id_ in products)).json()["data"]

        assert data["succeeded"] == 1000
        assert [result["data"]["productId"] for result in data["results"]] == products
        assert {str(result["data"]["priceBreaks"]) for result in data["results"]} == {
            str([{"minQuantity": entry["minQuantity"], "price": 1.25} for entry in breaks])
        }


class TestRequest:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({}, "items is required"),
            ({"items": []}, "items must have at least 1 item"),
            ({"items": ["x"] * 1001}, "items must have at most 1000 items"),
            ({"items": ["x"], "mode": "some"}, "mode must be one of all, each"),
            ({"items": ["x"], "dryRun": True}, "dryRun is not a known field"),
        ],
    )
    def test_an_invalid_request_is_400(self, price_list: PriceList, body: Any, error: str) -> None:
        response = price_list.client.post(PATH, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

        assert (response.status_code, response.json()["error"]) == (400, error)

    def test_the_key_is_required(self, price_list: PriceList) -> None:
        response = price_list.client.post(PATH, json={"items": [price_list.item(price_list.flour)]})

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")

    def test_it_requires_the_scope_to_write_customers(
        self, price_list: PriceList, server: Server, database: Database, contract: Contract
    ) -> None:
        scopes = [scope for scope in Scope if scope != Scope.CUSTOMERS_WRITE]
        _, key = factories.api_key(database, price_list.tenant.company_id, scopes=scopes)
        with Client(server.url, key, contract) as client:
            body = {"items": [price_list.item(price_list.flour)]}
            response = client.post(PATH, json=body, headers={"Idempotency-Key": "x"})

        assert response.status_code == 403
        assert '"customers:write"' in response.json()["error"]
