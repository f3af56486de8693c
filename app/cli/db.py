"""`distribu db`: the schema of the database."""

import click

from app import schema_version
from app.cli import options, output, runtime


@click.group()
def db() -> None:
    """Bring the database up to this version of Distribu."""


@db.command()
@options.as_json
def upgrade(as_json: bool) -> None:
    """Create the database, or apply what is missing of its schema. Safe to run at every start."""
    with runtime.any_database() as database:
        before, after = schema_version.upgrade(database)
    if before == after:
        output.note(f"The database is up to date at revision {after}.")
    else:
        output.note(f"The database was brought from {before or 'nothing'} to revision {after}.")
    if as_json:
        output.document({"from": before, "to": after})
