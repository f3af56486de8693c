"""Imports of products: while orders are placed, two at the same time, and by a process that is killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from models import AuditEntry, Event, InventoryMovement, OrderItem, Product, ProductImport, ProductImportRow
from tests.support import deadlocks, factories, local_http, verified_shop, waiting
from tests.support.factories import Tenant, order_body
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

CLIENTS = 6
SECONDS = 120  # far more than any step here takes


class ImportDeployment:
    """A server, and a company with products that are in every file."""

    def __init__(self, server: Server, database: Database) -> None:
        self.server = server
        self.database = database
        self.tenant: Tenant = factories.tenant(database)
        self.customer = factories.customer(database, self.tenant.company_id)

    @contextmanager
    def importing(self, file: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Import a file in a separate process, which ends with the block."""
        command = [sys.executable, "-m", "app.cli", "product", "import", str(file), "--company", self.tenant.slug]
        environment = os.environ | {"DISTRIBU_DATABASE_URL": self.server.database_url}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def import_file(self, file: Path) -> tuple[int, str]:
        """Import a file; return the exit code and the messages."""
        with self.importing(file) as process:
            _, messages = process.communicate(timeout=SECONDS)
            return process.returncode, messages.decode()

    def products(self) -> dict[str, Product]:
        company_id = self.tenant.company_id
        with self.database.transaction() as session:
            return {str(product.sku): product for product in session.query(Product).filter_by(company_id=company_id)}

    def count(self, model: type[Any]) -> int:
        return factories.count(self.database, model, self.tenant.company_id)


@pytest.fixture(scope="module")
def running(
    store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Database]]:
    url = store.create("imports")
    database = open_database(url)
    with Server(url, tmp_path_factory.mktemp("imports") / "log", "--no-worker", log_level="WARNING") as server:
        yield server, database
    database.dispose()
    store.drop(url)


@pytest.fixture
def deployment(running: tuple[Server, Database]) -> ImportDeployment:
    return ImportDeployment(*running)


def write(file: Path, count: int, *, price: int = 1, stock: int | None = None, chance: random.Random) -> Path:
    """Write a file of products in random order."""
    rows = [f"S-{number},Item {number},{price},{'' if stock is None else stock}" for number in range(count)]
    chance.shuffle(rows)
    file.write_text("\n".join(["sku,name,price,stock", *rows, ""]))
    return file


class TestConcurrentOrders:
    def test_every_order_is_placed_and_stock_adds_up(self, deployment: ImportDeployment, tmp_path: Path) -> None:
        """Orders and imports lock products in the same order, so they never deadlock."""
        count, stock = 1500, 100_000
        chance = random.Random(1)
        assert deployment.import_file(write(tmp_path / "goods", count, stock=stock, chance=chance)) == (0, "")
        ids = [product.id for product in deployment.products().values()]
        ended = threading.Event()

        def place_orders(number: int) -> Counter[int]:
            chance = random.Random(number)
            statuses: Counter[int] = Counter()
            headers = {"Authorization": f"Bearer {deployment.tenant.key}"}
            with local_http.client(base_url=deployment.server.url, headers=headers, timeout=SECONDS) as api:
                while not ended.is_set():
                    items = [(product_id, chance.randint(1, 3)) for product_id in chance.sample(ids, 8)]
                    body, key = order_body(deployment.customer, *items), {"Idempotency-Key": str(uuid.uuid4())}
                    response = waiting.until_processed(partial(api.post, "/api/v1/orders", json=body, headers=key))
                    statuses[response.status_code] += 1
            return statuses

        with ThreadPoolExecutor(CLIENTS) as threads:
            clients = [threads.submit(place_orders, number) for number in range(CLIENTS)]
            try:
                files = [
                    write(tmp_path / f"{price}", count, price=price, stock=stock, chance=chance) for price in (2, 3)
                ]
                results = [deployment.import_file(file) for file in files]
            finally:
                ended.set()
            statuses = sum((client.result() for client in clients), Counter[int]())

        assert results == [(0, "")] * 2
        assert set(statuses) == {201}
        assert deadlocks.count(deployment.database) == 0
        sold = self.sold(deployment)
        changed = self.changed(deployment)
        for product in deployment.products().values():
            assert product.price == 3
            assert product.stock == stock + changed[product.id] - sold[product.id]
        self.assert_recorded(deployment, count)

    @staticmethod
    def assert_recorded(deployment: ImportDeployment, count: int) -> None:
        """Ledger and sequences of events are complete, and each file has one event for each product."""
        results = verified_shop.run(deployment.database, deployment.tenant)
        assert {name: result.first for name, result in results.items() if result.first} == {}
        own = {"company_id": deployment.tenant.company_id}
        with deployment.database.transaction() as session:
            published = Counter(event.type for event in session.query(Event.type).filter_by(**own))
            reasons = {movement.reason for movement in session.query(InventoryMovement.reason).filter_by(**own)}
        assert (published["product.created"], published["product.updated"]) == (count, 2 * count)
        assert reasons == {"OPENING", "SALE", "IMPORT"}

    def sold(self, deployment: ImportDeployment) -> Counter[str]:
        items = OrderItem.product_id, sa.func.sum(OrderItem.quantity)
        with deployment.database.transaction() as session:
            rows = (
                session.query(*items).filter_by(company_id=deployment.tenant.company_id).group_by(OrderItem.product_id)
            )
            return Counter({product: int(quantity) for product, quantity in rows})

    def changed(self, deployment: ImportDeployment) -> Counter[str]:
        """Return by how much imports have changed each stock, according to the audit log."""
        changed: Counter[str] = Counter()
        with deployment.database.transaction() as session:
            entries = session.query(AuditEntry).filter_by(
                company_id=deployment.tenant.company_id, action="product.updated"
            )
            for entry in entries:
                before, after = entry.details["before"], entry.details["after"]
                changed[entry.entity_id] += after.get("stock", 0) - before.get("stock", 0)
        return changed


