"""Imports: orders are placed while a file of 100,000 products is imported, first as new products, then with changes."""

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
from benchmarks.stores import Site
from tests.support import factories
from tests.support.servers import ROOT

MOST_ROWS = 100_000
BUYERS = 4
ITEMS = 3
P99_MS = 1000.0
COLUMNS = ("sku", "name", "description", "category", "unit", "price", "stock", "isActive")
STOCK = 1_000_000
FILES = {"new products": 0, "the same file again": 0, "price and stock changed": 1}  # what is added to both figures


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import: how long it took, the most memory it had, and the orders that were placed meanwhile."""

    name: str
    seconds: float
    peak_mib: float
    orders_ms: Sequence[float]
    refused: int


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found out about one database."""

    title: str
    imports: Sequence[Import]

    @property
    def faults(self) -> list[str]:
        """Say what is not as it must be."""
        slow = [f"{each.name}: p99 of an order {p99(each):.0f} ms" for each in self.imports if p99(each) > P99_MS]
        refused = [f"{each.name}: {each.refused} orders refused" for each in self.imports if each.refused]
        return slow + refused

    def table(self) -> Table:
        """Return the figures for people."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("file")
        for heading in ("seconds", "peak MiB", "orders", "refused", "p50 ms", "p99 ms", "max ms"):
            table.add_column(heading, justify="right")
        for each in self.imports:
            figures = (statistics.median(each.orders_ms), p99(each), max(each.orders_ms))
            counts = (f"{each.seconds:.1f}", f"{each.peak_mib:.0f}", f"{len(each.orders_ms):,}", str(each.refused))
            table.add_row(each.name, *counts, *(f"{figure:.0f}" for figure in figures))
        return table


def p99(of: Import) -> float:
    """Return the 99th percentile of placing an order, in milliseconds."""
    return statistics.quantiles(of.orders_ms, n=100)[98]


def run(site: Site, workload: Workload, progress: Progress) -> Finding:
    """Import the files one after the other, beside orders."""
    count = min(MOST_ROWS, workload.rows)
    task = progress.add_task(f"{site.name}: imports", total=len(FILES))
    shop = Shop(site)
    found = []
    with TemporaryDirectory(prefix="distribu-benchmark-") as directory:
        for name, added in FILES.items():
            file = Path(directory) / "products.csv"
            _write(file, count, added)
            stores.settle(site.database)
            found.append(_beside_orders(shop, name, file))
            progress.advance(task)
    return Finding(title=f"{site.name}: a file of {count:,} products, {BUYERS} buyers", imports=found)


class Shop:
    """A site whose company has something to sell."""

    def __init__(self, site: Site) -> None:
        """Make a customer, and a few products that are in no file."""
        self.site = site
        self.customer = factories.customer(site.database, site.tenant.company_id)
        factories.products(site.database, site.tenant.company_id, 1_000, stock=STOCK)

    def bodies(self) -> Iterator[str]:
        """Yield orders of products of the whole catalogue for ever."""
        with self.site.database.transaction() as session:
            ids = session.scalars(sa.select(TABLE.c.id)).all()
        chance = random.Random(1)
        while True:
            lines = [(product, 1) for product in chance.sample(ids, ITEMS)]
            yield json.dumps(factories.draft(self.customer, *lines))


def _write(file: Path, count: int, added: int) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for number in range(count):
            name, category = f"Item {number} of a file of products", f"Category {number % 40}"
            description = f"Text of about a hundred characters that says something useful about the item {number}."
            figures = (f"{10 + number % 500 + added}.50", STOCK + added, "true")
            writer.writerow((f"FILE-{number:07}", name, description, category, "each", *figures))


def _beside_orders(shop: Shop, name: str, file: Path) -> Import:
    """Import a file while buyers place one order after the other."""
    ended = threading.Event()
    bodies = [shop.bodies() for _ in range(BUYERS)]
    with ThreadPoolExecutor(BUYERS) as threads:
        buyers = [threads.submit(_buy, shop.site.target, each, ended) for each in bodies]
        try:
            start = time.monotonic()
            peak_mib = _import(shop.site, file)
            seconds = time.monotonic() - start
        finally:
            ended.set()
    answers = [answer for buyer in buyers for answer in buyer.result()]
    return Import(
        name=name,
        seconds=seconds,
        peak_mib=peak_mib,
        orders_ms=[milliseconds for milliseconds, _ in answers],
        refused=sum(status != http.HTTPStatus.CREATED for _, status in answers),
    )


def _import(site: Site, file: Path) -> float:
    """Import a file with the command; return the most memory that it had, in MiB."""
    url = stores.setting(site.database.url)
    command = [sys.executable, "-m", "app.cli", "product", "import", str(file), "--company", site.tenant.slug, "--json"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DISTRIBU_DATABASE_URL": url}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"The import ended with code {process.returncode}.")
    return usage.ru_maxrss / 1024


def _buy(target: Target, bodies: Iterator[str], ended: threading.Event) -> list[tuple[float, int]]:
    """Place orders until `ended` is set; return the milliseconds and the status of each."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
    answers = []
    while not ended.is_set():
        start = time.perf_counter()
        connection.request("POST", "/api/v1/orders", next(bodies), headers)
        response = connection.getresponse()
        response.read()
        answers.append(((time.perf_counter() - start) * 1000, response.status))
    connection.close()
    return answers
