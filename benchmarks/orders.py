"""Orders: pages at any depth, reports compared with hand-written SQL, and placing orders while a report runs."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.progress import Progress

from app.context import now
from app.demo import company as demo_company
from app.demo import volume
from app.queries import tenant
from app.reports import ranges
from app.schemas.times import end_of_day
from app.services.orders import TABLE
from benchmarks import handwritten, measure, stores
from benchmarks.measure import Case, Target
from benchmarks.report import Check, RequestsResult, Workload
from benchmarks.stores import Deployment
from tests.support import factories

PAGE = 100
DEPTH = 0.9  # the share of the orders before the last measured page
MAX_REPORT_RATIO = 1.5  # to the fastest hand-written SQL
MAX_WRITE_RATIO = 2.0  # during a report, to without one
MAX_MONTH_MS, MAX_MEMORY_MIB = 50.0, 200.0
REPORT_ROUNDS, WRITES = 15, 400
YEAR = timedelta(days=365)


def run(deployment: Deployment, workload: Workload, progress: Progress) -> RequestsResult:
    """Fill the company of the deployment with orders of three items, and measure."""
    _fill(deployment, workload.rows, progress)
    measurements = measure.measure(
        deployment.target,
        list(_cases(deployment, workload.rows)),
        rounds=workload.rounds,
        requests=workload.requests,
        tick=_show_no_progress,
    )
    checks = [*_reports(deployment), *_writes(deployment)]
    peak = measure.peak_mib(deployment.target.server_pid)
    checks.append(Check(name="peak memory of the server", value=peak, allowed=MAX_MEMORY_MIB, unit="MiB"))
    return RequestsResult(
        title=f"{deployment.name}: one company with {workload.rows:,} orders, pages of {PAGE}",
        measurements=measurements,
        plans={},
        resident_mib=measure.resident_mib(deployment.target.server_pid),
        checks=checks,
    )


def _fill(deployment: Deployment, count: int, progress: Progress) -> None:
    task = progress.add_task(f"{deployment.name}: orders", total=count)
    with deployment.database.transaction(write=True) as session:
        data = volume.prepare(factories.context(session, deployment.tenant.company_id), demo_company.CHARGES)
    for batch in volume.batches(data, count):
        with deployment.database.transaction(write=True) as session:
            volume.write(factories.context(session, deployment.tenant.company_id), batch)
        progress.advance(task, len(batch.orders))
    stores.settle(deployment.database)


def _cases(deployment: Deployment, count: int) -> Iterator[Case]:
    position = int(count * DEPTH)
    query = tenant.select(TABLE.c.id).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc())
    with deployment.database.transaction() as session:
        parameters = {tenant.COMPANY_PARAMETER: deployment.tenant.company_id}
        first, cursor = (
            session.execute(query.offset(offset).limit(1), parameters).scalar_one() for offset in (0, position)
        )
    yield Case(name="second page", paths=[f"/orders?limit={PAGE}&cursor={first}"])
    deep = [f"/orders?limit={PAGE}&cursor={cursor}"]
    yield Case(name=f"position {position:,}", paths=deep, baseline="second page")
    yield Case(name="first page", paths=[f"/orders?limit={PAGE}"], baseline="second page")
    since = (now() - timedelta(days=10)).isoformat()[:19]
    yield Case(name="updatedSince, ten days ago", paths=[f"/orders?limit={PAGE}&updatedSince={since}"])


def _reports(deployment: Deployment) -> Iterator[Check]:
    """Yield the times of reports, and of the same totals in hand-written SQL."""
    last = end_of_day(now().date())
    first = ranges.midnight((last - YEAR).date())
    year = f"from={first:%Y-%m-%d}"
    by_hand = handwritten.fastest_ms(deployment.database, deployment.tenant.company_id, first, last)
    best = min(by_hand.values())
    times = ", ".join(f"{name} {value:.0f} ms" for name, value in by_hand.items())
    yield Check(
        name=f"sales of a year (by hand: {times})",
        value=_ms(deployment.target, f"/reports/sales?{year}"),
        allowed=MAX_REPORT_RATIO * best,
        unit="ms",
    )
    recent = f"from={last - timedelta(days=30):%Y-%m-%d}"
    yield Check(
        name="sales of 30 days",
        value=_ms(deployment.target, f"/reports/sales?{recent}"),
        allowed=MAX_MONTH_MS,
        unit="ms",
    )
    for name, path in (("customers of a year", f"customers?{year}"), ("sales of all time", "sales?preset=all")):
        yield Check(name=name, value=_ms(deployment.target, f"/reports/{path}"), allowed=None, unit="ms")
    yield Check(name="inventory", value=_ms(deployment.target, "/reports/inventory"), allowed=None, unit="ms")


def _ms(target: Target, path: str) -> float:
    """Return the median time of a response as the client sees it."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    times = []
    for _ in range(REPORT_ROUNDS):
        start = time.perf_counter()
        measure.get(connection, path, target.key)
        times.append((time.perf_counter() - start) * 1000)
    connection.close()
    return statistics.median(times)


def _writes(deployment: Deployment) -> Iterator[Check]:
    """Yield the 99th percentile of placing an order, without a report and while a year's report runs in a loop."""
    body = order_body(deployment)
    place(deployment.target, body, WRITES // 10)
    alone = p99(place(deployment.target, body, WRITES))
    year = f"/reports/sales?from={now() - YEAR:%Y-%m-%d}"
    with running_in_a_loop(deployment.target, year):
        during = p99(place(deployment.target, body, WRITES))
    yield Check(name="p99 of POST /orders, without a report", value=alone, allowed=None, unit="ms")
    allowed = MAX_WRITE_RATIO * alone
    yield Check(name="p99 of POST /orders during a year's report", value=during, allowed=allowed, unit="ms")


def order_body(deployment: Deployment) -> str:
    """Return the body of an order of a new customer for a new product."""
    company = deployment.tenant.company_id
    product = factories.product(deployment.database, company, stock=10**9)
    return json.dumps(factories.order_body(factories.customer(deployment.database, company), (product, 1)))


def place(target: Target, body: str, count: int) -> list[float]:
    """Place `count` orders one after the other; return the milliseconds that each took."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        measure.post(connection, "/orders", body, target.key)
        times.append((time.perf_counter() - start) * 1000)
    connection.close()
    return times


@contextmanager
def running_in_a_loop(target: Target, path: str, body: str | None = None) -> Iterator[None]:
    """Repeat a request, a POST if it has a body, while the caller does something else."""
    ended = threading.Event()

    def repeat() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
        while not ended.is_set():
            if body is None:
                measure.get(connection, path, target.key)
            else:
                measure.post(connection, path, body, target.key)
        connection.close()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def p99(times: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(times, n=100)[98]


def _show_no_progress() -> None:
    """Do nothing: these are few requests."""
