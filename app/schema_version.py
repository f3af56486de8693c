"""The version of the schema: upgrade a database to this code, and check that it is up to date.

Alembic is configured here, in code. The revisions are in `migrations/versions/`.
"""

import functools
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.db import Database, retrying
from app.errors import DatabaseBusyError, DatabaseUnavailableError, StartError
from app.queries import online_indexes, opening_rows, search_index, search_texts
from app.queries.opening_rows import OnProgress

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
UPGRADE_HINT = "Run: distribu db upgrade"
REQUIRED_ENCODING = "UTF8"


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
        raise StartError(_unusable(database, error)) from error
    return done


def check(database: Database) -> None:
    """Raise StartError unless the database exists, is reachable and has the schema of this code."""
    if database.file is not None and not database.file.is_file():
        raise StartError(f"The database {database.file} does not exist. {UPGRADE_HINT}")
    try:
        with database.transaction() as session:
            _check_encoding(database, session.connection())
            current = _current(session.connection())
    except (DatabaseUnavailableError, sa.exc.DatabaseError) as error:
        raise StartError(_unusable(database, error)) from error
    _check_not_newer(database, current)
    if current != _head():
        raise StartError(f"The database {_name(database)} is older than this code. {UPGRADE_HINT}")


def is_fit(database: Database) -> bool:
    """Return whether the database can be written and is not older than this code. Never raises for a database error.

    A newer schema is accepted: revisions work while the previous version of the code still runs.
    """
    if database.file is not None and not os.access(database.file, os.W_OK):  # on PostgreSQL, BEGIN checks this
        return False
    try:
        current = revision(database)
        return current == _head() or (current is not None and current not in _known())
    except (DatabaseUnavailableError, sa.exc.DatabaseError):
        return False


def revision(database: Database) -> str | None:
    """Return the revision of the database, None for an empty one."""
    with database.transaction() as session:
        return _current(session.connection())


def _apply_revisions(database: Database) -> Upgrade:
    with database.connection() as connection:
        database.lock_schema(connection)
        _check_encoding(database, connection)
        before = _current(connection)
        _check_not_newer(database, before)
        command.upgrade(_config(connection), "head")
        return Upgrade(before, _head(), search_index.ensure(connection))


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in scripts().walk_revisions())


@functools.cache
def _head() -> str:
    head = scripts().get_current_head()
    assert head is not None  # the code has revisions
    return head


def _check_not_newer(database: Database, current: str | None) -> None:
    if current is not None and current not in _known():
        raise StartError(
            f"The database {_name(database)} is newer than this code. Install the newer version of Distribu."
        )


def _check_encoding(database: Database, connection: sa.Connection) -> None:
    """Reject an encoding that cannot store all text, or that does not validate it (SQL_ASCII)."""
    encoding = database.encoding(connection)
    if encoding != REQUIRED_ENCODING:
        raise StartError(
            f"The database {_name(database)} has the encoding {encoding}, and Distribu needs {REQUIRED_ENCODING}."
            " Create another database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and set"
            " DISTRIBU_DATABASE_URL."
        )


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


def _name(database: Database) -> str:
    return str(database.file or database.url.set(query={}).render_as_string(hide_password=True))


def _unusable(database: Database, error: Exception) -> str:
    origin = getattr(error, "orig", None)
    if isinstance(origin, sqlite3.DatabaseError) and getattr(origin, "sqlite_errorname", "") == "SQLITE_NOTADB":
        reason = "it is not an SQLite database"
    else:
        reason = str(origin or error).strip().partition("\n")[0]
    return f"The database {_name(database)} cannot be used: {reason}. Check DISTRIBU_DATABASE_URL."
