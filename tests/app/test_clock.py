"""The time of a write, and the time up to which lists are complete, with writers in other processes."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from app import clock
from app.context import now
from app.db import Database
from app.errors import DatabaseUnavailableError
from models.base import EPOCH
from tests.support import waiting
from tests.support.held_write import held_write
from tests.support.servers import PostgresqlStore, open_database

ONLY_SQLITE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
ONLY_POSTGRESQL = pytest.mark.parametrize("store", ["postgresql"], indirect=True)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.dispose()


def synced_until(database: Database) -> datetime:
    with database.transaction() as session:
        return clock.synced_until(session)


def time_of_write(database: Database) -> datetime:
    with database.transaction(write=True) as session:
        return clock.time_of(session)


def clock_file(database: Database) -> Path:
    assert database.file is not None
    return database.file.with_name(database.file.name + "-clock")


def set_last_time(database: Database, at: datetime) -> None:
    """Store a time as if a process whose clock was different had written at it."""
    time_of_write(database)
    clock_file(database).write_bytes(int(at.timestamp() * 1000).to_bytes(8, "big"))


class TestSyncedUntil:
    def test_is_the_current_time_without_a_writer(self, fresh_database: Database) -> None:
        time_of_write(fresh_database)
        before = now()

        assert before <= synced_until(fresh_database) <= now()

    def test_is_the_current_time_before_the_first_write(self, fresh_database: Database) -> None:
        before = now()

        assert before <= synced_until(fresh_database) <= now()

    def test_is_the_time_of_a_write_in_progress_in_another_process(
        self, fresh_database: Database, database_url: str
    ) -> None:
        before = synced_until(fresh_database)
        with held_write(database_url) as write:
            time.sleep(0.01)  # or the write could have the same time as the reader
            during = synced_until(fresh_database)
            again = synced_until(fresh_database)
            write.commit()
        after = synced_until(fresh_database)

        assert before <= during == again <= write.at < after

    def test_is_the_time_of_a_write_in_progress_in_the_same_process(self, fresh_database: Database) -> None:
        before = synced_until(fresh_database)
        with fresh_database.transaction(write=True) as session:
            time.sleep(0.01)
            during = synced_until(fresh_database)
            at = clock.time_of(session)

        assert before <= during <= at < synced_until(fresh_database)

    def test_is_the_time_of_a_write_that_has_lasted_for_seconds(
        self, fresh_database: Database, database_url: str
    ) -> None:
        before = synced_until(fresh_database)
        with held_write(database_url) as write:
            waiting.eventually(lambda: now() > write.at + timedelta(seconds=1.2), "the write is old")

            assert before <= synced_until(fresh_database) <= write.at

    def test_does_not_depend_on_a_writer_that_was_killed(self, fresh_database: Database, database_url: str) -> None:
        with held_write(database_url) as write:
            write.kill()
            waiting.eventually(lambda: synced_until(fresh_database) > write.at, "the transaction has ended")

    def test_is_not_held_back_by_a_transaction_that_reads(self, fresh_database: Database) -> None:
        with fresh_database.transaction() as session:
            session.execute(sa.text("SELECT count(*) FROM products"))
            before = now()

            assert before <= synced_until(fresh_database) <= now()

    def test_a_write_that_starts_later_is_not_earlier(self, fresh_database: Database) -> None:
        for _ in range(20):
            assert synced_until(fresh_database) <= time_of_write(fresh_database)

    @pytest.mark.parametrize("store", ["postgresql", "pgbouncer"], indirect=True)
    def test_is_the_time_of_the_oldest_of_several_writes(self, fresh_database: Database, database_url: str) -> None:
        with held_write(database_url) as first, held_write(database_url) as second:
            time.sleep(0.01)
            assert synced_until(fresh_database) <= first.at < second.at
            first.commit()
            assert first.at < synced_until(fresh_database) <= second.at

    @ONLY_POSTGRESQL
    def test_other_databases_and_locks_have_no_effect(self, fresh_database: Database, store: PostgresqlStore) -> None:
        other = store.create("other")
        with held_write(other), psycopg.connect(other.replace("/other", f"/{fresh_database.url.database}")) as locks:
            locks.execute("SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock_shared(2)")
            before = now()
            assert before <= synced_until(fresh_database) <= now()
        store.drop(other)

    @ONLY_POSTGRESQL
    def test_a_role_without_privileges_sees_the_writes_of_another_role(self, store: PostgresqlStore) -> None:
        with (
            store.restricted("reader") as url,
            opened(url) as database,
            held_write(store.url_of("reader")) as write,
        ):
            time.sleep(0.01)
            assert synced_until(database) <= write.at

    @ONLY_SQLITE
    def test_a_reader_needs_no_permission_to_write(self, fresh_database: Database) -> None:
        clock_file(fresh_database).mkdir()

        assert synced_until(fresh_database) == EPOCH
        with pytest.raises(DatabaseUnavailableError, match=r"-clock cannot be written: Is a directory\."):
            time_of_write(fresh_database)
        clock_file(fresh_database).rmdir()


class TestTimeOf:
    @ONLY_SQLITE
    def test_is_taken_after_waiting_for_the_lock(self, fresh_database: Database, database_url: str) -> None:
        is_held, is_waiting = threading.Event(), threading.Event()

        def write() -> datetime:
            with opened(database_url) as other:
                is_held.wait(waiting.SECONDS)
                is_waiting.set()
                return time_of_write(other)

        with waiting.threads(write) as results, fresh_database.transaction(write=True):
            is_held.set()
            is_waiting.wait(waiting.SECONDS)
            time.sleep(0.1)
            released = now()

        assert results[0].result() >= released

    @ONLY_POSTGRESQL
    def test_is_read_while_the_lock_is_held(self, fresh_database: Database) -> None:
        statement = clock.LOCK_AND_SELECT_TIME.replace(clock.SERVER_MS, "7", 1)
        key = (clock.NAMESPACE << 48) | 7
        is_held, is_waiting = threading.Event(), threading.Event()

        def read() -> int:
            with fresh_database.connection() as connection:
                is_held.wait(waiting.SECONDS)
                is_waiting.set()
                return int(connection.exec_driver_sql(statement).scalar_one())

        with waiting.threads(read) as results, fresh_database.connection() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            is_held.set()
            is_waiting.wait(waiting.SECONDS)
            time.sleep(0.1)
            released = connection.exec_driver_sql(f"SELECT {clock.SERVER_MS}").scalar_one()

        assert results[0].result() >= released

    def test_is_the_time_now_for_a_transaction_that_reads(self, fresh_database: Database) -> None:
        before = now()
        with fresh_database.transaction() as session:
            assert before <= clock.time_of(session) <= now()

    def test_stays_the_same_during_a_transaction(self, fresh_database: Database) -> None:
        with fresh_database.transaction(write=True) as session:
            first = clock.time_of(session)
            time.sleep(0.01)
            assert clock.time_of(session) == first


def test_the_current_time_is_not_before_that_of_an_earlier_write(fresh_database: Database) -> None:
    earlier = time_of_write(fresh_database)
    with fresh_database.transaction() as session:
        assert earlier <= clock.current_time(session) <= now()


class TestClockThatIsSetBack:
    @pytest.mark.parametrize(
        ("at", "last", "expected"),
        [
            (1_000_000, 999_999, 1_000_000),
            (1_000_000, 1_000_000, 1_000_000),
            (1_000_000, 1_000_001, 1_000_001),
            (1_000_000, 1_060_000, 1_060_000),
            (1_000_000, 1_060_001, 1_000_000),
        ],
    )
    def test_repeats_its_last_time_within_the_limit(self, at: int, last: int, expected: int) -> None:
        assert clock.steady(at, last) == expected

    @ONLY_SQLITE
    def test_every_process_continues_at_the_last_time(self, fresh_database: Database) -> None:
        last = now() + timedelta(seconds=30)
        set_last_time(fresh_database, last)

        assert time_of_write(fresh_database) == synced_until(fresh_database) == last

    @ONLY_SQLITE
    def test_a_time_far_in_the_future_was_wrong(self, fresh_database: Database) -> None:
        set_last_time(fresh_database, now() + timedelta(days=1))
        before = now()

        assert before <= time_of_write(fresh_database) <= synced_until(fresh_database) <= now()


@ONLY_SQLITE
class TestClockFile:
    def test_has_the_permissions_and_the_owner_of_the_database(self, fresh_database: Database) -> None:
        assert fresh_database.file is not None
        fresh_database.file.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(fresh_database.file, 12345, 12346)
        time_of_write(fresh_database)

        database, file = fresh_database.file.stat(), clock_file(fresh_database).stat()
        assert (file.st_mode, file.st_uid, file.st_gid) == (database.st_mode, database.st_uid, database.st_gid)

    def test_is_shared_by_a_link_and_its_target(self, fresh_database: Database, tmp_path: Path) -> None:
        assert fresh_database.file is not None
        link = tmp_path / "link.sqlite3"
        link.symlink_to(fresh_database.file)
        with opened(f"sqlite:///{link}") as database:
            time_of_write(database)

        assert clock_file(fresh_database).exists()
        assert not link.with_name("link.sqlite3-clock").exists()
