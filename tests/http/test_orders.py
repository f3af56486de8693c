"""Orders (contract, section 5), over HTTP on both databases."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from models import AuditEntry, Event, Order, OrderItem, OrderStatus, Product, Scope, StoredResponse
from tests.support import factories
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant, order_body

ADDRESS = {"name": "Acme", "street": "1 Dock Road", "city": "Hull", "postalCode": "HU1 1AA", "country": "GB"}
TRANSITIONS = {
    ("SUBMITTED", "CONFIRMED"),
    ("SUBMITTED", "CANCELLED"),
    ("CONFIRMED", "SHIPPED"),
    ("CONFIRMED", "CANCELLED"),
    ("SHIPPED", "DELIVERED"),
}
STEPS = {
    "SUBMITTED": [],
    "CONFIRMED": ["CONFIRMED"],
    "SHIPPED": ["CONFIRMED", "SHIPPED"],
    "DELIVERED": ["CONFIRMED", "SHIPPED", "DELIVERED"],
    "CANCELLED": ["CANCELLED"],
}


class Shop:
    """A company with one customer, and methods to create what a test needs."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        self.client = client
        self.company_id = tenant.company_id
        self.database = database
        self.customer = factories.customer(database, tenant.company_id)

    def product(self, **fields: Any) -> str:
        return factories.product(self.database, self.company_id, **{"stock": 100, **fields})

    def place(self, *items: tuple[str, int], **fields: Any) -> Any:
        return self.client.post("/orders", json=order_body(self.customer, *items, **fields))

    def stock(self, product_id: str) -> int:
        return int(self.client.get(f"/products/{product_id}").json()["data"]["stock"])

    def events(self, entity_id: str) -> list[dict[str, Any]]:
        with self.database.transaction() as session:
            rows = session.query(Event).filter(Event.entity_id == entity_id).order_by(Event.sequence).all()
            return [json.loads(row.payload) for row in rows]

    def counts(self) -> list[int]:
        models = (Order, OrderItem, Event, AuditEntry, StoredResponse)
        return [factories.count(self.database, model, self.company_id) for model in models]


@pytest.fixture
def shop(client: Client, tenant: Tenant, database: Database) -> Shop:
    return Shop(client, tenant, database)


def error(response: Any, status: int = 422) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["error"])


