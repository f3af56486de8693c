"""Orders and the ledger agree: sales, cancellations and the orders that they name (contract, section 9.3)."""

from typing import TypeVar

import sqlalchemy as sa

from app.queries import rows, tenant
from app.queries.rows import Row, Statement
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem
from app.verification.ranges import within
from models import InventoryMovement, MovementReason, Order, OrderItem, OrderStatus
from models.base import table

ORDERS = table(Order)
ITEMS = table(OrderItem)
MOVEMENTS = table(InventoryMovement)
T = TypeVar("T")
ORDER_REASONS = (MovementReason.SALE, MovementReason.CANCELLATION)
IS_RETURN = MOVEMENTS.c.reason == MovementReason.RETURN


class OrderedProductRow(Row):
    """A product of an order: the quantity of its items, and the movements that name the order."""

    id: str
    status: str
    has_movements: bool
    product_id: str
    ordered: int
    sales: int
    sold: int
    cancellations: int
    restocked: int


class UnknownOrderRow(Row):
    """An order that does not exist, and the first movement that names it."""

    id: str
    movement_id: str


class ReasonRow(Row):
    """A movement whose reason requires an order or a return that it does not name, or the reverse."""

    id: str
    reason: str
    order_id: str | None
    return_id: str | None


ZERO, ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)
SUMS = ("ordered", "sales", "sold", "cancellations", "restocked")


