"""The entries of the audit log that are not sealed yet (contract, section 9.8).

It covers all companies, so no statement starts from `app/queries/tenant.py`. The cost is that of a few lookups for each
company, however many entries it has.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app.services.audit_seals import ENTRIES, TABLE, TIME
from models import Company
from models.base import EPOCH, table

COMPANIES = table(Company)


def _select_pending() -> sa.Select[str]:
    """Select the companies whose newest entry before `until` is not the last one that was sealed."""
    newest = (
        select(ENTRIES.c.id)
        .where(ENTRIES.c.company_id == COMPANIES.c.id, ENTRIES.c.created_at < bindparam("until", type_=TIME))
        .order_by(ENTRIES.c.created_at.desc(), ENTRIES.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    sealed = (
        select(TABLE.c.id)
        .where(TABLE.c.company_id == COMPANIES.c.id)
        .order_by(TABLE.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(COMPANIES.c.id).where(newest != func.coalesce(sealed, ""))


def _select_oldest_unsealed_time() -> sa.Select[datetime]:
    """Select the time of the oldest entry of all companies that comes after the last sealed one of its company."""
    sealed = ENTRIES.alias()
    sealed_time = select(sealed.c.created_at).where(sealed.c.id == TABLE.c.id).scalar_subquery()
    last_time = (
        select(sealed_time)
        .where(TABLE.c.company_id == COMPANIES.c.id)
        .order_by(TABLE.c.number.desc())
        .limit(1)
        .correlate(COMPANIES)
        .scalar_subquery()
    )
    is_after = ENTRIES.c.created_at > func.coalesce(last_time, sa.literal(EPOCH, TIME))
    oldest = select(func.min(ENTRIES.c.created_at)).where(ENTRIES.c.company_id == COMPANIES.c.id, is_after)
    times = select(oldest.correlate(COMPANIES).scalar_subquery().label("created_at")).select_from(COMPANIES).subquery()
    return select(func.min(times.c.created_at))


SELECT_PENDING = _select_pending()
SELECT_OLDEST_UNSEALED_TIME = _select_oldest_unsealed_time()


def pending_companies(session: Session, until: datetime) -> Sequence[str]:
    """Return the ids of the companies that may have unsealed entries from before `until`."""
    return session.scalars(SELECT_PENDING, {"until": until}).all()


def oldest_seconds(session: Session, now: datetime) -> float:
    """Return how long the oldest unsealed entry of all companies has been waiting, 0 if there is none."""
    oldest = session.execute(SELECT_OLDEST_UNSEALED_TIME).scalar_one()
    return 0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0)
