"""Customers (contract, section 6), over HTTP on both databases."""

import json
from typing import Any

import pytest

from app.db import Database
from models import AuditEntry, Customer, Event, Scope
from tests.support import factories, waiting
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant
from tests.support.servers import Server

FULL = {
    "email": "  Anna@Acme.COM ",
    "name": "  Acme Restaurant Group ",
    "status": "BLOCKED",
    "notes": "Weekly delivery, dock B.",
    "creditLimit": 5000,
    "taxRateOverride": 0.08,
}


def events(database: Database, entity_id: str) -> list[dict[str, Any]]:
    with database.transaction() as session:
        rows = session.query(Event).filter(Event.entity_id == entity_id).order_by(Event.sequence).all()
        return [json.loads(row.payload) for row in rows]


def audit(database: Database, entity_id: str) -> list[AuditEntry]:
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter(AuditEntry.entity_id == entity_id)
        return entries.order_by(AuditEntry.created_at, AuditEntry.id).all()


class TestCreateCustomer:
    def test_returns_the_members_of_the_contract(self, client: Client) -> None:
        response = client.post("/customers", json=FULL)

        data = response.json()["data"]
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/customers/{data['id']}"
        assert client.get(f"/customers/{data['id']}").json() == response.json()
        assert {name: value for name, value in data.items() if name not in {"id", "createdAt", "updatedAt"}} == {
            "email": "anna@acme.com",
            "externalId": None,
            "name": "Acme Restaurant Group",
            "status": "BLOCKED",
            "notes": "Weekly delivery, dock B.",
            "creditLimit": 5000.0,
            "taxRateOverride": 0.08,
            "emailVerified": False,
        }

    def test_everything_but_the_email_has_a_default(self, client: Client) -> None:
        data = client.post("/customers", json={"email": "a@b.co"}).json()["data"]

        assert (data["name"], data["notes"], data["creditLimit"], data["taxRateOverride"]) == (None, None, None, None)
        assert (data["status"], data["emailVerified"]) == ("ACTIVE", False)

    def test_an_empty_name_is_null(self, client: Client) -> None:
        for name in ("", "   ", None):
            email = f"x{name and len(name)}@example.com"
            assert client.post("/customers", json={"email": email, "name": name}).json()["data"]["name"] is None

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({}, "email is required"),
            ({"email": None}, "email must be a string"),
            ({"email": "nope"}, "email must be a valid email address"),
            ({"email": "a@b"}, "email must be a valid email address"),
            ({"email": "a@b.c"}, "email must be a valid email address"),
            ({"email": "a b@c.de"}, "email must be a valid email address"),
            ({"email": ""}, "email must be a valid email address"),
            ({"email": "\ufeffa@b.de"}, "email must be a valid email address"),
            ({"email": "a@-b.de"}, "email must be a valid email address"),
            ({"email": "x" * 250 + "@b.de"}, "email must be at most 254 characters"),
            ({"email": "a@b.de", "name": "x" * 101}, "name must be at most 100 characters"),
            ({"email": "a@b.de", "name": 5}, "name must be a string"),
            ({"email": "a@b.de", "notes": "x" * 2001}, "notes must be at most 2000 characters"),
            ({"email": "a@b.de", "status": "GONE"}, "status must be one of ACTIVE, BLOCKED"),
            ({"email": "a@b.de", "status": None}, "status must be a string"),
            ({"email": "a@b.de", "creditLimit": -1}, "creditLimit must be at least 0"),
            ({"email": "a@b.de", "creditLimit": "5"}, "creditLimit must be a number"),
            ({"email": "a@b.de", "creditLimit": 0.001}, "creditLimit must have at most 2 decimal places"),
            ({"email": "a@b.de", "taxRateOverride": 0.31}, "taxRateOverride must be at most 0.3"),
            ({"email": "a@b.de", "taxRateOverride": -0.01}, "taxRateOverride must be at least 0"),
            ({"email": "a@b.de", "emailVerified": True}, "emailVerified is not a known field"),
            ({"email": "a@b.de", "id": "c1"}, "id is not a known field"),
            ({"email": "a@b.de", "companyId": "c1"}, "companyId is not a known field"),
        ],
    )
    def test_every_rule_of_the_schema_has_its_message(self, client: Client, body: dict[str, Any], message: str) -> None:
        response = client.post("/customers", json=body)

        assert (response.status_code, response.json()["error"]) == (400, message)

    def test_an_email_is_unique_in_the_company_ignoring_case(
        self, client: Client, database: Database, tenant: Tenant
    ) -> None:
        factories.customer(database, factories.tenant(database).company_id, email="anna@acme.com")
        assert client.post("/customers", json={"email": "anna@acme.com"}).status_code == 201

        response = client.post("/customers", json={"email": " ANNA@acme.com"})

        message = "A customer with this email already exists."
        assert refusals(response) == [{"pointer": "/email", "code": "email_taken", "message": message}]
        assert factories.count(database, Customer, tenant.company_id) == 1

    def test_one_of_many_concurrent_requests_gets_an_email(
        self, server: Server, tenant: Tenant, contract: Contract, database: Database
    ) -> None:
        def create() -> int:
            with Client(server.url, tenant.key, contract) as client:
                return client.post("/customers", json={"email": "race@example.com"}).status_code

        statuses = sorted(waiting.concurrently(*[create] * 16))

        assert statuses == [201] + [422] * 15
        assert factories.count(database, Customer, tenant.company_id) == 1

    def test_publishes_an_event_and_an_audit_entry_with_the_key_as_actor(
        self, client: Client, tenant: Tenant, database: Database
    ) -> None:
        response = client.post("/customers", json=FULL, headers={"X-Request-Id": "req-7"})
        data = response.json()["data"]

        (event,) = events(database, data["id"])
        (entry,) = audit(database, data["id"])
        assert event["event"] == "customer.created"
        assert event["data"] == data
        assert event["sequence"] == 1
        assert (entry.action, entry.actor_type, entry.actor_id) == ("customer.created", "API_KEY", tenant.key_id)
        assert (entry.request_id, entry.address, entry.entity_type) == ("req-7", "127.0.0.1", "customer")

    def test_needs_the_scope_to_write(self, client: Client, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, scopes=[Scope.CUSTOMERS_READ])
        response = client.post("/customers", json=FULL, headers={"Authorization": f"Bearer {key}"})

        assert response.status_code == 403
        assert '"customers:write"' in response.json()["error"]


