"""Returns of orders: list, get, approve or reject (contract, section 9.7).

Everything is decided while the order is locked: which quantities can still be returned, and what can be refunded. What
locks a return locks its order first. Not in this module: new returns (`app/services/return_creation.py`) and receipts
(`app/services/receipts.py`).
"""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import NotFoundError, RefusalError, refuse
from app.queries import listing, rows, tenant
from app.queries.rows import Statement, Write
from app.schemas import events as payloads
from app.schemas.base import given, stored_code
from app.schemas.returns import RETURN, OrderReturn, ReturnRow, ReturnUpdate, return_tag
from app.services import audit, events, orders, return_items
from app.services.return_items import TABLE
from app.services.return_refusals import ReturnTransitionError
from models import NEXT_RETURN_STATUSES, RECEIVED_STATUSES, ReturnStatus
from models.base import NextMillisecond


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnPage:
    """A page of returns, and the same returns with their items."""

    page: listing.Page[ReturnRow]
    returns: Sequence[OrderReturn]


COLUMNS = rows.columns(ReturnRow, TABLE)
SELECT_BY_ID = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
SELECT_ONE = Statement(ReturnRow, SELECT_BY_ID)
SELECT_ONE_FOR_UPDATE = Statement(ReturnRow, SELECT_BY_ID.with_for_update(key_share=True))
UPDATE_ONE = Statement(ReturnRow, tenant.update(TABLE).returning(*COLUMNS))
AT = bindparam("at", type_=TABLE.c.updated_at.type)
UPDATE_OTHERS = Write(
    sa.update(TABLE)
    .where(tenant.where(TABLE), TABLE.c.order_id == bindparam("of_order"), TABLE.c.id != bindparam("except_id"))
    .where(TABLE.c.status.in_(RECEIVED_STATUSES))
    .values(updated_at=sa.case((TABLE.c.updated_at < AT, AT), else_=NextMillisecond(TABLE.c.updated_at)))
)
LISTING = listing.Listing(
    ReturnRow,
    TABLE,
    filters={
        "status": TABLE.c.status == bindparam("status"),
        "customer_id": TABLE.c.customer_id == bindparam("customer_id"),
    },
    created_at_filters={"since": operator.ge, "until": operator.le},
    lookups={"order_id": TABLE.c.order_id, "external_id": TABLE.c.external_id},
)


def get(ctx: Context, return_id: str) -> OrderReturn:
    """Return one return. Raises NotFoundError if the company has no such return."""
    return return_items.read_one(ctx, _find(ctx, SELECT_ONE, return_id))


def lock(ctx: Context, return_id: str) -> OrderReturn:
    """Return what `get` returns. Until the transaction ends, no other one changes a return of the same order.

    Raises NotFoundError.
    """
    order_id = _find(ctx, SELECT_ONE, return_id).order_id
    orders.SELECT_ONE_FOR_UPDATE.one(ctx.session, tenant.params(ctx, id=order_id))
    return return_items.read_one(ctx, _find(ctx, SELECT_ONE_FOR_UPDATE, return_id))


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    order_id: str | None = None,
    customer_id: str | None = None,
    external_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    updated_since: datetime | None = None,
) -> ReturnPage:
    """Return a page of returns, newest first, with their items in one more statement."""
    lookups = {"order_id": order_id, "external_id": None if external_id is None else stored_code(external_id)}
    filters = {"status": status, "customer_id": customer_id, **lookups, "since": since, "until": until}
    found = LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
    return ReturnPage(page=found, returns=return_items.read(ctx, found.rows))


def decide(ctx: Context, return_id: str, draft: ReturnUpdate) -> OrderReturn:
    """Approve or reject a return. Raises NotFoundError, PreconditionFailedError and ReturnTransitionError."""
    before = lock(ctx, return_id)
    ctx.precondition.check(before, return_tag)
    ctx = later_than(ctx, before.row.updated_at)
    refuse(move_refusals(before.row, draft.status, pointer="/status"))
    is_approval = draft.status is ReturnStatus.APPROVED
    at = {"approved_at": ctx.now} if is_approval else {"rejected_at": ctx.now}
    after = replace(before, row=update(ctx, before.row, **given(draft), **at))
    changes = audit.changes(RETURN.render(before.row), RETURN.render(after.row))
    audit.record(ctx, "return.approved" if is_approval else "return.rejected", "return", return_id, changes)
    events.publish(ctx, payloads.return_approved(after) if is_approval else payloads.return_rejected(after))
    return after


def move_refusals(before: ReturnRow, status: ReturnStatus, *, pointer: str = "") -> Iterator[RefusalError]:
    """Yield the refusal of a return that may not change to a status, with the pointer to the status."""
    if status not in NEXT_RETURN_STATUSES[ReturnStatus(before.status)]:
        yield ReturnTransitionError(before.status, status, pointer=pointer)


def update(ctx: Context, before: ReturnRow, **values: object) -> ReturnRow:
    """Update a locked return. The time of the context must be later than its last change."""
    return UPDATE_ONE.one(ctx.session, tenant.params(ctx, row_id=before.id, **values, updated_at=ctx.now))


def touch_others(ctx: Context, changed: ReturnRow) -> None:
    """Give the other received returns of a locked order a later `updated_at`, after a refund of one of them changed.

    What they can be refunded depends on it, so their entity tags have to change.
    """
    parameters = tenant.params(ctx, of_order=changed.order_id, except_id=changed.id, at=ctx.now)
    UPDATE_OTHERS.one(ctx.session, parameters)


def _find(ctx: Context, statement: Statement[ReturnRow], return_id: str) -> ReturnRow:
    found = statement.one_or_none(ctx.session, tenant.params(ctx, id=return_id))
    if found is None:
        raise NotFoundError("Return")
    return found
