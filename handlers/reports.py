"""Operations tagged Reports: translate between HTTP and `app.reports`."""

from datetime import datetime
from typing import Any

from app.context import Context
from app.reports import customers, inventory, ranges, sales
from app.schemas import reports as schemas
from app.schemas.base import Json
from app.schemas.reports import ReportRange
from app.schemas.times import load_times


def get_sales_report(ctx: Context, **query: Any) -> Json:
    """Return the sales report of a range."""
    return {"data": schemas.sales_report(sales.build(ctx, _range(ctx, **load_times(query))))}


def get_customers_report(ctx: Context, limit: int, **query: Any) -> Json:
    """Return the customers report of a range."""
    report = customers.build(ctx, _range(ctx, **load_times(query)), limit=limit)
    return {"data": schemas.customers_report(report)}


def get_inventory_report(ctx: Context, limit: int) -> Json:
    """Return the inventory report as of now."""
    return {"data": schemas.inventory_report(inventory.build(ctx, limit=limit))}


def _range(ctx: Context, *, preset: str, **ends: datetime) -> ReportRange:
    return ranges.resolve(ctx, preset=preset, start=ends.get("from"), end=ends.get("to"))
