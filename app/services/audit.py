"""The audit log: written in the transaction of the change, listed newest first (contract, sections 9.8 and 10)."""

import logging
import operator
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy import bindparam

from app.context import Context
from app.errors import NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import Statement, Write
from app.schemas.audit import AuditEntryRow
from app.schemas.base import stored_code
from models import AuditEntry, new_id
from models.base import table

Details = Mapping[str, object]  # as JSON


class NewEntry(NamedTuple):
    """An entry to be recorded: what was done to an entity."""

    action: str
    entity: str
    entity_id: str
    details: Details


LOG = logging.getLogger(__name__)
TABLE = table(AuditEntry)
MAX_DETAILS_BYTES = 8_000
COLUMNS = [
    *(TABLE.c[name] for name in rows.names(AuditEntryRow) if name != "metadata"),
    TABLE.c.details.label("metadata"),
]
SELECT_ONE = Statement(AuditEntryRow, tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id")))
INSERT = Write(TABLE.insert())
LISTING = listing.Listing(
    AuditEntryRow,
    TABLE,
    columns=COLUMNS,
    filters={name: TABLE.c[name] == bindparam(name) for name in ("action", "actor_type", "actor_id", "entity_type")},
    created_at_filters={"since": operator.ge, "until": operator.le},
    lookups={"entity_id": TABLE.c.entity_id, "request_id": TABLE.c.request_id},
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
        INSERT.all(ctx.session, inserted)


def limit_details(action: str, entity: str, entity_id: str, details: Details) -> Details:
    """Return the details of an entry, or none of them when they are over 8 KB."""
    if len(orjson.dumps(details, default=str)) <= MAX_DETAILS_BYTES:
        return dict(details)
    LOG.warning("details of %s on %s %s are over %d bytes, dropped", action, entity, entity_id, MAX_DETAILS_BYTES)
    return {}


def get(ctx: Context, entry_id: str) -> AuditEntryRow:
    """Return one entry. Raises NotFoundError if the company has no such entry."""
    entry = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, id=entry_id))
    if entry is None:
        raise NotFoundError("Audit entry")
    return entry


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    actor_id: str | None = None,
    actor_type: str | None = None,
    action: str | None = None,
    entity_type: str | None = None,
    entity_id: str | None = None,
    request_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> listing.Page[AuditEntryRow]:
    """Return a page of entries, newest first."""
    texts = {
        "actor_id": actor_id,
        "action": action,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "request_id": request_id,
    }
    stored = {name: None if text is None else stored_code(text) for name, text in texts.items()}
    times = {"since": since, "until": until}
    return LISTING.page(ctx, limit=limit, cursor=cursor, actor_type=actor_type, **stored, **times)


def changes(before: Details, after: Details) -> dict[str, dict[str, object]]:
    """Return the differences, as `{"before": {...}, "after": {...}}`."""
    names = [name for name, value in after.items() if before.get(name) != value]
    return {"before": {name: before.get(name) for name in names}, "after": {name: after[name] for name in names}}
