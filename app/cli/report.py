"""`distribu report`: the reports of the API (contract, section 7) as tables, CSV, JSON or a chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from pathlib import Path

import click

from app.cli import options, output, plot, runtime, spreadsheet
from app.reports import customers, inventory, ranges, sales
from app.reports.order_totals import MAX_LIMIT
from app.reports.ranges import ReportPreset
from app.schemas import reports as schemas
from app.schemas.base import Json
from app.services import companies

preset = click.option(
    "--preset",
    metavar="PRESET",
    type=click.Choice([preset.value for preset in ReportPreset]),
    default=ReportPreset.MONTH.value,
    show_default=True,
    help=f"The range of the report, up to today: {', '.join(ReportPreset)}.",
)
start = click.option(
    "--from", "start", type=options.TIME, help="Start of the range, instead of that of the preset (ISO 8601)."
)
end = click.option(
    "--to", "end", type=options.END_TIME, help="End of the range, instead of today. A date includes that day."
)
limit = click.option(
    "--limit",
    type=options.Count(1, MAX_LIMIT),
    default=100,
    show_default=True,
    help=f"How many to list, up to {MAX_LIMIT}.",
)
as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print the list as CSV.")
chart = click.option(
    "--plot",
    "file",
    metavar="FILE.png|FILE.svg",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=plot.check,
    help="Save a chart of daily revenue to a file instead of printing tables.",
)

DAILY = ["date", "orderCount", "revenue"]
STATUSES = ["status", "orderCount", "revenue"]
CUSTOMERS = ["name", "email", "orderCount", "revenue", "averageOrderValue", "lastOrderAt"]
CATEGORIES = ["category", "productCount", "unitCount", "value", "lowStockCount", "outOfStockCount"]
PRODUCTS = ["name", "sku", "category", "stock", "price", "value", "isLowStock"]


class Format(Enum):
    """How a report is printed."""

    TABLES = auto()
    CSV = auto()
    JSON = auto()


@dataclass(frozen=True, kw_only=True)
class Table:
    """A list of a report: its rows, the columns to print, and the message to print if there are no rows."""

    rows: Sequence[Json]
    columns: Sequence[str]
    empty: str
    csv_columns: Sequence[str] = ()  # columns that only CSV has, before the others


@click.group()
def report() -> None:
    """Report on sales, customers and inventory.

    Sums are exact to the cent. Days begin at midnight UTC.
    """


@report.command("sales")
@options.company
@preset
@start
@end
@as_csv
@options.as_json
@chart
def show_sales(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    preset: str,
    start: datetime | None,
    end: datetime | None,
    file: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show orders and revenue by status and by day."""
    output_format = _format(as_csv=as_csv, as_json=as_json)
    with runtime.company_context(slug) as ctx:
        result = sales.build(ctx, ranges.resolve(ctx, preset=preset, start=start, end=end))
        name = companies.find(ctx.session, slug).name
    if file is not None:
        plot.save(file, result, name)
        output.note(f"Saved the chart to {file}.")
        if output_format is Format.TABLES:
            return
    content = schemas.sales_report(result)
    statuses = Table(rows=content["byStatus"], columns=STATUSES, empty="No orders.")
    days = Table(rows=content["daily"], columns=DAILY, empty="No orders in this range.")
    _print(content, content["totals"], [statuses, days], output_format)


@report.command("customers")
@options.company
@preset
@start
@end
@limit
@as_csv
@options.as_json
def show_customers(  # noqa: PLR0917 - click passes by keyword
    slug: str,
    preset: str,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show revenue by customer, highest revenue first."""
    output_format = _format(as_csv=as_csv, as_json=as_json)
    with runtime.company_context(slug) as ctx:
        period = ranges.resolve(ctx, preset=preset, start=start, end=end)
        content = schemas.customers_report(customers.build(ctx, period, limit=limit))
    totals = {**content["totals"]}
    unassigned = totals.pop("unassigned")
    totals |= {"unassignedOrders": unassigned["orderCount"], "unassignedRevenue": unassigned["revenue"]}
    table = Table(
        rows=content["customers"],
        columns=CUSTOMERS,
        empty="No orders of customers in this range.",
        csv_columns=["customerId"],
    )
    _print(content, totals, [table], output_format)


@report.command("inventory")
@options.company
@limit
@as_csv
@options.as_json
def show_inventory(slug: str, limit: int, as_csv: bool, as_json: bool) -> None:
    """Show stock and its value, highest value first."""
    output_format = _format(as_csv=as_csv, as_json=as_json)
    with runtime.company_context(slug) as ctx:
        content = schemas.inventory_report(inventory.build(ctx, limit=limit))
    categories = Table(rows=content["byCategory"], columns=CATEGORIES, empty="No categories.")
    products = Table(rows=content["products"], columns=PRODUCTS, empty="No products.", csv_columns=["productId"])
    _print(content, content["totals"], [categories, products], output_format)


def _format(*, as_csv: bool, as_json: bool) -> Format:
    if as_csv and as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    if as_csv:
        return Format.CSV
    return Format.JSON if as_json else Format.TABLES


def _print(content: Json, totals: Json, tables: Sequence[Table], output_format: Format) -> None:
    """Print a report: all of it as JSON or as tables, or its last table as CSV."""
    match output_format:
        case Format.JSON:
            output.document(content)
        case Format.CSV:
            table = tables[-1]
            output.text(spreadsheet.render(table.rows, [*table.csv_columns, *table.columns]))
        case Format.TABLES:
            if "range" in content:
                output.text(f"{content['range']['label']}  ({content['range']['from']} to {content['range']['to']})")
            output.details(totals)
            for table in tables:
                output.records(table.rows, as_json=False, columns=table.columns, empty=table.empty)
