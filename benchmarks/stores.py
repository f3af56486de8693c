"""What is measured: the real server, on a file or on a real PostgreSQL, with one company and a key for it."""

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
HOUSEKEEPING = {"sqlite": ["PRAGMA wal_checkpoint(TRUNCATE)"], "postgresql": ["VACUUM ANALYZE", "CHECKPOINT"]}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server that runs, its database, and the company whose data it serves."""

    name: str
    database: Database
    tenant: Tenant
    target: Target


@contextmanager
def site(name: str) -> Iterator[Site]:
    """Yield a fresh site on a database of a kind in NAMES; nothing of it remains afterwards."""
    with TemporaryDirectory(prefix="distribu-benchmark-") as temporary:
        directory = Path(temporary)
        with (
            _migrated(name, directory) as url,
            _opened(url) as database,
            Server(url, directory / "log", "--no-worker") as server,
        ):
            tenant = factories.tenant(database)
            yield Site(name=name, database=database, tenant=tenant, target=_target(server, database, tenant))


def setting(url: sa.URL) -> str:
    """Return a URL as DISTRIBU_DATABASE_URL takes it: without the driver."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)


def settle(database: Database) -> None:
    """Do now what the database would do by and by, during the measurement."""
    engine = sa.create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in HOUSEKEEPING[database.url.get_backend_name()]:
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
    """Return the process that all others of the database server come from."""
    with database.transaction() as session:
        return measure.parent(session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
