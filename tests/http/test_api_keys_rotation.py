"""Rotation of API keys (contract, section 9.6), over HTTP on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from app.context import now
from app.db import Database
from app.schemas.base import timestamp
from app.schemas.times import parse_time
from app.services.key_grants import MAX_ACTIVE_KEYS
from models import Scope, StoredResponse
from tests.support import factories, waiting
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.key_company import KeyCompany

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def company(anonymous: Client, tenant: Tenant, database: Database) -> KeyCompany:
    return KeyCompany(anonymous, tenant, database)


class TestRotate:
    def test_the_new_key_has_the_properties_of_the_old_one(self, company: KeyCompany) -> None:
        end = now() + 30 * DAY
        properties: dict[str, Any] = {
            "name": "Till",
            "rate_limit": "7 per 1 minute",
            "allowed_networks": ["127.0.0.0/8", "::1/128"],
            "expires_at": end,
        }
        key_id, key = company.key(Scope.KEYS_WRITE, Scope.ORDERS_READ, **properties)
        before = now()

        response = company.rotate(key_id, key)

        new, old = company.data(response), company.get(key_id)
        assert response.status_code == 201
        assert response.headers["location"] == f"/api/v1/api-keys/{new['id']}"
        plaintext = new.pop("key")
        assert new == {
            "id": new["id"],
            "name": "Till",
            "prefix": plaintext[:12],
            "scopes": ["keys:write", "orders:read"],
            "status": "Active",
            "rateLimit": {"limit": 7, "windowSeconds": 60},
            "allowedNetworks": ["127.0.0.0/8", "::1/128"],
            "lastUsedAt": None,
            "createdAt": new["createdAt"],
            "createdBy": key_id,
            "expiresAt": timestamp(end),
            "revokedAt": None,
            "replacedBy": None,
        }
        assert company.get(new["id"]) == new
        assert (old["replacedBy"], old["status"], old["revokedAt"]) == (new["id"], "Active", None)
        assert before + DAY <= parse_time(old["expiresAt"]) <= now() + DAY
        assert [company.send("GET", "/me", caller).status_code for caller in (key, plaintext)] == [200, 200]

    @pytest.mark.parametrize("grace", [1, 60, 604_800])
    def test_the_old_key_is_valid_for_the_grace_period(self, company: KeyCompany, grace: int) -> None:
        key_id, key = company.key()

        created_at = parse_time(company.data(company.rotate(key_id, key, grace))["createdAt"])

        assert parse_time(company.get(key_id)["expiresAt"]) == created_at + timedelta(seconds=grace)

    def test_after_the_grace_period_the_old_key_has_expired(self, company: KeyCompany) -> None:
        key_id, key = company.key()
        company.data(company.rotate(key_id, key, 1))

        waiting.eventually(lambda: company.send("GET", "/me", key).status_code == 401, "the grace period ends")
        assert company.get(key_id)["status"] == "Expired"

    def test_without_grace_the_old_key_is_rejected_at_once(self, company: KeyCompany) -> None:
        key_id, key = company.key()
        company.data(company.send("GET", "/me", key))  # so that it is cached

        new = company.data(company.rotate(key_id, key, 0))

        assert company.send("GET", "/me", key).status_code == 401
        assert company.send("GET", "/me", new["key"]).status_code == 200
        assert company.get(key_id)["status"] == "Expired"

    @pytest.mark.parametrize(
        ("grace", "message"),
        [
            (-1, "graceSeconds must be at least 0"),
            (604_801, "graceSeconds must be at most 604800"),
            (1.5, "graceSeconds must be a whole number"),
            ("60", "graceSeconds must be a number"),
            (None, "graceSeconds must be a number"),
        ],
    )
    def test_an_invalid_grace_period_is_rejected(self, company: KeyCompany, grace: Any, message: str) -> None:
        path = f"/api-keys/{company.tenant.key_id}/rotate"
        response = company.send("POST", path, json={"graceSeconds": grace})

        assert response.status_code == 400
        assert response.json()["details"] == [{"pointer": "/graceSeconds", "message": message}]

    def test_an_unknown_field_is_rejected(self, company: KeyCompany) -> None:
        response = company.send("POST", f"/api-keys/{company.tenant.key_id}/rotate", json={"name": "New"})

        assert response.json()["details"] == [{"pointer": "/name", "message": "name is not a known field"}]

    def test_a_key_that_expires_within_the_grace_period_expires_then(self, company: KeyCompany) -> None:
        end = now() + HOUR
        key_id, key = company.key(expires_at=end)

        new = company.data(company.rotate(key_id, key, 7200))

        assert new["expiresAt"] == company.get(key_id)["expiresAt"] == timestamp(end)

    def test_the_grace_period_can_be_ended_early(self, company: KeyCompany) -> None:
        key_id, key = company.key()
        new = company.data(company.rotate(key_id, key))

        company.send("DELETE", f"/api-keys/{key_id}", new["key"])

        assert company.send("GET", "/me", key).status_code == 401
        assert company.get(key_id)["status"] == "Revoked"

    @pytest.mark.parametrize(
        ("change", "status"), [({"revoked_at": now()}, "Revoked"), ({"expires_at": now()}, "Expired")]
    )
    def test_a_key_that_is_not_active_is_refused(
        self, company: KeyCompany, change: dict[str, Any], status: str
    ) -> None:
        key_id, _ = company.key(**change)

        assert refusals(company.rotate(key_id)) == [
            {
                "pointer": "",
                "code": "key_not_active",
                "message": f"The API key is {status}. Only an active key can be rotated.",
                "currentStatus": status,
            }
        ]

    @pytest.mark.parametrize("change", [{"revoked_at": now()}, {"expires_at": now()}])
    def test_a_caller_that_has_ended_since_it_was_cached_rotates_nothing(
        self, company: KeyCompany, change: dict[str, Any]
    ) -> None:
        key_id, caller = company.ended_caller(change)

        for rotated in (key_id, company.tenant.key_id):
            response = company.rotate(rotated, caller)
            assert (response.status_code, response.json()["code"]) == (401, "key_invalid")
        assert company.audited("api_key.rotated") == []

    @pytest.mark.parametrize("change", [{"revoked_at": now()}, {"expires_at": now()}])
    def test_a_caller_that_has_ended_since_it_was_cached_revokes_nothing(
        self, company: KeyCompany, change: dict[str, Any]
    ) -> None:
        key_id, caller = company.ended_caller(change)

        for revoked in (key_id, company.tenant.key_id, "unknown"):
            response = company.send("DELETE", f"/api-keys/{revoked}", caller)
            assert (response.status_code, response.json()["code"]) == (401, "key_invalid")
        assert company.audited("api_key.revoked") == []

    def test_the_number_of_keys_does_not_matter(self, company: KeyCompany) -> None:
        for _ in range(MAX_ACTIVE_KEYS - 1):
            company.key()

        new = company.data(company.rotate(company.tenant.key_id))

        assert company.create(new["key"]).json()["code"] == "key_limit_reached"
        company.data(company.rotate(company.tenant.key_id))

    def test_a_key_in_its_grace_period_is_not_counted(self, company: KeyCompany) -> None:
        for _ in range(MAX_ACTIVE_KEYS - 2):
            company.key()
        new = company.data(company.rotate(company.tenant.key_id))

        assert [company.create(new["key"]).status_code for _ in range(2)] == [201, 422]

    def test_a_repeated_request_returns_the_record_without_the_key(self, company: KeyCompany) -> None:
        key_id, key = company.key()

        first, second = (company.rotate(key_id, key, Idempotency_Key="one") for _ in range(2))

        assert (first.status_code, second.status_code) == (201, 201)
        assert second.headers["idempotency-replayed"] == "true"
        assert company.data(second) == {**company.data(first), "key": None}
        assert len(company.audited("api_key.rotated")) == 1
        with company.database.transaction() as session:
            (stored,) = session.query(StoredResponse).filter_by(company_id=company.tenant.company_id)
        assert company.data(first)["key"].encode() not in stored.body

    def test_the_audit_entry_is_that_of_the_old_key(self, company: KeyCompany) -> None:
        key_id, key = company.key(Scope.KEYS_WRITE)

        new = company.data(company.rotate(key_id, key, 60))

        (entry,) = company.audited("api_key.rotated")
        assert (entry.entity_type, entry.entity_id, entry.actor_id) == ("api_key", key_id, key_id)
        old = company.get(key_id)
        assert entry.details == {
            **{name: old[name] for name in ("name", "prefix", "scopes")},
            "graceSeconds": 60,
            "before": {"expiresAt": None, "replacedBy": None},
            "after": {"expiresAt": old["expiresAt"], "replacedBy": new["id"]},
        }
        assert company.audited("api_key.created") == []

    def test_a_key_of_another_company_is_not_found(self, company: KeyCompany, database: Database) -> None:
        other = factories.tenant(database)

        for key_id in (other.key_id, "unknown", "x" * 200):
            response = company.rotate(key_id)
            assert (response.status_code, response.json()["error"]) == (404, "API key not found.")
        assert company.send("GET", "/me", other.key).status_code == 200

    @pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.KEYS_WRITE])
    def test_another_scope_is_insufficient(self, company: KeyCompany, scope: Scope) -> None:
        key_id, key = company.key(scope)

        assert company.rotate(key_id, key).status_code == 403


class TestAnotherKey:
    """A key can rotate another one only if it could create it."""

    def test_every_reason_to_refuse_it_is_returned(self, company: KeyCompany) -> None:
        end = now() + HOUR
        _, caller = company.key(
            Scope.KEYS_WRITE, expires_at=end, allowed_networks=["127.0.0.0/8"], rate_limit="90/minute"
        )
        wide, _ = company.key(Scope.KEYS_WRITE, Scope.ORDERS_READ, allowed_networks=["127.0.0.0/9", "10.0.0.0/8"])

        assert refusals(company.rotate(wide, caller)) == [
            {
                "pointer": "",
                "code": "scope_too_wide",
                "message": "The calling key does not have the scope orders:read, so the new key cannot have it.",
            },
            {
                "pointer": "",
                "code": "expiry_too_late",
                "message": f"The new key must expire at or before {timestamp(end)}, when the calling key expires.",
                "callerExpiresAt": timestamp(end),
            },
            {
                "pointer": "",
                "code": "network_too_wide",
                "message": "The new key must not be open to 10.0.0.0/8, "
                "which is outside the networks of the calling key.",
            },
            {
                "pointer": "",
                "code": "rate_limit_too_high",
                "message": "The new key would have a rate limit of 1000000 requests in 60 s, "
                "which is higher than that of the calling key, 90 requests in 60 s.",
                "callerRateLimit": {"limit": 90, "windowSeconds": 60},
            },
        ]
        assert (company.get(wide)["expiresAt"], company.get(wide)["replacedBy"]) == (None, None)

    def test_a_key_within_the_limits_is_rotated(self, company: KeyCompany) -> None:
        end = now() + HOUR
        caller_id, caller = company.key(Scope.KEYS_WRITE, expires_at=end, allowed_networks=["127.0.0.0/8"])
        narrow, _ = company.key(Scope.KEYS_WRITE, expires_at=end, allowed_networks=["127.0.0.1/32"])

        new = company.data(company.rotate(narrow, caller))

        assert (new["createdBy"], new["expiresAt"], new["allowedNetworks"]) == (
            caller_id,
            timestamp(end),
            ["127.0.0.1/32"],
        )

    def test_a_key_that_the_caller_created_and_outlives_is_rotated(self, company: KeyCompany) -> None:
        _, caller = company.key(Scope.KEYS_WRITE)
        created = company.data(company.create(caller, scopes=["keys:write"], expiresAt=timestamp(now() + HOUR)))

        assert company.data(company.rotate(created["id"], caller))["expiresAt"] == created["expiresAt"]
