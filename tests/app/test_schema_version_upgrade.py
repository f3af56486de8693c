"""An upgrade opens the ledger of stock while the previous version serves, and the ledger is exact at any time."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from app import schema_check, schema_version
from app.context import now
from app.db import Database
from app.queries import online_indexes, opening_rows
from models import InventoryMovement, Product, audit, new_id
from models.base import Instant
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.servers import open_database

# What version 0008 sends for a new product, an order, a cancelled order and an import.
INSERT_PRODUCT = sa.text(
    "INSERT INTO products (id, company_id, name, sku, description, category, unit, price, stock, low_stock_threshold,"
    " image_url, is_active, search_text, event_sequence, created_at, updated_at) VALUES (:id, :company_id, 'Tea',"
    " NULL, NULL, NULL, 'each', 1, :stock, 5, NULL, true, 'tea', 0, :now, :now)"
).bindparams(sa.bindparam("now", type_=Instant))
CHANGE = (
    "UPDATE products SET stock=(products.stock {sign} :quantity), updated_at=CASE WHEN (products.updated_at > :now)"
    " THEN products.updated_at ELSE :now END WHERE products.company_id = :company_id AND products.id = :id{condition}"
)
UPDATE_DEDUCTED = sa.text(CHANGE.format(sign="-", condition=" AND products.stock >= :quantity")).bindparams(
    sa.bindparam("now", type_=Instant)
)
UPDATE_RESTOCKED = sa.text(CHANGE.format(sign="+", condition="")).bindparams(sa.bindparam("now", type_=Instant))
UPDATE_IMPORTED = sa.text(
    "UPDATE products SET name='Green tea', stock=:stock, updated_at=:now FROM companies"
    " WHERE companies.id = products.company_id AND products.id = :id"
).bindparams(sa.bindparam("now", type_=Instant))
ONLINE_INDEXES = (
    *(f"ix_audit_entries_company_id_{name}_created_at_id" for name in audit.FILTERS),
    "ix_order_items_product",
    "ix_products_barcode",
    "ix_products_low_stock",
    "uq_products_company_id_external_id",
)


class UpgradeStep(NamedTuple):
    """A movement, without what is different on each run."""

    sequence: int
    reason: str
    delta: int
    stock_after: int
    actor: str


class PreviousVersion:
    """The statements of the previous version, for the products of one company."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self.database = database
        self.company_id = tenant.company_id

    def create(self, stock: int) -> str:
        """Create a product; return its id."""
        product_id = new_id(now())
        with self.database.transaction(write=True) as session:
            self._execute(session.connection(), INSERT_PRODUCT, id=product_id, stock=stock)
        return product_id

    def deduct(self, product_id: str, quantity: int) -> None:
        """Deduct stock, like an order."""
        with self.database.transaction(write=True) as session:
            self._execute(session.connection(), UPDATE_DEDUCTED, id=product_id, quantity=quantity)

    def restock(self, product_id: str, quantity: int) -> None:
        """Return stock, like a cancelled order."""
        with self.database.transaction(write=True) as session:
            self._execute(session.connection(), UPDATE_RESTOCKED, id=product_id, quantity=quantity)

    def set_stock(self, product_id: str, stock: int) -> None:
        """Replace the stock, like an import."""
        with self.database.transaction(write=True) as session:
            self._execute(session.connection(), UPDATE_IMPORTED, id=product_id, stock=stock)

    def _execute(self, connection: Connection, statement: sa.TextClause, **values: object) -> None:
        parameters = {"company_id": self.company_id, "now": now(), **values}
        used = {name: value for name, value in parameters.items() if name in statement._bindparams}  # noqa: SLF001
        assert connection.execute(statement, used).rowcount == 1


@pytest.fixture
def previous(fresh_database: Database) -> PreviousVersion:
    """Return the previous version, on a database with its schema."""
    tenant = factories.tenant(fresh_database)
    with migrating(fresh_database) as config:
        command.downgrade(config, "0008")
    return PreviousVersion(fresh_database, tenant)


@contextmanager
def migrating(database: Database) -> Iterator[Config]:
    with database.connection() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(schema_check.MIGRATIONS))
        config.set_main_option("path_separator", "os")
        yield config


