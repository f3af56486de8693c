"""Search for a part of a text, in any case. Not here: which texts a row is found by (`models`).

Where the database has an index (`app/queries/search_index.py`), it is asked first which rows may hold a text;
when there are few, only those are read. Otherwise the list is walked and compared. What is found is the same.
"""

import functools
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import Engine, Table

from app.context import Context
from app.queries import search_index
from models import searchable

ESCAPE = "\\"
FEW = 3000  # a text that more rows hold fills a page soon enough when the list is walked
GRAM = 3  # letters: the shortest text that an index knows of
MOST_GRAMS = 12  # of a long text, and its last one; what they find is compared with all of it anyway
# Of too many rows, not even the ids are read.
SQLITE = """
    WITH found AS MATERIALIZED (SELECT rowid FROM {index} WHERE {index} MATCH :wanted LIMIT :most + 1)
    SELECT CASE WHEN (SELECT count(*) FROM found) <= :most THEN
        (SELECT coalesce(group_concat(id, ' '), '') FROM {index}_rows WHERE number IN (SELECT rowid FROM found)) END
"""
POSTGRESQL = """
    WITH found AS MATERIALIZED (SELECT id FROM {index} WHERE search_text LIKE :wanted LIMIT :most + 1)
    SELECT CASE WHEN (SELECT count(*) FROM found) <= :most THEN
        (SELECT coalesce(string_agg(id, ' '), '') FROM found) END
"""
_indexed: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def like(text: str) -> str:
    """Fold a text and escape what LIKE would take for a wildcard."""
    folded = searchable(text).replace(ESCAPE, ESCAPE + ESCAPE)
    return folded.replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")


def candidates(ctx: Context, table: Table, text: str) -> Sequence[str] | None:
    """Return the ids of all rows that may hold `text`, of whatever company: others certainly do not.

    None when there is no index to ask, or when there are too many to be worth it.
    """
    folded = searchable(text)
    engine: Engine = ctx.session.get_bind().engine
    if len(folded) < GRAM or not _is_indexed(ctx, engine):
        return None
    wanted = _match(folded) if engine.dialect.name == "sqlite" else f"%{like(text)}%"
    statement = _statement(table.name, engine.dialect.name)
    found: str | None = ctx.session.execute(statement, {"wanted": wanted, "most": FEW}).scalar_one()
    return None if found is None else found.split()


def _is_indexed(ctx: Context, engine: Engine) -> bool:
    """Ask once: a server that runs while an index is made uses it when it is started anew."""
    if engine not in _indexed:
        _indexed[engine] = search_index.exists(ctx.session.connection())
    return _indexed[engine]


def _match(folded: str) -> str:
    """Return the full-text query for rows that hold trigrams from all over a text, wherever they are in it."""
    last = len(folded) - GRAM
    places = {*range(0, last, -(-last // MOST_GRAMS) or 1), last}
    grams = {folded[at : at + GRAM] for at in places}
    return " AND ".join('"' + gram.replace('"', '""') + '"' for gram in sorted(grams))


@functools.cache
def _statement(table: str, dialect: str) -> sa.TextClause:
    return sa.text((SQLITE if dialect == "sqlite" else POSTGRESQL).format(index=search_index.name(table)))
