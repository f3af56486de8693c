"""The exclusive right to run an import of a company, held with a lease that its process renews.

A row of `product_imports` is the lock, because connection poolers do not keep the locks of a session. A process that
finds an expired lease takes the import over. `claims` is the fencing token: it prevents the previous process from
continuing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.context import Context
from app.errors import DatabaseUnavailableError
from app.queries import rows, tenant
from app.queries.rows import Row, Statement
from models import ImportState, ProductImport, new_id
from models.base import table

TABLE = table(ProductImport)
REQUEST_TIME = bindparam("now", type_=TABLE.c.lease_ends_at.type)
LEASE = timedelta(seconds=15)  # one step takes a second at most; after a crash, the next import waits this long


class ImportRow(Row):
    """An import that is running, or whose lease has expired."""

    id: str
    state: str
    claims: int
    applied_to: str
    created: int
    updated: int
    unchanged: int
    actor_type: str
    actor_id: str
    request_id: str


COLUMNS = rows.columns(ImportRow, TABLE)
IS_EXPIRED = TABLE.c.lease_ends_at <= REQUEST_TIME
SELECT_CURRENT = Statement(ImportRow, tenant.select(*COLUMNS))
SELECT_EXPIRED_FOR_UPDATE = Statement(
    ImportRow, tenant.select(*COLUMNS).where(IS_EXPIRED).with_for_update(skip_locked=True)
)
SELECT_COMPANIES_WITH_EXPIRED = sa.select(TABLE.c.company_id).where(IS_EXPIRED)
IS_CLAIMED = tenant.where(TABLE) & (TABLE.c.id == bindparam("row_id")) & (TABLE.c.claims == bindparam("own_claims"))
UPDATE_CLAIMED = sa.update(TABLE).where(IS_CLAIMED)
DELETE_CLAIMED = sa.delete(TABLE).where(IS_CLAIMED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to continue an import, until another process takes it over."""

    id: str
    claims: int
    state: ImportState


def acquire(ctx: Context) -> Claim | None:
    """Start an import. Return None if the company already has one."""
    if SELECT_CURRENT.one_or_none(ctx.session, tenant.params(ctx)) is not None:
        return None  # inserting a second row would wait for as long as another process updates the first one
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
    except IntegrityError:  # another process has just started one
        return None
    return Claim(id=import_id, claims=1, state=ImportState.STAGING)


def take_over(ctx: Context) -> Claim | None:
    """Claim the company's import if its lease has expired. Return None if there is no such import."""
    expired = SELECT_EXPIRED_FOR_UPDATE.one_or_none(ctx.session, tenant.params(ctx, now=ctx.now))
    if expired is None:
        return None
    state = ImportState(expired.state)
    renew(ctx, Claim(id=expired.id, claims=expired.claims, state=state), claims=expired.claims + 1)
    return Claim(id=expired.id, claims=expired.claims + 1, state=state)


def renew(ctx: Context, claim: Claim, **progress: str | int) -> None:
    """Renew the lease and save the progress. Raises DatabaseUnavailableError if another process has taken over."""
    statement = UPDATE_CLAIMED.values(lease_ends_at=ctx.now + LEASE, **progress)
    if ctx.session.connection().execute(statement, _params(ctx, claim)).rowcount != 1:
        raise DatabaseUnavailableError(
            f"The import paused for more than {LEASE.seconds} s, and another process took it over. Run it again."
        )


def load_progress(ctx: Context, claim: Claim) -> ImportRow:
    """Renew the lease until at least the end of this transaction, and return the import."""
    renew(ctx, claim)
    return SELECT_CURRENT.one(ctx.session, tenant.params(ctx))


def release(ctx: Context, claim: Claim) -> None:
    """Delete the import, so that the company can run another one."""
    ctx.session.connection().execute(DELETE_CLAIMED, _params(ctx, claim))


def companies_with_expired(session: Session, now: datetime) -> Sequence[str]:
    """Return the ids of the companies that have an import whose lease has expired."""
    return session.scalars(SELECT_COMPANIES_WITH_EXPIRED, {"now": now}).all()


def _params(ctx: Context, claim: Claim) -> dict[str, object]:
    return tenant.params(ctx, row_id=claim.id, own_claims=claim.claims)
