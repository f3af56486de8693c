"""Products are imported while orders are placed, twice at once, and by a process that is killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.db import Database
from models import AuditEntry, OrderItem, Product, ProductImport, ProductImportRow
from tests.support import factories
from tests.support.factories import Tenant, order_body
from tests.support.servers import ROOT, PostgresqlStore, Server, SqliteStore, open_database

BUYERS = 6
SECONDS = 120  # far more than anything here takes


class Shop:
    """A server, and a company with products that are in every file."""

    def __init__(self, server: Server, database: Database) -> None:
        self.server = server
        self.database = database
        self.tenant: Tenant = factories.tenant(database)
        self.customer = factories.customer(database, self.tenant.company_id)

    @contextmanager
    def importing(self, file: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Import a file with a process of its own, which does not outlive the block."""
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
        """Import a file; return the exit code and what was said."""
        with self.importing(file) as process:
            _, messages = process.communicate(timeout=SECONDS)
            return process.returncode, messages.decode()

    def products(self) -> dict[str, Product]:
        with self.database.transaction() as session:
            return {str(each.sku): each for each in session.query(Product).filter_by(company_id=self.tenant.company_id)}

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
def shop(running: tuple[Server, Database]) -> Shop:
    return Shop(*running)


def write(file: Path, count: int, *, price: int = 1, stock: int | None = None, chance: random.Random) -> Path:
    """Write a file of products in an order of its own."""
    rows = [f"S-{number},Item {number},{price},{'' if stock is None else stock}" for number in range(count)]
    chance.shuffle(rows)
    file.write_text("\n".join(["sku,name,price,stock", *rows, ""]))
    return file


class TestBesideOrders:
    def test_every_order_is_placed_and_every_piece_is_accounted_for(self, shop: Shop, tmp_path: Path) -> None:
        """Orders and imports lock products in one order, so neither ever ends the other; stock adds up with both."""
        count, stock = 1500, 100_000
        chance = random.Random(1)
        assert shop.import_file(write(tmp_path / "goods", count, stock=stock, chance=chance)) == (0, "")
        ids = [each.id for each in shop.products().values()]
        ended = threading.Event()

        def buy(number: int) -> Counter[int]:
            chance = random.Random(number)
            answers: Counter[int] = Counter()
            headers = {"Authorization": f"Bearer {shop.tenant.key}"}
            with httpx.Client(base_url=shop.server.url, headers=headers, timeout=SECONDS) as api:
                while not ended.is_set():
                    lines = [(each, chance.randint(1, 3)) for each in chance.sample(ids, 8)]
                    answers[api.post("/api/v1/orders", json=order_body(shop.customer, *lines)).status_code] += 1
            return answers

        with ThreadPoolExecutor(BUYERS) as threads:
            buyers = [threads.submit(buy, number) for number in range(BUYERS)]
            try:
                files = [write(tmp_path / f"{each}", count, price=each, stock=stock, chance=chance) for each in (2, 3)]
                results = [shop.import_file(file) for file in files]
            finally:
                ended.set()
            answers = sum((each.result() for each in buyers), Counter[int]())

        assert results == [(0, "")] * 2
        assert set(answers) == {201}
        sold = self.sold(shop)
        moved = self.moved(shop)
        for each in shop.products().values():
            assert each.price == 3
            assert each.stock == stock + moved[each.id] - sold[each.id]

    def sold(self, shop: Shop) -> Counter[str]:
        items = OrderItem.product_id, sa.func.sum(OrderItem.quantity)
        with shop.database.transaction() as session:
            rows = session.query(*items).filter_by(company_id=shop.tenant.company_id).group_by(OrderItem.product_id)
            return Counter({product: int(quantity) for product, quantity in rows})

    def moved(self, shop: Shop) -> Counter[str]:
        """Return by how much imports changed each stock, as the audit log has it."""
        moved: Counter[str] = Counter()
        with shop.database.transaction() as session:
            for each in session.query(AuditEntry).filter_by(
                company_id=shop.tenant.company_id, action="product.updated"
            ):
                moved[each.entity_id] += each.details["after"].get("stock", 0) - each.details["before"].get("stock", 0)
        return moved


class TestTwoAtOnce:
    def test_one_waits_for_the_other(self, shop: Shop, tmp_path: Path) -> None:
        count = 3000
        files = [write(tmp_path / str(each), count, price=each, chance=random.Random(each)) for each in (1, 2)]

        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(shop.import_file, files))

        assert [code for code, _ in outcomes] == [0, 0]
        assert {said for _, said in outcomes} <= {
            "",
            "Another import of this company is running. Waiting for it to end.\n",
        }
        products = shop.products()
        assert len(products) == count
        assert len({each.price for each in products.values()}) == 1
        assert shop.count(ProductImport) == 0


class TestKilled:
    @pytest.mark.parametrize("known", [0, 2000])
    def test_while_it_stages_nothing_is_imported_and_it_can_be_run_again(
        self, shop: Shop, tmp_path: Path, known: int
    ) -> None:
        count = 4000
        if known:
            shop.import_file(write(tmp_path / "known.csv", known, stock=5, chance=random.Random(2)))
        before = {sku: (each.price, each.stock, each.updated_at) for sku, each in shop.products().items()}
        file = write(tmp_path / "goods.csv", count, price=7, stock=9, chance=random.Random(1))

        with shop.importing(file) as process:
            self.await_rows(shop, process)
            with shop.database.transaction(write=True) as session:  # it cannot go on now
                if not shop.database.is_sqlite:
                    session.execute(sa.text("LOCK TABLE product_import_rows IN SHARE MODE"))
                assert session.query(ProductImport.state).one() == ("STAGING",)
                os.kill(process.pid, signal.SIGKILL)
                process.wait(timeout=SECONDS)

        assert {sku: (each.price, each.stock, each.updated_at) for sku, each in shop.products().items()} == before
        assert shop.import_file(file)[0] == 0
        after = shop.products().values()
        assert {(int(each.price), each.stock) for each in after} == {(7, 9)}
        assert len(after) == count
        assert shop.count(ProductImport) == shop.count(ProductImportRow) == 0

    @staticmethod
    def await_rows(shop: Shop, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, "the import was faster than the test"
            if shop.count(ProductImportRow):
                return
            time.sleep(0.005)
        raise AssertionError("nothing was staged")
