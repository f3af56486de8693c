"""Concurrent changes from many processes, and a server that is killed: money and stock stay exact."""

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from models import Event, Order, OrderItem
from tests.support import factories, waiting
from tests.support.factories import Tenant, order_body
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

# After a 503 the request may still run: a client repeats it with the same key, and again while the first runs (409).
CLIENT_PROGRAM = """
import json, sys, threading, time, uuid, httpx
urls, key, bodies = json.load(sys.stdin)
results, lock = [], threading.Lock()
def order(http, url, body):
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    while (response := http.post(url + "/api/v1/orders", json=body, headers=headers)).status_code in {409, 503}:
        time.sleep(0.1)
    return response
def buy(number):
    with httpx.Client(timeout=120, headers={"Authorization": f"Bearer {key}"}) as http:
        for body in bodies[number::16]:
            response = order(http, urls[number % len(urls)], body)
            with lock:
                results.append([response.status_code, response.json().get("error")])
threads = [threading.Thread(target=buy, args=(number,)) for number in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(results))
"""
CLIENT_SECONDS = 600.0


class Deployment:
    """Two servers with two processes each on one database, and one company."""

    def __init__(self, servers: list[Server], database: Database) -> None:
        self.urls = [server.url for server in servers]
        self.database = database
        self.tenant: Tenant = factories.tenant(database)
        self.customer = factories.customer(database, self.tenant.company_id)
        self.headers = {"Authorization": f"Bearer {self.tenant.key}"}

    def buy(self, bodies: list[dict[str, Any]], processes: int = 2) -> Counter[tuple[int, str | None]]:
        """Send orders from several client processes with sixteen threads each; return the number of each response."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        calls = []
        with contextlib.ExitStack() as stack:
            for number in range(processes):
                process = stack.enter_context(waiting.process([sys.executable, "-c", CLIENT_PROGRAM], **pipes))
                work = json.dumps([self.urls, self.tenant.key, bodies[number::processes]]).encode()
                calls.append(partial(process.communicate, work, timeout=CLIENT_SECONDS))
            with waiting.threads(*calls) as results:
                outputs = [result.result(CLIENT_SECONDS)[0] for result in results]
        return Counter((status, error) for output in outputs for status, error in json.loads(output))

    def stock(self, product_id: str) -> int:
        response = httpx.get(
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


class TestStatus:
    def test_one_of_two_concurrent_changes_wins(self, deployment: Deployment) -> None:
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=1000)
        for _ in range(15):
            order = httpx.post(
                deployment.urls[0] + "/api/v1/orders",
                json=order_body(deployment.customer, (product, 1)),
                headers=deployment.headers,
            ).json()["data"]["id"]

            def change(number: int, order: str = order) -> int:
                body = {"status": "CANCELLED", "restock": True} if number else {"status": "CONFIRMED"}
                url = f"{deployment.urls[number]}/api/v1/orders/{order}"
                return httpx.patch(url, json=body, headers=deployment.headers, timeout=waiting.SECONDS).status_code

            statuses = sorted(waiting.concurrently(*[partial(change, number) for number in range(2)]))

            # Confirming first leaves cancelling allowed; every other outcome has one winner.
            response = httpx.get(f"{deployment.urls[0]}/api/v1/orders/{order}", headers=deployment.headers)
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
        order = httpx.post(
            deployment.urls[0] + "/api/v1/orders",
            json=order_body(deployment.customer, (product, 4)),
            headers=deployment.headers,
        ).json()["data"]["id"]

        def cancel(number: int) -> int:
            url = f"{deployment.urls[number % 2]}/api/v1/orders/{order}"
            body = {"status": "CANCELLED", "restock": True}
            return httpx.patch(url, json=body, headers=deployment.headers, timeout=waiting.SECONDS).status_code

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
                    response = httpx.post(
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

        with server, waiting.meanwhile(buy, 4):
            chance = random.Random(11)
            for _ in range(6):
                await_orders(chance.randint(1, 12))
                server.kill()
                server.start()
            await_orders(4)

        with fresh_database.transaction() as session:
            orders = {order for (order,) in session.query(Order.id).filter_by(company_id=tenant.company_id)}
            events = session.query(Event).filter_by(company_id=tenant.company_id, type="order.created").count()
        assert set(done.values()) <= orders
        assert len(orders) - len(done) <= 4  # committed, but the response was lost and the request not repeated
        assert len(set(done.values())) == len(done)
        assert events == len(orders)


def test_the_program_of_the_clients_is_python() -> None:
    assert compile(CLIENT_PROGRAM, str(ROOT), "exec")
