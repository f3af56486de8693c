"""Orders: pages at any depth, reports beside SQL written by hand, and placing orders while a report runs."""

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
from benchmarks.report import Check, Result, Workload
from benchmarks.stores import Site
from tests.support import factories

PAGE = 100
DEEP = 0.9  # of the orders stand before the last page that is measured
FACTOR_OF_HAND, FACTOR_OF_WRITES = 1.5, 2.0
MONTH_MS, MEMORY_MIB = 50.0, 200.0
REPORT_ROUNDS, WRITES = 15, 400
YEAR = timedelta(days=365)


def run(site: Site, workload: Workload, progress: Progress) -> Result:
    """Fill the site's company with orders of three items each, and measure."""
    _fill(site, workload.rows, progress)
    figures = measure.measure(
        site.target,
        list(_cases(site, workload.rows)),
        rounds=workload.rounds,
        requests=workload.requests,
        tick=_nothing,
    )
    checks = [*_reports(site), *_writes(site)]
    peak = measure.peak_mib(site.target.server_pid)
    checks.append(Check(name="peak memory of the server", value=peak, allowed=MEMORY_MIB, unit="MiB"))
    return Result(
        title=f"{site.name}: one company with {workload.rows:,} orders, pages of {PAGE}",
        figures=figures,
        plans={},
        resident_mib=measure.resident_mib(site.target.server_pid),
        checks=checks,
    )


def _fill(site: Site, count: int, progress: Progress) -> None:
    task = progress.add_task(f"{site.name}: orders", total=count)
    with site.database.transaction(write=True) as session:
        market = volume.open_market(factories.context(session, site.tenant.company_id), demo_company.TERMS)
    for batch in volume.batches(market, count):
        with site.database.transaction(write=True) as session:
            volume.write(factories.context(session, site.tenant.company_id), batch)
        progress.advance(task, len(batch[0]))
    stores.settle(site.database)


def _cases(site: Site, count: int) -> Iterator[Case]:
    position = int(count * DEEP)
    query = tenant.select(TABLE.c.id).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc())
    with site.database.transaction() as session:
        parameters = {tenant.COMPANY_PARAMETER: site.tenant.company_id}
        first, cursor = (
            session.execute(query.offset(each).limit(1), parameters).scalar_one() for each in (0, position)
        )
    yield Case(name="second page", paths=[f"/orders?limit={PAGE}&cursor={first}"])
    deep = [f"/orders?limit={PAGE}&cursor={cursor}"]
    yield Case(name=f"position {position:,}", paths=deep, baseline="second page")
    yield Case(name="first page", paths=[f"/orders?limit={PAGE}"], baseline="second page")
    since = (now() - timedelta(days=10)).isoformat()[:19]
    yield Case(name="updatedSince, ten days ago", paths=[f"/orders?limit={PAGE}&updatedSince={since}"])


def _reports(site: Site) -> Iterator[Check]:
    """Yield what reports take, next to what the same figures take in SQL."""
    last = end_of_day(now().date())
    first = ranges.midnight((last - YEAR).date())
    year = f"from={first:%Y-%m-%d}"
    ways = handwritten.fastest_ms(site.database, site.tenant.company_id, first, last)
    best = min(ways.values())
    names = f"sales of a year (by hand: {', '.join(f'{name} {value:.0f} ms' for name, value in ways.items())})"
    yield Check(name=names, value=_ms(site.target, f"/reports/sales?{year}"), allowed=FACTOR_OF_HAND * best, unit="ms")
    recent = f"from={last - timedelta(days=30):%Y-%m-%d}"
    yield Check(
        name="sales of 30 days", value=_ms(site.target, f"/reports/sales?{recent}"), allowed=MONTH_MS, unit="ms"
    )
    for name, path in (("customers of a year", f"customers?{year}"), ("sales of all time", "sales?preset=all")):
        yield Check(name=name, value=_ms(site.target, f"/reports/{path}"), allowed=None, unit="ms")
    yield Check(name="inventory", value=_ms(site.target, "/reports/inventory"), allowed=None, unit="ms")


def _ms(target: Target, path: str) -> float:
    """Return the median time of an answer as the client sees it."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    times = []
    for _ in range(REPORT_ROUNDS):
        start = time.perf_counter()
        measure.answer(connection, path, target.key)
        times.append((time.perf_counter() - start) * 1000)
    connection.close()
    return statistics.median(times)


def _writes(site: Site) -> Iterator[Check]:
    """Yield the 99th percentile of placing an order, alone and while a year's report runs over and over."""
    body = _order(site)
    _place(site.target, body, WRITES // 10)
    alone = _p99(_place(site.target, body, WRITES))
    year = f"/reports/sales?from={now() - YEAR:%Y-%m-%d}"
    with _over_and_over(site.target, year):
        beside = _p99(_place(site.target, body, WRITES))
    yield Check(name="p99 of POST /orders, alone", value=alone, allowed=None, unit="ms")
    allowed = FACTOR_OF_WRITES * alone
    yield Check(name="p99 of POST /orders beside a year's report", value=beside, allowed=allowed, unit="ms")


def _order(site: Site) -> str:
    company = site.tenant.company_id
    product = factories.product(site.database, company, stock=10**9)
    return json.dumps(factories.draft(factories.customer(site.database, company), (product, 1)))


def _place(target: Target, body: str, count: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
    times = []
    for _ in range(count):
        start = time.perf_counter()
        connection.request("POST", "/api/v1/orders", body, headers)
        response = connection.getresponse()
        response.read()
        times.append((time.perf_counter() - start) * 1000)
        if response.status != http.HTTPStatus.CREATED:
            raise RuntimeError(f"POST /orders answered {response.status}")
    connection.close()
    return times


@contextmanager
def _over_and_over(target: Target, path: str) -> Iterator[None]:
    ended = threading.Event()

    def repeat() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
        while not ended.is_set():
            measure.answer(connection, path, target.key)
        connection.close()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def _nothing() -> None:
    """Show no progress: these are few requests."""
