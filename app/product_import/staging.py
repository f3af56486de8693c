"""The changes that an import has found: staged in small parts, applied together, then removed.

A staged change is invisible outside the import. Applying is a few statements for a thousand of them, under the locks of
the products, which are taken in the order of their ids as orders do (`app/services/inventory.py`).
Not here: in which order things happen, and in how many transactions (`importer`); who may do it (`lease`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam

from app.context import Context
from app.product_import import comparison, lease
from app.product_import.comparison import SEEN, Change
from app.product_import.lease import TABLE as IMPORTS
from app.product_import.lease import Claim
from app.product_import.product_file import FIELDS, Record
from app.queries import search_index, tenant
from app.services import audit
from app.services.inventory import LATER, NOW
from app.services.products import TABLE as PRODUCTS
from models import ImportState, ProductImportRow, new_id, searchable
from models.base import table

ROWS = table(ProductImportRow)
AT_ONCE = 1_000  # rows of one round of statements: about 10 ms of SQLite, 50 ms of PostgreSQL
NEW, KNOWN = "a", "c"  # what a place begins with: new products come first, since no order waits for them

OWN = tenant.where(ROWS) & (ROWS.c.import_id == bindparam("import_id"))
AFTER = OWN & (ROWS.c.place > bindparam("after"))
PART = AFTER & (ROWS.c.place <= bindparam("last"))
NEXT_PLACES = sa.select(ROWS.c.place).where(AFTER).order_by(ROWS.c.place).limit(AT_ONCE)
SAME_PRODUCT = tenant.where(PRODUCTS) & (PRODUCTS.c.id == ROWS.c.product_id)
SAME_SKU = tenant.where(PRODUCTS) & (PRODUCTS.c.sku == ROWS.c.sku)
IS_STALE = (PRODUCTS.c.stock != ROWS.c.seen_stock) | (PRODUCTS.c.updated_at != ROWS.c.seen_updated_at)
STAGED = [
    ROWS.c.given,
    ROWS.c.id.label("row_id"),
    ROWS.c.product_id,
    ROWS.c.search_text,
    ROWS.c.is_new,
    *SEEN,
]
LOCKED: sa.Select[Any] = (
    sa.select(*STAGED, IS_STALE.label("is_stale"))
    .join(PRODUCTS, SAME_PRODUCT)
    .where(PART)
    .order_by(PRODUCTS.c.id)
    .with_for_update(of=PRODUCTS, key_share=True)
)
# A subquery for each row: PostgreSQL does not know that this transaction has created products, and would read them all.
IS_TAKEN = sa.select(PRODUCTS.c.id).where(SAME_SKU).scalar_subquery().is_not(None)
TAKEN = sa.select(ROWS.c.id).where(PART, IS_TAKEN)
TAKEN_NOW: sa.Select[Any] = (
    sa.select(*STAGED)
    .join(PRODUCTS, SAME_SKU)
    .where(tenant.where(ROWS), ROWS.c.id.in_(bindparam("ids", expanding=True)))
)
VALUES = [*(field for field in FIELDS.values() if field != "sku"), "search_text"]
CREATED = ["id", "company_id", "sku", *VALUES, "created_at", "updated_at"]
CREATE = (
    PRODUCTS.insert()
    .from_select(
        CREATED,
        sa.select(ROWS.c.product_id, ROWS.c.company_id, ROWS.c.sku, *(ROWS.c[name] for name in VALUES), NOW, NOW)
        .where(PART)
        .order_by(ROWS.c.place),
    )
    .execution_options(preserve_rowcount=True)
)
UPDATE = (
    sa.update(PRODUCTS)
    .where(SAME_PRODUCT, PART)
    .values({name: ROWS.c[name] for name in VALUES} | {"updated_at": LATER})
)
AUDITED = {
    "id": ROWS.c.id,
    "company_id": ROWS.c.company_id,
    "action": sa.case((ROWS.c.is_new, "product.created"), else_="product.updated"),
    "actor_type": IMPORTS.c.actor_type,
    "actor_id": IMPORTS.c.actor_id,
    "entity_type": sa.literal("product"),
    "entity_id": ROWS.c.product_id,
    "details": ROWS.c.details,
    "request_id": IMPORTS.c.request_id,
    "created_at": NOW,
}
AUDIT = audit.TABLE.insert().from_select(
    list(AUDITED), sa.select(*AUDITED.values()).join(IMPORTS, IMPORTS.c.id == ROWS.c.import_id).where(PART)
)


def stage(ctx: Context, claimed: Claim, changes: Sequence[Change]) -> None:
    """Keep changes until they are applied, and renew the lease."""
    lease.keep(ctx, claimed)
    if not changes:
        return
    rows = [_row(ctx, claimed, each) for each in changes]
    connection = ctx.session.connection()
    connection.execute(ROWS.insert(), rows)
    search_index.prepare(connection, PRODUCTS.name, _texts(row for row in rows if row["is_new"]))


def finish_staging(ctx: Context, claimed: Claim, unchanged: int) -> None:
    """Note how many rows of the file need no change, and let PostgreSQL count the others before it plans with them."""
    lease.keep(ctx, claimed, unchanged=unchanged)
    connection = ctx.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"ANALYZE {ROWS.name}"))


def blocks_others(ctx: Context, last: str) -> bool:
    """Return whether orders may wait for a transaction that applies the part up to a place."""
    return last[0] == KNOWN or ctx.session.connection().dialect.name == "sqlite"


def next_part(ctx: Context, claimed: Claim, after: str) -> str:
    """Return the place of the last change of the next part, all of a kind; an empty text when there is none."""
    places = ctx.session.connection().scalars(NEXT_PLACES, tenant.params(ctx, import_id=claimed.id, after=after)).all()
    return max((place for place in places if place[0] == places[0][0]), default="")


def apply(ctx: Context, claimed: Claim, after: str, last: str) -> Counter[str]:
    """Make the changes of a part, with an audit entry for each; return how many products were created and so on.

    A product that was changed since it was compared is compared again, under its lock.
    """
    part = tenant.params(ctx, import_id=claimed.id, after=after, last=last, now=ctx.now)
    connection = ctx.session.connection()
    if last[0] == NEW:
        taken = connection.scalars(TAKEN, part).all()
        now_known = ctx.session.execute(TAKEN_NOW, tenant.params(ctx, ids=taken)).all() if taken else []
        counts = Counter(_correct(ctx, now_known))
        counts["created"] = connection.execute(CREATE, part).rowcount
    else:
        locked = ctx.session.execute(LOCKED, part).all()
        counts = Counter(_correct(ctx, (row for row in locked if row.is_stale)))
        counts["updated"] = connection.execute(UPDATE, part).rowcount
    connection.execute(AUDIT, part)
    return counts


def discard(ctx: Context, claimed: Claim) -> bool:
    """Remove some of the staged rows, and at last the import; return whether nothing is left to do.

    An import that is being applied stays, for the process that takes it over.
    """
    state = lease.progress(ctx, claimed).state
    if state == ImportState.APPLYING:
        return True
    connection = ctx.session.connection()
    columns = (ROWS.c.place, ROWS.c.product_id, ROWS.c.search_text, ROWS.c.is_new)
    statement = sa.select(*columns).where(OWN).order_by(ROWS.c.place).limit(AT_ONCE)
    rows = connection.execute(statement, tenant.params(ctx, import_id=claimed.id)).mappings().all()
    if not rows:
        lease.end(ctx, claimed)
        return True
    if state == ImportState.STAGING:
        search_index.withdraw(connection, PRODUCTS.name, _texts(row for row in rows if row["is_new"]))
    part = tenant.params(ctx, import_id=claimed.id, after="", last=rows[-1]["place"])
    connection.execute(sa.delete(ROWS).where(PART), part)
    return False


def _row(ctx: Context, claimed: Claim, each: Change) -> Record:
    """Return the row that stages a change."""
    entry_id = new_id(ctx.now)
    product_id = new_id(ctx.now) if each.found is None else each.found.id
    identity = {"id": entry_id, "company_id": ctx.company_id, "import_id": claimed.id, "product_id": product_id}
    return identity | _content(each, product_id)


def _content(each: Change, product_id: str) -> Record:
    """Return what a staged row says of its product, and where it stands among the others."""
    is_new = each.found is None
    action = "product.created" if is_new else "product.updated"
    return {
        **each.values,
        "search_text": searchable(each.values["name"], each.values["sku"], each.values["category"]),
        "place": (NEW if is_new else KNOWN) + product_id[1:],
        "is_new": is_new,
        "seen_stock": None if each.found is None else each.found.stock,
        "seen_updated_at": None if each.found is None else each.found.updated_at,
        "given": {name: str(value) if isinstance(value, Decimal) else value for name, value in each.given.items()},
        "details": audit.fitting(action, "product", product_id, each.details),
    }


def _correct(ctx: Context, rows: Iterable[Row[Any]]) -> Iterator[str]:
    """Compare products again that are not as they were seen, and correct what is staged.

    Yields "unchanged" for each that needs no change any more.
    """
    connection = ctx.session.connection()
    for row in rows:
        again = comparison.change({**row.given, "price": Decimal(row.given["price"])}, row)
        own = tenant.params(ctx, row_id=row.row_id)
        if again is None:
            connection.execute(sa.delete(ROWS).where(tenant.where(ROWS), ROWS.c.id == bindparam("row_id")), own)
            yield "unchanged"
        else:
            connection.execute(tenant.update(ROWS).values(product_id=row.id, **_content(again, row.id)), own)
        if row.is_new:  # its sku was taken meanwhile: it has moved to a later part, as a change of that product
            search_index.withdraw(connection, PRODUCTS.name, {row.product_id: row.search_text})


def _texts(rows: Iterable[Mapping[Any, Any]]) -> dict[str, str]:
    return {row["product_id"]: row["search_text"] for row in rows}
