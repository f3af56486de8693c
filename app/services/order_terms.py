"""What an order would be: its items with prices, its amounts, and every reason to refuse it (contract, section 9.4).

1. Load the charges and the products, in two statements, whatever the number of items.
2. Calculate the prices and the amounts of the items whose product exists.
3. Check them: collect the problems, in the order of the request, one for each product.

`lock` does this for an order, which is placed only without problems; `read` does it for a preview, which returns them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.errors import (
    CustomerBlockedError,
    CustomerNotFoundError,
    InsufficientStockError,
    OrderTotalError,
    ProductInactiveError,
    ProductNotFoundError,
    RefusalError,
)
from app.queries.rows import Row, Statement
from app.schemas.orders import OrderCreate, OrderItemCreate
from app.schemas.products import ProductKey
from app.services import customers, ordered_products, pricing, unique_values
from app.services.ordered_products import NamedProducts, OrderedProductRow
from app.services.pricing import Amounts
from app.services.quantity_rules import QuantityNotAllowedError, QuantityRules
from models import MAX_AMOUNT, Company, CustomerStatus, Order
from models.base import table


class ChargesRow(Row):
    """The charges of an order in addition to its items. The status is that of the customer, None for an unknown one."""

    customer_status: str | None
    tax_rate: Decimal
    shipping: Decimal


COMPANIES = table(Company)
ORDERS = table(Order)
IS_CUSTOMER = (COMPANIES.c.id == customers.TABLE.c.company_id) & (customers.TABLE.c.id == bindparam("customer_id"))
SELECT_CHARGES = Statement(
    ChargesRow,
    sa.select(
        customers.TABLE.c.status.label("customer_status"),
        sa.func.coalesce(customers.TABLE.c.tax_rate_override, COMPANIES.c.tax_rate).label("tax_rate"),
        COMPANIES.c.shipping,
    )
    .select_from(COMPANIES)
    .outerjoin(customers.TABLE, IS_CUSTOMER)
    .where(COMPANIES.c.id == bindparam("company_id")),
)


@dataclass(frozen=True, slots=True)
class PricedItem:
    """An item of an order, with its product and its price."""

    product: OrderedProductRow
    quantity: int
    unit_price: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderTerms:
    """The items whose product exists, their sums, and the problems: the order can be placed if there are none.

    `products` and `quantities` are by the id of the product; a quantity is the sum of all items of the product.
    """

    items: Sequence[PricedItem]
    products: dict[str, OrderedProductRow]
    quantities: Counter[str]
    amounts: Amounts
    problems: Sequence[RefusalError]


def read(ctx: Context, draft: OrderCreate) -> OrderTerms:
    """Return the terms of an order without locking anything."""
    charges = _charges(ctx, draft)
    return _terms(ctx, draft, charges, ordered_products.read(ctx, _keys(draft), draft.customer_id))


def lock(ctx: Context, draft: OrderCreate) -> OrderTerms:
    """Lock the products of an order and return its terms."""
    charges = _charges(ctx, draft)
    return _terms(ctx, draft, charges, ordered_products.lock(ctx, _keys(draft), draft.customer_id))


def _charges(ctx: Context, draft: OrderCreate) -> ChargesRow:
    return SELECT_CHARGES.one(ctx.session, {"company_id": ctx.company_id, "customer_id": draft.customer_id})


def _keys(draft: OrderCreate) -> list[ProductKey]:
    return [item.key for item in draft.items]


def _terms(ctx: Context, draft: OrderCreate, charges: ChargesRow, named: NamedProducts) -> OrderTerms:
    """Calculate the terms of an order, and check them."""
    known = [(named[item.key], item.quantity) for item in draft.items if item.key in named]
    products, quantities = dict[str, OrderedProductRow](), Counter[str]()
    for product, quantity in known:
        products[product.id] = product
        quantities[product.id] += quantity
    prices = {product.id: _unit_price(product, quantities[product.id]) for product in products.values()}
    items = [PricedItem(product, quantity, prices[product.id]) for product, quantity in known]
    amounts = pricing.amounts([(item.quantity, item.unit_price) for item in items], charges.tax_rate, charges.shipping)
    problems = (
        *_customer_problems(charges),
        *_item_problems(draft.items, named, quantities),
        *_total_problems(amounts),
        *unique_values.external_id_refusals(ctx, ORDERS, draft.external_id, "An order"),
    )
    return OrderTerms(items=items, products=products, quantities=quantities, amounts=amounts, problems=problems)


def _unit_price(product: OrderedProductRow, quantity: int) -> Decimal:
    """Return the price for the customer. A price override replaces the catalogue price and its breaks as a whole."""
    if product.override_price is None:
        return pricing.unit_price(product.price, product.price_breaks, quantity)
    return pricing.unit_price(product.override_price, product.override_price_breaks, quantity)


def _customer_problems(charges: ChargesRow) -> Iterator[RefusalError]:
    if charges.customer_status is None:
        yield CustomerNotFoundError()
    elif charges.customer_status == CustomerStatus.BLOCKED:
        yield CustomerBlockedError()


def _item_problems(
    items: Sequence[OrderItemCreate], named: NamedProducts, quantities: Counter[str]
) -> Iterator[RefusalError]:
    """Yield the problem of each product that has one, with the pointer to the first item that names it."""
    checked = set[object]()
    for index, item in enumerate(items):
        product = named.get(item.key)
        identity = item.key if product is None else product.id
        if identity in checked:
            continue
        checked.add(identity)
        pointer = f"/items/{index}"
        if product is None:
            yield ProductNotFoundError(f"{pointer}/{item.key_name}")
        elif not product.is_active:
            yield ProductInactiveError(f"{pointer}/{item.key_name}", product.name)
        else:
            yield from _quantity_problems(f"{pointer}/quantity", product, quantities[product.id])


def _quantity_problems(pointer: str, product: OrderedProductRow, quantity: int) -> Iterator[RefusalError]:
    """Yield the first rule that the quantity of an active product violates."""
    rules = QuantityRules(product.min_order_quantity, product.order_multiple, product.max_order_quantity)
    if not rules.allow(quantity):
        yield QuantityNotAllowedError(pointer, product.name, rules, quantity)
    elif product.stock < quantity:
        yield InsufficientStockError(pointer, product.name, product.stock)


def _total_problems(amounts: Amounts) -> Iterator[RefusalError]:
    if amounts.total > MAX_AMOUNT:
        yield OrderTotalError(MAX_AMOUNT)
