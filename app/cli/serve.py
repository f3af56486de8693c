"""`distribu serve` and `distribu worker`: hand over to the server, and to the delivery of webhooks."""

import contextlib

import click

from app.cli import runtime


@click.command()
@click.option("--no-worker", is_flag=True, help="Leave the delivery of webhooks to `distribu worker`.")
def serve(no_worker: bool) -> None:
    """Serve the API and deliver webhooks until a signal ends it."""
    with runtime.current_database() as database:
        from app.http import server  # noqa: PLC0415 - the web framework would slow down every other command
        from app.webhooks import process  # noqa: PLC0415

        server.run(runtime.settings(), database, contextlib.nullcontext() if no_worker else process.beside())


@click.command()
def worker() -> None:
    """Deliver webhooks until a signal ends it. Any number of workers may run, on any machine."""
    with runtime.current_database() as database:
        from app.webhooks import process  # noqa: PLC0415 - as above

        process.run(runtime.settings(), database)
