"""Deliveries from a real worker to a real receiver: verified, tried again, never lost, never held up by others."""

import base64
import contextlib
import hashlib
import hmac
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
from models import AuditEntry, EventType
from models import Webhook as WebhookRow
from tests.support import factories, waiting
from tests.support.client import Contract
from tests.support.receiver import MISBEHAVIOUR, Received, Receiver
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

OPEN = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": "1-65535"}
RETRIES = {"webhook_retry_schedule": "1,1"}
LEASE = 2.0
HOUR = 3600.0
UNAVAILABLE = "the database is unavailable, trying again"


class Site:
    """A server without a worker, a company, a receiver, and workers as a test wants them."""

    def __init__(self, server: Server, receiver: Receiver, database: Database, directory: Path) -> None:
        self.server, self.receiver, self.database = server, receiver, database
        self.log = directory / "worker.log"
        self.tenant = factories.tenant(database)
        self.client = self.client_of(self.tenant.key)

    def client_of(self, key: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.server.url + "/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=waiting.SECONDS
        )

    def webhook(self, path: str, *events: str, client: httpx.Client | None = None) -> dict[str, Any]:
        body = {"url": self.receiver.url(path), "events": list(events or ("customer.created",))}
        answer = (client or self.client).post("/webhooks", json=body)
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def customers(self, count: int, client: httpx.Client | None = None) -> list[str]:
        """Cause the event customer.created so many times."""
        made = []
        for _ in range(count):
            email = f"buyer{next(factories.COUNTER)}@example.com"
            made.append((client or self.client).post("/customers", json={"email": email}).json()["data"]["id"])
        return made

    def deliveries(self, webhook: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(
            f"/webhooks/{webhook}/deliveries", params={"limit": "100", **query}
        ).json()["data"]
        return found

    def settle(self, webhook: str) -> list[dict[str, Any]]:
        """Return the deliveries of a webhook once none of them waits."""
        waiting.eventually(lambda: not self.deliveries(webhook, outcome="PENDING"), "no delivery waits")
        return self.deliveries(webhook)

    @contextlib.contextmanager
    def worker(
        self, lease: float = LEASE, deadline: float = DEADLINE_SECONDS, **values: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker; end it the way an operator would, if it still runs."""
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
def site(serving: tuple[Server, Database], receiver: Receiver, tmp_path: Path) -> Iterator[Site]:
    receiver.received.clear()
    receiver.answers.clear()
    receiver.bodies.clear()
    receiver.leftovers.clear()
    receiver.delay = 0.0
    site = Site(serving[0], receiver, serving[1], tmp_path)
    yield site
    site.client.close()
    with site.database.transaction(write=True) as session:  # what is left would keep later workers busy
        session.query(WebhookRow).delete()


@pytest.fixture
def other(site: Site) -> Iterator[Site]:
    """Return the same site as another company uses it."""
    other = Site(site.server, site.receiver, site.database, site.log.parent)
    yield other
    other.client.close()


def verify(request: Received, secret: str) -> None:
    """Check a request as receivers do, with the published library and with plain HMAC."""
    Webhook(secret).verify(request.body, request.headers)
    plain = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-webhook-signature"] == plain


class TestArrival:
    def test_every_event_arrives_and_can_be_verified(self, site: Site, contract: Contract) -> None:
        webhook = site.webhook("/all", *EventType)
        product = factories.product(site.database, site.tenant.company_id, stock=6, low_stock_threshold=5)
        (customer,) = site.customers(1)
        site.client.patch(f"/customers/{customer}", json={"name": "Changed"})
        draft = {"customerId": customer, "items": [{"productId": product, "quantity": 1}]}
        first = site.client.post("/orders", json=draft, headers={"X-Request-Id": "traced"}).json()["data"]["id"]
        second = site.client.post("/orders", json=draft).json()["data"]["id"]
        for order, status in ((first, "CONFIRMED"), (first, "SHIPPED"), (second, "CANCELLED")):
            assert site.client.patch(f"/orders/{order}", json={"status": status}).status_code == 200

        with site.worker():
            received = site.receiver.wait("/all", 10)
            deliveries = site.settle(webhook["id"])

        assert Counter(each.headers["x-webhook-event"] for each in received) == {
            "customer.created": 1,
            "customer.updated": 1,
            "product.low_stock": 1,
            "order.created": 2,
            "order.status_changed": 3,
            "order.shipped": 1,
            "order.cancelled": 1,
        }
        events = {each["id"]: each for each in site.client.get("/events", params={"limit": 100}).json()["data"]}
        for each in received:
            verify(each, webhook["secret"])
            assert each.headers["content-type"] == "application/json"
            assert each.content["event"] == each.headers["x-webhook-event"]
            assert each.content == events[each.id]
            contract.check_event(each.content)
        assert {each["outcome"] for each in deliveries} == {"SUCCEEDED"}
        assert {(each["statusCode"], each["responseBody"]) for each in deliveries} == {(200, "ok")}
        traced = {each.headers["x-webhook-event"] for each in received if each.headers["x-request-id"] == "traced"}
        assert traced == {"order.created", "product.low_stock"}

    def test_both_secrets_sign_while_the_grace_lasts(self, site: Site) -> None:
        webhook = site.webhook("/rotated")
        new = site.client.post(f"/webhooks/{webhook['id']}/rotate-secret").json()["data"]["secret"]
        site.customers(1)

        with site.worker():
            (request,) = site.receiver.wait("/rotated")

        verify(request, new)
        Webhook(webhook["secret"]).verify(request.body, request.headers)
        old = hmac.new(webhook["secret"].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-webhook-signature-previous"] == old

    def test_three_earlier_secrets_sign_beside_the_newest(self, site: Site) -> None:
        webhook = site.webhook("/rotated")
        path = f"/webhooks/{webhook['id']}/rotate-secret"
        rotated = [site.client.post(path).json()["data"]["secret"] for _ in range(3)]
        site.customers(1)

        with site.worker():
            (request,) = site.receiver.wait("/rotated")

        assert len(request.headers["webhook-signature"].split()) == 4
        for secret in (webhook["secret"], *rotated):
            Webhook(secret).verify(request.body, request.headers)
        verify(request, rotated[-1])
        previous = hmac.new(rotated[-2].encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-webhook-signature-previous"] == previous

    def test_no_grace_no_old_signature(self, site: Site) -> None:
        webhook = site.webhook("/rotated")
        site.client.post(f"/webhooks/{webhook['id']}/rotate-secret", json={"graceSeconds": 0})
        site.customers(1)

        with site.worker():
            (request,) = site.receiver.wait("/rotated")

        assert "x-webhook-signature-previous" not in request.headers
        assert len(request.headers["webhook-signature"].split()) == 1
        key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
        signed = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
        old = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        assert request.headers["webhook-signature"] != f"v1,{old}"

    def test_the_server_delivers_by_itself(self, serving: tuple[Server, Database], site: Site, tmp_path: Path) -> None:
        """`distribu serve` runs a worker beside it, restarts it when it dies, and stops it when it ends."""
        server = Server(serving[0].database_url, tmp_path / "log", **OPEN)
        with server:
            site.webhook("/beside")
            site.customers(1)
            site.receiver.wait("/beside")
            first = children(server)
            os.kill(first[-1], signal.SIGKILL)
            site.customers(1)
            site.receiver.wait("/beside", 2)
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
    """Wait until none of the processes is there any more."""
    waiting.eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the processes end")


def children(server: Server) -> list[int]:
    """Return the processes that a server has started, the worker last."""
    assert server.process is not None
    threads = Path(f"/proc/{server.process.pid}/task").iterdir()
    text = " ".join((thread / "children").read_text() for thread in threads)
    return sorted(int(pid) for pid in text.split())


class TestRetries:
    def test_a_failure_is_tried_again_with_the_same_id(self, site: Site) -> None:
        site.receiver.answers["/flaky"] = [(500, {}), (302, {"Location": site.receiver.url("/elsewhere")}), (204, {})]
        webhook = site.webhook("/flaky")
        site.customers(1)

        with site.worker():
            received = site.receiver.wait("/flaky", 3)
            third, second, first = site.settle(webhook["id"])

        assert len({each.id for each in received}) == 1
        assert len({each.body for each in received}) == 1
        for each in received:
            verify(each, webhook["secret"])
        assert [(each["attempt"], each["outcome"], each["statusCode"]) for each in (first, second, third)] == [
            (1, "FAILED", 500),
            (2, "FAILED", 302),
            (3, "SUCCEEDED", 204),
        ]
        assert first["nextAttemptAt"] == second["createdAt"] or first["nextAttemptAt"] > first["attemptedAt"]
        assert third["nextAttemptAt"] is None
        assert site.receiver.on("/elsewhere") == []

    def test_it_ends_when_the_schedule_does_and_can_be_recovered(self, site: Site) -> None:
        site.receiver.answers["/down"] = [(503, {})]
        webhook = site.webhook("/down")
        site.customers(1)

        with site.worker():
            site.receiver.wait("/down", 3)
            last = site.settle(webhook["id"])[0]
            assert (last["attempt"], last["outcome"], last["nextAttemptAt"]) == (3, "FAILED", None)
            site.receiver.answers["/down"] = [(200, {})]
            recovered = site.client.post(f"/webhooks/{webhook['id']}/recover", json={"since": "2026-01-01"})
            assert recovered.json()["data"]["count"] == 1
            received = site.receiver.wait("/down", 4)
        assert len({each.id for each in received}) == 1

    def test_retry_after_is_honoured(self, site: Site) -> None:
        site.receiver.answers["/busy"] = [(429, {"Retry-After": "4"}), (200, {})]
        site.webhook("/busy")
        site.customers(1)

        with site.worker():
            first, second = site.receiver.wait("/busy", 2)

        assert second.at - first.at >= 3.5

    def test_gone_switches_the_webhook_off(self, site: Site) -> None:
        site.receiver.answers["/gone"] = [(410, {})]
        webhook = site.webhook("/gone")
        site.customers(1)

        with site.worker():
            (failed,) = (site.receiver.wait("/gone"), site.settle(webhook["id"]))[1]

        assert (failed["statusCode"], failed["nextAttemptAt"]) == (410, None)
        assert site.client.get(f"/webhooks/{webhook['id']}").json()["data"]["isActive"] is False
        with site.database.transaction() as session:
            entry = session.query(AuditEntry).filter_by(entity_id=webhook["id"], action="webhook.disabled").one()
        assert (entry.actor_type, entry.details) == ("SYSTEM", {"reason": "The receiver responded with 410 Gone."})

    def test_five_days_of_failure_switch_it_off_and_switching_it_on_forgives(self, site: Site) -> None:
        site.receiver.answers["/dead"] = [(500, {})]
        webhook = site.webhook("/dead")
        with site.database.transaction(write=True) as session:
            row = session.get_one(WebhookRow, webhook["id"])
            row.failing_since = now() - timedelta(days=5)
        site.customers(1)

        with site.worker():
            site.receiver.wait("/dead")
            waiting.eventually(
                lambda: not site.client.get(f"/webhooks/{webhook['id']}").json()["data"]["isActive"], "it is off"
            )
            time.sleep(2)
            assert len(site.receiver.on("/dead")) == 1
            site.receiver.answers["/dead"] = [(200, {})]
            site.client.patch(f"/webhooks/{webhook['id']}", json={"isActive": True})
            site.receiver.wait("/dead", 2)

    def test_nobody_learns_what_listens_where_a_webhook_may_not_go(self, site: Site) -> None:
        """Addresses that the operator has not allowed, one with a listener and one without, give the same text."""
        webhook = site.webhook("/unreachable")
        with site.database.transaction(write=True) as session:
            session.get_one(WebhookRow, webhook["id"]).url = "http://10.0.0.1:1/"
        site.customers(1)

        with site.worker():
            failed = waiting.eventually(lambda: site.deliveries(webhook["id"], outcome="FAILED"), "it fails")

        assert failed[0]["statusCode"] is None
        assert failed[0]["responseBody"] == "The destination is not allowed or cannot be reached."
        cause = "10.0.0.1, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS"
        assert any(failed[0]["id"] in line and cause in line for line in site.log.read_text().splitlines())


@contextlib.contextmanager
def refusing(database: Database, word: str) -> Iterator[None]:
    """Let the database refuse deliveries whose answer contains a word, as it refuses what it cannot store."""
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
    """An outcome that cannot be recorded costs no other one, and ends."""

    def check(self, site: Site, webhook: str, count: int) -> None:
        """See that everything of another company arrived once, and is known to have arrived."""
        assert [each["outcome"] for each in site.settle(webhook)] == ["SUCCEEDED"] * count
        assert set(Counter(each.id for each in site.receiver.on("/well")).values()) == {1}
        assert len(site.receiver.on("/well")) == count

    def test_a_time_beyond_all_calendars_asks_for_nothing(self, site: Site, other: Site) -> None:
        site.receiver.answers["/later"] = [(503, {"Retry-After": "Mon, 20 Nov 9999999999 12:00:00 +0000"})]
        site.receiver.delay = 0.3  # so that the answers come together
        bad, well = site.webhook("/later"), other.webhook("/well")
        site.customers(4)
        other.customers(15)

        with site.worker():
            self.check(other, well["id"], 15)
            attempts = site.settle(bad["id"])

        assert [(each["outcome"], each["statusCode"]) for each in attempts] == [("FAILED", 503)] * 12
        assert set(Counter(each.id for each in site.receiver.on("/later")).values()) == {3}

    def test_an_answer_that_cannot_be_stored(self, site: Site, other: Site) -> None:
        site.receiver.answers["/bad"] = [(500, {}), (200, {})]
        site.receiver.bodies["/bad"] = "unstorable"
        site.receiver.delay = 0.3
        bad, well = site.webhook("/bad"), other.webhook("/well")
        site.customers(1)
        other.customers(15)

        with refusing(site.database, "unstorable"), site.worker():
            self.check(other, well["id"], 15)
            site.receiver.wait("/bad", 2)
            second, first = site.settle(bad["id"])

        assert (first["outcome"], first["statusCode"], first["attempt"]) == ("FAILED", 500, 1)
        assert (second["outcome"], second["statusCode"], second["attempt"]) == ("SUCCEEDED", 200, 2)
        assert {first["responseBody"], second["responseBody"]} == {"The response could not be stored."}
        assert len(site.receiver.on("/bad")) == 2
        assert first["id"] in site.log.read_text()

    def test_a_delivery_that_cannot_be_signed_ends(self, site: Site) -> None:
        webhook = site.webhook("/unsigned")
        with site.database.transaction(write=True) as session:
            session.get_one(WebhookRow, webhook["id"]).secret = "x" * 38
        site.customers(1)

        with site.worker():
            failed = waiting.eventually(
                lambda: [each for each in site.deliveries(webhook["id"]) if each["attempt"] == 3], "the last attempt"
            )
            attempts = site.settle(webhook["id"])

        assert len(failed) == 1
        assert [each["outcome"] for each in attempts] == ["FAILED"] * 3
        assert {each["responseBody"].partition(".")[0] for each in attempts} == {"The delivery could not be sent"}
        assert site.receiver.on("/unsigned") == []


AGAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TestLeftovers:
    @pytest.mark.parametrize(
        ("status", "leftover"), [(200, (0.0, AGAIN)), (204, (0.0, b"")), (200, (0.2, AGAIN)), (200, (0.2, TIMED_OUT))]
    )
    def test_one_companys_is_not_the_answer_to_anothers_delivery(
        self, site: Site, other: Site, status: int, leftover: tuple[float, bytes]
    ) -> None:
        site.receiver.answers["/left"] = [(status, {})]
        site.receiver.leftovers["/left"] = leftover
        site.receiver.answers["/failing"] = [(500, {}), (200, {})]
        left, failing = site.webhook("/left"), other.webhook("/failing")

        with site.worker():
            site.customers(1)
            site.settle(left["id"])
            time.sleep(leftover[0] * 2)  # the connection is still kept
            other.customers(1)
            site.receiver.wait("/failing", 2)
            second, first = other.settle(failing["id"])

        assert (first["outcome"], first["statusCode"]) == ("FAILED", 500)
        assert (second["outcome"], second["statusCode"]) == ("SUCCEEDED", 200)
        assert [each["statusCode"] for each in site.deliveries(left["id"])] == [status]


class TestCertificates:
    def test_a_private_authority_is_trusted_when_the_operator_says_so(self, site: Site, tmp_path: Path) -> None:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
        with Receiver(tls) as receiver:
            private = Site(site.server, receiver, site.database, tmp_path)
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

        error = "The receiver's certificate comes from an authority that this server does not trust."
        assert {(each["outcome"], each["statusCode"], each["responseBody"]) for each in refused} == {
            ("FAILED", None, error)
        }
        assert "DISTRIBU_WEBHOOK_CA_FILE" in private.log.read_text()
        assert (delivered["outcome"], delivered["statusCode"]) == ("SUCCEEDED", 200)


class TestFairness:
    """Receivers hang for as long as these tests run, so that what waits for them never happens."""

    def test_bad_receivers_hold_up_nobody(self, site: Site) -> None:
        """Ten bad endpoints of two companies, with thirty events each, and a healthy one beside them."""
        other = site.client_of(factories.tenant(site.database).key)
        for path in MISBEHAVIOUR:
            site.webhook(path)
            site.webhook(path, client=other)
        with contextlib.closing(other), site.worker(HOUR, HOUR) as worker:
            site.customers(30)
            site.customers(30, other)
            for path in MISBEHAVIOUR:
                site.receiver.wait(path, 2)
            site.webhook("/healthy")
            for number in range(1, 6):
                site.customers(1)
                site.receiver.wait("/healthy", number)
            worker.kill()  # it would wait for what hangs

    def test_an_order_is_answered_while_its_receiver_hangs(self, site: Site) -> None:
        site.webhook("/hang", "order.created")
        product = factories.product(site.database, site.tenant.company_id, stock=100)
        (customer,) = site.customers(1)
        draft = {"customerId": customer, "items": [{"productId": product, "quantity": 1}]}

        with site.worker(HOUR, HOUR) as worker:
            for _ in range(5):
                assert site.client.post("/orders", json=draft).status_code == 201
                site.receiver.wait("/hang")
            worker.kill()


class TestFaults:
    def test_killed_between_sending_and_recording_it_comes_again(self, site: Site) -> None:
        webhook = site.webhook("/killed")
        site.customers(30)
        site.receiver.delay = HOUR  # a kill finds requests under way

        for _ in range(3):
            count = len(site.receiver.on("/killed"))
            with site.worker() as worker:
                site.receiver.wait("/killed", count + 1)
                worker.kill()
                worker.wait()
        site.receiver.delay = 0.0
        with site.worker():
            deliveries = site.settle(webhook["id"])

        sent = Counter(each.id for each in site.receiver.on("/killed"))
        assert len(sent) == 30
        assert max(sent.values()) > 1
        assert [each["outcome"] for each in deliveries] == ["SUCCEEDED"] * 30
        assert {each["eventId"] for each in deliveries} == set(sent)

    def test_workers_share_the_work_and_send_nothing_twice(self, site: Site) -> None:
        webhooks = [site.webhook(path)["id"] for path in ("/one", "/two", "/three")]
        with site.worker(HOUR), site.worker(HOUR), site.worker(HOUR):
            site.customers(60)
            for webhook in webhooks:
                site.settle(webhook)

        assert Counter(each.id for each in site.receiver.received).most_common(1)[0][1] == 3
        for path in ("/one", "/two", "/three"):
            assert set(Counter(each.id for each in site.receiver.on(path)).values()) == {1}
            assert len(site.receiver.on(path)) == 60

    def test_a_worker_that_was_stopped_past_its_lease_overwrites_nothing(self, site: Site) -> None:
        webhook = site.webhook("/stopped")
        site.receiver.answers["/stopped"] = [(500, {}), (200, {})]
        site.receiver.delay = 4.0  # it is stopped before its answer comes
        site.customers(1)
        with site.worker(deadline=HOUR) as stalled:
            site.receiver.wait("/stopped")
            stalled.send_signal(signal.SIGSTOP)
            site.receiver.delay = 0.0
            with site.worker():
                site.receiver.wait("/stopped", 2)
                recorded = site.settle(webhook["id"])
            stalled.send_signal(signal.SIGCONT)
            waiting.eventually(lambda: "attempt 1, 500 in" in site.log.read_text(), "the stalled one has its answer")
        after = site.settle(webhook["id"])

        assert len(recorded) == 1
        assert recorded[0]["outcome"] == "SUCCEEDED"
        assert after == recorded

    def test_a_database_that_was_unavailable_delays_and_loses_nothing(
        self, site: Site, store: SqliteStore | PostgresqlStore
    ) -> None:
        webhook = site.webhook("/away")
        with site.worker() as worker:
            site.customers(5)
            site.settle(webhook["id"])
            worker.send_signal(signal.SIGSTOP)  # so that it finds work, for which it has to write, at the fault
            site.customers(5)
            with unavailable(store, site.database):
                worker.send_signal(signal.SIGCONT)
                waiting.eventually(lambda: UNAVAILABLE in site.log.read_text(), "the worker meets the database's fault")
            waiting.eventually(lambda: site.client.get("/webhooks").is_success, "the database is back")
            deliveries = site.settle(webhook["id"])
        assert len({each["eventId"] for each in deliveries}) == 10


@contextlib.contextmanager
def unavailable(store: SqliteStore | PostgresqlStore, database: Database) -> Iterator[None]:
    """Take the shared database of PostgreSQL away, or lock the file of SQLite."""
    if isinstance(store, PostgresqlStore):
        store.rename("deliveries", "deliveries_away")
        try:
            yield
        finally:
            store.rename("deliveries_away", "deliveries")
    else:
        assert database.file is not None
        with contextlib.closing(sqlite3.connect(database.file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield


class TestSecrets:
    def test_none_is_in_any_log_answer_or_audit_entry(self, site: Site) -> None:
        webhook = site.webhook("/ok", "customer.created")
        failing = site.webhook("/failing", "customer.created")
        site.receiver.answers["/failing"] = [(500, {})]
        rotated = site.client.post(f"/webhooks/{webhook['id']}/rotate-secret").json()["data"]["secret"]
        site.client.post("/webhooks", json={"url": "http://10.0.0.1/", "events": [rotated]})
        with site.worker():
            site.customers(3)
            site.settle(webhook["id"])
            site.settle(failing["id"])
        answers = [
            site.client.get(path).text
            for path in (
                "/webhooks",
                f"/webhooks/{webhook['id']}",
                f"/webhooks/{webhook['id']}/deliveries",
                f"/webhooks/{failing['id']}/deliveries",
                "/events",
            )
        ]
        with site.database.transaction() as session:
            entries = [f"{each.action} {each.details}" for each in session.query(AuditEntry)]
        artefacts = [site.log.read_text(), site.server.log.read_text(), *answers, *entries]

        secrets = [webhook["secret"], failing["secret"], rotated, site.tenant.key]
        assert len(site.log.read_text().splitlines()) >= 6
        for text in artefacts:
            assert not any(secret in text for secret in secrets)
            assert re.findall(r"(?:whsec|dk)_[A-Za-z0-9_-]{10,}", text) == []  # more than the part that lists show