class TestLookup:
    def test_an_email_is_looked_up_ignoring_case(self, client: Client, database: Database, tenant: Tenant) -> None:
        wanted = client.post("/customers", json=FULL).json()["data"]
        client.post("/customers", json={"email": "xanna@acme.com"})
        factories.customer(database, factories.tenant(database).company_id, email="foreign@acme.com")

        for email in ("anna@acme.com", " ANNA@Acme.com\t"):
            assert client.get("/customers", params={"email": email}).json() == {
                "data": [wanted],
                "pagination": {"hasMore": False, "nextCursor": None},
            }
        for email in ("anna", "foreign@acme.com", "unknown@acme.com", "%", " "):
            assert client.get("/customers", params={"email": email}).json()["data"] == []
        assert client.get("/customers", params={"email": "anna@acme.com", "status": "ACTIVE"}).json()["data"] == []
        assert client.get("/customers", params={"email": ""}).json()["error"] == "email must be at least 1 character"


class TestUpdateCustomer:
    def test_changes_only_the_members_given_and_null_clears(self, client: Client) -> None:
        data = client.post("/customers", json=FULL).json()["data"]

        changed = client.patch(
            f"/customers/{data['id']}",
            json={
                "email": "New@Acme.com",
                "name": None,
                "creditLimit": None,
                "taxRateOverride": 0.123456,
                "status": "ACTIVE",
            },
        )

        assert changed.status_code == 200
        after = changed.json()["data"]
        assert after == data | {
            "email": "new@acme.com",
            "name": None,
            "creditLimit": None,
            "taxRateOverride": 0.123456,
            "status": "ACTIVE",
            "updatedAt": after["updatedAt"],
        }
        assert after["updatedAt"] > data["updatedAt"]
        assert client.get(f"/customers/{data['id']}").json()["data"] == after

    def test_search_finds_the_new_name(self, client: Client) -> None:
        data = client.post("/customers", json={"email": "old@example.com", "name": "Old"}).json()["data"]
        client.patch(f"/customers/{data['id']}", json={"name": "Fresh & Co"})

        assert [customer["id"] for customer in client.walk("/customers", search="FRESH")] == [data["id"]]
        assert [customer["id"] for customer in client.walk("/customers", search="Old@")] == [data["id"]]

    def test_an_update_without_a_change_is_not_recorded(self, client: Client, database: Database) -> None:
        data = client.post("/customers", json=FULL).json()["data"]

        response = client.patch(f"/customers/{data['id']}", json=FULL)

        assert response.json()["data"] == data
        assert len(events(database, data["id"])) == 1
        assert len(audit(database, data["id"])) == 1

    def test_publishes_an_event_and_records_the_changes(self, client: Client, database: Database) -> None:
        data = client.post("/customers", json=FULL).json()["data"]
        after = client.patch(f"/customers/{data['id']}", json={"creditLimit": 12.5}).json()["data"]

        assert [(event["event"], event["sequence"]) for event in events(database, data["id"])] == [
            ("customer.created", 1),
            ("customer.updated", 2),
        ]
        assert events(database, data["id"])[1]["data"] == after
        details = audit(database, data["id"])[1].details
        assert details["before"]["creditLimit"] == 5000.0
        assert details["after"]["creditLimit"] == 12.5
        assert details["after"].keys() == {"creditLimit", "updatedAt"}

    def test_the_email_of_another_customer_is_refused(self, client: Client) -> None:
        client.post("/customers", json={"email": "one@example.com"})
        data = client.post("/customers", json={"email": "two@example.com"}).json()["data"]

        response = client.patch(f"/customers/{data['id']}", json={"email": "ONE@example.com"})

        message = "A customer with this email already exists."
        assert refusals(response) == [{"pointer": "/email", "code": "email_taken", "message": message}]
        assert client.get(f"/customers/{data['id']}").json()["data"] == data

    def test_an_empty_update_is_rejected(self, client: Client) -> None:
        data = client.post("/customers", json=FULL).json()["data"]

        assert client.patch(f"/customers/{data['id']}", json={}).status_code == 400

    def test_unknown_ids_and_ids_of_another_company_get_the_same_response(
        self, client: Client, database: Database
    ) -> None:
        foreign = factories.customer(database, factories.tenant(database).company_id)

        for method, body in (("GET", None), ("PATCH", {"name": "x"})):
            responses = [
                client.request(method, f"/customers/{customer_id}", json=body)
                for customer_id in (foreign, "c" + "0" * 24, "x")
            ]
            assert {(response.status_code, response.content) for response in responses} == {
                (404, b'{"error":"Customer not found.","code":"not_found"}')
            }


