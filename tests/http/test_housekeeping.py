"""Rows whose retention has ended are deleted, and no others."""

from dataclasses import replace
from datetime import timedelta

from app.context import now
from app.db import Database
from app.http import housekeeping
from app.schemas.customers import CustomerCreate
from app.schemas.webhooks import WebhookCreate
from app.services import customers, events, webhooks
from app.services.deliveries import TABLE as DELIVERIES
from models import Event, Webhook
from tests.support import factories


def test_events_are_deleted_after_thirty_days_with_their_deliveries(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    with fresh_database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        webhooks.create(ctx, WebhookCreate(url="https://example.com", events=["customer.created"]))
        for days in (31, 30.1, 29.9, 0):
            past = replace(ctx, now=now() - timedelta(days=days))
            customers.create(past, CustomerCreate(email=f"c{days}@example.com"))

    housekeeping.delete_expired(fresh_database)

    with fresh_database.transaction() as session:
        assert session.query(Event).count() == session.query(DELIVERIES).count() == 2


def test_more_events_than_a_batch_are_deleted(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    with fresh_database.transaction(write=True) as session:
        ctx = replace(factories.context(session, tenant.company_id), now=now() - timedelta(days=40))
        for number in range(events.DELETE_BATCH + 1):
            customers.create(ctx, CustomerCreate(email=f"c{number}@example.com"))

    housekeeping.delete_expired(fresh_database)

    with fresh_database.transaction() as session:
        assert session.query(Event).count() == 0


def test_a_deleted_webhook_is_removed_when_nothing_refers_to_it(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    with fresh_database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        for days in (40, 20, 0):
            past = replace(ctx, now=now() - timedelta(days=days))
            made = webhooks.create(past, WebhookCreate(url="https://example.com", events=["customer.created"]))
            if days:
                webhooks.delete(past, made.id)

    housekeeping.delete_expired(fresh_database)

    with fresh_database.transaction() as session:
        assert session.query(Webhook).count() == 2
        assert len(webhooks.list_all(factories.context(session, tenant.company_id))) == 1
