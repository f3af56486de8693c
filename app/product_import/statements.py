"""The statements that write the products of a batch of staged rows, and everything that records their change.

Each inserts or updates the rows of a whole batch from the staged rows, so that orders do not wait for long. The actor
and the request are those of the import, even if another process applies it.
"""

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause, Insert, Table

from app.product_import.lease import TABLE as IMPORTS
from app.product_import.product_csv import FIELDS
from app.product_import.staging import IS_IN_BATCH, ROWS
from app.queries import tenant
from app.services import audit
from app.services.inventory import REQUEST_TIME, UPDATED_AT
from app.services.products import TABLE as PRODUCTS
from models import OPENING_SEQUENCE, InventoryMovement, MovementReason
from models.base import table

MOVEMENTS = table(InventoryMovement)
IS_SAME_PRODUCT = tenant.where(PRODUCTS) & (PRODUCTS.c.id == ROWS.c.product_id)
IS_STOCK_CHANGED = ROWS.c.stock != ROWS.c.seen_stock
ROWS_AND_IMPORT = ROWS.join(IMPORTS, IMPORTS.c.id == ROWS.c.import_id)
WITH_PRODUCTS = ROWS_AND_IMPORT.join(PRODUCTS, IS_SAME_PRODUCT)
Columns = dict[str, ColumnElement[object]]


def _insert(into: Table, source: FromClause, columns: Columns, *conditions: ColumnElement[bool]) -> Insert:
    """Return a statement that inserts a row for each row of the batch, in their order."""
    selected = sa.select(*columns.values()).select_from(source).where(IS_IN_BATCH, *conditions).order_by(ROWS.c.place)
    return into.insert().from_select(list(columns), selected)


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
        "created_at": REQUEST_TIME,
        "updated_at": REQUEST_TIME,
    },
).execution_options(preserve_rowcount=True)
UPDATE_PRODUCTS = (
    sa.update(PRODUCTS)
    .where(IS_SAME_PRODUCT, IS_IN_BATCH)
    .values({name: ROWS.c[name] for name in UPDATED_COLUMNS})
    .values(
        movement_sequence=PRODUCTS.c.movement_sequence + sa.case((IS_STOCK_CHANGED, 1), else_=0), updated_at=UPDATED_AT
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
    WITH_PRODUCTS,
    {
        **IDENTITY,
        "product_id": ROWS.c.product_id,
        "sequence": PRODUCTS.c.movement_sequence,
        "reason": sa.literal(MovementReason.IMPORT.value),
        "delta": ROWS.c.stock - ROWS.c.seen_stock,
        "stock_before": ROWS.c.seen_stock,
        "stock_after": ROWS.c.stock,
        **ORIGIN,
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
