"""Inventory movements and adjustments (contract, section 9.3), over HTTP on both databases."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db import Database
from app.services import movements
from models import (
    COUNT_REASONS,
    DECREASING_REASONS,
    INCREASING_REASONS,
    MAX_STOCK,
    SERVER_REASONS,
    AuditEntry,
    Event,
    InventoryMovement,
    MovementReason,
    Product,
    Scope,
    StoredResponse,
    new_id,
)
from tests.support import factories
from tests.support.client import Client, Contract, refusals
from tests.support.company import Company
from tests.support.factories import Tenant
from tests.support.servers import Server

AT = datetime(2026, 4, 16, 14, 22, tzinfo=UTC)
ORDER = f"c{1:024}"
EITHER_REASONS = {*MovementReason} - INCREASING_REASONS - DECREASING_REASONS - SERVER_REASONS
REASONS = (
    "reason must be one of RECEIVED, RETURNED, DAMAGED, LOST, STOLEN, EXPIRED, SAMPLE, INTERNAL_USE, VENDOR_RETURN,"
    " COUNT, CORRECTION, OTHER"
)


class Warehouse(Company):
    """A company, and methods to create what a test needs."""

    def insert(self, product_id: str, *rows: dict[str, Any]) -> list[str]:
        """Insert movements as they are, one minute apart from AT on; return their ids."""
        inserted = [
            {
                "id": new_id(AT + number * timedelta(minutes=1)),
                "company_id": self.tenant.company_id,
                "product_id": product_id,
                "sequence": number + 1,
                "reason": MovementReason.OTHER,
                "delta": 1,
                "stock_before": 0,
                "stock_after": 1,
                "reference": None,
                "order_id": None,
                "actor_type": "USER",
                "actor_id": "tester",
                "created_at": AT + number * timedelta(minutes=1),
                **fields,
            }
            for number, fields in enumerate(rows)
        ]
        with self.database.transaction(write=True) as session:
            session.connection().execute(movements.TABLE.insert(), inserted)
        return [str(row["id"]) for row in inserted]

    def adjust(self, product_id: str, key: str | None = None, **body: Any) -> Any:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.client.post(f"/products/{product_id}/inventory-adjustments", json=body, headers=headers)

    def shown(self, product_id: str) -> dict[str, Any]:
        product: dict[str, Any] = self.client.get(f"/products/{product_id}").json()["data"]
        return product

    def stock(self, product_id: str) -> int:
        return int(self.shown(product_id)["stock"])

    def events(self, product_id: str) -> list[dict[str, Any]]:
        with self.database.transaction() as session:
            rows = session.query(Event).filter(Event.entity_id == product_id).order_by(Event.sequence).all()
            return [json.loads(row.payload) for row in rows]

    def entries(self, product_id: str) -> list[AuditEntry]:
        with self.database.transaction() as session:
            entries = session.query(AuditEntry).filter(AuditEntry.entity_id == product_id)
            return entries.order_by(AuditEntry.created_at, AuditEntry.id).all()

    def counts(self) -> list[int]:
        models = (InventoryMovement, Event, AuditEntry)
        return [self.count(model) for model in models]

    def listed(self, path: str, **query: Any) -> list[str]:
        return [movement["id"] for movement in self.client.get(path, params=query).raise_for_status().json()["data"]]


@pytest.fixture
def warehouse(client: Client, tenant: Tenant, database: Database) -> Warehouse:
    return Warehouse(client, tenant, database)


@pytest.fixture
def others(server: Server, database: Database, contract: Contract) -> Iterator[Warehouse]:
    """Return the warehouse of another company."""
    tenant = factories.tenant(database)
    with Client(server.url, tenant.key, contract) as client:
        yield Warehouse(client, tenant, database)


def error(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["error"])


class TestGetInventoryMovement:
    def test_returns_exactly_the_members_of_the_contract(self, warehouse: Warehouse) -> None:
        product, order = warehouse.product(), new_id(AT)
        fields = {"reason": "SALE", "delta": -3, "stock_before": 10, "stock_after": 7, "order_id": order}
        (movement,) = warehouse.insert(product, {**fields, "reference": "DN-1", "note": "Dock B.", "request_id": "r-1"})

        assert warehouse.client.get(f"/inventory-movements/{movement}").json() == {
            "data": {
                "id": movement,
                "productId": product,
                "delta": -3,
                "stockBefore": 10,
                "stockAfter": 7,
                "reason": "SALE",
                "reference": "DN-1",
                "note": "Dock B.",
                "orderId": order,
                "returnId": None,
                "actorType": "USER",
                "actorId": "tester",
                "requestId": "r-1",
                "createdAt": "2026-04-16T14:22:00.000Z",
            }
        }

    def test_an_unknown_id_and_one_of_another_company_are_404(self, warehouse: Warehouse, others: Warehouse) -> None:
        (foreign,) = others.insert(others.product(), {})

        for movement in (foreign, "c" + "0" * 24, "nope", "x" * 200):
            assert error(warehouse.client.get(f"/inventory-movements/{movement}"), 404) == "Movement not found."


class TestListInventoryMovements:
    def test_the_movements_of_all_products_are_listed_newest_first(self, warehouse: Warehouse) -> None:
        product = warehouse.product(created_at=AT - timedelta(days=1))
        ids = warehouse.insert(product, {}, {}, {})

        opening = warehouse.listed("/inventory-movements", reason="OPENING")

        assert len(opening) == 1
        assert warehouse.listed("/inventory-movements") == [*reversed(ids), *opening]

    def test_pages_are_complete(self, warehouse: Warehouse) -> None:
        same_time = [{"created_at": AT}] * 5
        product = warehouse.product(created_at=AT - timedelta(days=1))
        warehouse.insert(product, *same_time, {}, {})

        for path in ("/inventory-movements", f"/products/{product}/inventory-movements"):
            walked = [movement["id"] for movement in warehouse.client.walk(path, limit=2)]
            assert walked == warehouse.listed(path)
            assert len(walked) == 8

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"reason": "SALE"}, {1, 2}),
            ({"reference": "DN-1"}, {0, 1}),
            ({"reference": "  DN-1 "}, {0, 1}),
            ({"reference": "dn-1"}, set()),
            ({"reference": ""}, set()),
            ({"reference": "Cafe\u0301"}, {3}),
            ({"orderId": ORDER}, {1, 2}),
            ({"orderId": "unknown"}, set()),
            ({"since": "2026-04-16T14:24:00.000Z"}, {2, 3}),
            ({"since": "2026-04-16T14:24:00.001Z"}, {3}),
            ({"until": "2026-04-16T14:23:00.000Z"}, {0, 1}),
            ({"until": "2026-04-16T14:22:59.999Z"}, {0}),
            ({"reason": "SALE", "reference": "DN-1", "orderId": ORDER, "since": "2026-04-16"}, {1}),
        ],
        ids=str,
    )
    def test_filters_select_matching_movements(
        self, warehouse: Warehouse, query: dict[str, str], expected: set[int]
    ) -> None:
        product = warehouse.product(created_at=AT - timedelta(days=1))
        ids = warehouse.insert(
            product,
            {"reference": "DN-1"},
            {"reference": "DN-1", "reason": "SALE", "order_id": ORDER},
            {"reason": "SALE", "order_id": ORDER},
            {"reference": "Caf\u00e9"},
        )

        for path in ("/inventory-movements", f"/products/{product}/inventory-movements"):
            listed = warehouse.listed(path, **query)
            assert {number for number, id_ in enumerate(ids) if id_ in listed} == expected

    def test_a_product_filter_and_the_list_of_a_product_return_the_same(self, warehouse: Warehouse) -> None:
        one, two = warehouse.product(), warehouse.product()
        warehouse.insert(one, {}, {})
        warehouse.insert(two, {})

        of_one = warehouse.listed(f"/products/{one}/inventory-movements")

        assert len(of_one) == 3
        assert warehouse.listed("/inventory-movements", productId=one) == of_one
        assert warehouse.listed("/inventory-movements", productId="unknown") == []

    def test_the_movements_of_another_company_are_not_listed(self, warehouse: Warehouse, others: Warehouse) -> None:
        foreign = others.product()
        others.insert(foreign, {"reference": "DN-1"})

        assert warehouse.listed("/inventory-movements") == []
        assert warehouse.listed("/inventory-movements", productId=foreign) == []
        assert warehouse.listed("/inventory-movements", reference="DN-1") == []
        path = f"/products/{foreign}/inventory-movements"
        assert error(warehouse.client.get(path), 404) == "Product not found."

    def test_the_opening_row_of_a_deleted_product_stays_in_the_list(self, warehouse: Warehouse) -> None:
        product = warehouse.product()
        opening = warehouse.listed(f"/products/{product}/inventory-movements")
        with warehouse.database.transaction(write=True) as session:
            session.delete(session.get_one(Product, product))

        assert warehouse.listed("/inventory-movements", productId=product) == opening
        assert warehouse.client.get(f"/inventory-movements/{opening[0]}").status_code == 200
        assert error(warehouse.client.get(f"/products/{product}/inventory-movements"), 404) == "Product not found."

    def test_an_unknown_product_in_the_path_is_404(self, warehouse: Warehouse) -> None:
        response = warehouse.client.get("/products/unknown/inventory-movements")

        assert error(response, 404) == "Product not found."

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"reason": "STOLE"}, "reason must be one of RECEIVED, RETURNED, DAMAGED"),
            ({"since": "yesterday"}, "since must be a date or a time in ISO 8601"),
            ({"until": "2026-02-30"}, "until must be a date or a time in ISO 8601"),
            ({"limit": "x"}, "limit must be a whole number"),
            ({"cursor": "unknown"}, "Invalid cursor."),
            ({"reference": "x" * 256}, "reference must be at most 255 characters"),
            ({"sku": "x"}, "sku is not a known parameter"),
        ],
    )
    def test_an_invalid_parameter_is_400(self, warehouse: Warehouse, query: dict[str, str], message: str) -> None:
        for path in ("/inventory-movements", f"/products/{warehouse.product()}/inventory-movements"):
            response = warehouse.client.get(path, params=query)

            assert error(response, 400).startswith(message)
            assert response.json()["details"][0]["pointer"] == f"/query/{next(iter(query))}"

    def test_the_list_of_a_product_has_no_product_filter(self, warehouse: Warehouse) -> None:
        response = warehouse.client.get(f"/products/{warehouse.product()}/inventory-movements?productId=x")

        assert error(response, 400) == "productId is not a known parameter"

    def test_every_read_requires_the_scope(self, warehouse: Warehouse, anonymous: Client) -> None:
        company_id = warehouse.tenant.company_id
        _, key = factories.api_key(warehouse.database, company_id, scopes=[Scope.PRODUCTS_WRITE])

        for path in ("/inventory-movements", "/inventory-movements/x", "/products/x/inventory-movements"):
            response = anonymous.get(path, headers={"Authorization": f"Bearer {key}"})
            assert "products:read" in error(response, 403)


class TestCreateInventoryAdjustment:
    def test_returns_the_movement(self, warehouse: Warehouse) -> None:
        product = warehouse.product(stock=128)

        response = warehouse.adjust(
            product, delta=40, reason="RECEIVED", expectedStock=128, reference="  Cafe\u0301 ", note=" Two pallets. "
        )

        data = response.json()["data"]
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/inventory-movements/{data['id']}"
        assert data == {
            "id": data["id"],
            "productId": product,
            "delta": 40,
            "stockBefore": 128,
            "stockAfter": 168,
            "reason": "RECEIVED",
            "reference": "Caf\u00e9",
            "note": " Two pallets. ",
            "orderId": None,
            "returnId": None,
            "actorType": "API_KEY",
            "actorId": warehouse.tenant.key_id,
            "requestId": response.headers["x-request-id"],
            "createdAt": data["createdAt"],
        }
        assert warehouse.client.get(response.headers["location"].removeprefix("/api/v1")).json() == response.json()
        assert warehouse.shown(product)["stock"] == 168
        assert warehouse.shown(product)["updatedAt"] == data["createdAt"]
        assert warehouse.listed("/inventory-movements", reference=" Caf\u00e9") == [data["id"]]

    def test_optional_members_can_be_absent_or_null_or_empty(self, warehouse: Warehouse) -> None:
        product = warehouse.product()

        given: list[dict[str, Any]] = [
            {},
            {"expectedStock": None, "reference": None, "note": None},
            {"reference": "  ", "note": ""},
        ]
        for fields in given:
            data = warehouse.adjust(product, delta=1, reason="OTHER", **fields).json()["data"]
            assert (data["reference"], data["note"] or None) == (None, None)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"delta": 1}, "reason is required"),
            ({"reason": "OTHER"}, "delta or countedStock is required"),
            ({"reason": "COUNT", "delta": None}, "delta must be a number"),
            ({"reason": "COUNT", "countedStock": None}, "countedStock must be a number"),
            ({"reason": "COUNT", "delta": 1, "countedStock": 1}, "countedStock is not allowed together with delta"),
            ({"reason": "OTHER", "delta": 0}, "delta must not be 0"),
            ({"reason": "OTHER", "delta": "1"}, "delta must be a number"),
            ({"reason": "OTHER", "delta": 1.5}, "delta must be a whole number"),
            ({"reason": "OTHER", "delta": 1_000_001}, "delta must be at most 1000000"),
            ({"reason": "OTHER", "delta": -1_000_001}, "delta must be at least -1000000"),
            ({"reason": "COUNT", "countedStock": -1}, "countedStock must be at least 0"),
            ({"reason": "COUNT", "countedStock": 0.5}, "countedStock must be a whole number"),
            ({"reason": "COUNT", "countedStock": MAX_STOCK + 1}, "countedStock must be at most 1000000000000"),
            ({"reason": "OTHER", "delta": 1, "expectedStock": -1}, "expectedStock must be at least 0"),
            ({"reason": "OTHER", "delta": 1, "expectedStock": "1"}, "expectedStock must be a number"),
            ({"reason": "OTHER", "delta": 1, "reference": "x" * 256}, "reference must be at most 255 characters"),
            ({"reason": "OTHER", "delta": 1, "reference": "\ufb2c" * 86}, "reference must be at most 255 characters"),
            ({"reason": "OTHER", "delta": 1, "note": "x" * 501}, "note must be at most 500 characters"),
            ({"reason": "OTHER", "delta": 1, "stock": 1}, "stock is not a known field"),
            ({"reason": "Other", "delta": 1}, REASONS),
            ({"reason": None, "delta": 1}, "reason must be a string"),
            *(({"reason": reason, "delta": 1}, REASONS) for reason in sorted(SERVER_REASONS)),
        ],
    )
    def test_every_rule_of_the_body_has_its_message(
        self, warehouse: Warehouse, body: dict[str, Any], message: str
    ) -> None:
        response = warehouse.adjust(warehouse.product(), **body)

        assert error(response, 400) == message
        pointers = [detail["pointer"] for detail in response.json()["details"]]
        assert pointers == ["/" + message.split(maxsplit=1)[0]]

    @pytest.mark.parametrize(
        "body",
        [
            {"reason": "OTHER", "delta": 1_000_000},
            {"reason": "OTHER", "delta": -1_000_000},
            {"reason": "OTHER", "delta": -1},
            {"reason": "OTHER", "delta": 1.0},
            {"reason": "COUNT", "countedStock": MAX_STOCK},
            {"reason": "COUNT", "countedStock": 0},
            {"reason": "OTHER", "delta": 1, "expectedStock": 1_000_000},
            {"reason": "OTHER", "delta": 1, "reference": "x" * 255, "note": "x" * 500},
            {"reason": "OTHER", "delta": 1, "reference": "\ufb2c" * 85, "note": "\U0001f35e" * 500},
        ],
    )
    def test_values_at_the_limits_are_accepted(self, warehouse: Warehouse, body: dict[str, Any]) -> None:
        assert warehouse.adjust(warehouse.product(stock=1_000_000), **body).status_code == 201

    @pytest.mark.parametrize("reason", sorted(INCREASING_REASONS))
    def test_an_increasing_reason_takes_only_a_positive_delta(self, warehouse: Warehouse, reason: str) -> None:
        product = warehouse.product()

        assert warehouse.adjust(product, delta=1, reason=reason).status_code == 201
        response = warehouse.adjust(product, delta=-1, reason=reason)

        assert error(response, 400) == f"delta must be positive for the reason {reason}"
        assert response.json()["details"][0]["pointer"] == "/delta"
        assert warehouse.stock(product) == 11

    @pytest.mark.parametrize("reason", sorted(DECREASING_REASONS))
    def test_a_decreasing_reason_takes_only_a_negative_delta(self, warehouse: Warehouse, reason: str) -> None:
        product = warehouse.product()

        assert warehouse.adjust(product, delta=-1, reason=reason).status_code == 201
        response = warehouse.adjust(product, delta=1, reason=reason)

        assert error(response, 400) == f"delta must be negative for the reason {reason}"
        assert response.json()["details"][0]["pointer"] == "/delta"
        assert warehouse.stock(product) == 9

    @pytest.mark.parametrize("reason", sorted(EITHER_REASONS))
    def test_the_other_reasons_take_both_directions(self, warehouse: Warehouse, reason: str) -> None:
        product = warehouse.product()

        assert [warehouse.adjust(product, delta=delta, reason=reason).status_code for delta in (-3, 5)] == [201, 201]
        assert warehouse.stock(product) == 12

    @pytest.mark.parametrize("reason", sorted({*MovementReason} - SERVER_REASONS))
    def test_a_counted_stock_takes_only_a_count_or_a_correction(self, warehouse: Warehouse, reason: str) -> None:
        response = warehouse.adjust(warehouse.product(), countedStock=7, reason=reason)

        if reason in COUNT_REASONS:
            assert response.json()["data"]["delta"] == -3
        else:
            assert error(response, 400) == "countedStock is allowed only with the reasons COUNT and CORRECTION"

    def test_a_counted_stock_becomes_the_stock(self, warehouse: Warehouse) -> None:
        product = warehouse.product()

        deltas = [
            warehouse.adjust(product, countedStock=stock, reason="COUNT").json()["data"]["delta"]
            for stock in (17, 17, 0)
        ]

        assert deltas == [7, 0, -17]
        assert warehouse.stock(product) == 0

    def test_a_count_that_agrees_is_recorded_and_changes_nothing(self, warehouse: Warehouse) -> None:
        product = warehouse.product(stock=3)
        before = warehouse.shown(product)

        data = warehouse.adjust(product, countedStock=3, reason="COUNT").json()["data"]

        assert (data["delta"], data["stockBefore"], data["stockAfter"]) == (0, 3, 3)
        assert warehouse.shown(product) == before
        assert warehouse.events(product) == []
        assert [entry.action for entry in warehouse.entries(product)] == ["inventory.adjusted"]
        assert warehouse.listed(f"/products/{product}/inventory-movements")[0] == data["id"]

    def test_an_expected_stock_that_differs_refuses_the_adjustment(self, warehouse: Warehouse) -> None:
        product = warehouse.product(stock=7)
        before = warehouse.counts()

        for field in ("delta", "countedStock"):
            body: dict[str, Any] = {"expectedStock": 10, "reason": "COUNT", field: 5}
            assert refusals(warehouse.adjust(product, **body)) == [
                {
                    "pointer": "/expectedStock",
                    "code": "stock_changed",
                    "message": "Stock has changed. Expected 10, found 7.",
                    "found": 7,
                }
            ]
        assert warehouse.counts() == before
        assert warehouse.adjust(product, delta=-7, expectedStock=7, reason="COUNT").status_code == 201
        assert warehouse.adjust(product, delta=1, expectedStock=0, reason="COUNT").status_code == 201

    def test_stock_never_falls_below_zero(self, warehouse: Warehouse) -> None:
        product = warehouse.product(name="Widget Blue", stock=3)
        before = warehouse.counts()

        assert refusals(warehouse.adjust(product, delta=-4, reason="LOST")) == [
            {
                "pointer": "/delta",
                "code": "insufficient_stock",
                "message": "Not enough stock for Widget Blue. Only 3 available.",
                "available": 3,
            }
        ]
        assert warehouse.counts() == before
        assert warehouse.adjust(product, delta=-3, reason="LOST").json()["data"]["stockAfter"] == 0

    def test_stock_has_a_maximum(self, warehouse: Warehouse) -> None:
        product = warehouse.product(name="Widget Blue", stock=MAX_STOCK - 5)

        assert refusals(warehouse.adjust(product, delta=6, reason="RECEIVED")) == [
            {
                "pointer": "/delta",
                "code": "stock_too_large",
                "message": "The stock of Widget Blue must be at most 1000000000000.",
            }
        ]
        assert warehouse.adjust(product, delta=5, reason="RECEIVED").json()["data"]["stockAfter"] == MAX_STOCK

    def test_stock_above_the_maximum_can_be_reduced(self, warehouse: Warehouse) -> None:
        product = warehouse.product(stock=MAX_STOCK + 5)

        assert warehouse.adjust(product, delta=-1, reason="LOST").json()["data"]["stockAfter"] == MAX_STOCK + 4

    def test_an_inactive_product_can_be_adjusted(self, warehouse: Warehouse) -> None:
        assert warehouse.adjust(warehouse.product(is_active=False), delta=1, reason="RETURNED").status_code == 201

    def test_an_adjustment_is_audited(self, warehouse: Warehouse) -> None:
        product = warehouse.product()

        movement = warehouse.adjust(product, delta=-4, reason="STOLEN").json()["data"]

        (entry,) = warehouse.entries(product)
        assert (entry.action, entry.entity_type, entry.actor_id) == (
            "inventory.adjusted",
            "product",
            warehouse.tenant.key_id,
        )
        assert entry.details == {
            "movementId": movement["id"],
            "reason": "STOLEN",
            "before": {"stock": 10},
            "after": {"stock": 6},
        }

    def test_an_adjustment_sends_the_product(self, warehouse: Warehouse) -> None:
        product = warehouse.product(stock=10, low_stock_threshold=4)

        warehouse.adjust(product, delta=-1, reason="SAMPLE")

        (event,) = warehouse.events(product)
        assert event["event"] == "product.updated"
        assert event["data"] == {**warehouse.shown(product), "changed": ["stock"]}

    @pytest.mark.parametrize(
        ("stock", "body", "low"),
        [
            (6, {"delta": -1, "reason": "LOST"}, 1),
            (6, {"countedStock": 0, "reason": "COUNT"}, 1),
            (7, {"delta": -1, "reason": "LOST"}, 0),
            (5, {"delta": -1, "reason": "LOST"}, 0),
            (0, {"delta": 5, "reason": "RECEIVED"}, 0),
        ],
        ids=str,
    )
    def test_stock_that_falls_to_its_threshold_is_reported(
        self, warehouse: Warehouse, stock: int, body: dict[str, Any], low: int
    ) -> None:
        product = warehouse.product(stock=stock, low_stock_threshold=5)

        after = warehouse.adjust(product, **body).json()["data"]["stockAfter"]

        events = warehouse.events(product)
        assert [event["event"] for event in events] == ["product.updated", *["product.low_stock"] * low]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        assert {event["data"]["stock"] for event in events} == {after}

    def test_the_movements_of_a_product_form_a_chain(self, warehouse: Warehouse) -> None:
        product = warehouse.product(stock=0)
        for delta in (5, -2, 9, -12):
            warehouse.adjust(product, delta=delta, reason="CORRECTION")

        with warehouse.database.transaction() as session:
            rows = session.query(InventoryMovement).filter_by(product_id=product)
            chain = rows.order_by(InventoryMovement.sequence).all()
        assert [row.sequence for row in chain] == [0, 1, 2, 3, 4]
        assert [row.stock_before for row in chain[1:]] == [row.stock_after for row in chain[:-1]]
        assert [row.id for row in reversed(chain)] == warehouse.listed(f"/products/{product}/inventory-movements")
        assert sum(row.delta for row in chain) == warehouse.stock(product) == 0

    def test_an_unknown_product_and_one_of_another_company_are_404(
        self, warehouse: Warehouse, others: Warehouse
    ) -> None:
        foreign = others.product()

        for product in (foreign, "unknown", "x" * 200):
            response = warehouse.adjust(product, delta=1, reason="OTHER")
            assert error(response, 404) == "Product not found."
        assert others.stock(foreign) == 10

    def test_the_idempotency_key_is_required(self, warehouse: Warehouse) -> None:
        product = warehouse.product()

        response = warehouse.client.post(
            f"/products/{product}/inventory-adjustments", json={"delta": 1, "reason": "OTHER"}
        )

        assert error(response, 400) == "Idempotency-Key is required"
        assert response.json()["code"] == "idempotency_key_required"
        assert response.json()["details"][0]["pointer"] == "/header/Idempotency-Key"
        assert warehouse.stock(product) == 10

    def test_a_repeated_request_acts_once(self, warehouse: Warehouse) -> None:
        product = warehouse.product()

        first, second = (warehouse.adjust(product, "key", delta=5, reason="RECEIVED") for _ in range(2))

        assert first.json() == second.json()
        assert first.headers["location"] == second.headers["location"]
        assert second.headers["idempotency-replayed"] == "true"
        assert warehouse.stock(product) == 15
        assert error(warehouse.adjust(product, "key", delta=6, reason="RECEIVED"), 422).startswith("This Idempotency")

    def test_a_refusal_is_replayed_and_a_validation_error_is_not_stored(self, warehouse: Warehouse) -> None:
        product = warehouse.product()
        refused = warehouse.adjust(product, "refused", delta=-11, reason="LOST")
        invalid = warehouse.adjust(product, "invalid", delta=11, reason="LOST")
        warehouse.adjust(product, delta=100, reason="RECEIVED")

        assert warehouse.adjust(product, "refused", delta=-11, reason="LOST").json() == refused.json()
        assert invalid.status_code == 400
        assert warehouse.adjust(product, "invalid", delta=-11, reason="LOST").status_code == 201
        assert factories.count(warehouse.database, StoredResponse, warehouse.tenant.company_id) == 3

    def test_the_scope_is_required(self, warehouse: Warehouse, anonymous: Client) -> None:
        product = warehouse.product()
        _, key = factories.api_key(warehouse.database, warehouse.tenant.company_id, scopes=[Scope.PRODUCTS_READ])

        response = anonymous.post(
            f"/products/{product}/inventory-adjustments",
            json={"delta": 1, "reason": "OTHER"},
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": "x"},
        )

        assert "products:write" in error(response, 403)
