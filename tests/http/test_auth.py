"""Sections 1 and 2 of the contract: keys, scopes, rate limits, and when a key was last used."""

import asyncio
import hashlib
import time
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import redis as client_library
from sqlalchemy import Engine
from sqlalchemy import event as listener

from app.config import rate_limit
from app.context import now
from app.db import Database
from app.http.auth import CACHE_SECONDS, KeyCache
from app.services import keys
from models import ApiKey, Scope
from tests.http.conftest import Probe
from tests.support import factories, local_http, waiting
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server, open_database, redis_server

MISSING = "Missing or invalid Authorization header. Use: Bearer <api_key>"
INVALID = "Invalid, expired, or revoked API key."


def lookups(database: Database, *calls: tuple[str, str]) -> list[int]:
    """Return how often each call, which is a key and the address of its client, reads the table of the keys."""
    cache = KeyCache(database, rate_limit("60/minute"))
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    async def counts() -> list[int]:
        found = []
        for call in calls:
            statements.clear()
            await cache.find(*call)
            found.append(sum("FROM api_keys" in statement for statement in statements))
        return found

    listener.listen(Engine, "before_cursor_execute", note)
    try:
        return asyncio.run(counts())
    finally:
        listener.remove(Engine, "before_cursor_execute", note)


def revoke(database: Database, key_id: str) -> None:
    with database.transaction(write=True) as session:
        key = keys.identified(session, key_id, company_id=None)
        keys.revoke(factories.context(session, key.company_id), key)


