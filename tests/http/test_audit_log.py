"""The audit log (contract, section 9.8), over HTTP on both databases."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.context import now
from app.db import Database
from app.schemas.times import parse_time
from app.services import audit
from models import Scope, new_id
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.company import Company
from tests.support.factories import Tenant
from tests.support.sealed_log import seal_all
from tests.support.servers import Server

AT = datetime(2026, 4, 16, 14, 22, tzinfo=UTC)
PATH, SEAL_PATH = "/audit-log", "/audit-seal"
DONE = {"since": "2026-04-16", "until": "2026-04-17"}  # the entries that a test inserts


class AuditLog(Company):
    """A company, and methods to write and read its audit log."""

    def insert(self, *rows: dict[str, Any]) -> list[str]:
        """Insert entries as they are, one minute apart from AT on; return their ids."""
        inserted = [
            {
                "id": new_id(AT + number * timedelta(minutes=1)),
                "company_id": self.tenant.company_id,
                "action": "price.set",
                "actor_type": "USER",
                "actor_id": "tester",
                "entity_type": "company",
                "entity_id": "one",
                "details": {},
                "request_id": "r-1",
                "created_at": AT + number * timedelta(minutes=1),
                **fields,
            }
            for number, fields in enumerate(rows)
        ]
        with self.database.transaction(write=True) as session:
            session.connection().execute(audit.TABLE.insert(), inserted)
        return [str(row["id"]) for row in inserted]

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        """Return the first page of the entries that the filters select."""
        return list(self.client.get(PATH, params=query).raise_for_status().json()["data"])

    def sealed(self) -> dict[str, Any]:
        """Seal every entry; return what the operation returns."""
        seal_all(self.database)
        return dict(self.client.get(SEAL_PATH).raise_for_status().json()["data"])

    def ids(self, **query: Any) -> list[str]:
        """Return the ids of `listed`."""
        return [entry["id"] for entry in self.listed(**query)]


@pytest.fixture
def log(client: Client, tenant: Tenant, database: Database) -> AuditLog:
    return AuditLog(client, tenant, database)


@pytest.fixture
def others(server: Server, database: Database, contract: Contract) -> Iterator[AuditLog]:
    """Return the audit log of another company."""
    tenant = factories.tenant(database)
    with Client(server.url, tenant.key, contract) as client:
        yield AuditLog(client, tenant, database)


def error(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["error"])


class TestGetAuditEntry:
    def test_returns_exactly_the_members_of_the_contract(self, log: AuditLog) -> None:
        details = {"before": {"price": 8.5}, "after": {"price": None}, "list": [1, "é"]}
        (entry,) = log.insert({"details": details, "address": "203.0.113.7"})

        assert log.client.get(f"{PATH}/{entry}").json() == {
            "data": {
                "id": entry,
                "action": "price.set",
                "actorType": "USER",
                "actorId": "tester",
                "entityType": "company",
                "entityId": "one",
                "requestId": "r-1",
                "address": "203.0.113.7",
                "createdAt": "2026-04-16T14:22:00.000Z",
                "metadata": details,
            }
        }

    def test_an_unknown_id_and_one_of_another_company_are_404(self, log: AuditLog, others: AuditLog) -> None:
        (foreign,) = others.insert({})

        for entry in (foreign, "c" + "0" * 24, "nope", "x" * 200):
            assert error(log.client.get(f"{PATH}/{entry}"), 404) == "Audit entry not found."


class TestListAuditEntries:
    def test_a_change_has_an_entry_with_the_key_the_request_and_the_address(self, log: AuditLog) -> None:
        customer = log.client.post(
            "/customers", json={"email": "anna@example.com"}, headers={"X-Request-Id": "Import-7/b"}
        ).json()["data"]

        (entry,) = log.listed(requestId="Import-7/b")

        assert log.client.get(f"{PATH}/{entry['id']}").json()["data"] == entry
        assert (entry["action"], entry["entityType"], entry["entityId"]) == (
            *("customer.created", "customer"),
            customer["id"],
        )
        assert (entry["actorType"], entry["actorId"], entry["address"]) == ("API_KEY", log.tenant.key_id, "127.0.0.1")
        assert entry["createdAt"] == customer["createdAt"]
        assert entry["metadata"] == {"after": customer}

    def test_a_change_on_the_command_line_has_no_address(self, log: AuditLog) -> None:
        assert {entry["actorType"]: entry["address"] for entry in log.listed()} == {"SYSTEM": None, "USER": None}

    def test_entries_are_listed_newest_first(self, log: AuditLog) -> None:
        ids = log.insert({}, {}, {})
        tied = log.insert(*[{"created_at": AT + timedelta(hours=1)}] * 3)

        assert log.ids(**DONE) == [*sorted(tied, reverse=True), *reversed(ids)]

    def test_pages_are_complete(self, log: AuditLog) -> None:
        log.insert(*[{"created_at": AT}] * 5, {}, {"actor_id": "other"})

        for query in (DONE, {**DONE, "actorId": "tester"}, {**DONE, "entityId": "one"}, {**DONE, "requestId": "r-1"}):
            walked = [entry["id"] for entry in log.client.walk(PATH, limit=2, **query)]
            assert walked == log.ids(**query)
            assert len(walked) == (6 if "actorId" in query else 7)

    def test_a_page_links_to_the_next_one(self, log: AuditLog) -> None:
        ids = log.insert({}, {}, {})

        first = log.client.get(PATH, params={**DONE, "limit": 2})
        second = log.client.get(log.client.base_url.join(first.links["next"]["url"]))

        assert first.json()["pagination"] == {"hasMore": True, "nextCursor": ids[1]}
        assert [entry["id"] for entry in second.json()["data"]] == [ids[0]]
        assert second.json()["pagination"] == {"hasMore": False, "nextCursor": None}
        assert "next" not in second.links

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"actorId": "cron"}, {1, 2}),
            ({"actorId": "CRON"}, set()),
            ({"actorId": " Jose\u0301 "}, {3}),
            ({"actorType": "USER"}, {3}),
            ({"actorType": "SYSTEM"}, {1, 2}),
            ({"action": "order.placed"}, {0, 1}),
            ({"action": " order.placed "}, {0, 1}),
            ({"action": "order"}, set()),
            ({"action": ""}, set()),
            ({"entityType": "order"}, {0, 1, 2}),
            ({"entityType": "unknown"}, set()),
            ({"entityId": "o-1"}, {0, 2}),
            ({"entityId": " o-1 "}, {0, 2}),
            ({"entityId": "O-1"}, set()),
            ({"requestId": "Request/1"}, {0, 1}),
            ({"requestId": "request/1"}, set()),
            ({"since": "2026-04-16T14:24:00.000Z"}, {2, 3}),
            ({"since": "2026-04-16T14:24:00.001Z"}, {3}),
            ({"until": "2026-04-16T14:23:00.000Z"}, {0, 1}),
            ({"until": "2026-04-16T14:22:59.999Z"}, {0}),
            ({"entityId": "o-1", "requestId": "Request/1"}, {0}),
            ({"entityId": "o-1", "action": "order.placed", "actorType": "API_KEY", "entityType": "order"}, {0}),
            ({"actorId": "cron", "action": "order.status_changed", "until": "2026-04-17"}, {2}),
            ({"requestId": "Request/1", "actorId": "cron", "since": "2026-04-16T14:23:00.000Z"}, {1}),
        ],
        ids=str,
    )
    def test_filters_select_matching_entries(self, log: AuditLog, query: dict[str, str], expected: set[int]) -> None:
        key = {"actor_type": "API_KEY", "actor_id": log.tenant.key_id}
        cron = {"actor_type": "SYSTEM", "actor_id": "cron"}
        order = {"entity_type": "order", "action": "order.placed", "request_id": "Request/1"}
        ids = log.insert(
            {**key, **order, "entity_id": "o-1"},
            {**cron, **order, "entity_id": "o-2"},
            {**cron, **order, "entity_id": "o-1", "action": "order.status_changed", "request_id": "r-2"},
            {"actor_id": "José", "entity_type": "product", "entity_id": "p-1"},
        )

        listed = log.ids(**query)

        assert {number for number, id_ in enumerate(ids) if id_ in listed} == expected

    def test_the_entries_of_another_company_are_not_listed(self, log: AuditLog, others: AuditLog) -> None:
        (foreign,) = others.insert({})
        (own,) = log.insert({})

        assert log.ids(**DONE) == [own]
        for name, value in (("entityId", "one"), ("requestId", "r-1"), ("actorId", "tester"), ("action", "price.set")):
            assert log.ids(**DONE, **{name: value}) == [own]
        assert log.ids(actorId=others.tenant.key_id) == []
        assert error(log.client.get(PATH, params={"cursor": foreign}), 400) == "Invalid cursor."

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"actorType": "ROBOT"}, "actorType must be one of API_KEY, USER, SYSTEM"),
            ({"actorId": "x" * 101}, "actorId must be at most 100 characters"),
            ({"action": "x" * 61}, "action must be at most 60 characters"),
            ({"entityType": "x" * 41}, "entityType must be at most 40 characters"),
            ({"entityId": "x" * 65}, "entityId must be at most 64 characters"),
            ({"requestId": "x" * 129}, "requestId must be at most 128 characters"),
            ({"since": "yesterday"}, "since must be a date or a time in ISO 8601"),
            ({"until": "2026-02-30"}, "until must be a date or a time in ISO 8601"),
            ({"limit": "x"}, "limit must be a whole number"),
            ({"cursor": "unknown"}, "Invalid cursor."),
            ({"actor": "x"}, "actor is not a known parameter"),
        ],
        ids=str,
    )
    def test_an_invalid_parameter_is_400(self, log: AuditLog, query: dict[str, str], message: str) -> None:
        response = log.client.get(PATH, params=query)

        assert error(response, 400) == message
        assert response.json()["details"][0]["pointer"] == f"/query/{next(iter(query))}"

    @pytest.mark.parametrize(
        ("name", "length"), [("actorId", 100), ("action", 60), ("entityType", 40), ("entityId", 64), ("requestId", 128)]
    )
    def test_a_filter_at_its_limit_is_accepted(self, log: AuditLog, name: str, length: int) -> None:
        assert log.ids(**{name: "x" * length}) == []

    def test_every_read_requires_the_scope(self, log: AuditLog, anonymous: Client) -> None:
        scopes = [scope for scope in Scope if scope is not Scope.AUDIT_READ]
        _, lacking = factories.api_key(log.database, log.tenant.company_id, scopes=scopes)
        _, sufficient = factories.api_key(log.database, log.tenant.company_id, scopes=[Scope.AUDIT_READ])
        (entry,) = log.insert({})

        for path in (PATH, f"{PATH}/{entry}", f"{PATH}/x"):
            refused = anonymous.get(path, headers={"Authorization": f"Bearer {lacking}"})
            assert '"audit:read"' in error(refused, 403)
        for path in (PATH, f"{PATH}/{entry}"):
            assert anonymous.get(path, headers={"Authorization": f"Bearer {sufficient}"}).status_code == 200


class TestGetAuditSeal:
    def test_all_members_are_null_before_the_first_seal(self, log: AuditLog) -> None:
        response = log.client.get(SEAL_PATH)

        assert (response.status_code, "ETag" in response.headers) == (200, False)
        assert response.json() == {"data": {"seal": None, "entryId": None, "entries": None, "sealedAt": None}}

    def test_returns_the_last_seal(self, log: AuditLog) -> None:
        before = now()
        log.insert({}, {})
        first, second = (log.sealed() for _ in range(2))
        log.client.post("/customers", json={"email": "later@example.com"}).raise_for_status()
        third = log.sealed()

        newest = log.listed()[0]
        assert first == second
        assert re.fullmatch("[0-9a-f]{64}", first["seal"])
        assert (first["entries"], third["entries"], third["entryId"]) == (4, 5, newest["id"])
        assert first["seal"] != third["seal"]
        assert before <= parse_time(first["sealedAt"]) <= parse_time(third["sealedAt"])

    def test_each_company_has_its_own(
        self, log: AuditLog, database: Database, server: Server, contract: Contract
    ) -> None:
        other = factories.tenant(database)

        mine = log.sealed()
        with Client(server.url, other.key, contract) as client:
            theirs = client.get(SEAL_PATH).json()["data"]
        assert (mine["entries"], theirs["entries"]) == (2, 2)
        assert mine["seal"] != theirs["seal"]

    def test_the_scope_is_required(self, log: AuditLog, server: Server, database: Database, contract: Contract) -> None:
        others = [scope for scope in Scope if scope is not Scope.AUDIT_READ]
        _, key = factories.api_key(database, log.tenant.company_id, scopes=others)

        with Client(server.url, key, contract) as client:
            response = client.get(SEAL_PATH)
        assert response.status_code == 403
        assert response.json()["error"] == 'Insufficient permissions. This key lacks the "audit:read" scope.'

    def test_query_parameters_are_refused(self, log: AuditLog) -> None:
        assert log.client.get(SEAL_PATH, params={"limit": 1}).status_code == 400
