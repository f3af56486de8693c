"""PostgreSQL over direct and pooled connections: no value and no statement depends on the session of a pooler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.exc import DBAPIError

from app import schema_check, schema_version
from app.compiled import Values
from app.db import Database
from app.driver import DriverSelect, DriverStatement, connection_of
from app.errors import DatabaseUnavailableError, StartError
from models import Base
from tests.support import factories, local_http
from tests.support.pgbouncer import pgbouncer
from tests.support.servers import PostgresqlStore, Server, open_database

LATE = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
pytestmark = pytest.mark.parametrize("store", ["postgresql"], indirect=True)


@pytest.fixture
def direct(store: PostgresqlStore) -> Iterator[str]:
    """Return the URL of a fresh database in another time zone."""
    url = store.create("berlin")
    for setting in ("timezone = 'Europe/Berlin'", "default_transaction_isolation = serializable"):
        store.execute_in("berlin", f"ALTER DATABASE berlin SET {setting}")
    yield url
    store.drop(url)


@pytest.fixture(params=["direct", "pooled"])
def url(request: pytest.FixtureRequest, direct: str) -> Iterator[str]:
    """Return a URL of the same database, in the second run through a pooler that drops startup options."""
    if request.param == "direct":
        yield direct
        return
    with pgbouncer(direct, ignore_startup_parameters="options") as pooled:
        yield pooled


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.dispose()


def dump(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table."""
    with database.transaction() as session:
        tables = Base.metadata.sorted_tables
        return {
            table.name: [tuple(row) for row in session.execute(sa.select(table).order_by(table.c.id))]
            for table in tables
        }


def with_query(url: str, **query: str) -> str:
    return sa.make_url(url).update_query_dict(query).render_as_string(hide_password=False)


def settings_of(url: str, *names: str) -> list[str]:
    with opened(url) as database, database.transaction() as session:
        return [session.scalars(sa.text(f"SHOW {name}")).one() for name in names]


def test_an_order_late_in_the_day_is_in_the_report_of_that_day(url: str, tmp_path: Path) -> None:
    with opened(url) as database:
        tenant = factories.tenant(database)
        (order,) = factories.history(database, tenant.company_id, [{"created_at": LATE, "total": Decimal("2.50")}])
    headers = {"Authorization": f"Bearer {tenant.key}"}
    with (
        Server(url, tmp_path / "log", "--no-worker") as server,
        local_http.client(base_url=server.url + "/api/v1", headers=headers, timeout=60) as http,
    ):
        shown = http.get(f"/orders/{order}").json()["data"]
        period = {"from": "2026-06-30", "to": "2026-06-30T23:59:59.999Z"}
        report = http.get("/reports/sales", params=period).json()["data"]

    assert shown["createdAt"] == "2026-06-30T23:30:00.000Z"
    assert report["daily"] == [{"date": "2026-06-30", "orderCount": 1, "revenue": 2.5}]


def test_time_limits_hold(url: str) -> None:
    assert settings_of(url, *LIMITS) == ["8s", "5s", "1min"]
    with opened(url) as database, database.connection() as holder:
        holder.exec_driver_sql("LOCK TABLE products")
        with pytest.raises(DatabaseUnavailableError) as refusal, database.transaction() as session:
            session.execute(sa.text("SELECT count(*) FROM products"))
    assert "lock timeout" in str(refusal.value.__cause__)


def test_settings_of_another_client_of_a_pooler_have_no_effect(direct: str) -> None:
    changes = ("search_path = ''", "default_transaction_read_only = on", "default_transaction_isolation = serializable")
    with pgbouncer(direct, default_pool_size="1") as pooled:
        with psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as other:
            for change in changes:
                other.execute(f"SET {change}")
        with opened(pooled) as database:
            tenant = factories.tenant(database)
            assert factories.product(database, tenant.company_id)
            assert settings_of(pooled, "transaction_isolation", "search_path") == ["read committed", "public"]
            with database.connection() as connection:
                left = connection.exec_driver_sql("SHOW default_transaction_read_only").scalar_one()
    assert left == "on"  # it was the same connection


@pytest.mark.parametrize(("way", "prepares"), [("direct", True), ("pooled", False)])
def test_statements_are_prepared_only_on_a_direct_connection(direct: str, way: str, *, prepares: bool) -> None:
    with pgbouncer(direct) as pooled, opened(pooled if way == "pooled" else direct) as database:
        for _ in range(3):
            with database.connection() as connection:
                for number in range(4):
                    connection.execute(sa.text("SELECT CAST(:number AS integer)"), {"number": number})
                count = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()

    assert (count > 0) is prepares


