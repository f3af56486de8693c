"""The folded texts that search compares, brought up to date when `models.searchable` has changed.

`distribu db upgrade` does this while servers run: it reads in batches and writes only what differs, each batch in a
transaction of its own. A server of an older version still folds in its way; the next upgrade brings up to date what it
wrote in the meantime. Not here: the index over these texts, which triggers keep (`app/queries/search_index.py`).
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Table, bindparam

from app.db import Database, retrying
from models import Customer, Product, searchable
from models.base import table

BATCH = 2000
SEARCHED = {table(model): model.searched for model in (Product, Customer)}


def refresh(database: Database) -> int:
    """Fold the texts of every row again; return how many rows were out of date."""
    return sum(_refresh(database, each, columns) for each, columns in SEARCHED.items())


def _refresh(database: Database, searched: Table, columns: tuple[str, ...]) -> int:
    names = (searched.c[column] for column in columns)
    rows = sa.select(searched.c.id, searched.c.search_text, *names).where(searched.c.id > bindparam("after"))
    rows = rows.order_by(searched.c.id).limit(BATCH)
    count, after = 0, ""
    while True:
        with database.transaction() as session:
            batch = session.execute(rows, {"after": after}).all()
        if not batch:
            return count
        after = batch[-1].id
        stale = [(row_id, before, searchable(*texts)) for row_id, before, *texts in batch]
        count += _write(database, searched, [each for each in stale if each[1] != each[2]])


def _write(database: Database, searched: Table, stale: list[tuple[str, str, str]]) -> int:
    """Write what is still as it was read: any other change of a row has folded its text."""
    row = searched.c.id == bindparam("row_id"), searched.c.search_text == bindparam("before")
    statement = sa.update(searched).where(*row).values(search_text=bindparam("folded"))
    parameters: list[dict[str, Any]] = [dict(zip(("row_id", "before", "folded"), each, strict=True)) for each in stale]

    def attempt() -> int:
        with database.transaction(write=True) as session:
            return session.connection().execute(statement, parameters).rowcount

    return retrying(attempt) if stale else 0