class TestConcurrentImports:
    def test_one_import_waits_for_the_other(self, deployment: ImportDeployment, tmp_path: Path) -> None:
        count = 3000
        files = [write(tmp_path / str(price), count, price=price, chance=random.Random(price)) for price in (1, 2)]

        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(deployment.import_file, files))

        assert [code for code, _ in outcomes] == [0, 0]
        assert {messages for _, messages in outcomes} <= {
            "",
            "Another import of this company is running. Waiting for it to finish.\n",
        }
        products = deployment.products()
        assert len(products) == count
        assert len({product.price for product in products.values()}) == 1
        assert deployment.count(ProductImport) == 0


class TestKilledProcess:
    @pytest.mark.parametrize("known", [0, 2000])
    def test_an_import_that_is_killed_while_it_stages_changes_nothing_and_can_be_run_again(
        self, deployment: ImportDeployment, tmp_path: Path, known: int
    ) -> None:
        count = 4000
        if known:
            deployment.import_file(write(tmp_path / "known.csv", known, stock=5, chance=random.Random(2)))
        before = self.state(deployment)
        file = write(tmp_path / "goods.csv", count, price=7, stock=9, chance=random.Random(1))

        with deployment.importing(file) as process:
            self.await_rows(deployment, process)
            with deployment.database.transaction(write=True) as session:  # the process is blocked now
                if not deployment.database.is_sqlite:
                    session.execute(sa.text("LOCK TABLE product_import_rows IN SHARE MODE"))
                assert session.query(ProductImport.state).one() == ("STAGING",)
                os.kill(process.pid, signal.SIGKILL)
                process.wait(timeout=SECONDS)

        assert self.state(deployment) == before
        assert deployment.import_file(file)[0] == 0
        after = deployment.products().values()
        assert {(int(product.price), product.stock) for product in after} == {(7, 9)}
        assert len(after) == count
        assert deployment.count(ProductImport) == deployment.count(ProductImportRow) == 0

    @staticmethod
    def state(deployment: ImportDeployment) -> dict[str, tuple[object, ...]]:
        return {
            sku: (product.price, product.stock, product.updated_at) for sku, product in deployment.products().items()
        }

    @staticmethod
    def await_rows(deployment: ImportDeployment, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, "the import was faster than the test"
            if deployment.count(ProductImportRow):
                return
            time.sleep(0.005)
        raise AssertionError("nothing was staged")