class TestAuthentication:
    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Basic abc", "dk_abc", "Bearer a b", "Token x", "Bearerdk_x"]
    )
    def test_a_header_that_is_not_bearer_is_401(self, anonymous: Client, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}
        response = anonymous.get("/products", headers=headers)

        assert response.status_code == 401
        assert response.json()["error"] == MISSING
        assert response.headers["www-authenticate"] == "Bearer"
        assert "ratelimit" not in response.headers

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
    def test_the_scheme_is_read_in_any_case(self, anonymous: Client, tenant: Tenant, scheme: str) -> None:
        response = anonymous.get("/products", headers={"Authorization": f"{scheme} {tenant.key}"})

        assert response.status_code == 200

    def test_unknown_expired_and_revoked_keys_have_the_same_response(
        self, anonymous: Client, tenant: Tenant, database: Database
    ) -> None:
        _, expired = factories.api_key(database, tenant.company_id, expires_at=now() - timedelta(seconds=1))
        _, revoked = factories.api_key(database, tenant.company_id, revoked_at=now())
        unknown = ["dk_" + "A" * 43, "x", "dk_", "é", "x" * 10_000, tenant.key[:-1], tenant.key + "A"]

        responses = [
            anonymous.get("/products", headers={b"Authorization": f"Bearer {key}".encode("latin-1")})
            for key in (expired, revoked, *unknown)
        ]

        assert {(response.status_code, response.content) for response in responses} == {
            (401, b'{"error":"Invalid, expired, or revoked API key.","code":"key_invalid"}')
        }
        assert {response.headers["www-authenticate"] for response in responses} == {"Bearer"}

    def test_a_key_works_until_it_expires(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        expiry = now() + timedelta(seconds=2)
        _, key = factories.api_key(database, tenant.company_id, expires_at=expiry)
        headers = {"Authorization": f"Bearer {key}"}

        while now() < expiry:  # so that the key is cached when it expires
            status = anonymous.get("/products", headers=headers).status_code
            assert status == 200 or now() >= expiry
        assert anonymous.get("/products", headers=headers).status_code == 401

    def test_a_revoked_key_is_refused_when_its_cache_entry_expires(
        self, anonymous: Client, tenant: Tenant, database: Database
    ) -> None:
        key_id, key = factories.api_key(database, tenant.company_id)
        headers = {"Authorization": f"Bearer {key}"}
        assert anonymous.get("/products", headers=headers).status_code == 200

        revoke(database, key_id)

        waiting.eventually(
            lambda: anonymous.get("/products", headers=headers).status_code == 401, "the revoked key is refused"
        )
        assert CACHE_SECONDS < 5

    def test_an_unknown_path_is_404_before_it_is_401(self, anonymous: Client) -> None:
        assert anonymous.get("/nope").status_code == 404
        assert anonymous.delete("/products").status_code == 405

    def test_the_key_is_checked_before_the_request(self, anonymous: Client) -> None:
        assert anonymous.get("/products?limit=x").json()["error"] == MISSING

    def test_only_a_digest_is_stored(self, tenant: Tenant, database: Database) -> None:
        with database.transaction() as session:
            key = session.get_one(ApiKey, tenant.key_id)

        assert len(tenant.key) == 46
        assert tenant.key.startswith("dk_")
        assert key.prefix == tenant.key[:12]
        assert key.digest == hashlib.sha256(tenant.key.encode()).digest()
        assert not any(tenant.key in str(value) for value in vars(key).values())


class TestAllowedNetworks:
    """The shared server sees every client of the tests at 127.0.0.1."""

    @pytest.mark.parametrize("networks", [[], ["127.0.0.1/32"], ["10.0.0.0/8", "127.0.0.0/8"], ["0.0.0.0/0", "::/0"]])
    def test_a_client_in_a_network_may_call(
        self, anonymous: Client, tenant: Tenant, database: Database, networks: list[str]
    ) -> None:
        _, key = factories.api_key(database, tenant.company_id, allowed_networks=networks)

        assert anonymous.get("/products", headers={"Authorization": f"Bearer {key}"}).status_code == 200

    @pytest.mark.parametrize("networks", [["127.0.0.2/32"], ["128.0.0.0/1", "::/0"], ["126.0.0.0/8", "128.0.0.0/8"]])
    def test_a_client_outside_gets_the_response_to_an_unknown_key(
        self, anonymous: Client, tenant: Tenant, database: Database, networks: list[str]
    ) -> None:
        key_id, key = factories.api_key(database, tenant.company_id, allowed_networks=networks, rate_limit="1/minute")
        request = {"x-request-id": "a", "x-forwarded-for": "127.0.0.2"}

        responses = [
            anonymous.get("/products", headers={**request, "Authorization": f"Bearer {text}"})
            for text in (key, key, "dk_unknown")
        ]

        assert {(response.status_code, response.content) for response in responses} == {
            (401, b'{"error":"Invalid, expired, or revoked API key.","code":"key_invalid"}')
        }
        shown = [{**response.headers, "date": ""} for response in responses]
        assert shown[0] == shown[1] == shown[2]
        with database.transaction() as session:
            assert session.get_one(ApiKey, key_id).last_used_at is None

    def test_a_key_is_refused_before_its_scope_and_the_request_are_checked(
        self, anonymous: Client, tenant: Tenant, database: Database
    ) -> None:
        _, key = factories.api_key(
            database, tenant.company_id, scopes=[Scope.ORDERS_READ], allowed_networks=["10.0.0.0/8"]
        )

        response = anonymous.post("/products?x=y", headers={"Authorization": f"Bearer {key}"}, content=b"{")

        assert (response.status_code, response.json()["code"]) == (401, "key_invalid")

    def test_every_key_that_is_refused_costs_one_lookup(self, tenant: Tenant, database: Database) -> None:
        company_id, inside, outside = tenant.company_id, "10.0.0.1", "127.0.0.1"
        _, expired = factories.api_key(database, company_id, expires_at=now())
        _, revoked = factories.api_key(database, company_id, revoked_at=now())
        _, other = factories.api_key(database, company_id, allowed_networks=["10.0.0.0/8"])

        refused = [(key, outside) for key in ("dk_unknown", expired, revoked, other)]

        assert lookups(database, *refused, *refused) == [1] * 8
        assert lookups(database, (other, inside), (other, inside), (other, outside), (other, outside)) == [1, 0, 1, 1]


class TestScopes:
    @pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.PRODUCTS_READ])
    def test_every_other_scope_is_refused(
        self, anonymous: Client, tenant: Tenant, database: Database, scope: Scope
    ) -> None:
        _, key = factories.api_key(database, tenant.company_id, scopes=[scope])
        response = anonymous.get("/products", headers={"Authorization": f"Bearer {key}"})

        assert response.status_code == 403
        assert response.json()["error"] == 'Insufficient permissions. This key lacks the "products:read" scope.'

    def test_the_required_scope_is_sufficient(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, scopes=[Scope.PRODUCTS_READ])

        assert anonymous.get("/products", headers={"Authorization": f"Bearer {key}"}).status_code == 200

    def test_the_scope_is_checked_before_the_request(
        self, anonymous: Client, tenant: Tenant, database: Database
    ) -> None:
        _, key = factories.api_key(database, tenant.company_id, scopes=[Scope.ORDERS_READ])

        assert anonymous.get("/products?limit=x", headers={"Authorization": f"Bearer {key}"}).status_code == 403


