"""`distribu serve` and `distribu worker`: hand over to the server, and to the delivery of webhooks."""

import contextlib
from collections.abc import Iterator
from logging import getLogger

import click

from app import logs
from app.cli import runtime
from app.db import Database

LOG = getLogger(__name__)


@click.command()
@click.option("--no-worker", is_flag=True, help="Leave the delivery of webhooks to `distribu worker`.")
def serve(no_worker: bool) -> None:
    """Serve the API and deliver webhooks until a signal ends it."""
    with _database() as database:
        from app.delivery.process import beside  # noqa: PLC0415
        from app.http.process import run  # noqa: PLC0415 - the web framework would slow down every other command

        run(runtime.settings(), database, contextlib.nullcontext() if no_worker else beside())


@click.command()
def worker() -> None:
    """Deliver webhooks until a signal ends it. Any number of workers may run, on any machine."""
    with _database() as database:
        from app.delivery.process import run  # noqa: PLC0415 - as above

        run(runtime.settings(), database)


@contextlib.contextmanager
def _database() -> Iterator[Database]:
    """Yield the database; from here on, messages are log lines."""
    logs.configure(runtime.settings().log_level)
    with runtime.current_database(warn=LOG.warning) as database:
        yield database
