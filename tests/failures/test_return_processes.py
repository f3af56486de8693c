"""Returns of which several server processes on one database decide, and a server that is killed."""

import http.client
import json
import random
import uuid
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from app.db import Database
from models import Event, InventoryMovement, Return
from tests.failures.test_races import Deployment, Request, adjustment, deployment, ledger
from tests.support import factories, local_http, waiting
from tests.support.factories import order_body
from tests.support.servers import Server

__all__ = ["deployment"]  # the fixture: two servers with two processes each


class Clerk:
    """A client of a server for its company."""

    def __init__(self, url: str, key: str, database: Database) -> None:
        self.url, self.database = url, database
        self._headers = {"Authorization": f"Bearer {key}"}

    def send(self, method: str, path: str, body: Any = None, *, url: str | None = None) -> httpx.Response:
        headers = {**self._headers, "Idempotency-Key": str(uuid.uuid4())}
        target = f"{url or self.url}/api/v1{path}"
        return local_http.request(method, target, json=body, headers=headers, timeout=waiting.SECONDS)

    def data(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return dict(self.send(method, path, body).raise_for_status().json()["data"])

    def shipped(self, customer: str, product: str, quantity: int) -> dict[str, Any]:
        order = self.data("POST", "/orders", order_body(customer, (product, quantity)))
        for status in ("CONFIRMED", "SHIPPED"):
            self.data("PATCH", f"/orders/{order['id']}", {"status": status})
        return order

    def approved(self, order: dict[str, Any], quantity: int) -> dict[str, Any]:
        made = self.data("POST", "/returns", return_body(order, quantity))
        return self.data("PATCH", f"/returns/{made['id']}", {"status": "APPROVED"})

    def events(self, found: dict[str, Any]) -> list[str]:
        with self.database.transaction() as session:
            rows = session.query(Event).filter_by(entity_id=found["id"]).order_by(Event.sequence).all()
            return [row.type for row in rows]


def return_body(order: dict[str, Any], quantity: int) -> dict[str, Any]:
    return {"orderId": order["id"], "items": [{"orderItemId": order["items"][0]["id"], "quantity": quantity}]}


def receipt_body(found: dict[str, Any], received: int, restocked: int) -> dict[str, Any]:
    item = {"returnItemId": found["items"][0]["id"], "receivedQuantity": received, "restockQuantity": restocked}
    return {"items": [item]}


def clerk_of(deployment: Deployment) -> Clerk:
    return Clerk(deployment.urls[0], deployment.tenant.key, deployment.database)


def test_one_of_a_hundred_returns_gets_the_last_unit(deployment: Deployment) -> None:
    clerk = clerk_of(deployment)
    product = factories.product(deployment.database, deployment.tenant.company_id, name="Last", stock=10)
    order = clerk.shipped(deployment.customer, product, 3)
    clerk.approved(order, 2)

    responses = deployment.send([Request("/returns", return_body(order, 1)) for _ in range(100)])

    assert Counter((status, body.get("error")) for status, body in responses) == {
        (201, None): 1,
        (422, "Only 0 of Last can still be returned."): 99,
    }
    with deployment.database.transaction() as session:
        assert session.query(Return).filter_by(order_id=order["id"]).count() == 2


def test_either_the_receipt_or_the_rejection_wins(deployment: Deployment) -> None:
    clerk = clerk_of(deployment)
    product = factories.product(deployment.database, deployment.tenant.company_id, stock=1000)
    restocked = 0
    for number in range(20):
        made = clerk.approved(clerk.shipped(deployment.customer, product, 2), 2)
        path, urls = f"/returns/{made['id']}", deployment.urls[:: 1 if number % 2 else -1]
        receive = partial(clerk.send, "POST", f"{path}/receive", receipt_body(made, 2, 1), url=urls[0])
        reject = partial(clerk.send, "PATCH", path, {"status": "REJECTED"}, url=urls[1])

        statuses = [response.status_code for response in waiting.concurrently(receive, reject)]

        final = clerk.data("GET", path)["status"]
        assert (statuses, final) in [([200, 422], "RECEIVED"), ([422, 200], "REJECTED")]
        assert clerk.events(made) == ["return.created", "return.approved", f"return.{final.lower()}"]
        restocked += final == "RECEIVED"
    assert deployment.stock(product) == 1000 - 40 + restocked
    assert sum(row.reason == "RETURN" for row in ledger(deployment.database, product)) == restocked


def test_receipts_orders_and_adjustments_of_a_product_add_up(deployment: Deployment) -> None:
    clerk = clerk_of(deployment)
    product = factories.product(deployment.database, deployment.tenant.company_id, stock=100)
    orders = [clerk.shipped(deployment.customer, product, 4) for _ in range(10)]
    approved = [clerk.approved(order, 3) for order in orders]
    chance = random.Random(17)
    requests = [
        *[
            Request(f"/returns/{found['id']}/receive", receipt_body(found, 3, number % 4))
            for number, found in enumerate(approved)
        ],
        *[Request("/returns", return_body(order, 1)) for order in orders for _ in range(2)],
        *[Request("/orders", order_body(deployment.customer, (product, 1 + number % 3))) for number in range(40)],
        *[adjustment(product, delta=chance.choice([-2, 3]), reason="CORRECTION") for _ in range(20)],
    ]
    chance.shuffle(requests)

    responses = deployment.send(requests, processes=3)

    failed = Counter((status, body["code"]) for status, body in responses if status >= 400)
    assert failed.keys() <= {(422, "insufficient_stock"), (422, "return_quantity_exceeded")}
    assert failed[422, "return_quantity_exceeded"] == 10  # of two returns of the last unit, one is created
    chain = ledger(deployment.database, product)
    returned = {row.return_id: row.delta for row in chain if row.reason == "RETURN"}
    assert returned == {found["id"]: number % 4 for number, found in enumerate(approved) if number % 4}
    assert -sum(row.delta for row in chain if row.reason == "SALE") == deployment.sold(product)
    assert deployment.stock(product) == sum(row.delta for row in chain)


def test_a_receipt_whose_response_was_lost_is_replayed(
    fresh_database: Database, database_url: str, tmp_path: Path
) -> None:
    """Kill the server as soon as a receipt is committed, before the client reads the response."""
    tenant = factories.tenant(fresh_database)
    customer = factories.customer(fresh_database, tenant.company_id)
    product = factories.product(fresh_database, tenant.company_id, stock=10)
    server = Server(database_url, tmp_path / "log", log_level="WARNING")

    for number in range(1, 3):
        with server:
            clerk = Clerk(server.url, tenant.key, fresh_database)
            made = clerk.approved(clerk.shipped(customer, product, 2), 2)
            path, body = f"/api/v1/returns/{made['id']}/receive", receipt_body(made, 2, 2)
            headers = {"Authorization": f"Bearer {tenant.key}", "Idempotency-Key": f"key-{number}"}
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.request("POST", path, json.dumps(body), {**headers, "Content-Type": "application/json"})
            waiting.eventually(partial(has_restocked, fresh_database, made["id"]), "the receipt is committed")
            server.kill()
            connection.close()
            server.start()
            replayed = local_http.post(server.url + path, json=body, headers=headers, timeout=waiting.SECONDS)
            current = clerk.data("GET", f"/returns/{made['id']}")

        assert (replayed.status_code, replayed.headers.get("idempotency-replayed")) == (200, "true")
        assert replayed.json()["data"] == current
        assert clerk.events(made) == ["return.created", "return.approved", "return.received"]
        deltas = [row.delta for row in ledger(fresh_database, product)]
        assert deltas == [10, *[-2, 2] * number]


def has_restocked(database: Database, return_id: str) -> bool:
    with database.transaction() as session:
        return session.query(InventoryMovement).filter_by(return_id=return_id).count() == 1
