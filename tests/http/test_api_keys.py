"""The calling API key (contract, section 9.6), over HTTP on both databases."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from app import __version__
from app.context import now
from app.db import Database
from app.schemas.base import timestamp
from app.schemas.times import parse_time
from app.services import companies
from models import Scope
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server

Describe = Callable[..., dict[str, Any]]


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
