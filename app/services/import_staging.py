"""Imports that run, and the changes that they have found: staged in small parts, applied together, then removed.

A staged change is invisible to everybody else. Applying is a few statements for a thousand of them, under the locks of
the products, which are taken in the order of their ids as orders do (`app/services/inventory.py`).
Not here: in which order things happen, and in how many transactions (`app/services/imports.py`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import search_index
from app.context import Context
from app.errors import DatabaseUnavailableError
from app.services import audit, import_changes
from app.services.import_changes import SEEN, Change
from app.services.inventory import LATER, NOW
from app.services.products import TABLE as PRODUCTS
from app.services.sheets import FIELDS, Record
from app.services.tenant import bound, change, mine, owned
from models import ImportState, ProductImport, ProductImportRow, new_id, searchable
from models.base import table

IMPORTS = table(ProductImport)
ROWS = table(ProductImportRow)
LEASE = timedelta(seconds=15)  # a step takes a second at most; whoever comes after a process that was killed waits
AT_ONCE = 1_000  # rows of one round of statements: about 10 ms of SQLite, 50 ms of PostgreSQL
NEW, KNOWN = "a", "c"  # what a place begins with: new products come first, since nobody waits for them

CURRENT = owned(*IMPORTS.c)
LEFT_BEHIND = CURRENT.where(IMPORTS.c.lease_ends_at <= NOW).with_for_update(skip_locked=True)
CLAIMED = (IMPORTS.c.id == bindparam("row_id")) & (IMPORTS.c.claims == bindparam("own_claims"))
OWN = mine(ROWS) & (ROWS.c.import_id == bindparam("import_id"))
AFTER = OWN & (ROWS.c.place > bindparam("after"))
PART = AFTER & (ROWS.c.place <= bindparam("last"))
NEXT_PLACES = sa.select(ROWS.c.place).where(AFTER).order_by(ROWS.c.place).limit(AT_ONCE)
SAME_PRODUCT = (PRODUCTS.c.company_id == ROWS.c.company_id) & (PRODUCTS.c.id == ROWS.c.product_id)
SAME_SKU = (PRODUCTS.c.company_id == ROWS.c.company_id) & (PRODUCTS.c.sku == ROWS.c.sku)
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
TAKEN: sa.Select[Any] = sa.select(*STAGED).join(PRODUCTS, SAME_SKU).where(PART)
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
    .where(mine(PRODUCTS), SAME_PRODUCT, PART)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to go on with an import, until somebody else claims it."""

    id: str
    claims: int
    state: ImportState


def begin(ctx: Context) -> Claim | None:
    """Begin an import; None while the company has one."""
    import_id = new_id(ctx.now)
    row = {
        "id": import_id,
        "company_id": ctx.company_id,
        "lease_ends_at": ctx.now + LEASE,
        "actor_type": ctx.actor.type,
        "actor_id": ctx.actor.id,
        "request_id": ctx.request_id,
    }
    try:
        with ctx.session.begin_nested():
            ctx.session.connection().execute(IMPORTS.insert(), row)
    except IntegrityError:
        return None
    return Claim(id=import_id, claims=1, state=ImportState.STAGING)


def take_over(ctx: Context) -> Claim | None:
    """Claim the import that a process left behind; None when there is none, or when its process goes on."""
    left = ctx.session.connection().execute(LEFT_BEHIND, bound(ctx, now=ctx.now)).one_or_none()
    if left is None:
        return None
    state = ImportState(left.state)
    keep(ctx, Claim(id=left.id, claims=left.claims, state=state), claims=left.claims + 1)
    return Claim(id=left.id, claims=left.claims + 1, state=state)


def keep(ctx: Context, claimed: Claim, **values: Any) -> None:
    """Renew the lease, and note how far the import is. Raises DatabaseUnavailableError when somebody took over."""
    statement = sa.update(IMPORTS).where(mine(IMPORTS), CLAIMED).values(lease_ends_at=ctx.now + LEASE, **values)
    if ctx.session.connection().execute(statement, _own(ctx, claimed)).rowcount != 1:
        raise DatabaseUnavailableError(
            f"The import stood still for more than {LEASE.seconds} s, and another command took its place. Run it again."
        )


def stage(ctx: Context, claimed: Claim, changes: Sequence[Change]) -> None:
    """Keep changes until they are applied, and renew the lease."""
    keep(ctx, claimed)
    if not changes:
        return
    rows = [_row(ctx, claimed, each) for each in changes]
    connection = ctx.session.connection()
    connection.execute(ROWS.insert(), rows)
    search_index.prepare(connection, PRODUCTS.name, _texts(row for row in rows if row["is_new"]))


