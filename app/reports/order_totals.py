"""What every report says of a set of orders, and which orders are in a range.

Not here: what a preset means (`app/reports/ranges.py`).
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from sqlalchemy import bindparam

from app.services.orders import TABLE
from app.services.pricing import CENT

MAX_LIMIT = 1000
INSTANT = TABLE.c.created_at.type
IN_RANGE = (
    TABLE.c.created_at >= bindparam("start", type_=INSTANT),
    TABLE.c.created_at <= bindparam("end", type_=INSTANT),
)


class OrderTotals(NamedTuple):
    """How many orders there are, and their revenue."""

    order_count: int
    revenue: Decimal

    @property
    def average(self) -> Decimal:
        """Return the revenue per order, rounded half up to the cent; 0 without orders."""
        return (self.revenue / self.order_count).quantize(CENT, ROUND_HALF_UP) if self.order_count else Decimal(0)


NO_ORDERS = OrderTotals(0, Decimal(0))


def clamped(limit: int) -> int:
    """Return the number of rows that `limit` stands for: 1 to 1000."""
    return min(max(limit, 1), MAX_LIMIT)
