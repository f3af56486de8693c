"""Metrics for the operator, in the Prometheus format (`GET /metrics`).

Not in this module: what is read from the database (`metrics_collector.py`), and where several processes count
(`counter_directory.py`).
"""

import functools
import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from app.http.metrics_collector import MetricsCollector

REQUESTS = Counter("distribu_requests_total", "Requests with a response.", ["operation", "status"])
REQUEST_SECONDS = Histogram(
    "distribu_request_seconds",
    "Time from the end of a request's head to the end of its response.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RATE_LIMIT_FAILURES = Counter(
    "distribu_rate_limit_faults_total", "Requests that passed because the counter store failed."
)


def count_request(operation: str, status: int, seconds: float) -> None:
    """Count one request that had a response."""
    counter, histogram = _series(operation, status)
    counter.inc()
    histogram.observe(seconds)


@functools.cache  # as many as there are operations and statuses
def _series(operation: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(operation, status), REQUEST_SECONDS.labels(operation)


def render(collector: MetricsCollector) -> bytes:
    """Return all metrics as text."""
    return generate_latest(_registry(collector))


def serve(host: str, port: int, collector: MetricsCollector) -> None:
    """Serve all metrics on a separate port, from a thread. Raises OSError when the port is not available."""
    start_http_server(port, host, _registry(collector))


def _registry(collector: MetricsCollector) -> CollectorRegistry:
    """Return what the collector reads, and the counters of this process or of all processes of this server."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)  # a registry is a collector
    registry.register(collector)
    return registry
