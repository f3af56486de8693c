"""Writes that are sent together, on direct and pooled connections: in their order, and no error of one is lost."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InternalError, PendingRollbackError
from sqlalchemy.orm import Session

from app.context import now
from app.db import Database
from app.driver import connection_of, send_writes
from app.driver_errors import ConflictError
from app.errors import DatabaseUnavailableError, DomainError
from app.queries.rows import Row, Statement, Write
from models import Company
from models.base import table
from tests.support import waiting
from tests.support.pgbouncer import pgbouncer
from tests.support.round_trips import round_trips
from tests.support.servers import PostgresqlStore, open_database

pytestmark = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
TABLE = table(Company)
INSERT = Write(TABLE.insert())
RENAME = Write(sa.update(TABLE).where(TABLE.c.slug == sa.bindparam("own_slug")))
# The name of a company may be an SQLSTATE, with which inserting it fails.
FAIL_WITH_NAME = """
    CREATE FUNCTION fail_with_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.name ~ '^[0-9A-Z]{5}$' THEN RAISE EXCEPTION 'made to fail' USING ERRCODE = NEW.name; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail_with_name BEFORE INSERT ON companies FOR EACH ROW EXECUTE FUNCTION fail_with_name();
"""
SLOW = "slow"  # the name of a company whose commit takes long
SLEEP_IN_COMMIT = f"""
    CREATE FUNCTION sleep_in_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.name = '{SLOW}' THEN PERFORM pg_sleep(30); END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER sleep_in_commit AFTER INSERT ON companies DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION sleep_in_commit();
