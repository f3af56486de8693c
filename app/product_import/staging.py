"""The changes of an import until they are applied: staged in batches, without any effect, and removed.

Not in this module: the order of the steps and their transactions (`importer`), who may run them (`lease`), and how
staged changes are applied (`applying`).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.product_import import change_events, lease
from app.product_import.comparison import ProductChange
from app.product_import.lease import Claim
from app.queries import search_index, tenant
from app.queries.rows import Row, Statement
from app.services import audit
from app.services.products import TABLE as PRODUCTS
from models import ImportState, ProductImportRow, new_id, searchable
from models.base import table
from models.price_breaks import to_json

ROWS = table(ProductImportRow)
BATCH = 500  # rows; its statements take about 15 ms on SQLite, 50 ms on PostgreSQL
# A position begins with a letter. New products and existing ones take turns, because a row that turns out to be of the
# other kind is applied later. New products come first, since no order waits for them.
LETTERS = "acegikmoqsuwy"

IS_OF_IMPORT = tenant.where(ROWS) & (ROWS.c.import_id == bindparam("import_id"))
IS_AFTER = IS_OF_IMPORT & (ROWS.c.place > bindparam("after"))
IS_IN_BATCH = IS_AFTER & (ROWS.c.place <= bindparam("last"))


class DiscardedRow(Row):
    """A staged row to remove."""

    place: str
    product_id: str
    search_text: str
    is_new: bool


SELECT_SOME = Statement(
    DiscardedRow,
    sa.select(ROWS.c.place, ROWS.c.product_id, ROWS.c.search_text, ROWS.c.is_new)
    .where(IS_OF_IMPORT)
    .order_by(ROWS.c.place)
    .limit(BATCH),
)
DELETE_BATCH = sa.delete(ROWS).where(IS_IN_BATCH)


def stage(ctx: Context, claim: Claim, changes: Sequence[ProductChange]) -> None:
    """Store changes until they are applied, and renew the lease."""
    lease.renew(ctx, claim)
    if not changes:
        return
    rows = [_row(ctx, claim, change) for change in changes]
    connection = ctx.session.connection()
    connection.execute(ROWS.insert(), rows)
    texts = {str(row["product_id"]): str(row["search_text"]) for row in rows if row["is_new"]}
    search_index.prepare(connection, PRODUCTS.name, texts)


def finish_staging(ctx: Context, claim: Claim, unchanged: int) -> None:
    """Save the number of unchanged rows, and update PostgreSQL's statistics on the others."""
    lease.renew(ctx, claim, unchanged=unchanged)
    connection = ctx.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"ANALYZE {ROWS.name}"))


def is_new(position: str) -> bool:
    """Return whether the row at this position creates a product."""
    return LETTERS.index(position[0]) % 2 == 0


def position_after(position: str, row_id: str, *, is_new: bool) -> str:
    """Return a position after `position` for a row of this kind, which a later batch applies."""
    following = LETTERS.index(position[0]) + 1
    is_other_kind = (following % 2 == 0) != is_new
    return LETTERS[following + is_other_kind] + row_id[1:]


def blocks_orders(ctx: Context, last: str) -> bool:
    """Return whether orders may wait for a transaction that applies the batch up to position `last`."""
    return not is_new(last) or ctx.session.connection().dialect.name == "sqlite"


def discard(ctx: Context, claim: Claim) -> bool:
    """Remove some of the staged rows, and finally the import. Return whether everything has been removed.

    An import that is being applied stays, for the process that takes it over.
    """
    state = lease.load_progress(ctx, claim).state
    if state == ImportState.APPLYING:
        return True
    connection = ctx.session.connection()
    rows = SELECT_SOME.all(connection, tenant.params(ctx, import_id=claim.id))
    if not rows:
        lease.release(ctx, claim)
        return True
    if state == ImportState.STAGING:
        texts = {row.product_id: row.search_text for row in rows if row.is_new}
        search_index.withdraw(connection, PRODUCTS.name, texts)
    connection.execute(DELETE_BATCH, tenant.params(ctx, import_id=claim.id, after="", last=rows[-1].place))
    return False


def _row(ctx: Context, claim: Claim, change: ProductChange) -> dict[str, object]:
    """Return the row that stages a change."""
    product_id = new_id(ctx.now) if change.existing is None else change.existing.id
    position = LETTERS[change.existing is not None] + product_id[1:]
    row_id = new_id(ctx.now)
    identity = {"id": row_id, "company_id": ctx.company_id, "import_id": claim.id}
    return {**identity, **content(ctx, change, row_id, product_id, position)}


def content(
    ctx: Context,
    change: ProductChange,
    row_id: str,
    product_id: str,
    position: str,
    *,
    updated_at: datetime | None = None,
) -> dict[str, object]:
    """Return the product of a staged row, its position among the others, and what records the change.

    `updated_at` is the time of the product after the change, None if it is that of the transaction that applies it.
    """
    fields, existing = change.fields, change.existing
    action = "product.created" if existing is None else "product.updated"
    return {
        **fields,
        "search_text": searchable(fields["name"], fields["sku"], fields["category"]),
        "place": position,
        "product_id": product_id,
        "is_new": existing is None,
        "seen_stock": None if existing is None else existing.stock,
        "seen_updated_at": None if existing is None else existing.updated_at,
        "given": {name: _to_json(value) for name, value in change.given.items()},
        "details": audit.limit_details(action, "product", product_id, change.details),
        **change_events.prepare(change, product_id, row_id, ctx.now, updated_at),
    }


def _to_json(value: object) -> object:
    """Return the value of a field that a row sets. Amounts are text."""
    match value:
        case Decimal():
            return str(value)
        case tuple():
            return to_json(value)
    return value
