"""SQLAlchemy's dialect for PostgreSQL, for direct connections and for poolers such as PgBouncer.

1. In transaction mode a pooler lends a connection to many clients, one transaction each, and may drop or refuse startup
   options. So nothing depends on the session: every transaction begins with all settings that a value or a time limit
   depends on, in the same message as BEGIN.
2. On a direct connection, the session has these settings, and statements are prepared. A statement that reads is a
   separate transaction, without BEGIN.

Not in this module: pools and transactions (`app/db.py`).
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine

from app.clock import LOCK_AND_SELECT_TIME
from app.compiled import Parameters, Processor, Tuple, Values
from app.driver_errors import BUSY_SECONDS
from app.pipeline import TEXT_TYPES, PipelineConnection, PipelineDialect, driver_of
from app.reading import begin, raising

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
TIME_LIMITS = {  # in milliseconds
    "statement_timeout": "8000",
    "lock_timeout": f"{BUSY_SECONDS * 1000}",
    "idle_in_transaction_session_timeout": "60000",
}
PREPARE_THRESHOLD = 5  # executions; psycopg's default
FIXED_SETTINGS = {"timezone": "UTC", "datestyle": "ISO", "standard_conforming_strings": "on"}
READING = {"default_transaction_isolation": "read committed", "default_transaction_read_only": "on"}  # without BEGIN
OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|[^\\\s])*)\s*")  # of libpq's `options`
LOST_CODES = ("08", "25006", "25P03", "25P04", "57P")  # connection failure, read-only server, time-out, operator
# The schema that has our tables, readable by this role; if there are several, the first one in the search path.
SELECT_SCHEMA_OF_TABLES = """
    SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace AS schema
    WHERE pg_catalog.has_schema_privilege(schema.oid, 'USAGE') AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class
        WHERE relnamespace = schema.oid AND relname IN ('alembic_version', 'api_keys') AND relkind = 'r'
        AND pg_catalog.has_table_privilege(pg_class.oid, 'SELECT')) = 2
    ORDER BY pg_catalog.array_position(pg_catalog.current_schemas(false), nspname)
    LIMIT 1
