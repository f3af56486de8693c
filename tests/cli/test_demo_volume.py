"""`distribu demo --orders`: a long history, safe to ask for twice."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
import sqlalchemy as sa

from app.db import Database
from models import Company, Customer, Event, Order, OrderItem, OrderStatus, Product
from tests.cli.conftest import Command, dump, entries
from tests.support import factories


@pytest.fixture(autouse=True)
def _no_key_of_another_database(fresh_database: Database) -> None:
    if fresh_database.file:
        (fresh_database.file.parent / "demo-key").unlink(missing_ok=True)


def test_fills_up_to_the_number_asked_for(distribu: Command) -> None:
    first = distribu("demo", "--orders", "700", "--json")
    again = distribu("demo", "--orders", "700", "--json")
    more = distribu("demo", "--orders", "1000", "--json")
    fewer = distribu("demo", "--orders", "10", "--json")

    assert [each.json["orders"] for each in (first, again, more, fewer)] == [700, 700, 1000, 1000]
    assert [each.json["products"] for each in (first, more)] == [400, 400]
    assert "Added 580 orders." in first.err
    assert "Added 300 orders." in more.err
    assert "were added" not in again.err + fewer.err
    added = [each for each in entries(distribu, "demo") if each["action"] == "demo.orders_added"]
    assert [each["metadata"] for each in added] == [{"orders": 300}, {"orders": 580}]


def test_asking_for_what_is_there_changes_nothing(distribu: Command, fresh_database: Database) -> None:
    distribu("demo", "--orders", "300")
    before = dump(fresh_database)

    distribu("demo", "--orders", "300")
    distribu("demo")

    assert dump(fresh_database) == before


def test_leaves_other_companies_alone(distribu: Command, fresh_database: Database) -> None:
    other = factories.tenant(fresh_database)
    distribu("demo", "--orders", "200")

    assert factories.count(fresh_database, Order, other.company_id) == 0
    assert factories.count(fresh_database, Product, other.company_id) == 0


def test_the_history_is_believable(distribu: Command, fresh_database: Database) -> None:
    distribu("demo")
    with fresh_database.transaction() as session:
        stock = {each.id: each.stock for each in session.scalars(sa.select(Product))}
        earlier = set(session.scalars(sa.select(Order.id)))
    distribu("demo", "--orders", "1500")
    distribu("demo", "--orders", "3000")

    items: dict[str, list[OrderItem]] = defaultdict(list)
    with fresh_database.transaction() as session:
        company = session.scalars(sa.select(Company)).one()
        goods = {each.id: each for each in session.scalars(sa.select(Product))}
        buyers = {each.id: each for each in session.scalars(sa.select(Customer))}
        orders = [
            each for each in session.scalars(sa.select(Order).order_by(Order.created_at)) if each.id not in earlier
        ]
        for item in session.scalars(sa.select(OrderItem).order_by(OrderItem.position)):
            items[item.order_id].append(item)
        assert session.scalars(sa.select(Event)).all() == []
    now = datetime.now(UTC)
    assert {each: goods[each].stock for each in stock} == stock
    assert {each.status for each in orders} == set(OrderStatus)
    assert orders[-1].created_at - orders[0].created_at > timedelta(days=730)
    assert 2.5 < sum(len(items[each.id]) for each in orders) / len(orders) < 3.5
    assert 0 < sum(each.customer_id is None for each in orders) < 0.05 * len(orders)
    weekdays = Counter(each.created_at.weekday() for each in orders)
    assert weekdays[0] > 2 * weekdays[5] > 2 * weekdays[6]
    numbers = [each.po_number for each in orders if each.po_number]
    assert len(set(numbers)) == len(numbers) > 1000
    for order in orders:
        assert order.created_at <= order.updated_at <= now
        assert order.customer_id is None or buyers[order.customer_id].created_at <= order.created_at
        assert all(goods[each.product_id].created_at <= order.created_at for each in items[order.id])
        assert order.subtotal == sum((each.quantity * each.unit_price for each in items[order.id]), Decimal(0))
        assert order.tax == (order.subtotal * company.tax_rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert order.total == order.subtotal + order.tax + company.shipping


@pytest.mark.parametrize("number", ["0", "-1", "many", "10000001"])
def test_refuses_a_number_that_makes_no_sense(distribu: Command, number: str) -> None:
    assert "--orders" in distribu("demo", "--orders", number).error
