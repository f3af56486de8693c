"""Publish events into the outbox, in the transaction of the change they tell of (contract, section 8.1).

Not here: delivery. A receiver that sorts by `sequence` never goes back in time, because the counter stands in the
entity's own row: whoever changes an entity holds its row until the change commits.
"""

from typing import Any

import orjson
from sqlalchemy import Table

from app.context import Context
from app.schemas.base import timestamp
from app.services.tenant import bound, change
from models import Event, EventType, new_id
from models.base import table

TABLE = table(Event)


def publish(ctx: Context, entities: Table, entity_id: str, event: EventType, data: dict[str, Any]) -> None:
    """Publish `event` about a row of `entities`; the payload is frozen as it is now."""
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
        "created_at": ctx.now,
    }
    ctx.session.connection().execute(TABLE.insert(), row)


def _next_sequence(ctx: Context, entities: Table, entity_id: str) -> int:
    counter = entities.c.event_sequence
    statement = change(entities).values(event_sequence=counter + 1).returning(counter)
    return int(ctx.session.execute(statement, bound(ctx, row_id=entity_id)).scalar_one())
