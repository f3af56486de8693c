"""`distribu product`: the catalogue of a company, in from CSV and out as a list (contract, section 11)."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, BinaryIO

import click
from rich.progress import Progress

from app.cli import listing, options, output, reading, runtime
from app.context import Context
from app.schemas.products import ProductSchema
from app.services import imports, products
from app.services.csv_table import Reading
from app.services.imports import Report
from app.services.paging import MAX_LIMIT
from app.services.sheets import RejectedFileError, RowError, Sheet

SCHEMA = ProductSchema()
SHOWN_ERRORS = 50


@click.group()
def product() -> None:
    """Import and list products."""


@product.command(name="import")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@options.company
@reading.options
@options.as_json
def import_file(file: BinaryIO, slug: str, as_json: bool, names: Sequence[tuple[str, str]], **given: Any) -> None:
    """Create or update products from FILE.csv ('-' for standard input), matched by their sku.

    The first line names the columns: sku, name and price, and any of description, category, unit, stock and
    isActive; what has no column stays as it is. All rows are imported, or none when one of them is wrong.

    Delimiter, decimal mark and encoding are those of the file where they are certain. Where they are not, nothing is
    imported, and a line says which option settles it.
    """
    with _seekable(file) as stream:
        try:
            report = _import(stream, slug, Reading(names=dict(names), **given))
        except RejectedFileError as error:
            _show_errors(error.errors, as_json=as_json)
            raise click.exceptions.Exit(1) from None
    output.record(_result(report) if as_json else _counts(report), as_json=as_json)


@product.command(name="list")
@options.company
@click.option("--search", type=options.TEXT, help="A part of the name, sku or category, in any case.")
@click.option("--sku", type=options.TEXT, help="The product with exactly this sku.")
@click.option("--category", type=options.TEXT, help="Exactly this category.")
@click.option("--active/--inactive", default=None, help="Only what can be ordered, or only what cannot.")
@options.limit
@options.as_json
def list_all(slug: str, limit: int, as_json: bool, **filters: Any) -> None:
    """List products, newest first."""
    with runtime.company_context(slug) as ctx:
        rows = listing.rows(partial(_page, ctx, filters), limit)
    columns = ["sku", "name", "price", "stock", "id", "isActive", "unit", "category"]
    output.listing(rows, limit, as_json=as_json, columns=columns, empty="No products found.")


def _page(ctx: Context, filters: dict[str, Any], cursor: str | None) -> listing.Page:
    page = products.page(ctx, limit=MAX_LIMIT, cursor=cursor, **filters)
    return [SCHEMA.render(row) for row in page.rows], page.next_cursor


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the file, or a copy of a pipe: the database must not stay locked for as long as a pipe is slow."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _import(stream: BinaryIO, slug: str, how: Reading) -> Report:
    """Import in one transaction, with a progress bar where somebody is looking."""
    console = output.terminal()
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        reader: IO[bytes] = progress.wrap_file(stream, os.fstat(stream.fileno()).st_size, description="Importing")
        sheet = Sheet(reader, how)
        for warning in sheet.warnings:
            output.note(warning)
        with runtime.company_context(slug, write=True) as ctx:
            return imports.run(ctx, sheet)


def _result(report: Report, errors: Sequence[RowError] = ()) -> dict[str, Any]:
    return {**_counts(report), "errors": [{"line": each.line, "error": each.error} for each in errors]}


def _counts(report: Report) -> dict[str, Any]:
    return {"created": report.created, "updated": report.updated, "unchanged": report.unchanged}


def _show_errors(errors: Sequence[RowError], *, as_json: bool) -> None:
    if as_json:
        output.document(_result(Report(), errors))
    else:
        for each in errors[:SHOWN_ERRORS]:
            output.note(f"line {each.line}: {each.error}")
        if len(errors) > SHOWN_ERRORS:
            output.note(f"... and {len(errors) - SHOWN_ERRORS} more")
    output.note("Nothing was imported. Correct this and run the command again.")
