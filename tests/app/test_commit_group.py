"""Transactions on SQLite that share a commit: each one stands or fails alone, until the group is committed or lost."""

import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import clock, db
from app.commit_group import CommitGroup
from app.context import now
from app.db import Database
from app.errors import DatabaseBusyError, DatabaseUnavailableError
from models import Company
from tests.support.held_write import held_write

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

LOSE = """
    CREATE TRIGGER lose BEFORE INSERT ON companies WHEN NEW.slug = 'lost'
    BEGIN SELECT RAISE(ROLLBACK, 'lost'); END
"""


def company(slug: str) -> Company:
    return Company(id=str(uuid.uuid4()), slug=slug, name=slug.ljust(200, "."), created_at=now())


@pytest.fixture
def group(fresh_database: Database) -> CommitGroup:
    assert fresh_database.new_group is not None
    return fresh_database.new_group()


def insert(database: Database, group: CommitGroup | None, *slugs: str) -> None:
    with database.transaction(write=True, group=group) as session:
        session.add_all(company(slug) for slug in slugs)


def insert_and_raise(database: Database, group: CommitGroup, effect: Callable[[], object] = list) -> None:
    with database.transaction(write=True, group=group) as session:
        session.add(company("failed"))
        session.flush()
        db.after_commit(session, effect)
        raise RuntimeError


def slugs(database: Database) -> set[str]:
    with database.transaction() as session:
        return set(session.scalars(sa.select(Company.slug)))


def test_nothing_is_visible_before_the_group_is_committed(fresh_database: Database, group: CommitGroup) -> None:
    insert(fresh_database, group, "a")
    insert(fresh_database, group, "b")
    before = slugs(fresh_database)

    group.finish()

    assert (before, slugs(fresh_database)) == (set(), {"a", "b"})


def test_a_transaction_sees_those_before_it(fresh_database: Database, group: CommitGroup) -> None:
    insert(fresh_database, group, "a")

    with fresh_database.transaction(write=True, group=group) as session:
        assert list(session.scalars(sa.select(Company.slug))) == ["a"]
    group.finish()


def test_an_exception_undoes_its_own_transaction(fresh_database: Database, group: CommitGroup) -> None:
    insert(fresh_database, group, "a")
    with pytest.raises(RuntimeError):
        insert_and_raise(fresh_database, group)
    insert(fresh_database, group, "b")

    group.finish()

    assert slugs(fresh_database) == {"a", "b"}


def test_a_statement_that_fails_undoes_its_own_transaction(fresh_database: Database, group: CommitGroup) -> None:
    insert(fresh_database, group, "a")
    with pytest.raises(IntegrityError):
        insert(fresh_database, group, "a")
    insert(fresh_database, group, "b")

    group.finish()

    assert slugs(fresh_database) == {"a", "b"}


def test_a_savepoint_in_a_transaction_is_undone_alone(fresh_database: Database, group: CommitGroup) -> None:
    with fresh_database.transaction(write=True, group=group) as session:
        session.add(company("a"))
        with contextlib.suppress(RuntimeError), session.begin_nested():
            session.add(company("failed"))
            raise RuntimeError
        session.add(company("b"))
    insert(fresh_database, group, "c")

    group.finish()

    assert slugs(fresh_database) == {"a", "b", "c"}


def test_every_transaction_has_the_time_of_the_group(fresh_database: Database, group: CommitGroup) -> None:
    times = []
    for _ in range(3):
        with fresh_database.transaction(write=True, group=group) as session:
            times.append(clock.time_of(session))
    group.finish()

    assert times == [group.started_at] * 3


def test_a_group_that_sqlite_has_undone_is_lost(fresh_database: Database, group: CommitGroup) -> None:
    with fresh_database.connection() as connection:
        connection.execute(sa.text(LOSE))
    insert(fresh_database, group, "a")
    with pytest.raises(IntegrityError):
        insert(fresh_database, group, "lost")

    assert group.is_lost()
    with pytest.raises(DatabaseUnavailableError):
        group.finish()
    assert slugs(fresh_database) == set()
    insert(fresh_database, None, "b")  # the connection can be used again
    assert slugs(fresh_database) == {"b"}


def test_a_full_database_undoes_only_what_did_not_fit(fresh_database: Database, group: CommitGroup) -> None:
    insert(fresh_database, group, "a")
    pages = group.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
    group.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    group.connection().commit()
    with pytest.raises(DatabaseUnavailableError):
        insert(fresh_database, group, *[str(number) for number in range(1000)])

    is_lost = group.is_lost()
    assert _commits(group) == (not is_lost)
    assert slugs(fresh_database) == (set() if is_lost else {"a"})


def _commits(group: CommitGroup) -> bool:
    try:
        group.finish()
    except DatabaseUnavailableError:
        return False
    return True


def test_a_group_that_cannot_begin_is_lost(fresh_database: Database, database_url: str, group: CommitGroup) -> None:
    with held_write(database_url):
        with pytest.raises(DatabaseBusyError):
            insert(fresh_database, group, "a")
        assert group.is_lost()
        with pytest.raises(DatabaseUnavailableError):
            group.finish()
    insert(fresh_database, None, "b")

    assert slugs(fresh_database) == {"b"}


def test_a_group_without_transactions_takes_no_lock(fresh_database: Database, group: CommitGroup) -> None:
    group.finish()

    assert (group.transactions, group.seconds()) == (0, 0)


class TestEffects:
    def test_follow_the_commit_of_the_group(self, fresh_database: Database, group: CommitGroup) -> None:
        seen: list[set[str]] = []
        with fresh_database.transaction(write=True, group=group) as session:
            session.add(company("a"))
            db.after_commit(session, lambda: seen.append(slugs(fresh_database)))
        before = list(seen)

        group.finish()

        assert (before, seen) == ([], [{"a"}])

    def test_do_not_follow_a_transaction_that_failed(self, fresh_database: Database, group: CommitGroup) -> None:
        seen: list[str] = []
        with pytest.raises(RuntimeError):
            insert_and_raise(fresh_database, group, lambda: seen.append("failed"))
        group.finish()

        assert seen == []

    def test_follow_the_commit_of_a_transaction_alone(self, fresh_database: Database) -> None:
        seen: list[set[str]] = []
        with fresh_database.transaction(write=True) as session:
            session.add(company("a"))
            db.after_commit(session, lambda: seen.append(slugs(fresh_database)))

        assert seen == [{"a"}]


def test_no_temporary_file_is_written(fresh_database: Database, group: CommitGroup) -> None:
    insert(fresh_database, None, *(f"earlier-{number}" for number in range(1000)))
    with fresh_database.transaction(write=True, group=group) as session:
        session.execute(
            sa.update(Company).values(name=sa.func.upper(Company.name))
        )  # more pages than SQLite keeps by default
        opened = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    group.finish()

    assert not [name for name in opened if "etilqs" in name]  # as SQLite calls its temporary files
