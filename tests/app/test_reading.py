"""The event loop keeps its connection to SQLite, and each of its transactions has a new snapshot."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db import Database
from app.driver import DriverSelect
from app.errors import DatabaseUnavailableError, NotFoundError
from app.queries.rows import Row, Statement
from models import Product
from models.base import table
from tests.support import factories
from tests.support.servers import SqliteStore, open_database

TABLE = table(Product)


class ReadStockRow(Row):
    stock: int


SELECT = sa.select(TABLE.c.stock).where(TABLE.c.id == sa.bindparam("own_id"))
STATEMENT = Statement(ReadStockRow, SELECT)
Read = Callable[[Session, str], int]
BY_DRIVER: Read = lambda session, product: STATEMENT.one(session, {"own_id": product}).stock  # noqa: E731 - a table
BY_SQLALCHEMY: Read = lambda session, product: session.get_one(Product, product).stock  # noqa: E731
READS = [BY_DRIVER, BY_SQLALCHEMY]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = open_database(SqliteStore(tmp_path).create("reading"))
    yield database
    database.dispose()


@pytest.fixture
def product(sqlite: Database) -> str:
    return factories.product(sqlite, factories.tenant(sqlite).company_id, stock=1)


def set_stock(database: Database, product: str, stock: int) -> None:
    with database.transaction(write=True) as session:
        session.get_one(Product, product).stock = stock


def driver(database: Database) -> Any:
    """Return the connection that the next transaction of the event loop uses."""
    with database.transaction(is_on_loop=True) as session:
        return session.connection().connection.driver_connection


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("read_again", READS)
def test_every_transaction_reads_what_was_committed_before(
    sqlite: Database, product: str, read: Read, read_again: Read
) -> None:
    first = driver(sqlite)
    for stock in (2, 3):
        set_stock(sqlite, product, stock)
        with sqlite.transaction(is_on_loop=True) as session:
            assert read(session, product) == stock
            assert read_again(session, product) == stock
        assert not first.in_transaction
    assert driver(sqlite) is first


@pytest.mark.parametrize(("read", "is_in_transaction"), [(BY_DRIVER, False), (BY_SQLALCHEMY, True)])
def test_a_statement_of_the_driver_needs_no_transaction(
    sqlite: Database, product: str, read: Read, *, is_in_transaction: bool
) -> None:
    connection = driver(sqlite)
    with sqlite.transaction(is_on_loop=True) as session:
        read(session, product)
        assert connection.in_transaction == is_in_transaction
        set_stock(sqlite, product, 9)
        session.expire_all()
        assert read(session, product) == (1 if is_in_transaction else 9)


def test_engines_have_no_listeners_which_would_slow_every_statement(sqlite: Database) -> None:
    with sqlite.transaction(write=True) as writing, sqlite.transaction() as reading:
        engines = [writing.get_bind().engine, reading.get_bind().engine, sqlite.reading_engine(is_on_loop=True)]
        assert [engine._has_events for engine in engines] == [False] * 3  # noqa: SLF001 - as SQLAlchemy asks


@pytest.mark.parametrize("read", READS)
def test_a_transaction_that_fails_leaves_nothing(sqlite: Database, product: str, read: Read) -> None:
    first = driver(sqlite)
    with contextlib.suppress(NotFoundError), sqlite.transaction(is_on_loop=True) as session:
        read(session, product)
        raise NotFoundError("Product")
    with contextlib.suppress(OperationalError), sqlite.transaction(is_on_loop=True) as session:
        read(session, product)
        session.execute(sa.text("SELECT missing FROM products"))

    assert not first.in_transaction
    set_stock(sqlite, product, 2)
    with sqlite.transaction(is_on_loop=True) as session:
        assert read(session, product) == 2
    assert driver(sqlite) is first


def test_selects_in_separate_transactions_use_it_too(sqlite: Database, product: str) -> None:
    first = driver(sqlite)
    select = DriverSelect(sqlite.reading_engine(is_on_loop=True), SELECT)
    for stock in (2, 3):
        set_stock(sqlite, product, stock)
        assert select.rows({"own_id": product}) == [(stock,)]
    assert driver(sqlite) is first


def test_a_connection_that_fails_is_replaced(sqlite: Database, product: str) -> None:
    first = driver(sqlite)
    first.close()
    select = DriverSelect(sqlite.reading_engine(is_on_loop=True), SELECT)

    assert select.rows({"own_id": product}) is None
    assert select.rows({"own_id": product}) == [(1,)]
    assert driver(sqlite) is not first


def test_the_event_loop_has_one_connection_and_does_not_wait_for_it(sqlite: Database) -> None:
    driver(sqlite)
    with sqlite.transaction(is_on_loop=True) as session:
        session.connection()
        with pytest.raises(DatabaseUnavailableError), sqlite.transaction(is_on_loop=True) as other:
            other.connection()


def test_the_connection_is_closed_with_the_database(sqlite: Database) -> None:
    first = driver(sqlite)
    sqlite.dispose()

    with pytest.raises(first.ProgrammingError, match="closed"):
        first.execute("SELECT 1")
