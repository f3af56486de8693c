"""The amounts of every order add up, to the cent (contract, section 5)."""

from decimal import Decimal

import sqlalchemy as sa

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import Order, OrderItem
from models.base import Money, table

ORDERS = table(Order)
ITEMS = table(OrderItem)


class AmountsRow(Row):
    """The amounts of an order, and what its items add up to."""

    id: str
    subtotal: Decimal
    tax: Decimal
    shipping: Decimal
    total: Decimal
    items_total: Decimal


PRICE = sa.type_coerce(ITEMS.c.quantity * ITEMS.c.unit_price, Money)
ITEMS_TOTAL = (
    sa.select(sa.func.coalesce(sa.func.sum(PRICE), sa.literal(Decimal("0.00"), Money)))
    .where(ITEMS.c.order_id == ORDERS.c.id)
    .correlate(ORDERS)
    .scalar_subquery()
)
AMOUNTS = (
    tenant.select(
        ORDERS.c.id,
        ORDERS.c.subtotal,
        ORDERS.c.tax,
        ORDERS.c.shipping,
        ORDERS.c.total,
        ITEMS_TOTAL.label("items_total"),
    )
    .where(within(ORDERS.c.id))
    .subquery()
)
SELECT_BAD = Statement(
    AmountsRow,
    sa.select(AMOUNTS)
    .where(
        sa.or_(
            AMOUNTS.c.total != AMOUNTS.c.subtotal + AMOUNTS.c.tax + AMOUNTS.c.shipping,
            AMOUNTS.c.subtotal != AMOUNTS.c.items_total,
        )
    )
    .order_by(AMOUNTS.c.id),
)


def _problem(row: AmountsRow) -> Problem:
    if row.subtotal != row.items_total:
        text = f"subtotal is {row.subtotal}, its items add up to {row.items_total}"
    else:
        expected = row.subtotal + row.tax + row.shipping
        text = f"total is {row.total}, subtotal, tax and shipping add up to {expected}"
    return Problem("order", row.id, None, f"{text}. {CORRECT}")


CHECK = Check(
    "orderAmounts",
    subject="orders",
    rule="the items add up to the subtotal, and with tax and shipping to the total",
    ranges=ranges.ORDERS,
    counted=[ORDERS.c.id],
    bad=SELECT_BAD,
    problem=_problem,
)
