"""The reports as typed values and as JSON, named as in the document (contract, section 7).

Not in this module: how the values are calculated (`app/reports/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from marshmallow import fields

from app.schemas.base import Json, Schema, Timestamp, row_schema, timestamp
from models import OrderStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRange:
    """The orders that a report covers: those placed from `start` to `end`, inclusive.

    `preset` is `custom` if the caller gave a start or an end; `label` is for humans. The label of a range that ends at
    midnight ends with the previous day: only the first millisecond of the next day belongs to the range.
    """

    start: datetime
    end: datetime
    preset: str
    label: str


class SalesTotals(NamedTuple):
    """The totals of all orders of a range. Refunds count when they were made, also if the order is older."""

    order_count: int
    revenue: Decimal
    average_order_value: Decimal
    refunded: Decimal
    net_revenue: Decimal


class SalesByDay(NamedTuple):
    """The totals of one day."""

    date: date
    order_count: int
    revenue: Decimal


class SalesByStatus(NamedTuple):
    """The totals of one status."""

    status: OrderStatus
    order_count: int
    revenue: Decimal


class UnassignedTotals(NamedTuple):
    """The totals of the orders without a customer."""

    order_count: int
    revenue: Decimal


class CustomersTotals(NamedTuple):
    """The totals of all orders in a range, including orders without a customer."""

    customer_count: int
    order_count: int
    revenue: Decimal


class CustomersReportEntry(NamedTuple):
    """The totals of one customer."""

    customer_id: str
    name: str | None
    email: str
    order_count: int
    revenue: Decimal
    average_order_value: Decimal
    last_order_at: datetime


class InventoryTotals(NamedTuple):
    """The totals of several products. Low stock means at the threshold or below, so it includes out of stock."""

    product_count: int
    unit_count: int
    value: Decimal
    low_stock_count: int
    out_of_stock_count: int


class InventoryCategory(NamedTuple):
    """The totals of one category; None for products without one."""

    category: str | None
    product_count: int
    unit_count: int
    value: Decimal
    low_stock_count: int
    out_of_stock_count: int


class InventoryProduct(NamedTuple):
    """The stock of one product."""

    product_id: str
    name: str
    sku: str | None
    category: str | None
    stock: int
    price: Decimal
    value: Decimal
    is_low_stock: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SalesReport:
    """The orders of a range, by day and by status."""

    range: ReportRange
    totals: SalesTotals
    daily: Sequence[SalesByDay]
    by_status: Sequence[SalesByStatus]


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomersReport:
    """The orders of a range by customer, highest revenue first."""

    range: ReportRange
    totals: CustomersTotals
    unassigned: UnassignedTotals
    customers: Sequence[CustomersReportEntry]


@dataclass(frozen=True, kw_only=True, slots=True)
class InventoryReport:
    """The stock by category and by product, highest value first."""

    generated_at: datetime
    totals: InventoryTotals
    by_category: Sequence[InventoryCategory]
    products: Sequence[InventoryProduct]


class ReportRangeSchema(Schema):
    """The range of a report."""

    start = Timestamp(data_key="from")
    end = Timestamp(data_key="to")
    preset = fields.String()
    label = fields.String()


REPORT_RANGE = ReportRangeSchema()
SALES_TOTALS = row_schema(SalesTotals)
SALES_BY_DAY = row_schema(SalesByDay)
SALES_BY_STATUS = row_schema(SalesByStatus)
CUSTOMERS_TOTALS = row_schema(CustomersTotals)
UNASSIGNED_TOTALS = row_schema(UnassignedTotals)
CUSTOMERS_REPORT_ENTRY = row_schema(CustomersReportEntry)
INVENTORY_TOTALS = row_schema(InventoryTotals)
INVENTORY_CATEGORY = row_schema(InventoryCategory)
INVENTORY_PRODUCT = row_schema(InventoryProduct)


def sales_report(report: SalesReport) -> Json:
    """Return a sales report as JSON."""
    return {
        "range": REPORT_RANGE.dump(report.range),
        "totals": SALES_TOTALS.render(report.totals),
        "daily": [SALES_BY_DAY.render(day) for day in report.daily],
        "byStatus": [SALES_BY_STATUS.render(status) for status in report.by_status],
    }


def customers_report(report: CustomersReport) -> Json:
    """Return a customers report as JSON."""
    unassigned = UNASSIGNED_TOTALS.render(report.unassigned)
    return {
        "range": REPORT_RANGE.dump(report.range),
        "totals": {**CUSTOMERS_TOTALS.render(report.totals), "unassigned": unassigned},
        "customers": [CUSTOMERS_REPORT_ENTRY.render(entry) for entry in report.customers],
    }


def inventory_report(report: InventoryReport) -> Json:
    """Return an inventory report as JSON."""
    return {
        "generatedAt": timestamp(report.generated_at),
        "totals": INVENTORY_TOTALS.render(report.totals),
        "byCategory": [INVENTORY_CATEGORY.render(category) for category in report.by_category],
        "products": [INVENTORY_PRODUCT.render(product) for product in report.products],
    }
