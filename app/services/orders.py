"""Orders: list, get, place, move through their life (contract, section 5)."""

import operator
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam

from app.context import Context, not_before
from app.errors import (
    CustomerBlockedError,
    CustomerNotFoundError,
    InsufficientStockError,
    NotFoundError,
    ProductInactiveError,
    ProductNotFoundError,
    RefusalError,
    RestockWithoutCancelError,
    StatusTransitionError,
    refuse,
)
from app.queries import listing, tenant
from app.schemas.orders import ITEM, OrderSchema
from app.services import audit, customers, events, inventory, pricing, products
from models import NEXT, Company, CustomerStatus, EventType, Order, OrderItem, OrderStatus, new_id
from models.base import table

TABLE = table(Order)
ITEMS = table(OrderItem)
COMPANIES = table(Company)
SCHEMA = OrderSchema()
COLUMNS = [*SCHEMA.columns(TABLE), TABLE.c.shipping_address]
ONE = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
LOCKED = ONE.with_for_update(key_share=True)
ITEMS_OF = (
    tenant.select(
        ITEMS.c.id,
        ITEMS.c.quantity,
        ITEMS.c.unit_price,
        ITEMS.c.product_id,
        products.TABLE.c.name.label("product_name"),
        products.TABLE.c.sku.label("product_sku"),
        ITEMS.c.order_id,
    )
    .join(products.TABLE, products.TABLE.c.id == ITEMS.c.product_id)
    .where(ITEMS.c.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(ITEMS.c.order_id, ITEMS.c.position)
)
TERMS = (
    tenant.select(
        customers.TABLE.c.status,
        sa.func.coalesce(customers.TABLE.c.tax_rate_override, COMPANIES.c.tax_rate).label("tax_rate"),
        COMPANIES.c.shipping,
    )
    .join(COMPANIES, COMPANIES.c.id == customers.TABLE.c.company_id)
    .where(customers.TABLE.c.id == bindparam("id"))
)
LISTING = listing.Listing(
    TABLE,
    COLUMNS,
    {
        "status": TABLE.c.status == bindparam("status"),
        "customer_id": TABLE.c.customer_id == bindparam("customer_id"),
    },
    created={"since": operator.ge, "until": operator.le},
    lookups={"po_number": TABLE.c.po_number},
)
COMPANIONS = {
    OrderStatus.SHIPPED: EventType.ORDER_SHIPPED,
    OrderStatus.CANCELLED: EventType.ORDER_CANCELLED,
}
Draft = Mapping[str, Any]
Items = Sequence[Row[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """A page of orders, and the items of each by its id."""

    page: listing.Page
    items: Mapping[str, Items]


def get(ctx: Context, order_id: str) -> tuple[Row[Any], Items]:
    """Return one order and its items. Raises NotFoundError for an unknown or foreign id."""
    return _one(ctx, ONE, order_id)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    customer_id: str | None = None,
    po_number: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    updated_since: datetime | None = None,
) -> OrderPage:
    """Return a page of orders, newest first, with all their items in one more statement."""
    filters = {"status": status, "customer_id": customer_id, "po_number": po_number, "since": since, "until": until}
    found = LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
    return OrderPage(page=found, items=_items(ctx, [row.id for row in found.rows]))


def place(ctx: Context, draft: Draft) -> tuple[Row[Any], Items]:
    """Place an order: take the stock, freeze the prices, tell everybody. All of it or nothing.

    Raises RefusalError with every reason: an unknown or blocked customer, unknown and inactive products, shortages.
    """
    lines = draft["items"]
    quantities: Counter[str] = Counter()
    for line in lines:
        quantities[line["product_id"]] += line["quantity"]
    terms = ctx.session.execute(TERMS, tenant.params(ctx, id=draft["customer_id"])).one_or_none()
    found = inventory.for_order(ctx, list(quantities), draft["customer_id"])
    refuse([*_customer_refusals(terms), *_line_refusals(lines, quantities, found)])
    assert terms is not None  # or the customer would have been refused
    inventory.take(ctx, found, quantities)
    prices = {each.id: each.price if each.agreed_price is None else each.agreed_price for each in found.values()}
    priced = [(line["quantity"], prices[line["product_id"]]) for line in lines]
    order_id = _insert(ctx, draft, pricing.amounts(priced, terms.tax_rate, terms.shipping))
    _insert_items(ctx, order_id, lines, prices)
    order, items = get(ctx, order_id)
    audit.record(ctx, "order.placed", "order", order_id, {**_summary(order), "itemCount": len(items)})
    data = {**_summary(order), "itemCount": len(items), "items": [ITEM.render(item) for item in items]}
    events.publish(ctx, TABLE, order_id, EventType.ORDER_CREATED, data)
    return order, items


def change_status(ctx: Context, order_id: str, status: OrderStatus, *, restock: bool = False) -> tuple[Row[Any], Items]:
    """Move an order on. Raises NotFoundError, StatusTransitionError and RestockWithoutCancelError."""
    before, items = _one(ctx, LOCKED, order_id)
    ctx = not_before(ctx, before.updated_at)
    refuse(_move_refusals(before.status, status, restock=restock))
    statement = tenant.update(TABLE).where(TABLE.c.status == before.status).values(status=status, updated_at=ctx.now)
    after = ctx.session.execute(statement.returning(*COLUMNS), tenant.params(ctx, row_id=order_id)).one()
    if restock:
        _give_back(ctx, items)
    details = {"before": before.status, "after": status, "restock": restock}
    audit.record(ctx, "order.status_changed", "order", order_id, details)
    data = {**_summary(after), "previousStatus": before.status}
    for event in (EventType.ORDER_STATUS_CHANGED, COMPANIONS.get(status)):
        if event is not None:
            events.publish(ctx, TABLE, order_id, event, data)
    return after, items


def _customer_refusals(terms: Row[Any] | None) -> Iterator[RefusalError]:
    if terms is None:
        yield CustomerNotFoundError()
    elif terms.status == CustomerStatus.BLOCKED:
        yield CustomerBlockedError()


def _line_refusals(
    lines: Sequence[Draft], quantities: Mapping[str, int], found: Mapping[str, Row[Any]]
) -> Iterator[RefusalError]:
    """Yield what is wrong with each product, at the first line that names it."""
    first = {line["product_id"]: f"/items/{index}" for index, line in reversed([*enumerate(lines)])}
    for product_id, quantity in quantities.items():
        line, product = first[product_id], found.get(product_id)
        if product is None:
            yield ProductNotFoundError(line)
        elif not product.is_active:
            yield ProductInactiveError(line, product.name)
        elif product.stock < quantity:
            yield InsufficientStockError(line, product.name, product.stock)


def _move_refusals(current: str, wanted: OrderStatus, *, restock: bool) -> Iterator[RefusalError]:
    if wanted not in NEXT[OrderStatus(current)]:
        yield StatusTransitionError(current, wanted)
    if restock and wanted is not OrderStatus.CANCELLED:
        yield RestockWithoutCancelError()


def _insert(ctx: Context, draft: Draft, amounts: pricing.Amounts) -> str:
    order_id = new_id(ctx.now)
    row = {
        "id": order_id,
        "company_id": ctx.company_id,
        "customer_id": draft["customer_id"],
        "po_number": draft["po_number"],
        "notes": draft["notes"],
        "shipping_address": draft["shipping_address"],
        "subtotal": amounts.subtotal,
        "tax": amounts.tax,
        "shipping": amounts.shipping,
        "total": amounts.total,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    ctx.session.connection().execute(TABLE.insert(), row)
    return order_id


def _insert_items(ctx: Context, order_id: str, lines: Sequence[Draft], prices: Mapping[str, Any]) -> None:
    rows = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "order_id": order_id,
            "position": position,
            "product_id": line["product_id"],
            "quantity": line["quantity"],
            "unit_price": prices[line["product_id"]],
        }
        for position, line in enumerate(lines)
    ]
    ctx.session.connection().execute(ITEMS.insert(), rows)


def _give_back(ctx: Context, items: Items) -> None:
    quantities: Counter[str] = Counter()
    for item in items:
        quantities[item.product_id] += item.quantity
    inventory.give_back(ctx, quantities)


def _summary(order: Row[Any]) -> dict[str, Any]:
    shown = SCHEMA.render(order)
    return {name: shown[name] for name in ("id", "status", "total", "customerId", "poNumber")}


def _one(ctx: Context, statement: Any, order_id: str) -> tuple[Row[Any], Items]:
    order = ctx.session.execute(statement, tenant.params(ctx, id=order_id)).one_or_none()
    if order is None:
        raise NotFoundError("Order")
    return order, _items(ctx, [order_id])[order_id]


def _items(ctx: Context, order_ids: Sequence[str]) -> Mapping[str, Items]:
    items: dict[str, list[Row[Any]]] = defaultdict(list)
    if order_ids:
        for item in ctx.session.execute(ITEMS_OF, tenant.params(ctx, ids=order_ids)):
            items[item.order_id].append(item)
    return items
