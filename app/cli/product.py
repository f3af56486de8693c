"""`distribu product`: the catalogue of a company, in from CSV and out as a list (contract, section 11)."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, BinaryIO

import click
from rich.progress import Progress, TaskID

from app.cli import csv_options, listing, options, output, runtime
from app.context import Context
from app.product_import import importer
from app.product_import.comparison import Change
from app.product_import.csv_table import Reading
from app.product_import.importer import Report
from app.product_import.product_file import ProductFile, RejectedFileError, RowError
from app.queries.listing import MAX_LIMIT
from app.schemas.products import ProductSchema
from app.services import products

SCHEMA = ProductSchema()
SHOWN_ERRORS = 50
SHOWN_CHANGES = 50

Record = dict[str, Any]


@click.group()
def product() -> None:
    """Import and list products."""


@product.command(name="import")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@options.company
@click.option("--clear-empty", is_flag=True, help="Let an empty cell clear what is stored, or reset it to the default.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@csv_options.add
@options.as_json
def import_file(
    file: BinaryIO,
    slug: str,
    *,
    clear_empty: bool,
    dry_run: bool,
    as_json: bool,
    names: Sequence[tuple[str, str]],
    **given: Any,
) -> None:
    """Create or update products from FILE.csv ('-' for standard input), matched by their sku.

    The first line names the columns: sku, name and price, and any of description, category, unit, stock and
    isActive. What has no column or an empty cell stays as it is; a new product gets the defaults: unit 'each', stock 0,
    active.

    All rows are imported, or none when one of them is wrong. Orders are accepted meanwhile; a stock in the file
    replaces what they have left. The audit log has each product that was created or changed. After an interruption, run
    the command again.

    Delimiter, decimal mark and encoding are those of the file where they are certain. Where they are not, nothing is
    imported, and a line says which option settles it.
    """
    act = _preview if dry_run else _import
    with _seekable(file) as stream:
        try:
            act(stream, slug, Reading(names=dict(names), **given), clear_empty=clear_empty, as_json=as_json)
        except RejectedFileError as error:
            _show_errors(error.errors, as_json=as_json)
            raise click.exceptions.Exit(1) from None


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
    """Yield the file, or a copy of a pipe: it is read more than once."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _import(stream: BinaryIO, slug: str, how: Reading, *, clear_empty: bool, as_json: bool) -> None:
    """Import, with progress bars on a terminal."""
    with runtime.company_transactions(slug) as transactions, _bars() as bars:
        product_file = _open(stream, how, bars)
        report = importer.run(
            transactions, product_file, clear_empty=clear_empty, watch=_watch(bars), on_wait=_say_that_we_wait
        )
    output.record(_result(report) if as_json else _counts(report), as_json=as_json)


def _preview(stream: BinaryIO, slug: str, how: Reading, *, clear_empty: bool, as_json: bool) -> None:
    """Show what an import would change."""
    changes: list[Record] = []

    def see(change: Change) -> None:
        if as_json or len(changes) < SHOWN_CHANGES:
            changes.append(_change(change))

    with runtime.company_transactions(slug) as transactions, _bars() as bars:
        product_file = _open(stream, how, bars)
        report = importer.preview(transactions, product_file, clear_empty=clear_empty, see=see)
    if as_json:
        output.document({**_result(report), "changes": changes})
        return
    shown = [each | {name: _listed(each[name]) for name in ("before", "after")} for each in changes]
    output.records(shown, as_json=False, columns=["sku", "action", "before", "after"], empty="Nothing would change.")
    if hidden := report.created + report.updated - len(changes):
        output.note(f"... and {hidden} more. Use --json to list all.")
    output.record(_counts(report), as_json=False)
    output.note("Nothing was imported. Run the command without --dry-run to import.")


def _bars() -> Progress:
    console = output.terminal()
    return Progress(console=console, disable=not console.is_terminal, transient=True)


def _open(stream: BinaryIO, how: Reading, bars: Progress) -> ProductFile:
    reader: IO[bytes] = bars.wrap_file(stream, os.fstat(stream.fileno()).st_size, description="Reading")
    product_file = ProductFile(reader, how)
    for warning in product_file.warnings:
        output.note(warning)
    return product_file


def _watch(bars: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, TaskID] = {}

    def watch(phase: str, done: int, total: int) -> None:
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=total)
        bars.update(tasks[phase], completed=done)

    return watch


def _say_that_we_wait() -> None:
    output.note("Another import of this company is running. Waiting for it to end.")


def _change(change: Change) -> Record:
    details = change.details
    return {
        "sku": change.values["sku"],
        "action": "created" if change.found is None else "updated",
        "before": details.get("before"),
        "after": details["after"],
    }


def _listed(values: Record | None) -> str:
    """Name the values of a product for people: 'price 8.50, stock 3'."""
    return ", ".join(f"{name} {output.cell(value) or '(empty)'}" for name, value in (values or {}).items())


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