class TestCreateOrder:
    def test_returns_the_members_of_the_contract(self, shop: Shop) -> None:
        blue = shop.product(name="Widget Blue", sku="WDG-001", price=Decimal("8.50"))
        plain = shop.product(name="Plain", sku=None, price=Decimal("0.99"))
        factories.terms(shop.database, shop.company_id, tax_rate="0.07", shipping="9.50")

        response = shop.place((blue, 10), (plain, 3), poNumber="PO-12345", notes="Dock B.", shippingAddress=ADDRESS)

        data = response.json()["data"]
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/orders/{data['id']}"
        assert data == {
            "id": data["id"],
            "status": "SUBMITTED",
            "poNumber": "PO-12345",
            "externalId": None,
            "notes": "Dock B.",
            "subtotal": 87.97,
            "tax": 6.16,
            "shipping": 9.5,
            "total": 103.63,
            "createdAt": data["createdAt"],
            "updatedAt": data["createdAt"],
            "customerId": shop.customer,
            "items": [
                {
                    "id": data["items"][0]["id"],
                    "quantity": 10,
                    "unitPrice": 8.5,
                    "productId": blue,
                    "productName": "Widget Blue",
                    "productSku": "WDG-001",
                },
                {
                    "id": data["items"][1]["id"],
                    "quantity": 3,
                    "unitPrice": 0.99,
                    "productId": plain,
                    "productName": "Plain",
                    "productSku": None,
                },
            ],
            "shipments": [],
            "shippingAddress": {**ADDRESS, "street2": None, "region": None},
        }
        assert shop.client.get(f"/orders/{data['id']}").json() == response.json()
        assert (shop.stock(blue), shop.stock(plain)) == (90, 97)

    def test_optional_members_can_be_absent_or_null(self, shop: Shop) -> None:
        product = shop.product()

        for fields in ({}, {"poNumber": None, "notes": None, "shippingAddress": None}):
            data = shop.place((product, 1), **fields).json()["data"]
            assert (data["poNumber"], data["notes"], data["shippingAddress"]) == (None, None, None)
            assert (data["tax"], data["shipping"]) == (0.0, 0.0)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"customerId": ...}, "customerId is required"),
            ({"customerId": None}, "customerId must be a string"),
            ({"items": ...}, "items is required"),
            ({"items": []}, "At least one item is required"),
            ({"items": [{"quantity": 1}]}, "productId is required"),
            ({"items": [{"productId": "x", "sku": "x", "quantity": 1}]}, "sku is not allowed together with productId"),
            ({"items": [{"sku": 1, "quantity": 1}]}, "sku must be a string"),
            ({"items": [{"sku": None, "quantity": 1}]}, "sku must be a string"),
            ({"items": [{"sku": "x" * 101, "quantity": 1}]}, "sku must be at most 100 characters"),
            (
                {"items": [{"sku": " ", "quantity": 1}]},
                "sku must not be empty, and must not contain control characters",
            ),
            ({"items": [{"productId": "x"}]}, "quantity is required"),
            ({"items": [{"productId": "x", "quantity": "2"}]}, "quantity must be a number"),
            ({"items": [{"productId": "x", "quantity": 1.5}]}, "quantity must be a whole number"),
            ({"items": [{"productId": "x", "quantity": 0}]}, "quantity must be at least 1"),
            ({"items": [{"productId": "x", "quantity": -1}]}, "quantity must be at least 1"),
            ({"items": [{"productId": "x", "quantity": 1_000_001}]}, "quantity must be at most 1000000"),
            ({"items": [{"productId": "x", "quantity": 1, "unitPrice": 0}]}, "unitPrice is not a known field"),
            ({"items": [{"productId": "x", "quantity": 1}] * 201}, "items must have at most 200 items"),
            ({"poNumber": "x" * 101}, "poNumber must be at most 100 characters"),
            ({"notes": "x" * 2001}, "notes must be at most 2000 characters"),
            ({"total": 1}, "total is not a known field"),
            ({"status": "SHIPPED"}, "status is not a known field"),
            ({"shippingAddress": {**ADDRESS, "country": "gb"}}, "country must be an ISO 3166-1 alpha-2 code"),
            ({"shippingAddress": {"street": "x", "country": "GB"}}, "city is required"),
            ({"shippingAddress": {**ADDRESS, "planet": "x"}}, "planet is not a known field"),
        ],
    )
    def test_every_rule_of_the_schema_has_its_message(self, shop: Shop, changes: dict[str, Any], message: str) -> None:
        body = {**order_body(shop.customer, ("x", 1)), **changes}
        response = shop.client.post("/orders", json={name: value for name, value in body.items() if value is not ...})

        assert error(response, 400) == message

    def test_form_encoding_is_rejected(self, shop: Shop) -> None:
        assert shop.client.post("/orders", data={"customerId": shop.customer}).status_code == 415

    def test_an_unknown_customer_or_one_of_another_company_is_refused(self, shop: Shop) -> None:
        product = shop.product()
        foreign = factories.customer(shop.database, factories.tenant(shop.database).company_id)

        for customer in (foreign, "c" + "0" * 24, "x"):
            response = shop.client.post("/orders", json=order_body(customer, (product, 1)))
            assert refusals(response) == [
                {"pointer": "/customerId", "code": "customer_not_found", "message": "Customer not found."}
            ]

    def test_a_blocked_customer_is_refused(self, shop: Shop) -> None:
        shop.customer = factories.customer(shop.database, shop.company_id, status="BLOCKED")

        assert refusals(shop.place((shop.product(), 1))) == [
            {"pointer": "/customerId", "code": "customer_blocked", "message": "Customer is blocked."}
        ]

    def test_an_unknown_product_or_one_of_another_company_is_refused(self, shop: Shop) -> None:
        own = shop.product()
        foreign = factories.product(shop.database, factories.tenant(shop.database).company_id, stock=5)

        for product in (foreign, "c" + "0" * 24, "x"):
            assert refusals(shop.place((own, 1), (product, 1))) == [
                {"pointer": "/items/1/productId", "code": "product_not_found", "message": "Product not found."}
            ]
        assert shop.stock(own) == 100

    def test_an_inactive_product_is_refused_by_name(self, shop: Shop) -> None:
        assert refusals(shop.place((shop.product(name="Old Tea", is_active=False), 1))) == [
            {"pointer": "/items/0/productId", "code": "product_inactive", "message": "Old Tea is not available."}
        ]

    def test_one_shortage_refuses_the_whole_order(self, shop: Shop) -> None:
        plenty, few = shop.product(stock=10), shop.product(name="Rare", stock=3)

        assert error(shop.place((plenty, 5), (few, 4))) == "Not enough stock for Rare. Only 3 available."
        assert (shop.stock(plenty), shop.stock(few)) == (10, 3)

    def test_every_reason_is_returned_in_request_order_once_per_product(self, shop: Shop) -> None:
        plenty, rare = shop.product(), shop.product(name="Rare", stock=3)
        gone, old = shop.product(name="Gone", stock=0), shop.product(name="Old", stock=0, is_active=False)
        items = [(plenty, 1), (rare, 2), ("unknown", 1), (rare, 2), (old, 5), ("unknown", 9), (gone, 1), (rare, 9)]

        response = shop.place(*items)

        assert refusals(response) == [
            {
                "pointer": "/items/1/quantity",
                "code": "insufficient_stock",
                "message": "Not enough stock for Rare. Only 3 available.",
                "available": 3,
            },
            {"pointer": "/items/2/productId", "code": "product_not_found", "message": "Product not found."},
            {"pointer": "/items/4/productId", "code": "product_inactive", "message": "Old is not available."},
            {
                "pointer": "/items/6/quantity",
                "code": "insufficient_stock",
                "message": "Not enough stock for Gone. Only 0 available.",
                "available": 0,
            },
        ]
        assert (shop.stock(plenty), shop.stock(rare)) == (100, 3)

    def test_a_customer_and_two_hundred_products_are_refused_at_once(self, shop: Shop) -> None:
        products = factories.products(shop.database, shop.company_id, 200, stock=0)

        found = refusals(
            shop.client.post("/orders", json=order_body("unknown", *[(product, 1) for product in products]))
        )

        assert [refusal["code"] for refusal in found] == ["customer_not_found", *["insufficient_stock"] * 200]
        assert [refusal["pointer"] for refusal in found[1:]] == [f"/items/{index}/quantity" for index in range(200)]

    def test_items_of_the_same_product_are_checked_together(self, shop: Shop) -> None:
        product = shop.product(name="Tea", stock=5)

        assert error(shop.place((product, 3), (product, 3))) == "Not enough stock for Tea. Only 5 available."
        order = shop.place((product, 3), (product, 2)).json()["data"]
        assert [item["quantity"] for item in order["items"]] == [3, 2]
        assert shop.stock(product) == 0

    def test_two_hundred_items_are_allowed(self, shop: Shop) -> None:
        products = factories.products(shop.database, shop.company_id, 200, stock=1)

        response = shop.place(*[(product, 1) for product in products])

        assert [item["productId"] for item in response.json()["data"]["items"]] == products

    def test_the_price_override_and_the_tax_rate_of_the_customer_apply(self, shop: Shop) -> None:
        factories.terms(shop.database, shop.company_id, tax_rate="0.2", shipping="5")
        special = factories.customer(shop.database, shop.company_id, tax_rate_override=Decimal("0.05"))
        exempt = factories.customer(shop.database, shop.company_id, tax_rate_override=Decimal(0))
        product, other = shop.product(price=Decimal(10)), shop.product(price=Decimal(1))
        factories.price_override(shop.database, shop.company_id, special, product, "7.77")

        def amounts(customer: str) -> list[float]:
            body = order_body(customer, (product, 2), (other, 1))
            data = shop.client.post("/orders", json=body).json()["data"]
            return [data["items"][0]["unitPrice"], data["subtotal"], data["tax"], data["total"]]

        assert amounts(shop.customer) == [10.0, 21.0, 4.2, 30.2]
        assert amounts(special) == [7.77, 16.54, 0.83, 22.37]
        assert amounts(exempt) == [10.0, 21.0, 0.0, 26.0]

    def test_prices_are_frozen_but_names_are_not(self, shop: Shop) -> None:
        product = shop.product(name="Before", price=Decimal(5))
        order = shop.place((product, 1)).json()["data"]
        with shop.database.transaction(write=True) as session:
            row = session.get_one(Product, product)
            row.name, row.price, row.sku = "After", Decimal(6), "NEW"

        (item,) = shop.client.get(f"/orders/{order['id']}").json()["data"]["items"]

        assert (item["unitPrice"], item["productName"], item["productSku"]) == (5.0, "After", "NEW")

    def test_the_credit_limit_refuses_no_order(self, shop: Shop) -> None:
        shop.customer = factories.customer(shop.database, shop.company_id, credit_limit=Decimal(1))

        assert shop.place((shop.product(price=Decimal(1000)), 50)).status_code == 201

    def test_a_total_beyond_the_column_is_refused(self, shop: Shop) -> None:
        product = shop.product(price=Decimal("9999999999.99"), stock=1_000_000)

        assert refusals(shop.place((product, 1_000_000))) == [
            {
                "pointer": "/items",
                "code": "order_total_too_large",
                "message": "The total of an order must be at most 999999999999.99.",
            }
        ]
        assert shop.stock(product) == 1_000_000

    def test_a_refused_order_changes_nothing(self, shop: Shop) -> None:
        few = shop.product(stock=1)
        before = shop.counts()

        assert shop.place((shop.product(), 1), (few, 2)).status_code == 422

        assert shop.counts() == before
        assert shop.stock(few) == 1

    def test_publishes_an_event_and_an_audit_entry(self, shop: Shop, tenant: Tenant) -> None:
        product = shop.product(price=Decimal("2.50"))
        order = shop.place((product, 4), poNumber="PO-1").json()["data"]

        (event,) = shop.events(order["id"])
        assert event["event"] == "order.created"
        assert event["timestamp"] == order["createdAt"]
        assert event["data"] == {
            "id": order["id"],
            "status": "SUBMITTED",
            "total": 10.0,
            "customerId": shop.customer,
            "poNumber": "PO-1",
            "externalId": None,
            "itemCount": 1,
            "items": order["items"],
        }
        with shop.database.transaction() as session:
            entry = session.query(AuditEntry).filter(AuditEntry.entity_id == order["id"]).one()
        assert (entry.action, entry.actor_type, entry.actor_id) == ("order.placed", "API_KEY", tenant.key_id)
        assert entry.details["total"] == 10.0

    @pytest.mark.parametrize(
        ("stock", "quantity", "is_low"), [(10, 4, False), (10, 5, True), (10, 6, True), (5, 1, False)]
    )
    def test_low_stock_is_published_when_the_threshold_is_reached(
        self, shop: Shop, stock: int, quantity: int, *, is_low: bool
    ) -> None:
        product = shop.product(stock=stock, low_stock_threshold=5)

        shop.place((product, quantity))

        events = shop.events(product)
        assert [event["event"] for event in events] == ["product.low_stock"] * is_low
        if is_low:
            assert events[0]["data"] == {
                **shop.client.get(f"/products/{product}").json()["data"],
                "lowStockThreshold": 5,
            }

    def test_needs_the_scope_to_write(self, shop: Shop) -> None:
        _, key = factories.api_key(shop.database, shop.company_id, scopes=[Scope.ORDERS_READ])
        body = order_body(shop.customer, (shop.product(), 1))

        assert shop.client.post("/orders", json=body, headers={"Authorization": f"Bearer {key}"}).status_code == 403


