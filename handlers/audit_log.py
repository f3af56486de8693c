"""Operations tagged Audit log (contract, section 9.8)."""

from typing import Any

from app.context import Context
from app.schemas.audit import AUDIT_ENTRY
from app.schemas.audit_seals import audit_seal
from app.schemas.base import Json, StatusResponse
from app.schemas.times import load_times
from app.services import audit, audit_seals
from app.services.versions import Version, versioned


def list_audit_entries(ctx: Context, **query: Any) -> Json:
    """Return a page of entries."""
    page = audit.page(ctx, **load_times(query))
    return AUDIT_ENTRY.page(page.rows, page.next_cursor)


@versioned(Version.of(AUDIT_ENTRY, audit.SELECT_ONE), id="entry_id")
def get_audit_entry(ctx: Context, entry_id: str) -> StatusResponse:
    """Return one entry."""
    return AUDIT_ENTRY.one(audit.get(ctx, entry_id))


def get_audit_seal(ctx: Context) -> Json:
    """Return the last seal of the audit log."""
    return {"data": audit_seal(audit_seals.latest(ctx))}
