"""Run a worker: as a process of its own, or beside the server, which starts it anew when it dies.

A process beside the server, not a thread in it: signing and sending take processor time that answers would wait for.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

from app import __version__
from app.config import Settings
from app.db import Database
from app.delivery.worker import Worker
from app.logs import configure

LOG = logging.getLogger(__name__)
SPAWN = multiprocessing.get_context("spawn")
RESTART_SECONDS = 2.0
STOP_SECONDS = 15.0  # longer than an attempt may take
CHECK_SECONDS = 0.2


def run(settings: Settings, database: Database) -> None:
    """Deliver until SIGTERM, SIGINT, or the end of the process that started this one; finish what is under way."""
    configure(settings.log_level)
    asyncio.run(work(Worker(settings, database)))


@contextlib.contextmanager
def beside() -> Iterator[None]:
    """Keep a worker process running, with the settings of this one, until the block ends."""
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_running, args=(stop,), name="worker keeper")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


async def work(worker: Worker) -> None:
    """Let a worker work until a signal, or the end of the process that started this one."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = multiprocessing.parent_process()
    if parent is not None:  # it may be killed without a chance to stop us
        loop.add_reader(parent.sentinel, stop.set)
    LOG.info("Distribu %s delivers webhooks until a signal ends it", __version__)
    await worker.run(stop)


def _keep_running(stop: threading.Event) -> None:
    while not stop.is_set():
        process = SPAWN.Process(target=_run_from_environment, name="distribu worker")
        process.start()
        while process.is_alive() and not stop.wait(CHECK_SECONDS):
            continue
        if stop.is_set():
            _end(process)
        else:
            LOG.error("the webhook worker ended with code %s and is started anew", process.exitcode)
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


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(STOP_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
