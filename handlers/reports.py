"""Operations tagged Reports (contract, section 7)."""

from typing import Any

from app.context import Context
from app.schemas import reports as schemas
from app.schemas.base import Json
from app.schemas.times import load_time
from app.services import reports
from app.services.ranges import Range


def get_sales_report(ctx: Context, **query: Any) -> Json:
    """Return the sales report."""
    return {"data": schemas.sales(reports.sales(ctx, _range(ctx, query)))}


def get_customers_report(ctx: Context, limit: int = 100, **query: Any) -> Json:
    """Return the customers report."""
    return {"data": schemas.customers(reports.by_customer(ctx, _range(ctx, query), limit))}


def get_inventory_report(ctx: Context, limit: int = 100) -> Json:
    """Return the inventory report."""
    return {"data": schemas.inventory(reports.inventory(ctx, limit))}


def _range(ctx: Context, query: dict[str, Any]) -> Range:
    """Read the range that a query asks for."""
    given = {name: load_time(name, query[name]) for name in ("from", "to") if name in query}
    preset = {"preset": query["preset"]} if "preset" in query else {}
    return reports.find_range(ctx, start=given.get("from"), end=given.get("to"), **preset)
