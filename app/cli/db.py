"""`distribu db`: the database and its schema."""

import stat
from pathlib import Path

import click

from app import schema_version
from app.cli import options, output, progress, runtime

NO_SEARCH_INDEX = (
    "The database has no search index, so a search reads whole tables. SQLite needs FTS5 for the index. On PostgreSQL,"
    " a role with the right to do so must run CREATE EXTENSION pg_trgm in a schema that Distribu's role can use. Then"
    " run this command again."
)
NO_LARGE_INDEX = (
    "The index {name} was not created, because requests would have to wait for it. Without it, {consequence}."
    " To create it, stop the servers and run: distribu db upgrade --large-indexes"
)
CONSEQUENCES = {
    "ix_order_items_product": "the deletion of a product reads all order items",
    "ix_products_barcode": "a lookup by barcode reads all products",
    "ix_products_low_stock": "the filter lowStock reads all products",
}
ANY_CONSEQUENCE = "some requests read a whole table"
READABLE_BY_OTHERS = "Other users of this machine can read {file}, which holds signing secrets. Run: chmod 600 {file}"


@click.group()
def db() -> None:
    """Create and upgrade the database."""


@db.command()
@click.option("--large-indexes", is_flag=True, help="Also create indexes that stop the writers of SQLite for long.")
@options.as_json
def upgrade(*, large_indexes: bool, as_json: bool) -> None:
    """Create the database, or upgrade it to this version.

    It is safe to run this command before every start, and while servers of the previous version run.
    """
    with runtime.any_database() as database, progress.bars() as bars:
        before, after, has_search_index, missing_indexes = schema_version.upgrade(
            database, large_indexes=large_indexes, on_progress=progress.updating(bars)
        )
    if before == after:
        output.note(f"The database is up to date at revision {after}.")
    elif before is None:
        output.note(f"Created the database at revision {after}.")
    else:
        output.note(f"Upgraded the database from revision {before} to {after}.")
    _warn_if_readable(database.file)
    if not has_search_index:
        output.warning(NO_SEARCH_INDEX)
    for name in missing_indexes:
        output.warning(NO_LARGE_INDEX.format(name=name, consequence=CONSEQUENCES.get(name, ANY_CONSEQUENCE)))
    if as_json:
        output.document({"from": before, "to": after, "searchIndex": has_search_index})


def _warn_if_readable(file: Path | None) -> None:
    """Warn if other users can read the database file, as one that an earlier version or another program created."""
    if file is not None and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        output.warning(READABLE_BY_OTHERS.format(file=file))
