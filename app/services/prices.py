"""Price overrides: list, get and delete (contract, section 9.4).

Not in this module: setting prices (`app/services/price_writes.py`), and what an order costs
(`app/services/pricing.py`).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, NoReturn

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context, later_than
from app.errors import NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import AnyColumn, Parameters, Row, Statement
from app.schemas import price_breaks
from app.schemas.base import timestamp
from app.schemas.prices import PRICE_OVERRIDE, PriceOverrideRow
from app.schemas.times import parse_time
from app.services import audit, customers, products
from app.services.audit import NewEntry
from models import Customer, PriceBreak, PriceOverride, Product
from models.base import table


class PriceKey(NamedTuple):
    """The customer and the product of a price override, which identify it."""

    customer_id: str
    product_id: str


class PriceTerms(NamedTuple):
    """The terms of a price override: what a write of it sets."""

    price: Decimal
    price_breaks: tuple[PriceBreak, ...]


class SinglePriceRow(PriceOverrideRow):
    """A price override with the id of its row."""

    id: str


class NamedPriceOverrideRow(Row):
    """A price override with the names of its customer and product."""

    price: Decimal
    price_breaks: tuple[PriceBreak, ...]
    customer: str  # its email
    sku: str | None
    product: str
    catalogue_price: Decimal
    customer_id: str
    product_id: str


class DeletedPriceOverrideRow(Row):
    """A price override that was deleted."""

    customer_id: str
    product_id: str
    price: Decimal
    price_breaks: tuple[PriceBreak, ...]
    created_at: datetime


TABLE = table(PriceOverride)
CUSTOMERS = table(Customer)
PRODUCTS = table(Product)
UPDATED_AT = sa.func.coalesce(TABLE.c.updated_at, TABLE.c.created_at).label("updated_at")
COLUMNS: Sequence[AnyColumn] = [
    UPDATED_AT if name == "updated_at" else TABLE.c[name] for name in rows.names(PriceOverrideRow)
]
IS_OF_CUSTOMER = TABLE.c.customer_id == bindparam("customer_id")
IS_OF_PRODUCT = TABLE.c.product_id == bindparam("product_id")
SELECT_BY_KEY = tenant.select(*COLUMNS, TABLE.c.id).where(IS_OF_CUSTOMER, IS_OF_PRODUCT)
SELECT_ONE = Statement(SinglePriceRow, SELECT_BY_KEY)
SELECT_ONE_FOR_UPDATE = Statement(SinglePriceRow, SELECT_BY_KEY.with_for_update())
REMOVED = "price.removed"
ENTRIES = audit.TABLE
# The newest entry first. The index of the customer finds it: a customer has few entries, an action may have many.
SELECT_REMOVAL = (
    tenant.select(ENTRIES.c.details)
    .where(
        ENTRIES.c.entity_id == bindparam("customer_id"),
        listing.without_index(ENTRIES.c.action) == REMOVED,
        ENTRIES.c.details["productId"].as_string() == bindparam(listing.CURSOR),
    )
    .order_by(ENTRIES.c.created_at.desc(), ENTRIES.c.id.desc())
    .limit(1)
)


def _find_removed(ctx: Context, parameters: Parameters) -> datetime | None:
    """Return when the price that was removed last, of this customer and product, had been created."""
    details = ctx.session.execute(SELECT_REMOVAL, parameters).scalar_one_or_none() or {}
    return parse_time(details["createdAt"]) if "createdAt" in details else None


LISTING = listing.Listing(
    PriceOverrideRow,
    TABLE,
    filters={},
    parent={"customer_id": IS_OF_CUSTOMER},
    key="product_id",
    columns=COLUMNS,
    find_deleted=_find_removed,
)
SELECT_NAMED = (
    tenant.select(
        TABLE.c.price,
        TABLE.c.price_breaks,
        CUSTOMERS.c.email.label("customer"),
        PRODUCTS.c.sku,
        PRODUCTS.c.name.label("product"),
        PRODUCTS.c.price.label("catalogue_price"),
        TABLE.c.customer_id,
        TABLE.c.product_id,
    )
    .join(CUSTOMERS, CUSTOMERS.c.id == TABLE.c.customer_id)
    .join(PRODUCTS, PRODUCTS.c.id == TABLE.c.product_id)
)
SELECT_ALL = Statement(NamedPriceOverrideRow, SELECT_NAMED.order_by(CUSTOMERS.c.email, PRODUCTS.c.name, TABLE.c.id))
KEY_PAGE = 1_000
IS_AFTER = sa.tuple_(TABLE.c.customer_id, TABLE.c.product_id) > sa.tuple_(
    bindparam("customer_id", type_=TABLE.c.customer_id.type), bindparam("product_id", type_=TABLE.c.product_id.type)
)
SELECT_PAGE_AFTER = Statement(
    NamedPriceOverrideRow,
    SELECT_NAMED.where(IS_AFTER).order_by(TABLE.c.customer_id, TABLE.c.product_id).limit(KEY_PAGE),
)
SELECT_COUNT = sa.select(sa.func.count()).where(tenant.where(TABLE))
DELETE = sa.delete(TABLE).where(tenant.where(TABLE), IS_OF_PRODUCT)
RETURNED = [TABLE.c[name] for name in rows.names(DeletedPriceOverrideRow)]
DELETE_ONE = Statement(DeletedPriceOverrideRow, DELETE.where(IS_OF_CUSTOMER).returning(*RETURNED))
DELETE_OF_PRODUCT = Statement(DeletedPriceOverrideRow, DELETE.returning(*RETURNED))


def page(
    ctx: Context, customer_id: str, *, limit: int = 50, cursor: str | None = None
) -> listing.Page[PriceOverrideRow]:
    """Return a page of a customer's price overrides, newest first. Its cursor is the id of the last product.

    Raises NotFoundError if the company has no such customer.
    """
    customers.get(ctx, customer_id)
    return LISTING.page(ctx, limit=limit, cursor=cursor, customer_id=customer_id)


def get(ctx: Context, customer_id: str, product_id: str) -> SinglePriceRow:
    """Return the price of a product for a customer. Raises NotFoundError, which names what does not exist."""
    parameters = tenant.params(ctx, customer_id=customer_id, product_id=product_id)
    return SELECT_ONE.one_or_none(ctx.session, parameters) or _not_found(ctx, customer_id, product_id)


def delete(ctx: Context, customer_id: str, product_id: str) -> DeletedPriceOverrideRow:
    """Delete a price override and return it.

    Raises NotFoundError, which names what does not exist, and PreconditionFailedError.
    """
    parameters = tenant.params(ctx, customer_id=customer_id, product_id=product_id)
    price = SELECT_ONE_FOR_UPDATE.one_or_none(ctx.session, parameters) or _not_found(ctx, customer_id, product_id)
    ctx.precondition.check(price, PRICE_OVERRIDE.tag)
    deleted = DELETE_ONE.one(ctx.session, parameters)
    audit.record_all(later_than(ctx, price.updated_at), [_removal(deleted)])
    return deleted


def delete_of_product(ctx: Context, product_id: str) -> None:
    """Delete every price override of a product that is deleted."""
    deleted = DELETE_OF_PRODUCT.all(ctx.session, tenant.params(ctx, product_id=product_id))
    audit.record_all(ctx, [_removal(price) for price in sorted(deleted)])


def list_all(ctx: Context) -> Sequence[NamedPriceOverrideRow]:
    """Return every price override of the company, by customer and product."""
    return SELECT_ALL.all(ctx.session, tenant.params(ctx))


def count(ctx: Context) -> int:
    """Return the number of price overrides of the company."""
    return int(ctx.session.execute(SELECT_COUNT, tenant.params(ctx)).scalar_one())


def page_after(ctx: Context, after: PriceKey) -> Sequence[NamedPriceOverrideRow]:
    """Return the next KEY_PAGE price overrides of the company after a key, in the order of their keys."""
    return SELECT_PAGE_AFTER.all(ctx.session, tenant.params(ctx, **after._asdict()))


def audit_entry(
    action: str, customer_id: str, product_id: str, before: PriceTerms | None, after: PriceTerms | None
) -> NewEntry:
    """Return the audit entry of a change: the price before and after it, and the price breaks if there are any."""
    versions = {"before": before, "after": after}
    amounts = {name: None if terms is None else f"{terms.price:.2f}" for name, terms in versions.items()}
    breaks = {name: price_breaks.render(terms.price_breaks if terms else ()) for name, terms in versions.items()}
    details = {"productId": product_id, **amounts, **({"priceBreaks": breaks} if any(breaks.values()) else {})}
    return NewEntry(action, "customer", customer_id, details)


def _removal(deleted: DeletedPriceOverrideRow) -> NewEntry:
    """Return the audit entry of a removal, with the position of the price in its list for `_find_removed`."""
    before = PriceTerms(deleted.price, deleted.price_breaks)
    entry = audit_entry(REMOVED, deleted.customer_id, deleted.product_id, before, None)
    return entry._replace(details={**entry.details, "createdAt": timestamp(deleted.created_at)})


def _not_found(ctx: Context, customer_id: str, product_id: str) -> NoReturn:
    """Raise NotFoundError for the customer, the product or the price, whichever does not exist."""
    customers.get(ctx, customer_id)
    products.get(ctx, product_id)
    raise NotFoundError("Price")