class TestAmounts:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        price=st.decimals("0", "99999.99", places=2),
        quantity=st.integers(1, 10_000),
        rate=st.decimals("0", "0.3", places=4),
        shipping=st.decimals("0", "99.99", places=2),
    )
    def test_add_up_in_the_response(
        self, shop: Shop, price: Decimal, quantity: int, rate: Decimal, shipping: Decimal
    ) -> None:
        factories.terms(shop.database, shop.company_id, tax_rate=str(rate), shipping=str(shipping))
        response = shop.place((shop.product(price=price, stock=quantity), quantity))

        data = json.loads(response.text, parse_float=Decimal)["data"]
        assert data["total"] == data["subtotal"] + data["tax"] + data["shipping"]
        assert data["subtotal"] == price * quantity


class TestUpdateOrderStatus:
    @pytest.mark.parametrize(("old", "new"), list(itertools.product(OrderStatus, OrderStatus)))
    def test_all_pairs_of_statuses(self, shop: Shop, old: str, new: str) -> None:
        order = shop.place((shop.product(), 1)).json()["data"]
        for step in STEPS[old]:
            assert shop.client.patch(f"/orders/{order['id']}", json={"status": step}).status_code == 200

        response = shop.client.patch(f"/orders/{order['id']}", json={"status": new})

        if (old, new) in TRANSITIONS:
            assert response.status_code == 200
            assert response.json()["data"] == order | {
                "status": new,
                "updatedAt": response.json()["data"]["updatedAt"],
            }
        else:
            assert refusals(response) == [
                {
                    "pointer": "/status",
                    "code": "invalid_status_transition",
                    "message": f"Cannot change order status from {old} to {new}.",
                    "currentStatus": old,
                }
            ]
            assert shop.client.get(f"/orders/{order['id']}").json()["data"]["status"] == old

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "status is required"),
            ({"status": "NOPE"}, "Invalid order status."),
            ({"status": "confirmed"}, "Invalid order status."),
            ({"status": None}, "Invalid order status."),
            ({"status": 5}, "Invalid order status."),
            ({"status": "CANCELLED", "restock": "yes"}, "restock must be true or false"),
            ({"status": "CANCELLED", "notes": "x"}, "notes is not a known field"),
        ],
    )
    def test_every_rule_of_the_schema_has_its_message(self, shop: Shop, body: dict[str, Any], message: str) -> None:
        order = shop.place((shop.product(), 1)).json()["data"]

        assert error(shop.client.patch(f"/orders/{order['id']}", json=body), 400) == message

    def test_cancelling_restocks_only_on_request(self, shop: Shop) -> None:
        product = shop.product(stock=10)
        for restock, expected_stock in (({}, 7), ({"restock": False}, 4), ({"restock": True}, 4)):
            order = shop.place((product, 2), (product, 1)).json()["data"]
            shop.client.patch(f"/orders/{order['id']}", json={"status": "CANCELLED", **restock})
            assert shop.stock(product) == expected_stock

    def test_an_order_is_restocked_once(self, shop: Shop) -> None:
        product = shop.product(stock=10)
        order = shop.place((product, 4)).json()["data"]
        body = {"status": "CANCELLED", "restock": True}

        assert shop.client.patch(f"/orders/{order['id']}", json=body).status_code == 200
        assert error(shop.client.patch(f"/orders/{order['id']}", json=body)).startswith("Cannot change")
        assert shop.stock(product) == 10

    def test_restock_needs_cancelled(self, shop: Shop) -> None:
        product = shop.product(stock=10)
        order = shop.place((product, 4)).json()["data"]
        response = shop.client.patch(f"/orders/{order['id']}", json={"status": "CONFIRMED", "restock": True})

        message = "restock is allowed only with the status CANCELLED."
        assert refusals(response) == [{"pointer": "/restock", "code": "restock_without_cancel", "message": message}]
        both = shop.client.patch(f"/orders/{order['id']}", json={"status": "SUBMITTED", "restock": True})
        assert [refusal["code"] for refusal in refusals(both)] == [
            "invalid_status_transition",
            "restock_without_cancel",
        ]
        assert shop.client.get(f"/orders/{order['id']}").json()["data"]["status"] == "SUBMITTED"

    def test_every_change_is_published_with_the_event_of_its_status(self, shop: Shop) -> None:
        order = shop.place((shop.product(), 1), poNumber="P").json()["data"]
        for status in ("CONFIRMED", "SHIPPED"):
            shop.client.patch(f"/orders/{order['id']}", json={"status": status})

        events = shop.events(order["id"])
        assert [(event["event"], event["sequence"]) for event in events] == [
            ("order.created", 1),
            ("order.status_changed", 2),
            ("order.status_changed", 3),
            ("order.shipped", 4),
        ]
        assert events[3]["data"] == {
            "id": order["id"],
            "previousStatus": "CONFIRMED",
            "status": "SHIPPED",
            "total": order["total"],
            "customerId": shop.customer,
            "poNumber": "P",
            "externalId": None,
            "shipments": [],
        }

    def test_unknown_ids_and_ids_of_another_company_get_the_same_response(
        self, shop: Shop, database: Database, contract: Contract
    ) -> None:
        other = factories.tenant(database)
        with Client(str(shop.client.base_url).removesuffix("/api/v1/"), other.key, contract) as client:
            theirs = Shop(client, other, database)
            foreign = theirs.place((theirs.product(), 1)).json()["data"]["id"]

        for method, body in (("GET", None), ("PATCH", {"status": "CONFIRMED"})):
            responses = [
                shop.client.request(method, f"/orders/{order_id}", json=body)
                for order_id in (foreign, "c" + "0" * 24, "x")
            ]
            assert {(response.status_code, response.content) for response in responses} == {
                (404, b'{"error":"Order not found.","code":"not_found"}')
            }


