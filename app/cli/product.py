"""`distribu product`: import and list the products of a company (contract, section 11).

Not in this module: `product export` (`app/cli/product_export.py`), and `product set` and `product delete`
(`app/cli/product_edit.py`).
"""

import os
from collections.abc import Sequence
from typing import IO, Any, BinaryIO

import click
from rich.progress import Progress

from app.cli import csv_options, import_results, listing, options, output, progress, runtime
from app.cli.product_edit import delete, set_product
from app.cli.product_export import export
from app.product_import import importer
from app.product_import.comparison import ProductChange
from app.product_import.csv_table import CsvOptions
from app.product_import.product_csv import FIELDS, ProductCsv, RejectedFileError
from app.queries.listing import MAX_LIMIT
from app.schemas.base import Json
from app.schemas.products import PRODUCT
from app.services import products

SHOWN_CHANGES = 50


@click.group()
def product() -> None:
    """Import, export, list, set and delete products."""


product.add_command(export)
product.add_command(set_product)
product.add_command(delete)


@product.command(name="import")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@options.company
@click.option(
    "--clear-empty", is_flag=True, help="Let an empty cell clear the stored value, or reset it to the default."
)
@click.option("--dry-run", is_flag=True, help="Show what would change without changing anything.")
@csv_options.add(FIELDS)
@options.as_json
def import_file(
    file: BinaryIO,
    *,
    slug: str,
    clear_empty: bool,
    dry_run: bool,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    names: Sequence[tuple[str, str]],
    strict: bool,
    as_json: bool,
) -> None:
    """Create or update products from a CSV file.

    FILE.csv is the path of the file, or '-' for standard input. Products are matched by their sku.

    The first line names the columns: sku, name and price, and optionally description, category, unit, stock, isActive,
    externalId, barcode, lowStockThreshold, imageUrl, priceBreaks, minOrderQuantity, orderMultiple and maxOrderQuantity.
    A value without a column, or with an empty cell, does not change. New products get the defaults: unit 'each', stock
    0, active, low-stock threshold 5.

    Either all rows are imported or, if any row is wrong, none. Orders are still accepted during an import. A stock in
    the file replaces the stored stock. The audit log records every product that is created or changed. If an import is
    interrupted, run the command again.

    The delimiter, decimal mark and encoding are detected. If one of them is ambiguous, nothing is imported, and a
    message names the option to add.
    """
    csv = CsvOptions(delimiter=delimiter, decimal=decimal, encoding=encoding, names=dict(names), strict=strict)
    run = _preview if dry_run else _import
    with import_results.seekable(file) as stream:
        try:
            run(stream, slug, csv, clear_empty=clear_empty, as_json=as_json)
        except RejectedFileError as error:
            import_results.show_errors(error.errors, as_json=as_json)
            raise click.exceptions.Exit(1) from None


@product.command(name="list")
@options.company
@click.option("--search", type=options.TEXT, help="Filter by a part of the name, sku or category, ignoring case.")
@click.option("--sku", type=options.TEXT, help="Filter by sku.")
@click.option("--external-id", type=options.TEXT, help="Filter by the id in another system.")
@click.option("--barcode", type=options.TEXT, help="Filter by barcode.")
@click.option("--category", type=options.TEXT, help="Filter by category.")
@click.option(
    "--active/--inactive", default=None, help="Show only products that can be ordered, or only those that cannot."
)
@click.option(
    "--low-stock/--not-low-stock",
    default=None,
    help="Show only products whose stock is at or below their low-stock threshold, or only the others.",
)
@options.limit
@options.as_json
def list_all(slug: str, limit: int, as_json: bool, **filters: Any) -> None:
    """List products, newest first."""
    with runtime.company_context(slug) as ctx:

        def fetch(cursor: str | None) -> listing.Page:
            page = products.page(ctx, limit=MAX_LIMIT, cursor=cursor, **filters)
            return [PRODUCT.render(row) for row in page.rows], page.next_cursor

        rows = listing.rows(fetch, limit)
    columns = ["sku", "name", "price", "stock", "id", "isActive", "unit", "category", "externalId", "barcode"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No products found.")


def _import(stream: BinaryIO, slug: str, csv: CsvOptions, *, clear_empty: bool, as_json: bool) -> None:
    """Import the file, with progress bars on a terminal."""
    with runtime.company_transactions(slug) as transactions, progress.bars() as bars:
        product_csv = _open(stream, csv, bars)
        result = importer.run(
            transactions, product_csv, clear_empty=clear_empty, on_progress=progress.updating(bars), on_wait=_note_wait
        )
    output.record(import_results.to_json(result) if as_json else import_results.counts(result), as_json=as_json)


def _preview(stream: BinaryIO, slug: str, csv: CsvOptions, *, clear_empty: bool, as_json: bool) -> None:
    """Print what an import would change."""
    changes: list[Json] = []

    def on_change(change: ProductChange) -> None:
        if as_json or len(changes) < SHOWN_CHANGES:
            changes.append(_change(change))

    with runtime.company_transactions(slug) as transactions, progress.bars() as bars:
        product_csv = _open(stream, csv, bars)
        result = importer.preview(transactions, product_csv, clear_empty=clear_empty, on_change=on_change)
    if as_json:
        output.document({**import_results.to_json(result), "changes": changes})
        return
    shown = [change | {name: _listed(change[name]) for name in ("before", "after")} for change in changes]
    output.records(shown, as_json=False, columns=["sku", "action", "before", "after"], empty="Nothing would change.")
    if hidden := result.created + result.updated - len(changes):
        output.note(f"... and {hidden} more. Use --json to list all.")
    output.record(import_results.counts(result), as_json=False)
    output.note("Nothing was imported. Run the command without --dry-run to import.")


def _open(stream: BinaryIO, csv: CsvOptions, bars: Progress) -> ProductCsv:
    reader: IO[bytes] = bars.wrap_file(stream, os.fstat(stream.fileno()).st_size, description="Reading")
    product_csv = ProductCsv(reader, csv)
    for warning in product_csv.warnings:
        output.note(warning)
    return product_csv


def _note_wait() -> None:
    output.note("Another import of this company is running. Waiting for it to finish.")


def _change(change: ProductChange) -> Json:
    details = change.details
    return {
        "sku": change.fields["sku"],
        "action": "created" if change.existing is None else "updated",
        "before": details.get("before"),
        "after": details["after"],
    }


def _listed(values: Json | None) -> str:
    """Return the values of a product as text: 'price 8.50, stock 3'."""
    return ", ".join(f"{name} {output.cell(value) or '(empty)'}" for name, value in (values or {}).items())
