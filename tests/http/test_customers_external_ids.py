"""External ids of customers and orders (contract, sections 5 and 6): unique in the company, and looked up exactly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import httpx
import pytest

from app.context import now
from app.db import Database
from models import AuditEntry, Customer, Event, InventoryMovement, Order, OrderItem
from tests.support import factories, waiting
from tests.support.client import Client, refusals
from tests.support.factories import Tenant, order_body

CLIENTS = 8
MESSAGE = "{} with this external ID already exists."
EMPTY = "externalId must not be empty, and must not contain control characters"
TAKEN = ("email_taken", "external_id_taken")


@dataclass(frozen=True)
class Kind:
    """A resource that has an external id: its path, the noun in messages, and the body of a valid one."""

    path: str
    noun: str
    body: Callable[[], dict[str, Any]]
    client: Client

    def post(self, external_id: object, **headers: str) -> httpx.Response:
        return self.client.post(self.path, json={**self.body(), "externalId": external_id}, headers=headers)

    def create(self, external_id: str | None) -> dict[str, Any]:
        response = self.post(external_id)
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    def found(self, external_id: str, **query: str) -> list[str]:
        return [row["id"] for row in self.client.walk(self.path, externalId=external_id, **query)]


@pytest.fixture(params=["/customers", "/orders"])
def kind(request: pytest.FixtureRequest, client: Client, database: Database, tenant: Tenant) -> Kind:
    """Return customers, then orders."""
    numbers = count(1)
    if request.param == "/customers":
        return Kind("/customers", "A customer", lambda: {"email": f"c{next(numbers)}@example.com"}, client)
    product = factories.product(database, tenant.company_id, stock=1_000)
    body = order_body(factories.customer(database, tenant.company_id), (product, 1))
    return Kind("/orders", "An order", lambda: body, client)


class TestValues:
    @pytest.mark.parametrize(
        ("sent", "stored"),
        [
            ("x", "x"),
            ("x" * 255, "x" * 255),
            ("  A 1/?&= ", "A 1/?&="),
            ("Cafe\u0301", "Caf\u00e9"),
            ("\u00c4" * 255, "\u00c4" * 255),
            (None, None),
        ],
    )
    def test_are_trimmed_and_normalized(self, kind: Kind, sent: str | None, stored: str | None) -> None:
        row = kind.create(sent)

        assert row["externalId"] == stored
        assert kind.client.get(f"{kind.path}/{row['id']}").json()["data"] == row

    def test_are_null_if_absent(self, kind: Kind) -> None:
        assert kind.client.post(kind.path, json=kind.body()).json()["data"]["externalId"] is None

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            ("", EMPTY),
            ("  ", EMPTY),
            ("a\tb", EMPTY),
            ("a\u0085", EMPTY),
            (7, "externalId must be a string"),
            ("x" * 256, "externalId must be at most 255 characters"),
            ("\u0958" * 255, "externalId must be at most 255 characters"),  # NFC has two characters for each
        ],
    )
    def test_that_are_invalid_are_rejected(self, kind: Kind, sent: object, message: str) -> None:
        response = kind.post(sent)

        assert (response.status_code, response.json()["error"]) == (400, message)
        assert response.json()["details"][0]["pointer"] == "/externalId"


class TestUniqueness:
    def test_a_taken_value_is_refused(self, kind: Kind) -> None:
        kind.create("Caf\u00e9")

        message = MESSAGE.format(kind.noun)
        for value in ("Caf\u00e9", " Caf\u00e9 ", "Cafe\u0301"):
            assert refusals(kind.post(value)) == [
                {"pointer": "/externalId", "code": "external_id_taken", "message": message}
            ]

    def test_values_are_compared_exactly(self, kind: Kind) -> None:
        made = [kind.create(value) for value in ("a", "A", "\u00c4", "a.", None, None)]

        assert len({row["id"] for row in made}) == 6

    def test_is_limited_to_the_company(self, kind: Kind, database: Database) -> None:
        other = factories.tenant(database).company_id
        customer = factories.customer(database, other, external_id="Foreign")
        at, amounts = now(), {"total": 1, "customer_id": customer, "external_id": "Foreign"}
        factories.history(database, other, [{"created_at": at, **amounts}])

        assert kind.found("Foreign") == []
        own = kind.create("Foreign")
        assert kind.found("Foreign") == [own["id"]]

    @pytest.mark.parametrize("has_key", [False, True])
    def test_one_of_many_concurrent_requests_gets_a_value(self, kind: Kind, *, has_key: bool) -> None:
        for number in range(5):
            headers: list[Mapping[str, str]] = [
                {"Idempotency-Key": f"{kind.path}{number}-{one}"} if has_key else {} for one in range(CLIENTS)
            ]

            responses = waiting.concurrently(*[partial(kind.post, f"Race {number}", **sent) for sent in headers])

            assert sorted(response.status_code for response in responses) == [201] + [422] * (CLIENTS - 1)
            refused = [response for response in responses if response.status_code == 422]
            assert {refusals(response)[0]["code"] for response in refused} == {"external_id_taken"}
            (winner,) = [response.json()["data"]["id"] for response in responses if response.status_code == 201]
            assert kind.found(f"Race {number}") == [winner]


class TestLookup:
    def test_finds_the_value_as_it_is_stored(self, kind: Kind) -> None:
        wanted = kind.create("Caf\u00e9/1")
        kind.create("caf\u00e9/1")

        for value in ("Caf\u00e9/1", " Caf\u00e9/1 ", "Cafe\u0301/1"):
            assert kind.found(value) == [wanted["id"]]
        for value in ("Caf", "CAF\u00c9/1", "%", " "):
            assert kind.found(value) == []
        response = kind.client.get(kind.path, params={"externalId": ""})
        assert (response.status_code, response.json()["error"]) == (400, "externalId must be at least 1 character")

    def test_is_combined_with_other_filters(self, kind: Kind) -> None:
        row = kind.create("A")
        status, other = (row["status"], "BLOCKED" if kind.path == "/customers" else "SHIPPED")

        assert kind.found("A", status=status) == [row["id"]]
        assert kind.found("A", status=other) == []
        assert kind.found("A", updatedSince=row["updatedAt"]) == [row["id"]]
        assert kind.found("A", updatedSince="2100-01-01") == []


class TestCustomers:
    def test_an_update_sets_keeps_and_clears_it(self, client: Client) -> None:
        path = f"/customers/{client.post('/customers', json={'email': 'a@example.com'}).json()['data']['id']}"

        assert client.patch(path, json={"externalId": " E-1 "}).json()["data"]["externalId"] == "E-1"
        before = client.patch(path, json={"name": "Acme"}).json()["data"]
        assert before["externalId"] == "E-1"
        assert client.patch(path, json={"externalId": "E-1"}).json()["data"] == before
        assert client.patch(path, json={"externalId": None}).json()["data"]["externalId"] is None
        assert client.post("/customers", json={"email": "b@example.com", "externalId": "E-1"}).status_code == 201

    def test_a_taken_email_and_external_id_are_refused_together(self, client: Client) -> None:
        for name in ("one", "two"):
            client.post("/customers", json={"email": f"{name}@example.com", "externalId": name})
        third = client.post("/customers", json={"email": "three@example.com", "externalId": "three"}).json()["data"]
        both = {"email": "ONE@example.com", "externalId": "two "}

        responses = [client.post("/customers", json=both), client.patch(f"/customers/{third['id']}", json=both)]

        for response in responses:
            assert response.json()["error"] == "A customer with this email already exists."
            assert [(refusal["pointer"], refusal["code"]) for refusal in refusals(response)] == [
                ("/email", "email_taken"),
                ("/externalId", "external_id_taken"),
            ]
        assert client.get(f"/customers/{third['id']}").json()["data"] == third
        only = client.patch(f"/customers/{third['id']}", json={**both, "email": third["email"]})
        assert [refusal["code"] for refusal in refusals(only)] == ["external_id_taken"]

    def test_both_are_refused_together_under_concurrent_creation(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        for number in range(5):
            body = {"email": f"race{number}@example.com", "externalId": f"Race {number}"}

            responses = waiting.concurrently(*[partial(client.post, "/customers", json=body)] * CLIENTS)

            codes = [tuple(detail["code"] for detail in response.json().get("details", ())) for response in responses]
            assert sorted(codes) == [()] + [TAKEN] * (CLIENTS - 1)
        assert factories.count(database, Customer, tenant.company_id) == 5

    def test_one_of_many_concurrent_updates_gets_a_value(self, client: Client) -> None:
        made = [
            client.post("/customers", json={"email": f"c{number}@example.com"}).json()["data"]["id"]
            for number in range(CLIENTS)
        ]
        for number in range(5):
            body = {"externalId": f"Race {number}"}

            responses = waiting.concurrently(
                *[partial(client.patch, f"/customers/{customer_id}", json=body) for customer_id in made]
            )

            assert sorted(response.status_code for response in responses) == [200] + [422] * (CLIENTS - 1)

    def test_events_and_audit_entries_contain_it(self, client: Client, database: Database) -> None:
        body = {"email": "a@example.com", "externalId": "E-1"}
        customer = client.post("/customers", json=body).json()["data"]
        client.patch(f"/customers/{customer['id']}", json={"externalId": "E-2"})

        published = [event["data"]["externalId"] for event in client.walk("/events", limit=100)]
        assert sorted(published) == ["E-1", "E-2"]
        with database.transaction() as session:
            entries = session.query(AuditEntry).filter_by(entity_id=customer["id"]).order_by(AuditEntry.id).all()
        assert entries[0].details["after"]["externalId"] == "E-1"
        assert (entries[1].details["before"]["externalId"], entries[1].details["after"]["externalId"]) == ("E-1", "E-2")


class TestOrders:
    def test_events_and_audit_entries_contain_it(self, client: Client, database: Database, tenant: Tenant) -> None:
        product = factories.product(database, tenant.company_id, stock=100)
        body = order_body(factories.customer(database, tenant.company_id), (product, 1), externalId="S-1")
        order = client.post("/orders", json=body).json()["data"]
        changed = client.patch(f"/orders/{order['id']}", json={"status": "CANCELLED"}).json()["data"]

        assert changed["externalId"] == "S-1"
        published = {event["event"]: event["data"]["externalId"] for event in client.walk("/events", limit=100)}
        assert published == dict.fromkeys(("order.created", "order.status_changed", "order.cancelled"), "S-1")
        with database.transaction() as session:
            entry = session.query(AuditEntry).filter_by(entity_id=order["id"], action="order.placed").one()
        assert entry.details["externalId"] == "S-1"

    def test_a_taken_value_is_the_last_of_several_reasons(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        product = factories.product(database, tenant.company_id, stock=5)
        customer = factories.customer(database, tenant.company_id)
        client.post("/orders", json=order_body(customer, (product, 1), externalId="S-1"))

        response = client.post("/orders", json=order_body("x", ("y", 1), (product, 9), externalId="S-1"))

        assert [(refusal["pointer"], refusal["code"]) for refusal in refusals(response)] == [
            ("/customerId", "customer_not_found"),
            ("/items/0/productId", "product_not_found"),
            ("/items/1/quantity", "insufficient_stock"),
            ("/externalId", "external_id_taken"),
        ]

    def test_of_concurrent_orders_one_is_placed_as_a_whole(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        customers = [factories.customer(database, tenant.company_id) for _ in range(CLIENTS)]
        products = factories.products(database, tenant.company_id, CLIENTS, stock=100)
        models = (Order, OrderItem, Event, AuditEntry, InventoryMovement)
        before = [factories.count(database, model, tenant.company_id) for model in models]
        bodies = [
            order_body(customer, (product, 1), (products[0], 1), externalId="S-1")
            for customer, product in zip(customers, products, strict=True)
        ]

        responses = waiting.concurrently(*[partial(client.post, "/orders", json=body) for body in bodies])

        assert sorted(response.status_code for response in responses) == [201] + [422] * (CLIENTS - 1)
        (order,) = [response.json()["data"] for response in responses if response.status_code == 201]
        moved = len({item["productId"] for item in order["items"]})
        after = [factories.count(database, model, tenant.company_id) for model in models]
        assert [later - earlier for later, earlier in zip(after, before, strict=True)] == [1, 2, 1, 1, moved]
