"""The events of imported products."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.product_import import importer
from app.product_import.product_csv import ProductCsv
from app.schemas.products import PRODUCT
from app.schemas.webhooks import WebhookCreate
from app.services import products, webhooks
from models import Delivery, Event, Product, ProductImportRow
from models.base import MILLISECOND
from tests.product_import.conftest import counts, run, stored
from tests.support import factories
from tests.support.client import Contract
from tests.support.factories import Tenant


def published(database: Database, shop: Tenant, contract: Contract) -> list[dict[str, Any]]:
    """Return the events of the company in the order of their products and sequences, checked against the document."""
    with database.transaction() as session:
        rows = session.query(Event).filter_by(company_id=shop.company_id)
        found = rows.order_by(Event.entity_id, Event.sequence).all()
    bodies: list[dict[str, Any]] = [json.loads(row.payload) for row in found]
    for row, body in zip(found, bodies, strict=True):
        contract.check_event(body)
        assert (row.id, row.type, row.entity_id, row.sequence) == (
            body["id"],
            body["event"],
            body["data"]["id"],
            body["sequence"],
        )
        assert row.request_id == "test"
    return bodies


def current(database: Database, shop: Tenant, sku: str) -> dict[str, Any]:
    """Return the product as the API returns it."""
    product_id = stored(database, shop, sku).id
    with database.transaction() as session:
        return PRODUCT.render(products.get(factories.context(session, shop.company_id), product_id))


def run_during(database: Database, shop: Tenant, content: str, act: Callable[[], None]) -> None:
    """Import a file, and call `act` between the comparison and the application of its rows."""
    product_csv = ProductCsv(io.BytesIO(content.encode()))
    importer.run(factories.transactions(database, shop.company_id), product_csv, on_progress=lambda *_: act())


class TestEvents:
    def test_a_created_product(self, fresh_database: Database, shop: Tenant, contract: Contract) -> None:
        run(fresh_database, shop, "sku,name,price,stock\nW-1,Wïdget,8.50,3\n")

        (event,) = published(fresh_database, shop, contract)
        assert (event["event"], event["sequence"]) == ("product.created", 1)
        assert event["data"] == current(fresh_database, shop, "W-1")
        assert event["timestamp"] == event["data"]["createdAt"] == event["data"]["updatedAt"]

    def test_an_updated_product(self, fresh_database: Database, shop: Tenant, contract: Contract) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", stock=60, image_url="https://example.com/w")
        factories.product(fresh_database, shop.company_id, sku="W-2", name="Same")

        run(fresh_database, shop, "sku,stock,price,name\nW-1,70,9.25,Renamed\nW-2,,8.50,Same\n")

        (event,) = published(fresh_database, shop, contract)
        assert (event["event"], event["sequence"]) == ("product.updated", 1)
        assert event["data"].pop("changed") == ["name", "price", "stock"]  # in the order of the document
        assert event["data"] == current(fresh_database, shop, "W-1")
        assert event["timestamp"] == event["data"]["updatedAt"]

    @pytest.mark.parametrize(
        ("before", "after", "is_low"), [(7, 6, False), (6, 5, True), (6, 0, True), (5, 4, False), (4, 6, False)]
    )
    def test_stock_that_falls_to_the_threshold(
        self,
        fresh_database: Database,
        shop: Tenant,
        contract: Contract,
        *,
        before: int,
        after: int,
        is_low: bool,
    ) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", stock=before, low_stock_threshold=5)

        run(fresh_database, shop, f"sku,name,price,stock\nW-1,Widget,8.50,{after}\n")
        run(fresh_database, shop, "sku,name,price\nW-1,Renamed,8.50\n")

        events = published(fresh_database, shop, contract)
        low_stock = [event for event in events if event["event"] == "product.low_stock"]
        assert [event["sequence"] for event in events] == list(range(1, 3 + is_low))
        assert [event["sequence"] for event in low_stock] == [2] * is_low
        for event in low_stock:
            assert (event["data"]["stock"], event["data"]["lowStockThreshold"]) == (after, 5)
            assert event["data"]["updatedAt"] == event["timestamp"] == events[0]["timestamp"]

    def test_deliveries_are_queued_for_the_webhooks_that_subscribe(
        self, fresh_database: Database, shop: Tenant, contract: Contract
    ) -> None:
        ids = {}
        for event in ("product.created", "product.updated", "product.low_stock", "order.created"):
            with fresh_database.transaction(write=True) as session:
                draft = WebhookCreate(url="https://example.com/", events=[event])
                ids[event] = webhooks.create(factories.context(session, shop.company_id), draft).id
        factories.product(fresh_database, shop.company_id, sku="W-1", stock=9)

        run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,5\nW-2,Gadget,1,\nW-3,Gizmo,1,\n")

        events = published(fresh_database, shop, contract)
        with fresh_database.transaction() as session:
            queued = {(row.webhook_id, row.event_id, row.event) for row in session.query(Delivery)}
        assert queued == {(ids[event["event"]], event["id"], event["event"]) for event in events}
        assert len(queued) == 4

    def test_a_text_that_looks_like_the_placeholder_of_the_time(
        self, fresh_database: Database, shop: Tenant, contract: Contract
    ) -> None:
        name = '"\\u0001"'
        run(fresh_database, shop, f'sku,name,price\nW-1,"{name.replace(chr(34), chr(34) * 2)}",8.50\n')

        (event,) = published(fresh_database, shop, contract)
        assert event["data"]["name"] == name == stored(fresh_database, shop, "W-1").name


class TestConcurrentChanges:
    def test_an_event_has_the_product_as_it_was_committed(
        self, fresh_database: Database, shop: Tenant, contract: Contract
    ) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", stock=10)

        def change() -> None:
            with fresh_database.transaction(write=True) as session:
                values = {"name": "Theirs", "stock": 7, "event_sequence": 3, "updated_at": now()}
                session.execute(sa.update(Product).where(Product.id == product).values(values))

        run_during(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,10\n", change)
        assert published(fresh_database, shop, contract) == []  # the row changed nothing when it was compared

        run_during(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,20\n", change)
        (event,) = published(fresh_database, shop, contract)
        assert event["sequence"] == 4
        assert event["data"].pop("changed") == ["name", "stock"]
        assert event["data"] == current(fresh_database, shop, "W-1")

    def test_a_deleted_product_has_no_event(self, fresh_database: Database, shop: Tenant, contract: Contract) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", stock=10)

        def delete() -> None:
            with fresh_database.transaction(write=True) as session:
                session.execute(sa.delete(Product).where(Product.id == product))

        run_during(fresh_database, shop, "sku,name,price\nW-1,Widget,8.50\n", delete)

        (event,) = published(fresh_database, shop, contract)
        assert event["event"] == "product.created"
        assert event["data"] == current(fresh_database, shop, "W-1")

    def test_a_slow_clock_does_not_set_updated_at_back(
        self, fresh_database: Database, shop: Tenant, contract: Contract
    ) -> None:
        later = now() + timedelta(hours=1)
        factories.product(fresh_database, shop.company_id, sku="W-1", stock=9, updated_at=later)

        run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,1\n")

        events = published(fresh_database, shop, contract)
        assert [event["event"] for event in events] == ["product.updated", "product.low_stock"]
        updated_at = current(fresh_database, shop, "W-1")["updatedAt"]
        assert {event["data"]["updatedAt"] for event in events} == {updated_at}
        assert stored(fresh_database, shop, "W-1").updated_at == later + MILLISECOND

    def test_rows_that_the_previous_version_staged(
        self, fresh_database: Database, shop: Tenant, contract: Contract
    ) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", name="Old")

        def forget() -> None:
            with fresh_database.transaction(write=True) as session:
                session.execute(sa.update(ProductImportRow).values(event=None))

        run_during(fresh_database, shop, "sku,name,price\nW-1,Widget,8.50\nW-2,Gadget,1\n", forget)

        events = published(fresh_database, shop, contract)
        assert sorted(event["event"] for event in events) == ["product.created", "product.updated"]
        for event in events:
            event["data"].pop("changed", None)
            assert event["data"] == current(fresh_database, shop, event["data"]["sku"])
        assert counts(run(fresh_database, shop, "sku,name,price\nW-1,Widget,8.50\nW-2,Gadget,1\n")) == (0, 0, 2)
