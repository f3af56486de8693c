"""The long history of the demo company is believable."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import sqlalchemy as sa

from app.db import Database
from app.demo import company as demo_company
from app.demo import volume
from models import Event, OrderStatus
from tests.demo.conftest import Demo, load, verify
from tests.support import factories


def add_orders(database: Database, company_id: str, count: int, *, seed: int) -> None:
    with database.transaction(write=True) as session:
        data = volume.prepare(factories.context(session, company_id), demo_company.CHARGES)
    for batch in volume.batches(data, count, seed=seed):
        with database.transaction(write=True) as session:
            volume.write(factories.context(session, company_id), batch)


def test_the_history_is_believable(fresh_database: Database, company_id: str) -> None:
    before = load(fresh_database)
    with fresh_database.transaction() as session:
        events = session.scalars(sa.select(Event.id)).all()
    add_orders(fresh_database, company_id, 1380, seed=120)
    add_orders(fresh_database, company_id, 1500, seed=1500)

    demo = load(fresh_database)
    with fresh_database.transaction() as session:
        assert session.scalars(sa.select(Event.id)).all() == events
    earlier = {order.id for order in before.orders}
    orders = [order for order in demo.orders if order.id not in earlier]
    assert len(orders) == 2880
    assert all(demo.products[product_id].stock == product.stock for product_id, product in before.products.items())
    assert {order.status for order in orders} == set(OrderStatus)
    assert orders[-1].created_at - orders[0].created_at > timedelta(days=730)
    assert 2.5 < sum(len(demo.items[order.id]) for order in orders) / len(orders) < 3.5
    assert 0 < sum(order.customer_id is None for order in orders) < 0.05 * len(orders)
    weekdays = Counter(order.created_at.weekday() for order in orders)
    assert weekdays[0] > 2 * weekdays[5] > 2 * weekdays[6]
    po_numbers = [order.po_number for order in orders if order.po_number]
    assert len(set(po_numbers)) == len(po_numbers) > 1000
    assert_orders_add_up(demo, {order.id for order in orders})
    assert {name: result.first for name, result in verify(fresh_database, demo).items() if result.first} == {}
    assert {order.has_movements for order in demo.orders} == {True}
    pallets = [product for product in demo.products.values() if (product.sku or "").startswith(volume.SKU_PREFIX)]
    assert all(10 <= product.stock < 500 for product in pallets)


def assert_orders_add_up(demo: Demo, order_ids: set[str]) -> None:
    now = datetime.now(UTC)
    for order in (order for order in demo.orders if order.id in order_ids):
        items = demo.items[order.id]
        assert order.created_at <= order.updated_at <= now
        assert order.customer_id is None or demo.customers[order.customer_id].created_at <= order.created_at
        assert all(demo.products[item.product_id].created_at <= order.created_at for item in items)
        assert order.subtotal == sum((item.quantity * item.unit_price for item in items), Decimal(0))
        assert order.tax == (order.subtotal * demo.company.tax_rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert order.total == order.subtotal + order.tax + demo.company.shipping
