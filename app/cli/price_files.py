"""`distribu price import` and `price export`: price overrides as CSV (contract, section 9.4)."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

import click
from rich.progress import Progress

from app.cli import csv_export, csv_options, import_results, options, output, progress, runtime
from app.cli.options import STANDARD_OUTPUT
from app.db import retrying
from app.product_import import price_csv, price_importer
from app.product_import.csv_table import CsvOptions
from app.product_import.importer import ImportResult
from app.product_import.price_csv import PriceCsv
from app.product_import.price_export import PriceExport
from app.product_import.product_csv import RejectedFileError


@click.command(name="import")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@options.company
@click.option("--clear-empty", is_flag=True, help="Let an empty cell remove the price breaks.")
@csv_options.add(price_csv.COLUMNS)
@options.as_json
def import_file(
    file: BinaryIO,
    *,
    slug: str,
    clear_empty: bool,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    names: Sequence[tuple[str, str]],
    strict: bool,
    as_json: bool,
) -> None:
    """Set price overrides from a CSV file.

    FILE.csv is the path of the file, or '-' for standard input. The first line names the columns: customer (the email
    or id), product (the sku or id) and price, and optionally priceBreaks, such as '10=8.00;50=7.50'. Price breaks
    without a column, or with an empty cell, do not change.

    Either all rows are imported or, if any row is wrong, none. The audit log records every price that changes.
    """
    csv = CsvOptions(delimiter=delimiter, decimal=decimal, encoding=encoding, names=dict(names), strict=strict)
    with import_results.seekable(file) as stream:
        try:
            result = _import(stream, slug, csv, clear_empty=clear_empty)
        except RejectedFileError as error:
            import_results.show_errors(error.errors, as_json=as_json)
            raise click.exceptions.Exit(1) from None
    output.record(import_results.to_json(result) if as_json else import_results.counts(result), as_json=as_json)


@click.command(name="export")
@options.company
@options.csv_output
@options.as_json
def export(slug: str, file: Path, as_json: bool) -> None:
    """Export the price overrides of a company to a CSV file.

    'price import' reads the file back without any change. Customers are named by email, and products by sku or, if they
    have none, by id. --json needs --output, and prints how many prices were exported.
    """
    csv_export.check_output(file, as_json=as_json)
    with runtime.company_transactions(slug) as transactions:
        prices = PriceExport(transactions)
        exported = csv_export.write(prices.chunks(), file, expected=prices.count())
    if file != STANDARD_OUTPUT:
        output.record({"exported": exported}, as_json=as_json)


def _import(stream: BinaryIO, slug: str, csv: CsvOptions, *, clear_empty: bool) -> ImportResult:
    """Import the file in one transaction, with progress bars on a terminal."""
    with progress.bars() as bars:
        price_csv_file = _open(stream, csv, bars, clear_empty=clear_empty)
        rows = list(price_csv_file.rows())

        def attempt() -> ImportResult:
            with runtime.company_context(slug, write=True) as ctx:
                return price_importer.run(ctx, rows, price_csv_file.errors, progress.updating(bars))

        return retrying(attempt)


def _open(stream: BinaryIO, csv: CsvOptions, bars: Progress, *, clear_empty: bool) -> PriceCsv:
    reader: IO[bytes] = bars.wrap_file(stream, os.fstat(stream.fileno()).st_size, description="Reading")
    file = PriceCsv(reader, csv, clear_empty=clear_empty)
    for warning in file.warnings:
        output.note(warning)
    return file
