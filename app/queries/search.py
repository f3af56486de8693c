"""Substring search, ignoring case. Not in this module: which columns of a row are searched (`models`).

Where the database has a search index (`app/queries/search_index.py`), it returns the rows that may contain a text of at
least three characters; if there are few, only those are read. Otherwise the list is scanned and every row is compared.
This is also done with an exact lookup (`app/queries/listing.py`), which has its own index. Both ways find the same
rows.
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
MAX_CANDIDATES = 3000  # if more rows contain a text, scanning the list soon fills a page
GRAM_LENGTH = 3  # both databases index trigrams, so a shorter text cannot be looked up
MAX_GRAMS = 12  # of a long text, plus its last one; every candidate is compared with the whole text anyway
# Yield the ids of all candidates, separated by spaces, or null, without reading any id, if there are too many.
SELECT_CANDIDATES_SQLITE = """
    WITH found AS MATERIALIZED (SELECT rowid FROM {index} WHERE {index} MATCH :wanted LIMIT :most + 1)
    SELECT CASE WHEN (SELECT count(*) FROM found) <= :most THEN
        (SELECT coalesce(group_concat(id, ' '), '') FROM {index}_rows WHERE number IN (SELECT rowid FROM found)) END
"""
SELECT_CANDIDATES_POSTGRESQL = """
    WITH found AS MATERIALIZED (SELECT id FROM {index} WHERE search_text LIKE :wanted LIMIT :most + 1)
    SELECT CASE WHEN (SELECT count(*) FROM found) <= :most THEN
        (SELECT coalesce(string_agg(id, ' '), '') FROM found) END
"""
_indexed: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def like(text: str) -> str:
    """Fold a text and escape the wildcards of LIKE."""
    folded = searchable(text).replace(ESCAPE, ESCAPE + ESCAPE)
    return folded.replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")


def candidates(ctx: Context, table: Table, text: str) -> Sequence[str] | None:
    """Return the ids of all rows, of any company, that may contain `text`; no other row contains it.

    Return None if there is no index, or if there are more than MAX_CANDIDATES.
    """
    folded = searchable(text)
    engine: Engine = ctx.session.get_bind().engine
    if len(folded) < GRAM_LENGTH or not _is_indexed(ctx, engine):
        return None
    wanted = _match(folded) if engine.dialect.name == "sqlite" else f"%{like(text)}%"
    statement = _statement(table.name, engine.dialect.name)
    found: str | None = ctx.session.execute(statement, {"wanted": wanted, "most": MAX_CANDIDATES}).scalar_one()
    return None if found is None else found.split()


def _is_indexed(ctx: Context, engine: Engine) -> bool:
    """Return whether the database has the index. The result is cached: a server uses a new index after a restart."""
    if engine not in _indexed:
        _indexed[engine] = search_index.exists(ctx.session.connection())
    return _indexed[engine]


def _match(folded: str) -> str:
    """Return the FTS5 query for rows that contain trigrams from evenly spaced positions of a text, in any order."""
    last = len(folded) - GRAM_LENGTH
    starts = {*range(0, last, -(-last // MAX_GRAMS) or 1), last}
    grams = {folded[start : start + GRAM_LENGTH] for start in starts}
    return " AND ".join('"' + gram.replace('"', '""') + '"' for gram in sorted(grams))


@functools.cache
def _statement(table: str, dialect: str) -> sa.TextClause:
    select = SELECT_CANDIDATES_SQLITE if dialect == "sqlite" else SELECT_CANDIDATES_POSTGRESQL
    return sa.text(select.format(index=search_index.name(table)))
