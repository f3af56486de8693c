"""The backlog of webhook delivery over all companies, for the operator, in `/metrics`.

It works for all companies at once, so it does not start from `app/queries/tenant.py`. What it costs does not grow with
what waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from models import AttemptCount, Delivery, Webhook
from models.base import table

COUNTED = 100_000  # deliveries at most; reading so many takes 30 to 70 ms
TABLE = table(Delivery)
WEBHOOKS = table(Webhook)
COUNTS = table(AttemptCount)
WAITS = TABLE.c.due_at.is_not(None)
NOW = bindparam("now", type_=TABLE.c.created_at.type)


def _pending() -> sa.Select[int, int]:
    """Count what waits, and how much of it is due."""
    waiting = (
        select(TABLE.c.due_at)
        .join(WEBHOOKS, WEBHOOKS.c.id == TABLE.c.webhook_id)
        .where(WAITS, WEBHOOKS.c.is_active)
        .limit(bindparam("most"))
        .subquery()
    )
    return select(func.count(), func.count().filter(waiting.c.due_at <= NOW)).select_from(waiting)


def _oldest() -> sa.Select[datetime]:
    """Find when the first delivery was due: one step into the index of what waits for each webhook."""
    first = select(func.min(TABLE.c.due_at)).where(TABLE.c.webhook_id == WEBHOOKS.c.id, WAITS).scalar_subquery()
    firsts = select(first.label("due_at")).where(WEBHOOKS.c.is_active).subquery()
    return select(func.min(firsts.c.due_at))


PENDING = _pending()
OLDEST = _oldest()
DISABLED = select(func.count()).where(sa.not_(WEBHOOKS.c.is_active), WEBHOOKS.c.deleted_at.is_(None))
ATTEMPTS = select(COUNTS.c.id, COUNTS.c.number)
COUNT = sa.text(
    "INSERT INTO attempt_counts (id, number) VALUES (:outcome, :number)"
    " ON CONFLICT (id) DO UPDATE SET number = attempt_counts.number + excluded.number"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """Figures of one moment. Deliveries of disabled webhooks are not in it."""

    due: int
    scheduled: int
    oldest_seconds: float
    disabled: int
    attempts: Mapping[str, int]


def read(session: Session, now: datetime, *, most: int = COUNTED) -> Backlog:
    """Return the figures of now; of what waits, up to `most` are counted."""
    pending, due = session.execute(PENDING, {"now": now, "most": most}).one()
    oldest = session.execute(OLDEST).scalar_one()
    counted = {row.id: row.number for row in session.execute(ATTEMPTS)}
    return Backlog(
        due=due,
        scheduled=pending - due,
        oldest_seconds=0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0),
        disabled=session.execute(DISABLED).scalar_one(),
        attempts={"succeeded": 0, "failed": 0} | counted,
    )


def count_attempts(session: Session, *, succeeded: int, failed: int) -> None:
    """Add to the attempts that ended. Last in a transaction: every worker adds to the same two rows."""
    rows = [{"outcome": "failed", "number": failed}, {"outcome": "succeeded", "number": succeeded}]
    rows = [row for row in rows if row["number"]]
    if rows:
        session.connection().execute(COUNT, rows)
