"""Import products from CSV: create or update by sku, in batches, all rows or none (contract, section 11).

Not here: what a file may look like (`app/services/sheets.py`), progress and the transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnDefault, Row, bindparam, select

from app.context import Context
from app.services import audit
from app.services.products import TABLE
from app.services.sheets import FIELDS, Record, RejectedFileError, Sheet
from app.services.tenant import bound, change, owned
from models import Company, new_id, searchable

BATCH = 500
DEFAULTS = {each.name: each.default.arg for each in TABLE.c if isinstance(each.default, ColumnDefault)}
LOCK = select(Company.id).where(Company.id == bindparam("own_id")).with_for_update(key_share=True)
EXISTING = (
    owned(TABLE.c.id, *(TABLE.c[field] for field in FIELDS.values()))
    .where(TABLE.c.sku.in_(bindparam("skus", expanding=True)))
    .order_by(TABLE.c.id)
    .with_for_update(key_share=True)
)


@dataclass(kw_only=True, slots=True)
class Report:
    """How many rows of a file became a new product, changed one, or said what was known."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


def run(ctx: Context, sheet: Sheet) -> Report:
    """Create or update the products of a sheet, and return what was done.

    Its rows are read once, line by line; each batch of rows costs at most three statements. Raises
    RejectedFileError after reading to the end when rows are wrong: the caller's transaction must then roll back.
    """
    report = Report()
    ctx.session.execute(
        LOCK, {"own_id": ctx.company_id}
    )  # one import per company at a time: two could wait for each other's rows
    records = map(_completed, sheet.records())
    while batch := list(islice(records, BATCH)):
        if not sheet.errors:
            _upsert(ctx, batch, report)
    if sheet.errors:
        raise RejectedFileError(sheet.errors)
    if report.created or report.updated:
        audit.record(ctx, "product.imported", "company", ctx.company_id, asdict(report))
    return report


def _completed(record: Record) -> Record:
    """Put the default of a product where a cell is empty."""
    return {field: DEFAULTS.get(field) if value is None else value for field, value in record.items()}


def _upsert(ctx: Context, records: Sequence[Record], report: Report) -> None:
    """Write what is new and what differs; a row that says what is known is not touched."""
    skus = [record["sku"] for record in records]
    existing = {row.sku: row for row in ctx.session.execute(EXISTING, bound(ctx, skus=skus))}
    new = [_created(ctx, record) for record in records if record["sku"] not in existing]
    known = [(existing[record["sku"]], record) for record in records if record["sku"] in existing]
    changed = [_changed(ctx, row, record) for row, record in known if _differs(row, record)]
    connection = ctx.session.connection()
    if new:
        connection.execute(TABLE.insert(), new)
    if changed:
        connection.execute(_update(records[0]), changed)
    report.created += len(new)
    report.updated += len(changed)
    report.unchanged += len(known) - len(changed)


def _differs(row: Row[Any], record: Record) -> bool:
    return any(getattr(row, field) != value for field, value in record.items())


def _created(ctx: Context, record: Record) -> Record:
    moments = {"created_at": ctx.now, "updated_at": ctx.now}
    return {**record, **moments, "id": new_id(ctx.now), "company_id": ctx.company_id}


def _changed(ctx: Context, row: Row[Any], record: Record) -> Record:
    search_text = searchable(record["name"], record["sku"], record.get("category", row.category))
    values = {**record, "search_text": search_text, "updated_at": ctx.now}
    return bound(ctx, row_id=row.id) | {f"new_{field}": value for field, value in values.items()}


def _update(record: Record) -> Any:
    """Return the statement that `_changed` makes parameters for: a file has the same fields in all its rows."""
    values: Record = {field: bindparam(f"new_{field}") for field in (*record, "search_text", "updated_at")}
    return change(TABLE).values(values)
