"""Writes of another process, such as a worker or a command, while clients of a server place orders without a break."""

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from rich.progress import Progress

from benchmarks import measure, orders, wrk
from benchmarks.report import Check, RequestsResult, Workload
from benchmarks.stores import Deployment

CONNECTIONS = 16
ROUNDS, WRITES = 10, 20
PAUSE_SECONDS = 0.02  # between two writes, so that the server is rarely without the lock because of them
MAX_P99_MS = 500.0  # a tenth of the time after which a write is a 503
SELECT = sa.text("SELECT 1")


def run(deployment: Deployment, workload: Workload, progress: Progress) -> RequestsResult:
    """Measure transactions that write nothing, alone and during orders, in turn."""
    del workload  # the number of rows plays no part
    wrk.require()
    task = progress.add_task(f"{deployment.name}: writes of another process", total=ROUNDS)
    alone, during = list[float](), list[float]()
    with TemporaryDirectory(prefix="distribu-benchmark-") as directory:
        order = wrk.Request(method="POST", path="/api/v1/orders", body=orders.order_body(deployment))
        requests = wrk.write(Path(directory) / "orders", [order])
        for _ in range(ROUNDS):
            alone += [_write_ms(deployment) for _ in range(WRITES)]
            with _orders(deployment, requests) as placing:
                while placing.poll() is None:
                    during.append(_write_ms(deployment))
            progress.advance(task)
    return RequestsResult(
        title=f"{deployment.name}: {len(during)} writes during orders over {CONNECTIONS} connections",
        measurements=[],
        plans={},
        resident_mib=measure.resident_mib(deployment.target.server_pid),
        checks=list(_checks(alone, during)),
    )


def _checks(alone: list[float], during: list[float]) -> Iterator[Check]:
    yield Check(name="median of a write alone", value=statistics.median(alone), allowed=None, unit="ms")
    yield Check(name="median of a write during orders", value=statistics.median(during), allowed=None, unit="ms")
    yield Check(name="p99 of a write during orders", value=orders.p99(during), allowed=MAX_P99_MS, unit="ms")
    yield Check(name="longest write during orders", value=max(during), allowed=None, unit="ms")


@contextmanager
def _orders(deployment: Deployment, requests: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Place orders for two seconds. Raises RuntimeError if one is refused."""
    url = f"http://127.0.0.1:{deployment.target.port}"
    placing = wrk.start(url, requests, deployment.target.key, connections=CONNECTIONS, seconds=2)
    yield placing
    result = wrk.finish(placing)
    if result.refused or result.failed or not result.requests:
        raise RuntimeError(f"{result.refused} orders were refused, {result.failed} failed.")


def _write_ms(deployment: Deployment) -> float:
    """Return how long a transaction takes that begins to write."""
    time.sleep(PAUSE_SECONDS)
    start = time.perf_counter()
    with deployment.database.transaction(write=True) as session:
        session.execute(SELECT)
    return (time.perf_counter() - start) * 1000
