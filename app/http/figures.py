"""Figures in `/metrics` that are read for each scrape: the version, and those of webhooks from the database."""

import logging
import platform
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app import __version__
from app.context import now
from app.db import Database
from app.services import backlog as backlogs
from app.services.backlog import Backlog

LOG = logging.getLogger(__name__)
READ_SECONDS = 1.0  # for the database to answer; Prometheus itself gives a scrape ten


class Figures(Collector):
    """What is read for each scrape: the version, and the figures of webhooks from the database.

    Every process of every server returns the same figures of webhooks, wherever the workers run.
    """

    def __init__(self, database: Database) -> None:
        """Take the database; nothing is read before the first scrape."""
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="figures")
        self._lock = threading.Lock()
        self._reading: Future[Backlog] | None = None

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; those of webhooks are absent while the database does not answer."""
        labels = {"version": __version__, "python": platform.python_version()}
        yield _gauge("distribu_build_info", "The version that runs.", (labels, 1))
        backlog = self._read()
        if backlog is not None:
            yield from _of_webhooks(backlog)

    def _read(self) -> Backlog | None:
        """Return what the database says within READ_SECONDS; a reading that takes longer is not begun twice."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._thread.submit(self._query)
            reading = self._reading
        try:
            return reading.result(READ_SECONDS)
        except Exception as error:  # noqa: BLE001 - the other figures do not depend on the database
            LOG.warning("the figures of webhooks cannot be read: %s", str(error) or type(error).__name__)
            return None

    def _query(self) -> Backlog:
        with self._database.transaction() as session:
            return backlogs.read(session, now())


def _of_webhooks(backlog: Backlog) -> Iterator[Metric]:
    yield _gauge(
        "distribu_webhook_deliveries_pending",
        f"Deliveries of active webhooks that wait: due now, or scheduled for later (being sent, or to be tried again). "
        f"Counted up to {backlogs.COUNTED}.",
        ({"state": "due"}, backlog.due),
        ({"state": "scheduled"}, backlog.scheduled),
    )
    yield _gauge(
        "distribu_webhook_oldest_pending_seconds",
        "How long the oldest delivery that is due has been waiting for a worker.",
        ({}, backlog.oldest_seconds),
    )
    yield _gauge("distribu_webhooks_disabled", "Webhooks that are switched off.", ({}, backlog.disabled))
    attempts = CounterMetricFamily("distribu_webhook_attempts", "Attempts to deliver that ended.", labels=["outcome"])
    for outcome, number in backlog.attempts.items():
        attempts.add_metric([outcome], number)
    yield attempts


def _gauge(name: str, meaning: str, *values: tuple[dict[str, str], float]) -> Metric:
    gauge = GaugeMetricFamily(name, meaning, labels=list(values[0][0]))
    for labels, value in values:
        gauge.add_metric(list(labels.values()), value)
    return gauge
