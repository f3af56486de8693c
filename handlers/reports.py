"""Reports: translate between HTTP and `app.services`: which range, which figures."""

from datetime import datetime
from typing import Any

from app.context import Context
from app.reports import customers, inventory, ranges, sales
from app.reports.ranges import Range
from app.schemas import reports as shown
from app.schemas.base import Json
from app.schemas.times import load_times


def get_sales_report(ctx: Context, **query: Any) -> Json:
    """Answer the sales of a range."""
    period = _range(ctx, **load_times(query))
    return {"data": shown.sales(period, sales.build(ctx, period))}


def get_customers_report(ctx: Context, limit: int, **query: Any) -> Json:
    """Answer who ordered for how much in a range."""
    period = _range(ctx, **load_times(query))
    return {"data": shown.customers(period, customers.build(ctx, period, limit=limit))}


def get_inventory_report(ctx: Context, limit: int) -> Json:
    """Answer what is in stock now."""
    return {"data": shown.inventory(ctx.now, inventory.build(ctx, limit=limit))}


def _range(ctx: Context, *, preset: str, **ends: datetime) -> Range:
    return ranges.resolve(ctx, preset=preset, start=ends.get("from"), end=ends.get("to"))
