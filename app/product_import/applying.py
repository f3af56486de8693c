"""Apply the staged changes of an import in batches, each with a few statements (`statements`).

The products of a batch are locked in the order of their ids, as orders lock them. Between the comparison and this lock,
the API may have changed, created, renamed or deleted them: then the row is compared again. If it creates a product
instead of updating one, or updates another one, a later batch applies it.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import cast

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from app.context import Context, next_time
from app.product_import import comparison, staging, statements
from app.product_import.comparison import ExistingProductRow, ProductChange
from app.product_import.lease import REQUEST_TIME, Claim
from app.product_import.product_csv import ProductFields
from app.product_import.staging import BATCH, IS_AFTER, IS_IN_BATCH, ROWS
from app.product_import.statements import IS_SAME_PRODUCT
from app.queries import search_index, tenant
from app.queries.rows import Parameters, Row, Statement
from app.schemas.base import timestamp
from app.services import deliveries, quantity_rules
from app.services.deliveries import StoredEvent
from app.services.products import TABLE as PRODUCTS
from models import EventType, new_id
from models.price_breaks import from_json

HAS_SAME_SKU = tenant.where(PRODUCTS) & (PRODUCTS.c.sku == ROWS.c.sku)
HAS_NO_EVENT = ROWS.c.event.is_(None)  # staged by the previous version
IS_STALE = (
    (PRODUCTS.c.stock != ROWS.c.seen_stock)
    | (PRODUCTS.c.updated_at != ROWS.c.seen_updated_at)
    | (PRODUCTS.c.updated_at >= REQUEST_TIME)  # the time of the change is later, and the events need it
    | HAS_NO_EVENT
)
# A subquery for each row: PostgreSQL has no statistics on the products that this transaction has created, and would
# read all of them.
IS_SKU_TAKEN = sa.select(PRODUCTS.c.id).where(HAS_SAME_SKU).scalar_subquery().is_not(None)
HAS_SAME_EXTERNAL_ID = tenant.where(PRODUCTS) & (PRODUCTS.c.external_id == ROWS.c.external_id)
IS_EXTERNAL_ID_TAKEN = (
    sa.select(PRODUCTS.c.id).where(HAS_SAME_EXTERNAL_ID, PRODUCTS.c.id != ROWS.c.product_id).scalar_subquery()
).is_not(None)
LOG = logging.getLogger(__name__)


class LockedRow(Row):
    """A staged row whose product exists and is locked."""

    row_id: str
    is_stale: bool  # whether the product has changed since it was compared


class StagedRow(Row):
    """A staged row that is compared again."""

    row_id: str
    place: str
    product_id: str
    is_new: bool
    sku: str
    given: ProductFields  # from JSON: its price is text
    search_text: str


class StagedEventsRow(Row):
    """The ids of the events of a staged row. The first is the id of the row."""

    id: str
    is_new: bool
    low_stock_id: str | None


SELECT_NEXT_POSITIONS = sa.select(ROWS.c.place).where(IS_AFTER).order_by(ROWS.c.place).limit(BATCH)
SELECT_IDS = sa.select(ROWS.c.id).where(IS_IN_BATCH)
SELECT_IDS_WITH_TAKEN_EXTERNAL_ID = SELECT_IDS.where(ROWS.c.external_id.is_not(None), IS_EXTERNAL_ID_TAKEN)
SELECT_IDS_TO_COMPARE = SELECT_IDS.where(IS_SKU_TAKEN | HAS_NO_EVENT)
SELECT_PRODUCTS_FOR_UPDATE = Statement(
    LockedRow,
    sa.select(ROWS.c.id.label("row_id"), IS_STALE.label("is_stale"))
    .select_from(ROWS)
    .join(PRODUCTS, IS_SAME_PRODUCT & HAS_SAME_SKU)
    .where(IS_IN_BATCH)
    .order_by(PRODUCTS.c.id)
    .with_for_update(of=PRODUCTS, key_share=True),
)
STAGED_COLUMNS = [ROWS.c[name] for name in ("place", "product_id", "is_new", "sku", "given", "search_text")]
SELECT_STAGED = Statement(
    StagedRow,
    sa.select(ROWS.c.id.label("row_id"), *STAGED_COLUMNS).where(
        tenant.where(ROWS), ROWS.c.id.in_(bindparam("ids", expanding=True))
    ),
)
SELECT_EVENTS = Statement(
    StagedEventsRow,
    sa.select(ROWS.c.id, ROWS.c.is_new, ROWS.c.low_stock_id).where(IS_IN_BATCH).order_by(ROWS.c.place),
)
DELETE_ONE = sa.delete(ROWS).where(tenant.where(ROWS), ROWS.c.id == bindparam("row_id"))
RECORD_CHANGES = (statements.INSERT_AUDIT_ENTRIES, statements.INSERT_EVENTS, statements.INSERT_LOW_STOCK_EVENTS)


def next_batch(ctx: Context, claim: Claim, after: str) -> str:
    """Return the last position of the batch after `after`, or an empty string if there is none.

    A batch has new products only, or existing ones only.
    """
    parameters = tenant.params(ctx, import_id=claim.id, after=after)
    positions = ctx.session.connection().scalars(SELECT_NEXT_POSITIONS, parameters).all()
    return max((position for position in positions if position[0] == positions[0][0]), default="")


def apply(ctx: Context, claim: Claim, after: str, last: str) -> Counter[str]:
    """Apply a batch of changes, with movements, audit entries and events. Return the number of products by result.

    A product that has changed since it was compared is compared again, under its lock.
    """
    time_json = f'"{timestamp(ctx.now)}"'
    batch = tenant.params(ctx, import_id=claim.id, after=after, last=last, now=ctx.now, time_json=time_json)
    connection = ctx.session.connection()
    locked = {}
    if staging.is_new(last):
        changed = set(connection.scalars(SELECT_IDS_TO_COMPARE, batch))
    else:
        locked = {row.row_id: row.is_stale for row in SELECT_PRODUCTS_FOR_UPDATE.all(connection, batch)}
        changed = {row_id for row_id in connection.scalars(SELECT_IDS, batch) if locked.get(row_id, True)}
    taken = set(connection.scalars(SELECT_IDS_WITH_TAKEN_EXTERNAL_ID, batch))
    counts = Counter(_compare_again(ctx, changed | taken, locked, taken))
    counts += _write_products(connection, batch, is_new=staging.is_new(last))
    for statement in RECORD_CHANGES:
        connection.execute(statement, batch)
    deliveries.fan_out_all(ctx, _events(SELECT_EVENTS.all(connection, batch)))
    return counts


def _write_products(connection: Connection, batch: Parameters, *, is_new: bool) -> Counter[str]:
    """Insert or update the products of a batch, with their movements. Return the number of products by result."""
    if is_new:
        connection.execute(statements.INSERT_OPENING_MOVEMENTS, batch)
        return Counter(created=connection.execute(statements.INSERT_PRODUCTS, batch).rowcount)
    updated = connection.execute(statements.UPDATE_PRODUCTS, batch).rowcount
    connection.execute(statements.INSERT_MOVEMENTS, batch)
    return Counter(updated=updated)


def _events(rows: Iterable[StagedEventsRow]) -> Iterator[StoredEvent]:
    """Yield the events that were inserted for rows."""
    for row in rows:
        yield StoredEvent(row.id, EventType.PRODUCT_CREATED if row.is_new else EventType.PRODUCT_UPDATED)
        if row.low_stock_id is not None:
            yield StoredEvent(row.low_stock_id, EventType.PRODUCT_LOW_STOCK)


def _compare_again(
    ctx: Context, row_ids: Collection[str], locked: Collection[str], taken: Collection[str]
) -> Iterator[str]:
    """Compare staged rows with the products that have their skus now, and correct the rows.

    The rows in `taken` do not set their external id: it was given to another product since they were checked.
    Yields "unchanged" for each row that no longer changes anything.
    """
    if not row_ids:
        return
    connection = ctx.session.connection()
    staged = SELECT_STAGED.all(connection, tenant.params(ctx, ids=list(row_ids)))
    products = comparison.select_existing(ctx, [row.sku for row in staged])
    for row in staged:
        given = _given(row, is_external_id_taken=row.row_id in taken)
        change = _compare(row, given, products.get(row.sku))
        parameters = tenant.params(ctx, row_id=row.row_id)
        if change is None:
            connection.execute(DELETE_ONE, parameters)
            yield "unchanged"
        else:
            connection.execute(tenant.update(ROWS).values(_corrected(ctx, row, change, locked)), parameters)
        if row.is_new and row.sku in products:
            search_index.withdraw(connection, PRODUCTS.name, {row.product_id: row.search_text})


def _compare(row: StagedRow, given: ProductFields, existing: ExistingProductRow | None) -> ProductChange | None:
    """Return the change of a row. Its quantity rules are left out if they contradict those that are stored now."""
    change = comparison.compare(given, existing)
    contradiction = None if change is None else next(quantity_rules.contradictions(change.fields), None)
    if contradiction is None:
        return change
    message = "the quantity rules of the product %s were not imported, because they have changed since: %s"
    LOG.warning(message, row.sku, contradiction.message)
    others = {name: value for name, value in given.items() if name not in quantity_rules.JSON_NAMES}
    return comparison.compare(cast("ProductFields", others), existing)


def _given(row: StagedRow, *, is_external_id_taken: bool) -> ProductFields:
    """Return the fields that a row sets."""
    given: ProductFields = {**row.given, "price": Decimal(row.given["price"])}
    if "price_breaks" in row.given:
        given["price_breaks"] = from_json(row.given["price_breaks"] or ())  # type: ignore[arg-type]  # JSON
    if is_external_id_taken and given.get("external_id") is not None:
        message = "the external id '%s' of the product %s was not imported: another product has it now"
        LOG.warning(message, given.pop("external_id"), row.sku)
    return given


def _corrected(ctx: Context, row: StagedRow, change: ProductChange, locked: Collection[str]) -> dict[str, object]:
    """Return the content of a row. It stays in its batch if the batch locks its product, or creates it."""
    product = change.existing
    if product is None:
        product_id, stays = (row.product_id, True) if row.is_new else (new_id(ctx.now), False)
    else:
        product_id, stays = product.id, product.id == row.product_id and row.row_id in locked
    position = row.place if stays else staging.position_after(row.place, row.row_id, is_new=product is None)
    updated_at = None if product is None or not stays else max(ctx.now, next_time(product.updated_at))
    return staging.content(ctx, change, row.row_id, product_id, position, updated_at=updated_at)
