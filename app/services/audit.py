"""The audit log: written in the transaction of the change, read newest first (contract, section 10)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, bindparam

from app.context import Context
from app.queries import tenant
from models import AuditEntry, new_id
from models.base import table

LOG = logging.getLogger(__name__)
TABLE = table(AuditEntry)
MAX_DETAILS = 8_000  # bytes of JSON
NEWEST = tenant.select(*TABLE.c).order_by(TABLE.c.created_at.desc(), TABLE.c.id.desc()).limit(bindparam("limit"))


def record(ctx: Context, action: str, entity: str, entity_id: str, details: Mapping[str, Any] | None = None) -> None:
    """Note that the context's actor did `action` to an entity. Details over 8 KB are dropped, and that is logged."""
    row = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "action": action,
        "actor_type": ctx.actor.type,
        "actor_id": ctx.actor.id,
        "entity_type": entity,
        "entity_id": entity_id,
        "details": fitting(action, entity, entity_id, details or {}),
        "request_id": ctx.request_id,
        "address": ctx.address,
        "created_at": ctx.now,
    }
    ctx.session.connection().execute(TABLE.insert(), row)


def fitting(action: str, entity: str, entity_id: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of an entry, without content when they are over 8 KB."""
    if len(orjson.dumps(details, default=str)) <= MAX_DETAILS:
        return dict(details)
    LOG.warning("details of %s on %s %s are over %d bytes, dropped", action, entity, entity_id, MAX_DETAILS)
    return {}


def newest(ctx: Context, limit: int) -> Sequence[Row[Any]]:
    """Return the newest entries of the company."""
    return ctx.session.execute(NEWEST, tenant.params(ctx, limit=limit)).all()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs, as `{"before": {...}, "after": {...}}`."""
    names = [name for name, value in after.items() if before.get(name) != value]
    return {"before": {name: before.get(name) for name in names}, "after": {name: after[name] for name in names}}
