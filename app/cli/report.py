"""`distribu report`: the reports of the API as a table, as CSV, as JSON, and as a picture (contract, section 7)."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from app.cli import options, output, runtime
from app.context import Context
from app.schemas import reports as schemas
from app.schemas.base import Json
from app.services import reports
from app.services.ranges import Preset, Range

MOST_BARS = 62  # of days; beyond that a bar is a month
SALES_COLUMNS = ["date", "orderCount", "revenue"]
CUSTOMER_COLUMNS = ["name", "email", "orderCount", "revenue", "averageOrderValue", "lastOrderAt"]
PRODUCT_COLUMNS = ["name", "sku", "category", "stock", "price", "value", "isLowStock"]

limit = click.option("--limit", type=click.IntRange(1, reports.MAX_LIMIT), default=100, show_default=True)


def _formats(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what to print."""
    command = click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")(command)
    return options.as_json(options.company(command))


def _range(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which time the report is about."""
    preset = click.Choice([str(each) for each in Preset])
    command = click.option("--to", "end", type=options.MOMENT, help="Where it ends instead, included.")(command)
    command = click.option("--from", "start", type=options.MOMENT, help="Where it begins instead.")(command)
    return click.option("--preset", type=preset, default="month", show_default=True, help="Up to today.")(command)


@click.group()
def report() -> None:
    """Report sales, customers and inventory. All times are UTC."""


@report.command()
@_formats
@_range
@click.option("--plot", is_flag=True, help="Draw the revenue of each day.")
def sales(
    *, slug: str, preset: str, start: datetime | None, end: datetime | None, plot: bool, as_csv: bool, as_json: bool
) -> None:
    """Show what was sold, day by day, cancelled orders included."""
    with runtime.company_context(slug) as ctx:
        data = schemas.sales(reports.sales(ctx, _found(ctx, preset, start, end)))
    if plot:
        _draw(data)
        return
    _print(data, data["daily"], SALES_COLUMNS, as_csv=as_csv, as_json=as_json)
    if not as_csv and not as_json:
        output.records(data["byStatus"], as_json=False, columns=["status", "orderCount", "revenue"])


@report.command()
@_formats
@_range
@limit
def customers(
    *, slug: str, preset: str, start: datetime | None, end: datetime | None, limit: int, as_csv: bool, as_json: bool
) -> None:
    """Show who ordered, highest revenue first."""
    with runtime.company_context(slug) as ctx:
        data = schemas.customers(reports.by_customer(ctx, _found(ctx, preset, start, end), limit))
    _print(data, data["customers"], CUSTOMER_COLUMNS, as_csv=as_csv, as_json=as_json)


@report.command()
@_formats
@limit
def inventory(slug: str, limit: int, as_csv: bool, as_json: bool) -> None:
    """Show what is in stock and what it is worth, highest value first."""
    with runtime.company_context(slug) as ctx:
        data = schemas.inventory(reports.inventory(ctx, limit))
    _print(data, data["products"], PRODUCT_COLUMNS, as_csv=as_csv, as_json=as_json)


def _found(ctx: Context, preset: str, start: datetime | None, end: datetime | None) -> Range:
    return reports.find_range(ctx, preset=preset, start=start, end=end)


def _print(data: Json, rows: Sequence[Json], columns: Sequence[str], *, as_csv: bool, as_json: bool) -> None:
    if as_json:
        output.document(data)
    elif as_csv:
        output.text(_csv(rows))
    else:
        output.records(rows, as_json=False, columns=columns)
        output.details(_totals(data))


def _totals(data: Json) -> dict[str, Any]:
    """Return the totals of a report on one level."""
    totals = dict(data["totals"])
    unassigned = totals.pop("unassigned", {})
    within = {"range": data["range"]["label"]} if "range" in data else {}
    return {**within, **totals, **{f"unassigned{name[0].upper()}{name[1:]}": each for name, each in unassigned.items()}}


def _csv(rows: Sequence[Json]) -> str:
    """Return rows as CSV (RFC 4180), the names of the members first."""
    if not rows:
        return ""
    file = io.StringIO()
    writer = csv.DictWriter(file, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def _cell(value: Any) -> Any:
    """Return a value as a spreadsheet should take it: a text of somebody else's must not become a formula."""
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value


def _draw(data: Json) -> None:
    """Draw a bar for each day, or for each month of a long time."""
    is_long = len(data["daily"]) > MOST_BARS
    revenue: dict[str, float] = defaultdict(float)
    for each in data["daily"]:
        revenue[each["date"][:7] if is_long else each["date"]] += each["revenue"]
    if not revenue:
        output.note("There is nothing to draw: no orders in this time.")
        return
    output.bars(f"Revenue by {'month' if is_long else 'day'}, {data['range']['label']}", revenue)
