"""API keys that several clients create, rotate and revoke at the same time."""

from functools import partial
from typing import Any

import httpx

from app.db import Database
from models import ApiKey, AuditEntry, Scope
from tests.support import factories, waiting
from tests.support.client import Client, refusals
from tests.support.factories import Tenant

MAX_ACTIVE = 100
CLIENTS = 8


def test_concurrent_creations_do_not_exceed_the_limit(client: Client, database: Database, tenant: Tenant) -> None:
    for _ in range(MAX_ACTIVE - 4):  # the key of the client is another one
        factories.api_key(database, tenant.company_id)
    create = partial(client.post, "/api-keys", json={"name": "ERP", "scopes": ["keys:read"]})

    responses = waiting.concurrently(*[create] * CLIENTS)

    assert sorted(response.status_code for response in responses) == [201] * 3 + [422] * 5
    codes = [refusals(response)[0]["code"] for response in responses if response.status_code == 422]
    assert codes == ["key_limit_reached"] * 5
    assert len(list(client.walk("/api-keys", status="Active", limit=100))) == MAX_ACTIVE


def as_key(client: Client, key: str, method: str, path: str, **options: Any) -> partial[httpx.Response]:
    """Return a request with another key than that of the client."""
    return partial(client.request, method, path, headers={"Authorization": f"Bearer {key}"}, **options)


def audited(database: Database, key_id: str) -> list[str]:
    """Return the audited actions on a key, oldest first."""
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter_by(entity_id=key_id, actor_type="API_KEY")
        return [entry.action for entry in entries.order_by(AuditEntry.id)]


def test_concurrent_rotations_replace_a_key_each(client: Client, database: Database, tenant: Tenant) -> None:
    """Each client gets a key, which replaces that of the client before it."""
    key_id, key = factories.api_key(database, tenant.company_id)

    responses = waiting.concurrently(*[as_key(client, key, "POST", f"/api-keys/{key_id}/rotate")] * CLIENTS)

    assert {response.status_code for response in responses} == {201}
    made = [response.json()["data"] for response in responses]
    assert len({new["key"] for new in made}) == CLIENTS
    assert [new["expiresAt"] for new in made] == [None] * CLIENTS  # when it was created
    chain = [client.get(f"/api-keys/{key_id}").json()["data"]]
    while chain[-1]["replacedBy"] is not None:
        chain.append(client.get(f"/api-keys/{chain[-1]['replacedBy']}").json()["data"])
    assert sorted(record["id"] for record in chain[1:]) == sorted(new["id"] for new in made)
    assert [record["expiresAt"] is None for record in chain] == [False] * CLIENTS + [True]
    assert [audited(database, record["id"]) for record in chain] == [["api_key.rotated"]] * CLIENTS + [[]]


def test_without_grace_one_of_concurrent_rotations_wins(client: Client, database: Database, tenant: Tenant) -> None:
    for caller in ("itself", "another key"):
        key_id, key = factories.api_key(database, tenant.company_id)
        sender = key if caller == "itself" else tenant.key
        rotate = as_key(client, sender, "POST", f"/api-keys/{key_id}/rotate", json={"graceSeconds": 0})

        responses = waiting.concurrently(*[rotate] * CLIENTS)

        loser = 401 if caller == "itself" else 422
        assert sorted(response.status_code for response in responses) == [201] + [loser] * (CLIENTS - 1)
        codes = {response.json().get("code") for response in responses} - {None}
        assert codes == {"key_invalid" if caller == "itself" else "key_not_active"}
        assert audited(database, key_id) == ["api_key.rotated"]


def test_either_the_rotation_or_the_revocation_comes_first(client: Client, database: Database, tenant: Tenant) -> None:
    for caller in ("itself", "another key") * 5:
        key_id, key = factories.api_key(database, tenant.company_id)
        rotate = as_key(client, key if caller == "itself" else tenant.key, "POST", f"/api-keys/{key_id}/rotate")

        rotated, revoked = waiting.concurrently(rotate, partial(client.delete, f"/api-keys/{key_id}"))

        assert revoked.status_code == 200
        old = client.get(f"/api-keys/{key_id}").json()["data"]
        assert (old["status"], client.get("/me", headers={"Authorization": f"Bearer {key}"}).status_code) == (
            "Revoked",
            401,
        )
        if rotated.status_code == 201:  # the response to the revocation names the new key, which can be revoked too
            assert revoked.json()["data"]["replacedBy"] == old["replacedBy"] == rotated.json()["data"]["id"]
            assert audited(database, key_id) == ["api_key.rotated", "api_key.revoked"]
        else:
            assert rotated.json()["code"] == ("key_invalid" if caller == "itself" else "key_not_active")
            assert (old["replacedBy"], audited(database, key_id)) == (None, ["api_key.revoked"])


def test_two_keys_that_rotate_each_other_do_not_wait_for_each_other(
    client: Client, database: Database, tenant: Tenant
) -> None:
    for _ in range(5):
        (one_id, one), (other_id, other) = (factories.api_key(database, tenant.company_id) for _ in range(2))
        calls = [
            as_key(client, one, "POST", f"/api-keys/{other_id}/rotate"),
            as_key(client, other, "POST", f"/api-keys/{one_id}/rotate"),
        ]

        responses = waiting.concurrently(*calls * 2)

        # A key that was rotated ends with its grace period, and can only rotate keys that end earlier.
        assert {response.status_code for response in responses} <= {201, 422}
        assert 201 in {response.status_code for response in responses}
        assert {response.json()["code"] for response in responses if response.status_code == 422} <= {"expiry_too_late"}


def test_a_key_that_is_revoked_creates_none_afterwards(client: Client, database: Database, tenant: Tenant) -> None:
    for _ in range(5):
        key_id, key = factories.api_key(database, tenant.company_id)
        create = as_key(client, key, "POST", "/api-keys", json={"name": "ERP", "scopes": [Scope.KEYS_READ]})

        *created, revoked = waiting.concurrently(*[create] * 4, partial(client.delete, f"/api-keys/{key_id}"))

        assert {response.status_code for response in created} <= {201, 401}
        with database.transaction() as session:
            ended = session.get_one(ApiKey, key_id).revoked_at
            made = session.query(ApiKey).filter_by(created_by=key_id).all()
        assert revoked.json()["data"]["status"] == "Revoked"
        assert len(made) == sum(response.status_code == 201 for response in created)
        assert ended is not None
        assert all(new.created_at <= ended for new in made)


def test_no_request_after_a_revocation_is_accepted(client: Client, database: Database, tenant: Tenant) -> None:
    """Not even if a lookup of the key was running when it was revoked."""
    for _ in range(20):
        key_id, key = factories.api_key(database, tenant.company_id)
        call = as_key(client, key, "GET", "/me")  # the key is not cached yet

        def revoke_and_call(path: str, call: partial[httpx.Response]) -> httpx.Response:
            assert client.delete(path).status_code == 200
            return call()

        *_, last = waiting.concurrently(*[call] * 4, partial(revoke_and_call, f"/api-keys/{key_id}", call))

        assert last.status_code == 401
        assert call().status_code == 401
