"""The delivery queue, which is the table of deliveries (contract, section 8.2).

Rules of this file:

1. A delivery is pending while `due_at` is set, and has ended when it is null.
2. A worker claims a delivery by moving `due_at` one lease ahead and adding one to `claims`. Until the lease ends, no
   worker sees it as due. If the worker dies or stalls, the delivery is due again after the lease: delivery is at least
   once.
3. Only the last worker that claimed a delivery may record its outcome: the update requires the `claims` of the job.
4. A retry is a new row, inserted in the transaction that records the failure.
5. Rows are locked in the order of their ids, so that workers do not deadlock.
6. The queue serves all companies, so no statement starts from `app/queries/tenant.py`. Rows are changed by id alone.

Example: with a lease of 30 seconds, worker A claims a delivery at 12:00:00. That sets `due_at` to 12:00:30 and `claims`
to 1. A stalls. At 12:00:30 worker B claims it, which sets `claims` to 2, and delivers it. When A continues, its update
requires `claims` to be 1, matches no row, and records nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from app.context import Context
from app.delivery import retry
from app.delivery.sender import Result
from app.queries import rows
from app.queries.rows import Statement
from app.services import backlog, webhooks
from app.services.companies import SYSTEM
from app.services.webhook_secrets import WebhookSecretsRow
from models import Delivery, Event, Webhook, new_id
from models.base import table


class Job(WebhookSecretsRow):
    """A claimed delivery, with everything needed to send it and to record its outcome."""

    url: str
    failing_since: datetime | None
    payload: str
    request_id: str | None
    id: str
    company_id: str
    webhook_id: str
    event_id: str
    event: str
    attempt: int
    claims: int


TABLE = table(Delivery)
WEBHOOKS = table(Webhook)
EVENTS = table(Event)
TIME = TABLE.c.created_at.type
IS_PENDING = TABLE.c.due_at.is_not(None)
IS_DUE = IS_PENDING & (TABLE.c.due_at <= bindparam("now", type_=TIME))


def _select_due_webhook_ids() -> sa.Select[str]:
    """Select the active webhooks that have a due delivery.

    The recursive query skips from one webhook to the next in the index of pending deliveries (a loose index scan), so
    its cost does not depend on the number of pending deliveries.
    """
    first = select(func.min(TABLE.c.webhook_id).label("id")).where(IS_PENDING)
    pending = first.cte("pending", recursive=True)
    following = select(func.min(TABLE.c.webhook_id)).where(IS_PENDING, TABLE.c.webhook_id > pending.c.id)
    pending = pending.union_all(select(following.scalar_subquery()).where(pending.c.id.is_not(None)))
    has_due = sa.exists().where(TABLE.c.webhook_id == pending.c.id, IS_DUE)
    return select(WEBHOOKS.c.id).join(pending, pending.c.id == WEBHOOKS.c.id).where(WEBHOOKS.c.is_active, has_due)


SELECT_DUE_WEBHOOK_IDS = _select_due_webhook_ids()
SELECT_DUE_IDS = (
    select(TABLE.c.id)
    .where(TABLE.c.webhook_id == bindparam("own_id"), IS_DUE)
    .order_by(TABLE.c.due_at, TABLE.c.id)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
UPDATE_CLAIMED = (
    update(TABLE)
    .where(TABLE.c.id.in_(select(SELECT_DUE_IDS.c.id)))
    .values(due_at=bindparam("lease_ends", type_=TIME), claims=TABLE.c.claims + 1)
    .returning(TABLE.c.id)
)
SELECT_JOBS = Statement(
    Job,
    select(
        *rows.columns(WebhookSecretsRow, WEBHOOKS),
        WEBHOOKS.c.url,
        WEBHOOKS.c.failing_since,
        EVENTS.c.payload,
        EVENTS.c.request_id,
        *(TABLE.c[name] for name in ("id", "company_id", "webhook_id", "event_id", "event", "attempt", "claims")),
    )
    .join(WEBHOOKS, WEBHOOKS.c.id == TABLE.c.webhook_id)
    .join(EVENTS, EVENTS.c.id == TABLE.c.event_id)
    .where(TABLE.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(TABLE.c.created_at, TABLE.c.id),
)
# It sets the columns that are bound in addition to the first two parameters.
UPDATE_ENDED = update(TABLE).where(
    TABLE.c.id == bindparam("own_id"), TABLE.c.claims == bindparam("own_claims"), IS_PENDING
)
UPDATE_SUCCEEDING_WEBHOOK = (
    update(WEBHOOKS)
    .where(WEBHOOKS.c.id == bindparam("own_id"), WEBHOOKS.c.failing_since.is_not(None))
    .values(failing_since=None)
)
UPDATE_FAILING_WEBHOOK = (
    update(WEBHOOKS)
    .where(WEBHOOKS.c.id == bindparam("own_id"), WEBHOOKS.c.failing_since.is_(None))
    .values(failing_since=bindparam("now", type_=TIME))
)

NOT_STORABLE = "The response could not be stored."


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of one attempt."""

    job: Job
    result: Result
    attempted_at: datetime

    def without_response(self) -> "Outcome":
        """Return the outcome without what the receiver sent, for a response that the database refuses to store."""
        error = self.result.error and NOT_STORABLE
        return replace(self, result=replace(self.result, body=NOT_STORABLE, error=error, retry_after=None))


