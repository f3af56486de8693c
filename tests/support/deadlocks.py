"""The deadlocks in a database."""

import sqlalchemy as sa

from app.db import Database

SELECT_COUNT = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def count(database: Database) -> int:
    """Return the number of deadlocks that PostgreSQL has resolved. SQLite has one writer, and none."""
    if database.is_sqlite:
        return 0
    with database.transaction() as session:
        return int(session.scalar(SELECT_COUNT) or 0)
