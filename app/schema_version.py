"""Upgrades of the schema. Alembic is configured here, in code; the revisions are in `migrations/versions/`.

Not in this module: whether a database is up to date (`app/schema_check.py`).
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app import schema_check
from app.db import Database, retrying
from app.errors import DatabaseBusyError, DatabaseUnavailableError, StartError
from app.queries import online_indexes, opening_rows, search_index, search_texts
from app.queries.opening_rows import OnProgress


class Upgrade(NamedTuple):
    """The revisions before and after an upgrade, whether the search indexes exist, and which indexes are missing."""

    before: str | None
    after: str
    has_search_index: bool
    missing_indexes: Sequence[str] = ()


def scripts() -> ScriptDirectory:
    """Return the revisions of this code."""
    return ScriptDirectory.from_config(_config())


def upgrade(database: Database, *, large_indexes: bool = False, on_progress: OnProgress = lambda *_: None) -> Upgrade:
    """Apply every missing revision and create the search indexes, if possible, in one transaction.

    Work on every row of a table follows in separate transactions, while servers run: indexes, opening rows, and the
    texts for search. An index that would stop the writers of SQLite for long is created only with `large_indexes`.
    Raises StartError when the database cannot be created or reached, or is newer than this code.
    """
    _create_file(database)
    try:
        done = retrying(lambda: _apply_revisions(database))
        max_rows = None if large_indexes else online_indexes.MAX_ROWS
        done = done._replace(missing_indexes=online_indexes.create_missing(database, max_rows=max_rows))
        opening_rows.insert_missing(database, on_progress)
        search_texts.refresh(database)
    except DatabaseBusyError:
        raise  # its own message is better: the database can be used
    except (DatabaseUnavailableError, sa.exc.DatabaseError) as error:
        raise StartError(schema_check.unusable(database, error)) from error
    return done


def _apply_revisions(database: Database) -> Upgrade:
    with database.connection() as connection:
        database.lock_schema(connection)
        schema_check.check_encoding(database, connection)
        before = schema_check.current(connection)
        schema_check.check_not_newer(database, before)
        command.upgrade(_config(connection), "head")
        return Upgrade(before, schema_check.head(), search_index.ensure(connection))


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(schema_check.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _create_file(database: Database) -> None:
    """Create the directory and an empty file that only their owner can read; connections never create a file.

    SQLite gives its journal and its shared memory the permissions of the file.
    """
    if database.file is None:
        return
    try:
        database.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(database.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        raise StartError(
            f"The database {database.file} cannot be written: {error.strerror}. Set DISTRIBU_DATABASE_URL."
        ) from error
