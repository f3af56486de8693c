"""The guides are correct: every command and every sample in them runs against the demo company."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.db import Database
from tests.docs.test_documentation import blocks, samples
from tests.support import factories, local_http
from tests.support.factories import Tenant
from tests.support.servers import ROOT, Server

OPERATOR_COMMANDS = {"make serve\n", "export KEY=dk_...\n"}  # a server and a key exist in tests


def guide(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


@pytest.fixture
def api(server: Server, tenant: Tenant) -> Iterator[httpx.Client]:
    with samples(guide("pagination"))["client"](server.url + "/api/v1", tenant.key) as client:
        yield client


def run(name: str, server: Server, key: str) -> list[Any]:
    """Run the commands of a guide in their order, and return the JSON that each prints."""
    results = []
    for command in blocks(guide(name), "sh"):
        if command in OPERATOR_COMMANDS:
            continue
        done = subprocess.run(
            ["sh", "-ec", command.replace("http://127.0.0.1:8000", server.url)],
            env=os.environ | {"KEY": key},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    return results


def test_the_quick_start_leads_to_an_order(server: Server, database: Database) -> None:
    me, found, preview, order, listed, refused = run("quickstart", server, factories.demo_key(database))

    assert me["data"]["company"]["slug"] == "demo"
    assert [product["sku"] for product in found["data"]] == ["FLR-SW-16"]
    assert preview["data"]["canBePlaced"]
    assert order["data"]["total"] == preview["data"]["total"]
    assert [entry["id"] for entry in listed["data"]] == [order["data"]["id"]]
    assert refused["code"] == "insufficient_stock"
    assert refused["details"][0]["available"] > 0


def test_the_quick_start_can_be_repeated(server: Server, database: Database) -> None:
    key = factories.demo_key(database)

    first, second = (run("quickstart", server, key) for _ in range(2))

    assert first[3] == second[3]


class TestPagination:
    def test_the_command_returns_a_page_of_the_shown_form(self, server: Server, database: Database) -> None:
        (page,) = run("pagination", server, factories.demo_key(database))
        (shown,) = map(json.loads, blocks(guide("pagination"), "json"))

        assert len(page["data"]) == 100
        assert page["pagination"].keys() >= shown["pagination"].keys()
        assert page["pagination"]["hasMore"] is shown["pagination"]["hasMore"] is True

    def test_the_sample_returns_every_item_once(self, api: httpx.Client, tenant: Tenant, database: Database) -> None:
        created = factories.products(database, tenant.company_id, 230)

        read = list(samples(guide("pagination"))["pages"](api, "/products"))

        assert [product["id"] for product in read] == created[::-1]

    def test_the_sample_filters(self, api: httpx.Client, tenant: Tenant, database: Database) -> None:
        factories.product(database, tenant.company_id, sku="A-1")
        other = factories.product(database, tenant.company_id, sku="A-2")

        assert [found["id"] for found in samples(guide("pagination"))["pages"](api, "/products", sku="A-2")] == [other]


class TestSyncing:
    def test_the_samples_follow_changes_and_deletions(
        self, api: httpx.Client, tenant: Tenant, database: Database
    ) -> None:
        names = samples(guide("syncing"))
        created = factories.products(database, tenant.company_id, 120)

        everything, since = names["changes"](api, "/products", "1970-01-01")
        api.patch(f"/products/{created[0]}", json={"name": "Other"}).raise_for_status()
        deleted = (
            api.post("/products", json={"name": "Short-lived", "price": 1}).raise_for_status().json()["data"]["id"]
        )
        api.delete(f"/products/{deleted}").raise_for_status()
        changed, next_since = names["changes"](api, "/products", since)

        assert {product["id"] for product in everything} == set(created)
        assert created[0] in {product["id"] for product in changed}
        assert deleted not in {product["id"] for product in changed}
        assert names["deleted_products"](api, since) == [deleted]
        assert next_since >= since

    @pytest.mark.parametrize("path", ["/products", "/customers", "/orders", "/returns"])
    def test_the_named_lists_can_be_synchronized(self, api: httpx.Client, path: str) -> None:
        _, since = samples(guide("syncing"))["changes"](api, path, "1970-01-01")

        assert datetime.now(UTC) - datetime.fromisoformat(since) < timedelta(hours=1)


class TestIdempotency:
    def test_the_command_can_be_repeated(self, server: Server, database: Database) -> None:
        key = factories.demo_key(database)

        first, second = (run("idempotency", server, key) for _ in range(2))

        assert first == second

    def test_the_sample_creates_one_order_for_each_call(
        self, api: httpx.Client, tenant: Tenant, database: Database
    ) -> None:
        product = factories.product(database, tenant.company_id, stock=9)
        customer = factories.customer(database, tenant.company_id)
        body = {"customerId": customer, "items": [{"productId": product, "quantity": 2}]}

        made = [samples(guide("idempotency"))["create"](api, "/orders", body) for _ in range(2)]

        assert sorted(order["id"] for order in made) == sorted(
            order["id"] for order in api.get("/orders").json()["data"]
        )

    def test_the_sample_waits_for_the_rate_limit(self, server: Server, tenant: Tenant, database: Database) -> None:
        _, key = factories.api_key(database, tenant.company_id, rate_limit="1 per 2 seconds")
        with local_http.client(base_url=server.url + "/api/v1", headers={"Authorization": f"Bearer {key}"}) as api:
            api.get("/me").raise_for_status()

            made = samples(guide("idempotency"))["create"](api, "/customers", {"email": "a@b.example"})

        assert made["email"] == "a@b.example"

    def test_the_table_names_what_happens_to_another_request(self, api: httpx.Client) -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}

        first = api.post("/customers", json={"email": "c@d.example"}, headers=headers)
        replayed = api.post("/customers", json={"email": "c@d.example"}, headers=headers)
        other = api.post("/customers", json={"email": "e@f.example"}, headers=headers)

        assert (replayed.status_code, replayed.json()) == (first.status_code, first.json())
        assert replayed.headers["Idempotency-Replayed"] == "true"
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert "422, `idempotency_key_reused`" in guide("idempotency")
