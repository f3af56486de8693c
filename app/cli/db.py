"""`distribu db`: the database and its schema."""

import stat
from pathlib import Path

import click

from app import schema_version
from app.cli import options, output, runtime

NO_SEARCH_INDEX = (
    "The database has no search index, so a search reads whole tables. SQLite needs FTS5 for the index. On PostgreSQL,"
    " a role with the right to do so must run CREATE EXTENSION pg_trgm in a schema that Distribu's role can use. Then"
    " run this command again."
)
READABLE_BY_OTHERS = "Other users of this machine can read {file}, which holds signing secrets. Run: chmod 600 {file}"


@click.group()
def db() -> None:
    """Create and upgrade the database."""


@db.command()
@options.as_json
def upgrade(as_json: bool) -> None:
    """Create the database, or upgrade it to this version.

    It is safe to run this command before every start.
    """
    with runtime.any_database() as database:
        before, after, has_search_index = schema_version.upgrade(database)
    if before == after:
        output.note(f"The database is up to date at revision {after}.")
    elif before is None:
        output.note(f"Created the database at revision {after}.")
    else:
        output.note(f"Upgraded the database from revision {before} to {after}.")
    _warn_if_readable(database.file)
    if not has_search_index:
        output.warning(NO_SEARCH_INDEX)
    if as_json:
        output.document({"from": before, "to": after, "searchIndex": has_search_index})


def _warn_if_readable(file: Path | None) -> None:
    """Warn if other users can read the database file, as one that an earlier version or another program created."""
    if file is not None and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        output.warning(READABLE_BY_OTHERS.format(file=file))
