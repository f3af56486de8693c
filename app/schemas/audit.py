"""Entries of the audit log as JSON (contract, section 9.8)."""

from datetime import datetime

from app.queries.rows import Row
from app.schemas.base import Json, row_schema


class AuditEntryRow(Row):
    """An entry of the audit log."""

    id: str
    action: str
    actor_type: str
    actor_id: str
    entity_type: str
    entity_id: str
    request_id: str
    address: str | None
    created_at: datetime
    metadata: Json


AUDIT_ENTRY = row_schema(AuditEntryRow, version=["id"])