"""


class CompanySlugRow(Row):
    """The slug of a company."""

    slug: str


SELECT_SLUGS = Statement(CompanySlugRow, sa.select(TABLE.c.slug).order_by(TABLE.c.slug))


def values(slug: str, name: str = "a name") -> dict[str, object]:
    return {"id": uuid.uuid4().hex[:25], "slug": slug, "name": name, "created_at": now()}


def slugs(session: Session) -> list[str]:
    return [row.slug for row in SELECT_SLUGS.all(session)]


@pytest.fixture(scope="module")
def direct(store: PostgresqlStore) -> Iterator[str]:
    url = store.create("pipeline")
    store.execute_in("pipeline", FAIL_WITH_NAME + SLEEP_IN_COMMIT)
    yield url
    store.drop(url)


@pytest.fixture(scope="module", params=["direct", "pooled"])
def url(request: pytest.FixtureRequest, direct: str) -> Iterator[str]:
    if request.param == "direct":
        yield direct
        return
    with pgbouncer(direct, default_pool_size="4") as pooled:
        yield pooled


@pytest.fixture
def companies(url: str) -> Iterator[Database]:
    """Return a database without companies."""
    database = open_database(url)
    yield database
    with database.connection() as connection:
        connection.execute(TABLE.delete())
    database.dispose()


@pytest.fixture
def committed(companies: Database) -> Callable[[], list[str]]:
    def read() -> list[str]:
        with companies.transaction() as session:
            return slugs(session)

    return read


def process_of(session: Session) -> int:
    process: int = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return process


def terminate(url: str, process: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [process])


def waits_for(url: str, process: int, event: str) -> bool:
    """Return whether a process of PostgreSQL waits for an event of a type."""
    with psycopg.connect(url) as connection:
        select = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        return connection.execute(select, [process]).fetchall() == [(event,)]


class TestOrder:
    def test_a_statement_sees_the_writes_before_it(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        with companies.transaction(write=True) as session:
            INSERT.one(session, values("a"))
            INSERT.all(session, [values("b"), values("c")])
            RENAME.one(session, {"own_slug": "a", "slug": "d"})
            assert slugs(session) == ["b", "c", "d"]
            INSERT.one(session, values("e"))
            assert RENAME.count(session, [{"own_slug": slug, "name": "new"} for slug in "bez"]) == 2
            INSERT.one(session, values("f"))
            assert session.scalar(sa.select(sa.func.count()).select_from(TABLE)) == 5
            INSERT.one(session, values("g"))
            session.add(Company(**values("h")))
            INSERT.one(session, values("i"))

        assert committed() == ["b", "c", "d", "e", "f", "g", "h", "i"]

    def test_writes_are_sent_with_the_next_statement_or_the_commit(self, direct: str) -> None:
        def write(*, reads: bool) -> None:
            with database.transaction(write=True) as session:
                for number in range(3):
                    INSERT.one(session, values(uuid.uuid4().hex, f"number {number}"))
                if reads:
                    slugs(session)
                INSERT.all(session, [values(uuid.uuid4().hex) for _ in range(3)])

        with round_trips(direct) as (url, trips):
            database = open_database(url)
            for _ in range(6):  # until the statements are prepared
                write(reads=True)
            counts = [trips.of(lambda: write(reads=False)), trips.of(lambda: write(reads=True))]
            database.dispose()

        assert counts == [2, 3]  # one to begin and take the time of the write

    def test_a_transaction_without_writes_ends(self, companies: Database) -> None:
        for _ in range(30):  # more than there are connections
            with companies.transaction(write=True):
                pass


class TestSavepoint:
    def test_what_waits_is_undone_alone(self, companies: Database, committed: Callable[[], list[str]]) -> None:
        with companies.transaction(write=True) as session:
            INSERT.one(session, values("a"))
            with session.begin_nested() as savepoint:  # nothing has sent it
                INSERT.one(session, values("b"))
                savepoint.rollback()
            with session.begin_nested() as savepoint:
                INSERT.one(session, values("c"))
                assert slugs(session) == ["a", "c"]
                INSERT.one(session, values("d"))
                savepoint.rollback()
            with session.begin_nested():
                INSERT.one(session, values("e"))
                with session.begin_nested() as inner:
                    INSERT.one(session, values("f"))
                    inner.rollback()
            INSERT.one(session, values("g"))

        assert committed() == ["a", "e", "g"]

    def test_a_nested_savepoint_is_undone_with_the_one_around_it(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        with companies.transaction(write=True) as session:
            with session.begin_nested() as outer:
                INSERT.one(session, values("a"))
                with session.begin_nested():
                    INSERT.one(session, values("b"))
                outer.rollback()
            INSERT.one(session, values("c"))

        assert committed() == ["c"]

    @pytest.mark.parametrize("name", ["a name", "23505", "a \0 in a text"])
    def test_an_error_undoes_it_and_the_transaction_goes_on(
        self, companies: Database, committed: Callable[[], list[str]], name: str
    ) -> None:
        def fail(session: Session) -> None:
            with session.begin_nested():
                INSERT.one(session, values("b"))
                INSERT.one(session, values("a", name))
                INSERT.one(session, values("c"))
                slugs(session)

        with companies.transaction(write=True) as session:
            INSERT.one(session, values("a"))
            with pytest.raises(DBAPIError):
                fail(session)
            INSERT.one(session, values("d"))

        assert committed() == ["a", "d"]

    def test_an_error_after_its_release_ends_the_transaction(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                with session.begin_nested():
                    INSERT.one(session, values("a"))
                    INSERT.one(session, values("a"))
                INSERT.one(session, values("b"))

        with pytest.raises(IntegrityError):
            write()

        assert committed() == []


# How a transaction goes on after its writes: a statement that reads, one of SQLAlchemy, or only the commit.
CONTINUATIONS: dict[str, Callable[[Session], object]] = {
    "driver": slugs,
    "sqlalchemy": lambda session: session.execute(sa.select(TABLE.c.id)).all(),
    "savepoint": lambda session: session.begin_nested(),
    "flush": send_writes,
    "commit": lambda _session: None,
    "joined commit": lambda session: session.connection(),
}
ERRORS = {
    "23505": IntegrityError,
    "40001": ConflictError,
    "40P01": ConflictError,
    "57014": DatabaseUnavailableError,
    "55P03": DatabaseUnavailableError,
    "53100": DatabaseUnavailableError,
    "XX000": DBAPIError,
}


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "continuation"),
        [*((code, "commit") for code in ERRORS), *(("40001", continuation) for continuation in CONTINUATIONS)],
    )
    def test_an_error_of_a_write_is_that_of_the_transaction(
        self, companies: Database, committed: Callable[[], list[str]], code: str, continuation: str
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                INSERT.one(session, values("a"))
                INSERT.one(session, values("b", code))
                INSERT.one(session, values("c"))
                CONTINUATIONS[continuation](session)

        with pytest.raises(ERRORS[code]) as raised:
            write()
        chain: list[Any] = [raised.value]
        while chain[-1].__cause__ is not None:
            chain.append(chain[-1].__cause__)

        assert chain[-1].sqlstate == code
        assert chain[-1].__notes__[0].startswith("[Statement: INSERT INTO companies")
        assert committed() == []
        with companies.transaction(write=True) as session:  # the connection is usable
            INSERT.one(session, values("d"))
        assert committed() == ["d"]

    @pytest.mark.parametrize("failing", [("a", "23505"), ("a", "a \0 in a text"), ("a", "a name")])
    def test_an_error_that_is_ignored_is_one_of_the_commit(
        self, companies: Database, committed: Callable[[], list[str]], failing: tuple[str, str]
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                INSERT.one(session, values("a"))
                INSERT.one(session, values(*failing))
                INSERT.one(session, values("b"))
                with pytest.raises(DBAPIError):
                    slugs(session)

        with pytest.raises((InternalError, PendingRollbackError)):
            write()

        assert committed() == []

    def test_an_error_of_another_statement_that_is_ignored_is_one_of_the_commit(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                session.add(Company(**values("a")))
                session.flush()
                with pytest.raises(DBAPIError):
                    session.connection().exec_driver_sql("SELECT 1 / 0")

        with pytest.raises(PendingRollbackError):
            write()

        assert committed() == []

    def test_a_value_that_cannot_be_sent_is_refused(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                INSERT.one(session, values("a"))
                INSERT.one(session, values("b", "a \0 in a text"))
                INSERT.one(session, values("c"))

        with pytest.raises(DataError):
            write()

        assert committed() == []

    def test_an_exception_discards_the_writes_that_wait(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                INSERT.one(session, values("a"))
                raise DomainError

        with pytest.raises(DomainError):
            write()

        assert committed() == []

    @pytest.mark.parametrize("executions", range(4, 8))
    def test_a_statement_that_was_not_prepared_because_of_an_error_is_prepared_later(
        self, companies: Database, executions: int
    ) -> None:
        """Psycopg prepares a statement at its sixth execution, also where PostgreSQL skips that."""

        def fail() -> None:
            with companies.transaction(write=True) as session:
                INSERT.all(session, [values("a"), values("a")])
                RENAME.one(session, {"own_slug": "z", "name": "new"})
                RENAME.one(session, {"own_slug": "z", "name": "new"})

        for _ in range(executions):
            with companies.transaction(write=True) as session:
                RENAME.one(session, {"own_slug": "z", "name": "new"})
        with pytest.raises(IntegrityError):
            fail()
        with companies.transaction(write=True) as session:
            INSERT.one(session, values("a"))
            assert RENAME.count(session, [{"own_slug": "a", "name": "new"}]) == 1


class TestOutages:
    @pytest.mark.parametrize("waits_for", ["a statement", "the commit"])
    def test_a_lost_connection_is_an_error_and_is_replaced(
        self, companies: Database, committed: Callable[[], list[str]], direct: str, waits_for: str
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                process = process_of(session)
                INSERT.one(session, values("a"))
                INSERT.one(session, values("b"))
                terminate(direct, process)
                if waits_for == "a statement":
                    slugs(session)

        with pytest.raises(DatabaseUnavailableError):
            write()

        with companies.transaction(write=True) as session:
            INSERT.one(session, values("c"))
        assert committed() == ["c"]

    @pytest.mark.parametrize("is_counted", [False, True], ids=["waiting", "counted"])
    def test_a_connection_that_is_lost_during_writes_is_an_error_with_its_cause(
        self,
        companies: Database,
        committed: Callable[[], list[str]],
        direct: str,
        caplog: pytest.LogCaptureFixture,
        *,
        is_counted: bool,
    ) -> None:
        processes: list[int] = []

        def write() -> None:
            with companies.transaction(write=True) as session, session.begin_nested():
                processes.append(process_of(session))
                if is_counted:
                    RENAME.count(session, [{"own_slug": slug, "name": "new"} for slug in ("first", "a", "b")])
                INSERT.one(session, values("a"))
                RENAME.one(session, {"own_slug": "first", "name": "new"})
                slugs(session)

        with companies.transaction(write=True) as session:
            INSERT.one(session, values("first"))
        with psycopg.connect(direct) as holder:
            holder.execute("UPDATE companies SET name = 'held'")
            with waiting.threads(write) as results:
                waiting.eventually(lambda: processes and waits_for(direct, processes[0], "Lock"), "the write waits")
                terminate(direct, processes[0])
            with pytest.raises(DatabaseUnavailableError) as raised:
                results[0].result()

        assert "pipeline" not in str(raised.value)
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
        assert committed() == ["first"]

    @pytest.mark.parametrize("sent_with", ["the commit", "a statement"])
    def test_a_connection_that_is_lost_during_the_commit_is_an_error(
        self, companies: Database, committed: Callable[[], list[str]], direct: str, sent_with: str
    ) -> None:
        processes: list[int] = []

        def write() -> None:
            with companies.transaction(write=True) as session:
                processes.append(process_of(session))
                INSERT.one(session, values("a", SLOW))
                if sent_with == "a statement":
                    slugs(session)

        with waiting.threads(write) as results:
            waiting.eventually(lambda: processes and waits_for(direct, processes[0], "Timeout"), "the commit has begun")
            terminate(direct, processes[0])
        with pytest.raises(DatabaseUnavailableError):
            results[0].result()

        assert committed() == []

    def test_an_idle_connection_that_was_lost_is_replaced(
        self, companies: Database, committed: Callable[[], list[str]], direct: str
    ) -> None:
        with companies.transaction(write=True) as session:
            process = process_of(session)
        terminate(direct, process)

        with companies.transaction(write=True) as session:
            INSERT.one(session, values("a"))
        assert committed() == ["a"]

    @pytest.mark.parametrize(("setting", "code"), [("lock_timeout", "55P03"), ("statement_timeout", "57014")])
    def test_a_write_that_takes_too_long_is_a_timeout(
        self, companies: Database, committed: Callable[[], list[str]], direct: str, setting: str, code: str
    ) -> None:
        def write() -> None:
            with companies.transaction(write=True) as session:
                session.execute(sa.text(f"SET LOCAL {setting} = 300"))
                INSERT.one(session, values("a"))
                RENAME.one(session, {"own_slug": "first", "name": "new"})

        with companies.transaction(write=True) as session:
            INSERT.one(session, values("first"))
        with psycopg.connect(direct) as holder:
            holder.execute("UPDATE companies SET name = 'held'")
            with pytest.raises(DatabaseUnavailableError) as raised:
                write()

        cause: Any = raised.value.__cause__
        assert cause.orig.sqlstate == code
        assert committed() == ["first"]

    def test_one_of_two_transactions_that_wait_for_each_other_can_run_again(
        self, companies: Database, committed: Callable[[], list[str]]
    ) -> None:
        def write(first: str, second: str) -> bool:
            try:
                with companies.transaction(write=True) as session:
                    RENAME.one(session, {"own_slug": first, "name": "new"})
                    slugs(session)
                    barrier.wait(waiting.SECONDS)
                    RENAME.one(session, {"own_slug": second, "name": "new"})
                    INSERT.one(session, values(f"{first}{second}"))
            except ConflictError:
                return False
            return True

        barrier = threading.Barrier(2)
        with companies.transaction(write=True) as session:
            INSERT.all(session, [values("a"), values("b")])
        results = waiting.concurrently(lambda: write("a", "b"), lambda: write("b", "a"))

        assert sorted(results) == [False, True]
        assert committed() in (["a", "ab", "b"], ["a", "b", "ba"])


def test_only_a_session_that_writes_lets_a_write_wait(companies: Database) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailableError)), companies.transaction() as session:
        INSERT.one(session, values("a", "XX000"))
    with pytest.raises(DBAPIError), companies.connection() as connection:
        INSERT.one(connection_of(connection), values("a", "XX000"))