class TestAnyKey:
    """An operation with `x-scope: any`."""

    def test_a_key_with_any_scope_may_call_and_its_facts_reach_the_handler(self, probe: Probe) -> None:
        expiry = now() + timedelta(hours=1)
        database = open_database(probe.server.database_url)
        key_id, key = factories.api_key(
            database, probe.tenant.company_id, scopes=[Scope.REPORTS_READ], rate_limit="1/minute", expires_at=expiry
        )
        database.dispose()
        headers = {"Authorization": f"Bearer {key}"}

        response, refused = (probe.http.get("/key", headers=headers) for _ in range(2))

        assert response.status_code == 200
        assert response.json() == {
            "id": key_id,
            "name": "A key",
            "prefix": key[:12],
            "scopes": ["reports:read"],
            "expiresAt": expiry.isoformat(),
            "rateLimit": {"limit": 1, "windowSeconds": 60},
        }
        assert response.headers["ratelimit"] == '"default";r=0;t=60'
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")

    @pytest.mark.parametrize(("header", "code"), [("", "authorization_missing"), ("Bearer dk_unknown", "key_invalid")])
    def test_no_key_and_an_unknown_key_are_401(self, probe: Probe, header: str, code: str) -> None:
        response = probe.http.get("/key", headers={"Authorization": header})

        assert (response.status_code, response.json()["code"]) == (401, code)


