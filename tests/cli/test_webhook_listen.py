"""`distribu webhook listen`: real processes, a real worker, and a real program to forward to."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook as StandardWebhook

from app.cli import webhook_listen
from app.db import Database
from app.schemas.webhooks import WebhookCreate, WebhookWithSecretRow
from app.services import deliveries, webhooks
from app.services.webhooks import MAX_WEBHOOKS
from tests.cli.conftest import Command, environment
from tests.support import factories, local_http, waiting
from tests.support.factories import Tenant
from tests.support.held_write import held_write
from tests.support.receiver import Receiver
from tests.support.servers import PostgresqlStore, Server, SqliteStore, free_port, open_database, settings

OPEN = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": "80,443,20000-60000"}
RETRIES = {"webhook_retry_schedule": "1,1"}


@dataclass(frozen=True, kw_only=True)
class ListenerProcess:
    """A run of the command."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def lines(self, count: int) -> list[str]:
        """Return what the command has printed, once there are `count` lines."""
        waiting.eventually(lambda: self.out.read_text().count("\n") >= count, f"{count} lines are printed")
        return self.out.read_text().splitlines()

    def says(self, text: str) -> str:
        """Return the messages of the command once they contain a text."""
        waiting.eventually(lambda: text in self.err.read_text(), f"the command says '{text}'")
        return self.err.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(waiting.SECONDS)


def raw_status(url: str, header: str) -> int:
    """Return the status of the response to a POST with one header and no body."""
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=waiting.SECONDS) as connection:
        connection.sendall(f"POST {parts.path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode("latin-1"))
        return int(connection.recv(65_536).split()[1])


class WebhookDevelopment:
    """A server with a worker, a company, and a program that receives webhooks."""

    def __init__(self, server: Server, database: Database, receiver: Receiver, directory: Path) -> None:
        self.server, self.database, self.receiver, self.directory = server, database, receiver, directory
        self.tenant = factories.tenant(database)
        headers = {"Authorization": f"Bearer {self.tenant.key}"}
        self.client = local_http.client(base_url=server.url + "/api/v1", headers=headers, timeout=waiting.SECONDS)
        self.runs = 0

    @contextlib.contextmanager
    def started(self, *options: str, **values: str) -> Iterator[ListenerProcess]:
        """Start the command."""
        self.runs += 1
        out, err = (self.directory / f"{self.runs}.{name}" for name in ("out", "err"))
        command = [sys.executable, "-m", "app.cli", "webhook", "listen", "--company", self.tenant.slug, *options]
        variables = environment(self.server.database_url, **OPEN | values)
        with (
            out.open("wb") as stdout,
            err.open("wb") as stderr,
            waiting.process(command, cwd=self.directory, env=variables, stdout=stdout, stderr=stderr) as process,
        ):
            yield ListenerProcess(process=process, out=out, err=err)
            if process.poll() is None:
                waiting.end(process)

    @contextlib.contextmanager
    def listening(self, *options: str) -> Iterator[ListenerProcess]:
        """Start the command, and wait until the worker reaches it."""
        with self.started(*options) as listener:
            listener.says("Ready")
            yield listener

    def add_customer(self) -> str:
        """Create a customer, which publishes `customer.created`; return the id of the event."""
        email = f"customer{next(factories.COUNTER)}@example.com"
        assert self.client.post("/customers", json={"email": email}).status_code == 201
        return str(self.client.get("/events?limit=1").json()["data"][0]["id"])

    def webhooks(self) -> list[WebhookWithSecretRow]:
        with self.database.transaction() as session:
            ctx = factories.context(session, self.tenant.company_id)
            return [webhooks.get(ctx, row.id) for row in webhooks.list_all(ctx)]

    def attempts(self, event_id: str) -> list[tuple[int, str]]:
        """Return the status and the response of each attempt to deliver an event, once none is pending."""
        (webhook,) = self.webhooks()

        def ended() -> list[Any] | None:
            with self.database.transaction() as session:
                ctx = factories.context(session, self.tenant.company_id)
                rows = [row for row in deliveries.page(ctx, webhook.id).rows if row.event_id == event_id]
                return None if any(row.success is None for row in rows) else rows[::-1]

        rows = waiting.eventually(ended, "every attempt has ended")
        return [(row.status_code, row.response_body) for row in rows]


@pytest.fixture(scope="module")
def serving(
    store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Database]]:
    url = store.create("listen")
    database = open_database(url)
    with Server(url, tmp_path_factory.mktemp("listen") / "log", **OPEN, **RETRIES) as server:
        yield server, database
    database.dispose()
    store.drop(url)


