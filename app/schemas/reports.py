"""Reports as JSON (contract, section 7)."""

from datetime import date, datetime
from typing import Any

from marshmallow import fields

from app.schemas.base import Amount, Converted, Json, Schema, Timestamp, timestamp


class Day(Converted):
    """A day of the calendar, in UTC."""

    show = staticmethod(date.isoformat)


class RangeSchema(Schema):
    """Which orders a report tells of."""

    start = Timestamp(data_key="from")
    end = Timestamp(data_key="to")
    preset = fields.String()
    label = fields.String()


class FiguresSchema(Schema):
    """How many orders, and how much."""

    order_count = fields.Integer()
    revenue = Amount()


class TotalsSchema(FiguresSchema):
    """The same with the average."""

    average_order_value = Amount(attribute="average")


class DailySchema(Schema):
    """The figures of a day."""

    date = Day()
    order_count = fields.Integer()
    revenue = Amount()


class StatusSchema(Schema):
    """The figures of a status."""

    status = fields.String()
    order_count = fields.Integer()
    revenue = Amount()


class BuyerSchema(Schema):
    """The figures of a customer."""

    customer_id = fields.String()
    name = fields.String()
    email = fields.String()
    order_count = fields.Integer()
    revenue = Amount()
    average_order_value = Amount()
    last_order_at = Timestamp()


class HoldingsSchema(Schema):
    """How many products and units, and what they are worth."""

    product_count = fields.Integer()
    unit_count = fields.Integer()
    value = Amount()
    low_stock_count = fields.Integer()
    out_of_stock_count = fields.Integer()


class StockSchema(Schema):
    """What is there of a product."""

    product_id = fields.String()
    name = fields.String()
    sku = fields.String()
    category = fields.String()
    stock = fields.Integer()
    price = Amount()
    value = Amount()
    is_low_stock = fields.Boolean()


RANGE = RangeSchema()
FIGURES = FiguresSchema()
TOTALS = TotalsSchema()
DAILY = DailySchema()
STATUS = StatusSchema()
BUYER = BuyerSchema()
HOLDINGS = HoldingsSchema()
STOCK = StockSchema()


def sales(period: Any, report: Any) -> Json:
    """Return the sales report of a range."""
    return {
        "range": RANGE.dump(period),
        "totals": TOTALS.render((*report.totals, report.totals.average)),
        "daily": [DAILY.render((day, *figures)) for day, figures in report.daily],
        "byStatus": [STATUS.render((status, *figures)) for status, figures in report.by_status],
    }


def customers(period: Any, report: Any) -> Json:
    """Return the customers report of a range."""
    sums = {"customerCount": report.customer_count, **FIGURES.render(report.totals)}
    return {
        "range": RANGE.dump(period),
        "totals": {**sums, "unassigned": FIGURES.render(report.unassigned)},
        "customers": [
            BUYER.render((row.customer_id, row.name, row.email, *figures, figures.average, row.last_order_at))
            for row, figures in report.rows
        ],
    }


def inventory(generated_at: datetime, report: Any) -> Json:
    """Return the inventory report as of a moment."""
    return {
        "generatedAt": timestamp(generated_at),
        "totals": HOLDINGS.render(report.totals),
        "byCategory": [
            {"category": category, **HOLDINGS.render(holdings)} for category, holdings in report.by_category
        ],
        "products": [STOCK.render((*row[:-1], row.stock * row.price, row.is_low)) for row in report.products],
    }
