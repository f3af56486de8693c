"""The stock of every product equals the ledger (contract, section 9.3)."""

import sqlalchemy as sa

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import InventoryMovement, Product
from models.base import table

PRODUCTS = table(Product)
MOVEMENTS = table(InventoryMovement)


class StockRow(Row):
    """A product and what its movements add up to, null if there are none."""

    id: str
    sku: str | None
    stock: int
    movement_sequence: int
    total: int | None
    last_sequence: int | None


ROWS = (
    tenant.select(
        PRODUCTS.c.id,
        PRODUCTS.c.sku,
        PRODUCTS.c.stock,
        PRODUCTS.c.movement_sequence,
        sa.null().label("delta"),
        sa.null().label("sequence"),
    )
    .where(within(PRODUCTS.c.id))
    .union_all(
        tenant.select(
            MOVEMENTS.c.product_id, sa.null(), sa.null(), sa.null(), MOVEMENTS.c.delta, MOVEMENTS.c.sequence
        ).where(within(MOVEMENTS.c.product_id))
    )
    .subquery()
)
STOCK, MOVEMENT_SEQUENCE = sa.func.max(ROWS.c.stock), sa.func.max(ROWS.c.movement_sequence)
TOTAL, LAST_SEQUENCE = sa.func.sum(ROWS.c.delta), sa.func.max(ROWS.c.sequence)
SELECT_BAD = Statement(
    StockRow,
    sa.select(
        ROWS.c.id,
        sa.func.max(ROWS.c.sku).label("sku"),
        STOCK.label("stock"),
        MOVEMENT_SEQUENCE.label("movement_sequence"),
        TOTAL.label("total"),
        LAST_SEQUENCE.label("last_sequence"),
    )
    .group_by(ROWS.c.id)
    .having(STOCK.is_not(None), sa.or_(TOTAL.is_(None), TOTAL != STOCK, LAST_SEQUENCE != MOVEMENT_SEQUENCE))
    .order_by(ROWS.c.id),
)


def _problem(row: StockRow) -> Problem:
    if row.total is None:
        text = "it has no movements. Run distribu db upgrade, which writes the opening rows of older products."
    elif row.total != row.stock:
        text = f"stock is {row.stock}, its movements add up to {row.total}. {CORRECT}"
    else:
        text = f"movement_sequence is {row.movement_sequence}, its last movement is {row.last_sequence}. {CORRECT}"
    return Problem("product", row.id, row.sku, text)


CHECK = Check(
    "stock",
    subject="products",
    rule="stock equals the ledger",
    ranges=ranges.PRODUCTS,
    counted=[PRODUCTS.c.id],
    bad=SELECT_BAD,
    problem=_problem,
)
