"""The backlog of webhook delivery, shown to the operator in `/metrics`.

It covers all companies, so no statement starts from `app/queries/tenant.py`. Its cost does not grow with the number of
pending deliveries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from app.queries.rows import Row, Statement
from models import AttemptCount, Delivery, Webhook
from models.base import table


class PendingRow(Row):
    """How many deliveries are pending, and how many of them are due."""

    pending: int
    due: int


class AttemptCountRow(Row):
    """How many attempts had an outcome."""

    id: str
    number: int


MAX_COUNTED = 100_000  # deliveries; counting so many takes 30 to 70 ms
TABLE = table(Delivery)
WEBHOOKS = table(Webhook)
COUNTS = table(AttemptCount)
IS_PENDING = TABLE.c.due_at.is_not(None)
REQUEST_TIME = bindparam("now", type_=TABLE.c.created_at.type)


def _select_pending() -> sa.Select[int, int]:
    """Count the pending and the due deliveries of active webhooks, up to a limit."""
    pending = (
        select(TABLE.c.due_at)
        .join(WEBHOOKS, WEBHOOKS.c.id == TABLE.c.webhook_id)
        .where(IS_PENDING, WEBHOOKS.c.is_active)
        .limit(bindparam("max_counted"))
        .subquery()
    )
    is_due = pending.c.due_at <= REQUEST_TIME
    return select(func.count().label("pending"), func.count().filter(is_due).label("due")).select_from(pending)


def _select_oldest_due_at() -> sa.Select[datetime]:
    """Select when the oldest delivery was due: the first entry of each webhook in the index of pending deliveries."""
    first = select(func.min(TABLE.c.due_at)).where(TABLE.c.webhook_id == WEBHOOKS.c.id, IS_PENDING).scalar_subquery()
    firsts = select(first.label("due_at")).where(WEBHOOKS.c.is_active).subquery()
    return select(func.min(firsts.c.due_at))


SELECT_PENDING = Statement(PendingRow, _select_pending())
SELECT_OLDEST_DUE_AT = _select_oldest_due_at()
SELECT_DISABLED_COUNT = select(func.count()).where(sa.not_(WEBHOOKS.c.is_active), WEBHOOKS.c.deleted_at.is_(None))
SELECT_ATTEMPT_COUNTS = Statement(AttemptCountRow, select(COUNTS.c.id, COUNTS.c.number))
UPSERT_ATTEMPT_COUNT = sa.text(
    "INSERT INTO attempt_counts (id, number) VALUES (:outcome, :number)"
    " ON CONFLICT (id) DO UPDATE SET number = attempt_counts.number + excluded.number"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """The deliveries of active webhooks that are due or scheduled, the disabled webhooks, and all attempts so far."""

    due: int
    scheduled: int
    oldest_seconds: float
    disabled: int
    attempts: Mapping[str, int]


def read(session: Session, now: datetime, *, max_counted: int = MAX_COUNTED) -> Backlog:
    """Return the backlog at `now`. At most `max_counted` pending deliveries are counted."""
    counts = SELECT_PENDING.one(session, {"now": now, "max_counted": max_counted})
    oldest = session.execute(SELECT_OLDEST_DUE_AT).scalar_one()
    attempts = {row.id: row.number for row in SELECT_ATTEMPT_COUNTS.all(session)}
    return Backlog(
        due=counts.due,
        scheduled=counts.pending - counts.due,
        oldest_seconds=0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0),
        disabled=session.execute(SELECT_DISABLED_COUNT).scalar_one(),
        attempts={"succeeded": 0, "failed": 0} | attempts,
    )


def count_attempts(session: Session, *, succeeded: int, failed: int) -> None:
    """Add to the counters of attempts. Call it last in a transaction: all workers update the same two rows."""
    counts = [{"outcome": "failed", "number": failed}, {"outcome": "succeeded", "number": succeeded}]
    counts = [count for count in counts if count["number"]]
    if counts:
        session.connection().execute(UPSERT_ATTEMPT_COUNT, counts)
