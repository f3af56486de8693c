"""The customers report: the orders of a range by customer, highest revenue first (contract, section 7).

It is one statement that reads only an index, except for the names of the customers listed.
"""

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.reports.order_totals import IS_IN_RANGE, OrderTotals, clamp_limit
from app.schemas.reports import CustomersReport, CustomersReportEntry, CustomersTotals, ReportRange, UnassignedTotals
from app.services.customers import TABLE as CUSTOMERS
from app.services.orders import TABLE


class TopCustomerRow(Row):
    """The totals of one customer and of all customers. One row may be for the orders without a customer."""

    customer_id: str | None
    order_count: int
    revenue: Decimal
    last_order_at: datetime
    customer_count: int
    all_orders: int | Decimal
    all_revenue: Decimal
    unassigned_orders: int | Decimal
    unassigned_revenue: Decimal
    name: str | None
    email: str  # null where `customer_id` is


def build(ctx: Context, period: ReportRange, *, limit: int = 100) -> CustomersReport:
    """Add up the orders of a range by customer. `limit` is clamped to 1..1000."""
    parameters = tenant.params(ctx, start=period.start, end=period.end, limit=clamp_limit(limit))
    rows = SELECT_TOP_CUSTOMERS.all(ctx.session, parameters)
    totals, unassigned = CustomersTotals(0, 0, Decimal(0)), UnassignedTotals(0, Decimal(0))
    if rows:
        first = rows[0]
        totals = CustomersTotals(first.customer_count, int(first.all_orders), first.all_revenue)
        unassigned = UnassignedTotals(int(first.unassigned_orders), first.unassigned_revenue)
    return CustomersReport(
        range=period,
        totals=totals,
        unassigned=unassigned,
        customers=[_entry(row.customer_id, row) for row in rows if row.customer_id is not None],
    )


def _entry(customer_id: str, row: TopCustomerRow) -> CustomersReportEntry:
    totals = OrderTotals(row.order_count, row.revenue)
    return CustomersReportEntry(customer_id, row.name, row.email, *totals, totals.average, row.last_order_at)


def _select_top_customers() -> Statement[TopCustomerRow]:
    """Rank customers by revenue, with the totals of all of them in every row.

    The orders without a customer are also a row, the last one, so that a report on only such orders has totals.
    """
    by_customer = (
        tenant.select(
            TABLE.c.customer_id,
            sa.func.count().label("order_count"),
            sa.func.sum(TABLE.c.total).label("revenue"),
            sa.func.max(TABLE.c.created_at).label("last_order_at"),
        )
        .where(*IS_IN_RANGE)
        .group_by(TABLE.c.customer_id)
        .subquery("by_customer")
    )
    is_unassigned = by_customer.c.customer_id.is_(None)
    totals = {
        "customer_count": sa.func.count(by_customer.c.customer_id),
        "all_orders": sa.func.sum(by_customer.c.order_count),
        "all_revenue": sa.func.sum(by_customer.c.revenue),
        "unassigned_orders": sa.func.sum(sa.case((is_unassigned, by_customer.c.order_count), else_=0)),
        "unassigned_revenue": sa.func.sum(sa.case((is_unassigned, by_customer.c.revenue), else_=0)),
    }
    ranked = sa.select(*by_customer.c, *(total.over().label(name) for name, total in totals.items()))
    ordering = is_unassigned, by_customer.c.revenue.desc(), by_customer.c.customer_id
    top = ranked.order_by(*ordering).limit(bindparam("limit")).subquery("top")
    return Statement(
        TopCustomerRow,
        sa.select(*top.c, CUSTOMERS.c.name, CUSTOMERS.c.email)
        .outerjoin(CUSTOMERS, CUSTOMERS.c.id == top.c.customer_id)
        .order_by(top.c.customer_id.is_(None), top.c.revenue.desc(), top.c.customer_id),
    )


SELECT_TOP_CUSTOMERS = _select_top_customers()
