"""A mirror that follows `syncedUntil` misses no change, whatever other processes write (contract, section 3).

The same mirror misses changes if it follows the newest `updatedAt` that it has seen, so these tests can fail.
"""

import itertools
import os
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from app.schemas.times import parse_time
from tests.support import factories, local_http, waiting
from tests.support.client import Client, Contract
from tests.support.factories import Tenant, order_body
from tests.support.held_write import held_write
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

LISTS = ("/products", "/orders", "/customers", "/returns")
LIMIT = 20
IMPORTED_ROWS = 2000
WRITERS = 3
NAMES = itertools.count(1)
FOLLOWED = pytest.mark.parametrize(("followed", "is_complete"), [("syncedUntil", True), ("updatedAt", False)])
UPDATE_NAME = "UPDATE customers SET name = 'late', updated_at = :now WHERE id = '{id}'"

Items = dict[str, Any]  # by id


class Mirror:
    """A copy of lists that walks through their changes. Each walk begins where the previous one says."""

    def __init__(self, client: Client, *paths: str, limit: int = LIMIT, followed: str = "syncedUntil") -> None:
        self.lists: dict[str, Items] = {path: {} for path in paths}
        self.walks = 0
        self._client, self._limit, self._followed = client, limit, followed
        self._since = dict.fromkeys(paths, "2026-01-01T00:00:00.000Z")

    def walk(self) -> None:
        """Read the changes of every list."""
        for path in self.lists:
            for _ in self.pages(path):
                pass
        self.walks += 1

    def pages(self, path: str) -> Iterator[None]:
        """Read the changes of one list. Yield after each page."""
        query = {"updatedSince": self._since[path], "limit": str(self._limit)}
        times: list[str] = []
        while True:
            page = self._client.get(path, params=query).raise_for_status().json()
            self.lists[path] |= {item["id"]: item for item in page["data"]}
            if self._followed == "syncedUntil":
                times += [page["pagination"]["syncedUntil"]][: not times]
            else:
                times += [item["updatedAt"] for item in page["data"]]
            yield
            if not page["pagination"]["hasMore"]:
                break
            query["cursor"] = page["pagination"]["nextCursor"]
        self._since[path] = max([self._since[path], *times])

    def is_complete(self) -> bool:
        """Return whether the copy equals the lists."""
        return self.lists == {path: {item["id"]: item for item in self._client.walk(path)} for path in self.lists}


class MirroredDeployment:
    """Two servers on one database, and a company."""

    def __init__(self, servers: list[Server], database: Database, contract: Contract) -> None:
        self.servers = servers
        self.url = servers[0].database_url
        self.tenant: Tenant = factories.tenant(database)
        self.customers = [factories.customer(database, self.tenant.company_id) for _ in range(3)]
        self.client = Client(servers[0].url, self.tenant.key, contract)

    def rename(self, customer: str) -> str:
        """Give a customer a new name; return the time of the change."""
        body = {"name": f"Name {next(NAMES)}"}
        return str(
            self.client.patch(f"/customers/{customer}", json=body).raise_for_status().json()["data"]["updatedAt"]
        )

    def importing(self, file: Path) -> subprocess.Popen[bytes]:
        """Import a file in a separate process."""
        command = [sys.executable, "-m", "app.cli", "product", "import", str(file), "--company", self.tenant.slug]
        return subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"DISTRIBU_DATABASE_URL": self.url}, stderr=subprocess.DEVNULL
        )

    def write(self, number: int, products: list[str], stop: threading.Event) -> None:
        """Place, cancel and return orders, change customers and products. A busy server may return 503."""
        chance = random.Random(number)
        url, headers = self.servers[number % 2].url + "/api/v1", {"Authorization": f"Bearer {self.tenant.key}"}
        with local_http.client(base_url=url, headers=headers, timeout=waiting.SECONDS) as api:
            for count in itertools.count():
                if stop.is_set():
                    return
                customer = chance.choice(self.customers)
                items = [(product, chance.randint(1, 3)) for product in chance.sample(products, 3)]
                placed = api.post("/orders", json=order_body(customer, *items))
                product, key = chance.choice(products), {"Idempotency-Key": str(uuid.uuid4())}
                received = {"delta": 1, "reason": "RECEIVED"}
                responses = [
                    placed,
                    api.patch(f"/customers/{customer}", json={"name": f"{number}-{count}"}),
                    api.patch(f"/products/{product}", json={"price": count + 1}),
                    api.post(f"/products/{product}/inventory-adjustments", json=received, headers=key),
                ]
                if placed.status_code == 201 and count % 3 == 0:
                    order = placed.json()["data"]["id"]
                    responses.append(api.patch(f"/orders/{order}", json={"status": "CANCELLED", "restock": True}))
                if placed.status_code == 201 and count % 3 == 1:
                    responses += send_back(api, placed.json()["data"])
                assert {response.status_code for response in responses} <= {200, 201, 503}


