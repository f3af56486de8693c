"""POST /bulk/products (contract, section 9.3), on both databases."""

import uuid
from typing import Any

import pytest

from app.db import Database
from models import AuditEntry, Event, InventoryMovement, Product
from tests.support import factories
from tests.support.client import Client
from tests.support.company import BulkCompany
from tests.support.factories import Tenant

PATH = "/bulk/products"


class Catalogue(BulkCompany):
    """A company, and methods to write its products."""

    path = PATH
    write = BulkCompany.send

    def get(self, product_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/products/{product_id}").json()["data"])

    def counts(self) -> list[int]:
        models = (Product, InventoryMovement, AuditEntry, Event)
        return [self.count(model) for model in models]


@pytest.fixture
def catalogue(client: Client, tenant: Tenant, database: Database) -> Catalogue:
    return Catalogue(client, tenant, database)


def new(**fields: Any) -> dict[str, Any]:
    return {"name": "Flour", "price": 8.5, **fields}


def codes(results: list[dict[str, Any]]) -> list[Any]:
    return [result.get("code", result["status"]) for result in results]


class TestResults:
    def test_each_item_has_a_result_in_the_order_of_the_request(self, catalogue: Catalogue) -> None:
        known = catalogue.product(sku="A", name="Rye")

        response = catalogue.write(
            new(sku="B", stock=3, externalId="E-1"), {"sku": "A", "price": 9.25}, {"sku": "C"}, mode="each"
        )

        assert response.status_code == 200
        data = response.json()["data"]
        results = data.pop("results")
        assert data == {"mode": "each", "succeeded": 2, "failed": 1}
        assert [(result["index"], result["status"]) for result in results] == [(0, 201), (1, 200), (2, 400)]
        assert results[0]["data"] == catalogue.get(results[0]["data"]["id"])
        assert (results[0]["data"]["sku"], results[0]["data"]["externalId"], results[0]["data"]["stock"]) == (
            "B",
            "E-1",
            3,
        )
        assert results[1]["data"] == catalogue.get(known)
        assert (results[1]["data"]["name"], results[1]["data"]["price"]) == ("Rye", 9.25)
        assert (results[2]["code"], results[2]["error"]) == ("validation_failed", "name is required")
        assert results[2]["details"] == [
            {"pointer": "/name", "message": "name is required"},
            {"pointer": "/price", "message": "price is required"},
        ]

    def test_an_error_is_that_of_the_operation_for_one_product(self, catalogue: Catalogue) -> None:
        catalogue.product(sku="taken", external_id="taken")
        product = catalogue.product()
        for change in (
            {"sku": "taken", "externalId": "taken"},
            {"price": -1, "name": None},
            {"barcode": "123"},
            {"unit": " "},
        ):
            single = catalogue.client.patch(f"/products/{product}", json=change)

            (result,) = catalogue.results({"id": product, **change})

            assert result == {"index": 0, "status": single.status_code, **single.json()}
            assert single.status_code in {400, 422}

    def test_stock_counts_only_for_a_new_product(self, catalogue: Catalogue) -> None:
        one, other = catalogue.product(sku="A"), catalogue.product(sku="B")

        results = catalogue.results({"sku": "A", "stock": 10}, {"id": other, "stock": 11}, new(sku="C", stock=12))

        assert codes(results) == [200, "validation_failed", 201]
        message = "stock is changed with inventory adjustments"
        assert results[1]["details"] == [{"pointer": "/stock", "message": message}]
        assert (catalogue.get(one)["stock"], results[2]["data"]["stock"]) == (10, 12)

    def test_an_item_of_invalid_form_is_a_result(self, catalogue: Catalogue) -> None:
        results = catalogue.results([], {"sku": "A", "price": "1", "colour": 1}, new(sku="B"))

        assert codes(results) == ["validation_failed", "validation_failed", 201]
        assert results[0]["details"] == [{"pointer": "", "message": "The item must be an object"}]
        assert [detail["pointer"] for detail in results[1]["details"]] == ["/price", "/colour"]

    def test_absent_is_unchanged_and_null_clears(self, catalogue: Catalogue) -> None:
        product = catalogue.product(sku="A", description="Old", external_id="E-1")

        (result,) = catalogue.results({"sku": "A", "externalId": None})

        assert result["data"] == catalogue.get(product)
        assert (result["data"]["description"], result["data"]["externalId"]) == ("Old", None)


class TestKeys:
    def test_the_first_of_id_sku_and_external_id_names_the_product(self, catalogue: Catalogue) -> None:
        one, other = catalogue.product(sku="A", external_id="E-1"), catalogue.product(sku="B", external_id="E-2")

        results = catalogue.results({"id": one, "sku": "C", "externalId": "E-3"}, {"sku": "B", "externalId": "E-4"})

        assert [result["data"]["id"] for result in results] == [one, other]
        assert [(result["data"]["sku"], result["data"]["externalId"]) for result in results] == [
            ("C", "E-3"),
            ("B", "E-4"),
        ]

    def test_a_null_key_is_a_value_to_be_set(self, catalogue: Catalogue) -> None:
        product = catalogue.product(sku="A", external_id="E-1")

        (result,) = catalogue.results({"sku": None, "externalId": "E-1"})

        assert (result["data"]["id"], result["data"]["sku"]) == (product, None)

    def test_an_unknown_id_never_creates(self, catalogue: Catalogue) -> None:
        foreign = factories.product(catalogue.database, factories.tenant(catalogue.database).company_id)

        results = catalogue.results(new(id="unknown"), new(id=foreign, sku="A"))

        assert [(result["status"], result["error"]) for result in results] == [(404, "Product not found.")] * 2

    @pytest.mark.parametrize("item", [new(), new(sku=None, externalId=None)])
    def test_an_item_without_a_key_is_400(self, catalogue: Catalogue, item: dict[str, Any]) -> None:
        (result,) = catalogue.results(item)

        assert result["status"] == 400
        assert result["details"] == [{"pointer": "/id", "message": "id, sku or externalId is required"}]

    def test_keys_are_compared_as_they_are_stored(self, catalogue: Catalogue) -> None:
        product = catalogue.product(sku="Caf\u00e9/1")

        (result,) = catalogue.results({"sku": " Cafe\u0301/1 ", "price": 2})

        assert (result["status"], result["data"]["id"]) == (200, product)


class TestDuplicates:
    def test_a_second_item_for_the_same_product_is_an_error(self, catalogue: Catalogue) -> None:
        known = catalogue.product(sku="A", external_id="E-1")

        results = catalogue.results(
            {"externalId": "E-1", "price": 2},
            {"sku": "A", "price": 3},
            {"id": known, "price": 4},
            new(sku="N", externalId="E-9"),
            new(externalId="E-9"),
            new(sku=" N"),
        )

        assert codes(results) == [200, "duplicate_item", "duplicate_item", 201, "duplicate_item", "duplicate_item"]
        assert (results[1]["status"], results[1]["details"][0]["pointer"]) == (422, "")
        assert catalogue.get(known)["price"] == 2

    def test_an_item_with_an_error_names_nothing(self, catalogue: Catalogue) -> None:
        results = catalogue.results({"sku": "A"}, {"sku": "A", "price": "x"}, new(sku="A"))

        assert codes(results) == ["validation_failed", "validation_failed", 201]

    def test_a_key_that_is_set_is_taken_for_later_items(self, catalogue: Catalogue) -> None:
        one, other = catalogue.product(sku="A"), catalogue.product(sku="B")

        results = catalogue.results(
            {"id": one, "sku": "C", "externalId": "E"}, {"id": other, "sku": "C"}, new(sku="N", externalId="E")
        )

        assert codes(results) == [200, "sku_taken", "external_id_taken"]

    def test_keys_are_those_before_the_request(self, catalogue: Catalogue) -> None:
        """A key that an earlier item frees is still that of its product."""
        one = catalogue.product(sku="A", external_id="E")

        results = catalogue.results(
            {"id": one, "sku": "B", "externalId": None}, new(sku="A"), new(externalId="E"), new(sku="N", externalId="E")
        )

        assert codes(results) == [200, "duplicate_item", "duplicate_item", "external_id_taken"]


class TestAll:
    def test_one_error_refuses_all(self, catalogue: Catalogue) -> None:
        known = catalogue.product(sku="A")
        before = catalogue.counts()

        response = catalogue.write({"sku": "A", "price": 2}, new(sku="A"), new(sku="B"), {"sku": "B", "price": -1})

        message = "An earlier item of this request names the same product. Merge the two items."
        body = response.json()
        results = body.pop("results")
        detail = {"pointer": "/items/1", "code": "bulk_refused", "message": message}
        assert response.status_code == 422
        assert body == {"error": message, "code": "bulk_refused", "details": [detail]}
        assert [(result["index"], result["status"]) for result in results] == [(0, 424), (1, 422), (2, 424), (3, 400)]
        assert results[0] == {"index": 0, "status": 424}
        assert catalogue.counts() == before
        assert catalogue.get(known)["price"] == 8.5

    @pytest.mark.parametrize("fields", [{}, {"mode": "all"}])
    def test_without_an_error_all_are_written(self, catalogue: Catalogue, fields: dict[str, str]) -> None:
        data = catalogue.write(new(sku="A"), new(sku="B"), **fields).json()["data"]

        assert (data["mode"], data["succeeded"], data["failed"]) == ("all", 2, 0)


class TestEffects:
    def test_each_product_that_changed_has_one_entry_and_one_event(self, catalogue: Catalogue) -> None:
        known = catalogue.product(sku="A")
        same = catalogue.product(sku="B", price=2)

        results = catalogue.results({"sku": "A", "price": 2}, {"sku": "B", "price": 2}, new(sku="C"), {"sku": "D"})

        created = results[2]["data"]["id"]
        actions = factories.audited_actions(catalogue.database, catalogue.tenant.company_id)
        assert actions == ["product.updated", "product.created"]
        assert catalogue.events() == [("product.updated", known, 1), ("product.created", created, 1)]
        assert results[1]["data"]["id"] == same

    def test_the_same_request_again_changes_nothing(self, catalogue: Catalogue) -> None:
        items = [new(sku="A", stock=3), new(externalId="E")]
        first = catalogue.results(*items)
        before = catalogue.counts()

        second = catalogue.results(*items)

        assert [result["status"] for result in second] == [200, 200]
        assert [result["data"] for result in second] == [result["data"] for result in first]
        assert catalogue.counts() == before

    def test_a_new_product_has_an_opening_movement(self, catalogue: Catalogue) -> None:
        results = catalogue.results(new(sku="A", stock=3), new(sku="B"))

        movements = [
            catalogue.client.get(f"/products/{result['data']['id']}/inventory-movements").json()["data"]
            for result in results
        ]
        assert [[(row["reason"], row["delta"]) for row in rows] for rows in movements] == [
            [("OPENING", 3)],
            [("OPENING", 0)],
        ]

    @pytest.mark.parametrize("mode", ["all", "each"])
    def test_a_duplicate_request_is_replayed(self, catalogue: Catalogue, mode: str) -> None:
        key = str(uuid.uuid4())

        first, second = (catalogue.write(new(sku="A"), {"sku": "B"}, mode=mode, key=key) for _ in "12")

        assert first.content == second.content
        assert second.headers["idempotency-replayed"] == "true"
        assert catalogue.counts()[0] == (0 if mode == "all" else 1)

    def test_a_thousand_items_are_written(self, catalogue: Catalogue) -> None:
        items = [new(sku=f"S-{number}", description="\u00e9" * 1500) for number in range(1000)]

        data = catalogue.write(*items).json()["data"]

        assert data["succeeded"] == 1000
        assert catalogue.counts()[0] == 1000


class TestRequest:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({}, "items is required"),
            ({"items": []}, "items must have at least 1 item"),
            ({"items": ["x"] * 1001}, "items must have at most 1000 items"),
            ({"items": ["x"], "mode": "some"}, "mode must be one of all, each"),
        ],
    )
    def test_an_invalid_request_is_400(self, catalogue: Catalogue, body: Any, error: str) -> None:
        response = catalogue.client.post(PATH, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

        assert (response.status_code, response.json()["error"]) == (400, error)

    def test_the_key_is_required(self, catalogue: Catalogue) -> None:
        response = catalogue.client.post(PATH, json={"items": [new(sku="A")]})

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
