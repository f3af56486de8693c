"""Concurrent changes from many processes, and a server that is killed: money and stock stay exact."""

import contextlib
import http.client
import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from models import Event, InventoryMovement, MovementReason, Order, OrderItem, Product
from tests.support import factories, local_http, waiting
from tests.support.factories import Tenant, order_body
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

# After a 503 the request may still run: a client repeats it with the same key, and again while the first runs (409).
CLIENT_PROGRAM = """
import json, sys, threading, time, httpx
urls, api_key, requests = json.load(sys.stdin)
results, lock = [], threading.Lock()
def send(http, url, path, body, key):
    headers = {"Idempotency-Key": key}
    while (response := http.post(url + "/api/v1" + path, json=body, headers=headers)).status_code in {409, 503}:
        time.sleep(0.1)
    return response
def work(number):
    with httpx.Client(timeout=120, headers={"Authorization": f"Bearer {api_key}"}) as http:
        for request in requests[number::16]:
            response = send(http, urls[number % len(urls)], *request)
            with lock:
                results.append([response.status_code, response.json()])
threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(results))
"""
CLIENT_SECONDS = 600.0
CUSTOMERS = 16  # on SQLite, several of their orders share a commit


@dataclass(frozen=True)
class Request:
    """A POST request, with a new key unless it repeats another one."""

    path: str
    body: dict[str, Any]
    key: str = field(default_factory=lambda: str(uuid.uuid4()))


def adjustment(product_id: str, key: str | None = None, **body: Any) -> Request:
    path = f"/products/{product_id}/inventory-adjustments"
    return Request(path, body) if key is None else Request(path, body, key)


def ledger(database: Database, product_id: str) -> list[InventoryMovement]:
    """Return the movements of a product in their sequence. They must form a chain that ends with its stock."""
    with database.transaction() as session:
        rows = session.query(InventoryMovement).filter_by(product_id=product_id)
        chain = rows.order_by(InventoryMovement.sequence).all()
        product = session.get_one(Product, product_id)
    assert [row.sequence for row in chain] == list(range(len(chain)))
    assert [row.stock_before for row in chain] == [0, *(row.stock_after for row in chain[:-1])]
    assert [row.stock_after - row.stock_before for row in chain] == [row.delta for row in chain]
    assert min(row.stock_after for row in chain) >= 0
    assert (chain[-1].stock_after, len(chain) - 1) == (product.stock, product.movement_sequence)
    return chain


