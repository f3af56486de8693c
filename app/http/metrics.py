"""Counters for the person who operates the server, in the Prometheus format (`GET /metrics`)."""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

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


def render() -> bytes:
    """Return all counters as text."""
    return generate_latest(_registry())


def serve(host: str, port: int) -> None:
    """Offer the counters on a port of their own, from a thread. Raises OSError when the port cannot be had."""
    start_http_server(port, host, _registry())


def _registry() -> CollectorRegistry:
    """Return the counters of this process, or of every process of this server when there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
