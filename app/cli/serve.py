"""`distribu serve`: hand over to the server."""

import click

from app.cli import runtime


@click.command()
def serve() -> None:
    """Serve the API until a signal ends it."""
    with runtime.current_database() as database:
        from app.http import server  # noqa: PLC0415 - the web framework would slow down every other command

        server.run(runtime.settings(), database)
