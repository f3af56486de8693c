"""The sealer: which entries it seals and when, alone and together with others (contract, section 9.8)."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

from app import clock
from app.context import now
from app.db import Database, try_lock
from app.delivery import sealer
from app.delivery.sealer import Sealer
from tests.support import waiting
from tests.support.held_write import held_write
from tests.support.sealed_log import SealedLog
from tests.support.servers import open_database

INSERT = (
    "INSERT INTO audit_entries (id, company_id, action, actor_type, actor_id, entity_type, entity_id, details, "
    "request_id, created_at) VALUES ('{id}', '{company}', 'test.done', 'SYSTEM', 'x', 'test', 'x', '{{}}', 'x', :now)"
)


@pytest.fixture
def log(fresh_database: Database) -> SealedLog:
    """Return a sealed log with four entries."""
    return SealedLog(fresh_database, count=2)


class TestSealBatch:
    def test_entries_are_sealed_in_the_order_of_the_log(self, log: SealedLog) -> None:
        for _ in range(5):
            log.append(3)
        log.seal()

        assert log.sealed_ids() == log.entry_ids()
        assert len(log.sealed_ids()) == 19

    def test_nothing_is_done_twice(self, log: SealedLog) -> None:
        assert Sealer(log.database, settling=timedelta(0)).seal_batch() == 0

    def test_a_batch_is_limited(self, log: SealedLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealer, "BATCH", 3)
        log.append(7)
        worker = Sealer(log.database, settling=timedelta(0))
        waiting.eventually(worker.seal_batch, "the clock advances")

        assert [worker.seal_batch() for _ in range(3)] == [3, 1, 0]
        assert log.sealed_ids() == log.entry_ids()

    def test_every_company_gets_a_share_of_a_batch(self, log: SealedLog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealer, "BATCH", 10)
        other = SealedLog(log.database, count=0)
        log.append(50)
        other.append(2)
        appended_at = now()
        waiting.eventually(lambda: now() > appended_at, "the clock advances")

        Sealer(log.database, settling=timedelta(0)).seal_batch()

        assert other.sealed_ids() == other.entry_ids()
        assert 5 <= len(log.sealed_ids()) - 4 <= 8

    def test_an_entry_is_sealed_once_it_has_settled(self, log: SealedLog) -> None:
        """Two entries: one has the age at which entries are sealed, and one is younger."""
        log.append(1)

        assert Sealer(log.database, settling=timedelta(hours=1)).seal_batch() == 0
        log.seal()
        assert log.sealed_ids() == log.entry_ids()

    def test_entries_wait_for_a_transaction_that_began_before_them(self, log: SealedLog, database_url: str) -> None:
        late = "clate00000000000000000000"
        statement = INSERT.format(id=late, company=log.tenant.company_id)
        worker = Sealer(log.database, settling=timedelta(0))
        with held_write(database_url, statement) as held:
            if not log.database.is_sqlite:  # which has one writer
                log.append(2)
            assert [worker.seal_batch() for _ in range(3)] == [0, 0, 0]
            held.commit()
        log.seal()

        assert log.sealed_ids() == log.entry_ids()
        assert log.sealed_ids()[4] == late

    def test_writers_do_not_wait_while_seals_are_computed(self, log: SealedLog) -> None:
        log.append(3)
        with log.database.transaction() as session:
            clock.synced_until(session)
            assert try_lock(session, sealer.LOCK)
            log.append(1)

        log.seal()
        assert log.sealed_ids() == log.entry_ids()

    @pytest.mark.parametrize("store", ["postgresql"], indirect=True)
    def test_one_process_seals_at_a_time(self, log: SealedLog) -> None:
        log.append(3)
        with log.database.transaction() as session:
            assert try_lock(session, sealer.LOCK)
            assert [Sealer(log.database, settling=timedelta(0)).seal_batch() for _ in range(3)] == [0, 0, 0]

        log.seal()
        assert log.sealed_ids() == log.entry_ids()

    def test_concurrent_sealers_seal_every_entry_once(
        self, log: SealedLog, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealer, "BATCH", 5)
        log.append(100)

        def seal() -> int:
            database = open_database(database_url)
            worker, sealed = Sealer(database, settling=timedelta(0)), 0
            while len(log.sealed_ids()) < 104:
                sealed += worker.seal_batch()
            database.dispose()
            return sealed

        assert sum(waiting.concurrently(seal, seal, seal)) == 100
        assert log.sealed_ids() == log.entry_ids()
        assert log.verify() == (104, 0, None)


def has_sealed(log: SealedLog, count: int) -> bool:
    """Return whether so many entries are sealed."""
    return len(log.sealed_ids()) == count


@contextmanager
def running(log: SealedLog) -> Iterator[None]:
    """Run a sealer in the background."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    run = Sealer(log.database, settling=timedelta(0), busy_seconds=0.01, idle_seconds=0.01).run(stop)
    thread = threading.Thread(target=loop.run_until_complete, args=(run,))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(waiting.SECONDS)
        loop.close()
        assert not thread.is_alive()


class TestRun:
    def test_entries_are_sealed_until_it_is_stopped(self, log: SealedLog) -> None:
        with running(log):
            for count in (5, 6, 7):
                log.append()
                waiting.eventually(partial(has_sealed, log, count), "the entry is sealed")

    def test_it_continues_after_an_error(
        self, log: SealedLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(sealer, "FAILURE_PAUSE_SECONDS", 0.01)
        rename = "ALTER TABLE {} RENAME TO {}".format
        with log.database.connection() as connection:
            connection.exec_driver_sql(rename("audit_seals", "hidden_seals"))
        log.append()
        with caplog.at_level(logging.WARNING), running(log):
            waiting.eventually(lambda: "the audit log could not be sealed" in caplog.text, "the error is logged")
            with log.database.connection() as connection:
                connection.exec_driver_sql(rename("hidden_seals", "audit_seals"))
            waiting.eventually(lambda: log.sealed_ids() == log.entry_ids(), "the entry is sealed")
