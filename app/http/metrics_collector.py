"""The metrics that are read for every scrape: the version, and from the database the state of what the workers do."""

import logging
import platform
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app import __version__
from app.context import now
from app.db import Database
from app.services import backlog as backlogs
from app.services import unsealed_entries
from app.services.backlog import Backlog

LOG = logging.getLogger(__name__)
READ_SECONDS = 1.0  # for the database to respond; Prometheus allows 10 s for a scrape


class WorkLeft(NamedTuple):
    """What the workers have yet to do."""

    backlog: Backlog
    oldest_unsealed_seconds: float


class MetricsCollector(Collector):
    """Reads metrics when they are scraped.

    Every process of every server returns the same values for the work of the workers, no matter where they run.
    """

    def __init__(self, database: Database) -> None:
        """Initialize with the database, which is not read before the first scrape."""
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._lock = threading.Lock()
        self._reading: Future[WorkLeft] | None = None

    def describe(self) -> Iterable[Metric]:
        """Return no names in advance, so that registering does not read the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; those from the database are absent while it does not respond."""
        labels = {"version": __version__, "python": platform.python_version()}
        yield _gauge("distribu_build_info", "The running version.", (labels, 1))
        left = self._read()
        if left is not None:
            yield from _webhook_metrics(left.backlog)
            yield _gauge(
                "distribu_audit_oldest_unsealed_seconds",
                "How long the oldest unsealed entry of the audit log has been waiting for a worker.",
                ({}, left.oldest_unsealed_seconds),
            )

    def _read(self) -> WorkLeft | None:
        """Return what the database returns within READ_SECONDS. If a read takes longer, no second read is started."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._thread.submit(self._query)
            reading = self._reading
        try:
            return reading.result(READ_SECONDS)
        except Exception as error:  # noqa: BLE001 - the other metrics do not depend on the database
            LOG.warning("the metrics of the database cannot be read: %s", str(error) or type(error).__name__)
            return None

    def _query(self) -> WorkLeft:
        at = now()
        with self._database.transaction() as session:
            return WorkLeft(backlogs.read(session, at), unsealed_entries.oldest_seconds(session, at))


def _webhook_metrics(backlog: Backlog) -> Iterator[Metric]:
    yield _gauge(
        "distribu_webhook_deliveries_pending",
        f"Pending deliveries of active webhooks: due now, or scheduled for later (in flight, or to be retried). "
        f"Counted up to {backlogs.MAX_COUNTED}.",
        ({"state": "due"}, backlog.due),
        ({"state": "scheduled"}, backlog.scheduled),
    )
    yield _gauge(
        "distribu_webhook_oldest_pending_seconds",
        "How long the oldest due delivery has been waiting for a worker.",
        ({}, backlog.oldest_seconds),
    )
    yield _gauge("distribu_webhooks_disabled", "Disabled webhooks.", ({}, backlog.disabled))
    attempts = CounterMetricFamily("distribu_webhook_attempts", "Finished delivery attempts.", labels=["outcome"])
    for outcome, number in backlog.attempts.items():
        attempts.add_metric([outcome], number)
    yield attempts


def _gauge(name: str, meaning: str, *values: tuple[dict[str, str], float]) -> Metric:
    gauge = GaugeMetricFamily(name, meaning, labels=list(values[0][0]))
    for labels, value in values:
        gauge.add_metric(list(labels.values()), value)
    return gauge
