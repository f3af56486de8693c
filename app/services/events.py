"""Publish events into the outbox, in the transaction of their change; list them (contract, section 8.1).

`sequence` follows the order of the commits: the counter is a column in the row of the entity, which is locked from the
change until the commit.

Not in this module: what an event contains (`app/schemas/events.py`), and its delivery (`app/services/deliveries.py`
queues it, `app/delivery` sends it).
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.orm import Session

from app.context import Context
from app.queries import listing, tenant
from app.schemas import events as payloads
from app.schemas.events import NewEvent, WebhookEventRow
from app.schemas.webhooks import WebhookDeliveryRow
from app.services import deliveries, webhooks
from app.services.deliveries import FirstAttempt
from models import RETENTION_DAYS, Customer, Event, EventType, Order, Product, Webhook, id_before, new_id
from models.base import table

TABLE = table(Event)
# By the part of an event type before the dot. These tables have the column `event_sequence`.
ENTITY_TABLES = {
    "order": table(Order),
    "customer": table(Customer),
    "product": table(Product),
    "webhook": table(Webhook),
}
LISTING = listing.Listing(
    WebhookEventRow,
    TABLE,
    filters={
        "is_subscribable": TABLE.c.type != EventType.WEBHOOK_TEST,
        "event": TABLE.c.type == bindparam("event"),
        "since": TABLE.c.created_at >= bindparam("since", type_=TABLE.c.created_at.type),
        "until": TABLE.c.created_at <= bindparam("until", type_=TABLE.c.created_at.type),
    },
)
RETENTION = timedelta(days=RETENTION_DAYS)
DELETE_BATCH = 1_000
SELECT_EXPIRED_IDS = (
    sa.select(TABLE.c.id).where(TABLE.c.id < bindparam("first_kept_id")).order_by(TABLE.c.id).limit(DELETE_BATCH)
)
DELETE_EXPIRED = sa.delete(TABLE).where(TABLE.c.id.in_(SELECT_EXPIRED_IDS))


def publish(ctx: Context, event: NewEvent) -> None:
    """Publish an event to the webhooks that subscribe to its type."""
    deliveries.fan_out(ctx, _insert(ctx, event), event.type)


def test(ctx: Context, webhook_id: str) -> WebhookDeliveryRow:
    """Queue a test event for one webhook and return its delivery. Raises NotFoundError."""
    webhooks.lock(ctx, webhook_id)
    event_id = _insert(ctx, payloads.webhook_test(webhook_id))
    (delivery_id,) = deliveries.enqueue(ctx, [FirstAttempt(webhook_id, event_id, EventType.WEBHOOK_TEST)])
    return deliveries.get(ctx, webhook_id, delivery_id)


def page(
    ctx: Context,
    *,
    limit: int = 50,
    cursor: str | None = None,
    event: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> listing.Page[WebhookEventRow]:
    """Return a page of the company's events, newest first, without test events."""
    filters = {"event": event, "since": since, "until": until}
    return LISTING.page(ctx, limit=limit, cursor=cursor, is_subscribable=True, **filters)


def delete_expired(session: Session, now: datetime) -> int:
    """Delete at most DELETE_BATCH events older than RETENTION, with their deliveries. Return the number of events."""
    return session.connection().execute(DELETE_EXPIRED, {"first_kept_id": id_before(now - RETENTION)}).rowcount


def _insert(ctx: Context, event: NewEvent) -> str:
    """Insert an event with its final payload and return its id."""
    event_id = new_id(ctx.now)
    sequence = _next_sequence(ctx, event)
    row = {
        "id": event_id,
        "company_id": ctx.company_id,
        "type": event.type,
        "entity_id": event.entity_id,
        "sequence": sequence,
        "payload": payloads.payload(event, event_id, sequence, ctx.now),
        "request_id": ctx.request_id,
        "created_at": ctx.now,
    }
    ctx.session.connection().execute(TABLE.insert(), row)
    return event_id


def _next_sequence(ctx: Context, event: NewEvent) -> int:
    entities = ENTITY_TABLES[event.type.partition(".")[0]]
    counter = entities.c.event_sequence
    statement = tenant.update(entities).values(event_sequence=counter + 1).returning(counter)
    return int(ctx.session.execute(statement, tenant.params(ctx, row_id=event.entity_id)).scalar_one())
