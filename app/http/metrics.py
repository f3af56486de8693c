"""Counters for the person who operates the server, in the Prometheus format (`GET /metrics`).

Not here: what is read from the database (`figures.py`), and where several processes count (`counter_folder.py`).
"""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from app.http.figures import Figures

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


def answered(operation: str, status: int, seconds: float) -> None:
    """Count one answer."""
    REQUESTS.labels(operation, status).inc()
    SECONDS.labels(operation).observe(seconds)


def render(figures: Figures) -> bytes:
    """Return everything as text."""
    return generate_latest(_registry(figures))


def serve(host: str, port: int, figures: Figures) -> None:
    """Serve all metrics on a separate port, from a thread. Raises OSError when the port cannot be had."""
    start_http_server(port, host, _registry(figures))


def _registry(figures: Figures) -> CollectorRegistry:
    """Return the figures, and the counters of this process or of every process of this server."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)  # a registry collects, too
    registry.register(figures)
    return registry
