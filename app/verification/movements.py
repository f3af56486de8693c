"""The movements of every product form a chain: an opening row, then one after the other (contract, section 9.3)."""

import sqlalchemy as sa

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem, previous
from app.verification.ranges import within
from models import OPENING_SEQUENCE, InventoryMovement, MovementReason, Product
from models.base import table

PRODUCTS = table(Product)
MOVEMENTS = table(InventoryMovement)


class ChainRow(Row):
    """A movement, and the one before it of the same product, null for the first one."""

    id: str
    product_id: str
    sequence: int
    reason: str
    delta: int
    stock_before: int
    stock_after: int
    previous_sequence: int | None
    previous_stock: int | None


class RemainingRow(Row):
    """A product that does not exist, and the number of its movements after the opening row."""

    product_id: str
    number: int


ORDER = (MOVEMENTS.c.product_id, MOVEMENTS.c.sequence, MOVEMENTS.c.id)
LINKS = (
    tenant.select(
        MOVEMENTS.c.id,
        MOVEMENTS.c.product_id,
        MOVEMENTS.c.sequence,
        MOVEMENTS.c.reason,
        MOVEMENTS.c.delta,
        MOVEMENTS.c.stock_before,
        MOVEMENTS.c.stock_after,
        previous(MOVEMENTS.c.sequence, *ORDER).label("previous_sequence"),
        previous(MOVEMENTS.c.stock_after, *ORDER).label("previous_stock"),
    )
    .where(within(MOVEMENTS.c.product_id))
    .subquery()
)
IS_FIRST, IS_OPENING = LINKS.c.sequence == OPENING_SEQUENCE, LINKS.c.reason == MovementReason.OPENING
SELECT_BROKEN = Statement(
    ChainRow,
    sa.select(LINKS)
    .where(
        sa.or_(
            LINKS.c.sequence != sa.func.coalesce(LINKS.c.previous_sequence + 1, OPENING_SEQUENCE),
            LINKS.c.stock_before != sa.func.coalesce(LINKS.c.previous_stock, 0),
            LINKS.c.stock_after != LINKS.c.stock_before + LINKS.c.delta,
            IS_FIRST != IS_OPENING,
        )
    )
    .order_by(LINKS.c.product_id, LINKS.c.sequence, LINKS.c.id),
)
# A deleted product had no other movement than its opening row, which stays. Counting reads only an index.
ROWS = (
    tenant.select(
        MOVEMENTS.c.product_id,
        sa.literal_column("1", sa.Integer).label("movements"),
        sa.literal_column("0", sa.Integer).label("products"),
    )
    .where(within(MOVEMENTS.c.product_id))
    .union_all(
        tenant.select(PRODUCTS.c.id, sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)).where(
            within(PRODUCTS.c.id)
        )
    )
    .subquery()
)
NUMBER_AFTER_OPENING = sa.func.sum(ROWS.c.movements) - 1
SELECT_REMAINING = Statement(
    RemainingRow,
    sa.select(ROWS.c.product_id, NUMBER_AFTER_OPENING.label("number"))
    .group_by(ROWS.c.product_id)
    .having(sa.func.sum(ROWS.c.products) == 0, NUMBER_AFTER_OPENING > 0)
    .order_by(ROWS.c.product_id),
)


def _broken(row: ChainRow) -> Problem:
    label = f"{row.sequence} of product {row.product_id}"
    return Problem("movement", row.id, label, f"{_broken_rule(row)}. {CORRECT}")


def _broken_rule(row: ChainRow) -> str:
    if row.previous_sequence is None and row.sequence != OPENING_SEQUENCE:
        return "the product has no opening row"
    if row.previous_sequence is not None and row.sequence != row.previous_sequence + 1:
        return f"it follows movement {row.previous_sequence}"
    if row.stock_before != (row.previous_stock or 0):
        return f"it begins with stock {row.stock_before}, but the stock before it is {row.previous_stock or 0}"
    if row.stock_after != row.stock_before + row.delta:
        return f"stock {row.stock_before} and a change of {row.delta} is not {row.stock_after}"
    return f"its reason is {row.reason}, but the first movement, and no other, is an OPENING row"


def _remaining(row: RemainingRow) -> Problem:
    text = f"it does not exist, but it has movements after its opening row: {row.number}. {CORRECT}"
    return Problem("product", row.product_id, None, text)


CHAIN = Check(
    "movements",
    subject="movements",
    rule="those of a product follow each other from its opening row to its stock",
    ranges=ranges.PRODUCTS,
    counted=[MOVEMENTS.c.product_id],
    bad=SELECT_BROKEN,
    problem=_broken,
)
DELETED_PRODUCTS = Check(
    "deletedProducts",
    subject="movements",
    rule="the product exists, or was deleted and has only its opening row",
    ranges=ranges.PRODUCTS,
    counted=[MOVEMENTS.c.product_id],
    bad=SELECT_REMAINING,
    problem=_remaining,
)
