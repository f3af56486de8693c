"""The audit log is sealed without gaps, with several real workers and after they are killed (contract, section 9.8)."""

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from app.db import Database
from tests.support import waiting
from tests.support.client import Client, Contract
from tests.support.sealed_log import SealedLog
from tests.support.servers import ROOT, Server

ENTRIES = 20_000
KILLS = 6


@contextlib.contextmanager
def sealing(server: Server, log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that seals without pauses, until it is killed."""
    command = [sys.executable, "-m", "tests.support.sealer"]
    with (
        log_file.open("ab") as log,
        waiting.process(command, cwd=ROOT, env=server.environment, stdout=log, stderr=log) as process,
    ):
        yield process


def is_advancing(log: SealedLog, before: int) -> bool:
    """Return whether entries were sealed, or all of them are."""
    sealed = len(log.sealed_ids())
    return sealed > before or sealed >= ENTRIES


def test_two_workers_seal_every_entry_once(fresh_database: Database, database_url: str, tmp_path: Path) -> None:
    log, file = SealedLog(fresh_database), tmp_path / "log"
    log.append(ENTRIES // 3)
    server = Server(database_url, file)

    with sealing(server, file), sealing(server, file):
        waiting.eventually(lambda: len(log.sealed_ids()) == len(log.entry_ids()), "every entry is sealed")

    assert log.sealed_ids() == log.entry_ids()
    assert log.verify().bad == 0
    assert not file.read_text()


def test_workers_that_are_killed_leave_no_gap(fresh_database: Database, database_url: str, tmp_path: Path) -> None:
    log, file = SealedLog(fresh_database), tmp_path / "log"
    log.append(ENTRIES)
    server = Server(database_url, file)

    for _ in range(KILLS):
        before = len(log.sealed_ids())
        with sealing(server, file) as first, sealing(server, file):
            waiting.eventually(partial(is_advancing, log, before), "a batch is sealed")
            time.sleep(random.uniform(0, 0.2))  # anywhere in the next batch
            first.kill()
    with sealing(server, file):
        waiting.eventually(lambda: len(log.sealed_ids()) == len(log.entry_ids()), "every entry is sealed")

    assert log.sealed_ids() == log.entry_ids()
    assert log.verify().bad == 0


def test_the_worker_of_the_server_seals_what_clients_change(
    fresh_database: Database, database_url: str, tmp_path: Path, contract: Contract
) -> None:
    log = SealedLog(fresh_database, count=0)
    with Server(database_url, tmp_path / "log") as server, Client(server.url, log.tenant.key, contract) as client:
        for number in range(5):
            assert client.post("/customers", json={"email": f"{number}@example.com"}).status_code == 201
        waiting.eventually(lambda: len(log.sealed_ids()) == 7, "the changes are sealed")

    assert log.sealed_ids() == log.entry_ids()
    assert log.verify() == (7, 0, None)
