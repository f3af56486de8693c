"""Bulk requests that run at the same time as others, and a server that is killed: everything is written once."""

import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.db import Database
from models import Event, InventoryMovement, Product
from tests.support import deadlocks, factories, local_http, waiting
from tests.support.factories import Tenant, order_body
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

Items = list[dict[str, Any]]


class BulkShop:
    """Two servers on one database, and one company."""

    def __init__(self, servers: list[Server], database: Database) -> None:
        self.servers = servers
        self.database = database
        self.tenant: Tenant = factories.tenant(database)
        self.headers = {"Authorization": f"Bearer {self.tenant.key}"}

    def send(self, path: str, body: Any, key: str, server: int = 0) -> httpx.Response:
        """Send a request, and repeat it with the same key while it is refused temporarily, as clients do."""
        url, headers = f"{self.servers[server].url}/api/v1{path}", self.headers | {"Idempotency-Key": key}
        return waiting.until_processed(
            partial(local_http.post, url, json=body, headers=headers, timeout=waiting.SECONDS)
        )

    def write(self, items: Items, key: str = "", server: int = 0) -> httpx.Response:
        return self.send("/bulk/products", {"items": items}, key or str(uuid.uuid4()), server)

    def adjust(self, items: Items, server: int = 0) -> httpx.Response:
        body = {"mode": "each", "items": items}
        return self.send("/bulk/inventory-adjustments", body, str(uuid.uuid4()), server)

    def rows(self, model: type[Any]) -> list[Any]:
        with self.database.transaction() as session:
            return list(session.scalars(sa.select(model).where(model.company_id == self.tenant.company_id)))


@pytest.fixture(scope="module")
def servers(store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    url, directory = store.create("bulk_races"), tmp_path_factory.mktemp("bulk_races")
    with Server(url, directory / "one", "--no-worker") as one, Server(url, directory / "two", "--no-worker") as two:
        yield [one, two]


@pytest.fixture
def shop(servers: list[Server]) -> Iterator[BulkShop]:
    database = open_database(servers[0].database_url)
    yield BulkShop(servers, database)
    database.dispose()


def new_products(count: int) -> Items:
    return [{"sku": f"S-{number:04}", "name": f"Product {number}", "price": 1, "stock": 5} for number in range(count)]


def statuses(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [result["status"] for result in response.json()["data"]["results"]]


def test_products_that_several_requests_create_exist_once(shop: BulkShop) -> None:
    """The requests have the same products in opposite orders. They wait for each other, but there is no deadlock."""
    items = new_products(100)
    calls = [partial(shop.write, items[:: 1 if number % 2 else -1], server=number % 2) for number in range(8)]
    before = deadlocks.count(shop.database)

    found = [statuses(response) for response in waiting.concurrently(*calls)]

    assert Counter(status for one in found for status in one) == {201: 100, 200: 700}
    assert len(shop.rows(Product)) == len(shop.rows(InventoryMovement)) == 100
    assert Counter(event.type for event in shop.rows(Event)) == {"product.created": 100}
    assert deadlocks.count(shop.database) == before


def test_skus_that_several_requests_set_are_those_of_one_product_each(shop: BulkShop) -> None:
    """Each request gives the same new skus, in opposite orders, to products that no other request names."""
    counts = range(20)
    ids = iter(factories.products(shop.database, shop.tenant.company_id, 8 * len(counts)))
    batches = [[{"id": next(ids), "sku": f"S-{number:04}"} for number in counts] for _ in range(8)]
    calls = [
        partial(shop.send, "/bulk/products", {"mode": "each", "items": batch[:: 1 if number % 2 else -1]}, str(number))
        for number, batch in enumerate(batches)
    ]
    before = deadlocks.count(shop.database)

    found = [statuses(response) for response in waiting.concurrently(*calls)]

    assert Counter(status for one in found for status in one) == {200: len(counts), 422: 7 * len(counts)}
    assert deadlocks.count(shop.database) == before


def test_adjustments_during_orders_are_exact(shop: BulkShop) -> None:
    company = shop.tenant.company_id
    products = factories.products(shop.database, company, 20, stock=1_000)
    customer = factories.customer(shop.database, company)
    items = [{"productId": product, "delta": -7, "reason": "DAMAGED"} for product in products]
    body = order_body(customer, *[(product, 3) for product in products])
    calls = [
        *(partial(shop.adjust, items[:: 1 if number % 2 else -1], number % 2) for number in range(6)),
        *(partial(shop.send, "/orders", body, str(uuid.uuid4()), number % 2) for number in range(10)),
    ]

    found = Counter(response.status_code for response in waiting.concurrently(*calls))

    assert found == {200: 6, 201: 10}
    assert {product.stock for product in shop.rows(Product)} == {1_000 - 6 * 7 - 10 * 3}
    moved: Counter[str] = Counter()
    for movement in shop.rows(InventoryMovement):
        moved[movement.product_id] += movement.delta
    assert set(moved.values()) == {1_000 - 6 * 7 - 10 * 3}


def test_concurrent_duplicates_of_a_request_act_once(shop: BulkShop) -> None:
    key, items = str(uuid.uuid4()), new_products(50)
    calls = [partial(shop.write, items, key, number % 2) for number in range(6)]

    responses = waiting.concurrently(*calls)

    assert {response.content for response in responses} == {responses[0].content}
    assert statuses(responses[0]) == [201] * 50
    assert len(shop.rows(Product)) == len(shop.rows(Event)) == 50


def test_a_request_that_committed_before_the_server_was_killed_is_replayed(
    store: SqliteStore | PostgresqlStore, tmp_path: Path
) -> None:
    url = store.create("bulk_killed")
    database = open_database(url)
    with Server(url, tmp_path / "log", "--no-worker") as server:
        shop = BulkShop([server], database)
        key, items = str(uuid.uuid4()), new_products(200)
        with waiting.threads(partial(shop.write, items, key)) as (call,):
            waiting.eventually(lambda: len(shop.rows(Product)) == 200, "the products are committed")
            server.kill()
            server.start()
            first = call.exception(waiting.SECONDS)  # None if the response was sent before the kill

        again = shop.write(items, key)

        assert isinstance(first, httpx.TransportError | None)
        assert again.headers["idempotency-replayed"] == "true"
        assert statuses(again) == [201] * 200
        assert len(shop.rows(Product)) == len(shop.rows(Event)) == 200
    database.dispose()
