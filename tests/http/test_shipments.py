"""Shipments (contract, section 9.7), over HTTP on both databases."""

import json
import uuid
from typing import Any

import httpx
import pytest

from app.db import Database
from models import AuditEntry, Event, OrderStatus, Shipment
from tests.support import factories
from tests.support.client import Client, Contract, messages, refusals
from tests.support.company import Company
from tests.support.factories import Tenant, order_body

STEPS = {
    "SUBMITTED": [],
    "CONFIRMED": ["CONFIRMED"],
    "SHIPPED": ["CONFIRMED", "SHIPPED"],
    "DELIVERED": ["CONFIRMED", "SHIPPED", "DELIVERED"],
    "CANCELLED": ["CANCELLED"],
}
URL = "https://tracking.example/NF-1?lang=en#map"


class ShippingCompany(Company):
    """A company that ships orders."""

    def order(self, *quantities: int, status: str = "CONFIRMED") -> dict[str, Any]:
        """Place an order with an item of these quantities each, and move it to a status."""
        customer = factories.customer(self.database, self.tenant.company_id)
        names = [f"Tea {number}" for number in range(len(quantities))]
        items = [(self.product(name=name, stock=stock), stock) for name, stock in zip(names, quantities, strict=True)]
        order = self.client.post("/orders", json=order_body(customer, *items)).json()["data"]
        for step in STEPS[status]:
            order = self.client.patch(f"/orders/{order['id']}", json={"status": step}).json()["data"]
        return dict(order)

    def get(self, order: dict[str, Any]) -> dict[str, Any]:
        return dict(self.client.get(f"/orders/{order['id']}").json()["data"])

    def ship(self, order: dict[str, Any], *quantities: int, key: str | None = None, **fields: Any) -> httpx.Response:
        """Create a shipment with the quantities of the first items, or of everything that is left if there are none."""
        items = [
            {"orderItemId": item["id"], "quantity": quantity}
            for item, quantity in zip(order["items"], quantities, strict=False)
            if quantity
        ]
        body = {"items": items, **fields} if items else fields
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(f"/orders/{order['id']}/shipments", json=body, headers=headers)

    def shipped(self, order: dict[str, Any], *quantities: int, **fields: Any) -> dict[str, Any]:
        response = self.ship(order, *quantities, **fields)
        assert response.status_code == 201, response.text
        return dict(response.json()["data"])

    def update(self, shipment: dict[str, Any], **fields: Any) -> httpx.Response:
        return self.client.patch(f"/orders/{shipment['orderId']}/shipments/{shipment['id']}", json=fields)

    def events(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        with self.database.transaction() as session:
            rows = session.query(Event).filter_by(entity_id=order["id"]).order_by(Event.sequence).all()
            return [json.loads(row.payload) for row in rows]

    def audited(self, order: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        with self.database.transaction() as session:
            rows = session.query(AuditEntry).filter_by(entity_id=order["id"], entity_type="order")
            return [(row.action, row.details) for row in rows.order_by(AuditEntry.created_at, AuditEntry.id)]


@pytest.fixture
def warehouse(client: Client, tenant: Tenant, database: Database) -> ShippingCompany:
    return ShippingCompany(client, tenant, database)


def quantities(shipment: dict[str, Any]) -> list[int]:
    return [item["quantity"] for item in shipment["items"]]


class TestCreateShipment:
    def test_returns_the_members_of_the_contract(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5, 3)

        response = warehouse.ship(
            order,
            2,
            3,
            carrier=" Northway ",
            trackingNumbers=[" NF-1 ", "NF-2", "NF-1"],
            trackingUrl=URL,
            shippedAt="2026-04-17T06:30:00.1239+02:00",
        )

        data = response.json()["data"]
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/orders/{order['id']}/shipments/{data['id']}"
        assert data == {
            "id": data["id"],
            "orderId": order["id"],
            "items": [
                {"orderItemId": order["items"][0]["id"], "quantity": 2},
                {"orderItemId": order["items"][1]["id"], "quantity": 3},
            ],
            "carrier": "Northway",
            "trackingNumbers": ["NF-1", "NF-2"],
            "trackingUrl": URL,
            "shippedAt": "2026-04-17T04:30:00.123Z",
            "createdAt": data["createdAt"],
            "updatedAt": data["createdAt"],
        }
        assert warehouse.client.get(response.headers["location"].removeprefix("/api/v1")).json() == response.json()
        assert warehouse.get(order)["shipments"] == [data]

    def test_every_member_is_optional(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5, 3)

        data = warehouse.client.post(f"/orders/{order['id']}/shipments").json()["data"]

        assert quantities(data) == [5, 3]
        assert (data["carrier"], data["trackingNumbers"], data["trackingUrl"]) == (None, [], None)
        assert data["shippedAt"] == data["createdAt"]
        null = {"carrier": None, "trackingNumbers": None, "trackingUrl": None, "shippedAt": None}
        other = warehouse.shipped(warehouse.order(1), **null)
        assert (other["carrier"], other["trackingNumbers"], other["trackingUrl"]) == (None, [], None)
        assert other["shippedAt"] == other["createdAt"]

    def test_without_items_it_contains_what_is_left(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5, 3, 2)
        warehouse.shipped(order, 2, 3)

        data = warehouse.shipped(order, carrier="Northway")

        assert [(item["orderItemId"], item["quantity"]) for item in data["items"]] == [
            (order["items"][0]["id"], 3),
            (order["items"][2]["id"], 2),
        ]
        assert refusals(warehouse.ship(order)) == [
            {
                "pointer": "",
                "code": "nothing_to_ship",
                "message": "Nothing is left to ship. The shipments of the order contain all of its items.",
            }
        ]

    def test_items_are_in_the_order_of_the_request(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5, 3)
        items = [{"orderItemId": item["id"], "quantity": 1} for item in reversed(order["items"])]

        data = warehouse.client.post(f"/orders/{order['id']}/shipments", json={"items": items}).json()["data"]

        assert data["items"] == items
        assert warehouse.get(order)["shipments"][0]["items"] == items

    def test_exactly_the_ordered_quantity_can_be_shipped(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5, 3)
        warehouse.shipped(order, 2)

        refused = refusals(warehouse.ship(order, 4, 4))
        assert refused == [
            {
                "pointer": "/items/0/quantity",
                "code": "shipment_quantity_exceeded",
                "message": "Only 3 of Tea 0 can still be shipped.",
                "left": 3,
            },
            {
                "pointer": "/items/1/quantity",
                "code": "shipment_quantity_exceeded",
                "message": "Only 3 of Tea 1 can still be shipped.",
                "left": 3,
            },
        ]
        assert quantities(warehouse.shipped(order, 3, 3)) == [3, 3]
        assert refusals(warehouse.ship(order, 1))[0]["left"] == 0

    def test_several_items_of_a_product_are_shipped_separately(self, warehouse: ShippingCompany) -> None:
        product = warehouse.product(stock=10)
        customer = factories.customer(warehouse.database, warehouse.tenant.company_id)
        order = warehouse.client.post("/orders", json=order_body(customer, (product, 1), (product, 2))).json()["data"]
        warehouse.client.patch(f"/orders/{order['id']}", json={"status": "CONFIRMED"})

        assert refusals(warehouse.ship(order, 2))[0]["left"] == 1
        assert quantities(warehouse.shipped(order, 1, 2)) == [1, 2]

    @pytest.mark.parametrize("status", OrderStatus)
    def test_only_confirmed_and_shipped_orders_can_be_shipped(self, warehouse: ShippingCompany, status: str) -> None:
        order = warehouse.order(5, status=status)

        response = warehouse.ship(order, 1)

        if status in {"CONFIRMED", "SHIPPED"}:
            assert response.status_code == 201
        else:
            assert refusals(response) == [
                {
                    "pointer": "",
                    "code": "order_not_shippable",
                    "message": f"Order cannot be shipped while {status}.",
                    "currentStatus": status,
                }
            ]
            assert warehouse.get(order) == order
            assert warehouse.count(Shipment) == 0

    def test_every_reason_is_reported(self, warehouse: ShippingCompany) -> None:
        order, other = warehouse.order(5, status="SUBMITTED"), warehouse.order(5)
        item, foreign = order["items"][0]["id"], other["items"][0]["id"]
        items = [{"orderItemId": name, "quantity": 6} for name in (foreign, item, "unknown")]

        response = warehouse.client.post(f"/orders/{order['id']}/shipments", json={"items": items})

        assert [(detail["pointer"], detail["code"]) for detail in refusals(response)] == [
            ("", "order_not_shippable"),
            ("/items/0/orderItemId", "order_item_not_found"),
            ("/items/1/quantity", "shipment_quantity_exceeded"),
            ("/items/2/orderItemId", "order_item_not_found"),
        ]
        assert refusals(response)[1]["message"] == "Order item not found."

    def test_an_item_that_is_named_twice_is_rejected(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5, 3)
        one, two = (item["id"] for item in order["items"])
        items = [{"orderItemId": name, "quantity": 1} for name in (one, two, one, two, one)]

        response = warehouse.client.post(f"/orders/{order['id']}/shipments", json={"items": items})

        advice = "send one item with the sum of the quantities"
        assert messages(response) == [
            ("/items/2/orderItemId", f"orderItemId is the same as in /items/0: {advice}"),
            ("/items/3/orderItemId", f"orderItemId is the same as in /items/1: {advice}"),
            ("/items/4/orderItemId", f"orderItemId is the same as in /items/0: {advice}"),
        ]

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"items": []}, "/items", "At least one item is required"),
            ({"items": None}, "/items", "items must be a list"),
            ({"items": [{"quantity": 1}]}, "/items/0/orderItemId", "orderItemId is required"),
            ({"items": [{"orderItemId": "x"}]}, "/items/0/quantity", "quantity is required"),
            (
                {"items": [{"orderItemId": "x", "quantity": 0}]},
                "/items/0/quantity",
                "quantity must be at least 1",
            ),
            (
                {"items": [{"orderItemId": "x", "quantity": 1.5}]},
                "/items/0/quantity",
                "quantity must be a whole number",
            ),
            (
                {"items": [{"orderItemId": "x", "quantity": 1_000_001}]},
                "/items/0/quantity",
                "quantity must be at most 1000000",
            ),
            ({"carrier": "x" * 101}, "/carrier", "carrier must be at most 100 characters"),
            ({"carrier": "a\u0007"}, "/carrier", "carrier must not contain control characters"),
            ({"trackingNumbers": ["1"] * 21}, "/trackingNumbers", "trackingNumbers must have at most 20 items"),
            (
                {"trackingNumbers": [" "]},
                "/trackingNumbers/0",
                "trackingNumbers must not be empty, and must not contain control characters",
            ),
            (
                {"trackingUrl": "ftp://tracking.example/"},
                "/trackingUrl",
                "trackingUrl must be an http or https URL, with special characters percent-encoded",
            ),
            (
                {"trackingUrl": f"https://t.example/{'x' * 2031}"},
                "/trackingUrl",
                "trackingUrl must be at most 2048 characters",
            ),
            ({"shippedAt": "yesterday"}, "/shippedAt", "shippedAt must be a date or a time in ISO 8601"),
            ({"shippedAt": "2026-02-30"}, "/shippedAt", "shippedAt must be a date or a time in ISO 8601"),
            ({"weight": 1}, "/weight", "weight is not a known field"),
        ],
    )
    def test_invalid_members_are_rejected(
        self, warehouse: ShippingCompany, fields: dict[str, Any], pointer: str, message: str
    ) -> None:
        response = warehouse.client.post("/orders/x/shipments", json=fields)

        assert messages(response) == [(pointer, message)]

    def test_the_longest_members_are_stored(self, warehouse: ShippingCompany) -> None:
        longest = {
            "carrier": "\N{PACKAGE}" * 100,
            "trackingNumbers": [f"{number:\u0041>100}" for number in range(20)],
            "trackingUrl": f"https://t.example/{'x' * 2030}",
        }

        made = warehouse.shipped(warehouse.order(1), **longest)

        assert {name: made[name] for name in longest} == longest

    @pytest.mark.parametrize(
        ("text", "stored"),
        [
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
            ("2026-04-17 06:30", "2026-04-17T06:30:00.000Z"),
        ],
    )
    def test_it_can_have_left_at_any_time(self, warehouse: ShippingCompany, text: str, stored: str) -> None:
        assert warehouse.shipped(warehouse.order(1), shippedAt=text)["shippedAt"] == stored

    def test_the_first_shipment_moves_the_order(self, warehouse: ShippingCompany, contract: Contract) -> None:
        order = warehouse.order(5)

        made = warehouse.shipped(order, 2, carrier="Northway")

        after = warehouse.get(order)
        assert after["status"] == "SHIPPED"
        assert order["updatedAt"] < after["updatedAt"] == made["createdAt"]
        *_, changed, shipped = warehouse.events(order)
        assert [event["event"] for event in (changed, shipped)] == ["order.status_changed", "order.shipped"]
        assert shipped["data"] == {**changed["data"], "shipments": [made]}
        contract.check_event(shipped)
        assert "shipments" not in changed["data"]
        assert warehouse.audited(order)[-2:] == [
            (
                "order.shipped",
                {
                    "shipmentId": made["id"],
                    "itemCount": 1,
                    "quantity": 2,
                    "carrier": "Northway",
                    "trackingNumbers": [],
                    "trackingUrl": None,
                    "shippedAt": made["shippedAt"],
                },
            ),
            ("order.status_changed", {"before": "CONFIRMED", "after": "SHIPPED", "restock": False}),
        ]

    @pytest.mark.parametrize("first", ["shipment", "status"])
    def test_a_later_shipment_is_audited_and_has_no_event(self, warehouse: ShippingCompany, first: str) -> None:
        order = warehouse.order(5, status="SHIPPED" if first == "status" else "CONFIRMED")
        if first == "shipment":
            warehouse.shipped(order, 1)
        before, events, entries = warehouse.get(order), warehouse.events(order), warehouse.audited(order)

        made = warehouse.shipped(order, 1)

        after = warehouse.get(order)
        assert after["status"] == "SHIPPED"
        assert before["updatedAt"] < after["updatedAt"]
        assert after["shipments"] == [*before["shipments"], made]
        assert warehouse.events(order) == events
        assert [action for action, _ in warehouse.audited(order)[len(entries) :]] == ["order.shipped"]

    def test_a_shipped_order_can_be_delivered_and_not_cancelled(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5)
        made = warehouse.shipped(order, 1)
        path = f"/orders/{order['id']}"

        assert refusals(warehouse.client.patch(path, json={"status": "CANCELLED"}))[0]["currentStatus"] == "SHIPPED"
        delivered = warehouse.client.patch(path, json={"status": "DELIVERED"}).json()["data"]
        assert delivered["shipments"] == [made]

    def test_a_shipment_does_not_change_the_stock(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5)
        path = f"/products/{order['items'][0]['productId']}"
        before = warehouse.client.get(path).json()

        warehouse.shipped(order)

        assert warehouse.client.get(path).json() == before

    def test_an_order_has_at_most_100_shipments(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(101)
        made = [warehouse.shipped(order, 1) for _ in range(100)]

        assert refusals(warehouse.ship(order)) == [
            {
                "pointer": "",
                "code": "shipment_limit_reached",
                "message": "Shipment limit reached. An order can have at most 100.",
            }
        ]
        assert warehouse.get(order)["shipments"] == made

    def test_a_duplicate_request_is_replayed(self, warehouse: ShippingCompany) -> None:
        order, key = warehouse.order(5), str(uuid.uuid4())

        first, second = (warehouse.ship(order, 2, key=key) for _ in range(2))

        assert first.json() == second.json()
        assert second.headers["idempotency-replayed"] == "true"
        assert warehouse.get(order)["shipments"] == [first.json()["data"]]
        assert refusals(warehouse.ship(order, 3, key=key))[0]["code"] == "idempotency_key_reused"

    def test_an_unknown_order_is_not_found(self, warehouse: ShippingCompany) -> None:
        response = warehouse.client.post(f"/orders/{'c' + '0' * 24}/shipments", json={})

        assert (response.status_code, response.json()["error"]) == (404, "Order not found.")


class TestListShipments:
    def test_lists_are_newest_first_and_orders_oldest_first(self, warehouse: ShippingCompany) -> None:
        order, other = warehouse.order(5, 5), warehouse.order(1)
        made = [warehouse.shipped(order, 1, number % 2) for number in range(5)]
        warehouse.shipped(other)
        path = f"/orders/{order['id']}/shipments"

        assert list(warehouse.client.walk(path)) == made[::-1]
        assert list(warehouse.client.walk(path, limit=2)) == made[::-1]
        page = warehouse.client.get(path, params={"limit": 2}).json()["pagination"]
        assert page == {"hasMore": True, "nextCursor": made[3]["id"]}
        assert warehouse.get(order)["shipments"] == made

    def test_lists_of_orders_contain_the_shipments_of_each(self, warehouse: ShippingCompany) -> None:
        orders = [warehouse.order(3) for _ in range(4)]
        made = [[warehouse.shipped(order, 1) for _ in range(number)] for number, order in enumerate(orders)]

        listed = {order["id"]: order["shipments"] for order in warehouse.client.walk("/orders", limit=3)}

        assert listed == {order["id"]: shipments for order, shipments in zip(orders, made, strict=True)}

    def test_an_order_without_shipments_has_an_empty_list(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(1)

        response = warehouse.client.get(f"/orders/{order['id']}/shipments")

        assert response.json() == {"data": [], "pagination": {"hasMore": False, "nextCursor": None}}
        assert order["shipments"] == []

    def test_a_cursor_is_a_shipment_of_the_order(self, warehouse: ShippingCompany) -> None:
        order, other = warehouse.order(1), warehouse.order(1)
        warehouse.shipped(order)
        cursor = warehouse.shipped(other)["id"]

        response = warehouse.client.get(f"/orders/{order['id']}/shipments", params={"cursor": cursor})

        assert messages(response) == [("/query/cursor", "Invalid cursor.")]

    def test_an_unknown_order_is_not_found(self, warehouse: ShippingCompany) -> None:
        response = warehouse.client.get(f"/orders/{'c' + '0' * 24}/shipments")

        assert (response.status_code, response.json()["error"]) == (404, "Order not found.")


class TestGetShipment:
    def test_only_a_shipment_of_the_order_is_found(self, warehouse: ShippingCompany) -> None:
        order, other = warehouse.order(1), warehouse.order(1)
        made, foreign = warehouse.shipped(order), warehouse.shipped(other)
        path = f"/orders/{order['id']}/shipments"

        assert warehouse.client.get(f"{path}/{made['id']}").json()["data"] == made
        for shipment_id in (foreign["id"], "unknown"):
            response = warehouse.client.get(f"{path}/{shipment_id}")
            assert (response.status_code, response.json()["error"]) == (404, "Shipment not found.")
        response = warehouse.client.get(f"/orders/unknown/shipments/{made['id']}")
        assert (response.status_code, response.json()["error"]) == (404, "Order not found.")


class TestUpdateShipment:
    def test_changes_carrier_and_tracking(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(5)
        made = warehouse.shipped(order, 2, carrier="Northway", trackingNumbers=["1"], trackingUrl=URL)
        before, events = warehouse.get(order), warehouse.events(order)

        after = warehouse.update(made, carrier=" Southway", trackingNumbers=["2", "2 "]).json()["data"]

        changed = {"carrier": "Southway", "trackingNumbers": ["2"], "updatedAt": after["updatedAt"]}
        assert after == {**made, **changed}
        assert made["updatedAt"] < after["updatedAt"]
        assert warehouse.get(order) == {**before, "shipments": [after], "updatedAt": after["updatedAt"]}
        assert warehouse.events(order) == events
        action, details = warehouse.audited(order)[-1]
        assert action == "order.shipment_updated"
        assert details == {
            "shipmentId": made["id"],
            "before": {name: made[name] for name in changed},
            "after": changed,
        }

    def test_null_clears_and_an_absent_member_is_unchanged(self, warehouse: ShippingCompany) -> None:
        made = warehouse.shipped(warehouse.order(1), carrier="Northway", trackingNumbers=["1"], trackingUrl=URL)

        for name, empty in (("carrier", None), ("trackingNumbers", []), ("trackingUrl", None)):
            after = warehouse.update(made, **{name: None}).json()["data"]
            assert after == {**made, name: empty, "updatedAt": after["updatedAt"]}
            made = after

    def test_an_update_without_a_change_is_not_recorded(self, warehouse: ShippingCompany) -> None:
        order = warehouse.order(1)
        made = warehouse.shipped(order, carrier="Northway", trackingNumbers=["1"])
        before, entries = warehouse.get(order), warehouse.audited(order)

        response = warehouse.update(made, carrier="Northway ", trackingNumbers=["1"], trackingUrl=None)

        assert response.json()["data"] == made
        assert (warehouse.get(order), warehouse.audited(order)) == (before, entries)

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({}, "", "The body must have at least 1 field"),
            ({"items": []}, "/items", "items is not a known field"),
            ({"shippedAt": "2026-04-17"}, "/shippedAt", "shippedAt is not a known field"),
            ({"carrier": 1}, "/carrier", "carrier must be a string"),
        ],
    )
    def test_invalid_members_are_rejected(
        self, warehouse: ShippingCompany, fields: dict[str, Any], pointer: str, message: str
    ) -> None:
        response = warehouse.client.patch("/orders/x/shipments/x", json=fields)

        assert messages(response) == [(pointer, message)]

    def test_only_a_shipment_of_the_order_is_found(self, warehouse: ShippingCompany) -> None:
        order, other = warehouse.order(1), warehouse.order(1)
        made, foreign = warehouse.shipped(order), warehouse.shipped(other)

        for shipment_id in (foreign["id"], "unknown"):
            response = warehouse.update({**made, "id": shipment_id}, carrier="Northway")
            assert (response.status_code, response.json()["error"]) == (404, "Shipment not found.")
        response = warehouse.update({**made, "orderId": "unknown"}, carrier="Northway")
        assert (response.status_code, response.json()["error"]) == (404, "Order not found.")
        assert warehouse.get(other)["shipments"] == [foreign]
