"""The RETURN movements in the ledger equal the restocked quantities of every return (contract, section 9.7)."""

import sqlalchemy as sa

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import InventoryMovement, MovementReason, OrderItem, Return, ReturnItem
from models.base import table

RETURNS, RETURN_ITEMS, ORDER_ITEMS = table(Return), table(ReturnItem), table(OrderItem)
MOVEMENTS = table(InventoryMovement)


class RestockedProductRow(Row):
    """A product of a return, its restocked quantity, and the sum of the RETURN movements that name the return."""

    order_id: str
    return_id: str
    product_id: str
    restocked: int
    moved: int


ZERO = sa.literal_column("0", sa.Integer)
PRODUCT = sa.select(ORDER_ITEMS.c.product_id).where(ORDER_ITEMS.c.id == RETURN_ITEMS.c.order_item_id).scalar_subquery()
# The rows of the restocked items, and those of the movements. A movement names the return and its order.
ENTRIES = sa.union_all(
    tenant.select(
        RETURNS.c.order_id,
        RETURNS.c.id.label("return_id"),
        PRODUCT.label("product_id"),
        RETURN_ITEMS.c.restocked_quantity.label("restocked"),
        ZERO.label("moved"),
    )
    .join(RETURN_ITEMS, RETURN_ITEMS.c.return_id == RETURNS.c.id)
    .where(within(RETURNS.c.order_id), RETURN_ITEMS.c.restocked_quantity.is_not(None)),
    tenant.select(MOVEMENTS.c.order_id, MOVEMENTS.c.return_id, MOVEMENTS.c.product_id, ZERO, MOVEMENTS.c.delta).where(
        within(MOVEMENTS.c.order_id), MOVEMENTS.c.reason == MovementReason.RETURN, MOVEMENTS.c.return_id.is_not(None)
    ),
).subquery()
RESTOCKED, MOVED = sa.func.sum(ENTRIES.c.restocked), sa.func.sum(ENTRIES.c.moved)
GROUP = (ENTRIES.c.order_id, ENTRIES.c.return_id, ENTRIES.c.product_id)
SELECT_DIFFERENT = Statement(
    RestockedProductRow,
    sa.select(*GROUP, RESTOCKED.label("restocked"), MOVED.label("moved"))
    .group_by(*GROUP)
    .having(RESTOCKED != MOVED)
    .order_by(*GROUP),
)


def _problem(row: RestockedProductRow) -> Problem:
    text = f"product {row.product_id}: {row.restocked} were restocked, its RETURN movements add up to {row.moved}"
    return Problem("return", row.return_id, f"of order {row.order_id}", f"{text}. {CORRECT}")


CHECK = Check(
    "returnMovements",
    subject="returns",
    rule="restocked quantities equal the ledger",
    ranges=ranges.ORDERS,
    counted=[RETURNS.c.order_id],
    bad=SELECT_DIFFERENT,
    problem=_problem,
)