def test_parameters_of_the_url_are_kept(url: str) -> None:
    options = (
        r"-c work_mem=7MB --search_path=shop,public -c statement_timeout=1234 -ctimezone=Asia/Tokyo -c a.b=it\'s\ on"
    )
    given = with_query(url, options=options, application_name="Till 4")

    names = ("work_mem", "search_path", "statement_timeout", "timezone", "a.b", "application_name")
    assert settings_of(given, *names) == ["7MB", "shop,public", "1234ms", "UTC", "it's on", "Till 4"]


def test_an_option_of_the_whole_session_is_sent_to_the_server(direct: str) -> None:
    given = with_query(direct, options="-c work_mem=7MB -W 0")

    assert settings_of(given, "work_mem", "post_auth_delay") == ["7MB", "0"]


def test_tables_are_found_in_any_schema(store: PostgresqlStore) -> None:
    url = store.create_empty("own_schema")
    store.execute_in("own_schema", 'CREATE SCHEMA "My shop"', "CREATE SCHEMA elsewhere")
    store.execute_in("own_schema", """ALTER DATABASE own_schema SET search_path = 'My shop'""")
    with opened(url) as database:
        schema_version.upgrade(database)
        tenant = factories.tenant(database)
    store.execute_in("own_schema", "ALTER DATABASE own_schema SET search_path = elsewhere")
    with opened(url) as database:
        schema_check.check(database)
        assert schema_version.upgrade(database).before is not None
        factories.product(database, tenant.company_id)
    store.drop(url)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.parametrize("use", [schema_version.upgrade, schema_check.check])
def test_a_database_that_is_not_utf_8_is_refused_in_one_line(
    store: PostgresqlStore, encoding: str, use: Callable[[Database], object]
) -> None:
    url = store.create_empty("encoded", encoding)
    with opened(url) as database:
        with pytest.raises(StartError) as refusal:
            use(database)
        with database.connection() as connection:
            tables = sa.inspect(connection).get_table_names()
    store.drop(url)

    message = str(refusal.value)
    assert f"has the encoding {encoding}" in message
    assert "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0" in message
    assert "\n" not in message
    assert tables == []


