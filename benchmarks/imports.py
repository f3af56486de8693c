"""Imports: orders are placed while a file of 100,000 products is imported, as new products and then with changes."""

import csv
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from rich import box
from rich.progress import Progress
from rich.table import Table

from app.services.products import TABLE
from benchmarks import stores
from benchmarks.measure import Target
from benchmarks.report import Workload
from benchmarks.stores import Deployment
from tests.support import factories
from tests.support.servers import ROOT

MAX_ROWS = 100_000
CLIENTS = 4
ITEMS = 3
MAX_P99_MS = 1000.0
COLUMNS = ("sku", "name", "description", "category", "unit", "price", "stock", "isActive")
STOCK = 1_000_000
FILES = {"new products": 0, "the same file again": 0, "price and stock changed": 1}  # added to price and stock


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import: its duration, its peak memory, and the orders that were placed in the meantime."""

    name: str
    seconds: float
    peak_mib: float
    orders_ms: Sequence[float]
    refused: int


@dataclass(frozen=True, kw_only=True)
class ImportsResult:
    """The result on one database."""

    title: str
    imports: Sequence[Import]

    @property
    def failures(self) -> list[str]:
        """Return the limits that were exceeded."""
        slow = [f"{run.name}: p99 of an order {p99(run):.0f} ms" for run in self.imports if p99(run) > MAX_P99_MS]
        refused = [f"{run.name}: {run.refused} orders refused" for run in self.imports if run.refused]
        return slow + refused

    def table(self) -> Table:
        """Return the measurements as a table for people."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("file")
        for heading in ("seconds", "peak MiB", "orders", "refused", "p50 ms", "p99 ms", "max ms"):
            table.add_column(heading, justify="right")
        for run in self.imports:
            times = (statistics.median(run.orders_ms), p99(run), max(run.orders_ms))
            counts = (f"{run.seconds:.1f}", f"{run.peak_mib:.0f}", f"{len(run.orders_ms):,}", str(run.refused))
            table.add_row(run.name, *counts, *(f"{milliseconds:.0f}" for milliseconds in times))
        return table


def p99(run: Import) -> float:
    """Return the 99th percentile of placing an order, in milliseconds."""
    return statistics.quantiles(run.orders_ms, n=100)[98]


def run(deployment: Deployment, workload: Workload, progress: Progress) -> ImportsResult:
    """Import the files one after the other while orders are placed."""
    count = min(MAX_ROWS, workload.rows)
    task = progress.add_task(f"{deployment.name}: imports", total=len(FILES))
    orders = OrderBodies(deployment)
    results = []
    with TemporaryDirectory(prefix="distribu-benchmark-") as directory:
        for name, added in FILES.items():
            file = Path(directory) / "products.csv"
            _write(file, count, added)
            stores.settle(deployment.database)
            results.append(_import_during_orders(deployment, orders, name, file))
            progress.advance(task)
    return ImportsResult(title=f"{deployment.name}: a file of {count:,} products, {CLIENTS} clients", imports=results)


class OrderBodies:
    """Request bodies of orders for the company of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        """Create a customer, and products that are in no file."""
        self.database = deployment.database
        self.customer = factories.customer(deployment.database, deployment.tenant.company_id)
        factories.products(deployment.database, deployment.tenant.company_id, 1_000, stock=STOCK)

    def endless(self) -> Iterator[str]:
        """Yield orders of random products without end."""
        with self.database.transaction() as session:
            ids = session.scalars(sa.select(TABLE.c.id)).all()
        chance = random.Random(1)
        while True:
            items = [(product, 1) for product in chance.sample(ids, ITEMS)]
            yield json.dumps(factories.order_body(self.customer, *items))


def _write(file: Path, count: int, added: int) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for number in range(count):
            name, category = f"Item {number} of a file of products", f"Category {number % 40}"
            description = f"Text of about a hundred characters that says something useful about the item {number}."
            numbers = (f"{10 + number % 500 + added}.50", STOCK + added, "true")
            writer.writerow((f"FILE-{number:07}", name, description, category, "each", *numbers))


def _import_during_orders(deployment: Deployment, orders: OrderBodies, name: str, file: Path) -> Import:
    """Import a file while clients place one order after the other."""
    ended = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [threads.submit(_place_orders, deployment.target, orders.endless(), ended) for _ in range(CLIENTS)]
        try:
            start = time.monotonic()
            peak_mib = _import(deployment, file)
            seconds = time.monotonic() - start
        finally:
            ended.set()
    responses = [response for client in clients for response in client.result()]
    return Import(
        name=name,
        seconds=seconds,
        peak_mib=peak_mib,
        orders_ms=[milliseconds for milliseconds, _ in responses],
        refused=sum(status != http.HTTPStatus.CREATED for _, status in responses),
    )


def _import(deployment: Deployment, file: Path) -> float:
    """Import a file with the command; return its peak memory in MiB."""
    url = stores.setting(deployment.database.url)
    company = ["--company", deployment.tenant.slug]
    command = [sys.executable, "-m", "app.cli", "product", "import", str(file), *company, "--json"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DISTRIBU_DATABASE_URL": url}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"The import failed with exit code {process.returncode}.")
    return usage.ru_maxrss / 1024


def _place_orders(target: Target, bodies: Iterator[str], ended: threading.Event) -> list[tuple[float, int]]:
    """Place orders until `ended` is set; return the milliseconds and the status of each response."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
    responses = []
    while not ended.is_set():
        start = time.perf_counter()
        connection.request("POST", "/api/v1/orders", next(bodies), headers)
        response = connection.getresponse()
        response.read()
        responses.append(((time.perf_counter() - start) * 1000, response.status))
    connection.close()
    return responses
