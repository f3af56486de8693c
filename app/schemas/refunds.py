"""Refunds of returns as JSON, in responses and requests (contract, section 9.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marshmallow import fields

from app.schemas.base import Amount, DraftSchema, Json, TrimmedText, timestamp
from app.schemas.credit_notes import CreditNoteRow, PlannedCreditNote, credit_note, planned_credit_note
from app.schemas.returns import OrderReturn, ReturnItemRow, order_return
from models import RefundMethod, ReturnStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundCreate:
    """How a return is refunded. Without an amount, its goods, their tax and the given shipping are refunded."""

    method: RefundMethod
    amount: Decimal | None = None
    shipping: Decimal = Decimal(0)
    reference: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnRefund:
    """A return that was refunded, and the credit note, if the method is one."""

    returned: OrderReturn
    credit_note: CreditNoteRow | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRefund:
    """What a refund would change in a return, and the credit note that it would issue."""

    before: OrderReturn
    method: RefundMethod
    reference: str | None
    total: Decimal
    refunded_at: datetime
    credit_note: PlannedCreditNote | None


class RefundCreateSchema(DraftSchema[RefundCreate]):
    """The body that refunds a return."""

    method = fields.Enum(RefundMethod, by_value=True)
    amount = Amount(allow_none=True)
    shipping = Amount()
    reference = TrimmedText(allow_none=True)
    dry_run = fields.Boolean()


REFUND_CREATE = RefundCreateSchema()


def return_refund(refund: ReturnRefund) -> Json:
    """Return the response to a refund."""
    note = refund.credit_note
    return {
        "data": {"return": order_return(refund.returned), "creditNote": None if note is None else credit_note(note)}
    }


def planned_refund(plan: PlannedRefund) -> Json:
    """Return the response to a dry run: the same as to the refund, except for the id and number of the credit note."""
    at, note = timestamp(plan.refunded_at), plan.credit_note
    changes = {
        "status": ReturnStatus.REFUNDED,
        "refundableAmount": 0.0,
        "refundedAmount": float(plan.total),
        "method": plan.method,
        "reference": plan.reference,
        "refundedAt": at,
        "updatedAt": at,
    }
    return {
        "data": {
            "return": {**order_return(plan.before), **changes},
            "creditNote": None if note is None else planned_credit_note(note),
        }
    }


def credit_note_lines(items: Sequence[ReturnItemRow], skus: Mapping[str, str | None]) -> list[Json]:
    """Return the received items of a return as lines of a credit note. `skus` has that of each product by its id."""
    return [
        {
            "orderItemId": item.order_item_id,
            "productId": item.product_id,
            "productName": item.product_name,
            "productSku": skus[item.product_id],
            "quantity": item.received_quantity,
            "unitPrice": float(item.unit_price),
            "lineTotal": float(item.received_quantity * item.unit_price),
        }
        for item in items
        if item.received_quantity
    ]
