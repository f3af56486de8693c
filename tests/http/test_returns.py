"""Returns (contract, section 9.7): create, list, get, approve and reject, over HTTP on both databases."""

import uuid
from typing import Any

import pytest

from app.db import Database
from models import OrderStatus, Return, ReturnReason
from tests.support import factories
from tests.support.client import Client, Contract, messages, refusals
from tests.support.factories import Tenant
from tests.support.returns_company import RETURN_STEPS, ReturnsCompany
from tests.support.servers import Server

STATUSES = tuple(RETURN_STEPS)


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> ReturnsCompany:
    return ReturnsCompany(client, tenant, database)


def quantities(found: dict[str, Any]) -> list[int]:
    return [item["quantity"] for item in found["items"]]


def exceeded(name: str, position: int, left: int) -> dict[str, Any]:
    return {
        "pointer": f"/items/{position}/quantity",
        "code": "return_quantity_exceeded",
        "message": f"Only {left} of {name} can still be returned.",
        "left": left,
    }


class TestCreateReturn:
    def test_returns_the_members_of_the_contract(self, company: ReturnsCompany) -> None:
        order = company.order(5, 3)
        one, two = order["items"]

        items = [
            {"orderItemId": two["id"], "quantity": 3, "reason": "DAMAGED"},
            {"orderItemId": one["id"], "quantity": 2},
        ]
        body = {"orderId": order["id"], "items": items, "notes": "Torn.", "externalId": " RMA-1 "}
        response = company.client.post("/returns", json=body)

        data = response.json()["data"]
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/returns/{data['id']}"
        assert data == {
            "id": data["id"],
            "orderId": order["id"],
            "customerId": order["customerId"],
            "status": "REQUESTED",
            "items": [
                {
                    "id": data["items"][position]["id"],
                    "orderItemId": item["id"],
                    "productId": item["productId"],
                    "productName": item["productName"],
                    "quantity": quantity,
                    "receivedQuantity": None,
                    "restockedQuantity": None,
                    "unitPrice": 8.5,
                    "reason": reason,
                }
                for position, (item, quantity, reason) in enumerate([(two, 3, "DAMAGED"), (one, 2, None)])
            ],
            "refundableAmount": 0,
            "refundedAmount": 0,
            "method": None,
            "reference": None,
            "notes": "Torn.",
            "externalId": "RMA-1",
            "requestedAt": data["createdAt"],
            "approvedAt": None,
            "receivedAt": None,
            "refundedAt": None,
            "rejectedAt": None,
            "createdAt": data["createdAt"],
            "updatedAt": data["createdAt"],
        }
        assert company.get(data) == data

    def test_it_is_audited_and_has_an_event(self, company: ReturnsCompany, contract: Contract) -> None:
        order = company.order(5, 3)

        made = company.returned(order, 2, 1, notes="Torn.", externalId="RMA-2")

        (event,) = company.events(made)
        assert (event["event"], event["data"]) == ("return.created", made)
        contract.check_event(event)
        details = {"orderId": order["id"], "itemCount": 2, "quantity": 3, "notes": "Torn.", "externalId": "RMA-2"}
        assert company.audited(made) == [("return.created", details)]

    def test_order_and_stock_do_not_change(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        paths = [f"/orders/{order['id']}", f"/products/{order['items'][0]['productId']}"]
        before = [company.client.get(path).json() for path in paths]

        company.returned(order, 5)

        assert [company.client.get(path).json() for path in paths] == before

    @pytest.mark.parametrize("status", OrderStatus)
    def test_only_shipped_and_delivered_orders_can_be_returned(self, company: ReturnsCompany, status: str) -> None:
        order = company.order(5, status=status)

        response = company.send_back(order, 1)

        if status in {"SHIPPED", "DELIVERED"}:
            assert response.status_code == 201
        else:
            assert refusals(response) == [
                {
                    "pointer": "/orderId",
                    "code": "order_not_returnable",
                    "message": f"Order cannot be returned while {status}.",
                    "currentStatus": status,
                }
            ]
            assert company.count(Return) == 0

    def test_exactly_the_ordered_quantity_can_be_returned(self, company: ReturnsCompany) -> None:
        order = company.order(5, 3)
        company.returned(order, 2)

        assert refusals(company.send_back(order, 4, 4)) == [exceeded("Tea 0", 0, 3), exceeded("Tea 1", 1, 3)]
        assert quantities(company.returned(order, 3, 3)) == [3, 3]
        assert refusals(company.send_back(order, 1, 1)) == [exceeded("Tea 0", 0, 0), exceeded("Tea 1", 1, 0)]

    def test_shipped_quantities_do_not_matter(self, company: ReturnsCompany) -> None:
        order = company.order(5, status="CONFIRMED")
        items = [{"orderItemId": order["items"][0]["id"], "quantity": 1}]
        company.client.post(f"/orders/{order['id']}/shipments", json={"items": items}).raise_for_status()

        assert quantities(company.returned(order, 5)) == [5]

    @pytest.mark.parametrize("status", STATUSES)
    def test_every_return_counts_unless_it_is_rejected(self, company: ReturnsCompany, status: str) -> None:
        order = company.order(5)
        company.returned(order, 3, status=status)
        left = 5 if status == "REJECTED" else 2

        assert refusals(company.send_back(order, left + 1)) == [exceeded("Tea 0", 0, left)]
        assert company.send_back(order, left).status_code == 201

    def test_what_did_not_arrive_can_be_returned_again(self, company: ReturnsCompany) -> None:
        order = company.order(5, 3)
        company.received(company.returned(order, 5, 3, status="APPROVED"), (2, 1), (0, 0))

        assert refusals(company.send_back(order, 4, 4)) == [exceeded("Tea 0", 0, 3), exceeded("Tea 1", 1, 3)]
        assert quantities(company.returned(order, 3, 3)) == [3, 3]

    def test_several_items_of_a_product_are_returned_separately(self, company: ReturnsCompany) -> None:
        product = company.product(name="Malt")
        order = company.order_of((product, 1), (product, 2))

        assert refusals(company.send_back(order, 2)) == [exceeded("Malt", 0, 1)]
        assert quantities(company.returned(order, 1, 2)) == [1, 2]

    def test_an_order_with_200_items_can_be_returned(self, company: ReturnsCompany) -> None:
        product = company.product(stock=200)
        order = company.order_of(*[(product, 1)] * 200)

        made = company.returned(order, *[1] * 200)

        assert [item["orderItemId"] for item in made["items"]] == [item["id"] for item in order["items"]]
        assert [action for action, _ in company.audited(made)] == ["return.created"]

    def test_every_reason_is_reported(self, company: ReturnsCompany) -> None:
        order, other = company.order(5, status="SUBMITTED"), company.order(5)
        company.returned(other, 1, externalId="RMA-3")
        item, foreign = order["items"][0]["id"], other["items"][0]["id"]
        items = [{"orderItemId": name, "quantity": 6} for name in (foreign, item, "unknown")]
        body = {"orderId": order["id"], "items": items, "externalId": "RMA-3"}

        response = company.client.post("/returns", json=body)

        assert [(detail["pointer"], detail["code"]) for detail in refusals(response)] == [
            ("/orderId", "order_not_returnable"),
            ("/items/0/orderItemId", "order_item_not_found"),
            ("/items/1/quantity", "return_quantity_exceeded"),
            ("/items/2/orderItemId", "order_item_not_found"),
            ("/externalId", "external_id_taken"),
        ]
        assert refusals(response)[1]["message"] == "Order item not found."
        unknown = company.client.post("/returns", json={**body, "orderId": "unknown"})
        assert [(detail["pointer"], detail["message"]) for detail in refusals(unknown)] == [
            ("/orderId", "Order not found."),
            ("/externalId", "A return with this external ID already exists."),
        ]

    def test_an_item_that_is_named_twice_is_rejected(self, company: ReturnsCompany) -> None:
        order = company.order(5, 3)
        one, two = (item["id"] for item in order["items"])
        items = [{"orderItemId": name, "quantity": 1} for name in (one, two, one, two)]

        response = company.client.post("/returns", json={"orderId": order["id"], "items": items})

        advice = "send one item with the sum of the quantities"
        assert messages(response) == [
            ("/items/2/orderItemId", f"orderItemId is the same as in /items/0: {advice}"),
            ("/items/3/orderItemId", f"orderItemId is the same as in /items/1: {advice}"),
        ]

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"orderId": 1}, "/orderId", "orderId must be a string"),
            ({"orderId": ""}, "/orderId", "orderId must be at least 1 character"),
            ({"items": []}, "/items", "At least one item is required"),
            ({"items": None}, "/items", "items must be a list"),
            ({"items": [{"orderItemId": "x", "quantity": 1}] * 201}, "/items", "items must have at most 200 items"),
            ({"items": [{"quantity": 1}]}, "/items/0/orderItemId", "orderItemId is required"),
            ({"items": [{"orderItemId": "x"}]}, "/items/0/quantity", "quantity is required"),
            ({"items": [{"orderItemId": "x", "quantity": 0}]}, "/items/0/quantity", "quantity must be at least 1"),
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
            (
                {"items": [{"orderItemId": "x", "quantity": 1, "reason": "BORED"}]},
                "/items/0/reason",
                "reason must be one of DAMAGED, WRONG_ITEM, NOT_AS_DESCRIBED, EXPIRED, OVER_ORDERED, OTHER",
            ),
            (
                {"items": [{"orderItemId": "x", "quantity": 1, "price": 1}]},
                "/items/0/price",
                "price is not a known field",
            ),
            ({"notes": "x" * 2001}, "/notes", "notes must be at most 2000 characters"),
            ({"externalId": "x" * 256}, "/externalId", "externalId must be at most 255 characters"),
            (
                {"externalId": " "},
                "/externalId",
                "externalId must not be empty, and must not contain control characters",
            ),
            ({"status": "APPROVED"}, "/status", "status is not a known field"),
        ],
    )
    def test_invalid_members_are_rejected(
        self, company: ReturnsCompany, fields: dict[str, Any], pointer: str, message: str
    ) -> None:
        body = {"orderId": "x", "items": [{"orderItemId": "x", "quantity": 1}]}

        assert messages(company.client.post("/returns", json={**body, **fields})) == [(pointer, message)]

    def test_required_members(self, company: ReturnsCompany) -> None:
        assert messages(company.client.post("/returns", json={})) == [
            ("/orderId", "orderId is required"),
            ("/items", "items is required"),
        ]

    def test_the_longest_members_are_stored(self, company: ReturnsCompany) -> None:
        longest = {"notes": "\N{PACKAGE}" * 2000, "externalId": "\N{PACKAGE}" * 255}

        made = company.returned(company.order(1), 1, **longest)

        assert {name: made[name] for name in longest} == longest

    @pytest.mark.parametrize("reason", ReturnReason)
    def test_every_reason_is_accepted(self, company: ReturnsCompany, reason: str) -> None:
        order = company.order(1)
        items = [{"orderItemId": order["items"][0]["id"], "quantity": 1, "reason": reason}]

        response = company.client.post("/returns", json={"orderId": order["id"], "items": items})

        assert response.json()["data"]["items"][0]["reason"] == reason

    def test_an_external_id_is_unique_within_the_company(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        company.returned(order, 1, externalId="Cafe\N{COMBINING ACUTE ACCENT}")

        assert refusals(company.send_back(order, 1, externalId=" Café ")) == [
            {
                "pointer": "/externalId",
                "code": "external_id_taken",
                "message": "A return with this external ID already exists.",
            }
        ]
        assert company.send_back(order, 1, externalId="café").status_code == 201
        for _ in range(2):
            assert company.returned(order, 1, externalId=None)["externalId"] is None

    def test_another_company_can_have_the_same_external_id(
        self, company: ReturnsCompany, server: Server, contract: Contract
    ) -> None:
        made = company.returned(company.order(1), 1, externalId="RMA-4")
        tenant = factories.tenant(company.database)

        with Client(server.url, tenant.key, contract) as client:
            other = ReturnsCompany(client, tenant, company.database)
            assert other.returned(other.order(1), 1, externalId="RMA-4")["externalId"] == "RMA-4"
            assert client.get(f"/returns/{made['id']}").json()["error"] == "Return not found."

    def test_a_duplicate_request_is_replayed(self, company: ReturnsCompany) -> None:
        order, key = company.order(5), str(uuid.uuid4())

        first, second = (company.send_back(order, 2, key=key) for _ in range(2))

        assert first.json() == second.json()
        assert second.headers["idempotency-replayed"] == "true"
        assert company.count(Return) == 1
        assert refusals(company.send_back(order, 3, key=key))[0]["code"] == "idempotency_key_reused"


class TestListReturns:
    def test_lists_are_newest_first(self, company: ReturnsCompany) -> None:
        order = company.order(9, 9)
        made = [company.returned(order, 1, number % 2) for number in range(5)]

        assert list(company.client.walk("/returns")) == made[::-1]
        assert list(company.client.walk("/returns", limit=2)) == made[::-1]
        page = company.client.get("/returns", params={"limit": 2}).json()["pagination"]
        assert page == {"hasMore": True, "nextCursor": made[3]["id"]}

    def test_a_company_without_returns_has_an_empty_list(self, company: ReturnsCompany) -> None:
        assert company.client.get("/returns").json()["data"] == []

    def test_filters_combine(self, company: ReturnsCompany) -> None:
        one, two = company.order(9), company.order(9)
        made = {
            (order["id"], status): company.returned(order, 1, status=status)
            for order in (one, two)
            for status in STATUSES
        }

        def ids(**query: Any) -> set[str]:
            return {found["id"] for found in company.client.walk("/returns", **query)}

        for status in STATUSES:
            assert ids(status=status) == {made[one["id"], status]["id"], made[two["id"], status]["id"]}
            assert ids(status=status, orderId=one["id"]) == {made[one["id"], status]["id"]}
        for order in (one, two):
            expected = {found["id"] for (order_id, _), found in made.items() if order_id == order["id"]}
            assert ids(orderId=order["id"]) == ids(customerId=order["customerId"]) == expected
            assert ids(orderId=order["id"], customerId=order["customerId"]) == expected
        assert ids(orderId=one["id"], customerId=two["customerId"]) == set()
        assert ids(orderId="unknown") == ids(customerId="unknown") == set()

    def test_an_external_id_is_looked_up_as_it_is_stored(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        made = company.returned(order, 1, externalId="Café 1")
        company.returned(order, 1, externalId="café 1")

        for text in ("Café 1", " Cafe\N{COMBINING ACUTE ACCENT} 1 "):
            assert company.client.get("/returns", params={"externalId": text}).json()["data"] == [made]
        query = {"externalId": "Café 1", "status": "APPROVED"}
        assert company.client.get("/returns", params=query).json()["data"] == []

    def test_since_and_until_are_inclusive(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        one, two, three = (company.returned(order, 1) for _ in range(3))

        def ids(**query: Any) -> list[str]:
            return [found["id"] for found in company.client.get("/returns", params=query).json()["data"]]

        assert ids(since=two["createdAt"]) == [three["id"], two["id"]]
        assert ids(until=two["createdAt"]) == [two["id"], one["id"]]

    def test_updated_since_returns_what_changed(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        one, two = (company.returned(order, 1) for _ in range(2))

        after = company.decided(one, "APPROVED")

        found = company.client.get("/returns", params={"updatedSince": after["updatedAt"]}).json()
        assert found["data"] == [after]
        assert found["pagination"].keys() == {"hasMore", "nextCursor", "syncedUntil"}
        assert list(company.client.walk("/returns", updatedSince=one["createdAt"])) == [two, after]

    @pytest.mark.parametrize(
        ("query", "pointer", "message"),
        [
            ({"status": "LOST"}, "/query/status", "Invalid return status."),
            ({"since": "today"}, "/query/since", "since must be a date or a time in ISO 8601"),
            ({"cursor": "unknown"}, "/query/cursor", "Invalid cursor."),
            ({"externalId": ""}, "/query/externalId", "externalId must be at least 1 character"),
        ],
    )
    def test_invalid_parameters_are_rejected(
        self, company: ReturnsCompany, query: dict[str, str], pointer: str, message: str
    ) -> None:
        assert messages(company.client.get("/returns", params=query)) == [(pointer, message)]


class TestGetReturn:
    def test_an_unknown_return_is_not_found(self, company: ReturnsCompany) -> None:
        for name in ("unknown", "c" + "0" * 24):
            response = company.client.get(f"/returns/{name}")
            assert (response.status_code, response.json()["error"]) == (404, "Return not found.")

    def test_names_are_the_current_ones_and_prices_those_of_the_order(self, company: ReturnsCompany) -> None:
        order = company.order(5)
        made = company.returned(order, 1)
        path = f"/products/{order['items'][0]['productId']}"

        company.client.patch(path, json={"name": "Malt", "price": 99}).raise_for_status()

        (item,) = company.get(made)["items"]
        assert (item["productName"], item["unitPrice"]) == ("Malt", 8.5)


class TestUpdateReturn:
    def test_approving_sets_the_time(self, company: ReturnsCompany, contract: Contract) -> None:
        made = company.returned(company.order(5), 2, notes="Torn.")

        response = company.decide(made, "APPROVED")

        after = response.json()["data"]
        at = after["updatedAt"]
        assert response.status_code == 200
        assert after == {**made, "status": "APPROVED", "approvedAt": at, "updatedAt": at}
        assert made["updatedAt"] < at
        assert company.get(made) == after
        *_, event = company.events(made)
        assert (event["event"], event["data"], event["sequence"]) == ("return.approved", after, 2)
        contract.check_event(event)
        changed = ("status", "approvedAt", "updatedAt")
        action, details = company.audited(made)[-1]
        assert action == "return.approved"
        assert details == {
            "before": {name: made[name] for name in changed},
            "after": {name: after[name] for name in changed},
        }

    @pytest.mark.parametrize("status", ["REQUESTED", "APPROVED"])
    def test_rejecting_sets_the_time_and_the_notes(
        self, company: ReturnsCompany, contract: Contract, status: str
    ) -> None:
        made = company.returned(company.order(5), 2, status=status, notes="Torn.")

        after = company.decide(made, "REJECTED", notes="Too late.").json()["data"]

        at = after["updatedAt"]
        assert after == {**made, "status": "REJECTED", "rejectedAt": at, "updatedAt": at, "notes": "Too late."}
        *_, event = company.events(made)
        assert (event["event"], event["data"]) == ("return.rejected", after)
        contract.check_event(event)
        action, details = company.audited(made)[-1]
        assert (action, details["before"]["notes"], details["after"]["notes"]) == (
            "return.rejected",
            "Torn.",
            "Too late.",
        )

    def test_null_clears_the_notes(self, company: ReturnsCompany) -> None:
        made = company.returned(company.order(5), 2, notes="Torn.")

        assert company.decide(made, "APPROVED", notes=None).json()["data"]["notes"] is None

    @pytest.mark.parametrize("before", STATUSES)
    @pytest.mark.parametrize("after", ["APPROVED", "REJECTED"])
    def test_only_some_moves_are_allowed(self, company: ReturnsCompany, before: str, after: str) -> None:
        made = company.returned(company.order(5), 2, status=before)

        response = company.decide(made, after, notes="New.")

        if before == "REQUESTED" or (before, after) == ("APPROVED", "REJECTED"):
            assert response.json()["data"]["status"] == after
        else:
            assert refusals(response) == [
                {
                    "pointer": "/status",
                    "code": "invalid_return_transition",
                    "message": f"Cannot change return status from {before} to {after}.",
                    "currentStatus": before,
                }
            ]
            assert company.get(made) == made

    @pytest.mark.parametrize(
        ("body", "pointer", "message"),
        [
            ({}, "/status", "status is required"),
            ({"notes": "x"}, "/status", "status is required"),
            ({"status": "RECEIVED"}, "/status", "status must be APPROVED or REJECTED"),
            ({"status": "REFUNDED"}, "/status", "status must be APPROVED or REJECTED"),
            ({"status": "REQUESTED"}, "/status", "status must be APPROVED or REJECTED"),
            ({"status": "LOST"}, "/status", "status must be APPROVED or REJECTED"),
            ({"status": None}, "/status", "status must be APPROVED or REJECTED"),
            ({"status": "x" * 101}, "/status", "status must be APPROVED or REJECTED"),
            ({"status": "APPROVED", "notes": "x" * 2001}, "/notes", "notes must be at most 2000 characters"),
            ({"status": "APPROVED", "items": []}, "/items", "items is not a known field"),
        ],
    )
    def test_invalid_members_are_rejected(
        self, company: ReturnsCompany, body: dict[str, Any], pointer: str, message: str
    ) -> None:
        response = company.client.patch("/returns/x", json=body)

        assert set(messages(response)) == {(pointer, message)}

    def test_an_unknown_return_is_not_found(self, company: ReturnsCompany) -> None:
        response = company.client.patch("/returns/unknown", json={"status": "APPROVED"})

        assert (response.status_code, response.json()["error"]) == (404, "Return not found.")
