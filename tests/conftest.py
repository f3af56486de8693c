"""Servers that all tests share. Every test of the API runs on SQLite and on a real PostgreSQL."""

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
# Modules that also run through PgBouncer. Together they execute every kind of statement.
POOLED = {
    "test_orders",
    "test_idempotency",
    "test_reports",
    "test_imports",
    "test_deliveries",
    "test_schema_version",
    "test_clock",
}
NAMES = itertools.count(1)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored when a shell started the tests in the background
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # commands start twice as fast with bytecode
for name in [name for name in os.environ if name.startswith("DISTRIBU_")]:
    del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the modules in POOLED through PgBouncer, and no others."""
    items[:] = [item for item in items if item.path.stem in POOLED or "[pgbouncer" not in item.name]


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> SqliteStore:
    """Return a store of fresh SQLite databases, for tests of what does not depend on the database."""
    return SqliteStore(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session", params=BACKENDS)
def store(request: pytest.FixtureRequest, sqlite_store: SqliteStore) -> Iterator[SqliteStore | PostgresqlStore]:
    """Return a store of fresh databases of one kind."""
    if request.param == "sqlite":
        yield sqlite_store
        return
    try:
        postgresql = PgBouncerStore() if request.param == "pgbouncer" else PostgresqlStore()
    except Exception as error:  # noqa: BLE001 - without PostgreSQL, half of the tests cannot run
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
    """Run one server for all tests that need nothing but a new company."""
    log = tmp_path_factory.mktemp("server") / "log"
    with Server(store.create("shared"), log, "--no-worker", sqlite_synchronous="NORMAL") as server:
        yield server


@pytest.fixture(scope="session")
def database(server: Server) -> Iterator[Database]:
    """Return the database of the shared server."""
    database = open_database(server.database_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Return the contract that every response is checked against."""
    return Contract(spec.document())


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """Return a new company."""
    return factories.tenant(database)


@pytest.fixture
def client(server: Server, tenant: Tenant, contract: Contract) -> Iterator[Client]:
    """Return a client whose key has every scope in its company."""
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
