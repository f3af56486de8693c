"""Lists render the values of the driver, and return what marshmallow's `dump` returns of the rows."""

from datetime import datetime
from typing import Any

import pytest

from app.context import Context, now
from app.db import Database
from app.demo import company as demo_company
from app.queries.rows import Rows
from app.schemas.api_keys import API_KEY
from app.schemas.audit import AUDIT_ENTRY
from app.schemas.base import RowSchema, timestamp
from app.schemas.converted import timestamps, timestamps_of_texts
from app.schemas.customers import CUSTOMER
from app.schemas.events import EVENT
from app.schemas.inventory import INVENTORY_MOVEMENT
from app.schemas.orders import ITEM, ORDER, OrderCreate, OrderItemCreate
from app.schemas.prices import PRICE_OVERRIDE
from app.schemas.products import PRODUCT
from app.schemas.webhooks import DELIVERY, WebhookCreate
from app.services import audit, customers, deliveries, events, keys, movements, orders, prices, products, webhooks
from models.base import EPOCH, MILLISECOND
from tests.support import factories

SCHEMAS: dict[str, RowSchema[Any]] = {
    "products": PRODUCT,
    "customers": CUSTOMER,
    "prices": PRICE_OVERRIDE,
    "orders": ORDER,
    "items of orders": ITEM,
    "movements": INVENTORY_MOVEMENT,
    "audit entries": AUDIT_ENTRY,
    "events": EVENT,
    "deliveries": DELIVERY,
    "API keys": API_KEY,
}


def lists(ctx: Context) -> dict[str, Rows[Any]]:
    """Return a page of each list."""
    webhook, customer = webhooks.list_all(ctx)[0], customers.page(ctx, limit=100).rows
    overrides = (prices.page(ctx, row.id).rows for row in customer)
    return {
        "products": products.page(ctx, limit=100).rows,
        "customers": customer,
        "prices": next(found for found in overrides if found),
        "orders": orders.page(ctx, limit=100).page.rows,
        "items of orders": orders.page(ctx, limit=100).items,
        "movements": movements.page(ctx, limit=100).rows,
        "audit entries": audit.page(ctx, limit=100).rows,
        "events": events.page(ctx, limit=100).rows,
        "deliveries": deliveries.page(ctx, webhook.id, limit=100).rows,
        "API keys": keys.page(ctx).rows,
    }


@pytest.fixture
def company_id(fresh_database: Database) -> str:
    """Return a company with rows in every list: the demo company with a webhook, and an order that it receives."""
    with fresh_database.transaction(write=True) as session:
        company = demo_company.create_company(session, now=now())
        session.flush()
        ctx = factories.context(session, company.id)
        demo_company.fill(ctx)
        webhooks.create(ctx, WebhookCreate(url="https://example.com/hook", events=["*"]))
        items = [OrderItemCreate(product_id=row.id, quantity=1) for row in products.page(ctx, active=True).rows[:3]]
        customer = next(row for row in customers.page(ctx, limit=100).rows if row.status == "ACTIVE")
        orders.place(ctx, OrderCreate(customer_id=customer.id, items=items))
        return company.id


def test_rows_of_every_list_are_rendered_as_marshmallow_does(fresh_database: Database, company_id: str) -> None:
    with fresh_database.transaction() as session:
        found = lists(factories.context(session, company_id))

    assert found.keys() == SCHEMAS.keys()
    for name, schema in SCHEMAS.items():
        assert found[name], name
        assert schema.render_all(found[name]) == [schema.dump(row) for row in found[name]]
        assert schema.render_all(list(found[name])) == schema.render_all(found[name])


@pytest.mark.parametrize("milliseconds", [-1, 0, 1, 59_999, 60_000, 1_795_727_185_426, 7_258_118_399_999])
def test_a_time_from_milliseconds_equals_that_of_a_datetime(milliseconds: int) -> None:
    assert timestamps([milliseconds, None]) == [timestamp(EPOCH + milliseconds * MILLISECOND), None]


@pytest.mark.parametrize("text", ["12:00:00", "12:00:00.1", "12:00:00.12", "23:59:59.123", "00:00:00.123999"])
def test_a_time_from_text_equals_that_of_a_datetime(text: str) -> None:
    written = f"2026-04-16 {text}+00"

    assert timestamps_of_texts([written, None]) == [timestamp(datetime.fromisoformat(written)), None]
