"""What webhooks subscribe to: event types and wildcards (contract, section 9.5). Pure functions.

`*` stands for every event type, and `order.*` for those whose name begins with `order.`, including types that later
versions add. No wildcard includes `webhook.test`, which is sent only to the webhook that a request names.
"""

from collections.abc import Iterable

from models import SUBSCRIBABLE, EventType

EVERY_TYPE = "*"


def _wildcard(event: EventType) -> str:
    """Return the wildcard for the types of the same entity."""
    return event.partition(".")[0] + ".*"


WILDCARDS = [EVERY_TYPE, *dict.fromkeys(_wildcard(event) for event in SUBSCRIBABLE)]
# By event type: the subscriptions that include it.
INCLUDED_BY: dict[EventType, frozenset[str]] = {
    **{event: frozenset({event, _wildcard(event), EVERY_TYPE}) for event in SUBSCRIBABLE},
    EventType.WEBHOOK_TEST: frozenset(),
}


def includes(subscriptions: Iterable[str], event: EventType) -> bool:
    """Return True if one of the subscriptions of a webhook includes an event type."""
    return not INCLUDED_BY[event].isdisjoint(subscriptions)


def event_types(subscriptions: Iterable[str]) -> list[EventType]:
    """Return the event types that the subscriptions of a webhook include."""
    given = frozenset(subscriptions)
    return [event for event in SUBSCRIBABLE if includes(given, event)]
