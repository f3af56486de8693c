"""Sessions that write to SQLite: the driver and SQLAlchemy write in one transaction, alone or in a group."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, PendingRollbackError
from sqlalchemy.orm import Session

from app.commit_group import CommitGroup
from app.context import now
from app.db import Database
from app.driver import connection_of
from app.queries.rows import Row, Statement, Write
from app.sqlite import driver
from models import Company, Customer
from models.base import table

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
TABLE = table(Company)
INSERT = Write(TABLE.insert())
INSERT_CUSTOMER = Write(table(Customer).insert())


class SlugRow(Row):
    """The slug of a company."""

    slug: str


SELECT_SLUGS = Statement(SlugRow, sa.select(TABLE.c.slug).order_by(TABLE.c.slug))


def values(slug: str) -> dict[str, object]:
    return {"id": str(uuid.uuid4()), "slug": slug, "name": slug, "created_at": now()}


def slugs(session: Session) -> list[str]:
    return [row.slug for row in SELECT_SLUGS.all(session)]


@pytest.fixture(params=["alone", "member"])
def group(request: pytest.FixtureRequest, fresh_database: Database) -> CommitGroup | None:
    assert fresh_database.new_group is not None
    return fresh_database.new_group() if request.param == "member" else None


class Writer:
    """Transactions of a database, alone or in a group, in which another transaction has written `first`."""

    def __init__(self, database: Database, group: CommitGroup | None) -> None:
        self.database = database
        self.group = group
        with self.transaction() as session:
            INSERT.one(session, values("first"))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with self.database.transaction(write=True, group=self.group) as session:
            yield session

    def committed(self) -> list[str]:
        if self.group is not None:
            self.group.finish()
        with self.database.transaction() as session:
            return slugs(session)


@pytest.fixture
def writer(fresh_database: Database, group: CommitGroup | None) -> Writer:
    return Writer(fresh_database, group)


def test_driver_and_sqlalchemy_write_in_one_transaction(writer: Writer) -> None:
    with writer.transaction() as session:
        INSERT.one(session, values("a"))
        session.add(Company(**values("b")))
        assert slugs(session) == ["a", "b", "first"]
        INSERT.one(session, values("c"))
        session.execute(TABLE.insert(), values("d"))

    assert writer.committed() == ["a", "b", "c", "d", "first"]


@pytest.mark.parametrize("uses_sqlalchemy", [True, False])
def test_an_exception_undoes_everything(writer: Writer, *, uses_sqlalchemy: bool) -> None:
    def write() -> None:
        with writer.transaction() as session:
            INSERT.one(session, values("a"))
            if uses_sqlalchemy:
                session.add(Company(**values("b")))
                session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()

    assert writer.committed() == ["first"]


def test_what_the_driver_wrote_is_committed_with_a_session_that_wrote_nothing(writer: Writer) -> None:
    with writer.transaction() as session:
        INSERT.one(session, values("a"))
        withdrawn = Company(**values("b"))
        session.add(withdrawn)
        session.expunge(withdrawn)

    assert writer.committed() == ["a", "first"]


def test_a_transaction_without_statements_is_committed(writer: Writer) -> None:
    with writer.transaction():
        pass

    assert writer.committed() == ["first"]


def test_a_savepoint_is_undone_alone(writer: Writer) -> None:
    with writer.transaction() as session:
        INSERT.one(session, values("a"))
        with session.begin_nested() as savepoint:
            INSERT.one(session, values("b"))
            savepoint.rollback()
        INSERT.one(session, values("c"))

    assert writer.committed() == ["a", "c", "first"]


@pytest.mark.parametrize("writes_again", [True, False])
def test_an_error_of_the_driver_ends_the_transaction(writer: Writer, *, writes_again: bool) -> None:
    def write() -> None:
        with writer.transaction() as session:
            INSERT.one(session, values("a"))
            with pytest.raises(IntegrityError):
                INSERT.one(session, values("a"))
            if writes_again:
                INSERT.one(session, values("b"))

    with pytest.raises(PendingRollbackError):
        write()

    assert writer.committed() == ["first"]


def test_a_session_can_be_used_after_its_commit(writer: Writer) -> None:
    with writer.transaction() as session:
        INSERT.one(session, values("a"))
        session.commit()
        INSERT.one(session, values("b"))
        session.commit()
        session.add(Company(**values("c")))

    assert writer.committed() == ["a", "b", "c", "first"]


def test_a_commit_that_fails_raises_what_sqlalchemy_raises(fresh_database: Database) -> None:
    row = {"id": "c1", "company_id": "unknown", "email": "a@example.com", "created_at": now(), "updated_at": now()}

    def write() -> None:
        with fresh_database.transaction(write=True) as session:
            driver(connection_of(session)).execute("PRAGMA defer_foreign_keys=ON")
            INSERT_CUSTOMER.one(session, row)

    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        write()

    assert Writer(fresh_database, None).committed() == ["first"]
