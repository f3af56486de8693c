"""Keyset pages, newest first (contract, section 3): a page costs the same wherever it stands in the list.

A list is ordered by `created_at`, then `id`, both descending; the cursor is the id of the last row seen.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, tuple_

from app.context import Context
from app.errors import InvalidCursorError
from app.services.tenant import bound, owned
from models import searchable

MAX_LIMIT = 100
ESCAPE = "\\"

Condition = ColumnElement[bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some rows of a list and how to go on: `next_cursor` is None on the last page."""

    rows: Sequence[Row[Any]]
    next_cursor: str | None


class Listing:
    """The statements behind one list, built once for each combination of filters."""

    def __init__(self, table: Table, columns: Sequence[Any], filters: dict[str, Condition]) -> None:
        """Take the columns of a row and a condition on a bound parameter for each filter by its name."""
        self._table = table
        self._columns = columns
        self._filters = filters
        self._statement = functools.cache(self._build)
        self._place = owned(table.c.created_at).where(table.c.id == bindparam("cursor"))

    def page(self, ctx: Context, *, limit: int, cursor: str | None, **filters: Any) -> Page:
        """Return the page after `cursor` of the rows that pass each filter that is not None.

        `limit` is clamped to 1..100. One statement; with a cursor a second one, which finds its place.
        Raises InvalidCursorError when the company has no such row.
        """
        limit = min(max(limit, 1), MAX_LIMIT)
        used = {name: value for name, value in filters.items() if value is not None}
        values = bound(ctx, limit=limit + 1, **used)
        if cursor is not None:
            values |= {"cursor": cursor, "created_at": self._created_at(ctx, cursor)}
        statement = self._statement(cursor is not None, *sorted(used))
        rows = ctx.session.execute(statement, values).all()
        return Page(rows=rows[:limit], next_cursor=rows[limit - 1].id if len(rows) > limit else None)

    def _created_at(self, ctx: Context, cursor: str) -> Any:
        place = ctx.session.execute(self._place, bound(ctx, cursor=cursor)).scalar_one_or_none()
        if place is None:
            raise InvalidCursorError
        return place

    def _build(self, after_cursor: bool, *names: str) -> Select[Any]:  # noqa: FBT001 - a cache key
        table = self._table
        statement = owned(*self._columns).where(*(self._filters[name] for name in names))
        if after_cursor:
            place = tuple_(
                bindparam("created_at", type_=table.c.created_at.type), bindparam("cursor", type_=table.c.id.type)
            )
            statement = statement.where(tuple_(table.c.created_at, table.c.id) < place)
        return statement.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(bindparam("limit"))


def like(text: str | None) -> str | None:
    """Fold a search text and escape what LIKE would take for a wildcard; None stays None."""
    if text is None:
        return None
    folded = searchable(text).replace(ESCAPE, ESCAPE + ESCAPE)
    return folded.replace("%", ESCAPE + "%").replace("_", ESCAPE + "_")
