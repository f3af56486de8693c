"""The seals of the audit log: a hash chain for each company (contract, section 9.8).

1. The seal of an entry is the SHA-256 of the seal before it, 32 bytes, and the canonical JSON of the entry (RFC 8785).
   The first entry follows GENESIS. The entry is what `GET /audit-log/{id}` shows, with exactly the members of `digest`.
2. Entries are sealed in the order of their time, then their id. The caller passes a time before which the log is
   complete (`app/clock.py`), so no entry appears later among those that are sealed.
3. An entry that is not after the last sealed one is never sealed: it was inserted. `distribu verify` reports it.
4. The constraints of the table decide between two processes that seal the same entries: one of them fails.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app import canonical_json
from app.context import Context
from app.queries import tenant
from app.queries.rows import AnyColumn, Row, Statement
from app.schemas.audit_seals import AuditSealRow
from app.schemas.base import timestamp
from models import AuditEntry, AuditSeal
from models.base import EPOCH, table

LOG = logging.getLogger(__name__)
Position = tuple[datetime, str]  # of an entry in the log
GENESIS = bytes(32)  # before the first seal
START: Position = (EPOCH, "")  # before the first entry
TABLE, ENTRIES = table(AuditSeal), table(AuditEntry)
TIME = ENTRIES.c.created_at.type


class SealedEntryRow(Row):
    """What is sealed of an entry. `details` is the JSON as the database stores it."""

    id: str
    action: str
    actor_type: str
    actor_id: str
    entity_type: str
    entity_id: str
    request_id: str
    address: str | None
    created_at: datetime
    details: str


class LastSealRow(Row):
    """The last seal of a company."""

    number: int
    seal: bytes


class PositionRow(Row):
    """The position of an entry in the log."""

    created_at: datetime
    id: str


class NewSeal(NamedTuple):
    """A seal to be stored."""

    id: str
    company_id: str
    number: int
    seal: bytes


def entry_columns() -> list[AnyColumn]:
    """Return the columns of a SealedEntryRow."""
    names = [name for name in SealedEntryRow.__annotations__ if name != "details"]
    return [*(ENTRIES.c[name] for name in names), sa.cast(ENTRIES.c.details, sa.Text).label("details")]


def is_after_position() -> sa.ColumnElement[bool]:
    """Return the condition that an entry comes after the position in the parameters (`after_position`)."""
    position = sa.tuple_(bindparam("after_time", type_=TIME), bindparam("after_id", type_=ENTRIES.c.id.type))
    return sa.tuple_(ENTRIES.c.created_at, ENTRIES.c.id) > position


def after_position(created_at: datetime, entry_id: str) -> dict[str, object]:
    """Return the parameters of `is_after_position`."""
    return {"after_time": created_at, "after_id": entry_id}


def _select_positions() -> sa.Select[datetime, str]:
    """Select the position of the last sealed entry that still exists: the log may have been changed.

    A subquery and not a join, so that the plan does not depend on statistics: it reads one row of the index.
    """
    created_at = select(ENTRIES.c.created_at).where(ENTRIES.c.id == TABLE.c.id).scalar_subquery()
    sealed = tenant.select(TABLE.c.number, TABLE.c.id, created_at.label("created_at")).subquery()
    found = select(sealed.c.created_at, sealed.c.id).where(sealed.c.created_at.is_not(None))
    return found.order_by(sealed.c.number.desc()).limit(1)


IS_SEALED = select(TABLE.c.number).where(TABLE.c.id == ENTRIES.c.id).scalar_subquery().is_not(None)
SELECT_LAST = Statement(
    LastSealRow, tenant.select(TABLE.c.number, TABLE.c.seal).order_by(TABLE.c.number.desc()).limit(1)
)
SELECT_POSITION = Statement(PositionRow, _select_positions())
SELECT_UNSEALED = Statement(
    SealedEntryRow,
    sa.select(*entry_columns())
    .where(tenant.where(ENTRIES), is_after_position(), ENTRIES.c.created_at < bindparam("until", type_=TIME))
    .where(sa.not_(IS_SEALED))
    .order_by(ENTRIES.c.created_at, ENTRIES.c.id)
    .limit(bindparam("limit")),
)
SELECT_LATEST = Statement(
    AuditSealRow,
    tenant.select(TABLE.c.seal, TABLE.c.id, TABLE.c.number, TABLE.c.sealed_at).order_by(TABLE.c.number.desc()).limit(1),
)


def latest(ctx: Context) -> AuditSealRow | None:
    """Return the last seal of the company, None before the first."""
    return SELECT_LATEST.one_or_none(ctx.session, tenant.params(ctx))


def digest(previous: bytes, entry: SealedEntryRow) -> bytes:
    """Return the seal of an entry. Raises ValueError if its details are not JSON, or have no canonical form."""
    details = canonical_json.dumps(orjson.loads(entry.details))
    content = orjson.dumps(  # in canonical order; orjson writes strings and null as RFC 8785 does
        {
            "action": entry.action,
            "actorId": entry.actor_id,
            "actorType": entry.actor_type,
            "address": entry.address,
            "createdAt": timestamp(entry.created_at),
            "entityId": entry.entity_id,
            "entityType": entry.entity_type,
            "id": entry.id,
            "metadata": orjson.Fragment(details),
            "requestId": entry.request_id,
        }
    )
    return hashlib.sha256(previous + content).digest()


def next_seals(session: Session, company_id: str, until: datetime, limit: int) -> Sequence[NewSeal]:
    """Return the seals of the next entries of a company from before `until`, at most `limit`.

    An entry that cannot be sealed is left out: its details are not JSON, which only a change by hand can cause.
    """
    company = {tenant.COMPANY_PARAMETER: company_id}
    last = SELECT_LAST.one_or_none(session, company)
    position = SELECT_POSITION.one_or_none(session, company)
    after = after_position(*(START if position is None else (position.created_at, position.id)))
    entries = SELECT_UNSEALED.all(session, {**company, **after, "until": until, "limit": limit})
    return list(_chain(company_id, last, entries))


def append(session: Session, seals: Iterable[NewSeal], sealed_at: datetime) -> None:
    """Store seals. Raises IntegrityError if another process has sealed one of the entries."""
    rows = [{**seal._asdict(), "sealed_at": sealed_at} for seal in seals]
    session.connection().execute(TABLE.insert(), rows)


def _chain(company_id: str, last: LastSealRow | None, entries: Iterable[SealedEntryRow]) -> Iterator[NewSeal]:
    number, seal = (0, GENESIS) if last is None else (last.number, last.seal)
    for entry in entries:
        try:
            seal = digest(seal, entry)
        except ValueError as error:
            LOG.warning("audit entry %s of company %s cannot be sealed: %s", entry.id, company_id, error)
            continue
        number += 1
        yield NewSeal(entry.id, company_id, number, seal)
