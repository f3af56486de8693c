"""The tables themselves reject what must never be stored, regardless of the services."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.schemas.orders import OrderCreate, OrderItemCreate
from app.services import orders
from models import InventoryMovement, Product
from tests.support import factories


def test_money_and_times_are_read_as_they_were_written(fresh_database: Database) -> None:
    at = now()
    product_id = factories.product(
        fresh_database, factories.tenant(fresh_database).company_id, price=Decimal("0.07"), created_at=at
    )

    with fresh_database.transaction() as session:
        product = session.get_one(Product, product_id)
    assert (product.price, product.created_at) == (Decimal("0.07"), at)


class TestRefusals:
    def test_an_item_with_a_product_of_another_company(self, fresh_database: Database) -> None:
        own, other = factories.tenant(fresh_database), factories.tenant(fresh_database)
        order = self._order(fresh_database, own.company_id)
        foreign = factories.product(fresh_database, other.company_id)

        with pytest.raises(Exception, match=r"(?i)foreign key"):
            self._execute(
                fresh_database,
                "INSERT INTO order_items (id, company_id, order_id, position, product_id, quantity, unit_price) "
                f"VALUES ('c1', '{own.company_id}', '{order}', 1, '{foreign}', 1, 1)",
            )

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_entries SET action = 'x'",
            "DELETE FROM audit_entries",
            {
                "sqlite": "REPLACE INTO audit_entries SELECT * FROM audit_entries",
                "postgresql": "TRUNCATE audit_entries",
            },
        ],
    )
    def test_changes_of_the_audit_log(self, fresh_database: Database, statement: str | dict[str, str]) -> None:
        if isinstance(statement, dict):
            statement = statement["sqlite" if fresh_database.is_sqlite else "postgresql"]
        tenant = factories.tenant(fresh_database)
        self._execute(
            fresh_database,
            "INSERT INTO audit_entries (id, company_id, action, actor_type, actor_id, entity_type, entity_id, details, "
            f"request_id, created_at) VALUES ('c1', '{tenant.company_id}', 'a', 'USER', 'u', 'e', 'i', '{{}}', 'r', "
            f"{0 if fresh_database.is_sqlite else 'now()'})",
        )

        with pytest.raises(Exception, match="append-only"):
            self._execute(fresh_database, statement)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE inventory_movements SET note = 'x'",
            "DELETE FROM inventory_movements",
            {
                "sqlite": "REPLACE INTO inventory_movements SELECT * FROM inventory_movements",
                "postgresql": "TRUNCATE inventory_movements",
            },
            {
                "sqlite": "REPLACE INTO inventory_movements SELECT 'c1', company_id, product_id, 0, reason, 9, 0, 9,"
                " NULL, NULL, NULL, NULL, actor_type, actor_id, NULL, created_at FROM inventory_movements",
                "postgresql": "TRUNCATE companies CASCADE",
            },
        ],
    )
    def test_changes_of_the_ledger(self, fresh_database: Database, statement: str | dict[str, str]) -> None:
        if isinstance(statement, dict):
            statement = statement["sqlite" if fresh_database.is_sqlite else "postgresql"]
        factories.product(fresh_database, factories.tenant(fresh_database).company_id)

        with pytest.raises(Exception, match="append-only"):
            self._execute(fresh_database, statement)

    @pytest.mark.parametrize("change", ["stock = stock + 1", "stock = stock + 1, movement_sequence = 0"])
    def test_a_change_of_stock_without_a_movement(self, fresh_database: Database, change: str) -> None:
        """It is not refused, but recorded."""
        product_id = factories.product(fresh_database, factories.tenant(fresh_database).company_id, stock=3)

        self._execute(fresh_database, f"UPDATE products SET {change}")

        with fresh_database.transaction() as session:
            rows = session.scalars(sa.select(InventoryMovement).order_by(InventoryMovement.sequence)).all()
            found = [(row.product_id, row.sequence, row.reason, row.delta, row.stock_after) for row in rows]
            assert found == [(product_id, 0, "OPENING", 3, 3), (product_id, 1, "CORRECTION", 1, 4)]
            assert session.get_one(Product, product_id).movement_sequence == 1

    @pytest.mark.parametrize("stock", ["-1, -1", "1, 2"])
    def test_a_movement_that_does_not_add_up(self, fresh_database: Database, stock: str) -> None:
        tenant = factories.tenant(fresh_database)
        columns = "id, company_id, product_id, sequence, reason, stock_before, delta, stock_after, actor_type, actor_id"

        with pytest.raises(Exception, match=r"(?i)check"):
            self._execute(
                fresh_database,
                f"INSERT INTO inventory_movements ({columns}, created_at) VALUES ('c1', '{tenant.company_id}', 'p', 1,"
                f" 'OTHER', 0, {stock}, 'USER', 'u', {0 if fresh_database.is_sqlite else 'now()'})",
            )

    @pytest.mark.parametrize(
        "change", ["total = total + 1", "status = 'LOST'", "tax = -1, total = total - tax - 1", "shipping = -1"]
    )
    def test_an_order_whose_amounts_do_not_add_up(self, fresh_database: Database, change: str) -> None:
        self._order(fresh_database, factories.tenant(fresh_database).company_id)

        with pytest.raises(Exception, match=r"(?i)check"):
            self._execute(fresh_database, f"UPDATE orders SET {change}")

    def test_negative_stock(self, fresh_database: Database) -> None:
        factories.product(fresh_database, factories.tenant(fresh_database).company_id, stock=1)

        with pytest.raises(Exception, match=r"(?i)check"):
            self._execute(fresh_database, "UPDATE products SET stock = stock - 2")

    def test_the_same_sku_twice_in_a_company(self, fresh_database: Database) -> None:
        tenant, other = factories.tenant(fresh_database), factories.tenant(fresh_database)
        factories.product(fresh_database, tenant.company_id, sku="A")
        factories.product(fresh_database, other.company_id, sku="A")

        with pytest.raises(Exception, match=r"(?i)unique"):
            factories.product(fresh_database, tenant.company_id, sku="A")

    @staticmethod
    def _execute(database: Database, statement: str) -> None:
        with database.connection() as connection:
            connection.exec_driver_sql(statement)

    @staticmethod
    def _order(database: Database, company_id: str) -> str:
        customer = factories.customer(database, company_id)
        product = factories.product(database, company_id, stock=5)
        with database.transaction(write=True) as session:
            draft = OrderCreate(customer_id=customer, items=[OrderItemCreate(product_id=product, quantity=1)])
            order, _ = orders.place(factories.context(session, company_id), draft)
        return order.id
