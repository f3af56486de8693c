"""Creating, updating and deleting products (contract, section 9.3), over HTTP on both databases."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from models import AuditEntry, Event, InventoryMovement, OrderItem, PriceOverride, Product, Scope, new_id
from tests.support import factories
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant, order_body

FULL = {
    "name": "  Bread Flour, 16 kg ",
    "sku": " FLR/SW\u00a016 ",
    "externalId": "ERP-Cafe\u0301",
    "barcode": " 5012345678900\t",
    "description": " Untreated.\nPaper sack. ",
    "category": " Baking ",
    "unit": " sack ",
    "price": 18.95,
    "priceBreaks": [{"minQuantity": 10, "price": 18.2}, {"minQuantity": 40, "price": 17.5}],
    "minOrderQuantity": 5,
    "orderMultiple": 5,
    "maxOrderQuantity": 500,
    "stock": 214,
    "lowStockThreshold": 40,
    "imageUrl": "https://images.example/flr.jpg?size=2#top",
    "isActive": False,
}
STORED = {
    **FULL,
    "name": "Bread Flour, 16 kg",
    "sku": "FLR/SW\u00a016",
    "externalId": "ERP-Caf\u00e9",
    "barcode": "5012345678900",
    "description": "Untreated.\nPaper sack.",
    "category": "Baking",
    "unit": "sack",
}
MINIMAL = {"name": "Pallet", "price": 12}
EMPTY = "must not be empty, and must not contain control characters"
CONTROL = "must not contain control characters"
DIGITS = "barcode must have 8, 12, 13 or 14 digits"
URL = "imageUrl must be an http or https URL, with special characters percent-encoded"
STOCK = "stock is changed with inventory adjustments"
# Violations of the rules for one member, and the message.
INVALID: list[tuple[str, object, str]] = [
    ("name", None, "name must be a string"),
    ("name", "", f"name {EMPTY}"),
    ("name", " \u3000", f"name {EMPTY}"),
    ("name", "a\nb", f"name {EMPTY}"),
    ("name", "x" * 201, "name must be at most 200 characters"),
    ("name", 1, "name must be a string"),
    ("sku", "", f"sku {EMPTY}"),
    ("sku", "  ", f"sku {EMPTY}"),
    ("sku", "a\x85", f"sku {EMPTY}"),
    ("sku", "x" * 101, "sku must be at most 100 characters"),
    ("sku", "\u0958" * 51, "sku must be at most 100 characters"),  # NFC has two characters for each
    ("externalId", "", f"externalId {EMPTY}"),
    ("externalId", "x" * 256, "externalId must be at most 255 characters"),
    ("externalId", 7, "externalId must be a string"),
    ("barcode", "", DIGITS),
    ("barcode", "1234567", DIGITS),
    ("barcode", "123456789", DIGITS),
    ("barcode", "12345678901", DIGITS),
    ("barcode", "123456789012345", DIGITS),
    ("barcode", "9638507x", DIGITS),
    ("barcode", "\uff19\uff16\uff13\uff18\uff15\uff10\uff17\uff14", DIGITS),
    ("barcode", "96385075", "barcode must end with the check digit 4: 96385074"),
    ("barcode", "036000291453", "barcode must end with the check digit 2: 036000291452"),
    ("barcode", "5012345678901", "barcode must end with the check digit 0: 5012345678900"),
    ("barcode", "10012345678909", "barcode must end with the check digit 2: 10012345678902"),
    ("barcode", 96385074, "barcode must be a string"),
    ("description", "a\x1b", f"description {CONTROL}"),
    ("description", "x" * 2001, "description must be at most 2000 characters"),
    ("category", "a\tb", f"category {CONTROL}"),
    ("category", "x" * 101, "category must be at most 100 characters"),
    ("unit", None, "unit must be a string"),
    ("unit", " ", f"unit {EMPTY}"),
    ("unit", "x" * 51, "unit must be at most 50 characters"),
    ("price", None, "price must be a number"),
    ("price", "1", "price must be a number"),
    ("price", -0.01, "price must be at least 0"),
    ("price", 0.001, "price must have at most 2 decimal places"),
    ("price", 10**10, "price must be at most 9999999999.99"),
    ("lowStockThreshold", None, "lowStockThreshold must be a number"),
    ("lowStockThreshold", -1, "lowStockThreshold must be at least 0"),
    ("lowStockThreshold", 0.5, "lowStockThreshold must be a whole number"),
    ("imageUrl", "", URL),
    ("imageUrl", "ftp://example.com/", URL),
    ("imageUrl", "images/x.jpg", URL),
    ("imageUrl", "https://example.com/a b", URL),
    ("imageUrl", "https://example.com/" + "x" * 2029, "imageUrl must be at most 2048 characters"),
    ("isActive", None, "isActive must be true or false"),
    ("isActive", 1, "isActive must be true or false"),
    ("color", "red", "color is not a known field"),
]
INVALID_STOCK: list[tuple[object, str]] = [
    (None, "stock must be a number"),
    (-1, "stock must be at least 0"),
    (1.5, "stock must be a whole number"),
    (10**12 + 1, "stock must be at most 1000000000000"),
]
# Values at the limits, and as they are stored.
VALID: list[tuple[str, object, object]] = [
    ("name", "x" * 200, "x" * 200),
    ("name", "\ufeffx", "\ufeffx"),
    ("sku", "x" * 100, "x" * 100),
    ("sku", "\u0958" * 50, "\u0915\u093c" * 50),
    ("sku", None, None),
    ("externalId", "x" * 255, "x" * 255),
    ("externalId", " /?&= ", "/?&="),
    ("externalId", None, None),
    ("barcode", "96385074", "96385074"),
    ("barcode", "036000291452", "036000291452"),
    ("barcode", "10012345678902", "10012345678902"),
    ("barcode", None, None),
    ("description", "x" * 2000, "x" * 2000),
    ("description", " ", None),
    ("description", None, None),
    ("category", "x" * 100, "x" * 100),
    ("category", "", None),
    ("unit", "x" * 50, "x" * 50),
    ("price", 0, 0.0),
    ("price", 9999999999.99, 9999999999.99),
    ("price", 8.5, 8.5),
    ("lowStockThreshold", 0, 0),
    ("lowStockThreshold", 2**53 - 1, 2**53 - 1),
    ("imageUrl", "HTTP://example.com:8080/%20?a=b#c", "HTTP://example.com:8080/%20?a=b#c"),
    ("imageUrl", "https://example.com/" + "x" * 2028, "https://example.com/" + "x" * 2028),
    ("imageUrl", None, None),
    ("isActive", False, False),
]


def data(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code in {200, 201}, response.text
    content: dict[str, Any] = response.json()["data"]
    return content


def created(client: Client, **fields: Any) -> dict[str, Any]:
    return data(client.post("/products", json={**MINIMAL, **fields}))


def error(response: httpx.Response) -> tuple[int, str, list[str]]:
    """Return the status, the message and the pointers of an error."""
    content = response.json()
    return response.status_code, content["error"], [detail["pointer"] for detail in content["details"]]


def published(database: Database, product_id: str) -> list[dict[str, Any]]:
    with database.transaction() as session:
        rows = session.query(Event).filter(Event.entity_id == product_id).order_by(Event.sequence).all()
        return [json.loads(row.payload) for row in rows]


def audited(database: Database, entity_id: str) -> list[AuditEntry]:
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter(AuditEntry.entity_id == entity_id)
        return entries.order_by(AuditEntry.created_at, AuditEntry.id).all()


def movements(database: Database, product_id: str) -> list[InventoryMovement]:
    with database.transaction() as session:
        found = session.query(InventoryMovement).filter(InventoryMovement.product_id == product_id)
        return found.order_by(InventoryMovement.sequence).all()


def only(values: dict[str, Any]) -> dict[str, Any]:
    """Return the members that a client sets."""
    return {name: value for name, value in values.items() if name not in {"id", "createdAt", "updatedAt"}}


class TestCreateProduct:
    def test_returns_the_product_as_it_is_stored(self, client: Client) -> None:
        response = client.post("/products", json=FULL)

        product = data(response)
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/products/{product['id']}"
        assert client.get(f"/products/{product['id']}").json() == response.json()
        assert only(product) == STORED
        assert product["createdAt"] == product["updatedAt"]

    def test_everything_but_name_and_price_has_a_default(self, client: Client) -> None:
        assert only(created(client)) == {
            **dict.fromkeys(STORED),
            "name": "Pallet",
            "price": 12.0,
            "priceBreaks": [],
            "unit": "each",
            "stock": 0,
            "lowStockThreshold": 5,
            "isActive": True,
        }

    def test_required_members(self, client: Client) -> None:
        response = client.post("/products", json={})

        assert error(response) == (400, "name is required", ["/name", "/price"])
        assert client.post("/products", json={"name": "x"}).json()["error"] == "price is required"

    @pytest.mark.parametrize(("name", "value", "message"), INVALID)
    def test_an_invalid_value_is_rejected(self, client: Client, name: str, value: object, message: str) -> None:
        response = client.post("/products", json={**MINIMAL, name: value})

        assert error(response)[:2] == (400, message)
        assert set(error(response)[2]) == {f"/{name}"}

    @pytest.mark.parametrize(("value", "message"), INVALID_STOCK)
    def test_an_invalid_stock_is_rejected(self, client: Client, value: object, message: str) -> None:
        response = client.post("/products", json={**MINIMAL, "stock": value})

        assert error(response) == (400, message, ["/stock"])

    @pytest.mark.parametrize(("name", "value", "stored"), [*VALID, ("stock", 0, 0), ("stock", 10**12, 10**12)])
    def test_a_value_at_the_limit_is_stored(self, client: Client, name: str, value: object, stored: object) -> None:
        assert created(client, **{name: value})[name] == stored

    def test_publishes_an_event_and_records_who_created_it(
        self, client: Client, database: Database, tenant: Tenant, contract: Contract
    ) -> None:
        product = data(client.post("/products", json=FULL, headers={"X-Request-Id": "req-7"}))

        (event,) = published(database, product["id"])
        (entry,) = audited(database, product["id"])
        contract.check_event(event)
        assert (event["event"], event["sequence"], event["data"]) == ("product.created", 1, product)
        assert (entry.action, entry.actor_type, entry.actor_id) == ("product.created", "API_KEY", tenant.key_id)
        assert (entry.request_id, entry.entity_type, entry.details) == ("req-7", "product", {"after": product})

    @pytest.mark.parametrize("stock", [0, 7])
    def test_the_stock_is_the_opening_row_of_the_ledger(
        self, client: Client, database: Database, tenant: Tenant, stock: int
    ) -> None:
        product = created(client, stock=stock)

        (movement,) = movements(database, product["id"])
        assert (movement.reason, movement.sequence, movement.actor_id) == ("OPENING", 0, tenant.key_id)
        assert (movement.delta, movement.stock_before, movement.stock_after) == (stock, 0, stock)

    def test_search_finds_it(self, client: Client) -> None:
        product = created(client, name="Gr\u00fcner Tee", sku="T-77")

        for text in ("GR\u00dcNER", "t-77"):
            assert [found["id"] for found in client.walk("/products", search=text)] == [product["id"]]

    def test_a_taken_sku_and_external_id_are_refused_together(self, client: Client, database: Database) -> None:
        created(client, sku="A", externalId="1")
        created(client, sku="B", externalId="2")

        response = client.post("/products", json={**MINIMAL, "sku": " A", "externalId": "2"})

        assert (response.status_code, response.json()["code"]) == (422, "sku_taken")
        assert refusals(response) == [
            {"pointer": "/sku", "code": "sku_taken", "message": "A product with this SKU already exists."},
            {
                "pointer": "/externalId",
                "code": "external_id_taken",
                "message": "A product with this external ID already exists.",
            },
        ]
        assert len(list(client.walk("/products"))) == 2

    def test_skus_are_compared_exactly_and_within_the_company(self, client: Client, database: Database) -> None:
        factories.product(database, factories.tenant(database).company_id, sku="A", external_id="1")

        made = [created(client, sku=sku, externalId=sku) for sku in ("A", "a", "\u00c4", "A ."[:1] + "\u0308a")]

        assert [product["sku"] for product in made] == ["A", "a", "\u00c4", "\u00c4a"]
        taken = client.post("/products", json={**MINIMAL, "sku": "A\u0308"})
        assert taken.json()["code"] == "sku_taken"

    def test_products_without_codes_and_with_the_same_barcode_are_accepted(self, client: Client) -> None:
        made = [created(client, sku=None, barcode="96385074") for _ in range(2)]

        assert {product["id"] for product in client.walk("/products", barcode="96385074")} == {
            product["id"] for product in made
        }

    def test_a_duplicate_request_replays_the_response(self, client: Client) -> None:
        headers = {"Idempotency-Key": new_id(now())}

        first, second = (client.post("/products", json={**MINIMAL, "sku": "A"}, headers=headers) for _ in range(2))

        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert second.headers["location"] == first.headers["location"]
        assert second.headers["idempotency-replayed"] == "true"
        assert len(list(client.walk("/products"))) == 1

    def test_needs_the_scope_to_write(self, client: Client, tenant: Tenant, database: Database) -> None:
        product = created(client)
        _, key = factories.api_key(database, tenant.company_id, scopes=[Scope.PRODUCTS_READ])
        headers = {"Authorization": f"Bearer {key}"}

        for method, path in (
            ("POST", "/products"),
            ("PUT", "/products?sku=A"),
            ("PATCH", f"/products/{product['id']}"),
            ("DELETE", f"/products/{product['id']}"),
        ):
            response = client.request(method, path, json=MINIMAL, headers=headers)
            assert response.status_code == 403
            assert '"products:write"' in response.json()["error"]


class TestUpdateProduct:
    def test_changes_only_the_members_given_and_null_clears(self, client: Client) -> None:
        before = data(client.post("/products", json=FULL))
        changes = {"price": 19.25, "sku": None, "externalId": None, "barcode": None, "description": None}

        after = data(client.patch(f"/products/{before['id']}", json={**changes, "category": None, "imageUrl": None}))

        cleared = {**changes, "category": None, "imageUrl": None}
        assert after == {**before, **cleared, "updatedAt": after["updatedAt"]}
        assert after["updatedAt"] > before["updatedAt"]
        assert data(client.get(f"/products/{before['id']}")) == after

    @pytest.mark.parametrize(("name", "value", "message"), INVALID)
    def test_an_invalid_value_is_rejected(self, client: Client, name: str, value: object, message: str) -> None:
        product = created(client)

        assert error(client.patch(f"/products/{product['id']}", json={name: value}))[:2] == (400, message)
        assert data(client.get(f"/products/{product['id']}")) == product

    @pytest.mark.parametrize(("name", "value", "stored"), VALID)
    def test_a_value_at_the_limit_is_stored(self, client: Client, name: str, value: object, stored: object) -> None:
        product = created(client, sku="A", imageUrl="http://a.example")

        assert data(client.patch(f"/products/{product['id']}", json={name: value}))[name] == stored

    @pytest.mark.parametrize("stock", [0, 3, None, "x"])
    def test_the_stock_is_rejected(self, client: Client, stock: object) -> None:
        product = created(client, stock=3)

        for body in ({"stock": stock}, {"stock": stock, "name": "New"}):
            assert error(client.patch(f"/products/{product['id']}", json=body)) == (400, STOCK, ["/stock"])
        assert data(client.get(f"/products/{product['id']}")) == product

    def test_an_empty_update_is_rejected(self, client: Client) -> None:
        response = client.patch(f"/products/{created(client)['id']}", json={})

        assert (response.status_code, response.json()["error"]) == (400, "The body must have at least 1 field")

    def test_an_update_without_a_change_writes_nothing(self, client: Client, database: Database) -> None:
        product = data(client.post("/products", json=FULL))
        body = {name: value for name, value in FULL.items() if name != "stock"}

        response = client.patch(f"/products/{product['id']}", json=body)

        assert (response.status_code, response.json()["data"]) == (200, product)
        assert (len(published(database, product["id"])), len(audited(database, product["id"]))) == (1, 1)

    def test_publishes_an_event_with_the_changed_members_and_records_them(
        self, client: Client, database: Database, contract: Contract
    ) -> None:
        before = data(client.post("/products", json=FULL))
        body = {"isActive": True, "price": 20, "unit": "sack", "name": "New", "lowStockThreshold": 1}

        after = data(client.patch(f"/products/{before['id']}", json=body))

        event = published(database, before["id"])[1]
        details = audited(database, before["id"])[1].details
        contract.check_event(event)
        changed = ["name", "price", "lowStockThreshold", "isActive"]
        assert (event["event"], event["sequence"]) == ("product.updated", 2)
        assert event["data"] == {**after, "changed": changed}
        assert details == {
            "before": {name: before[name] for name in [*changed, "updatedAt"]},
            "after": {name: after[name] for name in [*changed, "updatedAt"]},
        }
        assert len(movements(database, before["id"])) == 1

    def test_a_higher_threshold_fires_no_low_stock(self, client: Client, database: Database) -> None:
        product = created(client, stock=6)
        client.patch(f"/products/{product['id']}", json={"lowStockThreshold": 6})

        assert [event["event"] for event in published(database, product["id"])] == [
            "product.created",
            "product.updated",
        ]

    def test_search_finds_the_new_name(self, client: Client) -> None:
        product = created(client, name="Old", sku="A")
        client.patch(f"/products/{product['id']}", json={"name": "Fresh", "sku": None})

        assert [found["id"] for found in client.walk("/products", search="FRESH")] == [product["id"]]
        assert [found["id"] for found in client.walk("/products", search="Old")] == []

    def test_taken_codes_are_refused_but_not_its_own(self, client: Client) -> None:
        created(client, sku="A", externalId="1")
        product = created(client, sku="B", externalId="2")
        path = f"/products/{product['id']}"

        response = client.patch(path, json={"sku": "A", "externalId": "1", "name": "New"})

        assert [refusal["code"] for refusal in refusals(response)] == ["sku_taken", "external_id_taken"]
        assert data(client.get(path)) == product
        assert data(client.patch(path, json={"sku": "B", "externalId": "2"})) == product
        assert client.patch(path, json={"externalId": "1"}).json()["code"] == "external_id_taken"

    def test_an_unknown_id_and_one_of_another_company_are_404(self, client: Client, database: Database) -> None:
        others = factories.product(database, factories.tenant(database).company_id)

        for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
            responses = [
                client.request(method, f"/products/{product_id}", json=body)
                for product_id in (others, "c" + "0" * 24, "x")
            ]
            assert {(response.status_code, response.content) for response in responses} == {
                (404, b'{"error":"Product not found.","code":"not_found"}')
            }


class TestUpsertProduct:
    @pytest.mark.parametrize(("name", "code"), [("sku", "A/1 ?&"), ("externalId", "7/\u00e9")])
    def test_creates_and_then_changes(self, client: Client, database: Database, name: str, code: str) -> None:
        body = {"name": "Flour", "price": 1, "stock": 3, "category": "Baking"}

        first = client.put("/products", params={name: f" {code} "}, json=body)
        second = client.put("/products", params={name: code}, json={"name": "Flour", "price": 2, "unit": "kg"})

        product = data(first)
        assert (first.status_code, first.headers["location"]) == (201, f"/api/v1/products/{product['id']}")
        assert (product[name], product["stock"], product["category"]) == (code, 3, "Baking")
        assert (second.status_code, "location" in second.headers) == (200, False)
        after = data(second)
        assert after == {**product, "price": 2.0, "unit": "kg", "updatedAt": after["updatedAt"]}
        assert [event["event"] for event in published(database, product["id"])] == [
            "product.created",
            "product.updated",
        ]

    def test_the_other_code_is_a_member(self, client: Client) -> None:
        product = data(client.put("/products", params={"sku": "A"}, json={**MINIMAL, "externalId": "1"}))

        renamed = data(client.put("/products", params={"externalId": "1"}, json={**MINIMAL, "sku": "B"}))

        assert renamed == {**product, "sku": "B", "updatedAt": renamed["updatedAt"]}

    def test_no_change_writes_nothing(self, client: Client, database: Database) -> None:
        body = {**MINIMAL, "stock": 3}
        product = data(client.put("/products", params={"sku": "A"}, json=body))

        for again in (body, MINIMAL):
            response = client.put("/products", params={"sku": "A"}, json=again)
            assert (response.status_code, response.json()["data"]) == (200, product)
        assert (len(published(database, product["id"])), len(audited(database, product["id"]))) == (1, 1)

    @pytest.mark.parametrize("query", [{}, {"sku": "A", "externalId": "1"}])
    def test_exactly_one_key_is_required(self, client: Client, query: dict[str, str]) -> None:
        response = client.put("/products", params=query, json=MINIMAL)

        message = "Exactly one of the parameters sku and externalId is required"
        assert error(response) == (400, message, ["/query/sku"])

    @pytest.mark.parametrize("name", ["sku", "externalId"])
    @pytest.mark.parametrize("value", ["A", "B", None])
    def test_the_key_is_rejected_in_the_body(self, client: Client, name: str, value: object) -> None:
        response = client.put("/products", params={name: "A"}, json={**MINIMAL, name: value})

        assert error(response) == (400, f"{name} is in the query: remove it from the body", [f"/{name}"])

    @pytest.mark.parametrize(("key", "name"), [("sku", "externalId"), ("externalId", "sku")])
    def test_a_value_of_another_product_is_refused(self, client: Client, key: str, name: str) -> None:
        created(client, **{name: "A"})

        response = client.put("/products", params={key: "B"}, json={**MINIMAL, name: "A"})

        assert [(one["pointer"], one["code"]) for one in refusals(response)] == [
            (f"/{name}", "sku_taken" if name == "sku" else "external_id_taken")
        ]

    @pytest.mark.parametrize(("name", "limit"), [("sku", 100), ("externalId", 255)])
    def test_the_key_has_the_rules_of_the_member(self, client: Client, name: str, limit: int) -> None:
        def put(value: str) -> httpx.Response:
            return client.put("/products", params={name: value}, json=MINIMAL)

        too_long = (400, f"{name} must be at most {limit} characters", [f"/query/{name}"])
        assert error(put("")) == error(put(" \u3000")) == (400, f"{name} {EMPTY}", [f"/query/{name}"])
        assert error(put("x" * (limit + 1))) == error(put("\u0958" * (limit // 2 + 1))) == too_long
        assert data(put("x" * limit))[name] == "x" * limit

    def test_name_and_price_are_required_also_of_a_known_product(self, client: Client) -> None:
        created(client, sku="A")

        response = client.put("/products", params={"sku": "A"}, json={"unit": "kg"})

        assert error(response) == (400, "name is required", ["/name", "/price"])

    @pytest.mark.parametrize("stock", [0, 2, 4])
    def test_another_stock_than_the_stored_one_is_rejected(self, client: Client, stock: int) -> None:
        product = created(client, sku="A", stock=3)

        response = client.put("/products", params={"sku": "A"}, json={"name": "New", "price": 1, "stock": stock})

        assert error(response) == (400, STOCK, ["/stock"])
        assert data(client.get(f"/products/{product['id']}")) == product

    def test_the_stored_stock_is_accepted(self, client: Client) -> None:
        created(client, sku="A", stock=3)

        response = client.put("/products", params={"sku": "A"}, json={"name": "New", "price": 1, "stock": 3})

        assert (response.status_code, data(response)["name"], data(response)["stock"]) == (200, "New", 3)

    def test_a_taken_code_is_refused_when_it_creates_and_when_it_changes(self, client: Client) -> None:
        created(client, sku="A", externalId="1")
        created(client, sku="B")

        for sku in ("B", "C"):
            response = client.put("/products", params={"sku": sku}, json={**MINIMAL, "externalId": "1"})
            assert refusals(response)[0]["code"] == "external_id_taken"
        assert list(client.walk("/products", sku="C")) == []

    def test_finds_no_product_of_another_company(self, client: Client, database: Database) -> None:
        other = factories.product(database, factories.tenant(database).company_id, sku="A")

        product = data(client.put("/products", params={"sku": "A"}, json=MINIMAL))

        assert product["id"] != other

    def test_a_duplicate_request_replays_the_creation(self, client: Client) -> None:
        headers = {"Idempotency-Key": new_id(now())}

        responses = [client.put("/products", params={"sku": "A"}, json=MINIMAL, headers=headers) for _ in range(2)]
        other = client.put("/products", params={"sku": "B"}, json=MINIMAL, headers=headers)

        assert [response.status_code for response in responses] == [201, 201]
        assert responses[1].headers["idempotency-replayed"] == "true"
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


class TestDeleteProduct:
    def test_deletes_the_product_and_keeps_its_opening_row(
        self, client: Client, database: Database, contract: Contract
    ) -> None:
        product = created(client, stock=7, sku="A", externalId="1", name="Gone")

        response = client.delete(f"/products/{product['id']}")

        assert (response.status_code, response.json()) == (200, {"data": {"id": product["id"], "deleted": True}})
        assert client.get(f"/products/{product['id']}").status_code == 404
        assert list(client.walk("/products", search="gone")) == []
        event, entry = published(database, product["id"])[1], audited(database, product["id"])[1]
        contract.check_event(event)
        assert (event["event"], event["sequence"], event["data"]) == ("product.deleted", 2, product)
        assert (entry.action, entry.details) == ("product.deleted", {"before": product})
        assert [movement.reason for movement in movements(database, product["id"])] == ["OPENING"]
        assert client.delete(f"/products/{product['id']}").status_code == 404
        assert created(client, sku="A", externalId="1")["id"] != product["id"]

    def test_a_copy_finds_the_deletion_in_the_events_since_its_last_list(self, client: Client) -> None:
        product = created(client)
        page = client.get("/products", params={"updatedSince": "2026-01-01"}).json()
        synced_until = page["pagination"]["syncedUntil"]

        client.delete(f"/products/{product['id']}")

        assert list(client.walk("/products", updatedSince=synced_until)) == []
        deleted = client.walk("/events", event="product.deleted", since=synced_until)
        assert [event["data"] for event in deleted] == [product]

    def test_its_price_overrides_go_along_and_each_is_audited(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        product, kept = created(client), created(client)
        customers = [factories.customer(database, tenant.company_id) for _ in range(2)]
        for customer in customers:
            factories.price_override(database, tenant.company_id, customer, product["id"], "7.50")
        factories.price_override(database, tenant.company_id, customers[0], kept["id"], "6")

        assert client.delete(f"/products/{product['id']}").status_code == 200

        with database.transaction() as session:
            remaining = session.query(PriceOverride).filter_by(company_id=tenant.company_id).all()
        assert [override.product_id for override in remaining] == [kept["id"]]
        for customer in customers:
            (entry,) = audited(database, customer)
            assert (entry.action, entry.entity_type) == ("price.removed", "customer")
            assert entry.details.pop("createdAt")
            assert entry.details == {"productId": product["id"], "before": "7.50", "after": None}

    def test_a_product_that_has_been_ordered_stays(self, client: Client, database: Database, tenant: Tenant) -> None:
        product = created(client, stock=7)
        customer = factories.customer(database, tenant.company_id)
        assert client.post("/orders", json=order_body(customer, (product["id"], 1))).status_code == 201

        response = client.delete(f"/products/{product['id']}")

        message = "Pallet has been ordered. Set isActive to false instead."
        assert refusals(response) == [{"pointer": "", "code": "product_in_use", "message": message}]
        assert client.get(f"/products/{product['id']}").status_code == 200

    def test_an_order_from_before_the_ledger_counts(self, client: Client, database: Database, tenant: Tenant) -> None:
        product = created(client, stock=7)
        customer = factories.customer(database, tenant.company_id)
        at = now()
        (order,) = factories.history(
            database, tenant.company_id, [{"customer_id": customer, "created_at": at, "total": Decimal(1)}]
        )
        item = {"id": new_id(at), "company_id": tenant.company_id, "order_id": order, "product_id": product["id"]}
        with database.transaction(write=True) as session:
            session.add(OrderItem(**item, position=0, quantity=1, unit_price=Decimal(1)))

        assert client.delete(f"/products/{product['id']}").json()["code"] == "product_in_use"

    def test_a_product_with_movements_stays(self, client: Client, database: Database) -> None:
        product = created(client, stock=7)
        with database.transaction(write=True) as session:  # as the previous version does: a trigger writes the movement
            session.execute(sa.update(Product).where(Product.id == product["id"]).values(stock=8))

        response = client.delete(f"/products/{product['id']}")

        assert response.status_code == 422
        assert response.json()["error"] == "Pallet has stock movements. Set isActive to false instead."
        assert len(audited(database, product["id"])) == 1