class TestListOrders:
    def test_returns_orders_with_their_items_newest_first(self, shop: Shop) -> None:
        product = shop.product()
        made = [shop.place((product, number), (product, 1)).json()["data"] for number in (1, 2, 3)]

        listed = shop.client.get("/orders").json()["data"]

        expected = [{name: value for name, value in order.items() if name != "shippingAddress"} for order in made]
        assert listed == sorted(expected, key=lambda order: (order["createdAt"], order["id"]), reverse=True)

    def test_filters(self, shop: Shop) -> None:
        product, other = shop.product(), factories.customer(shop.database, shop.company_id)
        first = shop.place((product, 1)).json()["data"]
        second = shop.client.post("/orders", json=order_body(other, (product, 1))).json()["data"]
        shop.client.patch(f"/orders/{second['id']}", json={"status": "CONFIRMED"})

        def found(**query: str) -> list[str]:
            return [order["id"] for order in shop.client.walk("/orders", **query)]

        assert found(status="CONFIRMED") == [second["id"]]
        assert found(customerId=shop.customer) == [first["id"]]
        assert found(customerId=shop.customer, status="CONFIRMED") == []
        assert found(customerId="c" + "0" * 24) == []

    def test_a_purchase_order_number_finds_all_its_orders_page_by_page(self, shop: Shop) -> None:
        product = shop.product()
        made = [
            shop.place((product, 1), poNumber=number).json()["data"] for number in ["PO 1"] * 5 + ["PO 12", " PO 1", ""]
        ]
        shop.place((product, 1))
        shop.client.patch(f"/orders/{made[0]['id']}", json={"status": "CANCELLED"})
        wanted = sorted((order["createdAt"], order["id"]) for order in made[:5])

        def found(**query: str) -> list[str]:
            return [order["id"] for order in shop.client.walk("/orders", limit=2, **query)]

        assert found(poNumber="PO 1") == [order_id for _, order_id in reversed(wanted)]
        assert found(poNumber="PO 1", updatedSince=wanted[0][0]) == [order_id for _, order_id in reversed(wanted)]
        assert found(poNumber="PO 1", status="CANCELLED") == [made[0]["id"]]
        assert found(poNumber="PO 1", customerId="c" + "0" * 24) == []
        assert found(poNumber="PO 1", until="2026-01-01") == []
        assert found(poNumber="po 1") == []
        assert found(poNumber="") == [made[-1]["id"]]

    def test_since_and_until_are_inclusive(self, shop: Shop) -> None:
        order = shop.place((shop.product(), 1)).json()["data"]
        at = datetime.fromisoformat(order["createdAt"])

        def found(**query: str) -> bool:
            return bool(shop.client.get("/orders", params=query).json()["data"])

        millisecond = timedelta(milliseconds=1)
        assert found(since=at.isoformat(), until=at.isoformat())
        assert not found(since=(at + millisecond).isoformat())
        assert not found(until=(at - millisecond).isoformat())
        assert found(since=at.date().isoformat())
        assert not found(until=at.date().isoformat())
        assert found(until=(at + timedelta(hours=5)).isoformat().replace("+00:00", "+02:00"))
        assert found(since=at.astimezone(UTC).isoformat().replace("+00:00", "Z"))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "yesterday",
            "2026-02-30",
            "2026-13-01",
            "20260101",
            "2026-01-01T25:00:00Z",
            "0000-01-01",
            "9999-12-31T23:59:59-23:00",
            "1",
        ],
    )
    @pytest.mark.parametrize("name", ["since", "until"])
    def test_an_invalid_time_is_rejected_by_name(self, shop: Shop, name: str, text: str) -> None:
        response = shop.client.get("/orders", params={name: text})

        assert error(response, 400) == f"{name} must be a date or a time in ISO 8601"
        assert response.json()["details"][0]["pointer"] == f"/query/{name}"

    def test_an_unknown_status_is_rejected(self, shop: Shop) -> None:
        assert error(shop.client.get("/orders", params={"status": "NOPE"}), 400) == "Invalid order status."