def finish_staging(ctx: Context, claimed: Claim, unchanged: int) -> None:
    """Note how many rows of the file need no change, and let PostgreSQL count the others before it plans with them."""
    keep(ctx, claimed, unchanged=unchanged)
    connection = ctx.session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"ANALYZE {ROWS.name}"))


def progress(ctx: Context, claimed: Claim) -> Row[Any]:
    """Renew the lease, which lasts at least until the end of this transaction; return how far the import is."""
    keep(ctx, claimed)
    return ctx.session.connection().execute(CURRENT, bound(ctx)).one()


def blocks_others(ctx: Context, last: str) -> bool:
    """Tell whether orders may wait for a transaction that applies the part up to a place."""
    return last[0] == KNOWN or ctx.session.connection().dialect.name == "sqlite"


def next_part(ctx: Context, claimed: Claim, after: str) -> str:
    """Return the place of the last change of the next part, all of a kind; an empty text when there is none."""
    places = ctx.session.connection().scalars(NEXT_PLACES, bound(ctx, import_id=claimed.id, after=after)).all()
    return max((place for place in places if place[0] == places[0][0]), default="")


def apply(ctx: Context, claimed: Claim, after: str, last: str) -> Counter[str]:
    """Make the changes of a part, with an audit entry for each; return how many products were created and so on.

    A product that was changed since it was compared is compared again, under its lock.
    """
    part = bound(ctx, import_id=claimed.id, after=after, last=last, now=ctx.now)
    connection = ctx.session.connection()
    if last[0] == NEW:
        counts = Counter(_correct(ctx, ctx.session.execute(TAKEN, part)))
        counts["created"] = connection.execute(CREATE, part).rowcount
    else:
        locked = ctx.session.execute(LOCKED, part).all()
        counts = Counter(_correct(ctx, (row for row in locked if row.is_stale)))
        counts["updated"] = connection.execute(UPDATE, part).rowcount
    connection.execute(AUDIT, part)
    return counts


def discard(ctx: Context, claimed: Claim) -> bool:
    """Remove some of the staged rows, and at last the import; tell whether nothing is left to do.

    An import that is being applied stays: whoever takes it over goes on with it.
    """
    state = progress(ctx, claimed).state
    if state == ImportState.APPLYING:
        return True
    connection = ctx.session.connection()
    columns = (ROWS.c.place, ROWS.c.product_id, ROWS.c.search_text, ROWS.c.is_new)
    statement = sa.select(*columns).where(OWN).order_by(ROWS.c.place).limit(AT_ONCE)
    rows = connection.execute(statement, bound(ctx, import_id=claimed.id)).mappings().all()
    if not rows:
        connection.execute(sa.delete(IMPORTS).where(mine(IMPORTS), CLAIMED), _own(ctx, claimed))
        return True
    if state == ImportState.STAGING:
        search_index.withdraw(connection, PRODUCTS.name, _texts(row for row in rows if row["is_new"]))
    part = bound(ctx, import_id=claimed.id, after="", last=rows[-1]["place"])
    connection.execute(sa.delete(ROWS).where(PART), part)
    return False


def left_behind(session: Session, now: datetime) -> Sequence[str]:
    """Return the ids of the companies whose import was left behind by its process."""
    statement = sa.select(IMPORTS.c.company_id).where(IMPORTS.c.lease_ends_at <= NOW)
    return session.scalars(statement, {"now": now}).all()


def _own(ctx: Context, claimed: Claim) -> dict[str, Any]:
    return bound(ctx, row_id=claimed.id, own_claims=claimed.claims)


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
        again = import_changes.change({**row.given, "price": Decimal(row.given["price"])}, row)
        own = bound(ctx, row_id=row.row_id)
        if again is None:
            connection.execute(sa.delete(ROWS).where(mine(ROWS), ROWS.c.id == bindparam("row_id")), own)
            yield "unchanged"
        else:
            connection.execute(change(ROWS).values(product_id=row.id, **_content(again, row.id)), own)
        if row.is_new:  # its sku was taken meanwhile: it has moved to a later part, as a change of that product
            search_index.withdraw(connection, PRODUCTS.name, {row.product_id: row.search_text})


def _texts(rows: Iterable[Mapping[Any, Any]]) -> dict[str, str]:
    return {row["product_id"]: row["search_text"] for row in rows}
