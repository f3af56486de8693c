"""`distribu product export`: the products of a company as CSV (contract, section 11)."""

import sys
from pathlib import Path

import click

from app.cli import options, output, progress, runtime
from app.cli.options import STANDARD_OUTPUT
from app.product_import.product_export import ProductCount, ProductExport
from app.schemas.base import Json


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
    if as_json and file == STANDARD_OUTPUT:
        raise click.UsageError("--json needs --output FILE.csv, because the CSV is written to standard output.")
    with runtime.company_transactions(slug) as transactions:
        result = _write(ProductExport(transactions, category=category, active=active), file)
    if file != STANDARD_OUTPUT:
        output.record(_to_json(result), as_json=as_json)
    if result.without_sku:
        output.note(f"Products without a sku that were not exported: {result.without_sku}.")


def _write(products: ProductExport, file: Path) -> ProductCount:
    """Write the file, which replaces an existing one when it is complete. Return the number of products."""
    expected, exported = products.count(), 0
    has_file = file != STANDARD_OUTPUT
    with (
        click.open_file(str(file), "wb", atomic=has_file) as stream,
        progress.bars(hidden=not has_file and sys.stdout.isatty()) as bars,
    ):
        task = bars.add_task("Exporting", total=expected.exported)
        for count, text in products.chunks():
            stream.write(text.encode())
            exported += count
            bars.advance(task, count)
    return ProductCount(exported=exported, without_sku=expected.without_sku)


def _to_json(result: ProductCount) -> Json:
    return {"exported": result.exported, "withoutSku": result.without_sku}
