"""Publish events into the outbox, in the transaction of their change; list them (contract, section 8.1).

`sequence` follows the order of the commits: the counter is a column in the row of the entity, which is locked from the
change until the commit. The row of a new entity is inserted with FIRST_SEQUENCE, that of the event that reports it;
every other event reserves the next number.

Not in this module: what an event contains (`app/schemas/events.py`), and its delivery (`app/services/deliveries.py`
queues it, `app/delivery` sends it).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Table, bindparam
from sqlalchemy.orm import Session

from app.context import Context
from app.errors import NotFoundError
from app.queries import listing, rows, tenant
from app.queries.rows import Row, Statement, Write
from app.schemas import events as payloads
from app.schemas.events import NewEvent, WebhookEventRow
from app.schemas.sample_events import sample_event
from app.schemas.webhooks import WebhookDeliveryRow
from app.services import deliveries, webhooks
from app.services.deliveries import FirstAttempt, StoredEvent
from models import (
    RETENTION_DAYS,
    Customer,
    Event,
    EventType,
    Order,
    Product,
    Refund,
    Return,
    Webhook,
    id_before,
    new_id,
)
from models.base import table


class EventSequenceRow(Row):
    """The number of an entity's last event."""

    id: str
    event_sequence: int


def _reserve_sequences(entities: Table) -> Statement[EventSequenceRow]:
    """Return the update that adds `count` to the counters of the entities `ids`."""
    counter = entities.c.event_sequence
    statement = tenant.update_all(entities).values(event_sequence=counter + bindparam("count"))
    return Statement(EventSequenceRow, statement.returning(entities.c.id, counter))


TABLE = table(Event)
# By the part of an event type before the dot. These tables have the column `event_sequence`.
ENTITY_TABLES = {
    "order": table(Order),
    "customer": table(Customer),
    "product": table(Product),
    "return": table(Return),
    "refund": table(Return),  # the events of a refund continue those of its return
    "credit_note": table(Refund),
    "webhook": table(Webhook),
}
FIRST_SEQUENCE = 1
CREATIONS = {
    EventType.ORDER_CREATED,
    EventType.CUSTOMER_CREATED,
    EventType.PRODUCT_CREATED,
    EventType.RETURN_CREATED,
    EventType.CREDIT_NOTE_ISSUED,
}  # the events of entities whose rows are inserted with FIRST_SEQUENCE
RESERVE_SEQUENCES = {kind: _reserve_sequences(entities) for kind, entities in ENTITY_TABLES.items()}
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
SELECT_ONE = Statement(
    WebhookEventRow, tenant.select(*rows.columns(WebhookEventRow, TABLE)).where(TABLE.c.id == bindparam("id"))
)
INSERT = Write(TABLE.insert())
RETENTION = timedelta(days=RETENTION_DAYS)
DELETE_BATCH = 1_000
SELECT_EXPIRED_IDS = (
    sa.select(TABLE.c.id).where(TABLE.c.id < bindparam("first_kept_id")).order_by(TABLE.c.id).limit(DELETE_BATCH)
)
DELETE_EXPIRED = sa.delete(TABLE).where(TABLE.c.id.in_(SELECT_EXPIRED_IDS))


def publish(ctx: Context, event: NewEvent) -> None:
    """Publish an event to the webhooks that subscribe to its type."""
    publish_all(ctx, [event])


def publish_all(ctx: Context, events: Sequence[NewEvent]) -> None:
    """Publish events in their order, in a number of statements that does not depend on how many they are."""
    if events:
        deliveries.fan_out_all(ctx, _insert_all(ctx, events))


def test(ctx: Context, webhook_id: str) -> WebhookDeliveryRow:
    """Queue a test event for one webhook and return its delivery. Raises NotFoundError."""
    (delivery,) = send_samples(ctx, EventType.WEBHOOK_TEST, [webhook_id])
    return delivery


def send_samples(ctx: Context, event: EventType, webhook_ids: Sequence[str]) -> list[WebhookDeliveryRow]:
    """Queue a sample of an event type for each webhook, regardless of its subscriptions. Return the deliveries.

    Samples are test events: they report no change, and lists of events do not contain them. Raises NotFoundError.
    """
    ids = sorted(webhook_ids)
    for webhook_id in ids:
        webhooks.lock(ctx, webhook_id)
    stored = _insert_all(ctx, [sample_event(event, webhook_id) for webhook_id in ids])
    attempts = [FirstAttempt(webhook_id, sample.id, event) for webhook_id, sample in zip(ids, stored, strict=True)]
    queued = deliveries.enqueue(ctx, attempts)
    return [deliveries.get(ctx, webhook_id, delivery) for webhook_id, delivery in zip(ids, queued, strict=True)]


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


def get(ctx: Context, event_id: str) -> WebhookEventRow:
    """Return one event, which may be a test event. Raises NotFoundError."""
    event = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, id=event_id))
    if event is None:
        raise NotFoundError("Event")
    return event


def delete_expired(session: Session, now: datetime) -> int:
    """Delete at most DELETE_BATCH events older than RETENTION, with their deliveries. Return the number of events."""
    return session.connection().execute(DELETE_EXPIRED, {"first_kept_id": id_before(now - RETENTION)}).rowcount


def _insert_all(ctx: Context, events: Sequence[NewEvent]) -> list[StoredEvent]:
    """Insert events with their final payloads."""
    inserted = []
    for event, sequence in zip(events, _sequences(ctx, events), strict=True):
        event_id = new_id(ctx.now)
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
        inserted.append(row)
    INSERT.all(ctx.session, inserted)
    return [StoredEvent(str(row["id"]), event.sent_type) for row, event in zip(inserted, events, strict=True)]


def _sequences(ctx: Context, events: Sequence[NewEvent]) -> list[int]:
    """Return the sequence number of each event: FIRST_SEQUENCE of a new entity, otherwise the next one."""
    last = _reserve(ctx, [event for event in events if event.type not in CREATIONS])
    sequences = []
    for event in events:
        last[event.entity_id] = FIRST_SEQUENCE if event.type in CREATIONS else last[event.entity_id] + 1
        sequences.append(last[event.entity_id])
    return sequences


def _reserve(ctx: Context, events: Sequence[NewEvent]) -> dict[str, int]:
    """Reserve a sequence number for each event, and return the last number of each entity before them.

    Entities with the same number of events share a statement; few have more than one or two.
    """
    counts = Counter((event.type.partition(".")[0], event.entity_id) for event in events)
    groups: dict[tuple[str, int], list[str]] = defaultdict(list)
    for (kind, entity_id), count in counts.items():
        groups[kind, count].append(entity_id)
    last: dict[str, int] = {}
    for (kind, count), ids in groups.items():
        for row in RESERVE_SEQUENCES[kind].all(ctx.session, tenant.params(ctx, ids=ids, count=count)):
            last[row.id] = row.event_sequence - count
    return last
