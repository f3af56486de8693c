"""The changes of an import: staged in batches, applied together, then removed.

A staged change is invisible outside the import. Applying a batch takes a few statements, under the locks of its
products, which are taken in the order of their ids as orders take them (`app/services/inventory.py`). Not in this
module: the order of the steps and their transactions (`importer`), and who may run them (`lease`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.product_import import comparison, lease
from app.product_import.comparison import COLUMNS, ExistingProductRow, ProductChange
from app.product_import.lease import TABLE as IMPORTS
from app.product_import.lease import Claim
from app.product_import.product_csv import FIELDS, ProductFields
from app.queries import search_index, tenant
from app.queries.rows import Row, Statement
from app.services import audit
from app.services.inventory import REQUEST_TIME, UPDATED_AT
from app.services.products import TABLE as PRODUCTS
from models import ImportState, ProductImportRow, new_id, searchable
from models.base import table

ROWS = table(ProductImportRow)
BATCH = 1_000  # rows; its statements take about 10 ms on SQLite, 50 ms on PostgreSQL
NEW, EXISTING = "a", "c"  # the first letter of a position: new products come first, since no order waits for them

IS_OF_IMPORT = tenant.where(ROWS) & (ROWS.c.import_id == bindparam("import_id"))
IS_AFTER = IS_OF_IMPORT & (ROWS.c.place > bindparam("after"))
IS_IN_BATCH = IS_AFTER & (ROWS.c.place <= bindparam("last"))
IS_SAME_PRODUCT = tenant.where(PRODUCTS) & (PRODUCTS.c.id == ROWS.c.product_id)
HAS_SAME_SKU = tenant.where(PRODUCTS) & (PRODUCTS.c.sku == ROWS.c.sku)
IS_STALE = (PRODUCTS.c.stock != ROWS.c.seen_stock) | (PRODUCTS.c.updated_at != ROWS.c.seen_updated_at)
# A subquery for each row: PostgreSQL has no statistics on the products that this transaction has created, and would
# read all of them.
IS_SKU_TAKEN = sa.select(PRODUCTS.c.id).where(HAS_SAME_SKU).scalar_subquery().is_not(None)


class StagedProductRow(ExistingProductRow):
    """A product, and the staged row with the same id or sku."""

    row_id: str
    product_id: str
    search_text: str
    is_new: bool
    given: ProductFields  # from JSON: its price is text
    is_stale: bool | None  # whether the product has changed since it was compared; null if there was none


class DiscardedRow(Row):
    """A staged row to remove."""

    place: str
    product_id: str
    search_text: str
    is_new: bool


STAGED_COLUMNS = [ROWS.c.id.label("row_id"), ROWS.c.product_id, ROWS.c.search_text, ROWS.c.is_new, ROWS.c.given]
SELECT_STAGED = sa.select(*COLUMNS, *STAGED_COLUMNS, IS_STALE.label("is_stale")).select_from(ROWS)
SELECT_NEXT_POSITIONS = sa.select(ROWS.c.place).where(IS_AFTER).order_by(ROWS.c.place).limit(BATCH)
SELECT_PRODUCTS_FOR_UPDATE = Statement(
    StagedProductRow,
    SELECT_STAGED.join(PRODUCTS, IS_SAME_PRODUCT)
    .where(IS_IN_BATCH)
    .order_by(PRODUCTS.c.id)
    .with_for_update(of=PRODUCTS, key_share=True),
)
SELECT_IDS_WITH_TAKEN_SKU = sa.select(ROWS.c.id).where(IS_IN_BATCH, IS_SKU_TAKEN)
SELECT_PRODUCTS_WITH_SAME_SKU = Statement(
    StagedProductRow,
    SELECT_STAGED.join(PRODUCTS, HAS_SAME_SKU).where(
        tenant.where(ROWS), ROWS.c.id.in_(bindparam("ids", expanding=True))
    ),
)
SELECT_SOME = Statement(
    DiscardedRow,
    sa.select(ROWS.c.place, ROWS.c.product_id, ROWS.c.search_text, ROWS.c.is_new)
    .where(IS_OF_IMPORT)
    .order_by(ROWS.c.place)
    .limit(BATCH),
)
UPDATED_COLUMNS = [*(field for field in FIELDS.values() if field != "sku"), "search_text"]
INSERT_PRODUCTS = (
    PRODUCTS.insert()
    .from_select(
        ["id", "company_id", "sku", *UPDATED_COLUMNS, "created_at", "updated_at"],
        sa.select(
            ROWS.c.product_id,
            ROWS.c.company_id,
            ROWS.c.sku,
            *(ROWS.c[name] for name in UPDATED_COLUMNS),
            REQUEST_TIME,
            REQUEST_TIME,
        )
        .where(IS_IN_BATCH)
        .order_by(ROWS.c.place),
    )
    .execution_options(preserve_rowcount=True)
)
UPDATE_PRODUCTS = (
    sa.update(PRODUCTS)
    .where(IS_SAME_PRODUCT, IS_IN_BATCH)
    .values({name: ROWS.c[name] for name in UPDATED_COLUMNS} | {"updated_at": UPDATED_AT})
)
AUDIT_COLUMNS = {
    "id": ROWS.c.id,
    "company_id": ROWS.c.company_id,
    "action": sa.case((ROWS.c.is_new, "product.created"), else_="product.updated"),
    "actor_type": IMPORTS.c.actor_type,
    "actor_id": IMPORTS.c.actor_id,
    "entity_type": sa.literal("product"),
    "entity_id": ROWS.c.product_id,
    "details": ROWS.c.details,
    "request_id": IMPORTS.c.request_id,
    "created_at": REQUEST_TIME,
}
INSERT_AUDIT_ENTRIES = audit.TABLE.insert().from_select(
    list(AUDIT_COLUMNS),
    sa.select(*AUDIT_COLUMNS.values()).join(IMPORTS, IMPORTS.c.id == ROWS.c.import_id).where(IS_IN_BATCH),
)
DELETE_BATCH = sa.delete(ROWS).where(IS_IN_BATCH)
DELETE_ONE = sa.delete(ROWS).where(tenant.where(ROWS), ROWS.c.id == bindparam("row_id"))


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


def blocks_orders(ctx: Context, last: str) -> bool:
    """Return whether orders may wait for a transaction that applies the batch up to position `last`."""
    return last[0] == EXISTING or ctx.session.connection().dialect.name == "sqlite"


def next_batch(ctx: Context, claim: Claim, after: str) -> str:
    """Return the last position of the batch after `after`, or an empty string if there is none.

    A batch has new products only, or existing ones only.
    """
    parameters = tenant.params(ctx, import_id=claim.id, after=after)
    positions = ctx.session.connection().scalars(SELECT_NEXT_POSITIONS, parameters).all()
    return max((position for position in positions if position[0] == positions[0][0]), default="")


def apply(ctx: Context, claim: Claim, after: str, last: str) -> Counter[str]:
    """Apply a batch of changes, with an audit entry for each. Return the number of products by result.

    A product that has changed since it was compared is compared again, under its lock.
    """
    batch = tenant.params(ctx, import_id=claim.id, after=after, last=last, now=ctx.now)
    connection = ctx.session.connection()
    if last[0] == NEW:
        ids = connection.scalars(SELECT_IDS_WITH_TAKEN_SKU, batch).all()
        parameters = tenant.params(ctx, ids=ids)
        taken = SELECT_PRODUCTS_WITH_SAME_SKU.all(connection, parameters) if ids else []
        counts = Counter(_compare_again(ctx, taken))
        counts["created"] = connection.execute(INSERT_PRODUCTS, batch).rowcount
    else:
        locked = SELECT_PRODUCTS_FOR_UPDATE.all(connection, batch)
        counts = Counter(_compare_again(ctx, (row for row in locked if row.is_stale)))
        counts["updated"] = connection.execute(UPDATE_PRODUCTS, batch).rowcount
    connection.execute(INSERT_AUDIT_ENTRIES, batch)
    return counts


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
    entry_id = new_id(ctx.now)
    product_id = new_id(ctx.now) if change.existing is None else change.existing.id
    identity = {"id": entry_id, "company_id": ctx.company_id, "import_id": claim.id, "product_id": product_id}
    return {**identity, **_content(change, product_id)}


def _content(change: ProductChange, product_id: str) -> dict[str, object]:
    """Return the product of a staged row, and its position among the others."""
    fields, existing = change.fields, change.existing
    action = "product.created" if existing is None else "product.updated"
    return {
        **fields,
        "search_text": searchable(fields["name"], fields["sku"], fields["category"]),
        "place": (NEW if existing is None else EXISTING) + product_id[1:],
        "is_new": existing is None,
        "seen_stock": None if existing is None else existing.stock,
        "seen_updated_at": None if existing is None else existing.updated_at,
        "given": {name: str(value) if isinstance(value, Decimal) else value for name, value in change.given.items()},
        "details": audit.limit_details(action, "product", product_id, change.details),
    }


def _compare_again(ctx: Context, rows: Iterable[StagedProductRow]) -> Iterator[str]:
    """Compare products that have changed since they were compared, and correct their staged rows.

    Yields "unchanged" for each row that no longer changes anything.
    """
    connection = ctx.session.connection()
    for row in rows:
        change = comparison.compare({**row.given, "price": Decimal(row.given["price"])}, row)
        parameters = tenant.params(ctx, row_id=row.row_id)
        if change is None:
            connection.execute(DELETE_ONE, parameters)
            yield "unchanged"
        else:
            connection.execute(tenant.update(ROWS).values(product_id=row.id, **_content(change, row.id)), parameters)
        if row.is_new:  # its sku has been taken: as an update of that product, the row is now in a later batch
            search_index.withdraw(connection, PRODUCTS.name, {row.product_id: row.search_text})
