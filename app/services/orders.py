"""Orders: list, get, place, change their status (contract, section 5)."""

import operator
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

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
from app.queries import listing, rows, tenant
from app.queries.rows import Row, Statement
from app.schemas import events as payloads
from app.schemas.base import stored_code
from app.schemas.orders import ListedOrderItemRow, OrderCreate, OrderDetailRow, OrderItemCreate, OrderStatusUpdate
from app.services import audit, customers, events, inventory, pricing, products, unique_values
from app.services.inventory import OrderedProductRow
from models import NEXT_STATUSES, Company, CustomerStatus, Order, OrderItem, OrderStatus, new_id
from models.base import table


class OrderTermsRow(Row):
    """The status of the customer who orders, and the company's charges in addition to the items."""

    status: str
    tax_rate: Decimal
    shipping: Decimal


TABLE = table(Order)
ITEMS = table(OrderItem)
COMPANIES = table(Company)
COLUMNS = rows.columns(OrderDetailRow, TABLE)
SELECT_BY_ID = tenant.select(*COLUMNS).where(TABLE.c.id == bindparam("id"))
SELECT_ONE = Statement(OrderDetailRow, SELECT_BY_ID)
SELECT_ONE_FOR_UPDATE = Statement(OrderDetailRow, SELECT_BY_ID.with_for_update(key_share=True))
SELECT_ITEMS = Statement(
    ListedOrderItemRow,
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
    .where(ITEMS.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .order_by(ITEMS.c.order_id, ITEMS.c.position),
)
SELECT_TERMS = Statement(
    OrderTermsRow,
    tenant.select(
        customers.TABLE.c.status,
        sa.func.coalesce(customers.TABLE.c.tax_rate_override, COMPANIES.c.tax_rate).label("tax_rate"),
        COMPANIES.c.shipping,
    )
    .join(COMPANIES, COMPANIES.c.id == customers.TABLE.c.company_id)
    .where(customers.TABLE.c.id == bindparam("customer_id")),
)
INSERT_ONE = Statement(OrderDetailRow, TABLE.insert().returning(*COLUMNS))
UPDATE_STATUS = Statement(
    OrderDetailRow,
    tenant.update(TABLE).where(TABLE.c.status == bindparam("previous_status")).returning(*COLUMNS),
)
LISTING = listing.Listing(
    OrderDetailRow,
    TABLE,
    filters={
        "status": TABLE.c.status == bindparam("status"),
        "customer_id": TABLE.c.customer_id == bindparam("customer_id"),
    },
    created_at_filters={"since": operator.ge, "until": operator.le},
    lookups={"po_number": TABLE.c.po_number, "external_id": TABLE.c.external_id},
)
Items = Sequence[ListedOrderItemRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """A page of orders, and the items of all of them by the id of the order."""

    page: listing.Page[OrderDetailRow]
    items: Mapping[str, Items]


def get(ctx: Context, order_id: str) -> tuple[OrderDetailRow, Items]:
    """Return one order and its items. Raises NotFoundError if the company has no such order."""
    return _one(ctx, SELECT_ONE, order_id)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    status: str | None = None,
    customer_id: str | None = None,
    po_number: str | None = None,
    external_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    updated_since: datetime | None = None,
) -> OrderPage:
    """Return a page of orders, newest first, with all their items in one more statement."""
    lookups = {"po_number": po_number, "external_id": None if external_id is None else stored_code(external_id)}
    filters = {"status": status, "customer_id": customer_id, **lookups, "since": since, "until": until}
    found = LISTING.page(ctx, limit=limit, cursor=cursor, updated_since=updated_since, **filters)
    return OrderPage(page=found, items=_items(ctx, [order.id for order in found.rows]))


def place(ctx: Context, draft: OrderCreate) -> tuple[OrderDetailRow, Items]:
    """Place an order as a whole or not at all: deduct the stock, freeze the prices, publish the event.

    Raises RefusalError with every reason: the customer, unknown and inactive products, shortages, the external id.
    """
    quantities = _quantities(draft.items)
    terms = SELECT_TERMS.one_or_none(ctx.session, tenant.params(ctx, customer_id=draft.customer_id))
    found = inventory.lock_for_order(ctx, quantities, draft.customer_id)
    taken = unique_values.external_id_refusals(ctx, TABLE, draft.external_id, "An order")
    refuse([*_customer_refusals(terms), *_item_refusals(draft.items, quantities, found), *taken])
    assert terms is not None  # otherwise the customer has just been refused
    prices = {product.id: product.unit_price for product in found.values()}
    priced = [(item.quantity, prices[item.product_id]) for item in draft.items]
    order = _insert(ctx, draft, pricing.amounts(priced, terms.tax_rate, terms.shipping))
    _insert_items(ctx, order.id, draft.items, prices)
    moved = inventory.deduct(ctx, found, quantities, order.id)
    items = _items(ctx, [order.id])[order.id]
    event = payloads.order_created(order, items)
    details = {name: value for name, value in event.data.items() if name != "items"}
    audit.record(ctx, "order.placed", "order", order.id, details)
    events.publish_all(ctx, [*moved.low_stock, event])
    return order, items


def change_status(ctx: Context, order_id: str, change: OrderStatusUpdate) -> tuple[OrderDetailRow, Items]:
    """Move an order to its next status. Raises NotFoundError, StatusTransitionError and RestockWithoutCancelError."""
    before, items = _one(ctx, SELECT_ONE_FOR_UPDATE, order_id)
    ctx = not_before(ctx, before.updated_at)
    refuse(_status_refusals(before.status, change))
    values = {"previous_status": before.status, "status": change.status, "updated_at": ctx.now}
    after = UPDATE_STATUS.one(ctx.session, tenant.params(ctx, row_id=order_id, **values))
    if change.restock:
        inventory.restock(ctx, _quantities(items), order_id)
    details = {"before": before.status, "after": change.status, "restock": change.restock}
    audit.record(ctx, "order.status_changed", "order", order_id, details)
    events.publish_all(ctx, payloads.order_status_changed(after, before.status))
    return after, items


def _customer_refusals(terms: OrderTermsRow | None) -> Iterator[RefusalError]:
    if terms is None:
        yield CustomerNotFoundError()
    elif terms.status == CustomerStatus.BLOCKED:
        yield CustomerBlockedError()


def _item_refusals(
    items: Sequence[OrderItemCreate], quantities: Mapping[str, int], found: Mapping[str, OrderedProductRow]
) -> Iterator[RefusalError]:
    """Yield the refusal of each product, with the pointer to the first item that names it."""
    pointers = {item.product_id: f"/items/{index}" for index, item in reversed([*enumerate(items)])}
    for product_id, quantity in quantities.items():
        pointer, product = pointers[product_id], found.get(product_id)
        if product is None:
            yield ProductNotFoundError(pointer)
        elif not product.is_active:
            yield ProductInactiveError(pointer, product.name)
        elif product.stock < quantity:
            yield InsufficientStockError(f"{pointer}/quantity", product.name, product.stock)


def _status_refusals(current: str, change: OrderStatusUpdate) -> Iterator[RefusalError]:
    if change.status not in NEXT_STATUSES[OrderStatus(current)]:
        yield StatusTransitionError(current, change.status)
    if change.restock and change.status is not OrderStatus.CANCELLED:
        yield RestockWithoutCancelError()


def _quantities(items: Iterable[OrderItemCreate | ListedOrderItemRow]) -> Counter[str]:
    """Return the quantity of each product by its id; several items of an order may name the same product."""
    quantities: Counter[str] = Counter()
    for item in items:
        quantities[item.product_id] += item.quantity
    return quantities


def _insert(ctx: Context, draft: OrderCreate, amounts: pricing.Amounts) -> OrderDetailRow:
    row = {
        "id": new_id(ctx.now),
        "company_id": ctx.company_id,
        "customer_id": draft.customer_id,
        "po_number": draft.po_number,
        "external_id": draft.external_id,
        "notes": draft.notes,
        "shipping_address": draft.shipping_address,
        **asdict(amounts),
        "total": amounts.total,
        "has_movements": True,
        "created_at": ctx.now,
        "updated_at": ctx.now,
    }
    return unique_values.write(ctx, INSERT_ONE, row)


def _insert_items(ctx: Context, order_id: str, items: Sequence[OrderItemCreate], prices: Mapping[str, Decimal]) -> None:
    inserted = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "order_id": order_id,
            "position": position,
            "product_id": item.product_id,
            "quantity": item.quantity,
            "unit_price": prices[item.product_id],
        }
        for position, item in enumerate(items)
    ]
    ctx.session.connection().execute(ITEMS.insert(), inserted)


def _one(ctx: Context, statement: Statement[OrderDetailRow], order_id: str) -> tuple[OrderDetailRow, Items]:
    order = statement.one_or_none(ctx.session, tenant.params(ctx, id=order_id))
    if order is None:
        raise NotFoundError("Order")
    return order, _items(ctx, [order_id])[order_id]


def _items(ctx: Context, order_ids: Sequence[str]) -> Mapping[str, Items]:
    items: dict[str, list[ListedOrderItemRow]] = defaultdict(list)
    if order_ids:
        for item in SELECT_ITEMS.all(ctx.session, tenant.params(ctx, order_ids=order_ids)):
            items[item.order_id].append(item)
    return items
