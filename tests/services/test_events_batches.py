"""Audit entries and events that are written together: one order, and a number of statements that does not grow."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db import Database
from app.schemas import events as payloads
from app.schemas.events import NewEvent
from app.schemas.webhooks import WebhookCreate
from app.services import audit, events, webhooks
from app.services.audit import NewEntry
from models import AuditEntry, Delivery, Event, EventType
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.statements import counted


def subscribe(session: Session, company_id: str, event: EventType) -> str:
    draft = WebhookCreate(url="https://example.com/", events=[event])
    return webhooks.create(factories.context(session, company_id), draft).id


def low_stock(product_id: str, number: int = 0) -> NewEvent:
    return NewEvent(EventType.PRODUCT_LOW_STOCK, product_id, {"number": number})


def stored_events(session: Session, company_id: str) -> list[tuple[str, int, str]]:
    columns = sa.select(Event.entity_id, Event.sequence, Event.type)
    rows = session.execute(columns.where(Event.company_id == company_id).order_by(Event.id)).all()
    return [(entity_id, sequence, kind) for entity_id, sequence, kind in rows]


class TestPublishAll:
    def test_events_are_stored_in_their_order_with_consecutive_sequences(
        self, database: Database, tenant: Tenant
    ) -> None:
        one, other = factories.products(database, tenant.company_id, 2)
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            events.publish(ctx, low_stock(other))
            events.publish_all(ctx, [low_stock(one), low_stock(other), low_stock(one)])
            events.publish(ctx, low_stock(one))

            found = [row[:2] for row in stored_events(session, tenant.company_id)]

        assert found == [(other, 1), (one, 1), (other, 2), (one, 2), (one, 3)]

    def test_events_of_several_kinds_are_published_together(self, database: Database, tenant: Tenant) -> None:
        product = factories.product(database, tenant.company_id)
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            webhook = subscribe(session, tenant.company_id, EventType.PRODUCT_LOW_STOCK)
            events.publish_all(ctx, [payloads.webhook_test(webhook), low_stock(product)])

            found = stored_events(session, tenant.company_id)

        assert found == [(webhook, 1, "webhook.test"), (product, 1, "product.low_stock")]

    def test_the_first_event_of_a_new_entity_has_the_sequence_of_its_row(
        self, database: Database, tenant: Tenant
    ) -> None:
        new, other = factories.products(database, tenant.company_id, 2, event_sequence=events.FIRST_SEQUENCE)
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            created = NewEvent(EventType.PRODUCT_CREATED, new, {})
            with counted(session) as statements:
                events.publish_all(ctx, [created, NewEvent(EventType.PRODUCT_CREATED, other, {})])
            events.publish_all(ctx, [low_stock(new), low_stock(new)])

            found = stored_events(session, tenant.company_id)

        assert [row[:2] for row in found] == [(new, 1), (other, 1), (new, 2), (new, 3)]
        assert len(statements) == 2  # the events, the webhooks

    def test_an_event_may_follow_the_first_one_at_once(self, database: Database, tenant: Tenant) -> None:
        new = factories.product(database, tenant.company_id, event_sequence=events.FIRST_SEQUENCE)
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            events.publish_all(ctx, [NewEvent(EventType.PRODUCT_CREATED, new, {}), low_stock(new)])

            found = stored_events(session, tenant.company_id)

        assert [row[1:] for row in found] == [(1, "product.created"), (2, "product.low_stock")]

    def test_only_webhooks_that_subscribe_get_a_delivery(self, database: Database, tenant: Tenant) -> None:
        products = factories.products(database, tenant.company_id, 3)
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            subscriber = subscribe(session, tenant.company_id, EventType.PRODUCT_LOW_STOCK)
            subscribe(session, tenant.company_id, EventType.ORDER_CREATED)
            events.publish_all(ctx, [low_stock(product) for product in products])

            deliveries = session.scalars(sa.select(Delivery).where(Delivery.company_id == tenant.company_id)).all()

        assert [delivery.webhook_id for delivery in deliveries] == [subscriber] * 3

    @pytest.mark.parametrize("number", [1, 200])
    def test_the_number_of_statements_does_not_grow(self, database: Database, tenant: Tenant, number: int) -> None:
        products = factories.products(database, tenant.company_id, number)
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            subscribe(session, tenant.company_id, EventType.PRODUCT_LOW_STOCK)
            with counted(session) as statements:
                events.publish_all(ctx, [low_stock(product) for product in products])

        assert len(statements) == 4  # the counters, the events, the webhooks, the deliveries

    def test_nothing_to_publish_sends_nothing(self, database: Database, tenant: Tenant) -> None:
        with database.transaction(write=True) as session, counted(session) as statements:
            events.publish_all(factories.context(session, tenant.company_id), [])

        assert statements == []

    def test_an_entity_of_another_company_is_a_bug(self, database: Database, tenant: Tenant) -> None:
        foreign = factories.product(database, factories.tenant(database).company_id)
        with pytest.raises(KeyError), database.transaction(write=True) as session:
            events.publish_all(factories.context(session, tenant.company_id), [low_stock(foreign)])


class TestRecordAll:
    def test_entries_are_recorded_in_one_statement_in_their_order(self, database: Database, tenant: Tenant) -> None:
        entries = [NewEntry("test.done", "test", str(number), {"number": number}) for number in range(20)]
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            with counted(session) as statements:
                audit.record_all(ctx, entries)
            query = sa.select(AuditEntry.entity_id).where(
                AuditEntry.company_id == tenant.company_id, AuditEntry.action == "test.done"
            )
            found = session.scalars(query.order_by(AuditEntry.id)).all()

        assert found == [str(number) for number in range(20)]
        assert len(statements) == 1

    def test_only_details_that_are_too_large_are_dropped(self, database: Database, tenant: Tenant) -> None:
        entries = [NewEntry("test.done", "test", name, {"text": name * 8_000}) for name in ("a", "")]
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            audit.record_all(ctx, entries)
            query = sa.select(AuditEntry.details).where(
                AuditEntry.company_id == tenant.company_id, AuditEntry.action == "test.done"
            )
            found = session.scalars(query.order_by(AuditEntry.id)).all()

        assert found == [{}, {"text": ""}]

    def test_nothing_to_record_sends_nothing(self, database: Database, tenant: Tenant) -> None:
        with database.transaction(write=True) as session, counted(session) as statements:
            audit.record_all(factories.context(session, tenant.company_id), [])

        assert statements == []