def apply_revisions(database: Database) -> None:
    """Upgrade the schema, and leave out what an upgrade does afterwards."""
    with migrating(database) as config:
        command.upgrade(config, "head")


def ledger(database: Database, product_id: str) -> list[UpgradeStep]:
    rows = sa.select(InventoryMovement).filter_by(product_id=product_id).order_by(InventoryMovement.sequence)
    with database.transaction() as session:
        return [
            UpgradeStep(row.sequence, row.reason, row.delta, row.stock_after, f"{row.actor_type} {row.actor_id}")
            for row in session.scalars(rows)
        ]


def assert_exact(database: Database) -> None:
    """Check that every product has its movements, one after another, up to its stock."""
    with database.transaction() as session:
        found = session.scalars(
            sa.select(InventoryMovement).order_by(InventoryMovement.product_id, InventoryMovement.sequence)
        ).all()
        products = {product.id: product for product in session.scalars(sa.select(Product))}
    by_product: dict[str, list[InventoryMovement]] = {product_id: [] for product_id in products}
    for movement in found:
        by_product[movement.product_id].append(movement)
    for product_id, movements in by_product.items():
        assert [row.sequence for row in movements] == list(range(len(movements)))
        assert [row.stock_before for row in movements] == [0, *(row.stock_after for row in movements[:-1])]
        assert sorted(row.created_at for row in movements) == [row.created_at for row in movements]
        last, product = movements[-1], products[product_id]
        assert (last.stock_after, last.sequence) == (product.stock, product.movement_sequence)


def opening(stock: int, actor: str) -> UpgradeStep:
    return UpgradeStep(0, "OPENING", stock, stock, f"SYSTEM {actor}")


@pytest.mark.parametrize("stock", [0, 7])
def test_every_product_gets_its_opening_row_once(previous: PreviousVersion, stock: int) -> None:
    product_id = previous.create(stock)

    for _ in range(2):
        schema_version.upgrade(previous.database)

    assert ledger(previous.database, product_id) == [opening(stock, "upgrade")]
    assert_exact(previous.database)


def test_the_previous_version_cannot_bypass_the_ledger(previous: PreviousVersion) -> None:
    untouched, ordered, imported = (previous.create(10) for _ in range(3))
    apply_revisions(previous.database)

    previous.deduct(ordered, 3)
    previous.set_stock(imported, 25)
    created = previous.create(4)
    assert opening_rows.insert_missing(previous.database) == 1
    previous.restock(ordered, 2)
    previous.set_stock(imported, 25)
    previous.deduct(created, 4)

    corrected = "SYSTEM database"
    assert ledger(previous.database, untouched) == [opening(10, "upgrade")]
    assert ledger(previous.database, ordered) == [
        opening(10, "database"),
        UpgradeStep(1, "CORRECTION", -3, 7, corrected),
        UpgradeStep(2, "CORRECTION", 2, 9, corrected),
    ]
    assert ledger(previous.database, imported) == [
        opening(10, "database"),
        UpgradeStep(1, "CORRECTION", 15, 25, corrected),
    ]
    assert ledger(previous.database, created) == [
        opening(4, "database"),
        UpgradeStep(1, "CORRECTION", -4, 0, corrected),
    ]
    assert_exact(previous.database)


def test_an_update_that_returns_its_row_is_also_recorded(previous: PreviousVersion) -> None:
    product_id = previous.create(10)
    apply_revisions(previous.database)

    with previous.database.transaction(write=True) as session:
        statement = "UPDATE products SET stock = stock - 1 RETURNING stock, event_sequence"
        assert tuple(session.execute(sa.text(statement)).one()) == (9, 0)

    assert [step.delta for step in ledger(previous.database, product_id)] == [10, -1]


