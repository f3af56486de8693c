"""The queue that the deliveries table is: what waits, who takes it, how it went (contract, section 8.2).

A delivery is taken by moving its `due_at` one lease ahead: a worker that dies or stalls loses it to another one when
the lease is over. `claims` is the fence: only who took a delivery last may record how it went. It works for all
companies at once, so it does not start from `app/queries/tenant.py`; what it changes it names by id.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.orm import Session

from app.context import Context
from app.delivery import retry
from app.delivery.sender import Result
from app.services import backlog, webhooks
from app.services.companies import SYSTEM
from models import Delivery, Event, Webhook, new_id
from models.base import table

TABLE = table(Delivery)
WEBHOOKS = table(Webhook)
EVENTS = table(Event)
MOMENT = TABLE.c.created_at.type
NOW = bindparam("now", type_=MOMENT)
WAITS = TABLE.c.due_at.is_not(None)
IS_DUE = WAITS & (TABLE.c.due_at <= NOW)


def _due_webhooks() -> sa.Select[Any]:
    """Select the active webhooks with something due.

    It leaps from one webhook to the next in the index of what waits, so it costs the same however much waits.
    """
    first = select(func.min(TABLE.c.webhook_id).label("id")).where(WAITS)
    each = first.cte("each", recursive=True)
    following = select(func.min(TABLE.c.webhook_id)).where(WAITS, TABLE.c.webhook_id > each.c.id).scalar_subquery()
    each = each.union_all(select(following).where(each.c.id.is_not(None)))
    something_is_due = sa.exists().where(TABLE.c.webhook_id == each.c.id, IS_DUE)
    return select(WEBHOOKS.c.id).join(each, each.c.id == WEBHOOKS.c.id).where(WEBHOOKS.c.is_active, something_is_due)


DUE_WEBHOOKS = _due_webhooks()
PICKED = (
    select(TABLE.c.id)
    .where(TABLE.c.webhook_id == bindparam("own_id"), IS_DUE)
    .order_by(TABLE.c.due_at, TABLE.c.id)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("picked")
)
TAKE = (
    update(TABLE)
    .where(TABLE.c.id.in_(select(PICKED.c.id)))
    .values(due_at=bindparam("lease_ends", type_=MOMENT), claims=TABLE.c.claims + 1)
    .returning(TABLE.c.id)
)
JOBS = (
    select(
        *(TABLE.c[name] for name in ("id", "company_id", "webhook_id", "event_id", "event", "attempt", "claims")),
        *(WEBHOOKS.c[name] for name in ("url", "secret", "previous_secret", "secret_rotation_grace_expires_at")),
        WEBHOOKS.c.older_secrets,
        WEBHOOKS.c.failing_since,
        EVENTS.c.payload,
        EVENTS.c.request_id,
    )
    .join(WEBHOOKS, WEBHOOKS.c.id == TABLE.c.webhook_id)
    .join(EVENTS, EVENTS.c.id == TABLE.c.event_id)
    .where(TABLE.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(TABLE.c.created_at, TABLE.c.id)
)
# What it sets is what it is given beyond these two.
OVER = update(TABLE).where(TABLE.c.id == bindparam("own_id"), TABLE.c.claims == bindparam("own_claims"), WAITS)
OWN = WEBHOOKS.c.id == bindparam("own_id")
WELL = update(WEBHOOKS).where(OWN, WEBHOOKS.c.failing_since.is_not(None)).values(failing_since=None)
FAILING = update(WEBHOOKS).where(OWN, WEBHOOKS.c.failing_since.is_(None)).values(failing_since=NOW)

UNRECORDED = "The answer could not be stored."

Job = Row[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How one attempt went."""

    job: Job
    result: Result
    attempted_at: datetime

    def without_answer(self) -> "Outcome":
        """Return what is left to record when the database refuses what the receiver sent: whether it arrived."""
        error = self.result.error and UNRECORDED
        return replace(self, result=replace(self.result, body=UNRECORDED, error=error, retry_after=None))


def due_webhooks(session: Session, now: datetime) -> Sequence[str]:
    """Return the ids of the active webhooks that something is due for."""
    return session.scalars(DUE_WEBHOOKS, {"now": now}).all()


def take(session: Session, counts: Mapping[str, int], now: datetime, lease: timedelta) -> Sequence[Job]:
    """Take up to so many due deliveries of each webhook until the lease is over."""
    ids: list[str] = []
    for webhook_id, count in counts.items():
        values = {"own_id": webhook_id, "count": count, "now": now, "lease_ends": now + lease}
        ids += session.scalars(TAKE, values)
    return list(session.execute(JOBS, {"ids": ids})) if ids else []


def record(session: Session, outcomes: Iterable[Outcome], now: datetime, waits: Sequence[int]) -> None:
    """Note how attempts went, and queue the next attempt of those that failed and have one left in `waits` (seconds).

    What somebody else has taken since is theirs to record, and stays as it is.
    """
    ordered = sorted(outcomes, key=lambda each: str(each.job.id))
    arrived = [each for each in ordered if each.result.succeeded]
    if arrived:
        connection = session.connection()
        connection.execute(OVER, [_values(each, next_attempt_at=None) for each in arrived])
        ids = sorted({each.job.webhook_id for each in arrived})
        connection.execute(WELL, [{"own_id": webhook_id} for webhook_id in ids])
    for each in ordered:
        if not each.result.succeeded:
            _record_failure(session, each, now, waits)


def count(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Add attempts to those that ended, for the operator."""
    succeeded = sum(each.result.succeeded for each in outcomes)
    backlog.count_attempts(session, succeeded=succeeded, failed=len(outcomes) - succeeded)


def _record_failure(session: Session, outcome: Outcome, now: datetime, waits: Sequence[int]) -> None:
    job = outcome.job
    is_gone = outcome.result.status == retry.GONE
    wait = None if is_gone else retry.next_wait(waits, job.attempt, outcome.result.retry_after, now)
    again_at = None if wait is None else now + wait
    fenced = OVER.returning(TABLE.c.id)
    if session.execute(fenced, _values(outcome, next_attempt_at=again_at)).one_or_none() is None:
        return
    if again_at is not None:
        session.connection().execute(TABLE.insert(), _next_attempt(job, now, again_at))
    session.connection().execute(FAILING, {"own_id": job.webhook_id, "now": now})
    reason = retry.reason_to_disable(outcome.result.status, job.failing_since, now)
    if reason is not None:
        webhooks.disable(_context(session, job, now), job.webhook_id, reason)


def _values(outcome: Outcome, *, next_attempt_at: datetime | None) -> dict[str, Any]:
    result = outcome.result
    return {
        "own_id": outcome.job.id,
        "own_claims": outcome.job.claims,
        "due_at": None,
        "success": result.succeeded,
        "status_code": result.status,
        "response_body": result.error or result.body,
        "duration_ms": result.duration_ms,
        "attempted_at": outcome.attempted_at,
        "next_attempt_at": next_attempt_at,
    }


def _next_attempt(job: Job, now: datetime, due_at: datetime) -> dict[str, Any]:
    return {
        "id": new_id(now),
        "company_id": job.company_id,
        "webhook_id": job.webhook_id,
        "event_id": job.event_id,
        "event": job.event,
        "attempt": job.attempt + 1,
        "due_at": due_at,
        "next_attempt_at": due_at,
        "created_at": now,
    }


def _context(session: Session, job: Job, now: datetime) -> Context:
    return Context(
        session=session, actor=SYSTEM, company_id=job.company_id, request_id=job.request_id or new_id(now), now=now
    )
