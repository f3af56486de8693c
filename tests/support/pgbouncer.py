"""A real PgBouncer in front of a test's PostgreSQL server, in transaction mode and otherwise with its defaults."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.support import waiting
from tests.support.debian import program
from tests.support.servers import PostgresqlStore, free_port

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
{more}
"""
# Settings of a role, a database, or another client of the same connection: results must not depend on them.
ADVERSE = {
    "timezone": "Europe/Berlin",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "search_path": "elsewhere",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "client_encoding": "LATIN1",
    "transform_null_equals": "on",
    "statement_timeout": "0",
    "lock_timeout": "0",
}
# Another program may have a table and a version table with the same names.
DECOYS = (
    "CREATE SCHEMA elsewhere",
    "CREATE TABLE elsewhere.products (LIKE public.products)",
    "CREATE TABLE elsewhere.alembic_version (version_num text)",
)


@contextlib.contextmanager
def pgbouncer(url: str, **settings: str) -> Iterator[str]:
    """Yield a URL that connects to the database of `url` through PgBouncer."""
    upstream, own_port = sa.make_url(url), free_port()
    host = upstream.query["host"]
    assert isinstance(host, str)
    with tempfile.TemporaryDirectory(prefix="distribu-pgbouncer-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # for PgBouncer, which does not run as root
        more = "\n".join(f"{key} = {value}" for key, value in settings.items())
        (directory / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                host=host, port=upstream.port or 5432, user=upstream.username, own_port=own_port, more=more
            )
        )
        command = [program("pgbouncer", "pgbouncer"), "pgbouncer.ini"]
        log_file = directory / "log"
        with (
            log_file.open("wb") as log,
            waiting.process(command, cwd=directory, stdout=log, stderr=log, **_owner(Path(host))) as process,
        ):
            waiting.until_it_listens(process, own_port, log_file)
            yield upstream.set(host="127.0.0.1", port=own_port, query={}).render_as_string(hide_password=False)
            waiting.end(process)


class PgBouncerStore(PostgresqlStore):
    """Fresh migrated databases with adverse settings, behind PgBouncer."""

    def __init__(self) -> None:
        super().__init__()
        self._pooler = contextlib.ExitStack()
        self._pooled = sa.make_url(self._pooler.enter_context(pgbouncer(self.url_of("postgres"))))

    def create(self, name: str) -> str:
        """Return the URL of a fresh database behind PgBouncer."""
        super().create(name)
        settings = [f"ALTER DATABASE {name} SET {setting} = '{value}'" for setting, value in ADVERSE.items()]
        self.execute_in(name, *DECOYS, *settings)
        return self._pooled.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        """Stop PgBouncer and PostgreSQL."""
        self._pooler.close()
        super().close()


def _owner(sockets: Path) -> dict[str, Any]:
    """Return options that run a program as the owner of the server's socket: only the owner may connect."""
    owner = sockets.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
