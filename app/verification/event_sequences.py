"""The events of every entity are numbered without gaps (contract, section 8.1).

Events are deleted RETENTION_DAYS after they were created, so the first numbers of an entity may be missing. Events are
deleted in the order of their ids, which may differ from that of the numbers by the duration of a transaction and by the
differences between clocks. MARGIN is far more than that: what is missing within it of the retention may be expired.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services.events import ENTITY_TABLES
from app.verification import ranges
from app.verification.check import CORRECT, Check, Problem, previous
from app.verification.ranges import within
from models import RETENTION_DAYS, Event
from models.base import table

MARGIN = timedelta(days=1)
KEPT = timedelta(days=RETENTION_DAYS) - MARGIN
EVENTS = table(Event)
KEPT_SINCE = bindparam("kept_since", type_=EVENTS.c.created_at.type)


class GapRow(Row):
    """An event whose number does not follow that of the event before it."""

    id: str
    entity_id: str
    sequence: int
    previous: int


class LastEventRow(Row):
    """An entity, the number of its last event, and the numbers of its first and last stored events."""

    id: str
    entity: str
    event_sequence: int
    first: int | None
    last: int | None


ORDER = (EVENTS.c.entity_id, EVENTS.c.sequence)
NUMBERED = (
    tenant.select(
        EVENTS.c.entity_id,
        EVENTS.c.id,
        EVENTS.c.sequence,
        previous(EVENTS.c.sequence, *ORDER).label("previous"),
        previous(EVENTS.c.created_at, *ORDER).label("previous_created_at"),
    )
    .where(within(EVENTS.c.entity_id))
    .subquery()
)
SELECT_GAPS = Statement(
    GapRow,
    sa.select(NUMBERED.c.id, NUMBERED.c.entity_id, NUMBERED.c.sequence, NUMBERED.c.previous)
    .where(NUMBERED.c.sequence != NUMBERED.c.previous + 1, NUMBERED.c.previous_created_at >= KEPT_SINCE)
    .order_by(NUMBERED.c.entity_id, NUMBERED.c.sequence),
)
# The events of a refund are those of its return.
ENTITIES = {name: entities for name, entities in ENTITY_TABLES.items() if name != "refund"}
CREATED_AT = {"credit_note": "refunded_at"}  # the columns that have another name
# The rows of the entities, and those of their events.
ENTRIES = sa.union_all(
    *(
        tenant.select(
            entities.c.id,
            sa.literal_column(f"'{name.replace('_', ' ')}'", sa.Text).label("entity"),
            entities.c.event_sequence,
            entities.c[CREATED_AT.get(name, "created_at")],
            sa.cast(sa.null(), EVENTS.c.sequence.type).label("sequence"),
            sa.cast(sa.null(), EVENTS.c.created_at.type).label("event_created_at"),
        ).where(within(entities.c.id))
        for name, entities in ENTITIES.items()
    ),
    tenant.select(EVENTS.c.entity_id, sa.null(), sa.null(), sa.null(), EVENTS.c.sequence, EVENTS.c.created_at).where(
        within(EVENTS.c.entity_id)
    ),
).subquery()
EVENT_SEQUENCE = sa.func.max(ENTRIES.c.event_sequence)
FIRST, LAST = sa.func.min(ENTRIES.c.sequence), sa.func.max(ENTRIES.c.sequence)
HAS_ALL_EVENTS = sa.func.max(ENTRIES.c.created_at) >= KEPT_SINCE  # none of them can be expired
SELECT_WRONG_LAST = Statement(
    LastEventRow,
    sa.select(
        ENTRIES.c.id,
        sa.func.max(ENTRIES.c.entity).label("entity"),
        EVENT_SEQUENCE.label("event_sequence"),
        FIRST.label("first"),
        LAST.label("last"),
    )
    .group_by(ENTRIES.c.id)
    .having(
        EVENT_SEQUENCE.is_not(None),  # the entity was not deleted
        sa.or_(
            sa.and_(
                sa.func.coalesce(LAST, 0) != EVENT_SEQUENCE,
                sa.or_(sa.func.max(ENTRIES.c.event_created_at) >= KEPT_SINCE, HAS_ALL_EVENTS),
            ),
            sa.and_(FIRST > 1, HAS_ALL_EVENTS),
        ),
    )
    .order_by(ENTRIES.c.id),
)


def _parameters(now: datetime) -> Mapping[str, object]:
    return {"kept_since": now - KEPT}


def _gap(row: GapRow) -> Problem:
    text = f"its sequence is {row.sequence}, that of the event before it is {row.previous}. {CORRECT}"
    return Problem("event", row.id, f"of {row.entity_id}", text)


def _wrong_last(row: LastEventRow) -> Problem:
    if row.last is None:
        text = f"event_sequence is {row.event_sequence}, but it has no events"
    elif row.last != row.event_sequence:
        text = f"event_sequence is {row.event_sequence}, the sequence of its last event is {row.last}"
    else:
        text = f"the sequence of its first event is {row.first} and not 1"
    return Problem(row.entity, row.id, None, f"{text}. {CORRECT}")


GAPS = Check(
    "eventGaps",
    subject="events",
    rule="those of an entity are numbered without gaps",
    ranges=ranges.ENTITIES,
    counted=[EVENTS.c.entity_id],
    bad=SELECT_GAPS,
    problem=_gap,
    parameters=_parameters,
)
LAST_EVENTS = Check(
    "eventSequences",
    subject="orders, customers, products, returns, credit notes and webhooks",
    rule="stored events end with the last one",
    ranges=ranges.ENTITIES,
    counted=[entities.c.id for entities in ENTITIES.values()],
    bad=SELECT_WRONG_LAST,
    problem=_wrong_last,
    parameters=_parameters,
)
