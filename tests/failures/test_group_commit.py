"""Writes to SQLite that share a commit, in a real server: one fails, all are lost, or several are the same request."""

import contextlib
import resource
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sized
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.db import Database
from models import Customer, Event, Order, Product
from tests.support import factories, local_http, waiting
from tests.support.factories import Tenant, order_body
from tests.support.held_write import held_write
from tests.support.servers import Server

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

CLIENTS = 16
FAIL = """
    CREATE TRIGGER fail BEFORE INSERT ON customers WHEN NEW.email = 'client3@example.com'
    BEGIN SELECT RAISE(ABORT, 'a defect'); END
"""


@pytest.fixture
def tenant(fresh_database: Database) -> Tenant:
    return factories.tenant(fresh_database)


@pytest.fixture
def server(fresh_database: Database, database_url: str, tmp_path: Path) -> Iterator[Server]:
    with Server(database_url, tmp_path / "log", "--no-worker", log_level="WARNING") as server:
        yield server


class Sender:
    """Sends requests to a server, each over a separate connection."""

    def __init__(self, server: Server, tenant: Tenant) -> None:
        self._url = server.url + "/api/v1"
        self._headers = {"Authorization": f"Bearer {tenant.key}"}

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        headers = self._headers | ({} if key is None else {"Idempotency-Key": key})
        return local_http.post(self._url + path, json=body, headers=headers, timeout=waiting.SECONDS)


@contextlib.contextmanager
def files_cannot_grow(server: Server, size: int) -> Iterator[None]:
    """Let no file of a server exceed a size: SQLite can then not write to the end of its log, as on a full disk."""
    assert server.process is not None
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_one_of_several_requests_fails_and_the_others_succeed(
    fresh_database: Database, database_url: str, server: Server, tenant: Tenant
) -> None:
    with fresh_database.connection() as connection:
        connection.execute(sa.text(FAIL))
    sender = Sender(server, tenant)
    bodies = [{"email": f"client{number}@example.com"} for number in range(CLIENTS)]

    with held_write(database_url) as held:  # the requests queue until it commits
        calls = [partial(sender.post, "/customers", body) for body in bodies]
        with waiting.threads(*calls) as responses:
            held.commit()

    statuses = [response.result().status_code for response in responses]
    assert statuses == [500 if number == 3 else 201 for number in range(CLIENTS)]
    with fresh_database.transaction() as session:
        stored = set(session.scalars(sa.select(Customer.email)))
    assert stored == {body["email"] for body in bodies} - {"client3@example.com"}


def test_duplicates_that_queue_together_receive_one_response(
    fresh_database: Database, database_url: str, server: Server, tenant: Tenant
) -> None:
    product = factories.product(fresh_database, tenant.company_id, stock=100)
    body = order_body(factories.customer(fresh_database, tenant.company_id), (product, 1))
    sender = Sender(server, tenant)

    with held_write(database_url) as held:
        calls = [partial(sender.post, "/orders", body, "one-order")] * CLIENTS
        with waiting.threads(*calls) as responses:
            held.commit()

    received = [response.result() for response in responses]
    assert {(response.status_code, response.content) for response in received} == {(201, received[0].content)}
    replays = Counter(response.headers.get("Idempotency-Replayed") for response in received)
    assert replays == {"true": CLIENTS - 1, None: 1}
    with fresh_database.transaction() as session:
        assert session.get_one(Product, product).stock == 99


def test_no_order_is_confirmed_and_lost_while_commits_fail(
    fresh_database: Database, server: Server, tenant: Tenant
) -> None:
    customer = factories.customer(fresh_database, tenant.company_id)
    product = factories.product(fresh_database, tenant.company_id, stock=100_000)
    sender = Sender(server, tenant)
    confirmed: dict[str, str] = {}
    failures: list[float] = []

    def buy(stop: threading.Event) -> None:
        key = str(uuid.uuid4())
        while not stop.is_set():
            response = sender.post("/orders", order_body(customer, (product, 1)), key)
            if response.status_code == 201:
                confirmed[key] = response.json()["data"]["id"]
                key = str(uuid.uuid4())
            else:
                assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
                failures.append(time.monotonic())
                time.sleep(0.02)

    def await_more(results: Sized) -> None:
        enough = len(results) + CLIENTS
        waiting.eventually(lambda: len(results) >= enough, "orders are placed, or commits fail")

    assert fresh_database.file is not None
    log = fresh_database.file.with_name(fresh_database.file.name + "-wal")
    with waiting.in_background(buy, CLIENTS):
        for _ in range(3):
            await_more(confirmed)
            with files_cannot_grow(server, log.stat().st_size):
                await_more(failures)
        await_more(confirmed)

    with fresh_database.transaction() as session:
        orders = {order for (order,) in session.query(Order.id)}
        events = session.query(Event).filter_by(type="order.created").count()
        stock = session.get_one(Product, product).stock
    assert set(confirmed.values()) == orders
    assert len(orders) == len(confirmed) == events == 100_000 - stock