def restore_by_psql(source: str, target: str) -> None:
    dump = PostgresqlStore.program("pg_dump", "--data-only", "--exclude-table=alembic_version", source)
    PostgresqlStore.program("psql", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", target, content=dump)


def restore_by_pg_restore(source: str, target: str) -> None:
    dump = PostgresqlStore.program("pg_dump", "-Fc", "--data-only", "--exclude-table=alembic_version", source)
    PostgresqlStore.program("pg_restore", "--data-only", "--exit-on-error", "-d", target, content=dump)


def restore_everything(source: str, target: str) -> None:
    dump = PostgresqlStore.program("pg_dump", "-Fc", source)
    PostgresqlStore.program("pg_restore", "--clean", "--exit-on-error", "-d", target, content=dump)


@pytest.mark.parametrize("restore", [restore_by_psql, restore_by_pg_restore, restore_everything])
def test_a_restored_database_has_every_row_and_search_finds_them(
    store: PostgresqlStore, restore: Callable[[str, str], None]
) -> None:
    source, target = store.create("source"), store.create("target")
    with opened(source) as database:
        tenant = factories.tenant(database)
        customer = factories.customer(database, tenant.company_id, name="Harbour Grill")
        product = factories.product(database, tenant.company_id, name="Gouda")
        factories.orders(database, tenant.company_id, customer, 2)
        saved = dump(database)
    restore(source, target)
    with opened(target) as database:
        assert schema_version.upgrade(database).has_search_index
        assert dump(database) == saved
        added = factories.product(database, tenant.company_id, name="Old Gouda")
        with database.transaction() as session:
            found = session.scalars(sa.text("SELECT id FROM search_products WHERE search_text LIKE '%gouda%'")).all()
        assert sorted(found) == [product, added]
        with pytest.raises(DBAPIError, match="append-only"), database.transaction(write=True) as session:
            session.execute(sa.text("DELETE FROM audit_entries"))
    store.drop(source)
    store.drop(target)


def test_tables_of_another_role_are_not_used(store: PostgresqlStore) -> None:
    with store.restricted("second") as url:
        with opened(store.url_of("second")) as database:
            schema_version.upgrade(database)
        store.execute_in("second", "CREATE SCHEMA second AUTHORIZATION second")
        with opened(url) as database:
            assert schema_version.upgrade(database).before is None
            factories.tenant(database)
            assert settings_of(url, "search_path") == ["second"]


def test_an_upgrade_repairs_functions_without_a_schema(store: PostgresqlStore) -> None:
    url = store.create("mended")
    store.execute_in(
        "mended",
        "CREATE OR REPLACE FUNCTION search_products() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO search_products VALUES (NEW.id, NEW.search_text); RETURN NULL; END $$",
    )
    with opened(url) as database:
        schema_version.upgrade(database)
        with database.transaction() as session:
            body = session.scalars(sa.text("SELECT prosrc FROM pg_proc WHERE proname = 'search_products'")).one()
    store.drop(url)

    assert "INSERT INTO public.search_products" in body


class TestReading:
    """Statements of the driver in transactions that read."""

    PROCESS = DriverStatement(sa.select(sa.func.pg_backend_pid()))

    def test_only_a_pooled_connection_begins_a_transaction(self, url: str) -> None:
        with opened(url) as database, database.transaction() as session:
            self.PROCESS.fetch(session, {})
            driver: Any = connection_of(session).connection.driver_connection
            has_begun = driver.info.transaction_status == TransactionStatus.INTRANS

        assert has_begun is (":" in url.rpartition("@")[2])  # the pooler has a port

    def test_they_have_the_settings_of_every_transaction(self, url: str) -> None:
        names = ["timezone", "datestyle", "search_path", "transaction_isolation", *LIMITS]
        select = sa.select(*(sa.func.current_setting(name) for name in names))
        given = with_query(url, options="-c statement_timeout=7000 -c timezone=Asia/Tokyo")

        with opened(given) as database:
            schema_version.upgrade(database)  # some statements of an upgrade have no time limit
            with database.transaction() as session:
                found = DriverStatement(select).fetch(session, {}).values
                assert found == [tuple(session.execute(select).one())]
        assert found == [("UTC", "ISO, MDY", "public", "read committed", "7s", "5s", "1min")]

    def test_they_cannot_write_on_a_direct_connection(self, direct: str) -> None:
        delete = DriverStatement(sa.delete(Base.metadata.tables["products"]))

        with opened(direct) as database:
            with pytest.raises(DatabaseUnavailableError, match="read-only"), database.transaction() as session:
                delete.write(session, [{}])
            assert factories.tenant(database)  # a transaction that writes can

    @pytest.mark.parametrize("reads_before", [True, False])
    def test_a_lost_connection_is_replaced(self, url: str, direct: str, *, reads_before: bool) -> None:
        with opened(url) as database, opened(direct) as other:
            with database.transaction() as session:
                lost = self.PROCESS.fetch(session, {}).values
                if reads_before:
                    self._terminate(other, lost)
                    assert self.PROCESS.fetch(session, {}).values != lost
            if not reads_before:
                self._terminate(other, lost)
                with database.transaction() as session:
                    assert self.PROCESS.fetch(session, {}).values != lost

    @staticmethod
    def _terminate(other: Database, process: Values) -> None:
        with other.transaction(write=True) as session:
            session.execute(sa.select(sa.func.pg_terminate_backend(process[0][0], 5000)))


class TestTextCursor:
    def test_it_leaves_times_and_decimals_as_texts(self, url: str) -> None:
        select = sa.select(
            sa.literal(Decimal("2.50"), sa.Numeric(14, 2)).label("price"),
            sa.literal(LATE, sa.DateTime(timezone=True)).label("at"),
            sa.literal(LATE.date()).label("day"),
            sa.func.round(sa.literal(Decimal("2.45"), sa.Numeric), 1, type_=sa.Float).label("rate"),
            sa.null().label("nothing"),
        )

        with opened(url) as database, database.transaction() as session:
            values, columns = DriverStatement(select).fetch(session, {})
            (expected,) = session.execute(select)

        assert values == [("2.50", "2026-06-30 23:30:00+00", LATE.date(), "2.5", None)]
        (read,) = columns.read(values)
        assert read == tuple(expected) == (Decimal("2.50"), LATE, LATE.date(), 2.5, None)
        assert [type(value) for value in read] == [type(value) for value in expected]


class TestDriverSelect:
    def test_it_has_the_settings_of_every_transaction(self, url: str) -> None:
        names = ["timezone", *LIMITS, "application_name"]
        select = sa.select(*(sa.func.current_setting(name) for name in names))

        with opened(with_query(url, options="-c statement_timeout=7000", application_name="Till 4")) as database:
            with database.transaction() as session:
                expected = tuple(session.execute(select).one())
            assert DriverSelect(database.reader, select).rows({}) == [expected]

    def test_a_lost_connection_is_replaced(self, direct: str) -> None:
        select = sa.select(sa.func.pg_backend_pid())

        with opened(direct) as database, opened(direct) as other:
            statement = DriverSelect(database.reader, select)
            found = statement.rows({})
            assert found is not None
            with other.transaction(write=True) as session:
                session.execute(sa.select(sa.func.pg_terminate_backend(found[0][0], 5000)))
            assert statement.rows({}) is None
            assert statement.rows({}) not in (None, found)
