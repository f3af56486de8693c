"""What an order costs, to the cent (contract, section 5), and price overrides for customers (section 6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.errors import InvalidValueError, NotFoundError
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services import audit
from app.services.audit import NewEntry
from models import Customer, PriceBreak, PriceOverride, Product, new_id
from models.base import table


class PriceOverrideRow(Row):
    """The price of a product for one customer."""

    id: str
    price: Decimal


class NamedPriceOverrideRow(Row):
    """A price override with the names of its customer and product."""

    price: Decimal
    customer: str
    sku: str | None
    product: str
    catalogue_price: Decimal
    customer_id: str
    product_id: str


class DeletedPriceOverrideRow(Row):
    """A price override that was deleted with its product."""

    customer_id: str
    price: Decimal


CENT = Decimal("0.01")
MAX_PRICE = Decimal("9999999999.99")  # the document has the same limit for a price
TABLE = table(PriceOverride)
CUSTOMERS = table(Customer)
PRODUCTS = table(Product)
SELECT_ONE_FOR_UPDATE = Statement(
    PriceOverrideRow,
    tenant.select(TABLE.c.id, TABLE.c.price)
    .where(TABLE.c.customer_id == bindparam("customer_id"), TABLE.c.product_id == bindparam("product_id"))
    .with_for_update(),
)
SELECT_ALL = Statement(
    NamedPriceOverrideRow,
    tenant.select(
        TABLE.c.price,
        CUSTOMERS.c.email.label("customer"),
        PRODUCTS.c.sku,
        PRODUCTS.c.name.label("product"),
        PRODUCTS.c.price.label("catalogue_price"),
        TABLE.c.customer_id,
        TABLE.c.product_id,
    )
    .join(CUSTOMERS, CUSTOMERS.c.id == TABLE.c.customer_id)
    .join(PRODUCTS, PRODUCTS.c.id == TABLE.c.product_id)
    .order_by(CUSTOMERS.c.email, PRODUCTS.c.name, TABLE.c.id),
)
DELETE_OF_PRODUCT = Statement(
    DeletedPriceOverrideRow,
    sa.delete(TABLE)
    .where(tenant.where(TABLE), TABLE.c.product_id == bindparam("product_id"))
    .returning(TABLE.c.customer_id, TABLE.c.price),
)
DELETE_ONE = sa.delete(TABLE).where(tenant.where(TABLE), TABLE.c.id == bindparam("id"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """The amounts of an order. The total is exactly their sum."""

    subtotal: Decimal
    tax: Decimal
    shipping: Decimal

    @property
    def total(self) -> Decimal:
        """Return what the customer pays."""
        return self.subtotal + self.tax + self.shipping


def amounts(items: Iterable[tuple[int, Decimal]], tax_rate: Decimal, shipping: Decimal) -> Amounts:
    """Add up items of quantity and unit price. Tax is calculated on the subtotal and rounded once, half up to the cent.

    The total may exceed MAX_AMOUNT, the range of its column.
    """
    subtotal = sum((item_amount(quantity, unit_price) for quantity, unit_price in items), Decimal(0))
    tax = (subtotal * tax_rate).quantize(CENT, ROUND_HALF_UP)
    return Amounts(subtotal=subtotal, tax=tax, shipping=shipping)


def unit_price(price: Decimal, price_breaks: Sequence[PriceBreak], quantity: int) -> Decimal:
    """Return the price of a unit: that of the last price break that `quantity` reaches, otherwise `price`.

    `quantity` is the sum of all items of the product in an order. The breaks are in ascending order.
    """
    for entry in price_breaks:
        if quantity < entry.min_quantity:
            break
        price = entry.price
    return price


def item_amount(quantity: int, unit_price: Decimal) -> Decimal:
    """Return what an item of an order costs, without tax."""
    return quantity * unit_price


def override(ctx: Context, customer_id: str, product_id: str, price: Decimal) -> Decimal | None:
    """Set the price of a product for a customer of the company. Return the previous override, if any.

    Setting the same price again changes nothing. Raises InvalidValueError if the price is not a valid amount.
    """
    if not 0 <= price <= MAX_PRICE or price != round(price, 2):
        raise InvalidValueError(f"The price must be between 0 and {MAX_PRICE}, with at most 2 decimal places.")
    price = price.quantize(CENT)
    before = _lock(ctx, customer_id, product_id)
    if before is None:
        ids = {"id": new_id(ctx.now), "company_id": ctx.company_id, "created_at": ctx.now}
        row = {**ids, "customer_id": customer_id, "product_id": product_id, "price": price}
        ctx.session.execute(sa.insert(TABLE).values(row))
    elif before.price != price:
        ctx.session.execute(tenant.update(TABLE).values(price=price), tenant.params(ctx, row_id=before.id))
    else:
        return price
    details = {"productId": product_id, "before": str(before.price) if before else None, "after": str(price)}
    audit.record(ctx, "price.set", "customer", customer_id, details)
    return before.price if before else None


def remove_override(ctx: Context, customer_id: str, product_id: str) -> Decimal:
    """Remove a price override and return it. Raises NotFoundError if there is none."""
    before = _lock(ctx, customer_id, product_id)
    if before is None:
        raise NotFoundError("Price")
    ctx.session.execute(DELETE_ONE, tenant.params(ctx, id=before.id))
    audit.record_all(ctx, [_removal(customer_id, product_id, before.price)])
    return before.price


def remove_overrides(ctx: Context, product_id: str) -> None:
    """Remove every price override of a product that is deleted."""
    removed = DELETE_OF_PRODUCT.all(ctx.session, tenant.params(ctx, product_id=product_id))
    entries = [_removal(override.customer_id, product_id, override.price) for override in sorted(removed)]
    audit.record_all(ctx, entries)


def list_overrides(ctx: Context) -> Sequence[NamedPriceOverrideRow]:
    """Return every price override of the company, by customer and product."""
    return SELECT_ALL.all(ctx.session, tenant.params(ctx))


def _removal(customer_id: str, product_id: str, price: Decimal) -> NewEntry:
    """Return the audit entry of a price override that was removed."""
    details = {"productId": product_id, "before": str(price), "after": None}
    return NewEntry("price.removed", "customer", customer_id, details)


def _lock(ctx: Context, customer_id: str, product_id: str) -> PriceOverrideRow | None:
    parameters = tenant.params(ctx, customer_id=customer_id, product_id=product_id)
    return SELECT_ONE_FOR_UPDATE.one_or_none(ctx.session, parameters)