class TestListCustomers:
    def test_filters_by_status_and_text(self, client: Client, tenant: Tenant, database: Database) -> None:
        blocked = factories.customer(
            database, tenant.company_id, email="Ab_c@x.com".lower(), name="Müller", status="BLOCKED"
        )
        active = factories.customer(database, tenant.company_id, email="other@x.com", name="Bäcker 100%")

        def found(**query: str) -> list[str]:
            return [customer["id"] for customer in client.walk("/customers", **query)]

        assert found() == sorted([active, blocked], reverse=True)
        assert found(status="BLOCKED") == [blocked]
        assert found(status="ACTIVE", search="x.com") == [active]
        assert found(search="MÜLLER") == [blocked]
        assert found(search="ab_c") == [blocked]
        assert found(search="_") == [blocked]
        assert found(search="%") == [active]

    def test_an_unknown_status_is_rejected(self, client: Client) -> None:
        response = client.get("/customers", params={"status": "GONE"})

        assert (response.status_code, response.json()["error"]) == (400, "status must be one of ACTIVE, BLOCKED")

    def test_pages(self, client: Client, tenant: Tenant, database: Database) -> None:
        made = [factories.customer(database, tenant.company_id) for _ in range(7)]

        assert [customer["id"] for customer in client.walk("/customers", limit=3)] == sorted(made, reverse=True)
