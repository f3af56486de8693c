"""Sample events for receivers under development: test events that look like any other type (contract, section 9.5).

Their data is that of the document's examples. Nothing that it names exists in the company.
"""

import re

from app import spec
from app.schemas.events import NewEvent, webhook_test
from models import EventType


def sample_event(event: EventType, webhook_id: str) -> NewEvent:
    """Return a sample of an event type for one webhook. It is stored as a test event of that webhook."""
    if event is EventType.WEBHOOK_TEST:
        return webhook_test(webhook_id)
    data = spec.example(component_name(event))["data"]
    return NewEvent(EventType.WEBHOOK_TEST, webhook_id, data, sample_of=event)


def component_name(event: EventType) -> str:
    """Return the name of an event's schema and example in the document: `OrderCreatedEvent` for `order.created`."""
    return "".join(word.capitalize() for word in re.split("[._]", event)) + "Event"
