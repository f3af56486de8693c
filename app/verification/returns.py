"""The status of every return agrees with its times and its received items (contract, section 9.7)."""

from datetime import datetime

import sqlalchemy as sa

from app.queries import rows, tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import RECEIVED_STATUSES, Return, ReturnItem, ReturnStatus
from models.base import table

RETURNS, ITEMS = table(Return), table(ReturnItem)
TIMES = ("approved_at", "received_at", "refunded_at", "rejected_at")
REQUIRED_TIMES = {
    ReturnStatus.REQUESTED: (),
    ReturnStatus.APPROVED: ("approved_at",),
    ReturnStatus.REJECTED: ("rejected_at",),
    ReturnStatus.RECEIVED: ("approved_at", "received_at"),
    ReturnStatus.REFUNDED: ("approved_at", "received_at", "refunded_at"),
}
OPTIONAL_TIMES = {ReturnStatus.REJECTED: ("approved_at",)}  # it may have been approved before
FORBIDDEN_TIMES = {
    status: [name for name in TIMES if name not in {*required, *OPTIONAL_TIMES.get(status, ())}]
    for status, required in REQUIRED_TIMES.items()
}


class StatusRow(Row):
    """A return, its times, and how many items were received."""

    id: str
    status: str
    approved_at: datetime | None
    received_at: datetime | None
    refunded_at: datetime | None
    rejected_at: datetime | None
    received: int


class ReturnItemRow(Row):
    """An item of a return, and the status of the return."""

    id: str
    return_id: str
    status: str
    quantity: int
    received_quantity: int | None
    restocked_quantity: int | None


RECEIVED = (
    sa.select(sa.func.coalesce(sa.func.sum(ITEMS.c.received_quantity), 0))
    .where(ITEMS.c.return_id == RETURNS.c.id)
    .scalar_subquery()
)
STATUSES = (
    tenant.select(*(RETURNS.c[name] for name in ("id", "status", *TIMES)), RECEIVED.label("received"))
    .where(within(RETURNS.c.id))
    .subquery()
)


def _has_wrong_times(status: ReturnStatus) -> sa.ColumnElement[bool]:
    """Return the condition that a required time is missing, or another one is set."""
    missing = [STATUSES.c[name].is_(None) for name in REQUIRED_TIMES[status]]
    unexpected = [STATUSES.c[name].is_not(None) for name in FORBIDDEN_TIMES[status]]
    return sa.and_(STATUSES.c.status == status, sa.or_(*missing, *unexpected))


SELECT_WRONG_STATUSES = Statement(
    StatusRow,
    sa.select(STATUSES)
    .where(
        sa.or_(
            *(_has_wrong_times(status) for status in ReturnStatus),
            sa.and_(STATUSES.c.status.in_(RECEIVED_STATUSES), STATUSES.c.received == 0),
        )
    )
    .order_by(STATUSES.c.id),
)
RETURNED_ITEMS = (
    tenant.select(
        RETURNS.c.status,
        *(ITEMS.c[name] for name in rows.names(ReturnItemRow) if name != "status"),
        ITEMS.c.position,
    )
    .join(ITEMS, ITEMS.c.return_id == RETURNS.c.id)
    .where(within(RETURNS.c.id))
    .subquery()
)
IS_RECEIVED = RETURNED_ITEMS.c.status.in_(RECEIVED_STATUSES)
QUANTITY, RECEIVED_QUANTITY, RESTOCKED_QUANTITY = (
    RETURNED_ITEMS.c[name] for name in ("quantity", "received_quantity", "restocked_quantity")
)
SELECT_WRONG_ITEMS = Statement(
    ReturnItemRow,
    sa.select(*(RETURNED_ITEMS.c[name] for name in rows.names(ReturnItemRow)))
    .where(
        sa.or_(
            RECEIVED_QUANTITY.is_not(None) != IS_RECEIVED,
            RESTOCKED_QUANTITY.is_not(None) != IS_RECEIVED,
            ~RECEIVED_QUANTITY.between(0, QUANTITY),
            ~RESTOCKED_QUANTITY.between(0, RECEIVED_QUANTITY),
        )
    )
    .order_by(RETURNED_ITEMS.c.return_id, RETURNED_ITEMS.c.position),
)


def _wrong_status(row: StatusRow) -> Problem:
    status = ReturnStatus(row.status)
    missing = [f"{name} is not set" for name in REQUIRED_TIMES[status] if getattr(row, name) is None]
    unexpected = [f"{name} is set" for name in FORBIDDEN_TIMES[status] if getattr(row, name) is not None]
    contradiction = next(iter([*missing, *unexpected]), "nothing was received")
    return Problem("return", row.id, None, f"it is {status}, but {contradiction}. {CORRECT}")


def _wrong_item(row: ReturnItemRow) -> Problem:
    return Problem("return item", row.id, f"of return {row.return_id}", f"{_broken_rule(row)}. {CORRECT}")


def _broken_rule(row: ReturnItemRow) -> str:
    is_received = row.status in RECEIVED_STATUSES
    for name in ("received_quantity", "restocked_quantity"):
        if (getattr(row, name) is not None) != is_received:
            return f"the return is {row.status}, but {name} is {'not set' if is_received else 'set'}"
    return f"{row.quantity} were returned, {row.received_quantity} received and {row.restocked_quantity} restocked"


STATUS = Check(
    "returnStatuses",
    subject="returns",
    rule="the status agrees with the times and the received items",
    ranges=ranges.RETURNS,
    counted=[RETURNS.c.id],
    bad=SELECT_WRONG_STATUSES,
    problem=_wrong_status,
)
QUANTITIES = Check(
    "receivedQuantities",
    subject="returns",
    rule="no more of an item was received than returned, nor restocked than received",
    ranges=ranges.RETURNS,
    counted=[RETURNS.c.id],
    bad=SELECT_WRONG_ITEMS,
    problem=_wrong_item,
)
