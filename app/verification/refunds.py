"""Refunds add up, to the cent: each one, those of a return, and those of an order (contract, section 9.7).

Credit notes that are void do not count.
"""

from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa

from app.queries import rows, tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import Order, Refund, Return, ReturnStatus
from models.base import Money, table

ORDERS, RETURNS, REFUNDS = table(Order), table(Return), table(Refund)
IS_NOT_VOID = REFUNDS.c.voided_at.is_(None)


class RefundRow(Row):
    """A refund, and the order of its return."""

    id: str
    order_id: str
    return_id: str
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    order_of_return: str | None


class ReturnRefundsRow(Row):
    """A return, the number of its refunds, and the number and the sum of those that are not void."""

    id: str
    status: str
    refunded_amount: Decimal
    refunds: int
    not_void: int
    total: Decimal


class OrderRefundsRow(Row):
    """An order, and what its refunds add up to."""

    id: str
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    refunded_goods: Decimal
    refunded_tax: Decimal
    refunded_shipping: Decimal
    refunded_total: Decimal


class Limit(NamedTuple):
    """A column of refunds whose sum is at most a column of the order, and the name of the sum in messages."""

    refund: str
    order: str
    name: str


LIMITS = (
    Limit("total", "total", "total"),
    Limit("goods", "subtotal", "goods"),
    Limit("tax", "tax", "tax"),
    Limit("shipping", "shipping", "shipping"),
)
NOTHING = sa.literal(Decimal("0.00"), Money)
ZERO, ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)
ORDER_OF_RETURN = sa.select(RETURNS.c.order_id).where(RETURNS.c.id == REFUNDS.c.return_id).scalar_subquery()
AMOUNTS = (
    tenant.select(*(REFUNDS.c[name] for name in rows.names(RefundRow)[:-1]), ORDER_OF_RETURN.label("order_of_return"))
    .where(within(REFUNDS.c.order_id))
    .subquery()
)
SELECT_WRONG_AMOUNTS = Statement(
    RefundRow,
    sa.select(AMOUNTS)
    .where(
        sa.or_(
            AMOUNTS.c.total != AMOUNTS.c.subtotal + AMOUNTS.c.tax + AMOUNTS.c.shipping,
            AMOUNTS.c.order_id.is_distinct_from(AMOUNTS.c.order_of_return),
        )
    )
    .order_by(AMOUNTS.c.order_id, AMOUNTS.c.id),
)
# The row of the return itself, and those of its refunds.
ENTRIES = sa.union_all(
    tenant.select(
        RETURNS.c.id,
        RETURNS.c.status,
        RETURNS.c.refunded_amount,
        ZERO.label("refunds"),
        ZERO.label("not_void"),
        NOTHING.label("total"),
    ).where(within(RETURNS.c.id)),
    tenant.select(
        REFUNDS.c.return_id,
        sa.null(),
        sa.null(),
        ONE,
        sa.case((IS_NOT_VOID, ONE), else_=ZERO),
        sa.case((IS_NOT_VOID, REFUNDS.c.total), else_=NOTHING),
    ).where(within(REFUNDS.c.return_id)),
).subquery()
OF_RETURNS = (
    sa.select(
        ENTRIES.c.id,
        *(sa.func.max(ENTRIES.c[name]).label(name) for name in ("status", "refunded_amount")),
        *(sa.func.sum(ENTRIES.c[name]).label(name) for name in ("refunds", "not_void", "total")),
    )
    .group_by(ENTRIES.c.id)
    .subquery()
)
SELECT_WRONG_RETURNS = Statement(
    ReturnRefundsRow,
    sa.select(OF_RETURNS)
    .where(
        sa.or_(
            OF_RETURNS.c.refunded_amount != OF_RETURNS.c.total,
            OF_RETURNS.c.not_void > 1,
            (OF_RETURNS.c.status == ReturnStatus.REFUNDED) != (OF_RETURNS.c.refunds > 0),
        )
    )
    .order_by(OF_RETURNS.c.id),
)
SUMS = (
    tenant.select(
        REFUNDS.c.order_id,
        *(sa.func.sum(REFUNDS.c[limit.refund]).label(f"refunded_{limit.refund}") for limit in LIMITS),
    )
    .where(within(REFUNDS.c.order_id), IS_NOT_VOID)
    .group_by(REFUNDS.c.order_id)
    .subquery()
)
OF_ORDERS = sa.select(
    SUMS.c.order_id.label("id"),
    *(
        sa.select(ORDERS.c[limit.order]).where(ORDERS.c.id == SUMS.c.order_id).scalar_subquery().label(limit.order)
        for limit in LIMITS
    ),
    *(SUMS.c[f"refunded_{limit.refund}"] for limit in LIMITS),
).subquery()
SELECT_WRONG_ORDERS = Statement(
    OrderRefundsRow,
    sa.select(*(OF_ORDERS.c[name] for name in rows.names(OrderRefundsRow)))
    .where(sa.or_(*(OF_ORDERS.c[f"refunded_{limit.refund}"] > OF_ORDERS.c[limit.order] for limit in LIMITS)))
    .order_by(OF_ORDERS.c.id),
)


def _wrong_amounts(row: RefundRow) -> Problem:
    total = row.subtotal + row.tax + row.shipping
    text = f"total is {row.total}, subtotal, tax and shipping add up to {total}"
    if row.order_id != row.order_of_return:
        text = f"it names order {row.order_id}, but its return {row.return_id} is of order {row.order_of_return}"
    return Problem("refund", row.id, None, f"{text}. {CORRECT}")


def _wrong_return(row: ReturnRefundsRow) -> Problem:
    if row.refunded_amount != row.total:
        text = f"refunded_amount is {row.refunded_amount}, its refunds add up to {row.total}"
    elif row.not_void > 1:
        text = f"it has {row.not_void} refunds that are not void, but a return is refunded once"
    else:
        text = f"it is {row.status}, but the number of its refunds is {row.refunds}"
    return Problem("return", row.id, None, f"{text}. {CORRECT}")


def _wrong_order(row: OrderRefundsRow) -> Problem:
    amounts = ((limit.name, getattr(row, limit.order), getattr(row, f"refunded_{limit.refund}")) for limit in LIMITS)
    name, amount, refunded = next(found for found in amounts if found[2] > found[1])
    return Problem("order", row.id, None, f"{name} is {amount}, its refunds add up to {refunded}. {CORRECT}")


AMOUNTS_OF_REFUNDS = Check(
    "refundAmounts",
    subject="refunds",
    rule="subtotal, tax and shipping add up to the total, and the order is that of the return",
    ranges=ranges.ORDERS,
    counted=[REFUNDS.c.order_id],
    bad=SELECT_WRONG_AMOUNTS,
    problem=_wrong_amounts,
)
ORDER_TOTALS = Check(
    "orderRefunds",
    subject="refunds",
    rule="those of an order add up to no more than its total",
    ranges=ranges.ORDERS,
    counted=[REFUNDS.c.order_id],
    bad=SELECT_WRONG_ORDERS,
    problem=_wrong_order,
)
RETURN_TOTALS = Check(
    "returnRefunds",
    subject="returns",
    rule="the refunded amount equals the refunds",
    ranges=ranges.RETURNS,
    counted=[RETURNS.c.id],
    bad=SELECT_WRONG_RETURNS,
    problem=_wrong_return,
)
