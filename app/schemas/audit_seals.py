"""The seal of the audit log as JSON (contract, section 9.8)."""

from datetime import datetime

from app.queries.rows import Row
from app.schemas.base import Json, timestamp


class AuditSealRow(Row):
    """The last seal of a company. It has the id of its entry, and `number` counts the entries up to it."""

    seal: bytes
    id: str
    number: int
    sealed_at: datetime


def audit_seal(row: AuditSealRow | None) -> Json:
    """Return a seal as JSON, with nulls if there is none."""
    if row is None:
        return dict.fromkeys(("seal", "entryId", "entries", "sealedAt"))
    return {
        "seal": row.seal.hex(),
        "entryId": row.id,
        "entries": row.number,
        "sealedAt": timestamp(row.sealed_at),
    }
