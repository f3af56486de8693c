"""Reports as JSON (contract, section 7): the last place where an amount is a Decimal."""

from datetime import date
from decimal import Decimal
from typing import Any

from app.schemas.base import Json, timestamp


def shown_range(within: Any) -> Json:
    """Return the range of a report."""
    ends = {"from": timestamp(within.start), "to": timestamp(within.end)}
    return {**ends, "preset": within.preset, "label": within.label}


def tally(counted: Any) -> Json:
    """Return orders and what they brought in."""
    return {"orderCount": counted.order_count, "revenue": float(counted.revenue)}


def averaged(counted: Any) -> Json:
    """Return orders, what they brought in, and what each brought in."""
    return {**tally(counted), "averageOrderValue": float(counted.average_order_value)}


def sales(report: Any) -> Json:
    """Return the sales report."""
    daily = sorted(report.daily.items())
    return {
        "range": shown_range(report.range),
        "totals": averaged(report.totals),
        "daily": [{"date": _date(day), **tally(counted)} for day, counted in daily],
        "byStatus": [{"status": status, **tally(counted)} for status, counted in report.by_status.items()],
    }


def customers(report: Any) -> Json:
    """Return the customers report."""
    totals = {"customerCount": report.customer_count, **tally(report.totals), "unassigned": tally(report.unassigned)}
    rows = [_customer(*row) for row in report.rows]
    return {"range": shown_range(report.range), "totals": totals, "customers": rows}


def inventory(report: Any) -> Json:
    """Return the inventory report."""
    categories = report.categories
    totals = {
        "productCount": sum(row.product_count for row in categories),
        "unitCount": int(sum(row.unit_count for row in categories)),
        "value": float(sum((row.value for row in categories), Decimal(0))),
        "lowStockCount": int(sum(row.low for row in categories)),
        "outOfStockCount": int(sum(row.out for row in categories)),
    }
    return {
        "generatedAt": timestamp(report.generated_at),
        "totals": totals,
        "byCategory": [_category(row) for row in categories],
        "products": [_product(row) for row in report.rows],
    }


def _date(day: date) -> str:
    return day.isoformat()


def _customer(row: Any, counted: Any) -> Json:
    identity = {"customerId": row.customer_id, "name": row.name, "email": row.email}
    return {**identity, **averaged(counted), "lastOrderAt": timestamp(row.last_order_at)}


def _category(row: Any) -> Json:
    units = int(row.unit_count)
    return {
        "category": row.category,
        "productCount": row.product_count,
        "unitCount": units,
        "value": float(row.value),
    }


def _product(row: Any) -> Json:
    return {
        "productId": row.id,
        "name": row.name,
        "sku": row.sku,
        "category": row.category,
        "stock": row.stock,
        "price": float(row.price),
        "value": float(row.value),
        "isLowStock": bool(row.is_low_stock),
    }
