"""`distribu db`: the schema of the database."""

import stat
from pathlib import Path

import click

from app import schema_version
from app.cli import options, output, runtime

UNINDEXED = (
    "Search has no index here and reads lists from end to end. For an index, SQLite needs FTS5; on PostgreSQL have"
    " CREATE EXTENSION pg_trgm run by a role that may, in a schema that Distribu's role may use. Then run this command"
    " again."
)


READABLE = "Other users of this machine can read {file}, which holds signing secrets. Run: chmod 600 {file}"


@click.group()
def db() -> None:
    """Bring the database up to this version of Distribu."""


@db.command()
@options.as_json
def upgrade(as_json: bool) -> None:
    """Create the database, or apply what is missing of its schema. Safe to run at every start."""
    with runtime.any_database() as database:
        before, after, has_search_index = schema_version.upgrade(database)
    if before == after:
        output.note(f"The database is up to date at revision {after}.")
    else:
        output.note(f"The database was brought from {before or 'nothing'} to revision {after}.")
    _warn_of_readers(database.file)
    if not has_search_index:
        output.note(UNINDEXED)
    if as_json:
        output.document({"from": before, "to": after, "searchIndex": has_search_index})


def _warn_of_readers(file: Path | None) -> None:
    """Say when others may read the database file: one that an earlier version or another program created."""
    if file is not None and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        output.note(READABLE.format(file=file))
