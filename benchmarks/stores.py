"""Deployments to measure: the real server on SQLite or on a real PostgreSQL, with one company and an API key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from app.db import Database
from benchmarks import measure
from benchmarks.measure import Target
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.servers import PostgresqlStore, Server, SqliteStore, open_database

NAMES = ("sqlite", "postgresql")
MAINTENANCE = {"sqlite": ["PRAGMA wal_checkpoint(TRUNCATE)"], "postgresql": ["VACUUM ANALYZE", "CHECKPOINT"]}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A running server, its database, and the company whose data it serves."""

    name: str
    database: Database
    tenant: Tenant
    target: Target


@contextmanager
def deployment(name: str) -> Iterator[Deployment]:
    """Yield a new deployment on a database in NAMES, and remove it afterwards."""
    with TemporaryDirectory(prefix="distribu-benchmark-") as temporary:
        directory = Path(temporary)
        with (
            _migrated(name, directory) as url,
            _opened(url) as database,
            Server(url, directory / "log", "--no-worker") as server,
        ):
            tenant = factories.tenant(database)
            yield Deployment(name=name, database=database, tenant=tenant, target=_target(server, database, tenant))


def setting(url: sa.URL) -> str:
    """Return a URL for DISTRIBU_DATABASE_URL: without the driver."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


def settle(database: Database) -> None:
    """Run the maintenance that the database would otherwise do during the measurement."""
    engine = sa.create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in MAINTENANCE[database.url.get_backend_name()]:
            connection.execute(sa.text(statement))
    engine.dispose()


@contextmanager
def _migrated(name: str, directory: Path) -> Iterator[str]:
    if name == "sqlite":
        yield SqliteStore(directory).create("benchmark")
        return
    store = PostgresqlStore()
    try:
        yield store.create("benchmark")
    finally:
        store.close()


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.dispose()


def _target(server: Server, database: Database, tenant: Tenant) -> Target:
    assert server.process is not None  # it is started
    pid = None if database.is_sqlite else _postgresql_process(database)
    return Target(port=server.port, key=tenant.key, server_pid=server.process.pid, database_pid=pid)


def _postgresql_process(database: Database) -> int:
    """Return the parent of all processes of the database server."""
    with database.transaction() as session:
        return measure.parent(session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
