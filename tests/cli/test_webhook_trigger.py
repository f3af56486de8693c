"""`distribu webhook trigger`."""

from typing import Any

import pytest

from app.db import Database
from app.schemas.webhooks import WebhookCreate
from app.services import events, webhooks
from models import SUBSCRIBABLE, AuditEntry, Customer, EventType, Order, Product
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.client import Contract
from tests.support.factories import Tenant


def add(database: Database, company_id: str, *subscriptions: str, is_active: bool = True) -> str:
    """Create a webhook and return its id."""
    with database.transaction(write=True) as session:
        draft = WebhookCreate(url="https://example.com/", events=list(subscriptions), is_active=is_active)
        return webhooks.create(factories.context(session, company_id), draft).id


def queued(distribu: Command, slug: str, webhook: str) -> list[dict[str, Any]]:
    """Return the deliveries to a webhook, newest first."""
    rows: list[dict[str, Any]] = distribu("webhook", "deliveries", webhook, "--company", slug, "--json").json
    return rows


@pytest.mark.parametrize("event", SUBSCRIBABLE)
def test_a_sample_of_every_type_is_valid_and_marked_as_a_test(
    distribu: Command, fresh_database: Database, shop: Tenant, contract: Contract, event: EventType
) -> None:
    webhook = add(fresh_database, shop.company_id, event)

    (delivery,) = distribu("webhook", "trigger", event.value, "--company", shop.slug, "--json").json

    payload = delivery["payload"]
    contract.check_event(payload)
    assert (delivery["webhookId"], delivery["event"], delivery["outcome"]) == (webhook, event, "PENDING")
    assert (payload["event"], payload["test"], payload["id"]) == (event, True, delivery["eventId"])
    assert payload["timestamp"] == delivery["createdAt"]
    assert queued(distribu, shop.slug, webhook) == [delivery]


def test_nothing_is_created_and_no_list_contains_the_sample(
    distribu: Command, fresh_database: Database, shop: Tenant
) -> None:
    add(fresh_database, shop.company_id, "*")
    entries = factories.count(fresh_database, AuditEntry, shop.company_id)

    for event in SUBSCRIBABLE:
        distribu("webhook", "trigger", event.value, "--company", shop.slug)

    for model in (Order, Product, Customer):
        assert factories.count(fresh_database, model, shop.company_id) == 0
    assert factories.count(fresh_database, AuditEntry, shop.company_id) == entries
    with fresh_database.transaction() as session:
        assert events.page(factories.context(session, shop.company_id)).rows == []
    assert distribu("verify").code == 0


def test_every_active_webhook_that_subscribes_receives_its_own_sample(
    distribu: Command, fresh_database: Database, shop: Tenant
) -> None:
    company = shop.company_id
    subscribed = {add(fresh_database, company, *choice) for choice in (["order.*"], ["*"], ["order.created"])}
    add(fresh_database, company, "customer.*")
    add(fresh_database, company, "order.created", is_active=False)
    add(fresh_database, factories.tenant(fresh_database).company_id, "*")

    outcome = distribu("webhook", "trigger", "order.created", "--company", shop.slug, "--json")

    assert {delivery["webhookId"] for delivery in outcome.json} == subscribed
    assert len({delivery["eventId"] for delivery in outcome.json}) == 3
    assert {delivery["payload"]["sequence"] for delivery in outcome.json} == {1}
    for webhook in subscribed:
        assert f"distribu webhook deliveries {webhook} --company {shop.slug}" in outcome.err


def test_a_named_webhook_receives_any_type(distribu: Command, fresh_database: Database, shop: Tenant) -> None:
    webhook = add(fresh_database, shop.company_id, "order.created", is_active=False)
    other = add(fresh_database, shop.company_id, "*")

    for event in EventType:
        outcome = distribu("webhook", "trigger", event.value, "--company", shop.slug, "--webhook", webhook, "--json")
        assert [delivery["event"] for delivery in outcome.json] == [event]

    deliveries = queued(distribu, shop.slug, webhook)
    assert [delivery["payload"]["sequence"] for delivery in deliveries] == list(range(len(EventType), 0, -1))
    assert queued(distribu, shop.slug, other) == []


def test_a_test_event_is_the_one_of_the_api(distribu: Command, fresh_database: Database, shop: Tenant) -> None:
    webhook = add(fresh_database, shop.company_id, "*")

    options = ("--company", shop.slug, "--json")
    (sample,) = distribu("webhook", "trigger", "webhook.test", "--webhook", webhook, *options).json
    test = distribu("webhook", "test", webhook, *options).json

    assert sample["payload"]["data"] == test["payload"]["data"] == {"webhookId": webhook}
    assert sample["payload"].keys() == test["payload"].keys()


def test_without_a_subscriber_the_error_says_what_to_do(
    distribu: Command, fresh_database: Database, shop: Tenant
) -> None:
    add(fresh_database, shop.company_id, "customer.*")

    outcome = distribu("webhook", "trigger", "order.created", "--company", shop.slug)
    test = distribu("webhook", "trigger", "webhook.test", "--company", shop.slug)

    assert outcome.error.startswith("No active webhook subscribes to order.created.")
    assert f"distribu webhook listen --company {shop.slug}" in outcome.error
    assert test.error == "No webhook subscribes to webhook.test. Name the one to send it to: --webhook WEBHOOK_ID"


def test_an_unknown_type_or_webhook_is_rejected(distribu: Command, fresh_database: Database, shop: Tenant) -> None:
    foreign = add(fresh_database, factories.tenant(fresh_database).company_id, "*")

    assert "'order.made' is not one of" in distribu("webhook", "trigger", "order.made", "--company", shop.slug).error
    for webhook in ("none", foreign):
        outcome = distribu("webhook", "trigger", "order.created", "--company", shop.slug, "--webhook", webhook)
        assert outcome.error == "Webhook not found."


def test_the_result_is_a_table(distribu: Command, fresh_database: Database, shop: Tenant) -> None:
    webhook = add(fresh_database, shop.company_id, "*")

    outcome = distribu("webhook", "trigger", "order.created", "--company", shop.slug)

    assert webhook in outcome.out
    assert "order.created" in outcome.out
