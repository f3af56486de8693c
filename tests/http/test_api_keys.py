"""API keys, and the calling one (contract, section 9.6), over HTTP on both databases."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import __version__
from app.context import now
from app.db import Database
from app.schemas.base import timestamp
from app.schemas.times import parse_time
from app.services import companies
from app.services.key_grants import MAX_ACTIVE_KEYS
from models import ApiKey, Scope, StoredResponse
from tests.support import factories
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant
from tests.support.key_company import NEW, KeyCompany
from tests.support.servers import Server

Describe = Callable[..., dict[str, Any]]
MILLISECOND = timedelta(milliseconds=1)
CONTROL = "name must not be empty, and must not contain control characters"
CIDR = "must be a network in CIDR notation, such as 203.0.113.0/24"
TIME = "expiresAt must be a date or a time in ISO 8601"


@pytest.fixture
def company(anonymous: Client, tenant: Tenant, database: Database) -> KeyCompany:
    return KeyCompany(anonymous, tenant, database)


@pytest.fixture
def describe(anonymous: Client, tenant: Tenant, database: Database) -> Describe:
    """Return a function that creates a key of the company, and returns what `GET /me` says of it."""

    def create_and_call(scopes: Sequence[Scope] = (Scope.PRODUCTS_READ,), **fields: Any) -> dict[str, Any]:
        _, key = factories.api_key(database, tenant.company_id, scopes=scopes, **fields)
        response = anonymous.get("/me", headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 200
        return dict(response.json()["data"]["key"])

    return create_and_call


class TestGetMe:
    def test_returns_the_key_and_its_company(self, client: Client, tenant: Tenant, database: Database) -> None:
        with database.transaction() as session:
            company = companies.find(session, tenant.slug)
        before = now()

        data = client.get("/me").raise_for_status().json()["data"]

        assert before <= parse_time(data.pop("serverTime")) <= now()
        assert data == {
            "company": {"id": tenant.company_id, "name": company.name, "slug": tenant.slug, "currency": "USD"},
            "key": {
                "id": tenant.key_id,
                "name": "Everything",
                "prefix": tenant.key[:12],
                "scopes": sorted(Scope),
                "expiresAt": None,
                "rateLimit": {"limit": 1_000_000, "windowSeconds": 60},
            },
            "version": __version__,
        }

    def test_returns_the_current_currency(self, client: Client, tenant: Tenant, database: Database) -> None:
        with database.transaction(write=True) as session:
            companies.update(factories.context(session, tenant.company_id), currency="EUR")

        assert client.get("/me").json()["data"]["company"]["currency"] == "EUR"

    @pytest.mark.parametrize("scope", Scope)
    def test_one_scope_is_sufficient_whichever_it_is(self, describe: Describe, scope: Scope) -> None:
        assert describe([scope])["scopes"] == [scope]

    @pytest.mark.parametrize(
        ("rate_limit", "limit", "seconds"), [(None, 60, 60), ("7/2 minutes", 7, 120), ("10000000/day", 10**7, 86_400)]
    )
    def test_the_rate_limit_is_the_one_in_force(
        self, describe: Describe, rate_limit: str | None, limit: int, seconds: int
    ) -> None:
        assert describe(rate_limit=rate_limit)["rateLimit"] == {"limit": limit, "windowSeconds": seconds}

    @pytest.mark.parametrize("expires_at", [None, datetime(2999, 12, 31, 23, 59, 59, 999_000, UTC)])
    def test_the_expiry_is_null_or_a_time(self, describe: Describe, expires_at: datetime | None) -> None:
        assert describe(expires_at=expires_at)["expiresAt"] == (expires_at and timestamp(expires_at))

    def test_a_key_of_another_company_returns_that_company(
        self, client: Client, server: Server, contract: Contract, database: Database
    ) -> None:
        other = factories.tenant(database)
        with Client(server.url, other.key, contract) as other_client:
            found, own = (caller.get("/me").json()["data"] for caller in (other_client, client))

        assert (found["company"]["id"], found["key"]["id"]) == (other.company_id, other.key_id)
        assert (own["company"]["id"], own["key"]["id"]) != (other.company_id, other.key_id)

    def test_it_counts_against_the_rate_limit(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, rate_limit="1/day")
        headers = {"Authorization": f"Bearer {key}"}

        responses = [anonymous.get("/me", headers=headers) for _ in range(2)]

        assert [response.status_code for response in responses] == [200, 429]
        assert responses[0].headers["ratelimit-policy"] == '"default";q=1;w=86400'

    @pytest.mark.parametrize(("header", "code"), [("", "authorization_missing"), ("Bearer dk_x", "key_invalid")])
    def test_no_key_and_an_unknown_key_are_401(self, anonymous: Client, header: str, code: str) -> None:
        response = anonymous.get("/me", headers={"Authorization": header})

        assert (response.status_code, response.json()["code"]) == (401, code)

    def test_an_unknown_parameter_is_400(self, client: Client) -> None:
        response = client.get("/me?limit=1")

        assert (response.status_code, response.json()["error"]) == (400, "limit is not a known parameter")
        assert response.json()["details"][0]["known"] == []


class TestCreate:
    def test_returns_the_record_and_a_working_key(self, company: KeyCompany) -> None:
        before = now()
        networks = ["127.0.0.0/8", "2001:0DB8::/32"]

        response = company.create(name=" Web shop ", expiresAt="2999-04-16T14:22:00.5+02:00", allowedNetworks=networks)

        data = company.data(response)
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/api-keys/{data['id']}"
        plaintext = data.pop("key")
        assert company.data(company.send("GET", f"/api-keys/{data['id']}")) == data
        assert before <= parse_time(data["createdAt"]) <= now()
        assert data == {
            "id": data["id"],
            "name": "Web shop",
            "prefix": plaintext[:12],
            "scopes": ["products:read"],
            "status": "Active",
            "rateLimit": None,
            "allowedNetworks": ["127.0.0.0/8", "2001:db8::/32"],
            "lastUsedAt": None,
            "createdAt": data["createdAt"],
            "createdBy": company.tenant.key_id,
            "expiresAt": "2999-04-16T12:22:00.500Z",
            "revokedAt": None,
            "replacedBy": None,
        }
        called = company.data(company.send("GET", "/me", plaintext))
        assert (called["key"]["id"], called["company"]["id"]) == (data["id"], company.tenant.company_id)

    def test_without_optional_fields_it_is_unlimited(self, company: KeyCompany) -> None:
        nothing: dict[str, Any] = {"expiresAt": None, "allowedNetworks": []}
        for fields in ({}, nothing):
            data = company.data(company.create(**fields))

            assert (data["expiresAt"], data["allowedNetworks"], data["rateLimit"]) == (None, [], None)

    def test_duplicates_are_ignored_and_scopes_are_sorted(self, company: KeyCompany) -> None:
        networks = ["10.0.0.0/8", "2001:db8::/32", "10.0.0.0/8", "2001:0db8::/32"]
        data = company.data(
            company.create(scopes=["products:read", "audit:read", "products:read"], allowedNetworks=networks)
        )

        assert data["scopes"] == ["audit:read", "products:read"]
        assert data["allowedNetworks"] == ["10.0.0.0/8", "2001:db8::/32"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": "x" * 100},
            {"scopes": sorted(Scope)},
            {"allowedNetworks": [f"10.0.{number}.0/24" for number in range(20)]},
            {"allowedNetworks": ["0.0.0.0/0", "::/0", "192.0.2.1/32", "2001:db8::1/128"]},
            {"expiresAt": "2999-01-01"},
        ],
        ids=["name", "scopes", "networks", "widest and narrowest networks", "date"],
    )
    def test_values_at_the_limits_are_accepted(self, company: KeyCompany, fields: dict[str, Any]) -> None:
        assert company.create(**fields).status_code == 201

    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"name": None}, "/name", "name must be a string"),
            ({"name": " "}, "/name", CONTROL),
            ({"name": "a\n"}, "/name", CONTROL),
            ({"name": "x" * 101}, "/name", "name must be at most 100 characters"),
            ({"scopes": []}, "/scopes", "At least one scope is required"),
            ({"scopes": [*sorted(Scope), "keys:read"]}, "/scopes", "scopes must have at most 13 items"),
            ({"scopes": "keys:read"}, "/scopes", "scopes must be a list"),
            ({"scopes": ["all"]}, "/scopes/0", "scopes[0] must be one of products:read, products:write, "),
            ({"expiresAt": "tomorrow"}, "/expiresAt", TIME),
            ({"expiresAt": "2999-02-30"}, "/expiresAt", TIME),
            ({"expiresAt": 1}, "/expiresAt", "expiresAt must be a string"),
            ({"expiresAt": "2020-01-01"}, "/expiresAt", "expiresAt must be in the future"),
            ({"allowedNetworks": None}, "/allowedNetworks", "allowedNetworks must be a list"),
            ({"allowedNetworks": ["1.0.0.0/8"] * 21}, "/allowedNetworks", "allowedNetworks must have at most 20 items"),
            (
                {"allowedNetworks": ["203.0.113.7/24"]},
                "/allowedNetworks/0",
                "allowedNetworks[0] must not have host bits: use 203.0.113.0/24",
            ),
            ({"allowedNetworks": ["10.0.0.0/8", "10.0.0.1"]}, "/allowedNetworks/1", f"allowedNetworks[1] {CIDR}"),
            ({"rateLimit": None}, "/rateLimit", "rateLimit is not a known field"),
            ({"key": "dk_mine"}, "/key", "key is not a known field"),
        ],
    )
    def test_an_invalid_value_is_rejected(
        self, company: KeyCompany, fields: dict[str, Any], pointer: str, message: str
    ) -> None:
        response = company.create(**fields)

        assert (response.status_code, response.json()["code"]) == (400, "validation_failed")
        (detail,) = response.json()["details"]
        assert detail["pointer"] == pointer
        assert detail["message"].startswith(message)

    def test_the_name_and_the_scopes_are_required(self, company: KeyCompany) -> None:
        response = company.send("POST", "/api-keys", json={})

        assert [detail["message"] for detail in response.json()["details"]] == [
            "name is required",
            "scopes is required",
        ]

    def test_an_expiry_is_in_the_future_by_a_millisecond_or_more(self, company: KeyCompany) -> None:
        late, early = now() + timedelta(hours=1), now()

        assert company.create(expiresAt=timestamp(late)).status_code == 201
        assert company.create(expiresAt=timestamp(early)).status_code == 400

    def test_a_scope_that_the_caller_lacks_is_refused(self, company: KeyCompany) -> None:
        _, caller = company.key(Scope.KEYS_WRITE, Scope.ORDERS_READ)

        scopes = ["orders:read", "orders:write", "keys:write", "orders:write", "keys:read"]
        details = refusals(company.create(caller, scopes=scopes))

        assert details == [
            {
                "pointer": f"/scopes/{index}",
                "code": "scope_too_wide",
                "message": f"The calling key does not have the scope {scope}, so the new key cannot have it.",
            }
            for index, scope in ((1, "orders:write"), (4, "keys:read"))
        ]
        assert company.create(caller, scopes=["orders:read", "keys:write"]).status_code == 201

    def test_a_key_that_outlives_the_caller_is_refused(self, company: KeyCompany) -> None:
        end = now() + timedelta(hours=1)
        _, caller = company.key(expires_at=end)

        for fields in ({}, {"expiresAt": None}, {"expiresAt": timestamp(end + MILLISECOND)}):
            assert refusals(company.create(caller, **fields)) == [
                {
                    "pointer": "/expiresAt",
                    "code": "expiry_too_late",
                    "message": f"The new key must expire at or before {timestamp(end)}, when the calling key expires.",
                    "callerExpiresAt": timestamp(end),
                }
            ]
        assert company.data(company.create(caller, expiresAt=timestamp(end)))["expiresAt"] == timestamp(end)

    @pytest.mark.parametrize(
        ("networks", "refused"),
        [
            (["127.0.0.0/8"], []),
            (["127.0.0.0/9", "127.128.0.0/9", "::1/128"], []),
            (["126.0.0.0/7"], [("/0", "126.0.0.0/7")]),
            (["127.0.0.0/8", "10.0.0.0/8", "::/0", "10.0.0.0/8"], [("/1", "10.0.0.0/8"), ("/2", "::/0")]),
            ([], [("", "every address")]),
            (None, [("", "every address")]),
        ],
    )
    def test_a_network_outside_those_of_the_caller_is_refused(
        self, company: KeyCompany, networks: list[str] | None, refused: list[tuple[str, str]]
    ) -> None:
        _, caller = company.key(allowed_networks=["127.0.0.0/9", "127.128.0.0/9", "::1/128"])

        response = company.create(caller, **({} if networks is None else {"allowedNetworks": networks}))

        assert (refusals(response) if refused else []) == [
            {
                "pointer": f"/allowedNetworks{index}",
                "code": "network_too_wide",
                "message": f"The new key must not be open to {network}, "
                "which is outside the networks of the calling key.",
            }
            for index, network in refused
        ]

    def test_every_reason_to_refuse_it_is_returned(self, company: KeyCompany) -> None:
        _, caller = company.key(
            Scope.KEYS_WRITE, expires_at=now() + timedelta(hours=1), allowed_networks=["127.0.0.0/8"]
        )
        for _ in range(MAX_ACTIVE_KEYS - 2):
            company.key()

        found = [(detail["pointer"], detail["code"]) for detail in refusals(company.create(caller))]

        assert found == [
            ("/scopes/0", "scope_too_wide"),
            ("/expiresAt", "expiry_too_late"),
            ("/allowedNetworks", "network_too_wide"),
            ("", "key_limit_reached"),
        ]

    def test_a_company_has_at_most_100_active_keys(self, company: KeyCompany) -> None:
        for fields in ({"revoked_at": now()}, {"expires_at": now()}, {"replaced_by": company.tenant.key_id}):
            company.key(**fields)  # not counted
        for _ in range(MAX_ACTIVE_KEYS - 2):
            company.key()
        created = company.data(company.create())

        message = "API key limit reached. A company can have at most 100 active keys. Revoke one first."
        assert refusals(company.create()) == [{"pointer": "", "code": "key_limit_reached", "message": message}]
        company.send("DELETE", f"/api-keys/{created['id']}")
        assert company.create().status_code == 201

    def test_a_repeated_request_returns_the_record_without_the_key(self, company: KeyCompany) -> None:
        headers = {"Idempotency-Key": "one"}
        first, second = (company.send("POST", "/api-keys", json=NEW, headers=headers) for _ in range(2))

        assert second.status_code == first.status_code == 201
        assert second.headers["idempotency-replayed"] == "true"
        assert second.headers["location"] == first.headers["location"]
        assert company.data(second) == {**company.data(first), "key": None}
        assert len(company.audited("api_key.created")) == 1
        with company.database.transaction() as session:
            (stored,) = session.query(StoredResponse).filter_by(company_id=company.tenant.company_id)
        assert company.data(first)["key"].encode() not in stored.body

    def test_a_key_that_was_stored_by_an_earlier_version_is_not_returned(self, company: KeyCompany) -> None:
        headers = {"Idempotency-Key": "one"}
        first = company.send("POST", "/api-keys", json=NEW, headers=headers)
        with company.database.transaction(write=True) as session:
            session.query(StoredResponse).filter_by(company_id=company.tenant.company_id).one().body = first.content

        second = company.send("POST", "/api-keys", json=NEW, headers=headers)

        assert company.data(second) == {**company.data(first), "key": None}

    def test_is_audited_without_the_key(self, company: KeyCompany) -> None:
        data = company.data(company.create(allowedNetworks=["127.0.0.0/8"]))

        (entry,) = company.audited("api_key.created")
        assert (entry.entity_type, entry.entity_id, entry.actor_id) == ("api_key", data["id"], company.tenant.key_id)
        assert entry.details == {name: data[name] for name in ("name", "prefix", "scopes", "allowedNetworks")}

    def test_a_refused_request_creates_and_records_nothing(self, company: KeyCompany) -> None:
        _, caller = company.key(Scope.KEYS_WRITE)
        before = factories.count(company.database, ApiKey, company.tenant.company_id)

        company.create(caller)

        assert factories.count(company.database, ApiKey, company.tenant.company_id) == before
        assert company.audited("api_key.created") == []

    @pytest.mark.parametrize("change", [{"revoked_at": now()}, {"expires_at": now()}])
    def test_a_caller_that_has_ended_since_it_was_cached_creates_nothing(
        self, company: KeyCompany, change: dict[str, Any]
    ) -> None:
        _, caller = company.ended_caller(change)

        response = company.create(caller)

        assert (response.status_code, response.json()["code"]) == (401, "key_invalid")
        assert response.headers["www-authenticate"] == "Bearer"
        assert company.audited("api_key.created") == []

    def test_the_current_end_of_the_caller_applies(self, company: KeyCompany) -> None:
        key_id, caller = company.key()
        company.data(company.send("GET", "/me", caller))
        with company.database.transaction(write=True) as session:
            session.get_one(ApiKey, key_id).expires_at = now() + timedelta(hours=1)

        assert [detail["code"] for detail in refusals(company.create(caller))] == ["expiry_too_late"]

    @pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.KEYS_WRITE])
    def test_every_other_scope_is_insufficient(self, company: KeyCompany, scope: Scope) -> None:
        _, caller = company.key(scope)

        assert company.create(caller, scopes=[scope]).status_code == 403


class TestRead:
    def test_lists_every_key_of_the_company_newest_first(self, company: KeyCompany, database: Database) -> None:
        other = factories.tenant(database)
        created = [company.data(company.create())["id"] for _ in range(3)]
        company.send("DELETE", f"/api-keys/{created[0]}")

        ids = [key["id"] for key in company.send("GET", "/api-keys").json()["data"]]

        assert ids == [*reversed(created), company.tenant.key_id]
        assert other.key_id not in ids

    @pytest.mark.parametrize("status", ["Active", "Revoked", "Expired"])
    def test_a_status_is_that_of_the_current_time(self, company: KeyCompany, status: str) -> None:
        hour = timedelta(hours=1)
        expected = {
            "Active": [company.key()[0], company.key(expires_at=now() + hour)[0]],
            "Expired": [company.key(expires_at=now() - hour)[0], company.key(expires_at=now())[0]],
            "Revoked": [company.key(revoked_at=now(), expires_at=end)[0] for end in (None, now() - hour, now() + hour)],
        }
        expected["Active"].insert(0, company.tenant.key_id)

        found = company.send("GET", "/api-keys", params={"status": status}).json()["data"]

        assert [key["id"] for key in reversed(found)] == expected[status]
        assert {key["status"] for key in found} == {status}

    def test_pages_have_no_gap_and_no_repetition(self, company: KeyCompany, client: Client) -> None:
        at = now() - timedelta(hours=1)
        ids = [company.key(created_at=at)[0] for _ in range(5)]  # at the same time, in the order of their ids
        for key_id in ids[1:3]:
            company.send("DELETE", f"/api-keys/{key_id}")

        walked = [key["id"] for key in client.walk("/api-keys", limit=2)]
        active = [key["id"] for key in client.walk("/api-keys", limit=1, status="Active")]

        assert walked == [company.tenant.key_id, *sorted(ids, reverse=True)]
        assert active == [key_id for key_id in walked if key_id not in ids[1:3]]

    def test_a_page_continues_after_a_key_that_has_been_revoked(self, company: KeyCompany, client: Client) -> None:
        ids = [company.key()[0] for _ in range(3)]
        first = client.get("/api-keys?limit=2&status=Active").json()
        cursor = first["pagination"]["nextCursor"]
        client.delete(f"/api-keys/{cursor}")

        rest = client.get(f"/api-keys?status=Active&cursor={cursor}").json()["data"]

        assert cursor == ids[1]
        assert [key["id"] for key in rest] == [ids[0], company.tenant.key_id]

    def test_a_cursor_of_another_company_is_invalid(self, company: KeyCompany, database: Database) -> None:
        other = factories.tenant(database)

        response = company.send("GET", f"/api-keys?cursor={other.key_id}")

        assert (response.status_code, response.json()["error"]) == (400, "Invalid cursor.")

    @pytest.mark.parametrize("status", ["active", "", "Deleted"])
    def test_an_unknown_status_is_rejected(self, company: KeyCompany, status: str) -> None:
        response = company.send("GET", f"/api-keys?status={status}")

        assert response.status_code == 400
        assert response.json()["error"] == "status must be one of Active, Revoked, Expired"

    def test_an_own_rate_limit_is_shown(self, company: KeyCompany) -> None:
        key_id, _ = company.key(rate_limit="7 per 2 minute")

        data = company.data(company.send("GET", f"/api-keys/{key_id}"))

        assert data["rateLimit"] == {"limit": 7, "windowSeconds": 120}

    def test_the_last_use_is_shown(self, company: KeyCompany) -> None:
        at = now() - timedelta(hours=1)
        key_id, _ = company.key(last_used_at=at)

        assert company.data(company.send("GET", f"/api-keys/{key_id}"))["lastUsedAt"] == timestamp(at)

    def test_a_key_of_another_company_is_not_found(self, company: KeyCompany, database: Database) -> None:
        other = factories.tenant(database)

        for key_id in (other.key_id, "unknown", "x" * 200):
            for method in ("GET", "DELETE"):
                response = company.send(method, f"/api-keys/{key_id}")
                assert (response.status_code, response.json()["error"]) == (404, "API key not found.")
        assert company.send("GET", "/me", other.key).status_code == 200

    @pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.KEYS_READ])
    def test_another_scope_is_insufficient(self, company: KeyCompany, scope: Scope) -> None:
        key_id, caller = company.key(scope)

        for path in ("/api-keys", f"/api-keys/{key_id}"):
            assert company.send("GET", path, caller).status_code == 403


class TestRevoke:
    def test_the_key_is_rejected_at_once(self, company: KeyCompany) -> None:
        created = company.data(company.create())
        company.data(company.send("GET", "/products", created["key"]))

        response = company.send("DELETE", f"/api-keys/{created['id']}")

        assert company.send("GET", "/products", created.pop("key")).status_code == 401
        data = company.data(response)
        shown = company.data(company.send("GET", f"/api-keys/{created['id']}"))
        revoked = {**created, "status": "Revoked", "revokedAt": data["revokedAt"]}
        assert [{**found, "lastUsedAt": None} for found in (data, shown)] == [revoked, revoked]

    def test_a_second_revocation_changes_nothing(self, company: KeyCompany) -> None:
        key_id, _ = company.key()

        first, second = (company.send("DELETE", f"/api-keys/{key_id}") for _ in range(2))

        assert company.data(first) == company.data(second)
        (entry,) = company.audited("api_key.revoked")
        assert (entry.entity_type, entry.entity_id, entry.actor_id) == ("api_key", key_id, company.tenant.key_id)

    def test_a_key_can_revoke_itself(self, company: KeyCompany) -> None:
        key_id, caller = company.key(Scope.KEYS_WRITE)

        assert company.data(company.send("DELETE", f"/api-keys/{key_id}", caller))["status"] == "Revoked"
        assert company.send("DELETE", f"/api-keys/{key_id}", caller).status_code == 401

    def test_a_wider_key_can_be_revoked(self, company: KeyCompany) -> None:
        _, caller = company.key(Scope.KEYS_WRITE)

        assert company.send("DELETE", f"/api-keys/{company.tenant.key_id}", caller).status_code == 200
        assert company.send("GET", "/me").status_code == 401

    def test_an_expired_key_can_be_revoked(self, company: KeyCompany) -> None:
        key_id, _ = company.key(expires_at=now() - timedelta(hours=1))

        assert company.data(company.send("DELETE", f"/api-keys/{key_id}"))["status"] == "Revoked"

    @pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.KEYS_WRITE])
    def test_other_scopes_are_insufficient(self, company: KeyCompany, scope: Scope) -> None:
        key_id, caller = company.key(scope)

        assert company.send("DELETE", f"/api-keys/{key_id}", caller).status_code == 403
        assert company.send("GET", "/me", caller).status_code == 200
