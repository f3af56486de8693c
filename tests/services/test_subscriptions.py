"""Event types and wildcards, without a database."""

import pytest

from app import spec
from app.services import subscriptions
from models import SUBSCRIBABLE, EventType


@pytest.mark.parametrize("event", SUBSCRIBABLE)
def test_a_type_is_included_by_itself_its_entity_and_the_wildcard_for_all(event: EventType) -> None:
    entity = event.partition(".")[0]

    for subscription in (event, f"{entity}.*", "*"):
        assert subscriptions.includes([subscription], event)
        assert subscriptions.includes(["invoice.paid", subscription], event)
    assert not subscriptions.includes([f"{entity}.other", "other.*", entity, f"{entity}*"], event)


def test_a_type_is_included_by_nothing_else() -> None:
    for subscription in [*SUBSCRIBABLE, *subscriptions.WILDCARDS]:
        found = subscriptions.event_types([subscription])
        if subscription == "*":
            assert found == SUBSCRIBABLE
        else:
            assert found == [event for event in SUBSCRIBABLE if event.startswith(subscription.removesuffix("*"))]


def test_a_test_event_is_included_by_nothing() -> None:
    everything = ["*", "webhook.*", "webhook.test", *subscriptions.WILDCARDS, *SUBSCRIBABLE]

    assert not subscriptions.includes(everything, EventType.WEBHOOK_TEST)
    assert EventType.WEBHOOK_TEST not in subscriptions.event_types(everything)


def test_the_document_has_every_wildcard() -> None:
    assert spec.document()["components"]["schemas"]["EventWildcard"]["enum"] == subscriptions.WILDCARDS
