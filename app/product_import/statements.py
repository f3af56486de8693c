"""The statements that write the products of a batch of staged rows, and everything that records their change.

Each inserts or updates the rows of a whole batch from the staged rows, so that orders do not wait for long. The actor
and the request are those of the import, even if another process applies it.
"""

from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, FromClause, Insert, Table, bindparam

from app.product_import.lease import REQUEST_TIME
from app.product_import.lease import TABLE as IMPORTS
from app.product_import.product_csv import FIELDS
from app.product_import.staging import IS_IN_BATCH, ROWS
from app.queries import tenant
from app.schemas.events import TIME_JSON
from app.services import audit, events
from app.services.inventory import MOVEMENTS
from app.services.products import TABLE as PRODUCTS
from models import OPENING_SEQUENCE, EventType, MovementReason
from models.base import NextMillisecond

IS_SAME_PRODUCT = tenant.where(PRODUCTS) & (PRODUCTS.c.id == ROWS.c.product_id)
IS_LOW_STOCK = ROWS.c.low_stock_id.is_not(None)  # whether stock falls to the threshold
IS_STOCK_CHANGED = ROWS.c.stock != ROWS.c.seen_stock
ROWS_AND_IMPORT = ROWS.join(IMPORTS, IMPORTS.c.id == ROWS.c.import_id)
TIME_PARAMETER = bindparam("time_json", type_=sa.Text)
T = TypeVar("T")
Columns = dict[str, ColumnElement[object]]


def _insert(into: Table, source: FromClause, columns: Columns, *conditions: ColumnElement[bool]) -> Insert:
    """Return a statement that inserts a row for each row of the batch, in their order."""
    selected = sa.select(*columns.values()).select_from(source).where(IS_IN_BATCH, *conditions).order_by(ROWS.c.place)
    return into.insert().from_select(list(columns), selected)


def _of_product(column: Column[T]) -> ColumnElement[T]:
    """Return a column of the product of a staged row.

    A subquery instead of a join: PostgreSQL has no statistics on the products that this transaction has created, and
    would read all of them for each row.
    """
    return sa.select(column).where(IS_SAME_PRODUCT).correlate(ROWS).scalar_subquery()


