"""Refunds of received returns, by credit note or manually (contract, section 9.7).

What an order has left is decided while the order is locked. A dry run shares the decision, but neither writes nor
locks.

Not in this module: the amounts (`app/services/refund_amounts.py`), and the numbers of credit notes
(`app/services/credit_notes.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import RefusalError, refuse
from app.queries import tenant
from app.queries.rows import Row, Statement, Write
from app.schemas import events as payloads
from app.schemas.base import Json
from app.schemas.credit_notes import CreditNoteRow, PlannedCreditNote
from app.schemas.refunds import PlannedRefund, RefundCreate, ReturnRefund, credit_note_lines
from app.schemas.returns import OrderReturn
from app.services import audit, credit_notes, events, order_refunds, products, refund_amounts, returns
from app.services.order_refunds import TABLE, RefundedOrder
from app.services.refund_amounts import RefundAmounts
from app.services.return_refusals import ReturnTransitionError
from models import RefundMethod, ReturnStatus, new_id


class ProductSkuRow(Row):
    """The sku of a product."""

    id: str
    sku: str | None


INSERT = Write(TABLE.insert())
SELECT_SKUS = Statement(
    ProductSkuRow,
    tenant.select(products.TABLE.c.id, products.TABLE.c.sku).where(
        products.TABLE.c.id.in_(bindparam("ids", expanding=True))
    ),
)


class RefundTooHighError(RefusalError):
    """A refund is higher than what is left of the order."""

    code = "refund_too_high"

    def __init__(self, pointer: str, left: Decimal) -> None:
        """Initialize with the pointer to the amount, or to the request without one, and with what is left."""
        super().__init__(f"Only {left:.2f} of the order can still be refunded.", pointer=pointer, left=float(left))


class RefundShippingError(RefusalError):
    """A refund contains more shipping than is left of that of the order."""

    code = "refund_shipping_too_high"
    pointer = "/shipping"

    def __init__(self, left: Decimal) -> None:
        """Initialize with what is left of the shipping."""
        super().__init__(f"Only {left:.2f} of the shipping can still be refunded.", left=float(left))


class AmountBelowShippingError(RefusalError):
    """The amount of a refund is lower than the shipping that it includes."""

    code = "amount_below_shipping"
    pointer = "/amount"

    def __init__(self, shipping: Decimal) -> None:
        """Initialize with the shipping."""
        super().__init__(f"amount includes shipping, so it must be at least {shipping:.2f}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundTerms:
    """What a refund pays for a return, and the lines of its credit note."""

    returned: OrderReturn
    draft: RefundCreate
    amounts: RefundAmounts
    lines: Sequence[Json]


def refund(ctx: Context, return_id: str, draft: RefundCreate) -> ReturnRefund:
    """Refund a return. Raises NotFoundError, and RefusalError with every reason."""
    before = returns.lock(ctx, return_id)
    ctx = later_than(ctx, before.row.updated_at)
    terms = _terms(ctx, before, draft)
    row = returns.update(
        ctx,
        before.row,
        status=ReturnStatus.REFUNDED,
        refunded_amount=terms.amounts.total,
        method=draft.method,
        reference=draft.reference,
        refunded_at=ctx.now,
    )
    returns.touch_others(ctx, row)
    note = _insert(ctx, terms)
    after = OrderReturn(row=row, items=before.items, refundable_amount=Decimal(0))
    _record(ctx, terms, note)
    issued = [] if note is None else [payloads.credit_note_issued(note)]
    events.publish_all(ctx, [payloads.refund_processed(row, note), *issued])
    return ReturnRefund(returned=after, credit_note=note)


def preview(ctx: Context, return_id: str, draft: RefundCreate) -> PlannedRefund:
    """Return what the refund would do now. Raises what the refund raises."""
    before = returns.get(ctx, return_id)
    ctx = later_than(ctx, before.row.updated_at)
    terms = _terms(ctx, before, draft)
    return PlannedRefund(
        before=before,
        method=draft.method,
        reference=draft.reference,
        total=terms.amounts.total,
        refunded_at=ctx.now,
        credit_note=_planned_note(ctx, terms) if draft.method is RefundMethod.CREDIT_NOTE else None,
    )


def _terms(ctx: Context, returned: OrderReturn, draft: RefundCreate) -> RefundTerms:
    """Return what a refund pays. Raises RefusalError with every reason."""
    _check_status(ctx, returned)
    order = order_refunds.read(ctx, [returned.row.order_id])[returned.row.order_id]
    goods = refund_amounts.goods((item.received_quantity or 0, item.unit_price) for item in returned.items)
    refuse(_refusals(order, draft, goods))
    lines = credit_note_lines(returned.items, _skus(ctx, returned))
    return RefundTerms(returned=returned, draft=draft, amounts=_amounts(order, draft, goods), lines=lines)


def _check_status(ctx: Context, returned: OrderReturn) -> None:
    """Check that a return is received, or that its refund is void. Raises ReturnTransitionError."""
    row = returned.row
    is_void = row.status == ReturnStatus.REFUNDED and not order_refunds.refunded_ids(ctx, [row.id])
    if row.status != ReturnStatus.RECEIVED and not is_void:
        raise ReturnTransitionError(row.status, ReturnStatus.REFUNDED)


def _refusals(order: RefundedOrder, draft: RefundCreate, goods: Decimal) -> Iterator[RefusalError]:
    shipping_left = refund_amounts.shipping_left(order.amounts, order.refunded)
    if draft.shipping > shipping_left:
        yield RefundShippingError(shipping_left)
    if draft.amount is not None and draft.amount < draft.shipping:
        yield AmountBelowShippingError(draft.shipping)
        return
    left = refund_amounts.left(order.amounts, order.refunded)
    if _amounts(order, draft, goods).total > left:
        yield RefundTooHighError("" if draft.amount is None else "/amount", left)


def _amounts(order: RefundedOrder, draft: RefundCreate, goods: Decimal) -> RefundAmounts:
    return refund_amounts.refund(order.amounts, order.refunded, goods, amount=draft.amount, shipping=draft.shipping)


def _skus(ctx: Context, returned: OrderReturn) -> Mapping[str, str | None]:
    found = SELECT_SKUS.all(ctx.session, tenant.params(ctx, ids=[item.product_id for item in returned.items]))
    return {row.id: row.sku for row in found}


def _insert(ctx: Context, terms: RefundTerms) -> CreditNoteRow | None:
    """Insert a refund. Return the credit note, if it is one."""
    amounts, row = terms.amounts, terms.returned.row
    values = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "order_id": row.order_id,
        "return_id": row.id,
        "customer_id": row.customer_id,
        "method": terms.draft.method,
        "reference": terms.draft.reference,
        "goods": amounts.goods,
        "subtotal": amounts.subtotal,
        "tax": amounts.tax,
        "shipping": amounts.shipping,
        "total": amounts.total,
        "lines": terms.lines,
        "refunded_at": ctx.now,
    }
    if terms.draft.method is RefundMethod.CREDIT_NOTE:
        return credit_notes.issue(ctx, values)
    INSERT.one(ctx.session, values)
    return None


def _planned_note(ctx: Context, terms: RefundTerms) -> PlannedCreditNote:
    amounts, row = terms.amounts, terms.returned.row
    return PlannedCreditNote(
        order_id=row.order_id,
        return_id=row.id,
        customer_id=row.customer_id,
        lines=terms.lines,
        subtotal=amounts.subtotal,
        tax=amounts.tax,
        shipping=amounts.shipping,
        total=amounts.total,
        issued_at=ctx.now,
    )


def _record(ctx: Context, terms: RefundTerms, note: CreditNoteRow | None) -> None:
    """Add the audit entries of a refund: one of the return, and one of the credit note."""
    amounts, row = terms.amounts, terms.returned.row
    details = {
        "before": {"status": row.status},
        "after": {"status": ReturnStatus.REFUNDED},
        "method": terms.draft.method,
        "reference": terms.draft.reference,
        "subtotal": float(amounts.subtotal),
        "tax": float(amounts.tax),
        "shipping": float(amounts.shipping),
        "amount": float(amounts.total),
        "creditNoteId": None if note is None else note.id,
    }
    entries = [audit.NewEntry("refund.processed", "return", row.id, details)]
    if note is not None:
        entries.append(audit.NewEntry("credit_note.issued", "credit_note", note.id, credit_notes.details(note)))
    audit.record_all(ctx, entries)
