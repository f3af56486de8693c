"""Orders agree with their shipments and returns (contract, section 9.7).

An order can be shipped, and delivered, without shipments.
"""

import sqlalchemy as sa

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import Order, OrderStatus, Return, Shipment
from models.base import table

ORDERS, SHIPMENTS, RETURNS = table(Order), table(Shipment), table(Return)


class OrderPartsRow(Row):
    """An order, and the number of its shipments and returns."""

    id: str
    status: str
    has_shipments: bool
    shipments: int
    returns: int


ZERO, ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)
# The row of the order itself, and those of its shipments and returns.
ENTRIES = sa.union_all(
    tenant.select(
        ORDERS.c.id,
        ORDERS.c.status,
        sa.case((ORDERS.c.has_shipments, ONE), else_=ZERO).label("has_shipments"),
        ZERO.label("shipments"),
        ZERO.label("returns"),
    ).where(within(ORDERS.c.id)),
    tenant.select(SHIPMENTS.c.order_id, sa.null(), ZERO, ONE, ZERO).where(within(SHIPMENTS.c.order_id)),
    tenant.select(RETURNS.c.order_id, sa.null(), ZERO, ZERO, ONE).where(within(RETURNS.c.order_id)),
).subquery()
PARTS = (
    sa.select(
        ENTRIES.c.id,
        sa.func.max(ENTRIES.c.status).label("status"),
        (sa.func.max(ENTRIES.c.has_shipments) == ONE).label("has_shipments"),
        sa.func.sum(ENTRIES.c.shipments).label("shipments"),
        sa.func.sum(ENTRIES.c.returns).label("returns"),
    )
    .group_by(ENTRIES.c.id)
    .subquery()
)
SELECT_BAD = Statement(
    OrderPartsRow,
    sa.select(PARTS)
    .where(
        sa.or_(
            PARTS.c.has_shipments != (PARTS.c.shipments > 0),
            sa.and_(
                PARTS.c.shipments + PARTS.c.returns > 0,
                PARTS.c.status.not_in([OrderStatus.SHIPPED, OrderStatus.DELIVERED]),
            ),
        )
    )
    .order_by(PARTS.c.id),
)


def _problem(row: OrderPartsRow) -> Problem:
    if row.has_shipments != (row.shipments > 0):
        value = "true" if row.has_shipments else "false"
        text = f"has_shipments is {value}, but the number of its shipments is {row.shipments}"
    else:
        text = f"the order is {row.status}, but it has {'shipments' if row.shipments else 'returns'}"
    return Problem("order", row.id, None, f"{text}. {CORRECT}")


CHECK = Check(
    "orderShipments",
    subject="orders",
    rule="the status and has_shipments agree with the shipments and returns",
    ranges=ranges.ORDERS,
    counted=[ORDERS.c.id],
    bad=SELECT_BAD,
    problem=_problem,
)
