"""The servers that all tests share. Every test of the API runs on SQLite and on a real PostgreSQL."""

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import spec
from app.db import Database
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.pgbouncer import PgBouncerStore
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

BACKENDS = ("sqlite", "postgresql", "pgbouncer")
# Modules whose tests run through PgBouncer too: together they execute every kind of statement.
POOLED = {"test_orders", "test_idempotency", "test_reports", "test_imports", "test_deliveries", "test_schema_version"}
NAMES = itertools.count(1)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it runs in the background ignore it
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the commands that tests run start twice as fast with bytecode
for name in [name for name in os.environ if name.startswith("DISTRIBU_")]:
    del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave PgBouncer to the modules in POOLED."""
    items[:] = [each for each in items if each.path.stem in POOLED or "[pgbouncer" not in each.name]


@pytest.fixture(scope="session", params=BACKENDS)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqliteStore | PostgresqlStore]:
    """Make fresh databases of one kind."""
    if request.param == "sqlite":
        yield SqliteStore(tmp_path_factory.mktemp("sqlite"))
        return
    try:
        postgresql = PgBouncerStore() if request.param == "pgbouncer" else PostgresqlStore()
    except Exception as error:  # noqa: BLE001 - whatever it is, half of the tests cannot run
        pytest.fail(f"PostgreSQL did not start, so half of the tests cannot run: {error}", pytrace=False)
    yield postgresql
    postgresql.close()


@pytest.fixture
def database_url(store: SqliteStore | PostgresqlStore) -> Iterator[str]:
    """Return the URL of a fresh, migrated, empty database."""
    url = store.create(f"fresh_{next(NAMES)}")
    yield url
    store.drop(url)


@pytest.fixture
def fresh_database(database_url: str) -> Iterator[Database]:
    """Return a fresh, migrated, empty database."""
    database = open_database(database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def server(store: SqliteStore | PostgresqlStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one server for all tests that only need a company of their own."""
    log = tmp_path_factory.mktemp("server") / "log"
    with Server(store.create("shared"), log, "--no-worker") as server:
        yield server


@pytest.fixture(scope="session")
def database(server: Server) -> Iterator[Database]:
    """Return the database of the shared server."""
    database = open_database(server.database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Return what answers are held against."""
    return Contract(spec.document())


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """Return a company of its own."""
    return factories.tenant(database)


@pytest.fixture
def client(server: Server, tenant: Tenant, contract: Contract) -> Iterator[Client]:
    """Return a client with a key for everything in its company."""
    with Client(server.url, tenant.key, contract) as client:
        yield client


@pytest.fixture
def anonymous(server: Server, contract: Contract) -> Iterator[Client]:
    """Return a client without a key."""
    with Client(server.url, None, contract) as client:
        yield client


@pytest.fixture
def root() -> Path:
    """Return the directory of the project."""
    return Path(__file__).resolve().parents[1]
