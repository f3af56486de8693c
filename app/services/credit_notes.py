"""Credit notes: list, get, issue, void (contract, section 9.7).

A credit note is a refund with a number. It is never changed, except that it becomes void once.
"""

import operator
import re
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import NotFoundError, RefusalError
from app.queries import listing, tenant
from app.queries.rows import Parameters, Row, Statement
from app.queries.written_rows import Insert
from app.schemas import events as payloads
from app.schemas.credit_notes import CreditNoteRow, CreditNoteVoid, credit_note_number
from app.services import audit, events, returns
from app.services.order_refunds import IS_NOT_VOID, TABLE
from models import Company, CreditNoteStatus
from models.base import table

COMPANIES = table(Company)
# Without the status, which is derived from the row: in RETURNING, SQLite 3.40 evaluates `voided_at IS NULL` as false,
# because the first column of the table is NOT NULL.
COLUMNS = [
    TABLE.c.id,
    TABLE.c.number.label("number"),
    TABLE.c.order_id,
    TABLE.c.return_id,
    TABLE.c.customer_id,
    TABLE.c.lines,
    TABLE.c.subtotal,
    TABLE.c.tax,
    TABLE.c.shipping,
    TABLE.c.total,
    TABLE.c.void_reason.label("reason"),
    TABLE.c.refunded_at.label("issued_at"),
    TABLE.c.voided_at,
]
IS_CREDIT_NOTE = TABLE.c.number.is_not(None)
NUMBER = re.compile("[Cc][Nn]-([0-9]{1,18})")
SELECT_BY_ID = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"), IS_CREDIT_NOTE)
SELECT_ONE = Statement(CreditNoteRow, SELECT_BY_ID)
SELECT_ONE_FOR_UPDATE = Statement(CreditNoteRow, SELECT_BY_ID.with_for_update(key_share=True))
SELECT_BY_NUMBER = Statement(CreditNoteRow, tenant.select(*COLUMNS).where(TABLE.c.number == bindparam("number")))
INSERT_ONE = Insert(CreditNoteRow, TABLE, COLUMNS)
VOID = Statement(CreditNoteRow, tenant.update(TABLE).returning(*COLUMNS))
LISTING = listing.Listing(
    CreditNoteRow,
    TABLE,
    columns=COLUMNS,
    time="refunded_at",
    parent={"is_credit_note": IS_CREDIT_NOTE},
    filters={
        CreditNoteStatus.ISSUED: IS_NOT_VOID,
        CreditNoteStatus.VOID: TABLE.c.voided_at.is_not(None),
        "customer_id": TABLE.c.customer_id == bindparam("customer_id"),
    },
    created_at_filters={"since": operator.ge, "until": operator.le},
    lookups={"order_id": TABLE.c.order_id, "return_id": TABLE.c.return_id},
)


class CompanyNumberRow(Row):
    """The number of the last credit note of a company."""

    credit_note_number: int


RESERVE_NUMBER = Statement(
    CompanyNumberRow,
    sa.update(COMPANIES)
    .where(COMPANIES.c.id == bindparam("own_id"))
    .values(credit_note_number=COMPANIES.c.credit_note_number + 1)
    .returning(COMPANIES.c.credit_note_number),
)


class CreditNoteVoidError(RefusalError):
    """The credit note is void already."""

    code = "credit_note_void"

    def __init__(self, number: str) -> None:
        """Initialize with the number of the credit note."""
        super().__init__(f"Credit note {number} is already void.", currentStatus=CreditNoteStatus.VOID.value)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    order_id: str | None = None,
    return_id: str | None = None,
    customer_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> listing.Page[CreditNoteRow]:
    """Return a page of credit notes, the last issued first."""
    # Only credit notes can be void: with this status, the other condition would only permit a slower index.
    conditions = {
        "is_credit_note": None if status == CreditNoteStatus.VOID else True,
        **({} if status is None else {status: True}),
    }
    ids = {"order_id": order_id, "return_id": return_id, "customer_id": customer_id}
    times = {"since": since, "until": until}
    return LISTING.page(ctx, limit=limit, cursor=cursor, **conditions, **ids, **times)


def get(ctx: Context, note_id: str) -> CreditNoteRow:
    """Return one credit note. Raises NotFoundError if the company has no such credit note."""
    return _find(ctx, SELECT_ONE, note_id)


def find(ctx: Context, identifier: str) -> CreditNoteRow:
    """Return the credit note with this id or number, such as `CN-000001`. Raises NotFoundError."""
    match = NUMBER.fullmatch(identifier)
    if match is None:
        return get(ctx, identifier)
    return _one(SELECT_BY_NUMBER.one_or_none(ctx.session, tenant.params(ctx, number=int(match[1]))))


def issue(ctx: Context, values: Parameters) -> CreditNoteRow:
    """Insert a refund that is a credit note, with the next number of the company.

    The counter is locked until the transaction ends, so that a number is never used twice, and a refund that fails uses
    none.
    """
    number = RESERVE_NUMBER.one(ctx.session, {"own_id": ctx.company_id}).credit_note_number
    return INSERT_ONE.one(ctx.session, {**values, "number": number, "event_sequence": events.FIRST_SEQUENCE})


def void(ctx: Context, note_id: str, draft: CreditNoteVoid) -> CreditNoteRow:
    """Void a credit note, so that its return can be refunded again. Raises NotFoundError and CreditNoteVoidError."""
    returned = returns.lock(ctx, get(ctx, note_id).return_id)
    before = _find(ctx, SELECT_ONE_FOR_UPDATE, note_id)
    if before.voided_at is not None:
        raise CreditNoteVoidError(credit_note_number(before.number))
    ctx = later_than(ctx, returned.row.updated_at, before.issued_at)
    values = {"void_reason": draft.reason, "voided_at": ctx.now}
    after = VOID.one(ctx.session, tenant.params(ctx, row_id=note_id, **values))
    returns.touch_others(ctx, returns.update(ctx, returned.row, refunded_amount=Decimal(0)))
    audit.record(ctx, "credit_note.voided", "credit_note", note_id, {**details(after), "reason": after.reason})
    events.publish(ctx, payloads.credit_note_voided(after))
    return after


def details(note: CreditNoteRow) -> dict[str, object]:
    """Return what the audit log has about a credit note."""
    return {
        "number": credit_note_number(note.number),
        "orderId": note.order_id,
        "returnId": note.return_id,
        "total": float(note.total),
    }


def _find(ctx: Context, statement: Statement[CreditNoteRow], note_id: str) -> CreditNoteRow:
    return _one(statement.one_or_none(ctx.session, tenant.params(ctx, id=note_id)))


def _one(found: CreditNoteRow | None) -> CreditNoteRow:
    if found is None:
        raise NotFoundError("Credit note")
    return found
