"""Operations tagged Refunds (contract, section 9.7)."""

from typing import Any

from app.context import Context
from app.schemas.base import Json, StatusResponse, envelope
from app.schemas.credit_notes import CREDIT_NOTE, CREDIT_NOTE_VOID, credit_note, credit_note_response
from app.schemas.refunds import REFUND_CREATE, planned_refund, return_refund
from app.schemas.times import load_times
from app.services import credit_notes, refunds
from app.services.versions import Version, versioned


def refund_return(ctx: Context, return_id: str, body: Json) -> Json:
    """Refund a return, or return what would happen."""
    draft = REFUND_CREATE.load(body)
    if draft.dry_run:
        return planned_refund(refunds.preview(ctx, return_id, draft))
    return return_refund(refunds.refund(ctx, return_id, draft))


def list_credit_notes(ctx: Context, **query: Any) -> Json:
    """Return a page of credit notes."""
    found = credit_notes.page(ctx, **load_times(query))
    return envelope([credit_note(row) for row in found.rows], found.next_cursor)


@versioned(Version.of(CREDIT_NOTE, credit_notes.SELECT_ONE), id="credit_note_id")
def get_credit_note(ctx: Context, credit_note_id: str) -> StatusResponse:
    """Return one credit note."""
    return credit_note_response(credit_notes.get(ctx, credit_note_id))


def void_credit_note(ctx: Context, credit_note_id: str, body: Json) -> StatusResponse:
    """Void a credit note and return it."""
    return credit_note_response(credit_notes.void(ctx, credit_note_id, CREDIT_NOTE_VOID.load(body)))
