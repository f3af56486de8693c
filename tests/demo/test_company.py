"""The demo company is believable, and the same in every installation."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa

from app import spec
from app.db import Database
from app.demo import company as demo_company
from models import NEXT_STATUSES, AuditEntry, Company, Event, InventoryMovement, OrderStatus, new_id, searchable
from tests.demo.conftest import Demo, verify

RETURN_KINDS = {"return", "refund", "credit_note"}


class TestProducts:
    def test_are_believable(self, demo: Demo) -> None:
        products = [
            product for product in demo.products.values() if product.id != spec.example("MinimalProduct")["data"]["id"]
        ]
        now = datetime.now(UTC)

        assert len({product.sku for product in products}) == len({product.name for product in products}) == 302
        assert len({product.category for product in products}) == 12
        assert all(product.price > 0 and product.description and product.unit for product in products)
        assert all(now - timedelta(days=366) < product.created_at <= product.updated_at <= now for product in products)
        assert any(product.stock == 0 for product in products)
        assert any(0 < product.stock <= product.low_stock_threshold for product in products)
        assert 0 < sum(not product.is_active for product in products) < 30


class TestHistory:
    def test_every_amount_is_the_one_that_placing_the_order_calculates(self, demo: Demo) -> None:
        assert (demo.company.tax_rate, demo.company.shipping) == (Decimal("0.07"), Decimal("9.50"))
        for order in demo.orders:
            assert order.customer_id is not None
            override = demo.customers[order.customer_id].tax_rate_override
            subtotal = sum((item.quantity * item.unit_price for item in demo.items[order.id]), Decimal(0))
            tax_rate = demo.company.tax_rate if override is None else override

            assert order.subtotal == subtotal
            assert order.tax == (subtotal * tax_rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert order.shipping == demo.company.shipping
            assert order.total == order.subtotal + order.tax + order.shipping

    def test_every_price_is_that_of_the_override_or_of_the_catalogue(self, demo: Demo) -> None:
        overridden = 0
        for order in demo.orders:
            for item in demo.items[order.id]:
                override = demo.overrides.get((order.customer_id or "", item.product_id))
                overridden += override is not None
                assert item.unit_price == (override or demo.products[item.product_id]).price
        assert overridden > 5
        for (_, product_id), override in demo.overrides.items():
            assert override.price < demo.products[product_id].price

    def test_every_row_is_newer_than_the_rows_that_it_refers_to(self, demo: Demo) -> None:
        now = datetime.now(UTC)
        for order in demo.orders:
            customer = demo.customers[order.customer_id or ""]
            assert now - timedelta(days=365) < customer.created_at <= order.created_at <= order.updated_at <= now
            assert customer.status == "ACTIVE" or order.created_at < customer.updated_at <= now
            assert demo.items[order.id]
            for item in demo.items[order.id]:
                product = demo.products[item.product_id]
                assert product.is_active
                assert product.created_at <= order.created_at
        for (customer_id, product_id), override in demo.overrides.items():
            assert override.created_at >= demo.customers[customer_id].created_at
            assert override.created_at >= demo.products[product_id].created_at

    def test_every_kind_of_order_and_customer_occurs(self, demo: Demo) -> None:
        statuses = Counter(order.status for order in demo.orders)
        customers = demo.customers.values()

        assert statuses.keys() == set(OrderStatus)
        assert min(statuses.values()) >= 3
        assert len({order.created_at.strftime("%Y-%m") for order in demo.orders}) >= 10
        assert 0 < sum(customer.status == "BLOCKED" for customer in customers) < 10
        assert 0 < sum(customer.tax_rate_override is not None for customer in customers) < 20
        assert {customer.credit_limit is None for customer in customers} == {True, False}
        assert len({customer_id for customer_id, _ in demo.overrides}) == 11
        assert {order.po_number is None for order in demo.orders} == {True, False}
        assert {order.shipping_address is None for order in demo.orders} == {True, False}

    def test_rows_are_as_the_services_write_them(self, demo: Demo) -> None:
        for product in demo.products.values():
            assert product.search_text == searchable(product.name, product.sku, product.category)
        for customer in demo.customers.values():
            assert customer.search_text == searchable(customer.email, customer.name)
            assert customer.email == customer.email.strip().lower()
        schema = spec.document()["components"]["schemas"]["ShippingAddressCreate"]
        addresses = [order.shipping_address for order in demo.orders if order.shipping_address]
        assert all(set(schema["required"]) <= address.keys() <= schema["properties"].keys() for address in addresses)

    def test_only_returns_have_events_and_the_audit_log_has_what_was_done(
        self, demo: Demo, fresh_database: Database
    ) -> None:
        with fresh_database.transaction() as session:
            events = session.scalars(sa.select(Event.type)).all()
            actions = session.scalars(sa.select(AuditEntry.action).where(AuditEntry.entity_type != "order")).all()
        done = Counter(action for action in actions if action.partition(".")[0] in RETURN_KINDS)
        assert done + Counter(["order.created"]) == Counter(events)  # the event that the document names
        others = sorted(action for action in actions if action not in done)
        assert others == ["api_key.created", "company.created", "company.updated"]

    def test_the_audit_log_has_the_history_of_every_order(self, demo: Demo, fresh_database: Database) -> None:
        with fresh_database.transaction() as session:
            found = session.query(AuditEntry).filter_by(entity_type="order").order_by(AuditEntry.created_at)
            histories: dict[str, list[AuditEntry]] = {}
            for entry in found:
                histories.setdefault(entry.entity_id, []).append(entry)

        assert histories.keys() == {order.id for order in demo.orders}
        for order in demo.orders:
            placed, *later = histories[order.id]
            changes = [entry for entry in later if entry.action == "order.status_changed"]
            assert (placed.action, placed.created_at) == ("order.placed", order.created_at)
            assert placed.details == {
                "id": order.id,
                "status": "SUBMITTED",
                "total": float(order.total),
                "customerId": order.customer_id,
                "poNumber": order.po_number,
                "itemCount": len(demo.items[order.id]),
            }
            path = ["SUBMITTED", *(change.details["after"] for change in changes)]
            assert [change.details["before"] for change in changes] == path[:-1]
            assert path[-1] == order.status
            assert {entry.action for entry in later} <= {"order.status_changed", "order.shipped"}
            assert [placed, *later][-1].created_at == order.updated_at
            for before, after in itertools.pairwise(path):
                assert after in NEXT_STATUSES[OrderStatus(before)]

    def test_is_the_same_in_every_installation(self) -> None:
        def values(now: datetime) -> list[Any]:
            """Return the history without ids, and ages instead of times."""
            tables: list[list[dict[str, Any]]] = list(demo_company.history(new_id(now), now).values())
            _, products, customers, overrides, orders, items, _ = tables
            names = "sku", "price", "stock", "is_active"
            return [
                [([product[name] for name in names], now - product["created_at"]) for product in products],
                [(customer["email"], customer["status"], now - customer["created_at"]) for customer in customers],
                [override["price"] for override in overrides],
                [(order["status"], order["po_number"], order["total"], now - order["created_at"]) for order in orders],
                [(item["quantity"], item["unit_price"]) for item in items],
            ]

        assert values(datetime(2026, 4, 16, tzinfo=UTC)) == values(datetime(2031, 12, 31, 23, 59, tzinfo=UTC))

    def test_every_order_has_its_movements(self, demo: Demo, fresh_database: Database) -> None:
        results = verify(fresh_database, demo)

        assert {name: result.first for name, result in results.items() if result.first} == {}
        assert results["orderMovements"].checked > 0
        with fresh_database.transaction() as session:
            movements = session.query(InventoryMovement).order_by(InventoryMovement.sequence).all()
        reasons = Counter(movement.reason for movement in movements)
        assert set(reasons) == {"OPENING", "SALE", "CANCELLATION", "RETURN", "RECEIVED"}
        assert reasons["OPENING"] == 303
        last: dict[str, datetime] = {}
        for movement in movements:
            assert movement.created_at >= last.get(movement.product_id, demo.company.created_at)
            last[movement.product_id] = movement.created_at
        assert all(last[product.id] <= product.updated_at for product in demo.products.values())


def test_the_company_is_a_year_old(fresh_database: Database) -> None:
    now = datetime(2026, 4, 16, tzinfo=UTC)
    with fresh_database.transaction(write=True) as session:
        company = demo_company.create_company(session, now=now)
        assert isinstance(company, Company)
        assert demo_company.find(session) is company
    assert company.created_at == now - timedelta(days=365)
