"""The items of returns and what can be refunded, read together with the returns (contract, section 9.7)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Parameters, Statement, Write
from app.queries.written_rows import WrittenRow
from app.schemas.returns import ListedReturnItemRow, OrderReturn, ReturnItemRow, ReturnRow
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
UPDATE = Write(tenant.update(ITEMS))
WRITTEN = WrittenRow(ReturnItemRow, ITEMS, COLUMNS[:-1])  # without the id of the return
Items = Sequence[ReturnItemRow]


def read(ctx: Context, returns: Sequence[ReturnRow]) -> list[OrderReturn]:
    """Return returns with their items and amounts, in the same order. The number of statements is fixed."""
    return _with_amounts(ctx, returns, _items(ctx, returns))


def read_one(ctx: Context, row: ReturnRow) -> OrderReturn:
    """Return one return with its items and its amount."""
    (found,) = read(ctx, [row])
    return found


def receive(ctx: Context, row: ReturnRow, before: Items, quantities: Mapping[str, Parameters]) -> OrderReturn:
    """Set the received and restocked quantities of locked items, by their ids. Return the return after it.

    `row` is the return after its own update.
    """
    UPDATE.all(ctx.session, [tenant.params(ctx, row_id=item_id, **values) for item_id, values in quantities.items()])
    items = [WRITTEN.updated(item, quantities[item.id]) for item in before]
    (received,) = _with_amounts(ctx, [row], {row.id: items})
    return received


def _with_amounts(ctx: Context, returns: Sequence[ReturnRow], items: Mapping[str, Items]) -> list[OrderReturn]:
    amounts = order_refunds.refundable_amounts(ctx, [_received(row, items[row.id]) for row in returns])
    return [OrderReturn(row=row, items=items[row.id], refundable_amount=amounts[row.id]) for row in returns]


def _items(ctx: Context, returns: Sequence[ReturnRow]) -> Mapping[str, Items]:
    items: dict[str, list[ListedReturnItemRow]] = defaultdict(list)
    if returns:
        for item in SELECT_ITEMS.all(ctx.session, tenant.params(ctx, return_ids=[row.id for row in returns])):
            items[item.return_id].append(item)
    return items


def _received(row: ReturnRow, items: Items) -> ReceivedReturn:
    goods = refund_amounts.goods((item.received_quantity or 0, item.unit_price) for item in items)
    return ReceivedReturn(id=row.id, order_id=row.order_id, status=row.status, goods=goods)