# The `updated_at` of a product is its version: it grows with every change, like that of every row (`app/context.py`).
LAST_TIME = PRODUCTS.c.updated_at
UPDATED_AT = sa.case((LAST_TIME >= REQUEST_TIME, NextMillisecond(LAST_TIME)), else_=REQUEST_TIME)
UPDATED_TIME, COUNTED_AT = _of_product(PRODUCTS.c.updated_at), _of_product(PRODUCTS.c.counted_at)
# Of the movement before that of the import, which comes later, so that lists have them in the order of their sequence.
PREVIOUS_TIME = sa.case((ROWS.c.seen_updated_at < COUNTED_AT, COUNTED_AT), else_=ROWS.c.seen_updated_at)
UPDATED_COLUMNS = [*(field for field in FIELDS.values() if field != "sku"), "search_text"]
# The same id in several tables: of the audit entry, the movement and the event of a change.
IDENTITY: Columns = {"id": ROWS.c.id, "company_id": ROWS.c.company_id}
ORIGIN: Columns = {
    "actor_type": IMPORTS.c.actor_type,
    "actor_id": IMPORTS.c.actor_id,
    "request_id": IMPORTS.c.request_id,
    "created_at": REQUEST_TIME,
}
INSERT_PRODUCTS = _insert(
    PRODUCTS,
    ROWS,
    {
        "id": ROWS.c.product_id,
        "company_id": ROWS.c.company_id,
        "sku": ROWS.c.sku,
        **{name: ROWS.c[name] for name in UPDATED_COLUMNS},
        "event_sequence": sa.literal(1),
        "created_at": REQUEST_TIME,
        "updated_at": REQUEST_TIME,
    },
).execution_options(preserve_rowcount=True)
UPDATE_PRODUCTS = (
    sa.update(PRODUCTS)
    .where(IS_SAME_PRODUCT, IS_IN_BATCH)
    .values({name: ROWS.c[name] for name in UPDATED_COLUMNS})
    .values(
        movement_sequence=PRODUCTS.c.movement_sequence + sa.case((IS_STOCK_CHANGED, 1), else_=0),
        event_sequence=PRODUCTS.c.event_sequence + sa.case((IS_LOW_STOCK, 2), else_=1),
        updated_at=UPDATED_AT,
    )
)
INSERT_OPENING_MOVEMENTS = _insert(
    MOVEMENTS,
    ROWS_AND_IMPORT,
    {
        **IDENTITY,
        "product_id": ROWS.c.product_id,
        "sequence": sa.literal(OPENING_SEQUENCE),
        "reason": sa.literal(MovementReason.OPENING.value),
        "delta": ROWS.c.stock,
        "stock_before": sa.literal(0),
        "stock_after": ROWS.c.stock,
        **ORIGIN,
    },
)
INSERT_MOVEMENTS = _insert(
    MOVEMENTS,
    ROWS_AND_IMPORT,
    {
        **IDENTITY,
        "product_id": ROWS.c.product_id,
        "sequence": _of_product(PRODUCTS.c.movement_sequence),
        "reason": sa.literal(MovementReason.IMPORT.value),
        "delta": ROWS.c.stock - ROWS.c.seen_stock,
        "stock_before": ROWS.c.seen_stock,
        "stock_after": ROWS.c.stock,
        **ORIGIN,
        "created_at": sa.case((PREVIOUS_TIME >= UPDATED_TIME, NextMillisecond(PREVIOUS_TIME)), else_=UPDATED_TIME),
    },
    IS_STOCK_CHANGED,
)
INSERT_AUDIT_ENTRIES = _insert(
    audit.TABLE,
    ROWS_AND_IMPORT,
    {
        **IDENTITY,
        "action": sa.case((ROWS.c.is_new, "product.created"), else_="product.updated"),
        "entity_type": sa.literal("product"),
        "entity_id": ROWS.c.product_id,
        "details": ROWS.c.details,
        **ORIGIN,
    },
)


def _payload(template: ColumnElement[str], sequence: ColumnElement[int]) -> ColumnElement[str]:
    """Return the JSON of an event: its template with the time of the change and the sequence."""
    return sa.func.replace(template, TIME_JSON, TIME_PARAMETER) + sa.cast(sequence, sa.Text) + "}"


def _event(
    event_id: ColumnElement[str],
    event_type: ColumnElement[str],
    template: ColumnElement[str],
    sequence: ColumnElement[int],
) -> Columns:
    return {
        "id": event_id,
        "company_id": ROWS.c.company_id,
        "type": event_type,
        "entity_id": ROWS.c.product_id,
        "sequence": sequence,
        "payload": _payload(template, sequence),
        "request_id": IMPORTS.c.request_id,
        "created_at": REQUEST_TIME,
    }


CHANGE_TYPE = sa.case((ROWS.c.is_new, EventType.PRODUCT_CREATED.value), else_=EventType.PRODUCT_UPDATED.value)
LAST_SEQUENCE = _of_product(PRODUCTS.c.event_sequence)
INSERT_EVENTS = _insert(
    events.TABLE,
    ROWS_AND_IMPORT,
    _event(ROWS.c.id, CHANGE_TYPE, ROWS.c.event, LAST_SEQUENCE - sa.case((IS_LOW_STOCK, 1), else_=0)),
)
INSERT_LOW_STOCK_EVENTS = _insert(
    events.TABLE,
    ROWS_AND_IMPORT,
    _event(ROWS.c.low_stock_id, sa.literal(EventType.PRODUCT_LOW_STOCK.value), ROWS.c.low_stock_event, LAST_SEQUENCE),
    IS_LOW_STOCK,
)
