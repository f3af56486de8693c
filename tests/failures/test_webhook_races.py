"""Webhooks that several clients change at the same time, and deliveries that they queue at the same time."""

from collections import Counter
from functools import partial
from typing import Any

from app.db import Database
from models import AuditEntry, Delivery, Event
from tests.support import waiting
from tests.support.client import Client

CLIENTS = 6


def make(client: Client, event: str = "order.created") -> str:
    """Create a webhook over the API and return its id."""
    response = client.post("/webhooks", json={"url": "https://example.com/hook", "events": [event]})
    return str(response.raise_for_status().json()["data"]["id"])


def deliveries(client: Client, webhook: str) -> list[dict[str, Any]]:
    return list(client.walk(f"/webhooks/{webhook}/deliveries"))


def test_concurrent_updates_of_different_members_are_all_kept(client: Client, database: Database) -> None:
    webhook = make(client)
    bodies: list[dict[str, Any]] = [
        {"url": "https://example.com/new"},
        {"events": ["order.*"]},
        {"isActive": False},
        {"description": "Shop"},
    ]

    responses = waiting.concurrently(*[partial(client.patch, f"/webhooks/{webhook}", json=body) for body in bodies])

    assert [response.status_code for response in responses] == [200] * len(bodies)
    after = client.get(f"/webhooks/{webhook}").json()["data"]
    assert all(after[name] == value for body in bodies for name, value in body.items())
    with database.transaction() as session:
        entries = session.query(AuditEntry).filter_by(entity_id=webhook, action="webhook.updated").all()
    changed = Counter(name for entry in entries for name in entry.details["after"])
    assert {name: changed[name] for body in bodies for name in body} == {name: 1 for body in bodies for name in body}


def test_either_the_update_or_the_deletion_of_a_webhook_comes_first(client: Client, database: Database) -> None:
    for number in range(10):
        webhook = make(client)
        update = partial(client.patch, f"/webhooks/{webhook}", json={"description": f"Shop {number}"})
        delete = partial(client.delete, f"/webhooks/{webhook}")

        updated, deleted = waiting.concurrently(update, delete)

        assert deleted.status_code == 200
        assert updated.status_code in {200, 404}
        with database.transaction() as session:
            entries = session.query(AuditEntry).filter_by(entity_id=webhook).order_by(AuditEntry.id).all()
        changes = ["webhook.updated"] if updated.status_code == 200 else []
        assert [entry.action for entry in entries] == ["webhook.created", *changes, "webhook.deleted"]


def test_concurrent_recoveries_queue_a_missed_event_once(client: Client) -> None:
    for number in range(5):
        client.post("/customers", json={"email": f"missed{number}@example.com"}).raise_for_status()
    webhook = make(client, "customer.created")
    recover = partial(client.post, f"/webhooks/{webhook}/recover", json={"since": "2026-01-01"})

    counts = [response.json()["data"]["count"] for response in waiting.concurrently(*[recover] * CLIENTS)]

    assert sorted(counts) == [0] * (CLIENTS - 1) + [5]
    assert Counter(Counter(delivery["eventId"] for delivery in deliveries(client, webhook)).values()) == {1: 5}


def test_each_of_concurrent_redeliveries_queues_one_delivery(client: Client) -> None:
    webhook = make(client)
    first = client.post(f"/webhooks/{webhook}/test").json()["data"]
    path = f"/webhooks/{webhook}/deliveries/{first['id']}/redeliver"

    responses = waiting.concurrently(*[partial(client.post, path)] * CLIENTS)

    queued = {response.json()["data"]["id"] for response in responses}
    assert {response.status_code for response in responses} == {202}
    assert {delivery["id"] for delivery in deliveries(client, webhook)} == {first["id"], *queued}
    assert len(queued) == CLIENTS
    assert {delivery["eventId"] for delivery in deliveries(client, webhook)} == {first["eventId"]}


def test_concurrent_test_events_have_consecutive_sequences(client: Client, database: Database) -> None:
    webhook = make(client)

    responses = waiting.concurrently(*[partial(client.post, f"/webhooks/{webhook}/test")] * CLIENTS)

    assert {response.status_code for response in responses} == {202}
    with database.transaction() as session:
        sequences = [event.sequence for event in session.query(Event).filter_by(entity_id=webhook)]
        queued = session.query(Delivery).filter_by(webhook_id=webhook).count()
    assert sorted(sequences) == list(range(1, CLIENTS + 1))
    assert queued == CLIENTS
