"""What orders and their returns have been refunded, and what a return would be refunded now (contract, section 9.7).

Not in this module: the amounts (`app/services/refund_amounts.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services import refund_amounts
from app.services.pricing import Amounts
from app.services.refund_amounts import RefundedAmounts
from models import RECEIVED_STATUSES, Order, Refund, ReturnStatus
from models.base import table

TABLE = table(Refund)
ORDERS = table(Order)
IS_NOT_VOID = TABLE.c.voided_at.is_(None)


class RefundedOrderRow(Row):
    """The amounts of an order, and the sums of its refunds that are not void."""

    id: str
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    refunded_goods: Decimal
    refunded_tax: Decimal
    refunded_shipping: Decimal
    refunded_total: Decimal


class RefundedReturnRow(Row):
    """A return that has a refund that is not void."""

    return_id: str


def _sum(name: str) -> sa.Label[Decimal]:
    column = TABLE.c[name]
    return sa.func.coalesce(sa.func.sum(column), sa.literal(Decimal(0), column.type)).label(f"refunded_{name}")


SELECT_ORDERS = Statement(
    RefundedOrderRow,
    tenant.select(
        ORDERS.c.id,
        ORDERS.c.subtotal,
        ORDERS.c.tax,
        ORDERS.c.shipping,
        *(_sum(name) for name in ("goods", "tax", "shipping", "total")),
    )
    .outerjoin(TABLE, sa.and_(tenant.where(TABLE), TABLE.c.order_id == ORDERS.c.id, IS_NOT_VOID))
    .where(ORDERS.c.id.in_(bindparam("order_ids", expanding=True)))
    .group_by(ORDERS.c.id),
)
SELECT_REFUNDED = Statement(
    RefundedReturnRow,
    tenant.select(TABLE.c.return_id).where(TABLE.c.return_id.in_(bindparam("return_ids", expanding=True)), IS_NOT_VOID),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedReturn:
    """What the refund of a return depends on. `goods` is the value of what was received."""

    id: str
    order_id: str
    status: str
    goods: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundedOrder:
    """The amounts of an order, and what has been refunded of them."""

    amounts: Amounts
    refunded: RefundedAmounts


def refundable_amounts(ctx: Context, returns: Sequence[ReceivedReturn]) -> Mapping[str, Decimal]:
    """Return what a refund without `amount` and `shipping` would pay now, by the id of the return.

    It is at most what is left of the order, and 0 before the return is received and while it has a refund that is not
    void. Executes one statement if a return is received, and one more if one is refunded.
    """
    candidates = [one for one in returns if one.status in RECEIVED_STATUSES]
    refunded = refunded_ids(ctx, [one.id for one in candidates if one.status == ReturnStatus.REFUNDED])
    open_returns = [one for one in candidates if one.id not in refunded]
    orders = read(ctx, [one.order_id for one in open_returns])
    amounts = dict.fromkeys((one.id for one in returns), Decimal(0))
    for one in open_returns:
        order = orders[one.order_id]
        amounts[one.id] = refund_amounts.refundable(order.amounts, order.refunded, one.goods)
    return amounts


def read(ctx: Context, order_ids: Sequence[str]) -> Mapping[str, RefundedOrder]:
    """Return the amounts of orders and what has been refunded of them, by the id of the order."""
    if not order_ids:
        return {}
    found = SELECT_ORDERS.all(ctx.session, tenant.params(ctx, order_ids=sorted(set(order_ids))))
    return {order.id: _refunded_order(order) for order in found}


def refunded_ids(ctx: Context, return_ids: Sequence[str]) -> frozenset[str]:
    """Return the ids of the returns that have a refund that is not void."""
    if not return_ids:
        return frozenset()
    return frozenset(
        row.return_id for row in SELECT_REFUNDED.all(ctx.session, tenant.params(ctx, return_ids=return_ids))
    )


def _refunded_order(order: RefundedOrderRow) -> RefundedOrder:
    return RefundedOrder(
        amounts=Amounts(subtotal=order.subtotal, tax=order.tax, shipping=order.shipping),
        refunded=RefundedAmounts(
            goods=order.refunded_goods,
            tax=order.refunded_tax,
            shipping=order.refunded_shipping,
            total=order.refunded_total,
        ),
    )
