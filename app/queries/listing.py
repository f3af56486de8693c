"""Keyset pages, newest first (contract, section 3): a page costs the same wherever it stands in the list.

A list is ordered by `created_at`, then `id`, both descending; the cursor is the id of the last row seen. Two kinds of
pages cost what they choose from: what was changed after it was made, and what an index found by its text.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, false, func, tuple_

from app.context import Context
from app.errors import InvalidCursorError
from app.queries import search, tenant

MAX_LIMIT = 100
CHANGED, CURSOR, SEARCH = "updated_since", "cursor", "search"

Condition = ColumnElement[bool]
Comparison = Callable[[Any, Any], Condition]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some rows of a list and how to go on: `next_cursor` is None on the last page."""

    rows: Sequence[Row[Any]]
    next_cursor: str | None


class Part(Enum):
    """Which rows of a list a statement reads. What was changed since a moment is read in two parts, each by its index.

    What was made since then comes first, in the order of the list. What is older and was changed since is found by when
    it was changed, and sorted; a walk down the list for it would end only with the company's history. So is what an
    index found by its text: it is in one part, whatever is asked besides. A look-up is in one part too, in the order of
    the index of its column.
    """

    WHOLE = auto()
    EXACT = auto()
    NEWER = auto()
    OLDER = auto()
    FOUND = auto()


class Listing:
    """The statements behind one list, built once for each combination of filters."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[Any],
        filters: Mapping[str, Condition],
        created: Mapping[str, Comparison] | None = None,
        lookups: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> None:
        """Take the columns of a row and a condition on a bound parameter for each filter by its name.

        `created` names filters that compare `created_at` to a moment; `lookups` names columns with an index of their
        own, which serves them whatever else is asked. Every list has the filter `updated_since`, and those of tables
        with a `search_text` have `search`.
        """
        self._table = table
        self._columns = columns
        self._filters = filters
        self._created = created or {}
        self._lookups = lookups or {}
        self._statement = functools.cache(self._build)
        self._place = tenant.select(table.c.created_at).where(table.c.id == bindparam(CURSOR))

    def page(self, ctx: Context, *, limit: int, cursor: str | None, **filters: Any) -> Page:
        """Return the page after `cursor` of the rows that pass each filter that is not None.

        `limit` is clamped to 1..100. One statement; with a cursor one more, which finds its place; with `updated_since`
        one more where what is new does not fill the page; with `search` one more, which asks the index.
        Raises InvalidCursorError when the company has no such row.
        """
        limit = min(max(limit, 1), MAX_LIMIT)
        given = {name: value for name, value in {**filters, CURSOR: cursor}.items() if value is not None}
        values = tenant.params(ctx, **given)
        if cursor is not None:
            values["created_at"] = self._created_at(ctx, cursor)
        is_lookup = not self._lookups.keys().isdisjoint(given)
        if SEARCH in given:
            values[SEARCH] = search.like(given[SEARCH])
            values["candidates"] = None if is_lookup else search.candidates(ctx, self._table, given[SEARCH])
        rows: list[Row[Any]] = []
        for part in [Part.EXACT] if is_lookup else _parts(values):
            if len(rows) <= limit:
                statement = self._statement(part, *sorted(given))
                rows += ctx.session.execute(statement, {**values, "limit": limit + 1 - len(rows)})
        return Page(rows=rows[:limit], next_cursor=rows[limit - 1].id if len(rows) > limit else None)

    def _created_at(self, ctx: Context, cursor: str) -> Any:
        place = ctx.session.execute(self._place, tenant.params(ctx, cursor=cursor)).scalar_one_or_none()
        if place is None:
            raise InvalidCursorError
        return place

    def _build(self, part: Part, *names: str) -> Select[Any]:
        table = self._table
        if part in {Part.WHOLE, Part.EXACT, Part.NEWER}:
            return self._next(part, names, table.c.created_at, self._columns)
        # What has to be sorted is sorted without its columns: those are read for the page alone.
        created = _indexless(table.c.created_at)
        ids = self._next(part, names, created, [table.c.id]).scalar_subquery()
        return tenant.select(*self._columns).where(table.c.id.in_(ids)).order_by(created.desc(), table.c.id.desc())

    def _next(
        self, part: Part, names: Sequence[str], created: ColumnElement[Any], columns: Sequence[Any]
    ) -> Select[Any]:
        """Select columns of the part's next rows; `created` is `created_at`, or stands for it without its index."""
        table = self._table
        statement = tenant.select(*columns).where(
            *(self._condition(part, name, created) for name in names if name != CHANGED)
        )
        if CHANGED in names:
            statement = statement.where(*self._changed(part, created))
        if part is Part.FOUND:
            statement = statement.where(table.c.id.in_(bindparam("candidates", expanding=True)))
        return statement.order_by(created.desc(), table.c.id.desc()).limit(bindparam("limit"))

    def _condition(self, part: Part, name: str, created: ColumnElement[Any]) -> Condition:
        table = self._table
        if name == SEARCH:
            return table.c.search_text.contains(bindparam(SEARCH), escape=search.ESCAPE)
        if name == CURSOR:
            place = tuple_(self._moment("created_at"), bindparam(CURSOR, type_=table.c.id.type))
            return tuple_(created, table.c.id) < place
        if name in self._created:
            return self._created[name](created, self._moment(name))
        if name in self._lookups:
            return self._lookups[name] == bindparam(name)
        filtered = self._filters[name]
        return func.coalesce(filtered, false()) if part is Part.EXACT else filtered  # without its index

    def _changed(self, part: Part, created: ColumnElement[Any]) -> Sequence[Condition]:
        updated_at, since = self._table.c.updated_at, self._moment(CHANGED)
        if part in {Part.FOUND, Part.EXACT}:
            return [_indexless(updated_at) >= since]
        if part is Part.NEWER:
            return _indexless(updated_at) >= since, created >= since
        return updated_at >= since, created < since

    def _moment(self, name: str) -> ColumnElement[Any]:
        return bindparam(name, type_=self._table.c.created_at.type)


def _parts(values: Mapping[str, Any]) -> Sequence[Part]:
    if values.get("candidates") is not None:
        return [Part.FOUND]
    return [Part.NEWER, Part.OLDER] if CHANGED in values else [Part.WHOLE]


def _indexless(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the same value as an expression, for which no database takes an index."""
    return func.coalesce(column, column)
