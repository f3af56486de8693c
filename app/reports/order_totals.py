"""What the reports on orders have in common: the orders of a range, and their totals.

Not in this module: what a preset means (`app/reports/ranges.py`).
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sqlalchemy import bindparam

from app.services.orders import TABLE
from models import CENT
from models.base import Instant

MAX_LIMIT = 1000
IS_IN_RANGE = (
    TABLE.c.created_at >= bindparam("start", type_=Instant),
    TABLE.c.created_at <= bindparam("end", type_=Instant),
)


class OrderTotals(NamedTuple):
    """The number of orders, and their revenue."""

    order_count: int
    revenue: Decimal

    @property
    def average(self) -> Decimal:
        """Return the revenue per order, rounded half up to the cent; 0 without orders."""
        return (self.revenue / self.order_count).quantize(CENT, ROUND_HALF_UP) if self.order_count else Decimal(0)


NO_ORDERS = OrderTotals(0, Decimal(0))


def clamp_limit(limit: int) -> int:
    """Return the number of rows to list for `limit`: 1 to 1000."""
    return min(max(limit, 1), MAX_LIMIT)