def _of_reason(reason: MovementReason, value: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.case((MOVEMENTS.c.reason == reason, value), else_=0)


# The row of the order itself, those of its items, and those of its movements.
ENTRIES = sa.union_all(
    tenant.select(
        ORDERS.c.id,
        sa.cast(sa.null(), ITEMS.c.product_id.type).label("product_id"),
        ORDERS.c.status,
        sa.case((ORDERS.c.has_movements, 1), else_=0).label("has_movements"),
        *(ZERO.label(name) for name in SUMS),
    ).where(within(ORDERS.c.id)),
    tenant.select(ORDERS.c.id, ITEMS.c.product_id, sa.null(), sa.null(), ITEMS.c.quantity, ZERO, ZERO, ZERO, ZERO)
    .join(ITEMS, ITEMS.c.order_id == ORDERS.c.id)
    .where(within(ORDERS.c.id)),
    tenant.select(
        MOVEMENTS.c.order_id,
        MOVEMENTS.c.product_id,
        sa.null(),
        sa.null(),
        ZERO,
        _of_reason(MovementReason.SALE, ONE),
        _of_reason(MovementReason.SALE, -MOVEMENTS.c.delta),
        _of_reason(MovementReason.CANCELLATION, ONE),
        _of_reason(MovementReason.CANCELLATION, MOVEMENTS.c.delta),
    ).where(within(MOVEMENTS.c.order_id), MOVEMENTS.c.reason.in_(ORDER_REASONS)),
).subquery()
PRODUCTS_OF_ORDERS = (
    sa.select(
        ENTRIES.c.id,
        ENTRIES.c.product_id,
        *(sa.func.max(ENTRIES.c[name]).label(name) for name in ("status", "has_movements")),
        *(sa.func.sum(ENTRIES.c[name]).label(name) for name in SUMS),
    )
    .group_by(ENTRIES.c.id, ENTRIES.c.product_id)
    .subquery()
)


def _of_order(total: sa.FunctionElement[T]) -> sa.ColumnElement[T]:
    """Return a value of all products of an order in the row of each."""
    return sa.over(total, partition_by=PRODUCTS_OF_ORDERS.c.id)


# All products of a cancelled order are restocked, or none.
TOTALS = sa.select(
    PRODUCTS_OF_ORDERS.c.id,
    _of_order(sa.func.max(PRODUCTS_OF_ORDERS.c.status)).label("status"),
    (_of_order(sa.func.max(PRODUCTS_OF_ORDERS.c.has_movements)) == 1).label("has_movements"),
    PRODUCTS_OF_ORDERS.c.product_id,
    *(PRODUCTS_OF_ORDERS.c[name] for name in SUMS),
    _of_order(sa.func.sum(PRODUCTS_OF_ORDERS.c.cancellations)).label("cancellations_of_order"),
).subquery()
SELECT_DIFFERENT = Statement(
    OrderedProductRow,
    sa.select(*(TOTALS.c[name] for name in rows.names(OrderedProductRow)))
    .where(
        TOTALS.c.product_id.is_not(None),
        TOTALS.c.status.is_not(None),  # the order exists
        sa.or_(
            TOTALS.c.ordered == 0,
            sa.case((TOTALS.c.has_movements, TOTALS.c.sold != TOTALS.c.ordered), else_=TOTALS.c.sales > 0),
            sa.and_(
                TOTALS.c.cancellations_of_order > 0,
                sa.or_(TOTALS.c.status != OrderStatus.CANCELLED, TOTALS.c.restocked != TOTALS.c.ordered),
            ),
        ),
    )
    .order_by(TOTALS.c.id, TOTALS.c.product_id),
)
REFERENCES_TO_ORDERS = (
    tenant.select(ORDERS.c.id, ONE.label("orders"), sa.cast(sa.null(), MOVEMENTS.c.id.type).label("movement_id"))
    .where(within(ORDERS.c.id))
    .union_all(tenant.select(MOVEMENTS.c.order_id, ZERO, MOVEMENTS.c.id).where(within(MOVEMENTS.c.order_id)))
    .subquery()
)
SELECT_UNKNOWN_ORDERS = Statement(
    UnknownOrderRow,
    sa.select(REFERENCES_TO_ORDERS.c.id, sa.func.min(REFERENCES_TO_ORDERS.c.movement_id).label("movement_id"))
    .group_by(REFERENCES_TO_ORDERS.c.id)
    .having(sa.func.sum(REFERENCES_TO_ORDERS.c.orders) == 0)
    .order_by(REFERENCES_TO_ORDERS.c.id),
)
SELECT_WRONG_REASONS = Statement(
    ReasonRow,
    tenant.select(MOVEMENTS.c.id, MOVEMENTS.c.reason, MOVEMENTS.c.order_id, MOVEMENTS.c.return_id)
    .where(
        within(MOVEMENTS.c.product_id),
        sa.or_(
            MOVEMENTS.c.order_id.is_not(None) != MOVEMENTS.c.reason.in_((*ORDER_REASONS, MovementReason.RETURN)),
            MOVEMENTS.c.return_id.is_not(None) != IS_RETURN,
        ),
    )
    .order_by(MOVEMENTS.c.product_id, MOVEMENTS.c.sequence, MOVEMENTS.c.id),
)


def _different(row: OrderedProductRow) -> Problem:
    return Problem("order", row.id, None, f"product {row.product_id}: {_broken_rule(row)}. {CORRECT}")


def _broken_rule(row: OrderedProductRow) -> str:
    if row.has_movements and row.sold != row.ordered:
        return f"{row.ordered} were ordered, its SALE movements add up to {row.sold}"
    if not row.has_movements and row.sales:
        return "the order was placed before the ledger existed, but it has SALE movements"
    if row.cancellations and row.status != OrderStatus.CANCELLED:
        return f"the order is {row.status}, but it has CANCELLATION movements"
    if row.ordered:
        return f"{row.ordered} were ordered, its CANCELLATION movements add up to {row.restocked}"
    return "the order does not contain it, but it has movements of the order"


def _unknown_order(row: UnknownOrderRow) -> Problem:
    text = f"it names order {row.id}, which does not exist in this company. {CORRECT}"
    return Problem("movement", row.movement_id, None, text)


def _wrong_reason(row: ReasonRow) -> Problem:
    has_wrong_return = (row.return_id is not None) != (row.reason == MovementReason.RETURN)
    name, named = ("return", row.return_id) if has_wrong_return else ("order", row.order_id)
    names = f"no {name}" if named is None else f"{name} {named}"
    return Problem("movement", row.id, None, f"its reason is {row.reason}, but it names {names}. {CORRECT}")


QUANTITIES = Check(
    "orderMovements",
    subject="orders",
    rule="sales and cancellations in the ledger equal the items",
    ranges=ranges.ORDERS,
    counted=[ORDERS.c.id],
    bad=SELECT_DIFFERENT,
    problem=_different,
)
REFERENCES = Check(
    "movementOrders",
    subject="movements that name an order",
    rule="the order exists",
    ranges=ranges.ORDERS,
    counted=[MOVEMENTS.c.order_id],
    bad=SELECT_UNKNOWN_ORDERS,
    problem=_unknown_order,
)
REASONS = Check(
    "movementReasons",
    subject="movements",
    rule="sales, cancellations and returns name an order, others do not",
    ranges=ranges.PRODUCTS,
    counted=[MOVEMENTS.c.product_id],
    bad=SELECT_WRONG_REASONS,
    problem=_wrong_reason,
)
