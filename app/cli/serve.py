"""`distribu serve` and `distribu worker`: start the API server and the worker."""

import contextlib
from collections.abc import Iterator
from logging import getLogger

import click

from app import logs
from app.cli import runtime
from app.db import Database

LOG = getLogger(__name__)


@click.command()
@click.option("--no-worker", is_flag=True, help="Start no worker. Run `distribu worker` elsewhere.")
def serve(no_worker: bool) -> None:
    """Start the API server and a worker.

    The command runs until it receives SIGINT (Ctrl-C) or SIGTERM.
    """
    with _database() as database:
        from app.delivery.process import alongside_server  # noqa: PLC0415
        from app.http.process import run  # noqa: PLC0415 - importing the web framework takes time

        run(runtime.settings(), database, contextlib.nullcontext() if no_worker else alongside_server())


@click.command()
def worker() -> None:
    """Start a worker.

    It delivers webhooks, and seals the audit log.

    The command runs until it receives SIGINT (Ctrl-C) or SIGTERM. Any number of workers can run at the same time, on
    any number of machines.
    """
    with _database() as database:
        from app.delivery.process import run  # noqa: PLC0415 - as above

        run(runtime.settings(), database)


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    """Yield the database. From here on, messages are log lines."""
    logs.configure(runtime.settings().log_level)
    with runtime.current_database(warn=LOG.warning) as database:
        yield database
