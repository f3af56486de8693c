"""Run a worker: on its own, or alongside the server, which restarts it if it exits unexpectedly.

It delivers webhooks (`worker.py`) and seals the audit log (`sealer.py`).

It is a process and not a thread of the server, because requests would wait for the CPU time of signing and sending.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess

from app import __version__
from app.config import Settings
from app.db import Database
from app.delivery.sealer import Sealer
from app.delivery.worker import Worker
from app.logs import configure

LOG = logging.getLogger(__name__)
SPAWN = multiprocessing.get_context("spawn")
RESTART_SECONDS = 2.0
STOP_SECONDS = 15.0  # longer than the deadline of an attempt (`app/delivery/sender.py`)
CHECK_SECONDS = 0.2


def run(settings: Settings, database: Database) -> None:
    """Deliver and seal until SIGTERM, SIGINT or the end of the parent process, then finish what is in flight."""
    configure(settings.log_level)
    seals = Database(replace(settings, sqlite_synchronous="NORMAL"))  # as `sealer.py` describes
    try:
        asyncio.run(work(Worker(settings, database), Sealer(seals)))
    finally:
        seals.dispose()


@contextlib.contextmanager
def alongside_server() -> Iterator[None]:
    """Keep a worker process with the settings of this process running until the block ends."""
    stop = threading.Event()
    supervisor = threading.Thread(target=_supervise, args=(stop,), name="worker supervisor")
    supervisor.start()
    try:
        yield
    finally:
        stop.set()
        supervisor.join()


async def work(worker: Worker, sealer: Sealer) -> None:
    """Run a worker and a sealer until a signal arrives or the parent process ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = multiprocessing.parent_process()
    if parent is not None:  # a parent that is killed does not send a signal
        loop.add_reader(parent.sentinel, stop.set)
    LOG.info("Distribu %s delivers webhooks and seals the audit log until a signal stops it", __version__)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sealer.run(stop))
        tasks.create_task(worker.run(stop))


def _supervise(stop: threading.Event) -> None:
    while not stop.is_set():
        process = SPAWN.Process(target=_run_from_environment, name="distribu worker")
        process.start()
        while process.is_alive() and not stop.wait(CHECK_SECONDS):
            continue
        if stop.is_set():
            _stop(process)
        else:
            LOG.error("the webhook worker ended with exit code %s and is restarted", process.exitcode)
            stop.wait(RESTART_SECONDS)


def _run_from_environment() -> None:
    settings = Settings.from_environment()
    configure(settings.log_level)
    database = Database(settings)
    try:
        run(settings, database)
    except Exception:
        LOG.exception("the webhook worker failed")
        sys.exit(1)
    finally:
        database.dispose()


def _stop(process: BaseProcess) -> None:
    process.terminate()
    process.join(STOP_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
