"""`/metrics`: the build, and the metrics of webhook delivery, the same from every process."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

import app
from app.context import now
from app.db import Database
from app.services import backlog, unsealed_entries
from app.services.audit_seals import ENTRIES
from models import AttemptCount, Delivery, Webhook
from models.base import table
from tests.failures.test_deliveries import LEASE, OPEN, WebhookDeployment
from tests.support import local_http, waiting
from tests.support.receiver import Receiver
from tests.support.sealed_log import SealedLog, seal_all
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

PENDING, OLDEST = "distribu_webhook_deliveries_pending", "distribu_webhook_oldest_pending_seconds"
DISABLED, ATTEMPTS = "distribu_webhooks_disabled", "distribu_webhook_attempts_total"
UNSEALED = "distribu_audit_oldest_unsealed_seconds"
READING_WAITS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%webhooks.is_active%' AND wait_event_type = 'Lock'"
)
Samples = dict[tuple[str, str], float]  # by name and the value of the only label, or of the version


def scrape(server: Server, port: int | None = None) -> Samples:
    url = f"http://127.0.0.1:{port or server.port}/metrics"
    families = text_string_to_metric_families(local_http.get(url, timeout=waiting.SECONDS).text)
    samples = [sample for family in families for sample in family.samples]
    return {
        (sample.name, sample.labels.get("version") or next(iter(sample.labels.values()), "")): sample.value
        for sample in samples
    }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def serving(
    store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Database]]:
    """Run two server processes and no worker: the test starts one."""
    values = {**OPEN, "workers": "2", "webhook_retry_schedule": "3600"}
    url = store.create("served_metrics")
    database = open_database(url)
    with Server(url, tmp_path_factory.mktemp("metrics") / "log", "--no-worker", **values) as server:
        server.until_processes_serve(2)
        yield server, database
    database.dispose()
    store.drop(url)


@pytest.fixture
def site(serving: tuple[Server, Database], receiver: Receiver, tmp_path: Path) -> Iterator[WebhookDeployment]:
    """Return a new company, the only one that has or had webhooks."""
    server, database = serving
    site = WebhookDeployment(server, receiver, database, tmp_path)
    yield site
    site.client.close()
    with database.transaction(write=True) as session:
        session.query(Webhook).delete()
        session.query(AttemptCount).update({"number": 0})


def set_all(database: Database, model: Any, **values: Any) -> None:
    with database.transaction(write=True) as session:
        session.execute(sa.update(table(model)).values(values))


def test_one_process_and_several_report_the_build(site: WebhookDeployment, tmp_path: Path) -> None:
    with Server(site.server.database_url, tmp_path / "one", "--no-worker") as one:
        for server in (one, site.server):
            assert scrape(server)["distribu_build_info", app.__version__] == 1


def test_the_first_line_of_the_log_names_the_version_with_several_processes_too(site: WebhookDeployment) -> None:
    assert f"Distribu {app.__version__} listens on" in site.server.log.read_text().splitlines()[0]


class TestWebhooks:
    def test_no_deliveries_are_reported_as_zero(self, site: WebhookDeployment) -> None:
        seen = scrape(site.server)

        assert seen[PENDING, "due"] == seen[PENDING, "scheduled"] == seen[OLDEST, ""] == seen[DISABLED, ""] == 0
        assert seen[ATTEMPTS, "succeeded"] == seen[ATTEMPTS, "failed"] == 0

    def test_deliveries_without_a_worker_are_due_and_grow_older(self, site: WebhookDeployment) -> None:
        site.webhook("/a")
        site.customers(3)
        set_all(site.database, Delivery, due_at=now() - timedelta(hours=1))

        first, second = scrape(site.server), scrape(site.server)

        assert (first[PENDING, "due"], first[PENDING, "scheduled"]) == (3, 0)
        assert 3600 <= first[OLDEST, ""] < second[OLDEST, ""]

    def test_every_process_reports_the_attempts_of_every_worker(self, site: WebhookDeployment) -> None:
        site.webhook("/fine")
        site.webhook("/broken")
        site.receiver.responses["/broken"] = [(500, {})]
        site.customers(5)
        with site.worker(LEASE):
            for outcome in ("succeeded", "failed"):
                waiting.eventually(lambda: scrape(site.server).get((ATTEMPTS, outcome)) == 5, outcome)  # noqa: B023

        for _ in range(20):  # either of the two processes responds
            seen = scrape(site.server)
            assert (seen[PENDING, "due"], seen[PENDING, "scheduled"]) == (0, 5)  # retried in an hour
            assert (seen[ATTEMPTS, "succeeded"], seen[ATTEMPTS, "failed"], seen[OLDEST, ""]) == (5, 5, 0)

    def test_a_disabled_webhook_is_counted_and_its_deliveries_are_not(self, site: WebhookDeployment) -> None:
        kept, gone = site.webhook("/a"), site.webhook("/b")
        site.customers(2)
        site.client.patch(f"/webhooks/{kept['id']}", json={"isActive": False})
        site.client.delete(f"/webhooks/{gone['id']}")

        seen = scrape(site.server)

        assert (seen[DISABLED, ""], seen[PENDING, "due"], seen[OLDEST, ""]) == (1, 0, 0)

    def test_counting_stops_at_its_limit(self, site: WebhookDeployment) -> None:
        site.webhook("/a")
        site.customers(3)

        with site.database.transaction() as session:
            seen = backlog.read(session, now(), max_counted=2)

        assert (seen.due, seen.scheduled) == (2, 0)


class TestAuditLog:
    def test_without_a_worker_the_oldest_unsealed_entry_grows_older(self, site: WebhookDeployment) -> None:
        first, second = scrape(site.server), scrape(site.server)

        assert 0 < first[UNSEALED, ""] < second[UNSEALED, ""]

    def test_it_is_zero_once_every_entry_is_sealed(self, site: WebhookDeployment) -> None:
        site.customers(3)
        seal_all(site.database)

        assert scrape(site.server)[UNSEALED, ""] == 0

    def test_each_company_counts_from_its_own_last_seal(self, site: WebhookDeployment) -> None:
        for count in (9, 1):
            SealedLog(site.database, count)

        assert scrape(site.server)[UNSEALED, ""] == 0

    def test_it_is_the_oldest_of_all_companies(self, site: WebhookDeployment) -> None:
        sealed = SealedLog(site.database)
        assert scrape(site.server)[UNSEALED, ""] == 0

        sealed.append()
        site.customers(1)
        at = max(sealed.value(ENTRIES, entry_id, "created_at") for entry_id in sealed.entry_ids())
        with site.database.transaction() as session:
            assert unsealed_entries.oldest_seconds(session, at + timedelta(seconds=90)) == 90


class TestUnavailableDatabase:
    def test_the_other_metrics_are_present(self, store: SqliteStore | PostgresqlStore, tmp_path: Path) -> None:
        if not isinstance(store, PostgresqlStore):
            return  # SQLite has no server that could be lost
        url = store.create("metrics_away")
        with Server(url, tmp_path / "log", "--no-worker") as server:
            store.rename("metrics_away", "metrics_gone")
            seen = scrape(server)
            assert seen["distribu_build_info", app.__version__] == 1
            assert (DISABLED, "") not in seen
            store.rename("metrics_gone", "metrics_away")
            assert (DISABLED, "") in scrape(server)
        store.drop(url)

    def test_a_scrape_does_not_wait_for_a_database_that_hangs(
        self, store: SqliteStore | PostgresqlStore, tmp_path: Path
    ) -> None:
        if not isinstance(store, PostgresqlStore):
            return  # SQLite's readers never wait
        url = store.create("metrics_hang")
        database = open_database(url)
        with Server(url, tmp_path / "log", "--no-worker") as server, database.connection() as connection:
            connection.execute(sa.text("LOCK TABLE webhooks IN ACCESS EXCLUSIVE MODE"))

            def scraped_while_the_database_hangs() -> bool:
                assert (DISABLED, "") not in scrape(server)
                with database.transaction() as session:
                    return bool(session.execute(READING_WAITS).scalar_one())

            waiting.eventually(scraped_while_the_database_hangs, "a scrape while the database hangs")
        database.dispose()
        store.drop(url)