def due_webhook_ids(session: Session, now: datetime) -> Sequence[str]:
    """Return the ids of the active webhooks that have a due delivery."""
    return session.scalars(SELECT_DUE_WEBHOOK_IDS, {"now": now}).all()


def claim(session: Session, counts: Mapping[str, int], now: datetime, lease: timedelta) -> Sequence[Job]:
    """Claim at most `counts[id]` due deliveries of each webhook, oldest first."""
    ids: list[str] = []
    for webhook_id, count in counts.items():
        values = {"own_id": webhook_id, "count": count, "now": now, "lease_ends": now + lease}
        ids += session.scalars(UPDATE_CLAIMED, values)
    return SELECT_JOBS.all(session, {"ids": ids}) if ids else []


def record(session: Session, outcomes: Iterable[Outcome], now: datetime, schedule: Sequence[int]) -> None:
    """Record the outcome of attempts, and queue a retry of failed ones according to `schedule` (waits in seconds).

    A delivery that another worker has claimed in the meantime is not changed.
    """
    ordered = sorted(outcomes, key=lambda outcome: str(outcome.job.id))
    succeeded = [outcome for outcome in ordered if outcome.result.is_success]
    if succeeded:
        connection = session.connection()
        connection.execute(UPDATE_ENDED, [_values(outcome, next_attempt_at=None) for outcome in succeeded])
        webhook_ids = sorted({outcome.job.webhook_id for outcome in succeeded})
        connection.execute(UPDATE_SUCCEEDING_WEBHOOK, [{"own_id": webhook_id} for webhook_id in webhook_ids])
    for outcome in ordered:
        if not outcome.result.is_success:
            _record_failure(session, outcome, now, schedule)


def count_attempts(session: Session, outcomes: Sequence[Outcome]) -> None:
    """Add attempts to the counters for the operator."""
    succeeded = sum(outcome.result.is_success for outcome in outcomes)
    backlog.count_attempts(session, succeeded=succeeded, failed=len(outcomes) - succeeded)


def _record_failure(session: Session, outcome: Outcome, now: datetime, schedule: Sequence[int]) -> None:
    job, result = outcome.job, outcome.result
    wait = retry.next_wait(schedule, job.attempt, result.status, result.retry_after, now)
    retry_at = None if wait is None else now + wait
    statement = UPDATE_ENDED.returning(TABLE.c.id)
    if session.execute(statement, _values(outcome, next_attempt_at=retry_at)).one_or_none() is None:
        return
    if retry_at is not None:
        session.connection().execute(TABLE.insert(), _next_attempt(job, now, retry_at))
    session.connection().execute(UPDATE_FAILING_WEBHOOK, {"own_id": job.webhook_id, "now": now})
    reason = retry.reason_to_disable(result.status, job.failing_since, now)
    if reason is not None:
        webhooks.disable(_context(session, job, now), job.webhook_id, reason)


def _values(outcome: Outcome, *, next_attempt_at: datetime | None) -> dict[str, object]:
    result = outcome.result
    return {
        "own_id": outcome.job.id,
        "own_claims": outcome.job.claims,
        "due_at": None,
        "success": result.is_success,
        "status_code": result.status,
        "response_body": result.error or result.body,
        "duration_ms": result.duration_ms,
        "attempted_at": outcome.attempted_at,
        "next_attempt_at": next_attempt_at,
    }


def _next_attempt(job: Job, now: datetime, due_at: datetime) -> dict[str, object]:
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