"""
# The functions that read the values of the types that stay texts.
TEXT_READERS: Mapping[str, Processor] = dict(zip(TEXT_TYPES, (datetime.fromisoformat, Decimal), strict=True))
SELECT_CURRENT_SCHEMA = "SELECT pg_catalog.quote_ident(coalesce(pg_catalog.current_schema(), 'public'))"
DriverConnection = psycopg.Connection[Tuple]
Ping = Callable[[PipelineConnection], None]


class Dialect(PipelineDialect):
    """The dialect for psycopg, with a BEGIN that has all settings and also tests whether the connection is alive.

    `is_direct` says whether all connections are direct. They have one URL, so they usually agree.
    """

    supports_statement_cache = True
    is_direct = True
    _begin = _session_settings = ""  # until the first connection is initialized
    _thread = threading.local()
    text_readers: ClassVar[Mapping[int, Processor]] = {
        psycopg.adapters.types[name].oid: reader for name, reader in TEXT_READERS.items()
    }

    def create_connect_args(self, url: URL) -> tuple[Any, Any]:
        """Keep the parameters of the URL. Its `options` are set in each transaction, because a pooler may drop them."""
        options = " ".join(url.normalized_query.get("options", ()))
        self._given = dict(OPTION.findall(options))
        arguments, parameters = super().create_connect_args(url.difference_update_query(["options"]))  # type: ignore[no-untyped-call]
        if remainder := OPTION.sub("", options):
            parameters["options"] = remainder
        parameters.setdefault("connect_timeout", BUSY_SECONDS)
        return arguments, parameters | {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}

    def on_connect(self) -> Callable[[Any], None]:
        """Find out whether the connection is direct. Preparing statements reduces the cost of an order by a sixth."""
        prepare = super().on_connect()  # type: ignore[no-untyped-call]

        def on_connect(connection: DriverConnection) -> None:
            prepare(connection)
            (process_id,) = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchall()[0]
            if process_id == connection.info.backend_pid:  # a pooler reports identifiers that it made up
                connection.prepare_threshold = PREPARE_THRESHOLD
                self._set_up(connection)
            else:
                self.is_direct = False

        return on_connect

    def initialize(self, connection: Connection) -> None:
        """Find the schema once, before the first transaction."""
        super().initialize(connection)  # type: ignore[no-untyped-call]
        schema = connection.exec_driver_sql(SELECT_SCHEMA_OF_TABLES).scalar()
        schema = schema or connection.exec_driver_sql(SELECT_CURRENT_SCHEMA).scalar_one()
        self._begin = "; ".join([BEGIN, *_settings(schema, self._given, is_local=True)])
        self._session_settings = "; ".join(
            [BEGIN, "COMMIT", *_settings(schema, self._given, is_local=False), *_set(READING)]
        )
        if self.is_direct:
            self._set_up(connection.connection.driver_connection)  # type: ignore[arg-type]  # psycopg's

    def _set_up(self, connection: DriverConnection) -> None:
        """Give the session all settings. Raises ReadOnlySqlTransaction on a standby, which refuses BEGIN."""
        if self._session_settings:
            try:
                _execute_begin(connection, self._session_settings)
            except psycopg.Error:
                connection.close()
                raise

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Begin the next transaction: if that works, the connection is alive, and the test costs no extra message."""
        ping: Ping = getattr(self._thread, "ping", self.do_begin)
        ping(dbapi_connection)
        return True

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction unless the ping already did."""
        if dbapi_connection.pgconn.transaction_status == TransactionStatus.IDLE:
            _execute_begin(dbapi_connection, BEGIN if self.is_direct else self._begin)

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Roll back, which every connection does that returns to the pool."""
        if dbapi_connection.pgconn.transaction_status != TransactionStatus.IDLE:
            dbapi_connection.rollback()

    def connect_to_read(self, engine: Engine) -> Connection:
        """Return a connection whose next statement reads, in a transaction only if the settings require one.

        A direct connection may be lost: nothing has tested it. Raises what SQLAlchemy raises.
        """
        with self.without_ping() if self.is_direct else nullcontext():
            connection = engine.connect()
        if not self.is_direct:
            begin(connection)
        return connection

    def connect_to_write(self, engine: Engine) -> Connection:
        """Return a connection in a transaction that has taken its time, in one message. Raises what SQLAlchemy raises.

        The time is `started_ms` of the driver's connection.
        """
        with self._pinging(self._begin_write):
            connection = engine.connect()
        driver = driver_of(connection)
        if driver.pgconn.transaction_status == TransactionStatus.IDLE:  # a new connection, which nothing has tested
            with raising(connection):
                self._begin_write(driver)
        return connection

    def _begin_write(self, connection: PipelineConnection) -> None:
        begin = BEGIN if self.is_direct else self._begin
        connection.started_ms = _last_number(_execute_begin(connection, f"{begin}; {LOCK_AND_SELECT_TIME}"))

    def without_ping(self) -> AbstractContextManager[None]:
        """Let this thread take a connection from the pool without a message to the server."""
        return self._pinging(lambda _connection: None)

    @contextmanager
    def _pinging(self, ping: Ping) -> Iterator[None]:
        """Test connections that this thread takes from the pool with `ping`."""
        self._thread.ping = ping
        try:
            yield
        finally:
            del self._thread.ping

    def read_at_once(self, dbapi_connection: DriverConnection, text: str, parameters: Parameters) -> Values:
        """Return the rows of a select in a separate transaction with all settings, in one message."""
        if self.is_direct:
            return dbapi_connection.execute(text.encode(), parameters).fetchall()
        cursor = psycopg.ClientCursor(dbapi_connection)  # binds the parameters, because the text has several statements
        cursor.execute(f"{self._begin.replace('%', '%%')}; {text}; ROLLBACK".encode(), parameters)
        rows: Values = []
        is_last = False
        while not is_last:  # the results before that of the select are those of settings
            rows = rows if cursor.description is None else cursor.fetchall()
            is_last = not cursor.nextset()
        return rows

    def execute_alone(self, dbapi_connection: DriverConnection, text: str) -> None:
        """Execute a statement that changes the schema outside of a transaction, without a time limit."""
        if not self.is_direct:
            dbapi_connection.execute(text.encode(), prepare=False)
            return
        dbapi_connection.execute("RESET ALL", prepare=False)
        try:
            dbapi_connection.execute(text.encode(), prepare=False)
        finally:
            self._set_up(dbapi_connection)

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Return True if the whole pool must be replaced: the server is gone, or has become read-only."""
        if str(getattr(e, "sqlstate", None)).startswith(LOST_CODES):
            return True
        return super().is_disconnect(e, connection, cursor)  # type: ignore[no-any-return, no-untyped-call]

    def _set_backslash_escapes(self, _connection: Connection) -> None:
        """Do nothing: `standard_conforming_strings` is on in every transaction."""


def _last_number(cursor: psycopg.Cursor[Tuple]) -> int:
    """Return the number that the last one of several statements has selected."""
    while cursor.nextset():
        pass
    number: int = cursor.fetchall()[0][0]
    return number


def _execute_begin(connection: DriverConnection, text: str) -> psycopg.Cursor[Tuple]:
    """Execute a text that begins a transaction, and return its cursor."""
    try:
        return connection.execute(text.encode(), prepare=False)
    except psycopg.errors.FeatureNotSupported as error:  # a standby refuses READ WRITE
        raise psycopg.errors.ReadOnlySqlTransaction(str(error)) from error


def _settings(schema: str, given: dict[str, str], *, is_local: bool) -> list[str]:
    """Return statements for all settings: those of the URL first, then those that the URL cannot change."""
    scope = "LOCAL" if is_local else "SESSION"
    options = [
        f"SELECT pg_catalog.set_config({_literal(name)}, {_literal(given[name])}, {str(is_local).lower()})"
        for name in given
    ]
    return [
        f"SET {scope} search_path = {schema}",
        *_set(TIME_LIMITS, scope),
        *options,
        *_set(FIXED_SETTINGS, scope),
    ]


def _set(settings: dict[str, str], scope: str = "SESSION") -> list[str]:
    return [f"SET {scope} {name} = '{value}'" for name, value in settings.items()]


def _literal(text: str) -> str:
    """Quote a value of `options`, in which a backslash escapes the next character."""
    plain = re.sub(r"\\(.)", r"\1", text)
    return "E'" + plain.replace("\\", "\\\\").replace("'", "''") + "'"
