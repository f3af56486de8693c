"""The audit log: written in the transaction of the change, listed newest first (contract, section 10)."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import bindparam

from app.context import Context
from app.queries import rows, tenant
from app.queries.rows import Row, Statement
from models import AuditEntry, new_id
from models.base import table

Details = Mapping[str, object]  # as JSON


class AuditEntryRow(Row):
    """An entry of the audit log."""

    id: str
    company_id: str
    action: str
    actor_type: str
    actor_id: str
    entity_type: str
    entity_id: str
    details: Details
    request_id: str
    address: str | None
    created_at: datetime


class NewEntry(NamedTuple):
    """An entry to be recorded: what was done to an entity."""

    action: str
    entity: str
    entity_id: str
    details: Details


LOG = logging.getLogger(__name__)
TABLE = table(AuditEntry)
MAX_DETAILS_BYTES = 8_000
SELECT_NEWEST = Statement(
    AuditEntryRow,
    tenant.select(*rows.columns(AuditEntryRow, TABLE))
    .order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc())
    .limit(bindparam("limit")),
)


def record(ctx: Context, action: str, entity: str, entity_id: str, details: Details | None = None) -> None:
    """Record that the actor did `action` to an entity. Details over 8 KB are dropped, and this is logged."""
    record_all(ctx, [NewEntry(action, entity, entity_id, details or {})])


def record_all(ctx: Context, entries: Iterable[NewEntry]) -> None:
    """Record what the actor did, in this order, in one statement. Details over 8 KB are dropped, and this is logged."""
    inserted = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "action": entry.action,
            "actor_type": ctx.actor.type,
            "actor_id": ctx.actor.id,
            "entity_type": entry.entity,
            "entity_id": entry.entity_id,
            "details": limit_details(*entry),
            "request_id": ctx.request_id,
            "address": ctx.address,
            "created_at": ctx.now,
        }
        for entry in entries
    ]
    if inserted:
        ctx.session.connection().execute(TABLE.insert(), inserted)


def limit_details(action: str, entity: str, entity_id: str, details: Details) -> Details:
    """Return the details of an entry, or none of them when they are over 8 KB."""
    if len(orjson.dumps(details, default=str)) <= MAX_DETAILS_BYTES:
        return dict(details)
    LOG.warning("details of %s on %s %s are over %d bytes, dropped", action, entity, entity_id, MAX_DETAILS_BYTES)
    return {}


def newest(ctx: Context, limit: int) -> Sequence[AuditEntryRow]:
    """Return the newest entries of the company."""
    return SELECT_NEWEST.all(ctx.session, tenant.params(ctx, limit=limit))


def changes(before: Details, after: Details) -> dict[str, dict[str, object]]:
    """Return the differences, as `{"before": {...}, "after": {...}}`."""
    names = [name for name, value in after.items() if before.get(name) != value]
    return {"before": {name: before.get(name) for name in names}, "after": {name: after[name] for name in names}}
