"""`distribu product export`: the products of a company as CSV (contract, section 11)."""

from pathlib import Path

import click

from app.cli import csv_export, options, output, runtime
from app.cli.options import STANDARD_OUTPUT
from app.product_import.product_export import ProductExport


@click.command(name="export")
@options.company
@click.option("--category", type=options.TEXT, help="Export only the products of this category.")
@click.option(
    "--active/--inactive", default=None, help="Export only products that can be ordered, or only those that cannot."
)
@options.csv_output
@options.as_json
def export(slug: str, category: str | None, active: bool | None, file: Path, as_json: bool) -> None:
    """Export products to a CSV file.

    'product import' reads the file back without any change. The file has all columns of an import, in UTF-8. Text that
    a spreadsheet program would take for a formula begins with an apostrophe, which the import removes.

    Products without a sku are left out, because an import matches products by sku. --json needs --output, and prints
    how many products were exported and left out.
    """
    csv_export.check_output(file, as_json=as_json)
    with runtime.company_transactions(slug) as transactions:
        products = ProductExport(transactions, category=category, active=active)
        count = products.count()
        exported = csv_export.write(products.chunks(), file, expected=count.exported)
    if file != STANDARD_OUTPUT:
        output.record({"exported": exported, "withoutSku": count.without_sku}, as_json=as_json)
    if count.without_sku:
        output.note(f"Products without a sku that were not exported: {count.without_sku}.")
