"""The items of returns and what can be refunded, read together with the returns (contract, section 9.7)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Statement
from app.schemas.returns import ListedReturnItemRow, OrderReturn, ReturnRow
from app.services import order_refunds, orders, products, refund_amounts
from app.services.order_refunds import ReceivedReturn
from models import Return, ReturnItem
from models.base import table

TABLE = table(Return)
ITEMS = table(ReturnItem)
COLUMNS = (
    ITEMS.c.id,
    ITEMS.c.order_item_id,
    orders.ITEMS.c.product_id,
    products.TABLE.c.name.label("product_name"),
    ITEMS.c.quantity,
    ITEMS.c.received_quantity,
    ITEMS.c.restocked_quantity,
    orders.ITEMS.c.unit_price,
    ITEMS.c.reason,
    ITEMS.c.return_id,
)
SELECT_ITEMS = Statement(
    ListedReturnItemRow,
    tenant.select(*COLUMNS)
    .join(orders.ITEMS, orders.ITEMS.c.id == ITEMS.c.order_item_id)
    .join(products.TABLE, products.TABLE.c.id == orders.ITEMS.c.product_id)
    .where(ITEMS.c.return_id.in_(bindparam("return_ids", expanding=True)))
    .order_by(ITEMS.c.return_id, ITEMS.c.position),
)
Items = Sequence[ListedReturnItemRow]


def read(ctx: Context, returns: Sequence[ReturnRow]) -> list[OrderReturn]:
    """Return returns with their items and amounts, in the same order. The number of statements is fixed."""
    items = _items(ctx, returns)
    amounts = order_refunds.refundable_amounts(ctx, [_received(row, items[row.id]) for row in returns])
    return [OrderReturn(row=row, items=items[row.id], refundable_amount=amounts[row.id]) for row in returns]


def read_one(ctx: Context, row: ReturnRow) -> OrderReturn:
    """Return one return with its items and its amount."""
    (found,) = read(ctx, [row])
    return found


def _items(ctx: Context, returns: Sequence[ReturnRow]) -> Mapping[str, Items]:
    items: dict[str, list[ListedReturnItemRow]] = defaultdict(list)
    if returns:
        for item in SELECT_ITEMS.all(ctx.session, tenant.params(ctx, return_ids=[row.id for row in returns])):
            items[item.return_id].append(item)
    return items


def _received(row: ReturnRow, items: Items) -> ReceivedReturn:
    goods = refund_amounts.goods((item.received_quantity or 0, item.unit_price) for item in items)
    return ReceivedReturn(id=row.id, order_id=row.order_id, status=row.status, goods=goods)
