"""The revision of a database, compared with the revisions of this code.

Servers and commands check this when they start. Not in this module: upgrades (`app/schema_version.py`), for which
Alembic is imported; that takes 0.1 s and 10 MiB.
"""

import functools
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from app.db import Database
from app.errors import DatabaseUnavailableError, StartError

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
UPGRADE_HINT = "Run: distribu db upgrade"
REQUIRED_ENCODING = "UTF8"
VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))  # Alembic creates it


def check(database: Database) -> None:
    """Raise StartError unless the database exists, is reachable and has the schema of this code."""
    if database.file is not None and not database.file.is_file():
        raise StartError(f"The database {database.file} does not exist. {UPGRADE_HINT}")
    try:
        with database.transaction() as session:
            check_encoding(database, session.connection())
            found = current(session.connection())
    except (DatabaseUnavailableError, sa.exc.DatabaseError) as error:
        raise StartError(unusable(database, error)) from error
    check_not_newer(database, found)
    if found != head():
        raise StartError(f"The database {name(database)} is older than this code. {UPGRADE_HINT}")


def is_fit(database: Database) -> bool:
    """Return whether the database can be written and is not older than this code. Never raises for a database error.

    A newer schema is accepted: revisions work while the previous version of the code still runs.
    """
    if database.file is not None and not os.access(database.file, os.W_OK):  # on PostgreSQL, BEGIN checks this
        return False
    if database.is_file_replaced:
        return False
    try:
        found = revision(database)
        return found == head() or (found is not None and found not in known())
    except (DatabaseUnavailableError, sa.exc.DatabaseError):
        return False


def revision(database: Database) -> str | None:
    """Return the revision of the database, None for an empty one."""
    with database.transaction() as session:
        return current(session.connection())


def current(connection: sa.Connection) -> str | None:
    """Return the revision of the database, None for an empty one."""
    if not sa.inspect(connection).has_table(VERSION.name):
        return None
    return connection.scalar(sa.select(VERSION.c.version_num))


@functools.cache
def known() -> frozenset[str]:
    """Return the revisions of this code: the first part of the name of each file."""
    return frozenset(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def head() -> str:
    """Return the last revision of this code."""
    return max(known())


def check_not_newer(database: Database, found: str | None) -> None:
    """Raise StartError if the revision of a database is none of this code."""
    if found is not None and found not in known():
        raise StartError(
            f"The database {name(database)} is newer than this code. Install the newer version of Distribu."
        )


def check_encoding(database: Database, connection: sa.Connection) -> None:
    """Reject an encoding that cannot store all text, or that does not validate it (SQL_ASCII)."""
    encoding = database.encoding(connection)
    if encoding != REQUIRED_ENCODING:
        raise StartError(
            f"The database {name(database)} has the encoding {encoding}, and Distribu needs {REQUIRED_ENCODING}."
            " Create another database with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and set"
            " DISTRIBU_DATABASE_URL."
        )


def name(database: Database) -> str:
    """Return the file or the URL of a database, without the password."""
    return str(database.file or database.url.set(query={}).render_as_string(hide_password=True))


def unusable(database: Database, error: Exception) -> str:
    """Return the message of an error that makes a database unusable."""
    origin = getattr(error, "orig", None)
    if isinstance(origin, sqlite3.DatabaseError) and getattr(origin, "sqlite_errorname", "") == "SQLITE_NOTADB":
        reason = "it is not an SQLite database"
    else:
        reason = str(origin or error).strip().partition("\n")[0]
    return f"The database {name(database)} cannot be used: {reason}. Check DISTRIBU_DATABASE_URL."
