"""Ranges of ids: what one transaction checks.

Checks of the same rows share their ranges, so that the rows are read once from the disk, and from a cache afterwards.
"""

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services.events import ENTITY_TABLES
from models import Event, InventoryMovement, Order, Product, Refund, Return, Shipment
from models.base import Id, table

RANGE_ROWS = 5_000  # of each table: most of their pages fit the cache of an SQLite connection, which has 16 MB
FIRST, LAST = "", "~"  # sort before and after every id
AFTER_PARAMETER, LAST_PARAMETER = bindparam("after", type_=Id), bindparam("last", type_=Id)
OFFSET = bindparam("offset", type_=sa.Integer)


class IdRange(NamedTuple):
    """The ids after `after`, up to and including `last`."""

    after: str
    last: str


class IdRow(Row):
    """The id at the end of a range."""

    id: str


class Ranges:
    """Ranges of the ids in some columns, with at most RANGE_ROWS rows of each and all further rows with the last id."""

    def __init__(self, *columns: Column[str]) -> None:
        """Prepare a statement for each column."""
        self._ends = [_end(column) for column in columns]

    def of_company(self, ctx: Context) -> Iterator[IdRange]:
        """Yield ranges that together include every id, also of rows that are added later."""
        after = FIRST
        while (last := self._next_end(ctx, after)) is not None:
            yield IdRange(after, last)
            after = last
        yield IdRange(after, LAST)

    def _next_end(self, ctx: Context, after: str) -> str | None:
        parameters = tenant.params(ctx, after=after, offset=RANGE_ROWS - 1)
        found = (end.one_or_none(ctx.session, parameters) for end in self._ends)
        return min((row.id for row in found if row is not None), default=None)


def within(column: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that an id is in the range."""
    return sa.and_(column > AFTER_PARAMETER, column <= LAST_PARAMETER)


def _end(column: Column[str]) -> Statement[IdRow]:
    rows = sa.select(column.label("id")).where(tenant.where(column.table), column > AFTER_PARAMETER)
    return Statement(IdRow, rows.order_by(column).offset(OFFSET).limit(1))


PRODUCTS = Ranges(table(Product).c.id, table(InventoryMovement).c.product_id)
ORDERS = Ranges(
    table(Order).c.id, *(table(model).c.order_id for model in (InventoryMovement, Shipment, Return, Refund))
)
RETURNS = Ranges(table(Return).c.id, table(Refund).c.return_id)
ENTITIES = Ranges(*(entities.c.id for entities in ENTITY_TABLES.values()), table(Event).c.entity_id)
