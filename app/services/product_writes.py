"""Create and update products, one or many at a time (contract, section 9.3).

`load` locks the products that the writes name, `decide` (`product_plans`) decides on each write, and `apply` executes
the plans, in a number of statements that does not depend on how many they are. A batch writes each product at most
once.

Not in this module: the format of the fields (the document), and changes of stock (`app/services/inventory.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context, later_than
from app.queries import tenant
from app.queries.rows import Statement, Write
from app.queries.written_rows import WrittenRow
from app.schemas import events as payloads
from app.schemas.base import given, given_or
from app.schemas.events import NewEvent
from app.schemas.products import (
    PRODUCT,
    ProductCreate,
    ProductKey,
    ProductRow,
    ProductUpdate,
    ProductUpsert,
    changed_names,
)
from app.services import audit, events, inventory, unique_values
from app.services.audit import NewEntry
from app.services.inventory import LOCKED_COLUMNS, LockedProductRow, NewStock
from app.services.product_plans import FIELDS, KEYS, Catalogue, ProductPlan, ProductWrite, decide
from app.services.products import COLUMNS, TABLE
from models import Product, searchable

# A subquery for each key: SQLite would read all products of the company to find those that have any of several keys.
NAMED = sa.union(
    *(tenant.select(TABLE.c.id).where(TABLE.c[column].in_(bindparam(f"{column}s", expanding=True))) for column in KEYS)
).subquery("named")
# In the order of the ids, as orders lock products (`inventory.py`). A join, because PostgreSQL evaluates the statement
# again for a row that a concurrent transaction has changed: it keeps the row of a join, but may not find that of `IN`.
SELECT_NAMED_FOR_UPDATE = Statement(
    LockedProductRow,
    tenant.select(*LOCKED_COLUMNS)
    .join(NAMED, TABLE.c.id == NAMED.c.id)
    .order_by(TABLE.c.id)
    .with_for_update(of=TABLE, key_share=True),
)
INSERT = Write(TABLE.insert())
UPDATE = Write(tenant.update(TABLE))
WRITTEN = WrittenRow(ProductRow, TABLE, COLUMNS)


class WrittenProduct(NamedTuple):
    """A product after a write."""

    product: ProductRow
    is_new: bool


def create(ctx: Context, draft: ProductCreate) -> ProductRow:
    """Create a product. Raises SkuTakenError and ExternalIdTakenError."""
    return _write_one(ctx, from_draft(None, draft)).product


def update(ctx: Context, product_id: str, draft: ProductUpdate) -> ProductRow:
    """Update a product. An update that changes nothing is not recorded.

    Raises NotFoundError, PreconditionFailedError, SkuTakenError and ExternalIdTakenError.
    """
    return _write_one(ctx, from_draft(ProductKey("id", product_id), draft)).product


def upsert(ctx: Context, key: ProductKey, draft: ProductUpsert) -> WrittenProduct:
    """Update the product with this key, or create it. Raises like `decide`."""
    return _write_one(ctx, from_draft(key, draft))


def from_draft(key: ProductKey | None, draft: ProductUpdate | ProductCreate) -> ProductWrite:
    """Return the write that a draft describes."""
    fields = given(draft)
    stock = given_or(draft.stock, None) if isinstance(draft, ProductCreate) else None
    return ProductWrite(key=key, fields={name: fields[name] for name in FIELDS if name in fields}, stock=stock)


def load(ctx: Context, writes: Iterable[ProductWrite]) -> Catalogue:
    """Lock and return the products that the writes name, and those that have the skus and external ids they set."""
    named: dict[str, set[object]] = {column: set() for column in KEYS}
    for write in writes:
        if write.key is not None:
            named[write.key.column].add(write.key.value)
        for column in ("sku", "external_id"):
            named[column].add(write.fields.get(column))
    parameters = {f"{column}s": [value for value in values if value is not None] for column, values in named.items()}
    return Catalogue(SELECT_NAMED_FOR_UPDATE.all(ctx.session, tenant.params(ctx, **parameters)))


def apply(ctx: Context, plans: Sequence[ProductPlan]) -> list[WrittenProduct]:
    """Execute plans, with audit entries and events, and return the products in the same order.

    Raises ConflictError if a concurrent transaction has created a product with the same sku or external id: when the
    whole transaction runs again, it finds that product.
    """
    effective = [plan for plan in plans if plan.has_effect]
    ctx = later_than(ctx, *(plan.before.updated_at for plan in effective if plan.before))
    in_order = sorted(effective, key=_unique_values)
    with unique_values.duplicates_as_conflicts(ctx):
        written = {**_insert(ctx, in_order), **_update(ctx, in_order)}
    changes = [(plan.before, written[plan.product_id]) for plan in effective]
    audit.record_all(ctx, [_audit_entry(*change) for change in changes])
    events.publish_all(ctx, [_event(*change) for change in changes])
    return [_result(plan, written) for plan in plans]


def _write_one(ctx: Context, write: ProductWrite) -> WrittenProduct:
    (written,) = apply(ctx, [decide(ctx, write, load(ctx, [write]))])
    return written


def _unique_values(plan: ProductPlan) -> tuple[str, ...]:
    """Return by what writes are ordered: one that sets the same value as a concurrent transaction waits for it.

    Two batches that set the same values in the same order cannot deadlock.
    """
    return tuple(str(plan.fields[column] or "") for column in ("sku", "external_id"))


def _insert(ctx: Context, plans: Sequence[ProductPlan]) -> dict[str, ProductRow]:
    """Insert the products that are new, after their opening rows. Return them by id."""
    inserted = [
        {
            **_columns(ctx, plan),
            "id": plan.product_id,
            "company_id": ctx.company_id,
            "stock": plan.stock,
            "event_sequence": events.FIRST_SEQUENCE,
            "created_at": ctx.now,
        }
        for plan in plans
        if plan.before is None
    ]
    if not inserted:
        return {}
    openings = [NewStock(plan.product_id, plan.stock, ctx.now) for plan in plans if plan.before is None]
    inventory.open_products(ctx, openings)
    INSERT.all(ctx.session, inserted)
    return {product.id: product for product in map(WRITTEN.inserted, inserted)}


def _update(ctx: Context, plans: Sequence[ProductPlan]) -> dict[str, ProductRow]:
    """Update the products that exist. Return them by id."""
    updated = [
        (plan.before, tenant.params(ctx, row_id=plan.product_id, **_columns(ctx, plan)))
        for plan in plans
        if plan.before is not None
    ]
    if updated:
        UPDATE.all(ctx.session, [parameters for _, parameters in updated])
    return {before.id: WRITTEN.updated(before, parameters) for before, parameters in updated}


def _columns(ctx: Context, plan: ProductPlan) -> dict[str, object]:
    texts = [None if plan.fields[name] is None else str(plan.fields[name]) for name in Product.searched]
    return {**plan.fields, "search_text": searchable(*texts), "updated_at": ctx.now}


def _audit_entry(before: ProductRow | None, after: ProductRow) -> NewEntry:
    if before is None:
        return NewEntry("product.created", "product", after.id, {"after": PRODUCT.render(after)})
    return NewEntry(
        "product.updated", "product", after.id, audit.changes(PRODUCT.render(before), PRODUCT.render(after))
    )


def _event(before: ProductRow | None, after: ProductRow) -> NewEvent:
    if before is None:
        return payloads.product_created(after)
    return payloads.product_updated(after, changed_names(before, after))


def _result(plan: ProductPlan, written: Mapping[str, ProductRow]) -> WrittenProduct:
    product: ProductRow | None = written.get(plan.product_id, plan.before)
    assert product is not None  # what has no effect is stored
    return WrittenProduct(product, is_new=plan.before is None)
