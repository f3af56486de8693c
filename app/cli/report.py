"""`distribu report`: the figures of the API's reports (contract, section 7) as a table, CSV, JSON or a picture."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from app.cli import options, output, plot, runtime, spreadsheet
from app.context import Context
from app.reports import customers, inventory, ranges, sales
from app.reports.order_totals import MAX_LIMIT
from app.reports.ranges import Preset
from app.schemas import reports as schemas
from app.schemas.base import Json
from app.schemas.reports import ReportRange
from app.services import companies

preset = click.option(
    "--preset", type=click.Choice([each.value for each in Preset]), default=Preset.MONTH.value, show_default=True
)
start = click.option("--from", "start", type=options.MOMENT, help="Where it begins, instead of where the preset does.")
end = click.option("--to", "end", type=options.END, help="Where it ends; a date alone includes the whole day.")
limit = click.option(
    "--limit", type=click.IntRange(1, MAX_LIMIT), default=100, show_default=True, help="How many to list."
)
as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print the list as CSV.")
picture = click.option(
    "--plot",
    "file",
    metavar="FILE.png|FILE.svg",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=plot.check,
    help="Write a picture of daily revenue instead of the table.",
)

DAILY = ["date", "orderCount", "revenue"]
STATUSES = ["status", "orderCount", "revenue"]
BUYERS = ["customerId", "name", "email", "orderCount", "revenue", "averageOrderValue", "lastOrderAt"]
CATEGORIES = ["category", "productCount", "unitCount", "value", "lowStockCount", "outOfStockCount"]
STOCK = ["productId", "name", "sku", "category", "stock", "price", "value", "isLowStock"]


@click.group()
def report() -> None:
    """Add up orders and stock, to the cent. Days begin at midnight UTC."""


@report.command("sales")
@options.company
@preset
@start
@end
@as_csv
@options.as_json
@picture
def show_sales(slug: str, as_csv: bool, as_json: bool, file: Path | None, **wanted: Any) -> None:
    """Show how many orders there were, and for how much: by status and by day."""
    with runtime.company_context(slug) as ctx:
        content = schemas.sales_report(sales.build(ctx, _range(ctx, **wanted)))
        name = companies.find(ctx.session, slug).name
    if file is not None:
        plot.save(file, content, name)
        output.note(f"The picture is in {file}.")
    if not _is_printed(content, content["daily"], DAILY, as_csv=as_csv, as_json=as_json) and file is None:
        _show(content, content["totals"])
        output.records(content["byStatus"], as_json=False, columns=STATUSES, empty="No orders.")
        output.records(content["daily"], as_json=False, columns=DAILY, empty="No orders in this range.")


@report.command("customers")
@options.company
@preset
@start
@end
@limit
@as_csv
@options.as_json
def show_customers(slug: str, limit: int, as_csv: bool, as_json: bool, **wanted: Any) -> None:
    """Show who ordered for how much, the highest revenue first."""
    with runtime.company_context(slug) as ctx:
        content = schemas.customers_report(customers.build(ctx, _range(ctx, **wanted), limit=limit))
    if not _is_printed(content, content["customers"], BUYERS, as_csv=as_csv, as_json=as_json):
        totals = dict(content["totals"])
        unassigned = totals.pop("unassigned")
        unassigned = {"unassignedOrders": unassigned["orderCount"], "unassignedRevenue": unassigned["revenue"]}
        _show(content, totals | unassigned)
        output.records(
            content["customers"], as_json=False, columns=BUYERS[1:], empty="No customer ordered in this range."
        )


@report.command("inventory")
@options.company
@limit
@as_csv
@options.as_json
def show_inventory(slug: str, limit: int, as_csv: bool, as_json: bool) -> None:
    """Show what is in stock and what it is worth, the highest value first."""
    with runtime.company_context(slug) as ctx:
        content = schemas.inventory_report(inventory.build(ctx, limit=limit))
    if not _is_printed(content, content["products"], STOCK, as_csv=as_csv, as_json=as_json):
        _show(content, content["totals"])
        output.records(content["byCategory"], as_json=False, columns=CATEGORIES, empty="No categories.")
        output.records(content["products"], as_json=False, columns=STOCK[1:], empty="No products.")


def _range(ctx: Context, *, preset: str, start: datetime | None, end: datetime | None) -> ReportRange:
    return ranges.resolve(ctx, preset=preset, start=start, end=end)


def _is_printed(content: Json, rows: Sequence[Json], columns: Sequence[str], *, as_csv: bool, as_json: bool) -> bool:
    """Print what a script asked for; return False where a person did."""
    if as_csv and as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    if as_json:
        output.document(content)
    elif as_csv:
        output.text(spreadsheet.render(rows, columns))
    return as_csv or as_json


def _show(content: Json, totals: Json) -> None:
    if "range" in content:
        output.text(f"{content['range']['label']}  ({content['range']['from']} to {content['range']['to']})")
    output.details(totals)
