"""Refolding: store the folded texts that search compares again when `models.searchable` has changed.

`distribu db upgrade` refolds while servers run: it reads in batches and writes only what differs, each batch in a
separate transaction. A server of an older version still folds in the old way; the next upgrade refolds the rows that it
has written. Not in this module: the index of these texts, which triggers maintain (`app/queries/search_index.py`).
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Table, bindparam

from app.db import Database, retrying
from models import Customer, Product, searchable
from models.base import table

BATCH = 2000
SEARCHED_COLUMNS = {table(model): model.searched for model in (Product, Customer)}


def refresh(database: Database) -> int:
    """Refold every row. Return how many rows were out of date."""
    return sum(_refresh(database, searched, columns) for searched, columns in SEARCHED_COLUMNS.items())


def _refresh(database: Database, searched: Table, columns: tuple[str, ...]) -> int:
    names = (searched.c[column] for column in columns)
    rows = sa.select(searched.c.id, searched.c.search_text, *names).where(searched.c.id > bindparam("last_id"))
    rows = rows.order_by(searched.c.id).limit(BATCH)
    count, last_id = 0, ""
    while True:
        with database.transaction() as session:
            batch = session.execute(rows, {"last_id": last_id}).all()
        if not batch:
            return count
        last_id = batch[-1].id
        refolded = [
            {"row_id": row_id, "before": before, "after": searchable(*texts)} for row_id, before, *texts in batch
        ]
        count += _write(database, searched, [row for row in refolded if row["before"] != row["after"]])


def _write(database: Database, searched: Table, refolded: Sequence[Mapping[str, str]]) -> int:
    """Update the rows that have not changed since they were read: any other change to a row has folded its text."""
    is_unchanged = (searched.c.id == bindparam("row_id")) & (searched.c.search_text == bindparam("before"))
    statement = sa.update(searched).where(is_unchanged).values(search_text=bindparam("after"))

    def attempt() -> int:
        with database.transaction(write=True) as session:
            return session.connection().execute(statement, refolded).rowcount

    return retrying(attempt) if refolded else 0
