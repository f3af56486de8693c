"""The right to run an import: at most one of a company at a time, held by a lease that its process renews.

A row of `product_imports` is the lock, because connection poolers do not keep the locks of a session. A process
that finds an expired lease takes the import over; `claims` is the fence that keeps its former process from going on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.errors import DatabaseUnavailableError
from app.queries import tenant
from app.services.inventory import NOW
from models import ImportState, ProductImport, new_id
from models.base import table

TABLE = table(ProductImport)
LEASE = timedelta(seconds=15)  # a step takes a second at most; the next import waits for it when a process is killed
CURRENT = tenant.select(*TABLE.c)
LEFT_BEHIND = CURRENT.where(TABLE.c.lease_ends_at <= NOW).with_for_update(skip_locked=True)
CLAIMED = (TABLE.c.id == bindparam("row_id")) & (TABLE.c.claims == bindparam("own_claims"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to go on with an import, until another process claims it."""

    id: str
    claims: int
    state: ImportState


def begin(ctx: Context) -> Claim | None:
    """Begin an import; None while the company has one."""
    if ctx.session.connection().execute(CURRENT, tenant.params(ctx)).one_or_none() is not None:
        return None  # to insert a second row would wait for as long as the first one is being updated
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
            ctx.session.connection().execute(TABLE.insert(), row)
    except IntegrityError:  # another process began at the same moment
        return None
    return Claim(id=import_id, claims=1, state=ImportState.STAGING)


def take_over(ctx: Context) -> Claim | None:
    """Claim the import that a process left behind; None when there is none, or when its process goes on."""
    left = ctx.session.connection().execute(LEFT_BEHIND, tenant.params(ctx, now=ctx.now)).one_or_none()
    if left is None:
        return None
    state = ImportState(left.state)
    keep(ctx, Claim(id=left.id, claims=left.claims, state=state), claims=left.claims + 1)
    return Claim(id=left.id, claims=left.claims + 1, state=state)


def keep(ctx: Context, claimed: Claim, **values: Any) -> None:
    """Renew the lease, and note how far the import is. Raises DatabaseUnavailableError after a take-over."""
    statement = sa.update(TABLE).where(tenant.where(TABLE), CLAIMED).values(lease_ends_at=ctx.now + LEASE, **values)
    if ctx.session.connection().execute(statement, _own(ctx, claimed)).rowcount != 1:
        raise DatabaseUnavailableError(
            f"The import stood still for more than {LEASE.seconds} s, and another command took its place. Run it again."
        )


def progress(ctx: Context, claimed: Claim) -> Row[Any]:
    """Renew the lease, which lasts at least until the end of this transaction; return how far the import is."""
    keep(ctx, claimed)
    return ctx.session.connection().execute(CURRENT, tenant.params(ctx)).one()


def end(ctx: Context, claimed: Claim) -> None:
    """Let the company run another import."""
    ctx.session.connection().execute(sa.delete(TABLE).where(tenant.where(TABLE), CLAIMED), _own(ctx, claimed))


def left_behind(session: Session, now: datetime) -> Sequence[str]:
    """Return the ids of the companies whose import was left behind by its process."""
    statement = sa.select(TABLE.c.company_id).where(TABLE.c.lease_ends_at <= NOW)
    return session.scalars(statement, {"now": now}).all()


def _own(ctx: Context, claimed: Claim) -> dict[str, Any]:
    return tenant.params(ctx, row_id=claimed.id, own_claims=claimed.claims)
