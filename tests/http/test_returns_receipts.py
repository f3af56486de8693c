"""Receipts of returns (contract, section 9.7), over HTTP on both databases."""

import uuid
from typing import Any

import httpx
import pytest

from app.db import Database
from models import MAX_STOCK, InventoryMovement, Return
from tests.support import factories
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant
from tests.support.returns_company import RETURN_STEPS, ReturnsCompany

STATUSES = tuple(RETURN_STEPS)


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> ReturnsCompany:
    return ReturnsCompany(client, tenant, database)


def received(found: dict[str, Any]) -> list[tuple[int, int]]:
    return [(item["receivedQuantity"], item["restockedQuantity"]) for item in found["items"]]


def exceeded(member: str, position: int, message: str, left: int) -> dict[str, Any]:
    pointer = f"/items/{position}/{member}"
    return {"pointer": pointer, "code": "receive_quantity_exceeded", "message": message, "left": left}


class TestReceiveReturn:
    def test_quantities_are_recorded(self, company: ReturnsCompany, contract: Contract) -> None:
        made = company.returned(company.order(5, 3), 4, 3, status="APPROVED")

        response = company.receive(made, (3, 1), (0, 0))

        after = response.json()["data"]
        at = after["updatedAt"]
        items = [
            {**made["items"][0], "receivedQuantity": 3, "restockedQuantity": 1},
            {**made["items"][1], "receivedQuantity": 0, "restockedQuantity": 0},
        ]
        changed = {"status": "RECEIVED", "items": items, "refundableAmount": 25.5, "receivedAt": at, "updatedAt": at}
        assert response.status_code == 200
        assert after == {**made, **changed}
        assert made["updatedAt"] < at
        assert company.get(made) == after
        *_, event = company.events(made)
        assert (event["event"], event["data"], event["sequence"]) == ("return.received", after, 3)
        contract.check_event(event)
        details = {
            "before": {"status": "APPROVED"},
            "after": {"status": "RECEIVED"},
            "quantity": 7,
            "receivedQuantity": 3,
            "restockedQuantity": 1,
        }
        assert company.audited(made)[-1] == ("return.received", details)

    @pytest.mark.parametrize("body", [None, {}, {"items": []}])
    def test_an_item_left_out_is_received_and_not_restocked(self, company: ReturnsCompany, body: Any) -> None:
        order = company.order(5, 3)
        made = company.returned(order, 4, 3, status="APPROVED")

        after = company.receive_body(made, body).json()["data"]

        assert received(after) == [(4, 0), (3, 0)]
        assert after["refundableAmount"] == 59.5
        assert company.movements(made) == []
        assert company.stock(order["items"][0]["productId"]) == 95

    def test_one_of_two_items_can_be_left_out(self, company: ReturnsCompany) -> None:
        made = company.returned(company.order(5, 3), 4, 3, status="APPROVED")
        item = {"returnItemId": made["items"][1]["id"], "receivedQuantity": 1, "restockQuantity": 1}

        after = company.receive_body(made, {"items": [item]}).json()["data"]

        assert received(after) == [(4, 0), (1, 1)]

    def test_restocked_units_are_one_movement_for_each_product(self, company: ReturnsCompany) -> None:
        malt, rye, oats = (company.product(name=name, stock=100) for name in ("Malt", "Rye", "Oats"))
        order = company.order_of((malt, 2), (rye, 4), (malt, 3), (oats, 1))
        before = {name: company.client.get(f"/products/{name}").json()["data"] for name in (malt, rye, oats)}
        made = company.returned(order, 2, 4, 3, 1, status="APPROVED")

        after = company.received(made, (2, 2), (4, 1), (3, 3), (1, 0))

        moved = {row.product_id: row for row in company.movements(made)}
        assert {name: (row.reason, row.delta, row.order_id) for name, row in moved.items()} == {
            malt: ("RETURN", 5, order["id"]),
            rye: ("RETURN", 1, order["id"]),
        }
        assert [company.stock(name) for name in (malt, rye, oats)] == [100, 97, 99]
        for name, row in moved.items():
            product = company.client.get(f"/products/{name}").json()["data"]
            movement = company.client.get(f"/inventory-movements/{row.id}").json()["data"]
            assert before[name]["updatedAt"] < product["updatedAt"] == movement["createdAt"]
            assert (movement["returnId"], movement["stockAfter"]) == (made["id"], product["stock"])
            assert (movement["actorType"], movement["actorId"]) == ("API_KEY", company.tenant.key_id)
            assert company.events({"id": name}) == []
        assert company.client.get(f"/products/{oats}").json()["data"] == before[oats]
        assert after["status"] == "RECEIVED"

    def test_a_shortage_that_a_receipt_ends_can_come_again(self, company: ReturnsCompany) -> None:
        product = company.product(stock=7, low_stock_threshold=5)
        order = company.order_of((product, 2))
        company.received(company.returned(order, 2, status="APPROVED"), (2, 2))
        company.order_of((product, 1))
        assert [event["event"] for event in company.events({"id": product})] == ["product.low_stock"]

        company.order_of((product, 1))

        assert [event["data"]["stock"] for event in company.events({"id": product})] == [5, 5]

    def test_an_inactive_product_is_restocked(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        product = order["items"][0]["productId"]
        made = company.returned(order, 4, status="APPROVED")
        company.client.patch(f"/products/{product}", json={"isActive": False}).raise_for_status()

        company.received(made, (4, 4))

        assert company.stock(product) == 99

    def test_the_stock_may_exceed_the_limit_of_adjustments(self, company: ReturnsCompany) -> None:
        product = company.product(stock=MAX_STOCK)
        order = company.order_of((product, 2))
        path, headers = f"/products/{product}/inventory-adjustments", {"Idempotency-Key": str(uuid.uuid4())}
        company.client.post(path, json={"delta": 2, "reason": "RECEIVED"}, headers=headers).raise_for_status()

        company.received(company.returned(order, 2, status="APPROVED"), (2, 2))

        assert company.stock(product) == MAX_STOCK + 2

    def test_quantities_have_an_order(self, company: ReturnsCompany) -> None:
        made = company.returned(company.order(5, 3, 2), 4, 3, 2, status="APPROVED")

        refused = company.receive(made, (5, 0), (2, 3), (3, 4))

        assert refusals(refused) == [
            exceeded("receivedQuantity", 0, "Only 4 of Tea 0 can be received.", 4),
            exceeded("restockQuantity", 1, "Only 2 of Tea 1 can be restocked.", 2),
            exceeded("receivedQuantity", 2, "Only 2 of Tea 2 can be received.", 2),
            exceeded("restockQuantity", 2, "Only 3 of Tea 2 can be restocked.", 3),
        ]
        assert company.get(made) == made
        assert received(company.received(made, (4, 0), (2, 2), (2, 2))) == [(4, 0), (2, 2), (2, 2)]

    def test_something_has_to_be_received(self, company: ReturnsCompany) -> None:
        made = company.returned(company.order(5, 3), 4, 3, status="APPROVED")

        assert refusals(company.receive(made, (0, 0), (0, 0))) == [
            {
                "pointer": "/items",
                "code": "nothing_received",
                "message": "Nothing was received. Reject the return instead.",
            }
        ]
        assert company.get(made) == made
        assert received(company.received(made, (0, 0), (1, 0))) == [(0, 0), (1, 0)]

    @pytest.mark.parametrize("status", STATUSES)
    def test_only_an_approved_return_can_be_received(self, company: ReturnsCompany, status: str) -> None:
        made = company.returned(company.order(5), 4, status=status)
        movements = company.count(InventoryMovement)

        response = company.receive(made, (4, 4))

        if status == "APPROVED":
            assert response.status_code == 200
        else:
            assert refusals(response) == [
                {
                    "pointer": "",
                    "code": "invalid_return_transition",
                    "message": f"Cannot change return status from {status} to RECEIVED.",
                    "currentStatus": status,
                }
            ]
            assert company.get(made) == made
            assert company.count(InventoryMovement) == movements

    def test_every_reason_is_reported(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        made, other = (company.returned(order, 2) for _ in range(2))
        names = [other["items"][0]["id"], made["items"][0]["id"], "unknown"]
        items = [{"returnItemId": name, "receivedQuantity": 3, "restockQuantity": 0} for name in names]

        response = company.receive_body(made, {"items": items})

        assert [(detail["pointer"], detail["code"]) for detail in refusals(response)] == [
            ("", "invalid_return_transition"),
            ("/items/0/returnItemId", "return_item_not_found"),
            ("/items/1/receivedQuantity", "receive_quantity_exceeded"),
            ("/items/2/returnItemId", "return_item_not_found"),
        ]
        assert refusals(response)[1]["message"] == "Return item not found."

    def test_an_item_that_is_named_twice_is_rejected(self, company: ReturnsCompany) -> None:
        item = {"returnItemId": "x", "receivedQuantity": 1, "restockQuantity": 0}

        response = company.receive_body({"id": "unknown"}, {"items": [item, item]})

        advice = "send one item with the sum of the quantities"
        message = f"returnItemId is the same as in /items/0: {advice}"
        assert [(one["pointer"], one["message"]) for one in response.json()["details"]] == [
            ("/items/1/returnItemId", message)
        ]

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"returnItemId": 1}, "/items/0/returnItemId", "returnItemId must be a string"),
            ({"receivedQuantity": -1}, "/items/0/receivedQuantity", "receivedQuantity must be at least 0"),
            ({"receivedQuantity": 1_000_001}, "/items/0/receivedQuantity", "receivedQuantity must be at most 1000000"),
            ({"receivedQuantity": None}, "/items/0/receivedQuantity", "receivedQuantity must be a number"),
            ({"restockQuantity": -1}, "/items/0/restockQuantity", "restockQuantity must be at least 0"),
            ({"restockQuantity": 0.5}, "/items/0/restockQuantity", "restockQuantity must be a whole number"),
            ({"reason": "DAMAGED"}, "/items/0/reason", "reason is not a known field"),
        ],
    )
    def test_invalid_members_are_rejected(
        self, company: ReturnsCompany, fields: dict[str, Any], pointer: str, message: str
    ) -> None:
        item = {"returnItemId": "x", "receivedQuantity": 1, "restockQuantity": 0, **fields}

        response = company.receive_body({"id": "unknown"}, {"items": [item]})

        assert response.status_code == 400
        assert [(one["pointer"], one["message"]) for one in response.json()["details"]] == [(pointer, message)]

    def test_required_members(self, company: ReturnsCompany) -> None:
        response = company.receive_body({"id": "unknown"}, {"items": [{}]})

        names = ("returnItemId", "receivedQuantity", "restockQuantity")
        assert [(one["pointer"], one["message"]) for one in response.json()["details"]] == [
            (f"/items/0/{name}", f"{name} is required") for name in names
        ]

    def test_the_key_is_required(self, company: ReturnsCompany) -> None:
        made = company.returned(company.order(5), 4, status="APPROVED")

        response = company.client.post(f"/returns/{made['id']}/receive")

        assert (response.status_code, response.json()["error"]) == (400, "Idempotency-Key is required")
        assert response.json()["code"] == "idempotency_key_required"
        assert company.get(made) == made

    def test_a_duplicate_request_is_replayed(self, company: ReturnsCompany) -> None:
        order, key = company.order(5), str(uuid.uuid4())
        made = company.returned(order, 4, status="APPROVED")

        first, second = (company.receive(made, (3, 2), key=key) for _ in range(2))

        assert first.json() == second.json()
        assert second.headers["idempotency-replayed"] == "true"
        assert company.stock(order["items"][0]["productId"]) == 97
        assert len(company.movements(made)) == 1
        assert refusals(company.receive(made, (3, 3), key=key))[0]["code"] == "idempotency_key_reused"

    def test_an_unknown_return_is_not_found(self, company: ReturnsCompany) -> None:
        response = company.receive_body({"id": "unknown"}, None)

        assert (response.status_code, response.json()["error"]) == (404, "Return not found.")


