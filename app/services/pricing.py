"""What an order costs, to the cent (contract, section 5), and the prices agreed with customers (section 6)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam

from app.context import Context
from app.errors import InvalidValueError, NotFoundError, OrderTotalError
from app.queries import tenant
from app.services import audit
from models import MAX_AMOUNT, Customer, PriceOverride, Product, new_id
from models.base import table

CENT = Decimal("0.01")
MAX_AMOUNT_GIVEN = Decimal("9999999999.99")  # what the document allows callers to set
TABLE = table(PriceOverride)
CUSTOMERS = table(Customer)
PRODUCTS = table(Product)
PLACE = TABLE.c.customer_id == bindparam("customer_id"), TABLE.c.product_id == bindparam("product_id")
LOCKED = tenant.select(TABLE.c.id, TABLE.c.price).where(*PLACE).with_for_update()
ALL = (
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
    .order_by(CUSTOMERS.c.email, PRODUCTS.c.name, TABLE.c.id)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """The amounts of an order; the total is their sum and nothing else."""

    subtotal: Decimal
    tax: Decimal
    shipping: Decimal

    @property
    def total(self) -> Decimal:
        """Return what the customer owes."""
        return self.subtotal + self.tax + self.shipping


def amounts(lines: Iterable[tuple[int, Decimal]], tax_rate: Decimal, shipping: Decimal) -> Amounts:
    """Add up lines of quantity and unit price. Tax is rounded half up to the cent, once, on the subtotal.

    Raises OrderTotalError for a total that no column holds.
    """
    subtotal = sum((quantity * price for quantity, price in lines), Decimal(0))
    tax = (subtotal * tax_rate).quantize(CENT, ROUND_HALF_UP)
    result = Amounts(subtotal=subtotal, tax=tax, shipping=shipping)
    if result.total > MAX_AMOUNT:
        raise OrderTotalError(MAX_AMOUNT)
    return result


def agree(ctx: Context, customer_id: str, product_id: str, price: Decimal) -> Decimal | None:
    """Set the price of a product for a customer, both of the company; return the one that was agreed before.

    The same price again changes nothing. Raises InvalidValueError for a price that is no amount of money.
    """
    if not 0 <= price <= MAX_AMOUNT_GIVEN or price != round(price, 2):
        raise InvalidValueError(f"The price must be between 0 and {MAX_AMOUNT_GIVEN}, with at most 2 decimal places.")
    price = price.quantize(CENT)
    before = _agreed(ctx, customer_id, product_id)
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


def revoke(ctx: Context, customer_id: str, product_id: str) -> Decimal:
    """Let the catalogue's price hold again; return the one that was agreed. Raises NotFoundError when there is none."""
    before = _agreed(ctx, customer_id, product_id)
    if before is None:
        raise NotFoundError("Price")
    ctx.session.execute(sa.delete(TABLE).where(tenant.where(TABLE), TABLE.c.id == before.id), tenant.params(ctx))
    details = {"productId": product_id, "before": str(before.price), "after": None}
    audit.record(ctx, "price.removed", "customer", customer_id, details)
    agreed: Decimal = before.price
    return agreed


def list_all(ctx: Context) -> Sequence[Row[Any]]:
    """Return every agreed price with the names of customer and product."""
    return ctx.session.execute(ALL, tenant.params(ctx)).all()


def _agreed(ctx: Context, customer_id: str, product_id: str) -> Row[Any] | None:
    parameters = tenant.params(ctx, customer_id=customer_id, product_id=product_id)
    return ctx.session.execute(LOCKED, parameters).one_or_none()
