"""Credit notes as JSON, in responses, events and requests (contract, section 9.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.queries.rows import Row
from app.schemas.base import DraftSchema, Json, StatusResponse, TrimmedText, row_schema, tagged, timestamp
from models import CreditNoteStatus

FIRST_MEMBERS = ("id", "number", "orderId", "returnId", "customerId", "status")
NUMBER_DIGITS = 6  # at least


class CreditNoteRow(Row):
    """A credit note without its status, which `voided_at` determines. Its lines are stored as they are shown."""

    id: str
    number: int
    order_id: str
    return_id: str
    customer_id: str | None
    lines: list[Json]
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    reason: str | None
    issued_at: datetime
    voided_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCreditNote:
    """A credit note that a refund would issue now. It has no id and no number."""

    order_id: str
    return_id: str
    customer_id: str | None
    lines: Sequence[Json]
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    issued_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditNoteVoid:
    """Why a credit note becomes void."""

    reason: str


class CreditNoteVoidSchema(DraftSchema[CreditNoteVoid]):
    """The body that voids a credit note."""

    reason = TrimmedText()


CREDIT_NOTE = row_schema(CreditNoteRow, version=["id", "voided_at"])  # nothing else changes
CREDIT_NOTE_VOID = CreditNoteVoidSchema()


def credit_note(row: CreditNoteRow) -> Json:
    """Return a credit note."""
    status = CreditNoteStatus.ISSUED if row.voided_at is None else CreditNoteStatus.VOID
    rendered = {**CREDIT_NOTE.render(row), "number": credit_note_number(row.number), "status": status}
    return {**dict.fromkeys(FIRST_MEMBERS), **rendered}


def credit_note_number(number: int) -> str:
    """Return a number as credit notes show it: `CN-000001`."""
    return f"CN-{number:0{NUMBER_DIGITS}}"


def credit_note_response(row: CreditNoteRow) -> StatusResponse:
    """Return the response 200 with a single credit note and its entity tag."""
    return tagged(credit_note(row), CREDIT_NOTE.tag(row))


def planned_credit_note(note: PlannedCreditNote) -> Json:
    """Return a credit note that a refund would issue now."""
    return {
        "id": None,
        "number": None,
        "orderId": note.order_id,
        "returnId": note.return_id,
        "customerId": note.customer_id,
        "status": CreditNoteStatus.ISSUED,
        "lines": list(note.lines),
        "subtotal": float(note.subtotal),
        "tax": float(note.tax),
        "shipping": float(note.shipping),
        "total": float(note.total),
        "reason": None,
        "issuedAt": timestamp(note.issued_at),
        "voidedAt": None,
    }
