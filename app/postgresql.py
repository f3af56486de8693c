"""How SQLAlchemy talks to PostgreSQL, so that any way to it works: direct, or through a pooler such as PgBouncer.

In transaction mode a pooler lends a connection for one transaction only, after and before other clients, and it may
drop or refuse start-up options. So nothing depends on the session: each transaction begins with every setting that a
value or a time limit depends on, in the same message as BEGIN, and statements are prepared only where no pooler is.
Not here: pools and transactions (`app/db.py`).
"""

import re
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from app.db import BUSY_SECONDS

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
LIMITS = {
    "statement_timeout": "8000",
    "lock_timeout": f"{BUSY_SECONDS * 1000}",
    "idle_in_transaction_session_timeout": "60000",
}
PREPARE_AFTER = 5  # executions, psycopg's default
FIXED = {"timezone": "UTC", "datestyle": "ISO", "standard_conforming_strings": "on"}
OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\\\s])*)\s*")  # of libpq's `options`
LOST = ("08", "25006", "25P03", "25P04", "57P")  # connection fault, read-only server, ended by time-out or operator
# The schema that has our tables, the one in the search path if there are several; not what belongs to another role.
SCHEMA = """
    SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace AS schema
    WHERE pg_catalog.has_schema_privilege(schema.oid, 'USAGE') AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class
        WHERE relnamespace = schema.oid AND relname IN ('alembic_version', 'api_keys') AND relkind = 'r'
        AND pg_catalog.has_table_privilege(pg_class.oid, 'SELECT')) = 2
    ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(false), nspname)
    LIMIT 1
"""
CURRENT_SCHEMA = "SELECT pg_catalog.quote_ident(coalesce(pg_catalog.current_schema(), 'public'))"


class Dialect(PGDialect_psycopg):
    """The dialect for psycopg, with a BEGIN of our own that also is the test whether a connection is alive."""

    supports_statement_cache = True

    def create_connect_args(self, url: URL) -> tuple[Any, Any]:
        """Keep the parameters of the URL; set its `options` in each transaction, since a pooler may drop them."""
        options = " ".join(url.normalized_query.get("options", ()))
        self._given = dict(OPTION.findall(options))
        arguments, parameters = super().create_connect_args(url.difference_update_query(["options"]))  # type: ignore[no-untyped-call]
        if remainder := OPTION.sub("", options):
            parameters["options"] = remainder
        parameters.setdefault("connect_timeout", BUSY_SECONDS)
        return arguments, parameters | {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}

    def on_connect(self) -> Callable[[Any], None]:
        """Let statements be prepared on a direct connection; on PostgreSQL an order costs a sixth less then."""
        prepare = super().on_connect()  # type: ignore[no-untyped-call]

        def on_connect(connection: Any) -> None:
            prepare(connection)
            process_id = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()[0]
            if process_id == connection.info.backend_pid:  # a pooler gives out identifiers of its own
                connection.prepare_threshold = PREPARE_AFTER

        return on_connect

    def initialize(self, connection: Connection) -> None:
        """Look at the database once, before the first transaction."""
        super().initialize(connection)  # type: ignore[no-untyped-call]
        schema = connection.exec_driver_sql(SCHEMA).scalar() or connection.exec_driver_sql(CURRENT_SCHEMA).scalar_one()
        self._begin = _begin(schema, self._given)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Begin the transaction that follows: a connection that can is alive, and no message is spent on the test."""
        self.do_begin(dbapi_connection)
        return True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction unless the test of the connection did."""
        if dbapi_connection.pgconn.transaction_status != TransactionStatus.IDLE:
            return
        try:
            dbapi_connection.execute(self._begin, prepare=False)
        except psycopg.errors.FeatureNotSupported as error:  # what a standby says of READ WRITE
            raise psycopg.errors.ReadOnlySqlTransaction(str(error)) from error

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Throw away, with all others of the pool, a connection to a server that will not write again."""
        if str(getattr(e, "sqlstate", None)).startswith(LOST):
            return True
        return super().is_disconnect(e, connection, cursor)  # type: ignore[no-any-return, no-untyped-call]

    def _set_backslash_escapes(self, _connection: Connection) -> None:
        """Leave literals as they are: `standard_conforming_strings` is on in each transaction."""


def _begin(schema: str, given: dict[str, str]) -> str:
    """Return BEGIN with all settings: those of the URL before those that values depend on, which nothing changes."""
    settings = [BEGIN, f"SET LOCAL search_path = {schema}", *_set_locally(LIMITS)]
    settings += [f"SELECT pg_catalog.set_config({_literal(name)}, {_literal(given[name])}, true)" for name in given]
    return "; ".join([*settings, *_set_locally(FIXED)])


def _set_locally(settings: dict[str, str]) -> list[str]:
    return [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]


def _literal(text: str) -> str:
    """Quote a word of `options`, in which a backslash takes the next character as it is."""
    plain = re.sub(r"\\(.)", r"\1", text)
    return "E'" + plain.replace("\\", "\\\\").replace("'", "''") + "'"
