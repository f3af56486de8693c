"""Operations tagged Reports (contract, section 7)."""

from collections.abc import Mapping

from app.context import Context
from app.reports import customers, inventory, ranges, sales
from app.schemas import reports as schemas
from app.schemas.base import Json
from app.schemas.reports import ReportRange
from app.schemas.times import load_times


def get_sales_report(ctx: Context, preset: str, **ends: str) -> Json:
    """Return the sales report of a range."""
    return {"data": schemas.sales_report(sales.build(ctx, _range(ctx, preset, ends)))}


def get_customers_report(ctx: Context, preset: str, limit: int, **ends: str) -> Json:
    """Return the customers report of a range."""
    return {"data": schemas.customers_report(customers.build(ctx, _range(ctx, preset, ends), limit=limit))}


def get_inventory_report(ctx: Context, limit: int) -> Json:
    """Return the inventory report as of now."""
    return {"data": schemas.inventory_report(inventory.build(ctx, limit=limit))}


def _range(ctx: Context, preset: str, ends: Mapping[str, str]) -> ReportRange:
    times = load_times(ends)
    return ranges.resolve(ctx, preset=preset, start=times.get("from"), end=times.get("to"))
