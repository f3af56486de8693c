"""POST /bulk/inventory-adjustments (contract, section 9.3), on both databases."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from app.db import Database
from models import AuditEntry, Event, InventoryMovement, Scope
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.company import BulkCompany
from tests.support.factories import Tenant
from tests.support.servers import Server

PATH = "/bulk/inventory-adjustments"
NOT_FOUND = {"status": 404, "error": "Product not found.", "code": "not_found"}


class Stock(BulkCompany):
    """A company, and methods to adjust the stock of its products."""

    path = PATH
    adjust = BulkCompany.send

    def stock(self, product_id: str) -> int:
        return int(self.client.get(f"/products/{product_id}").json()["data"]["stock"])


@pytest.fixture
def stock(client: Client, tenant: Tenant, database: Database) -> Stock:
    return Stock(client, tenant, database)


@pytest.fixture
def reader(server: Server, tenant: Tenant, database: Database, contract: Contract) -> Iterator[Client]:
    _, key = factories.api_key(database, tenant.company_id, scopes=[Scope.PRODUCTS_READ])
    with Client(server.url, key, contract) as client:
        yield client


def received(product_id: str, delta: int = 5, **fields: Any) -> dict[str, Any]:
    return {"productId": product_id, "delta": delta, "reason": "RECEIVED", **fields}


def damaged(product_id: str, delta: int = -5, **fields: Any) -> dict[str, Any]:
    return {"productId": product_id, "delta": delta, "reason": "DAMAGED", **fields}


def product_not_found(name: str) -> dict[str, Any]:
    return {"details": [{"pointer": f"/{name}", "message": "Product not found."}]}


class TestResults:
    def test_each_item_has_a_result_in_the_order_of_the_request(self, stock: Stock) -> None:
        one, other = stock.product(), stock.product(stock=3)

        response = stock.adjust(received(one, reference="DN-1"), damaged(other), received(other, 2), mode="each")

        assert response.status_code == 200
        data = response.json()["data"]
        assert {name: data[name] for name in ("mode", "succeeded", "failed")} == {
            "mode": "each",
            "succeeded": 2,
            "failed": 1,
        }
        assert [(result["index"], result["status"]) for result in data["results"]] == [(0, 201), (1, 422), (2, 201)]
        movement = stock.client.get(f"/inventory-movements/{data['results'][0]['data']['id']}").json()["data"]
        assert data["results"][0]["data"] == movement
        assert (movement["productId"], movement["delta"], movement["stockAfter"]) == (one, 5, 15)
        assert (stock.stock(one), stock.stock(other)) == (15, 5)

    def test_an_error_is_that_of_the_operation_for_one_product(self, stock: Stock) -> None:
        product = stock.product()
        for item in (damaged("", -11), received("", -1), received("", expectedStock=9), {"reason": "OTHER"}):
            body = {name: value for name, value in item.items() if name != "productId"}
            path = f"/products/{product}/inventory-adjustments"
            single = stock.client.post(path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

            (result,) = stock.results({**body, "productId": product})

            assert result == {"index": 0, "status": single.status_code, **single.json()}
            assert single.status_code in {400, 422}

    def test_an_item_of_invalid_form_is_a_result(self, stock: Stock) -> None:
        product = stock.product()

        results = stock.results(
            "x", {"productId": product, "delta": 1, "reason": "SALE", "colour": 1}, received(product)
        )

        assert [result["status"] for result in results] == [400, 400, 201]
        assert results[0]["details"] == [{"pointer": "", "message": "The item must be an object"}]
        assert [detail["pointer"] for detail in results[1]["details"]] == ["/reason", "/colour"]
        assert (results[1]["code"], stock.stock(product)) == ("validation_failed", 15)

    def test_an_unknown_product_and_one_of_another_company_are_404(self, stock: Stock) -> None:
        foreign = factories.product(stock.database, factories.tenant(stock.database).company_id, sku="F-1")

        results = stock.results(received("unknown"), received(foreign), {"sku": "F-1", "delta": 1, "reason": "OTHER"})

        names = ("productId", "productId", "sku")
        assert results == [{"index": index, **NOT_FOUND, **product_not_found(name)} for index, name in enumerate(names)]


class TestNames:
    def test_a_product_is_named_by_its_id_its_sku_or_its_external_id(self, stock: Stock) -> None:
        one = stock.product()
        other = stock.product(sku="Caf\u00e9/1")
        third = stock.product(external_id="ERP 7")
        rest = {"delta": 1, "reason": "OTHER"}

        results = stock.results(
            {"productId": one, **rest}, {"sku": " Cafe\u0301/1 ", **rest}, {"productExternalId": "ERP 7 ", **rest}
        )

        assert [result["data"]["productId"] for result in results] == [one, other, third]

    def test_names_are_compared_exactly(self, stock: Stock) -> None:
        stock.product(sku="abc", external_id="def")
        rest = {"delta": 1, "reason": "OTHER"}

        results = stock.results({"sku": "ABC", **rest}, {"sku": "def", **rest}, {"productExternalId": "abc", **rest})

        assert [result["status"] for result in results] == [404, 404, 404]

    @pytest.mark.parametrize(
        ("names", "pointer", "message"),
        [
            ({}, "/productId", "productId, sku or productExternalId is required"),
            ({"productId": "c1", "sku": "a"}, "/sku", "sku is not allowed together with productId"),
            (
                {"sku": "a", "productExternalId": "b"},
                "/productExternalId",
                "productExternalId is not allowed together with sku",
            ),
            ({"sku": None}, "/sku", "sku must be a string"),
            ({"sku": " "}, "/sku", "sku must not be empty, and must not contain control characters"),
        ],
    )
    def test_an_item_has_exactly_one_name(
        self, stock: Stock, names: dict[str, Any], pointer: str, message: str
    ) -> None:
        (result,) = stock.results({**names, "delta": 1, "reason": "OTHER"})

        assert (result["status"], result["error"]) == (400, message)
        assert result["details"] == [{"pointer": pointer, "message": message}]


class TestSeveralAdjustmentsOfAProduct:
    def test_they_take_effect_in_order(self, stock: Stock) -> None:
        product = stock.product()

        results = stock.results(
            damaged(product, -10),
            {"productId": product, "countedStock": 4, "reason": "COUNT", "expectedStock": 0},
            received(product, 2, expectedStock=4),
        )

        moves = [(result["data"]["stockBefore"], result["data"]["stockAfter"]) for result in results]
        assert moves == [(10, 0), (0, 4), (4, 6)]
        assert stock.stock(product) == 6

    def test_one_with_an_error_has_no_effect_on_the_next(self, stock: Stock) -> None:
        product = stock.product()

        results = stock.results(damaged(product, -11), damaged(product, -10), damaged(product, -1))

        assert [result["status"] for result in results] == [422, 201, 422]
        assert results[2]["details"][0]["available"] == 0

    def test_each_is_audited_and_the_product_has_one_event(self, stock: Stock) -> None:
        product = stock.product(low_stock_threshold=5)

        stock.results(damaged(product, -3), damaged(product, -2), damaged(product, -99))

        assert factories.audited_actions(stock.database, stock.tenant.company_id) == ["inventory.adjusted"] * 2
        assert stock.events() == [("product.updated", product, 1), ("product.low_stock", product, 2)]

    def test_a_count_that_agrees_is_recorded_without_an_event(self, stock: Stock) -> None:
        product = stock.product()

        (result,) = stock.results({"productId": product, "countedStock": 10, "reason": "COUNT"})

        assert (result["status"], result["data"]["delta"]) == (201, 0)
        assert stock.events() == []


class TestAll:
    def test_one_error_refuses_all(self, stock: Stock) -> None:
        one, other = stock.product(), stock.product(stock=3)
        before = [stock.count(model) for model in (InventoryMovement, AuditEntry, Event)]

        response = stock.adjust(received(one), damaged(other), "x", received(one))

        message = next(result["error"] for result in response.json()["results"] if "error" in result)
        assert (response.status_code, message.startswith("Not enough stock for ")) == (422, True)
        detail = {"pointer": "/items/1/delta", "code": "bulk_refused", "message": message}
        results = response.json().pop("results")
        assert {**response.json(), "results": []} == {
            "error": message,
            "code": "bulk_refused",
            "details": [detail],
            "results": [],
        }
        assert [(result["index"], result["status"]) for result in results] == [(0, 424), (1, 422), (2, 400), (3, 424)]
        assert results[0] == {"index": 0, "status": 424}
        assert (results[1]["code"], results[2]["code"]) == ("insufficient_stock", "validation_failed")
        assert (stock.stock(one), stock.stock(other)) == (10, 3)
        assert [stock.count(model) for model in (InventoryMovement, AuditEntry, Event)] == before

    @pytest.mark.parametrize("fields", [{}, {"mode": "all"}])
    def test_without_an_error_all_are_made(self, stock: Stock, fields: dict[str, str]) -> None:
        products = [stock.product() for _ in range(3)]

        data = stock.adjust(*map(received, products), **fields).json()["data"]

        assert (data["mode"], data["succeeded"], data["failed"]) == ("all", 3, 0)
        assert [stock.stock(product) for product in products] == [15, 15, 15]

    def test_the_pointer_of_an_error_is_that_in_the_item(self, stock: Stock) -> None:
        response = stock.adjust(received("unknown"))

        assert response.json()["details"] == [
            {"pointer": "/items/0/productId", "code": "bulk_refused", "message": "Product not found."}
        ]


class TestRequest:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({}, "items is required"),
            ({"items": []}, "items must have at least 1 item"),
            ({"items": ["x"] * 1001}, "items must have at most 1000 items"),
            ({"items": "x"}, "items must be a list"),
            ({"items": ["x"], "mode": "some"}, "mode must be one of all, each"),
            ({"items": ["x"], "mode": None}, "mode must be a string"),
            ({"items": ["x"], "dryRun": True}, "dryRun is not a known field"),
        ],
    )
    def test_an_invalid_request_is_400(self, stock: Stock, body: Any, error: str) -> None:
        response = stock.client.post(PATH, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

        assert (response.status_code, response.json()["error"]) == (400, error)
        assert response.json()["code"] == "validation_failed"

    def test_the_key_is_required(self, stock: Stock) -> None:
        response = stock.client.post(PATH, json={"items": [received(stock.product())]})

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")

    def test_the_scope_is_required(self, reader: Client) -> None:
        assert reader.post(PATH, json={}).status_code == 403

    def test_a_thousand_items_are_accepted(self, stock: Stock) -> None:
        product = stock.product(stock=0)

        data = stock.adjust(*[received(product, 1)] * 1000).json()["data"]

        assert data["succeeded"] == 1000
        assert data["results"][-1]["data"]["stockAfter"] == stock.stock(product) == 1000

    @pytest.mark.parametrize("mode", ["all", "each"])
    def test_a_duplicate_request_is_replayed(self, stock: Stock, mode: str) -> None:
        product, key = stock.product(), str(uuid.uuid4())

        first, second = (stock.adjust(damaged(product, -6), damaged(product, -6), mode=mode, key=key) for _ in "12")

        assert first.content == second.content
        assert second.headers["idempotency-replayed"] == "true"
        assert stock.stock(product) == (10 if mode == "all" else 4)
