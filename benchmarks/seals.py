"""Seals of the audit log: placing orders alone and while a worker seals older entries, and verifying the chain."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa
from rich.progress import Progress

from app.context import Context
from app.delivery.sealer import Sealer
from app.services import audit
from app.services.audit import NewEntry
from app.services.audit_seals import TABLE
from app.verification import verifier
from app.verification.audit_chain import AuditChainCheck
from app.verification.verifier import VerifiedCompany
from benchmarks import deliveries, measure, orders, stores
from benchmarks.report import Check, RequestsResult, Workload
from benchmarks.stores import Deployment
from tests.support import factories, waiting

MAX_RATIO = 1.2  # p99 of an order while entries are sealed, to alone
MIN_RATE = 1_000  # entries sealed per second during orders
MAX_VERIFY_SECONDS = 60.0  # CPU time for a million entries
TURNS, ORDERS = 10, 100  # the two cases in turn: a disturbance of the machine affects both
BATCH = 5_000
DETAILS = {
    "after": {"status": "SUBMITTED", "subtotal": 1042.5, "tax": 72.98, "shipping": 9.5, "total": 1124.98, "items": 3}
}
SELECT_COUNT = sa.select(sa.func.coalesce(sa.func.max(TABLE.c.number), 0))


def run(deployment: Deployment, workload: Workload, progress: Progress) -> RequestsResult:
    """Fill the audit log, place orders alone and while it is sealed, then seal the rest and verify it."""
    _fill(deployment, workload.rows, progress)
    checks = [*_orders(deployment, progress)]
    _seal_rest(deployment, workload.rows, progress)
    checks += _verification(deployment)
    return RequestsResult(
        title=f"{deployment.name}: an audit log with {workload.rows:,} entries",
        measurements=[],
        plans={},
        resident_mib=measure.resident_mib(deployment.target.server_pid),
        checks=checks,
    )


def _fill(deployment: Deployment, count: int, progress: Progress) -> None:
    task = progress.add_task(f"{deployment.name}: entries", total=count)
    company_id = deployment.tenant.company_id
    for first in range(0, count, BATCH):
        entries = [NewEntry("order.placed", "order", company_id, DETAILS) for _ in range(min(BATCH, count - first))]
        with deployment.database.transaction(write=True) as session:
            audit.record_all(factories.context(session, company_id), entries)
        progress.advance(task, len(entries))
    stores.settle(deployment.database)


def _orders(deployment: Deployment, progress: Progress) -> Iterator[Check]:
    """Yield the 99th percentile of an order without and with a worker, and how fast the worker seals."""
    body = orders.order_body(deployment)
    task = progress.add_task(f"{deployment.name}: orders", total=TURNS)
    orders.place(deployment.target, body, ORDERS)  # warms up
    alone, during = list[float](), list[float]()
    sealed, seconds = 0, 0.0
    for _ in range(TURNS):
        alone += orders.place(deployment.target, body, ORDERS)
        with deliveries.worker(deployment):
            before, start = _first_batch(deployment), time.monotonic()
            during += orders.place(deployment.target, body, ORDERS)
            after = _first_batch(deployment)
            sealed, seconds = sealed + after - before, seconds + time.monotonic() - start
        progress.advance(task)
    baseline, rate = orders.p99(alone), sealed / seconds
    yield Check(name="p99 of POST /orders", value=baseline, allowed=None, unit="ms")
    yield Check(
        name="p99 of POST /orders while older entries are sealed",
        value=orders.p99(during),
        allowed=MAX_RATIO * baseline,
        unit="ms",
    )
    yield Check(name=f"time to seal {MIN_RATE:,} entries during orders", value=MIN_RATE / rate, allowed=1, unit="s")


def _first_batch(deployment: Deployment) -> int:
    """Wait until a batch is sealed. Return the number of sealed entries."""
    before = _count(deployment)
    waiting.eventually(lambda: _count(deployment) > before, "a batch is sealed")
    return _count(deployment)


def _count(deployment: Deployment) -> int:
    with deployment.database.transaction() as session:
        return int(session.execute(SELECT_COUNT).scalar_one())


def _seal_rest(deployment: Deployment, count: int, progress: Progress) -> None:
    task = progress.add_task(f"{deployment.name}: sealing", total=count)
    sealer = Sealer(deployment.database, settling=timedelta(0))
    while sealer.seal_batch():
        progress.update(task, completed=_count(deployment))
    stores.settle(deployment.database)


def _verification(deployment: Deployment) -> Iterator[Check]:
    """Yield the time that verifying the chain takes."""

    @contextmanager
    def transaction(company_id: str) -> Iterator[Context]:
        with deployment.database.transaction() as session:
            yield factories.context(session, company_id)

    company = VerifiedCompany(deployment.tenant.company_id, deployment.tenant.slug)
    pids = (os.getpid(), deployment.target.database_pid)
    before, start = [measure.cpu_clocks(pid) for pid in pids], time.monotonic()
    (result,) = verifier.run([AuditChainCheck()], [company], transaction, lambda *_: None)
    seconds, after = time.monotonic() - start, [measure.cpu_clocks(pid) for pid in pids]
    if result.bad:
        raise RuntimeError(f"The chain is broken: {result.first}")
    cpu = sum(measure.cpu_ms(*clocks) for clocks in zip(before, after, strict=True)) / 1000
    limit = MAX_VERIFY_SECONDS * result.checked / 1_000_000
    yield Check(name=f"CPU time to verify {result.checked:,} entries", value=cpu, allowed=limit, unit="s")
    yield Check(name="the same, elapsed", value=seconds, allowed=None, unit="s")
