"""Refunds that exist without a request, for tests that only read them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from app.context import now
from app.db import Database
from models import Order, Refund, RefundMethod, Return, ReturnStatus, new_id

ZERO = Decimal(0)


def refund_history(database: Database, company_id: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Create refunds of one return from rows with at least `refunded_at` and `total`; return their ids.

    They are credit notes with the next numbers of the company. One with a `voided_at` is void.
    """
    at, common = now(), {"company_id": company_id}
    times = {"created_at": at, "updated_at": at}
    amounts = {"tax": ZERO, "shipping": ZERO}
    with database.transaction(write=True) as session:
        first = session.query(Refund).filter_by(**common).count() + 1
        order = Order(id=new_id(at), subtotal=ZERO, total=ZERO, **common, **times, **amounts)
        returned = Return(
            id=new_id(at), order_id=order.id, status=ReturnStatus.REFUNDED, requested_at=at, **common, **times
        )
        created = [
            Refund(
                id=new_id(row["refunded_at"]),
                order_id=order.id,
                return_id=returned.id,
                method=RefundMethod.CREDIT_NOTE,
                number=number,
                goods=row["total"],
                subtotal=row["total"],
                lines=[],
                **common,
                **amounts,
                **{"void_reason": row.get("voided_at") and "A mistake.", **row},
            )
            for number, row in enumerate(rows, first)
        ]
        for added in ([order], [returned], created):
            session.add_all(added)
            session.flush()
        return [row.id for row in created]
