"""The customers report: the orders of a range by customer, the highest revenue first (contract, section 7).

One statement, which reads an index and not the orders themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, Select, bindparam

from app.context import Context
from app.queries import tenant
from app.reports.order_totals import IN_RANGE, NO_ORDERS, OrderTotals, clamped
from app.reports.ranges import Range
from app.services.customers import TABLE as CUSTOMERS
from app.services.orders import TABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomersReport:
    """The orders of a range, by customer; `rows` holds those with the highest revenue."""

    customer_count: int
    totals: OrderTotals
    unassigned: OrderTotals
    rows: Sequence[tuple[Row[Any], OrderTotals]]


def build(ctx: Context, period: Range, *, limit: int = 100) -> CustomersReport:
    """Add up the orders of a range by customer. One statement. `limit` is clamped to 1..1000."""
    parameters = tenant.params(ctx, start=period.start, end=period.end, limit=clamped(limit))
    rows = ctx.session.execute(BY_CUSTOMER, parameters).all()
    if not rows:
        return CustomersReport(customer_count=0, totals=NO_ORDERS, unassigned=NO_ORDERS, rows=[])
    first = rows[0]
    return CustomersReport(
        customer_count=first.customer_count,
        totals=OrderTotals(int(first.all_orders), first.all_revenue),
        unassigned=OrderTotals(int(first.unassigned_orders), first.unassigned_revenue),
        rows=[(row, OrderTotals(row.order_count, row.revenue)) for row in rows if row.customer_id is not None],
    )


def _by_customer() -> Select[Any]:
    """Rank customers by revenue, with the sums over all of them in every row; orders without one come last."""
    each = (
        tenant.select(
            TABLE.c.customer_id,
            sa.func.count().label("order_count"),
            sa.func.sum(TABLE.c.total).label("revenue"),
            sa.func.max(TABLE.c.created_at).label("last_order_at"),
        )
        .where(*IN_RANGE)
        .group_by(TABLE.c.customer_id)
        .subquery("each_customer")
    )
    is_nobody = each.c.customer_id.is_(None)
    sums = {
        "customer_count": sa.func.count(each.c.customer_id),
        "all_orders": sa.func.sum(each.c.order_count),
        "all_revenue": sa.func.sum(each.c.revenue),
        "unassigned_orders": sa.func.sum(sa.case((is_nobody, each.c.order_count), else_=0)),
        "unassigned_revenue": sa.func.sum(sa.case((is_nobody, each.c.revenue), else_=0)),
    }
    place = is_nobody, each.c.revenue.desc(), each.c.customer_id
    best = sa.select(*each.c, *(value.over().label(name) for name, value in sums.items()))
    best_ones = best.order_by(*place).limit(bindparam("limit")).subquery("best")
    return (
        sa.select(*best_ones.c, CUSTOMERS.c.name, CUSTOMERS.c.email)
        .outerjoin(CUSTOMERS, CUSTOMERS.c.id == best_ones.c.customer_id)
        .order_by(best_ones.c.customer_id.is_(None), best_ones.c.revenue.desc(), best_ones.c.customer_id)
    )


BY_CUSTOMER = _by_customer()