@pytest.fixture
def development(serving: tuple[Server, Database], tmp_path: Path) -> Iterator[WebhookDevelopment]:
    with Receiver() as receiver:
        development = WebhookDevelopment(*serving, receiver, tmp_path)
        yield development
        development.client.close()


class TestListen:
    def test_body_and_headers_are_forwarded_unchanged(self, development: WebhookDevelopment) -> None:
        with development.listening("--forward-to", development.receiver.url("/hooks?source=distribu")) as listener:
            (webhook,) = development.webhooks()
            event_id = development.add_customer()
            (received,) = development.receiver.wait("/hooks?source=distribu")
            (line,) = listener.lines(1)

        assert StandardWebhook(webhook.secret).verify(received.body, received.headers)
        assert f"The signing secret of this run is {webhook.secret}\n" in listener.err.read_text()
        assert received.headers["host"] == f"127.0.0.1:{development.receiver.port}"
        assert received.headers["user-agent"] == "Distribu-Webhooks/1"
        assert received.headers["x-webhook-event"] == "customer.created"
        assert received.headers.keys() >= {"x-webhook-signature", "x-request-id", "content-type"}
        assert received.content == development.client.get(f"/events/{event_id}").json()["data"]
        assert event_id in line
        assert "customer.created" in line
        assert " 200 in " in line

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_a_signal_ends_it_and_the_webhook_is_deleted(
        self, development: WebhookDevelopment, number: signal.Signals
    ) -> None:
        with development.listening() as listener:
            (webhook,) = development.webhooks()
            assert webhook.description == webhook_listen.description()
            assert webhook.events == ["*"]

            assert listener.end(number) == 0

        assert development.webhooks() == []
        assert "Traceback" not in listener.err.read_text()

    def test_json_is_one_object_per_line_and_events_can_be_chosen(self, development: WebhookDevelopment) -> None:
        with development.listening("--json", "--event", "customer.*") as listener:
            development.client.post("/products", json={"name": "Flour", "price": 1})
            event_id = development.add_customer()
            (line,) = listener.lines(1)

        printed = json.loads(line)
        assert printed["payload"] == development.client.get(f"/events/{event_id}").json()["data"]
        assert (printed["event"], printed["eventId"]) == ("customer.created", event_id)
        assert [printed[name] for name in ("statusCode", "durationMs", "error")] == [None, None, None]
        names = {"receivedAt", "event", "eventId", "statusCode", "durationMs", "error", "payload"}
        assert printed.keys() == names

    def test_a_failure_of_the_program_is_recorded_and_retried(self, development: WebhookDevelopment) -> None:
        development.receiver.responses["/"] = [(503, {"Retry-After": "1"}), (200, {})]

        with development.listening("--forward-to", development.receiver.url(), "--json") as listener:
            event_id = development.add_customer()
            lines = [json.loads(line) for line in listener.lines(2)]
            attempts = development.attempts(event_id)

        assert [(line["eventId"], line["statusCode"]) for line in lines] == [(event_id, 503), (event_id, 200)]
        assert attempts == [(503, "ok"), (200, "ok")]
        assert [request.id for request in development.receiver.received] == [event_id] * 2

    def test_a_program_that_cannot_be_reached_is_named(self, development: WebhookDevelopment) -> None:
        port = free_port()

        with development.listening("--forward-to", f"http://127.0.0.1:{port}/") as listener:
            event_id = development.add_customer()
            lines = listener.lines(3)
            attempts = development.attempts(event_id)

        assert all(f"127.0.0.1:{port} cannot be reached: Connection refused." in line for line in lines)
        assert {status for status, _ in attempts} == {502}

    def test_a_response_that_is_not_valid_is_a_failure(self, development: WebhookDevelopment) -> None:
        development.receiver.responses["/"] = [(103, {}), (204, {"Content-Type": "text/plain"})]

        with development.listening("--forward-to", development.receiver.url(), "--json") as listener:
            event_id = development.add_customer()
            first, second = (json.loads(line) for line in listener.lines(2))
            attempts = development.attempts(event_id)

        assert (first["statusCode"], second["statusCode"]) == (None, 204)
        assert first["error"] == f"127.0.0.1:{development.receiver.port} did not send a final response."
        assert attempts == [(502, first["error"]), (204, "")]

    @pytest.mark.parametrize("path", ["/hang", "/drip"])
    def test_a_program_that_is_too_slow_is_named(self, development: WebhookDevelopment, path: str) -> None:
        with development.listening("--forward-to", development.receiver.url(path)) as listener:
            development.add_customer()
            (line,) = listener.lines(1)

        assert f"127.0.0.1:{development.receiver.port} did not respond within 9 seconds." in line

    @pytest.mark.parametrize("path", ["/endless", "/bomb"])
    def test_a_long_response_is_cut(self, development: WebhookDevelopment, path: str) -> None:
        with development.listening("--forward-to", development.receiver.url(path)) as listener:
            event_id = development.add_customer()
            (line,) = listener.lines(1)
            ((status, _),) = development.attempts(event_id)

        assert " 200 in " in line
        assert status == 200

    def test_a_program_that_responds_with_410_ends_it(self, development: WebhookDevelopment) -> None:
        development.receiver.responses["/"] = [(410, {})]

        with development.listening("--forward-to", development.receiver.url()) as listener:
            development.add_customer()
            code = listener.process.wait(waiting.SECONDS)

        assert code == 1
        assert "The receiver responded with 410, which disables a webhook." in listener.err.read_text()
        assert development.webhooks() == []

    def test_a_forged_request_is_rejected_and_not_forwarded(self, development: WebhookDevelopment) -> None:
        with development.listening("--forward-to", development.receiver.url()) as listener:
            (webhook,) = development.webhooks()
            headers = [
                (b"webhook-id", b"c1"),
                (b"webhook-timestamp", b"1"),
                (b"webhook-signature", "v1,ü v1,".encode()),
            ]

            assert local_http.post(webhook.url, json={"id": "c1"}, headers=headers).status_code == 401
            assert local_http.post(webhook.url, json={"id": "c1"}).status_code == 401
            assert local_http.post(webhook.url.rpartition("/")[0] + "/", json={}).status_code == 404
            assert local_http.post(webhook.url, content=iter([b"{}"])).status_code == 404
            for length in ("²", "x", "64000001", "9" * 5000, "-1"):
                assert raw_status(webhook.url, f"Content-Length: {length}") == 404
            assert local_http.get(webhook.url).status_code == 204
            assert local_http.get(webhook.url + "/").status_code == 404
            assert "without a valid signature was rejected" in listener.says("rejected")
            development.add_customer()
            listener.lines(1)

        assert [request.content["event"] for request in development.receiver.received] == ["customer.created"]

    def test_closed_output_ends_it_and_the_webhook_is_deleted(self, development: WebhookDevelopment) -> None:
        command = [sys.executable, "-m", "app.cli", "webhook", "listen", "--company", development.tenant.slug]
        variables = environment(development.server.database_url, **OPEN)
        options = {"env": variables, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with waiting.process(command, cwd=development.directory, **options) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            while b"Ready" not in process.stderr.readline():
                continue
            process.stdout.close()
            development.add_customer()
            assert process.wait(waiting.SECONDS) == 1

        assert development.webhooks() == []

    def test_a_webhook_that_cannot_be_deleted_now_is_deleted_by_the_next_run(
        self, development: WebhookDevelopment
    ) -> None:
        with development.listening() as listener:
            (webhook,) = development.webhooks()
            with held_write(development.server.database_url, "UPDATE webhooks SET updated_at = :now") as held:
                assert listener.end() == 0
                held.kill()
            assert f"The temporary webhook {webhook.id} was not deleted" in listener.err.read_text()

        with development.listening() as listener:
            assert listener.end() == 0
        assert development.webhooks() == []


class TestLeftovers:
    def test_the_next_run_deletes_the_webhook_of_a_run_that_was_killed(self, development: WebhookDevelopment) -> None:
        with development.listening() as killed:
            (leftover,) = development.webhooks()
            killed.end(signal.SIGKILL)
        assert [webhook.id for webhook in development.webhooks()] == [leftover.id]

        with development.listening() as listener:
            (webhook,) = development.webhooks()
            assert webhook.id != leftover.id
            assert f"Deleted the temporary webhook {leftover.id}" in listener.says("Deleted")
            assert listener.end() == 0

        assert development.webhooks() == []

    def test_the_webhook_of_another_run_is_kept(self, development: WebhookDevelopment) -> None:
        with development.listening() as first, development.listening() as second:
            assert len(development.webhooks()) == 2
            event_id = development.add_customer()

            assert all(event_id in listener.lines(1)[0] for listener in (first, second))
            assert second.end() == 0
            assert len(development.webhooks()) == 1
            assert first.end() == 0

    def test_webhooks_of_other_machines_and_of_users_are_kept(self, development: WebhookDevelopment) -> None:
        description = webhook_listen.description()
        port = free_port()
        kept = [
            WebhookCreate(url=f"http://127.0.0.1:{port}/x", events=["*"], description=f"{description}-2"),
            WebhookCreate(url=f"http://127.0.0.1:{port}/x", events=["*"]),
            WebhookCreate(url="https://example.com/", events=["*"], description=description),
        ]
        with development.database.transaction(write=True) as session:
            ctx = factories.context(session, development.tenant.company_id)
            ctx = replace(ctx, egress_policy=settings(development.server.database_url, **OPEN).egress_policy)
            ids = {webhooks.create(ctx, draft).id for draft in kept}

        with development.listening() as listener:
            assert listener.end() == 0

        assert {webhook.id for webhook in development.webhooks()} == ids


class TestWorker:
    def test_a_missing_worker_is_reported(
        self, database_url: str, fresh_database: Database, shop: Tenant, tmp_path: Path
    ) -> None:
        command = [sys.executable, "-m", "app.cli", "webhook", "listen", "--company", shop.slug]
        options = {"env": environment(database_url, **OPEN), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with waiting.process(command, cwd=tmp_path, **options) as process:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, b"")
            assert any(b"Is 'distribu serve' or 'distribu worker' running" in line for line in lines)
            process.send_signal(signal.SIGTERM)
            assert process.wait(waiting.SECONDS) == 0
        with fresh_database.transaction() as session:
            assert webhooks.list_all(factories.context(session, shop.company_id)) == []

    def test_a_worker_that_may_not_send_to_this_machine_is_reported(self, development: WebhookDevelopment) -> None:
        with development.started(webhook_allowed_ports="10000-19999") as listener:
            said = listener.says("could not send")

        assert "It must run on this machine, with the same settings." in said
        assert "The destination is not allowed or cannot be reached." in said


class TestRefusals:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({}, "NETWORKS=127.0.0.0/8 and DISTRIBU_WEBHOOK_ALLOWED_PORTS=80,443,8700-8799 for"),
            (
                {"webhook_allowed_networks": "10.1.0.0/16,127.0.0.2/32"},
                "NETWORKS=10.1.0.0/16,127.0.0.2/32,127.0.0.0/8 and DISTRIBU_WEBHOOK_ALLOWED_PORTS=80,443,8700-8799 for",
            ),
            ({"webhook_allowed_networks": "127.0.0.0/8"}, "Set DISTRIBU_WEBHOOK_ALLOWED_PORTS=80,443,8700-8799 for"),
            (
                {"webhook_allowed_networks": "127.0.0.1/32", "webhook_allowed_ports": "1-1023"},
                "Set DISTRIBU_WEBHOOK_ALLOWED_PORTS=1-1023,8700-8799 for",
            ),
            ({"webhook_allowed_ports": "8000-9000"}, "Set DISTRIBU_WEBHOOK_ALLOWED_NETWORKS=127.0.0.0/8 for"),
        ],
    )
    def test_the_error_says_what_to_set(
        self, distribu: Command, fresh_database: Database, shop: Tenant, values: dict[str, str], expected: str
    ) -> None:
        outcome = distribu("webhook", "listen", "--company", shop.slug, **values)

        assert (outcome.code, expected in outcome.error) == (2, True)
        with fresh_database.transaction() as session:
            assert webhooks.list_all(factories.context(session, shop.company_id)) == []

    def test_an_allowed_port_must_be_free(self, distribu: Command, shop: Tenant) -> None:
        with Receiver() as receiver:
            values = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": str(receiver.port)}
            outcome = distribu("webhook", "listen", "--company", shop.slug, **values)

        assert outcome.code == 2
        assert outcome.error.startswith("Every port in DISTRIBU_WEBHOOK_ALLOWED_PORTS is in use")

    def test_a_company_with_ten_webhooks_is_refused(
        self, distribu: Command, fresh_database: Database, shop: Tenant
    ) -> None:
        with fresh_database.transaction(write=True) as session:
            for _ in range(MAX_WEBHOOKS):
                ctx = factories.context(session, shop.company_id)
                webhooks.create(ctx, WebhookCreate(url="https://example.com/", events=["*"]))

        outcome = distribu("webhook", "listen", "--company", shop.slug, **OPEN)

        assert outcome.error == "Webhook limit reached. A company can have at most 10."

    @pytest.mark.parametrize(
        "url",
        [
            *("localhost:3000", "ftp://localhost/", "http://", "http://localhost:x/", "http://localhost:0/", ""),
            *("http://user@localhost/", "http://localhost/a b", "http://localhost/ü", "http://[::1/"),
        ],
    )
    def test_an_invalid_url_to_forward_to_is_rejected(self, distribu: Command, shop: Tenant, url: str) -> None:
        outcome = distribu("webhook", "listen", "--company", shop.slug, "--forward-to", url, **OPEN)

        assert outcome.code == 2
        assert f"'{url}' is not a URL like http://localhost:3000/webhooks." in outcome.error

    def test_an_unknown_company_is_not_found(self, distribu: Command) -> None:
        assert "not found" in distribu("webhook", "listen", "--company", "none", **OPEN).error.lower()
