"""Deliveries: queue events for webhooks, look up what became of them, queue them again (contract, section 8.2).

Not here: sending (`app/delivery`). A delivery is one attempt; the worker adds the next one when it failed.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, bindparam

from app.context import Context
from app.errors import BODY, InvalidParameterError, NotFoundError
from app.queries import listing, rows, tenant
from app.schemas.webhooks import DeliveryRow, DeliverySchema
from app.services import webhooks
from models import Delivery, Event, EventType, new_id
from models.base import table

TABLE = table(Delivery)
EVENTS = table(Event)
SCHEMA = DeliverySchema()
COLUMNS = rows.columns(DeliveryRow, TABLE)
MAX_RECOVERED = 10_000

ONE = tenant.select(*COLUMNS).where(TABLE.c.webhook_id == bindparam("webhook_id"), TABLE.c.id == bindparam("id"))
SUBSCRIBERS = tenant.select(webhooks.TABLE.c.id, webhooks.TABLE.c.events).where(webhooks.TABLE.c.is_active)
OUTCOMES = {"PENDING": TABLE.c.success.is_(None), "SUCCEEDED": TABLE.c.success, "FAILED": sa.not_(TABLE.c.success)}
LISTING = listing.Listing(
    DeliveryRow,
    TABLE,
    filters={
        "webhook_id": TABLE.c.webhook_id == bindparam("webhook_id"),
        "event": TABLE.c.event == bindparam("event"),
        **OUTCOMES,
    },
)
ARRIVED_OR_WAITING = (
    sa.exists()
    .where(TABLE.c.event_id == EVENTS.c.id, TABLE.c.webhook_id == bindparam("webhook_id"))
    .where(TABLE.c.success.is_(None) | TABLE.c.success)
)
MISSED = (
    tenant.select(EVENTS.c.id, EVENTS.c.type)
    .where(EVENTS.c.created_at >= bindparam("since", type_=EVENTS.c.created_at.type))
    .where(EVENTS.c.created_at <= bindparam("until", type_=EVENTS.c.created_at.type))
    .where(EVENTS.c.type.in_(bindparam("types", expanding=True)), ~ARRIVED_OR_WAITING)
    .order_by(EVENTS.c.created_at, EVENTS.c.id)
    .limit(MAX_RECOVERED + 1)
)


def fan_out(ctx: Context, event_id: str, event: EventType) -> None:
    """Queue an event for every active webhook that subscribed to it."""
    subscribers = ctx.session.execute(SUBSCRIBERS, tenant.params(ctx)).all()
    queue(ctx, [(row.id, event_id, event) for row in subscribers if event in row.events])


def queue(ctx: Context, wanted: Iterable[tuple[str, str, str]]) -> list[str]:
    """Queue a first attempt for each webhook id, event id and type; return the ids of the deliveries."""
    rows = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "webhook_id": webhook_id,
            "event_id": event_id,
            "event": event,
            "attempt": 1,
            "due_at": ctx.now,
            "next_attempt_at": ctx.now,
            "created_at": ctx.now,
        }
        for webhook_id, event_id, event in wanted
    ]
    if rows:
        ctx.session.connection().execute(TABLE.insert(), rows)
    return [str(row["id"]) for row in rows]


def page(
    ctx: Context,
    webhook_id: str,
    *,
    limit: int = 50,
    cursor: str | None = None,
    event: str | None = None,
    outcome: str | None = None,
) -> listing.Page[DeliveryRow]:
    """Return a page of a webhook's deliveries, newest first. Raises NotFoundError for an unknown webhook."""
    webhooks.get(ctx, webhook_id)
    chosen = {} if outcome is None else {outcome: True}
    return LISTING.page(ctx, limit=limit, cursor=cursor, webhook_id=webhook_id, event=event, **chosen)


def get(ctx: Context, webhook_id: str, delivery_id: str) -> Row[Any]:
    """Return one delivery of a webhook. Raises NotFoundError for either."""
    webhooks.get(ctx, webhook_id)
    delivery = ctx.session.execute(ONE, tenant.params(ctx, webhook_id=webhook_id, id=delivery_id)).one_or_none()
    if delivery is None:
        raise NotFoundError("Delivery")
    return delivery


def redeliver(ctx: Context, webhook_id: str, delivery_id: str) -> Row[Any]:
    """Queue the event of a delivery once more, whatever became of it. Raises NotFoundError."""
    webhooks.lock(ctx, webhook_id)
    delivery = get(ctx, webhook_id, delivery_id)
    (queued,) = queue(ctx, [(webhook_id, delivery.event_id, delivery.event)])
    return get(ctx, webhook_id, queued)


def recover(ctx: Context, webhook_id: str, since: datetime, until: datetime | None = None) -> tuple[int, bool]:
    """Queue the subscribed events from `since` to `until` that neither arrived nor wait, oldest first.

    Returns how many, at most MAX_RECOVERED, and whether there are more. Raises NotFoundError, and
    InvalidParameterError when `since` is after `until`.
    """
    until = until or ctx.now
    if since > until:
        raise InvalidParameterError("since", "since must not be after until", parent=BODY)
    webhook = webhooks.lock(ctx, webhook_id)
    values = tenant.params(ctx, webhook_id=webhook_id, since=since, until=until, types=webhook.events)
    missed = ctx.session.execute(MISSED, values).all()
    queue(ctx, [(webhook_id, row.id, row.type) for row in missed[:MAX_RECOVERED]])
    return min(len(missed), MAX_RECOVERED), len(missed) > MAX_RECOVERED
