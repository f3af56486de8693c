"""Set price overrides, one or many at a time (contract, section 9.4).

    named = load(ctx, writes)                  # the customers, the products and the prices that the writes name
    plans = [decide(named, write), …]          # what each write does, or the reason why not
    written = apply(ctx, plans)                # the prices after the writes

The number of statements does not depend on the number of writes. A batch writes each price at most once. The products
are locked against deletion only: an order does not wait for a price, and a price does not wait for an order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Table, bindparam

from app.context import Context, later_than
from app.queries import tenant
from app.queries.rows import Row, Statement, Write
from app.queries.written_rows import Insert, WrittenRow
from app.schemas.customers import CustomerKey
from app.schemas.prices import PRICE_OVERRIDE, PriceOverrideUpsert
from app.schemas.products import ProductKey
from app.services import audit, prices, unique_values
from app.services.price_plans import NamedResources, PriceNames, PricePlan, PriceWrite, StoredPriceRow, decide
from app.services.prices import CUSTOMERS, PRODUCTS, TABLE, PriceKey, PriceTerms
from models import new_id


class CustomerKeysRow(Row):
    """A customer, with everything that may identify it."""

    id: str
    email: str
    external_id: str | None


class ProductKeysRow(Row):
    """A product, with everything that may identify it."""

    id: str
    sku: str | None
    external_id: str | None


class WrittenPrice(NamedTuple):
    """A price override after a write, and its terms before: None if it is new."""

    price: StoredPriceRow
    before: PriceTerms | None


def _select_named(table: Table, columns: Sequence[str]) -> sa.Select[Any]:
    """Select the columns, which are keys, of the rows that have one of the given keys.

    A subquery for each key: SQLite would read all rows of the company to find those that have any of several keys.
    A join, so that PostgreSQL finds the rows that a concurrent transaction is changing (`product_writes.py`).
    """
    ids = (
        tenant.select(table.c.id).where(table.c[name].in_(bindparam(f"{name}s", expanding=True))) for name in columns
    )
    named = sa.union(*ids).subquery("named")
    return tenant.select(*(table.c[name] for name in columns)).join(named, table.c.id == named.c.id)


CUSTOMER_KEYS = ("id", "email", "external_id")
PRODUCT_KEYS = ("id", "sku", "external_id")
SELECT_CUSTOMERS = Statement(CustomerKeysRow, _select_named(CUSTOMERS, CUSTOMER_KEYS))
# Locked so that no product is deleted before its price is written, in the order of the ids like all locks of products.
SELECT_PRODUCTS_FOR_SHARE = Statement(
    ProductKeysRow,
    _select_named(PRODUCTS, PRODUCT_KEYS)
    .order_by(PRODUCTS.c.id)
    .with_for_update(of=PRODUCTS, read=True, key_share=True),
)
ROW_KEY = sa.tuple_(TABLE.c.customer_id, TABLE.c.product_id)
COLUMNS = (*prices.COLUMNS, TABLE.c.id, TABLE.c.customer_id)
# In the order in which rows are inserted, so that two batches with the same prices cannot deadlock.
SELECT_PRICES_FOR_UPDATE = Statement(
    StoredPriceRow,
    tenant.select(*COLUMNS)
    .where(ROW_KEY.in_(bindparam("keys", expanding=True)))
    .order_by(TABLE.c.customer_id, TABLE.c.product_id)
    .with_for_update(),
)
INSERT = Insert(StoredPriceRow, TABLE, COLUMNS)
UPDATE = Write(tenant.update(TABLE))
WRITTEN = WrittenRow(StoredPriceRow, TABLE, COLUMNS)


def put(ctx: Context, customer_id: str, product_id: str, draft: PriceOverrideUpsert) -> WrittenPrice:
    """Set the price of a product for a customer. Setting the same price again is not recorded.

    Raises NotFoundError, which names what does not exist, PreconditionFailedError, and ConflictError like `apply`.
    """
    single = PriceWrite(CustomerKey("id", customer_id), ProductKey("id", product_id), draft)
    plan = decide(load(ctx, [single]), single)
    ctx.precondition.check(plan.before, PRICE_OVERRIDE.tag)
    (written,) = apply(ctx, [plan])
    return written


def load(ctx: Context, writes: Sequence[PriceNames]) -> NamedResources:
    """Return what the writes name. It locks the products against deletion, and the stored prices for a change."""
    customer_values = _values(CUSTOMER_KEYS, (write.customer for write in writes))
    customers = SELECT_CUSTOMERS.all(ctx.session, tenant.params(ctx, **customer_values))
    customer_ids = {CustomerKey(name, getattr(row, name)): row.id for row in customers for name in CUSTOMER_KEYS}
    product_values = _values(PRODUCT_KEYS, (write.product for write in writes))
    products = SELECT_PRODUCTS_FOR_SHARE.all(ctx.session, tenant.params(ctx, **product_values))
    product_ids = {ProductKey(name, getattr(row, name)): row.id for row in products for name in PRODUCT_KEYS}
    keys = {
        PriceKey(customer_ids[write.customer], product_ids[write.product])
        for write in writes
        if write.customer in customer_ids and write.product in product_ids
    }
    parameters = tenant.params(ctx, keys=list(keys))
    stored = SELECT_PRICES_FOR_UPDATE.all(ctx.session, parameters) if keys else ()
    return NamedResources(customer_ids, product_ids, {_key(price): price for price in stored})


def apply(ctx: Context, plans: Sequence[PricePlan]) -> list[WrittenPrice]:
    """Execute plans, with an audit entry for each change, and return the price overrides in the same order.

    Raises ConflictError if a concurrent transaction has created one of them: when the whole transaction runs again, it
    finds it.
    """
    effective = sorted((plan for plan in plans if plan.has_effect), key=lambda plan: plan.key)
    ctx = later_than(ctx, *(plan.before.updated_at for plan in effective if plan.before))
    written = {_key(price): price for price in (*_insert(ctx, effective), *_update(ctx, effective))}
    audit.record_all(ctx, [_entry(plan) for plan in plans if plan.has_effect])
    return [_result(plan, written) for plan in plans]


def _insert(ctx: Context, plans: Iterable[PricePlan]) -> Sequence[StoredPriceRow]:
    """Insert the price overrides that are new, and return them."""
    inserted = [
        {
            **plan.key._asdict(),
            **plan.after._asdict(),
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "created_at": ctx.now,
            "updated_at": ctx.now,
        }
        for plan in plans
        if plan.before is None
    ]
    if not inserted:
        return ()
    with unique_values.duplicates_as_conflicts(ctx, "price"):
        return INSERT.all(ctx.session, inserted)


def _update(ctx: Context, plans: Iterable[PricePlan]) -> Sequence[StoredPriceRow]:
    """Update the price overrides that exist, and return them."""
    updated = [
        (plan.before, tenant.params(ctx, row_id=plan.before.id, updated_at=ctx.now, **plan.after._asdict()))
        for plan in plans
        if plan.before is not None
    ]
    if updated:
        UPDATE.all(ctx.session, [parameters for _, parameters in updated])
    return [WRITTEN.updated(before, parameters) for before, parameters in updated]


def _key(price: StoredPriceRow) -> PriceKey:
    return PriceKey(price.customer_id, price.product_id)


def _values(columns: Sequence[str], keys: Iterable[CustomerKey | ProductKey]) -> dict[str, list[str]]:
    """Return the values of the keys of each column, by the name of its parameter."""
    values: dict[str, set[str]] = {column: set() for column in columns}
    for key in keys:
        values[key.column].add(key.value)
    return {f"{column}s": sorted(found) for column, found in values.items()}


def _entry(plan: PricePlan) -> audit.NewEntry:
    return prices.audit_entry("price.set", *plan.key, plan.terms_before, plan.after)


def _result(plan: PricePlan, written: Mapping[PriceKey, StoredPriceRow]) -> WrittenPrice:
    price = written.get(plan.key) or plan.before
    assert price is not None  # a plan without effect has a price before it
    return WrittenPrice(price, plan.terms_before)
