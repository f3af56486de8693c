"""Counters for the person who operates the server, in the Prometheus format (`GET /metrics`)."""

import contextlib
import fcntl
import logging
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app import __version__
from app.context import now
from app.db import Database
from app.services import backlog as backlogs
from app.services.backlog import Backlog

LOG = logging.getLogger(__name__)
READ_SECONDS = 1.0  # for the database to answer; Prometheus itself gives a scrape ten

REQUESTS = Counter("distribu_requests_total", "Answered requests.", ["operation", "status"])
SECONDS = Histogram(
    "distribu_request_seconds",
    "Time from the end of a request's head to the end of its answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RATE_LIMIT_FAULTS = Counter(
    "distribu_rate_limit_faults_total", "Requests let through because the counter store failed."
)


FOLDERS = "distribu-metrics-"


def answered(operation: str, status: int, seconds: float) -> None:
    """Count one answer."""
    REQUESTS.labels(operation, status).inc()
    SECONDS.labels(operation).observe(seconds)


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


def render(figures: Figures) -> bytes:
    """Return everything as text."""
    return generate_latest(_registry(figures))


def serve(host: str, port: int, figures: Figures) -> None:
    """Offer everything on a port of its own, from a thread. Raises OSError when the port cannot be had."""
    start_http_server(port, host, _registry(figures))


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Let the processes of this server count in one folder, which is removed at the end.

    A server holds a lock on its folder while it runs. One that is killed leaves the folder behind without a lock, and
    the next server removes it.
    """
    for folder in Path(tempfile.gettempdir()).glob(FOLDERS + "*"):
        _remove_leftover(folder)
    with tempfile.TemporaryDirectory(prefix=FOLDERS, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
        yield


def _remove_leftover(folder: Path) -> None:
    with contextlib.suppress(OSError), _locked(folder):
        if folder.stat().st_uid == os.geteuid() and any(folder.iterdir()):  # an empty one may be about to be locked
            shutil.rmtree(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder. Raises OSError when another process holds it."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)


def _registry(figures: Figures) -> CollectorRegistry:
    """Return the figures, and the counters of this process or of every process of this server."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)  # a registry collects, too
    registry.register(figures)
    return registry


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