class TestRefundableAmount:
    def test_it_contains_the_tax_of_what_was_received(self, company: ReturnsCompany) -> None:
        factories.terms(company.database, company.tenant.company_id, tax_rate="0.075", shipping="9.99")
        order = company.order(3, price="9.99")
        assert (order["subtotal"], order["tax"], order["total"]) == (29.97, 2.25, 42.21)

        made = company.returned(order, 2, status="RECEIVED")

        assert made["refundableAmount"] == 21.48  # 19.98, and the tax 1.50
        assert company.get(made)["refundableAmount"] == 21.48
        assert company.client.get("/returns").json()["data"] == [made]

    def test_a_free_order_has_nothing_to_refund(self, company: ReturnsCompany) -> None:
        made = company.returned(company.order(3, price="0"), 3, status="RECEIVED")

        assert made["refundableAmount"] == 0

    def test_the_refund_of_another_return_changes_it(self, company: ReturnsCompany) -> None:
        """Each unit costs 0.10 with a tax of 0.5 cents: the tax of the first two units is 1 cent."""
        factories.terms(company.database, company.tenant.company_id, tax_rate="0.05")
        order = company.order(4, price="0.10")
        made = company.returned(order, 1, status="RECEIVED")
        assert made["refundableAmount"] == 0.11

        company.returned(order, 1, status="REFUNDED")

        after = company.get(made)
        assert after == {**made, "refundableAmount": 0.1, "updatedAt": after["updatedAt"]}
        assert made["updatedAt"] < after["updatedAt"]

    def test_it_is_zero_before_the_receipt_and_after_the_refund(self, company: ReturnsCompany) -> None:
        order = company.order(9)

        amounts = {status: company.returned(order, 1, status=status)["refundableAmount"] for status in STATUSES}

        assert amounts == {"REQUESTED": 0, "APPROVED": 0, "REJECTED": 0, "RECEIVED": 8.5, "REFUNDED": 0}


def test_a_product_of_a_return_cannot_be_deleted(company: ReturnsCompany) -> None:
    order = company.order(1)
    made = company.returned(order, 1, status="RECEIVED")

    response: httpx.Response = company.client.delete(f"/products/{order['items'][0]['productId']}")

    assert refusals(response)[0]["code"] == "product_in_use"
    assert company.get(made) == made
    assert company.count(Return) == 1
