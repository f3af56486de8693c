"""Publish events into the outbox, in the transaction of the change they tell of; list them (contract, section 8.1).

Not here: delivery. A receiver that sorts by `sequence` never goes back in time, because the counter stands in the
entity's own row: whoever changes an entity holds its row until the change commits.
"""

from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Row, Table, bindparam, delete, select
from sqlalchemy.orm import Session

from app.context import Context
from app.queries import listing, tenant
from app.schemas.base import timestamp
from app.schemas.webhooks import EventRow
from app.services import deliveries, webhooks
from models import KEPT_DAYS, TEST_EVENT, Event, EventType, id_before, new_id
from models.base import table

TABLE = table(Event)
LISTING = listing.Listing(
    EventRow,
    TABLE,
    filters={
        "real": TABLE.c.type != TEST_EVENT,
        "event": TABLE.c.type == bindparam("event"),
        "since": TABLE.c.created_at >= bindparam("since", type_=TABLE.c.created_at.type),
        "until": TABLE.c.created_at <= bindparam("until", type_=TABLE.c.created_at.type),
    },
)
KEPT = timedelta(days=KEPT_DAYS)
FORGOTTEN_AT_ONCE = 1_000
OLDEST = select(TABLE.c.id).where(TABLE.c.id < bindparam("oldest")).order_by(TABLE.c.id).limit(FORGOTTEN_AT_ONCE)


def publish(ctx: Context, entities: Table, entity_id: str, event: EventType, data: dict[str, Any]) -> None:
    """Publish `event` about a row of `entities` to the webhooks that subscribed to it."""
    deliveries.fan_out(ctx, _record(ctx, entities, entity_id, event, data), event)


def test(ctx: Context, webhook_id: str) -> Row[Any]:
    """Queue an event that says nothing for one webhook; return its delivery. Raises NotFoundError."""
    webhooks.lock(ctx, webhook_id)
    event_id = _record(ctx, webhooks.TABLE, webhook_id, TEST_EVENT, {"webhookId": webhook_id})
    (queued,) = deliveries.queue(ctx, [(webhook_id, event_id, TEST_EVENT)])
    return deliveries.get(ctx, webhook_id, queued)


def page(ctx: Context, *, limit: int = 50, cursor: str | None = None, **filters: Any) -> listing.Page[EventRow]:
    """Return a page of the company's events, newest first; tests of webhooks are left out.

    Filters: `event` (its type), `since` and `until` (when it happened).
    """
    return LISTING.page(ctx, limit=limit, cursor=cursor, real=True, **filters)


def forget_old(session: Session, now: datetime) -> int:
    """Remove some of the events that are older than KEPT, with their deliveries; return how many."""
    oldest = id_before(now - KEPT)
    statement = delete(TABLE).where(TABLE.c.id.in_(OLDEST))
    return session.connection().execute(statement, {"oldest": oldest}).rowcount


def _record(ctx: Context, entities: Table, entity_id: str, event: str, data: dict[str, Any]) -> str:
    """Store an event; its payload is frozen as it is now. Return its id."""
    event_id = new_id(ctx.now)
    sequence = _next_sequence(ctx, entities, entity_id)
    payload = {
        "event": event,
        "timestamp": timestamp(ctx.now),
        "data": data,
        "id": event_id,
        "sequence": sequence,
    }
    row = {
        "id": event_id,
        "company_id": ctx.company_id,
        "type": event,
        "entity_id": entity_id,
        "sequence": sequence,
        "payload": orjson.dumps(payload).decode(),
        "request_id": ctx.request_id,
        "created_at": ctx.now,
    }
    ctx.session.connection().execute(TABLE.insert(), row)
    return event_id


def _next_sequence(ctx: Context, entities: Table, entity_id: str) -> int:
    counter = entities.c.event_sequence
    statement = tenant.update(entities).values(event_sequence=counter + 1).returning(counter)
    return int(ctx.session.execute(statement, tenant.params(ctx, row_id=entity_id)).scalar_one())
