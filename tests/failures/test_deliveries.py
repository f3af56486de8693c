"""Deliveries from a real worker to a real receiver: verified, retried, never lost, never delayed by others."""

import base64
import contextlib
import hashlib
import hmac
import io
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import trustme
from standardwebhooks import Webhook

from app.context import now
from app.db import Database
from app.delivery.sender import DEADLINE_SECONDS
from app.product_import import importer
from app.product_import.product_csv import ProductCsv
from models import RESERVED, SUBSCRIBABLE, AuditEntry
from models import Webhook as WebhookRow
from tests.support import factories, local_http, waiting
from tests.support.client import Contract
from tests.support.receiver import MISBEHAVIOUR, Received, Receiver
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

OPEN = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": "1-65535"}
RETRIES = {"webhook_retry_schedule": "1,1"}
LEASE = 2.0
HOUR = 3600.0
UNAVAILABLE = "the database is unavailable, trying again"


class WebhookDeployment:
    """A server without a worker, a company, a receiver, and the workers that a test starts."""

    def __init__(self, server: Server, receiver: Receiver, database: Database, directory: Path) -> None:
        self.server, self.receiver, self.database = server, receiver, database
        self.log = directory / "worker.log"
        self.tenant = factories.tenant(database)
        self.client = self.client_of(self.tenant.key)

    def client_of(self, key: str) -> httpx.Client:
        return local_http.client(
            base_url=self.server.url + "/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=waiting.SECONDS
        )

    def webhook(self, path: str, *events: str, client: httpx.Client | None = None) -> dict[str, Any]:
        body = {"url": self.receiver.url(path), "events": list(events or ("customer.created",))}
        response = (client or self.client).post("/webhooks", json=body)
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    def customers(self, count: int, client: httpx.Client | None = None) -> list[str]:
        """Create customers, which publishes `customer.created` for each of them, and return their ids."""
        ids = []
        for _ in range(count):
            email = f"customer{next(factories.COUNTER)}@example.com"
            ids.append((client or self.client).post("/customers", json={"email": email}).json()["data"]["id"])
        return ids

    def return_order(self, order: str) -> None:
        """Reject a return of a unit of a shipped order; receive the next one, refund it, and void its credit note."""
        items = self.client.get(f"/orders/{order}").json()["data"]["items"]
        body = {"orderId": order, "items": [{"orderItemId": items[0]["id"], "quantity": 1}]}
        for steps in (["REJECTED"], ["APPROVED", "RECEIVED"]):
            path = f"/returns/{self.client.post('/returns', json=body).json()['data']['id']}"
            for step in steps:
                if step == "RECEIVED":
                    response = self.client.post(f"{path}/receive", headers={"Idempotency-Key": path})
                else:
                    response = self.client.patch(path, json={"status": step})
                assert response.status_code == 200, response.text
        refund = self.client.post(f"{path}/refund", json={"method": "CREDIT_NOTE"}, headers={"Idempotency-Key": path})
        note = refund.json()["data"]["creditNote"]["id"]
        assert self.client.post(f"/credit-notes/{note}/void", json={"reason": "A mistake."}).status_code == 200

    def import_files(self, *contents: str) -> None:
        """Import files of products, one after the other."""
        for content in contents:
            transactions = factories.transactions(self.database, self.tenant.company_id)
            importer.run(transactions, ProductCsv(io.BytesIO(content.encode())))

    def deliveries(self, webhook: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(
            f"/webhooks/{webhook}/deliveries", params={"limit": "100", **query}
        ).json()["data"]
        return found

    def settle(self, webhook: str) -> list[dict[str, Any]]:
        """Return the deliveries of a webhook once none of them is pending."""
        waiting.eventually(lambda: not self.deliveries(webhook, outcome="PENDING"), "no delivery is pending")
        return self.deliveries(webhook)

    @contextlib.contextmanager
    def worker(
        self, lease: float = LEASE, deadline: float = DEADLINE_SECONDS, **values: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker, and stop it with SIGTERM if it still runs."""
        command = [sys.executable, "-m", "tests.support.worker", str(lease), str(deadline)]
        environment = self.server.environment | {f"DISTRIBU_{name.upper()}": value for name, value in values.items()}
        with (
            self.log.open("ab") as log,
            waiting.process(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
        ):
            yield process
            waiting.end(process)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def serving(
    store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Database]]:
    url = store.create("deliveries")
    database = open_database(url)
    with Server(url, tmp_path_factory.mktemp("deliveries") / "log", "--no-worker", **OPEN, **RETRIES) as server:
        yield server, database
    database.dispose()
    store.drop(url)


@pytest.fixture
def deployment(serving: tuple[Server, Database], receiver: Receiver, tmp_path: Path) -> Iterator[WebhookDeployment]:
    receiver.received.clear()
    receiver.responses.clear()
    receiver.bodies.clear()
    receiver.leftovers.clear()
    receiver.delay = 0.0
    deployment = WebhookDeployment(serving[0], receiver, serving[1], tmp_path)
    yield deployment
    deployment.client.close()
    with deployment.database.transaction(write=True) as session:  # pending deliveries would keep later workers busy
        session.query(WebhookRow).delete()


@pytest.fixture
def other(deployment: WebhookDeployment) -> Iterator[WebhookDeployment]:
    """Return the same deployment with another company."""
    other = WebhookDeployment(deployment.server, deployment.receiver, deployment.database, deployment.log.parent)
    yield other
    other.client.close()


def verify(request: Received, secret: str) -> None:
    """Verify a request as receivers do, with the library of Standard Webhooks and with HMAC."""
    Webhook(secret).verify(request.body, request.headers)
    plain = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-webhook-signature"] == plain


class TestDelivery:
    def test_every_event_is_delivered_and_can_be_verified(
        self, deployment: WebhookDeployment, contract: Contract
    ) -> None:
        webhook = deployment.webhook("/all", *SUBSCRIBABLE)
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=6, low_stock_threshold=5)
        (customer,) = deployment.customers(1)
        deployment.client.patch(f"/customers/{customer}", json={"name": "Changed"})
        deployment.import_files("sku,name,price\nNEW-1,New,1\n", "sku,name,price\nNEW-1,Renamed,1\n")
        new = deployment.client.post("/products", json={"name": "New", "price": 1}).json()["data"]["id"]
        deployment.client.patch(f"/products/{new}", json={"price": 2})
        deployment.client.delete(f"/products/{new}")
        draft = {"customerId": customer, "items": [{"productId": product, "quantity": 1}]}
        first = deployment.client.post("/orders", json=draft, headers={"X-Request-Id": "traced"}).json()["data"]["id"]
        second = deployment.client.post("/orders", json=draft).json()["data"]["id"]
        for order, status in ((first, "CONFIRMED"), (first, "SHIPPED"), (second, "CANCELLED")):
            assert deployment.client.patch(f"/orders/{order}", json={"status": status}).status_code == 200
        deployment.return_order(first)

        with deployment.worker():
            received = deployment.receiver.wait("/all", 23)
            deliveries = deployment.settle(webhook["id"])

        assert Counter(request.headers["x-webhook-event"] for request in received) == {
            "customer.created": 1,
            "customer.updated": 1,
            "product.created": 2,
            "product.updated": 2,
            "product.deleted": 1,
            "product.low_stock": 1,
            "order.created": 2,
            "order.status_changed": 3,
            "order.shipped": 1,
            "order.cancelled": 1,
            "return.created": 2,
            "return.approved": 1,
            "return.rejected": 1,
            "return.received": 1,
            "refund.processed": 1,
            "credit_note.issued": 1,
            "credit_note.voided": 1,
        }
        assert {request.headers["x-webhook-event"] for request in received} == set(SUBSCRIBABLE) - RESERVED
        events = {
            event["id"]: event for event in deployment.client.get("/events", params={"limit": 100}).json()["data"]
        }
        payloads = {delivery["eventId"]: delivery["payload"] for delivery in deliveries}
        for request in received:
            verify(request, webhook["secret"])
            assert request.content == payloads[request.id]
            assert request.headers["content-type"] == "application/json"
            assert request.content["event"] == request.headers["x-webhook-event"]
            assert request.content == events[request.id]
            contract.check_event(request.content)
        assert {delivery["outcome"] for delivery in deliveries} == {"SUCCEEDED"}
        assert {(delivery["statusCode"], delivery["responseBody"]) for delivery in deliveries} == {(200, "ok")}
        traced = {sent.headers["x-webhook-event"] for sent in received if sent.headers["x-request-id"] == "traced"}
        assert traced == {"order.created", "product.low_stock"}

    def test_both_secrets_sign_during_the_grace_period(self, deployment: WebhookDeployment) -> None:
        webhook = deployment.webhook("/rotated")
        new = deployment.client.post(f"/webhooks/{webhook['id']}/rotate-secret").json()["data"]["secret"]
        deployment.customers(1)

        with deployment.worker():
            (request,) = deployment.receiver.wait("/rotated")

        verify(request, new)
        Webhook(webhook["secret"]).verify(request.body, request.headers)
        old = hmac.new(webhook["secret"].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-webhook-signature-previous"] == old

    def test_three_earlier_secrets_sign_in_addition_to_the_newest(self, deployment: WebhookDeployment) -> None:
        webhook = deployment.webhook("/rotated")
        path = f"/webhooks/{webhook['id']}/rotate-secret"
        rotated = [deployment.client.post(path).json()["data"]["secret"] for _ in range(3)]
        deployment.customers(1)

        with deployment.worker():
            (request,) = deployment.receiver.wait("/rotated")

        assert len(request.headers["webhook-signature"].split()) == 4
        for secret in (webhook["secret"], *rotated):
            Webhook(secret).verify(request.body, request.headers)
        verify(request, rotated[-1])
        previous = hmac.new(rotated[-2].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-webhook-signature-previous"] == previous

    def test_without_grace_the_old_secret_does_not_sign(self, deployment: WebhookDeployment) -> None:
        webhook = deployment.webhook("/rotated")
        deployment.client.post(f"/webhooks/{webhook['id']}/rotate-secret", json={"graceSeconds": 0})
        deployment.customers(1)

        with deployment.worker():
            (request,) = deployment.receiver.wait("/rotated")

        assert "x-webhook-signature-previous" not in request.headers
        assert len(request.headers["webhook-signature"].split()) == 1
        key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
        signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
        old = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        assert request.headers["webhook-signature"] != f"v1,{old}"

    def test_the_server_runs_a_worker(
        self, serving: tuple[Server, Database], deployment: WebhookDeployment, tmp_path: Path
    ) -> None:
        """`distribu serve` runs a worker alongside it, restarts it if it dies, and stops it when it ends."""
        server = Server(serving[0].database_url, tmp_path / "log", **OPEN)
        with server:
            deployment.webhook("/alongside")
            deployment.customers(1)
            deployment.receiver.wait("/alongside")
            first = children(server)
            os.kill(first[-1], signal.SIGKILL)
            deployment.customers(1)
            deployment.receiver.wait("/alongside", 2)
            last = children(server)
            assert server.stop() == 0
        await_end({*first, *last})

    def test_a_worker_does_not_outlive_a_server_that_was_killed(
        self, serving: tuple[Server, Database], tmp_path: Path
    ) -> None:
        server = Server(serving[0].database_url, tmp_path / "log", **OPEN)
        with server:
            waiting.eventually(lambda: "delivers webhooks" in server.log.read_text(), "the worker works")
            pids = children(server)
            server.kill()

        await_end(pids)


def await_end(pids: Iterable[int]) -> None:
    """Wait until all processes have ended."""
    waiting.eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the processes end")


def children(server: Server) -> list[int]:
    """Return the ids of the processes that a server has started, the worker's last."""
    assert server.process is not None
    threads = Path(f"/proc/{server.process.pid}/task").iterdir()
    text = " ".join((thread / "children").read_text() for thread in threads)
    return sorted(int(pid) for pid in text.split())


class TestRetries:
    def test_a_failure_is_retried_with_the_same_id(self, deployment: WebhookDeployment) -> None:
        deployment.receiver.responses["/flaky"] = [
            (500, {}),
            (302, {"Location": deployment.receiver.url("/elsewhere")}),
            (204, {}),
        ]
        webhook = deployment.webhook("/flaky")
        deployment.customers(1)

        with deployment.worker():
            received = deployment.receiver.wait("/flaky", 3)
            third, second, first = deployment.settle(webhook["id"])

        assert len({request.id for request in received}) == 1
        assert len({request.body for request in received}) == 1
        for request in received:
            verify(request, webhook["secret"])
        assert [
            (delivery["attempt"], delivery["outcome"], delivery["statusCode"]) for delivery in (first, second, third)
        ] == [
            (1, "FAILED", 500),
            (2, "FAILED", 302),
            (3, "SUCCEEDED", 204),
        ]
        assert first["nextAttemptAt"] == second["createdAt"] or first["nextAttemptAt"] > first["attemptedAt"]
        assert third["nextAttemptAt"] is None
        assert deployment.receiver.on("/elsewhere") == []

    def test_retries_end_with_the_schedule_and_events_can_be_recovered(self, deployment: WebhookDeployment) -> None:
        deployment.receiver.responses["/down"] = [(503, {})]
        webhook = deployment.webhook("/down")
        deployment.customers(1)

        with deployment.worker():
            deployment.receiver.wait("/down", 3)
            last = deployment.settle(webhook["id"])[0]
            assert (last["attempt"], last["outcome"], last["nextAttemptAt"]) == (3, "FAILED", None)
            deployment.receiver.responses["/down"] = [(200, {})]
            recovered = deployment.client.post(f"/webhooks/{webhook['id']}/recover", json={"since": "2026-01-01"})
            assert recovered.json()["data"]["count"] == 1
            received = deployment.receiver.wait("/down", 4)
        assert len({request.id for request in received}) == 1

    def test_retry_after_lengthens_the_wait(self, deployment: WebhookDeployment) -> None:
        deployment.receiver.responses["/busy"] = [(429, {"Retry-After": "4"}), (200, {})]
        deployment.webhook("/busy")
        deployment.customers(1)

        with deployment.worker():
            first, second = deployment.receiver.wait("/busy", 2)

        assert second.at - first.at >= 3.5

    def test_410_disables_the_webhook(self, deployment: WebhookDeployment) -> None:
        deployment.receiver.responses["/gone"] = [(410, {})]
        webhook = deployment.webhook("/gone")
        deployment.customers(1)

        with deployment.worker():
            (failed,) = (deployment.receiver.wait("/gone"), deployment.settle(webhook["id"]))[1]

        assert (failed["statusCode"], failed["nextAttemptAt"]) == (410, None)
        assert deployment.client.get(f"/webhooks/{webhook['id']}").json()["data"]["isActive"] is False
        with deployment.database.transaction() as session:
            entry = session.query(AuditEntry).filter_by(entity_id=webhook["id"], action="webhook.disabled").one()
        assert (entry.actor_type, entry.details) == ("SYSTEM", {"reason": "The receiver responded with 410 Gone."})

    def test_five_days_of_failures_disable_the_webhook_until_it_is_enabled(self, deployment: WebhookDeployment) -> None:
        deployment.receiver.responses["/dead"] = [(500, {})]
        webhook = deployment.webhook("/dead")
        with deployment.database.transaction(write=True) as session:
            row = session.get_one(WebhookRow, webhook["id"])
            row.failing_since = now() - timedelta(days=5)
        deployment.customers(1)

        with deployment.worker():
            deployment.receiver.wait("/dead")
            waiting.eventually(
                lambda: not deployment.client.get(f"/webhooks/{webhook['id']}").json()["data"]["isActive"],
                "it is disabled",
            )
            time.sleep(2)
            assert len(deployment.receiver.on("/dead")) == 1
            deployment.receiver.responses["/dead"] = [(200, {})]
            deployment.client.patch(f"/webhooks/{webhook['id']}", json={"isActive": True})
            deployment.receiver.wait("/dead", 2)

    def test_an_error_does_not_reveal_what_listens_at_a_forbidden_address(self, deployment: WebhookDeployment) -> None:
        """The text is the same with and without a listener at an address that the operator has not allowed."""
        webhook = deployment.webhook("/unreachable")
        with deployment.database.transaction(write=True) as session:
            session.get_one(WebhookRow, webhook["id"]).url = "http://10.0.0.1:1/"
        deployment.customers(1)

        with deployment.worker():
            failed = waiting.eventually(lambda: deployment.deliveries(webhook["id"], outcome="FAILED"), "it fails")

        assert failed[0]["statusCode"] is None
        assert failed[0]["responseBody"] == "The destination is not allowed or cannot be reached."
        cause = "10.0.0.1, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"
        assert any(failed[0]["id"] in line and cause in line for line in deployment.log.read_text().splitlines())


@contextlib.contextmanager
def refusing(database: Database, word: str) -> Iterator[None]:
    """Make the database refuse deliveries whose response contains a word, as it refuses values it cannot store."""
    if database.is_sqlite:
        make = f"""CREATE TRIGGER refusing BEFORE UPDATE ON deliveries WHEN NEW.response_body LIKE '%{word}%'
                   BEGIN SELECT RAISE(ABORT, 'refused'); END"""
        end = "DROP TRIGGER refusing"
    else:
        make = f"ALTER TABLE deliveries ADD CONSTRAINT refusing CHECK (response_body NOT LIKE '%{word}%')"
        end = "ALTER TABLE deliveries DROP CONSTRAINT refusing"
    with database.connection() as connection:
        connection.execute(sa.text(make))
    try:
        yield
    finally:
        with database.connection() as connection:
            connection.execute(sa.text(end))


class TestIsolation:
    """An outcome that cannot be recorded does not affect others, and the delivery ends."""

    def check(self, deployment: WebhookDeployment, webhook: str, count: int) -> None:
        """Check that all deliveries of another company arrived once and are recorded as successful."""
        assert [delivery["outcome"] for delivery in deployment.settle(webhook)] == ["SUCCEEDED"] * count
        assert set(Counter(request.id for request in deployment.receiver.on("/well")).values()) == {1}
        assert len(deployment.receiver.on("/well")) == count

    def test_an_impossible_retry_after_is_ignored(
        self, deployment: WebhookDeployment, other: WebhookDeployment
    ) -> None:
        deployment.receiver.responses["/later"] = [(503, {"Retry-After": "Mon, 20 Nov 9999999999 12:00:00 +0000"})]
        deployment.receiver.delay = 0.3  # so that the responses arrive together
        bad, well = deployment.webhook("/later"), other.webhook("/well")
        deployment.customers(4)
        other.customers(15)

        with deployment.worker():
            self.check(other, well["id"], 15)
            attempts = deployment.settle(bad["id"])

        assert [(delivery["outcome"], delivery["statusCode"]) for delivery in attempts] == [("FAILED", 503)] * 12
        assert set(Counter(request.id for request in deployment.receiver.on("/later")).values()) == {3}

    def test_a_response_that_cannot_be_stored(self, deployment: WebhookDeployment, other: WebhookDeployment) -> None:
        deployment.receiver.responses["/bad"] = [(500, {}), (200, {})]
        deployment.receiver.bodies["/bad"] = "unstorable"
        deployment.receiver.delay = 0.3
        bad, well = deployment.webhook("/bad"), other.webhook("/well")
        deployment.customers(1)
        other.customers(15)

        with refusing(deployment.database, "unstorable"), deployment.worker():
            self.check(other, well["id"], 15)
            deployment.receiver.wait("/bad", 2)
            second, first = deployment.settle(bad["id"])

        assert (first["outcome"], first["statusCode"], first["attempt"]) == ("FAILED", 500, 1)
        assert (second["outcome"], second["statusCode"], second["attempt"]) == ("SUCCEEDED", 200, 2)
        assert {first["responseBody"], second["responseBody"]} == {"The response could not be stored."}
        assert len(deployment.receiver.on("/bad")) == 2
        assert first["id"] in deployment.log.read_text()

    def test_a_delivery_that_cannot_be_signed_ends(self, deployment: WebhookDeployment) -> None:
        webhook = deployment.webhook("/unsigned")
        with deployment.database.transaction(write=True) as session:
            session.get_one(WebhookRow, webhook["id"]).secret = "x" * 38
        deployment.customers(1)

        with deployment.worker():
            failed = waiting.eventually(
                lambda: [delivery for delivery in deployment.deliveries(webhook["id"]) if delivery["attempt"] == 3],
                "the last attempt",
            )
            attempts = deployment.settle(webhook["id"])

        assert len(failed) == 1
        assert [delivery["outcome"] for delivery in attempts] == ["FAILED"] * 3
        assert {delivery["responseBody"].partition(".")[0] for delivery in attempts} == {
            "The delivery could not be sent"
        }
        assert deployment.receiver.on("/unsigned") == []


AGAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TestLeftovers:
    @pytest.mark.parametrize(
        ("status", "leftover"), [(200, (0.0, AGAIN)), (204, (0.0, b"")), (200, (0.2, AGAIN)), (200, (0.2, TIMED_OUT))]
    )
    def test_a_leftover_is_not_the_response_to_another_companys_delivery(
        self, deployment: WebhookDeployment, other: WebhookDeployment, status: int, leftover: tuple[float, bytes]
    ) -> None:
        deployment.receiver.responses["/left"] = [(status, {})]
        deployment.receiver.leftovers["/left"] = leftover
        deployment.receiver.responses["/failing"] = [(500, {}), (200, {})]
        left, failing = deployment.webhook("/left"), other.webhook("/failing")

        with deployment.worker():
            deployment.customers(1)
            deployment.settle(left["id"])
            time.sleep(leftover[0] * 2)  # the connection is still open
            other.customers(1)
            deployment.receiver.wait("/failing", 2)
            second, first = other.settle(failing["id"])

        assert (first["outcome"], first["statusCode"]) == ("FAILED", 500)
        assert (second["outcome"], second["statusCode"]) == ("SUCCEEDED", 200)
        assert [delivery["statusCode"] for delivery in deployment.deliveries(left["id"])] == [status]


class TestCertificates:
    def test_a_private_authority_is_trusted_if_the_operator_adds_it(
        self, deployment: WebhookDeployment, tmp_path: Path
    ) -> None:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        with Receiver(tls) as receiver:
            private = WebhookDeployment(deployment.server, receiver, deployment.database, tmp_path)
            webhook = private.webhook("/private")["id"]
            private.customers(1)
            with private.worker():
                refused = private.settle(webhook)
            assert receiver.received == []
            private.customers(1)
            with private.worker(webhook_ca_file=str(tmp_path / "authority.pem")):
                receiver.wait("/private")
                delivered = private.settle(webhook)[0]
            private.client.close()

        error = "The receiver's certificate was issued by an authority that this server does not trust."
        assert {(delivery["outcome"], delivery["statusCode"], delivery["responseBody"]) for delivery in refused} == {
            ("FAILED", None, error)
        }
        assert "DISTRIBU_WEBHOOK_CA_FILE" in private.log.read_text()
        assert (delivered["outcome"], delivered["statusCode"]) == ("SUCCEEDED", 200)


class TestFairness:
    """Receivers hang for as long as these tests run."""

    def test_bad_receivers_do_not_delay_others(self, deployment: WebhookDeployment) -> None:
        """Ten failing receivers of two companies, with thirty events each, and a healthy one."""
        other = deployment.client_of(factories.tenant(deployment.database).key)
        for path in MISBEHAVIOUR:
            deployment.webhook(path)
            deployment.webhook(path, client=other)
        with contextlib.closing(other), deployment.worker(HOUR, HOUR) as worker:
            deployment.customers(30)
            deployment.customers(30, other)
            for path in MISBEHAVIOUR:
                deployment.receiver.wait(path, 2)
            deployment.webhook("/healthy")
            for number in range(1, 6):
                deployment.customers(1)
                deployment.receiver.wait("/healthy", number)
            worker.kill()  # it would wait for the requests that hang

    def test_an_order_is_placed_while_its_receiver_hangs(self, deployment: WebhookDeployment) -> None:
        deployment.webhook("/hang", "order.created")
        product = factories.product(deployment.database, deployment.tenant.company_id, stock=100)
        (customer,) = deployment.customers(1)
        draft = {"customerId": customer, "items": [{"productId": product, "quantity": 1}]}

        with deployment.worker(HOUR, HOUR) as worker:
            for _ in range(5):
                assert deployment.client.post("/orders", json=draft).status_code == 201
                deployment.receiver.wait("/hang")
            worker.kill()


class TestFaults:
    def test_a_delivery_is_repeated_if_the_worker_is_killed_before_recording(
        self, deployment: WebhookDeployment
    ) -> None:
        webhook = deployment.webhook("/killed")
        deployment.customers(30)
        deployment.receiver.delay = HOUR  # a kill finds requests in flight

        for _ in range(3):
            count = len(deployment.receiver.on("/killed"))
            with deployment.worker() as worker:
                deployment.receiver.wait("/killed", count + 1)
                worker.kill()
                worker.wait()
        deployment.receiver.delay = 0.0
        with deployment.worker():
            deliveries = deployment.settle(webhook["id"])

        sent = Counter(request.id for request in deployment.receiver.on("/killed"))
        assert len(sent) == 30
        assert max(sent.values()) > 1
        assert [delivery["outcome"] for delivery in deliveries] == ["SUCCEEDED"] * 30
        assert {delivery["eventId"] for delivery in deliveries} == set(sent)

    def test_several_workers_send_nothing_twice(self, deployment: WebhookDeployment) -> None:
        webhooks = [deployment.webhook(path)["id"] for path in ("/one", "/two", "/three")]
        with deployment.worker(HOUR), deployment.worker(HOUR), deployment.worker(HOUR):
            deployment.customers(60)
            for webhook in webhooks:
                deployment.settle(webhook)

        assert Counter(request.id for request in deployment.receiver.received).most_common(1)[0][1] == 3
        for path in ("/one", "/two", "/three"):
            assert set(Counter(request.id for request in deployment.receiver.on(path)).values()) == {1}
            assert len(deployment.receiver.on(path)) == 60

    def test_a_worker_that_stalled_past_its_lease_overwrites_nothing(self, deployment: WebhookDeployment) -> None:
        webhook = deployment.webhook("/stopped")
        deployment.receiver.responses["/stopped"] = [(500, {}), (200, {})]
        deployment.receiver.delay = 4.0  # it is stopped before the response arrives
        deployment.customers(1)
        with deployment.worker(deadline=HOUR) as stalled:
            deployment.receiver.wait("/stopped")
            stop(stalled, deployment.database)
            deployment.receiver.delay = 0.0
            with deployment.worker():
                deployment.receiver.wait("/stopped", 2)
                recorded = deployment.settle(webhook["id"])
            stalled.send_signal(signal.SIGCONT)
            waiting.eventually(
                lambda: "attempt 1, 500 in" in deployment.log.read_text(), "the stalled worker has its response"
            )
        after = deployment.settle(webhook["id"])

        assert len(recorded) == 1
        assert recorded[0]["outcome"] == "SUCCEEDED"
        assert after == recorded

    def test_a_database_that_was_unavailable_delays_and_loses_nothing(
        self, deployment: WebhookDeployment, store: SqliteStore | PostgresqlStore
    ) -> None:
        webhook = deployment.webhook("/unavailable")
        with deployment.worker() as worker:
            deployment.customers(5)
            deployment.settle(webhook["id"])
            stop(worker, deployment.database)  # so that it has something to write during the outage
            deployment.customers(5)
            with unavailable(store, deployment.database):
                worker.send_signal(signal.SIGCONT)
                waiting.eventually(lambda: UNAVAILABLE in deployment.log.read_text(), "the worker notices the outage")
            waiting.eventually(lambda: deployment.client.get("/webhooks").is_success, "the database is available")
            deliveries = deployment.settle(webhook["id"])
        assert len({delivery["eventId"] for delivery in deliveries}) == 10


def stop(process: subprocess.Popen[bytes], database: Database) -> None:
    """Stop a process, but not while it holds the lock of SQLite: no other process could write then."""
    suspend(process)
    while database.file is not None and is_locked(database.file):
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)
        suspend(process)


def suspend(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, and wait until all its threads have stopped: until then, each can still take the lock."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def is_locked(file: Path) -> bool:
    """Return whether a process holds the lock of an SQLite file for longer than a transaction takes."""
    with contextlib.closing(sqlite3.connect(file, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return error.sqlite_errorname == "SQLITE_BUSY"
    return False


@contextlib.contextmanager
def unavailable(store: SqliteStore | PostgresqlStore, database: Database) -> Iterator[None]:
    """Rename the database of PostgreSQL, or lock the file of SQLite."""
    if isinstance(store, PostgresqlStore):
        store.rename("deliveries", "deliveries_renamed")
        try:
            yield
        finally:
            store.rename("deliveries_renamed", "deliveries")
    else:
        assert database.file is not None
        with contextlib.closing(sqlite3.connect(database.file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield


class TestSecrets:
    def test_no_secret_is_in_a_log_response_or_audit_entry(self, deployment: WebhookDeployment) -> None:
        webhook = deployment.webhook("/ok", "customer.created")
        failing = deployment.webhook("/failing", "customer.created")
        deployment.receiver.responses["/failing"] = [(500, {})]
        rotated = deployment.client.post(f"/webhooks/{webhook['id']}/rotate-secret").json()["data"]["secret"]
        deployment.client.post("/webhooks", json={"url": "http://10.0.0.1/", "events": [rotated]})
        with deployment.worker():
            deployment.customers(3)
            deployment.settle(webhook["id"])
            deployment.settle(failing["id"])
        responses = [
            deployment.client.get(path).text
            for path in (
                "/webhooks",
                f"/webhooks/{webhook['id']}",
                f"/webhooks/{webhook['id']}/deliveries",
                f"/webhooks/{failing['id']}/deliveries",
                "/events",
            )
        ]
        with deployment.database.transaction() as session:
            entries = [f"{entry.action} {entry.details}" for entry in session.query(AuditEntry)]
        artefacts = [deployment.log.read_text(), deployment.server.log.read_text(), *responses, *entries]

        secrets = [webhook["secret"], failing["secret"], rotated, deployment.tenant.key]
        assert len(deployment.log.read_text().splitlines()) >= 6
        for text in artefacts:
            assert not any(secret in text for secret in secrets)
            assert re.findall(r"(?:whsec|dk)_[A-Za-z0-9_-]{10,}", text) == []  # more than the part that lists show