class Deployment:
    """Two servers with two processes each on one database, and one company."""

    def __init__(self, servers: list[Server], database: Database) -> None:
        self.urls = [server.url for server in servers]
        self.database = database
        self.tenant: Tenant = factories.tenant(database)
        self.customer = factories.customer(database, self.tenant.company_id)
        self.headers = {"Authorization": f"Bearer {self.tenant.key}"}

    def buy(self, bodies: list[dict[str, Any]]) -> Counter[tuple[int, str | None]]:
        """Place orders concurrently; return the number of each response."""
        responses = self.send([Request("/orders", body) for body in bodies])
        return Counter((status, body.get("error")) for status, body in responses)

    def send(self, requests: list[Request], processes: int = 2) -> list[tuple[int, dict[str, Any]]]:
        """Send requests from several client processes with sixteen threads each; return status and body of each."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        calls = []
        with contextlib.ExitStack() as stack:
            for number in range(processes):
                process = stack.enter_context(waiting.process([sys.executable, "-c", CLIENT_PROGRAM], **pipes))
                own = [(request.path, request.body, request.key) for request in requests[number::processes]]
                work = json.dumps([self.urls, self.tenant.key, own]).encode()
                calls.append(partial(process.communicate, work, timeout=CLIENT_SECONDS))
            with waiting.threads(*calls) as results:
                outputs = [result.result(CLIENT_SECONDS)[0] for result in results]
        return [(status, body) for output in outputs for status, body in json.loads(output)]

    def stock(self, product_id: str) -> int:
        response = local_http.get(
            f"{self.urls[0]}/api/v1/products/{product_id}", headers=self.headers, timeout=waiting.SECONDS
        )
        return int(response.json()["data"]["stock"])

    def sold(self, product_id: str) -> int:
        with self.database.transaction() as session:
            return sum(quantity for (quantity,) in session.query(OrderItem.quantity).filter_by(product_id=product_id))


@pytest.fixture(scope="module")
def deployment(store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    directory = tmp_path_factory.mktemp("races")
    url = store.create("races")
    database = open_database(url)
    quiet = {"log_level": "WARNING", "workers": "2"}
    with Server(url, directory / "one", **quiet) as one, Server(url, directory / "two", **quiet) as two:
        yield Deployment([one, two], database)
    database.dispose()
    store.drop(url)


class TestStock:
    def test_a_thousand_concurrent_orders_for_a_hundred_pieces(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, name="Last", stock=100)

        responses = deployment.buy([order_body(deployment.customer, (product, 1))] * 1000)

        refused = "Not enough stock for Last. Only 0 available."
        assert responses == {(201, None): 100, (422, refused): 900}
        assert deployment.stock(product) == 0
        assert deployment.sold(product) == 100

    def test_orders_with_items_in_opposite_order_never_deadlock(self, deployment: Deployment) -> None:
        one, two = factories.products(deployment.database, deployment.tenant.company_id, 2, stock=10_000)
        bodies = [
            order_body(deployment.customer, (one, 1), (two, 1)),
            order_body(deployment.customer, (two, 1), (one, 1)),
        ] * 100

        assert deployment.buy(bodies) == {(201, None): 200}
        assert deployment.stock(one) == deployment.stock(two) == 10_000 - 200

    def test_stock_and_orders_add_up_after_random_orders(self, deployment: Deployment) -> None:
        products = factories.products(deployment.database, deployment.tenant.company_id, 8, stock=40)
        chance = random.Random(7)
        bodies = [
            order_body(
                deployment.customer,
                *[(product, chance.randint(1, 4)) for product in chance.choices(products, k=chance.randint(1, 5))],
            )
            for _ in range(200)
        ]

        responses = deployment.buy(bodies)

        assert {status for status, _ in responses} <= {201, 422}
        for product in products:
            assert deployment.stock(product) + deployment.sold(product) == 40
            assert deployment.stock(product) >= 0


class TestAdjustments:
    def test_deltas_orders_and_counts_add_up(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, name="Flour", stock=60)
        chance = random.Random(5)
        deltas = [chance.choice([-9, -4, 3, 8]) for _ in range(100)]
        requests = [
            *[adjustment(product, delta=delta, reason="CORRECTION") for delta in deltas],
            *[Request("/orders", order_body(deployment.customer, (product, 1 + number % 4))) for number in range(50)],
            *[adjustment(product, countedStock=number * 3, reason="COUNT") for number in range(20)],
        ]
        chance.shuffle(requests)

        responses = deployment.send(requests, processes=3)

        chain = ledger(deployment.database, product)
        succeeded = [body["data"] for status, body in responses if status == 201]
        adjusted = {body["id"]: body for body in succeeded if "stockAfter" in body}
        refused = {(status, body["code"]) for status, body in responses if status != 201}
        assert refused <= {(422, "insufficient_stock")}
        assert len(responses) == 170
        assert len(chain) == 1 + len(succeeded)
        assert {row.id: row.stock_after for row in chain if row.reason in {"COUNT", "CORRECTION"}} == {
            movement_id: body["stockAfter"] for movement_id, body in adjusted.items()
        }
        assert sum(row.reason == MovementReason.COUNT for row in chain) == 20
        sold = -sum(row.delta for row in chain if row.reason == MovementReason.SALE)
        assert sold == deployment.sold(product)
        assert deployment.stock(product) == sum(row.delta for row in chain)

    def test_one_of_a_hundred_with_the_same_expected_stock_succeeds(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=10)

        responses = deployment.send(
            [adjustment(product, delta=1, reason="RECEIVED", expectedStock=10) for _ in range(100)], processes=3
        )

        assert Counter((status, body.get("error")) for status, body in responses) == {
            (201, None): 1,
            (422, "Stock has changed. Expected 10, found 11."): 99,
        }
        assert [row.delta for row in ledger(deployment.database, product)] == [10, 1]

    def test_duplicate_requests_take_effect_once(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=10)
        keys = [str(uuid.uuid4()) for _ in range(5)]

        responses = deployment.send([adjustment(product, key, delta=-1, reason="SAMPLE") for key in keys * 20])

        assert {status for status, _ in responses} == {201}
        assert set(Counter(body["data"]["id"] for _, body in responses).values()) == {20}
        assert [row.delta for row in ledger(deployment.database, product)] == [10, *[-1] * 5]


class TestStatus:
    def test_one_of_two_concurrent_changes_wins(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=1000)
        for _ in range(15):
            order = local_http.post(
                deployment.urls[0] + "/api/v1/orders",
                json=order_body(deployment.customer, (product, 1)),
                headers=deployment.headers,
            ).json()["data"]["id"]

            def change(number: int, order: str = order) -> int:
                body = {"status": "CANCELLED", "restock": True} if number else {"status": "CONFIRMED"}
                url = f"{deployment.urls[number]}/api/v1/orders/{order}"
                return local_http.patch(url, json=body, headers=deployment.headers, timeout=waiting.SECONDS).status_code

            statuses = sorted(waiting.concurrently(*[partial(change, number) for number in range(2)]))

            # Confirming first leaves cancelling allowed; every other outcome has one winner.
            response = local_http.get(f"{deployment.urls[0]}/api/v1/orders/{order}", headers=deployment.headers)
            final = response.json()["data"]["status"]
            assert statuses == ([200, 200] if self._both(deployment, order) else [200, 422])
            assert final in {"CONFIRMED", "CANCELLED"}

    @staticmethod
    def _both(deployment: Deployment, order: str) -> bool:
        with deployment.database.transaction() as session:
            changes = session.query(Event).filter_by(entity_id=order, type="order.status_changed").count()
        return changes == 2

    def test_one_of_many_concurrent_cancellations_wins_and_restocks_once(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=10)
        order = local_http.post(
            deployment.urls[0] + "/api/v1/orders",
            json=order_body(deployment.customer, (product, 4)),
            headers=deployment.headers,
        ).json()["data"]["id"]

        def cancel(number: int) -> int:
            url = f"{deployment.urls[number % 2]}/api/v1/orders/{order}"
            body = {"status": "CANCELLED", "restock": True}
            return local_http.patch(url, json=body, headers=deployment.headers, timeout=waiting.SECONDS).status_code

        statuses = sorted(waiting.concurrently(*[partial(cancel, number) for number in range(10)]))

        assert statuses == [200] + [422] * 9
        assert deployment.stock(product) == 10


class TestKilled:
    def test_confirmed_orders_exist_and_others_can_be_repeated(
        self, fresh_database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Kill the server at random times; a client that repeats its request with the same key gets one order."""
        tenant = factories.tenant(fresh_database)
        customer = factories.customer(fresh_database, tenant.company_id)
        product = factories.product(fresh_database, tenant.company_id, stock=100_000)
        server = Server(database_url, tmp_path / "log", log_level="WARNING")
        headers = {"Authorization": f"Bearer {tenant.key}"}
        done: dict[str, str] = {}

        def buy(stop: threading.Event) -> None:
            key = str(uuid.uuid4())
            while not stop.is_set():
                try:
                    response = local_http.post(
                        server.url + "/api/v1/orders",
                        json=order_body(customer, (product, 1)),
                        headers=headers | {"Idempotency-Key": key},
                        timeout=30,
                    )
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                if response.status_code == 201:
                    order = response.json()["data"]["id"]
                    assert done.setdefault(key, order) == order
                    key = str(uuid.uuid4())
                else:
                    assert response.status_code in {409, 503}, response.text

        def await_orders(count: int) -> None:
            enough = len(done) + count
            waiting.eventually(lambda: len(done) >= enough, "orders are placed")

        with server, waiting.in_background(buy, CUSTOMERS):
            chance = random.Random(11)
            for _ in range(6):
                await_orders(chance.randint(1, 48))
                server.kill()
                server.start()
            await_orders(CUSTOMERS)

        with fresh_database.transaction() as session:
            orders = {order for (order,) in session.query(Order.id).filter_by(company_id=tenant.company_id)}
            events = session.query(Event).filter_by(company_id=tenant.company_id, type="order.created").count()
            stock = session.get_one(Product, product).stock
        assert set(done.values()) <= orders
        assert len(orders) - len(done) <= CUSTOMERS  # committed, but the response was lost and the request not repeated
        assert len(set(done.values())) == len(done)
        assert events == len(orders) == 100_000 - stock

    def test_an_adjustment_whose_response_was_lost_is_replayed(
        self, fresh_database: Database, database_url: str, tmp_path: Path
    ) -> None:
        """Kill the server as soon as an adjustment is committed, before the client reads the response."""
        tenant = factories.tenant(fresh_database)
        product = factories.product(fresh_database, tenant.company_id, stock=0)
        url = f"/api/v1/products/{product}/inventory-adjustments"
        body = {"delta": 7, "reason": "RECEIVED"}
        server = Server(database_url, tmp_path / "log", log_level="WARNING")

        for number in range(1, 3):
            headers = {"Authorization": f"Bearer {tenant.key}", "Idempotency-Key": f"key-{number}"}
            with server:
                connection = http.client.HTTPConnection("127.0.0.1", server.port)
                connection.request("POST", url, json.dumps(body), {**headers, "Content-Type": "application/json"})
                waiting.eventually(partial(self._has, fresh_database, product, number), "the adjustment is committed")
                server.kill()
                connection.close()
                server.start()
                replayed = local_http.post(server.url + url, json=body, headers=headers, timeout=waiting.SECONDS)

            chain = ledger(fresh_database, product)
            assert (replayed.status_code, replayed.headers.get("idempotency-replayed")) == (201, "true")
            assert replayed.json()["data"]["id"] == chain[-1].id
            assert [row.delta for row in chain] == [0, *[7] * number]

    @staticmethod
    def _has(database: Database, product_id: str, sequence: int) -> bool:
        with database.transaction() as session:
            rows = session.query(InventoryMovement).filter_by(product_id=product_id, sequence=sequence)
            return rows.count() == 1


def test_the_program_of_the_clients_is_python() -> None:
    assert compile(CLIENT_PROGRAM, str(ROOT), "exec")