class TestRateLimit:
    def test_every_response_to_a_key_has_its_quota(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, rate_limit=None)
        headers = {"Authorization": f"Bearer {key}"}

        first, second, third = (
            anonymous.get(path, headers=headers) for path in ("/products", "/products/x", "/products?limit=x")
        )

        assert [response.status_code for response in (first, second, third)] == [200, 404, 400]
        assert {response.headers["ratelimit-policy"] for response in (first, second, third)} == {'"default";q=60;w=60'}
        assert first.headers["ratelimit"] == '"default";r=59;t=60'
        assert third.headers["ratelimit"].startswith('"default";r=57;t=')

    def test_refused_requests_count_and_a_request_after_the_wait_passes(
        self, anonymous: Client, tenant: Tenant, database: Database
    ) -> None:
        _, key = factories.api_key(database, tenant.company_id, scopes=[Scope.ORDERS_READ], rate_limit="1/2 seconds")
        headers = {"Authorization": f"Bearer {key}"}

        def refusals() -> list[httpx.Response]:
            response = anonymous.get("/products", headers=headers)
            return [response] if response.status_code == 429 else []

        assert anonymous.get("/products", headers=headers).status_code == 403
        (refused,) = waiting.eventually(refusals, "a request comes within the window of another")

        wait = refused.json()["retryAfter"]
        assert refused.json() == {
            "error": "Rate limit exceeded. Try again shortly.",
            "code": "rate_limited",
            "retryAfter": wait,
        }
        assert wait >= 1
        assert refused.headers["retry-after"] == str(wait)
        assert refused.headers["ratelimit-policy"] == '"default";q=1;w=2'
        assert refused.headers["ratelimit"] == f'"default";r=0;t={wait}'
        time.sleep(wait)
        assert anonymous.get("/products", headers=headers).status_code == 403

    def test_exactly_the_limit_passes_in_a_burst(self, server: Server, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, rate_limit=None)
        with local_http.client(headers={"Authorization": f"Bearer {key}"}, timeout=waiting.SECONDS) as http:
            get = partial(http.get, server.url + "/api/v1/products")
            statuses = [response.status_code for response in waiting.concurrently(*[get] * 80)]

        assert (statuses.count(200), statuses.count(429)) == (60, 20)

    def test_every_key_of_a_company_has_its_window(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        limited = [factories.api_key(database, tenant.company_id, rate_limit="1/minute")[1] for _ in range(2)]

        for key in limited:
            headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": "10.0.0.1"}
            assert [anonymous.get("/products", headers=headers).status_code for _ in range(2)] == [200, 429]

    def test_a_401_does_not_count(self, anonymous: Client, client: Client) -> None:
        before = client.get("/products").headers["ratelimit"].split(";")[1]
        for _ in range(5):
            anonymous.get("/products", headers={"Authorization": "Bearer dk_wrong"})
        after = client.get("/products").headers["ratelimit"].split(";")[1]

        assert int(before[2:]) - int(after[2:]) == 1

    def test_the_window_moves(self, anonymous: Client, tenant: Tenant, database: Database) -> None:
        """Of two requests the older one leaves the window first. A fixed window would be reset, with room for both."""
        _, key = factories.api_key(database, tenant.company_id, rate_limit="2/10 seconds")
        headers = {"Authorization": f"Bearer {key}"}

        first = anonymous.get("/products", headers=headers)
        time.sleep(5)
        second, refused = (anonymous.get("/products", headers=headers) for _ in range(2))
        time.sleep(refused.json()["retryAfter"])
        third, last = (anonymous.get("/products", headers=headers) for _ in range(2))

        assert [response.status_code for response in (first, second, refused, third, last)] == [200, 200, 429, 200, 429]


class TestSharedCounter:
    def test_processes_share_one_window_and_requests_pass_without_the_store(
        self, fresh_database: Database, database_url: str, tmp_path: Path, contract: Contract
    ) -> None:
        tenant = factories.tenant(fresh_database)
        _, key = factories.api_key(fresh_database, tenant.company_id, rate_limit="10/minute")

        with redis_server(tmp_path) as redis:
            one = Server(database_url, tmp_path / "one", rate_limit_storage=redis)
            two = Server(database_url, tmp_path / "two", rate_limit_storage=redis)
            clients = [Client(server.url, key, contract) for server in (one, two)]
            with one, two, clients[0], clients[1]:
                statuses = [client.get("/products").status_code for client in clients * 7]
                assert statuses == [200] * 10 + [429] * 4
                self._without_redis(redis, clients[0], one)

    @staticmethod
    def _without_redis(redis: str, client: Client, server: Server) -> None:
        with client_library.Redis.from_url(redis) as connection:
            connection.shutdown(nosave=True)
        assert [client.get("/products").status_code for _ in range(20)] == [200] * 20
        assert "rate limit store failed" in server.log.read_text()
        metrics = local_http.get(server.url + "/metrics").text
        failures = next(line for line in metrics.splitlines() if line.startswith("distribu_rate_limit_faults_total"))
        assert 1 <= float(failures.split()[1]) < 20  # not every request asks a store that failed


class TestLastUsed:
    def test_is_written_after_a_successful_call_and_once_a_minute(
        self, anonymous: Client, tenant: Tenant, database: Database
    ) -> None:
        used_id, used = factories.api_key(database, tenant.company_id)
        refused_id, refused = factories.api_key(database, tenant.company_id, scopes=[Scope.ORDERS_READ])
        before = now()
        anonymous.get("/products", headers={"Authorization": f"Bearer {used}"})
        anonymous.get("/products", headers={"Authorization": f"Bearer {refused}"})

        first = self._await_use(database, used_id)
        anonymous.get("/products", headers={"Authorization": f"Bearer {used}"})
        time.sleep(3)

        assert before <= first <= now()
        assert self._last_use(database, used_id) == first
        assert self._last_use(database, refused_id) is None

    def _await_use(self, database: Database, key_id: str) -> datetime:
        return waiting.eventually(lambda: self._last_use(database, key_id), "the use of the key is written")

    @staticmethod
    def _last_use(database: Database, key_id: str) -> datetime | None:
        with database.transaction() as session:
            return session.get_one(ApiKey, key_id).last_used_at