def send_back(api: httpx.Client, order: dict[str, Any]) -> Iterator[httpx.Response]:
    """Ship an order, and approve and receive a return of its first item. Stop at the first request that fails."""
    path, items = f"/orders/{order['id']}", [{"orderItemId": order["items"][0]["id"], "quantity": 1}]
    steps = [
        ("PATCH", path, {"status": "CONFIRMED"}),
        ("PATCH", path, {"status": "SHIPPED"}),
        ("POST", "/returns", {"orderId": order["id"], "items": items}),
        ("PATCH", "/returns/{id}", {"status": "APPROVED"}),
        ("POST", "/returns/{id}/receive", {}),
    ]
    last = order["id"]
    for method, target, body in steps:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        response = api.request(method, target.format(id=last), json=body, headers=headers)
        yield response
        if not response.is_success:
            return
        last = response.json()["data"]["id"]


@pytest.fixture(scope="module")
def servers(
    store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[Server], Database]]:
    directory = tmp_path_factory.mktemp("synchronization")
    url = store.create("synchronization")
    database = open_database(url)
    quiet = {"log_level": "WARNING"}
    with Server(url, directory / "one", **quiet) as one, Server(url, directory / "two", "--no-worker", **quiet) as two:
        yield [one, two], database
    database.dispose()
    store.drop(url)


@pytest.fixture
def deployment(servers: tuple[list[Server], Database], contract: Contract) -> Iterator[MirroredDeployment]:
    deployment = MirroredDeployment(*servers, contract)
    with deployment.client:
        yield deployment


def write_file(file: Path, count: int, price: int) -> Path:
    rows = [f"S-{number},Item {number},{price},1000000" for number in range(count)]
    file.write_text("\n".join(["sku,name,price,stock", *rows, ""]))
    return file


def mirror_during_import(deployment: MirroredDeployment, directory: Path, rows: int) -> Mirror:
    """Walk until an import of `rows` products has ended, while both servers write; return the mirror after that."""
    assert deployment.importing(write_file(directory / "first", 100, 1)).wait(waiting.SECONDS) == 0
    products = [item["id"] for item in deployment.client.walk("/products")]
    mirror = Mirror(deployment.client, *LISTS)
    numbers = itertools.count()
    with waiting.in_background(lambda stop: deployment.write(next(numbers), products, stop), WRITERS):
        process = deployment.importing(write_file(directory / "second", rows, 2))
        try:
            while process.poll() is None:
                mirror.walk()
        finally:
            process.kill()
    assert process.returncode == 0
    mirror.walk()
    return mirror


def test_a_mirror_is_complete_after_an_import_and_other_writes(deployment: MirroredDeployment, tmp_path: Path) -> None:
    mirror = mirror_during_import(deployment, tmp_path, IMPORTED_ROWS)

    assert len(mirror.lists["/products"]) == IMPORTED_ROWS
    assert mirror.lists["/returns"]
    assert mirror.is_complete()


@FOLLOWED
def test_a_change_between_two_pages(deployment: MirroredDeployment, followed: str, *, is_complete: bool) -> None:
    """The first page was read before its item changed, the second one afterwards."""
    mirror = Mirror(deployment.client, "/customers", limit=1, followed=followed)
    pages = mirror.pages("/customers")
    next(pages)
    (first,) = mirror.lists["/customers"]
    second = next(item["id"] for item in deployment.client.walk("/customers") if item["id"] != first)
    changed_at = deployment.rename(first)
    waiting.eventually(lambda: deployment.rename(second) > changed_at, "a later change")
    for _ in pages:
        pass
    mirror.walk()

    assert mirror.is_complete() is is_complete


@FOLLOWED
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_a_change_that_is_committed_after_a_later_one(
    deployment: MirroredDeployment, followed: str, *, is_complete: bool
) -> None:
    early, late, _ = deployment.customers
    mirror = Mirror(deployment.client, "/customers", followed=followed)
    with held_write(deployment.url, UPDATE_NAME.format(id=late)) as write:
        waiting.eventually(lambda: parse_time(deployment.rename(early)) > write.at, "a later change")
        mirror.walk()
        write.commit()
    mirror.walk()

    assert mirror.is_complete() is is_complete


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_change_that_is_committed_after_a_walk(deployment: MirroredDeployment) -> None:
    mirror = Mirror(deployment.client, "/customers")
    with held_write(deployment.url, UPDATE_NAME.format(id=deployment.customers[0])) as write:
        mirror.walk()
        write.commit()
    mirror.walk()

    assert mirror.is_complete()