def test_an_interrupted_upgrade_is_continued(previous: PreviousVersion) -> None:
    previous.create(10)
    with previous.database.transaction(write=True) as session:
        numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
        copied = "name, unit, price, stock, low_stock_threshold, is_active, search_text, event_sequence, created_at,"
        session.execute(
            sa.text(
                f"INSERT INTO products (id, company_id, {copied} updated_at) {numbers} "
                f"SELECT 'p' || n, company_id, {copied} updated_at FROM products, numbers"
            ),
            {"count": opening_rows.BATCH},
        )
    apply_revisions(previous.database)

    def interrupt(_step: str, done: int, total: int) -> None:
        assert (done, total) == (opening_rows.BATCH, opening_rows.BATCH + 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opening_rows.insert_missing(previous.database, interrupt)
    steps: list[Sequence[object]] = []
    assert opening_rows.insert_missing(previous.database, lambda *step: steps.append(step)) == 1

    total = opening_rows.BATCH + 1
    assert [step[1:] for step in steps] == [(opening_rows.BATCH, total), (total, total)]
    assert_exact(previous.database)


def test_the_previous_version_serves_during_the_upgrade(previous: PreviousVersion, database_url: str) -> None:
    made = [previous.create(1000) for _ in range(50)]
    other = PreviousVersion(
        open_database(database_url), Tenant(company_id=previous.company_id, slug="", key="", key_id="")
    )
    is_upgraded = threading.Event()

    def serve() -> None:
        while True:
            is_last = is_upgraded.is_set()
            for product_id in made:
                other.deduct(product_id, 2)
                other.restock(product_id, 1)
                time.sleep(0.01)  # SQLite's lock is unfair to the upgrade if it is never free
            if is_last:
                return

    with ThreadPoolExecutor() as executor:
        server = executor.submit(serve)
        try:
            schema_version.upgrade(previous.database)
        finally:
            is_upgraded.set()
        server.result()
    other.database.dispose()

    assert all(len(ledger(previous.database, product_id)) >= 3 for product_id in made)
    assert_exact(previous.database)


def test_a_downgrade_drops_the_ledger_and_an_upgrade_opens_it_again(previous: PreviousVersion) -> None:
    product_id = previous.create(10)
    schema_version.upgrade(previous.database)
    previous.deduct(product_id, 3)

    with migrating(previous.database) as config:
        command.downgrade(config, "0008")
    previous.deduct(product_id, 1)
    schema_version.upgrade(previous.database)

    assert ledger(previous.database, product_id) == [opening(6, "upgrade")]
    assert_exact(previous.database)


class TestOnlineIndexes:
    def test_missing_indexes_are_created(self, fresh_database: Database) -> None:
        drop_online_indexes(fresh_database)

        assert schema_version.upgrade(fresh_database).missing_indexes == []

        assert online_indexes_of(fresh_database) == set(ONLINE_INDEXES)

    @pytest.mark.parametrize(("rows", "is_created"), [(4, True), (5, False)])
    @pytest.mark.parametrize("store", ["sqlite"], indirect=True)
    def test_a_large_index_of_sqlite_is_created_on_request(
        self, fresh_database: Database, rows: int, *, is_created: bool
    ) -> None:
        factories.products(fresh_database, factories.tenant(fresh_database).company_id, rows, stock=0)
        factories.product(fresh_database, factories.tenant(fresh_database).company_id, stock=100)
        drop_online_indexes(fresh_database)

        skipped = online_indexes.create_missing(fresh_database, max_rows=4)

        assert skipped == ["ix_products_low_stock"] * (not is_created)
        assert online_indexes_of(fresh_database) == set(ONLINE_INDEXES) - set(skipped)
        assert schema_version.upgrade(fresh_database, large_indexes=True).missing_indexes == []
        assert online_indexes_of(fresh_database) == set(ONLINE_INDEXES)

    @pytest.mark.parametrize("store", ["postgresql"], indirect=True)
    def test_an_index_whose_creation_was_interrupted_is_replaced(self, fresh_database: Database) -> None:
        name = "ix_order_items_product"
        with fresh_database.connection() as connection:
            connection.execute(
                sa.text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:name)"), {"name": name}
            )

        schema_version.upgrade(fresh_database)

        with fresh_database.connection() as connection:
            assert connection.scalars(online_indexes.SELECT_INVALID).all() == []
        assert name in online_indexes_of(fresh_database)


def drop_online_indexes(database: Database) -> None:
    with database.connection() as connection:
        for name in ONLINE_INDEXES:
            connection.execute(sa.text(f"DROP INDEX {name}"))


def online_indexes_of(database: Database) -> set[str]:
    with database.connection() as connection:
        inspector = sa.inspect(connection)
        names = {
            str(index["name"])
            for table in ("audit_entries", "order_items", "products")
            for index in inspector.get_indexes(table)
        }
    return names & set(ONLINE_INDEXES)
