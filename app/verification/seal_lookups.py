"""Statements on the entries of the audit log and their seals, for the check of the chain.

A seal is found with a subquery for each entry and not with a join: the plan of a join depends on statistics, which
PostgreSQL does not have yet of a table that was just filled.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services.audit_seals import ENTRIES, SELECT_LAST, SealedEntryRow, entry_columns, is_after_position
from app.services.audit_seals import TABLE as SEALS
from app.verification.ranges import RANGE_ROWS

NUMBER, BEFORE = bindparam("number", type_=SEALS.c.number.type), bindparam("before", type_=SEALS.c.number.type)


class ChainedEntryRow(SealedEntryRow):
    """An entry with its seal, null if it has none."""

    number: int | None
    seal: bytes | None


class SealRow(Row):
    """A seal, and whether its entry exists."""

    number: int
    id: str
    seal: bytes
    has_entry: bool


HAS_SAME_ID = tenant.where(SEALS) & (SEALS.c.id == ENTRIES.c.id)
CHAINED_COLUMNS = (
    *entry_columns(),
    sa.select(SEALS.c.number).where(HAS_SAME_ID).scalar_subquery().label("number"),
    sa.select(SEALS.c.seal).where(HAS_SAME_ID).scalar_subquery().label("seal"),
)
HAS_ENTRY = sa.select(ENTRIES.c.id).where(tenant.where(ENTRIES), ENTRIES.c.id == SEALS.c.id).exists()
SELECT_ENTRIES = Statement(
    ChainedEntryRow,
    tenant.select(*CHAINED_COLUMNS)
    .where(is_after_position())
    .order_by(ENTRIES.c.created_at, ENTRIES.c.id)
    .limit(RANGE_ROWS),
)
SELECT_ENTRY = Statement(
    ChainedEntryRow,
    tenant.select(*CHAINED_COLUMNS).where(
        ENTRIES.c.id == sa.select(SEALS.c.id).where(tenant.where(SEALS), SEALS.c.number == NUMBER).scalar_subquery()
    ),
)
SELECT_SEALS = Statement(
    SealRow,
    tenant.select(SEALS.c.number, SEALS.c.id, SEALS.c.seal, HAS_ENTRY.label("has_entry"))
    .where(SEALS.c.number > NUMBER, SEALS.c.number < BEFORE)
    .order_by(SEALS.c.number)
    .limit(RANGE_ROWS),
)


def last_number(ctx: Context) -> int:
    """Return the number of the last seal of the company, 0 before the first."""
    last = SELECT_LAST.one_or_none(ctx.session, tenant.params(ctx))
    return 0 if last is None else last.number


def entry(ctx: Context, number: int) -> ChainedEntryRow | None:
    """Return the entry of the seal with a number, None if there is no such seal or entry."""
    return SELECT_ENTRY.one_or_none(ctx.session, tenant.params(ctx, number=number))


def seals_between(ctx: Context, number: int, before: int) -> Iterator[SealRow]:
    """Yield the seals after `number` and before `before`, in their order."""
    while rows := SELECT_SEALS.all(ctx.session, tenant.params(ctx, number=number, before=before)):
        yield from rows
        number = rows[-1].number


def seal(ctx: Context, number: int) -> bytes | None:
    """Return the seal with a number, None if there is no such seal."""
    return next((row.seal for row in seals_between(ctx, number - 1, number + 1)), None)
