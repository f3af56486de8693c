"""Deliveries as API clients see them: queue events for webhooks, list attempts, queue again (contract, section 8.2).

A delivery is one attempt; the worker inserts the next one when it has failed.

Not in this module: which delivery is claimed and sent when (`app/delivery/queue.py`, which works for all companies).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.errors import BODY, InvalidParameterError, NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import Row, Statement, Write
from app.schemas.webhooks import WebhookDeliveryRow, WebhookRecover
from app.services import subscriptions, webhooks
from models import Delivery, Event, EventType, new_id
from models.base import table


class SubscriberRow(Row):
    """An active webhook and what it subscribes to."""

    id: str
    events: Sequence[str]


class MissedEventRow(Row):
    """An event that a webhook did not receive."""

    id: str
    type: str


class StoredEvent(NamedTuple):
    """An event in the outbox."""

    id: str
    type: EventType


class FirstAttempt(NamedTuple):
    """A delivery to be queued."""

    webhook_id: str
    event_id: str
    event: str


@dataclass(frozen=True, slots=True)
class WebhookRecoveryResult:
    """How many events were queued again, and whether there are more."""

    count: int
    has_more: bool


TABLE = table(Delivery)
EVENTS = table(Event)
MAX_RECOVERED = 10_000

# Events and their deliveries are deleted together, so every delivery has its event.
PAYLOAD = sa.select(EVENTS.c.payload).where(EVENTS.c.id == TABLE.c.event_id).scalar_subquery().label("payload")
COLUMNS = [PAYLOAD if name == PAYLOAD.name else TABLE.c[name] for name in rows.names(WebhookDeliveryRow)]
IS_OF_WEBHOOK = sa.exists().where(webhooks.TABLE.c.id == TABLE.c.webhook_id, webhooks.IS_NOT_DELETED)
SELECT_ONE = Statement(
    WebhookDeliveryRow,
    tenant.select(*COLUMNS).where(
        TABLE.c.webhook_id == bindparam("webhook_id"), TABLE.c.id == bindparam("id"), IS_OF_WEBHOOK
    ),
)
SELECT_SUBSCRIBERS = Statement(
    SubscriberRow,
    tenant.select(*rows.columns(SubscriberRow, webhooks.TABLE)).where(webhooks.TABLE.c.is_active),
)
INSERT = Write(TABLE.insert())
OUTCOMES = {"PENDING": TABLE.c.success.is_(None), "SUCCEEDED": TABLE.c.success, "FAILED": sa.not_(TABLE.c.success)}
LISTING = listing.Listing(
    WebhookDeliveryRow,
    TABLE,
    filters={
        "webhook_id": TABLE.c.webhook_id == bindparam("webhook_id"),
        "event": TABLE.c.event == bindparam("event"),
        **OUTCOMES,
    },
    columns=COLUMNS,
)
IS_DELIVERED_OR_PENDING = (
    sa.exists()
    .where(TABLE.c.event_id == EVENTS.c.id, TABLE.c.webhook_id == bindparam("webhook_id"))
    .where(TABLE.c.success.is_(None) | TABLE.c.success)
)
SELECT_MISSED_EVENTS = Statement(
    MissedEventRow,
    tenant.select(*rows.columns(MissedEventRow, EVENTS))
    .where(EVENTS.c.created_at >= bindparam("since", type_=EVENTS.c.created_at.type))
    .where(EVENTS.c.created_at <= bindparam("until", type_=EVENTS.c.created_at.type))
    .where(EVENTS.c.type.in_(bindparam("types", expanding=True)), ~IS_DELIVERED_OR_PENDING)
    .order_by(EVENTS.c.created_at, EVENTS.c.id)
    .limit(MAX_RECOVERED + 1),
)


def fan_out_all(ctx: Context, events: Iterable[StoredEvent]) -> None:
    """Queue events for every active webhook that subscribes to their types."""
    subscribers = SELECT_SUBSCRIBERS.all(ctx.session, tenant.params(ctx))
    attempts = (
        FirstAttempt(webhook.id, event.id, event.type)
        for event in events
        for webhook in subscribers
        if subscriptions.includes(webhook.events, event.type)
    )
    enqueue(ctx, attempts)


def subscriber_ids(ctx: Context, event: EventType) -> list[str]:
    """Return the ids of the active webhooks that subscribe to an event type."""
    active = SELECT_SUBSCRIBERS.all(ctx.session, tenant.params(ctx))
    return [webhook.id for webhook in active if subscriptions.includes(webhook.events, event)]


def enqueue(ctx: Context, attempts: Iterable[FirstAttempt]) -> list[str]:
    """Queue first attempts and return the ids of their deliveries."""
    deliveries = [
        {
            "id": new_id(ctx.now),
            "company_id": ctx.company_id,
            "webhook_id": attempt.webhook_id,
            "event_id": attempt.event_id,
            "event": attempt.event,
            "attempt": 1,
            "due_at": ctx.now,
            "next_attempt_at": ctx.now,
            "created_at": ctx.now,
        }
        for attempt in attempts
    ]
    if deliveries:
        INSERT.all(ctx.session, deliveries)
    return [str(delivery["id"]) for delivery in deliveries]


def page(
    ctx: Context,
    webhook_id: str,
    *,
    limit: int = 50,
    cursor: str | None = None,
    event: str | None = None,
    outcome: str | None = None,
) -> listing.Page[WebhookDeliveryRow]:
    """Return a page of a webhook's deliveries, newest first. Raises NotFoundError for an unknown webhook."""
    webhooks.get(ctx, webhook_id)
    outcomes = {} if outcome is None else {outcome: True}
    return LISTING.page(ctx, limit=limit, cursor=cursor, webhook_id=webhook_id, event=event, **outcomes)


def get(ctx: Context, webhook_id: str, delivery_id: str) -> WebhookDeliveryRow:
    """Return one delivery of a webhook. Raises NotFoundError if either is unknown."""
    webhooks.get(ctx, webhook_id)
    delivery = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, webhook_id=webhook_id, id=delivery_id))
    if delivery is None:
        raise NotFoundError("Delivery")
    return delivery


def redeliver(ctx: Context, webhook_id: str, delivery_id: str) -> WebhookDeliveryRow:
    """Queue the event of a delivery again, regardless of its outcome. Raises NotFoundError."""
    webhooks.lock(ctx, webhook_id)
    delivery = get(ctx, webhook_id, delivery_id)
    (queued,) = enqueue(ctx, [FirstAttempt(webhook_id, delivery.event_id, delivery.event)])
    return get(ctx, webhook_id, queued)


def recover(ctx: Context, webhook_id: str, missed: WebhookRecover) -> WebhookRecoveryResult:
    """Queue the subscribed events of a time range that were neither delivered nor are pending, oldest first.

    Queues at most MAX_RECOVERED. Raises NotFoundError, and InvalidParameterError when `since` is after `until`.
    """
    until = missed.until or ctx.now
    if missed.since > until:
        raise InvalidParameterError("since", "since must not be after until", parent=BODY)
    webhook = webhooks.lock(ctx, webhook_id)
    types = subscriptions.event_types(webhook.events)
    parameters = tenant.params(ctx, webhook_id=webhook_id, since=missed.since, until=until, types=types)
    events = SELECT_MISSED_EVENTS.all(ctx.session, parameters)
    queued = enqueue(ctx, [FirstAttempt(webhook_id, event.id, event.type) for event in events[:MAX_RECOVERED]])
    return WebhookRecoveryResult(len(queued), len(events) > MAX_RECOVERED)
