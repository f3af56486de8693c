"""A company whose ledger, orders and events are consistent, and changes that the server would never make."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Executable, Table

from app.context import Context, now
from app.db import Database
from app.verification import verifier
from app.verification.checks import CHECKS
from app.verification.verifier import Result, VerifiedCompany
from models import Base, Event, InventoryMovement, Order, OrderItem, Product, new_id
from models.base import table
from tests.support import factories
from tests.support.factories import Tenant

PRODUCTS, MOVEMENTS = table(Product), table(InventoryMovement)
ORDERS, ITEMS, EVENTS = table(Order), table(OrderItem), table(Event)
CORRECT = " It was changed outside this server. Restore it or correct it as in docs/deployment.md, Verification."
MINUTE = timedelta(minutes=1)


@contextlib.contextmanager
def unprotected(database: Database) -> Iterator[Connection]:
    """Yield a connection without triggers, foreign keys and check constraints."""
    driver = "sqlite" if database.is_sqlite else "postgresql+psycopg"
    engine = sa.create_engine(database.url.set(drivername=driver))
    with engine.begin() as connection:
        triggers = _remove_protection(connection)
        yield connection
        for statement in triggers:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _remove_protection(connection: Connection) -> Sequence[str]:
    """Return the statements that create the removed triggers again. Foreign keys of SQLite are off by default."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
        for name, _ in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        return [sql for _, sql in triggers]
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    for name in ("orders", "inventory_movements", "shipment_items", "returns", "return_items", "refunds"):
        for constraint in Base.metadata.tables[name].constraints:
            if isinstance(constraint, sa.CheckConstraint):
                connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {constraint.name}")
    return []


class VerifiedShop:
    """A company with two products, and two orders of them, the second cancelled and restocked.

    The first product has the movements OPENING 42, SALE -2, SALE -5, CANCELLATION +5, and the second one OPENING 10,
    SALE -3, SALE -1, CANCELLATION +1.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.tenant: Tenant = factories.tenant(database)
        company_id = self.tenant.company_id
        self.one = factories.product(database, company_id, sku="WDG-001", stock=42)
        self.two = factories.product(database, company_id, sku=None, stock=10)
        self.customer = factories.customer(database, company_id)
        with unprotected(database) as connection:
            self.first = self.order(connection, "DELIVERED", [(self.one, 1), (self.two, 3), (self.one, 1)])
            self.second = self.order(connection, "CANCELLED", [(self.one, 5), (self.two, 1)])
            self.move(connection, self.one, 1, "SALE", 42, -2, order=self.first)
            self.move(connection, self.two, 1, "SALE", 10, -3, order=self.first)
            self.move(connection, self.one, 2, "SALE", 40, -5, order=self.second)
            self.move(connection, self.two, 2, "SALE", 7, -1, order=self.second)
            self.move(connection, self.one, 3, "CANCELLATION", 35, 5, order=self.second)
            self.move(connection, self.two, 3, "CANCELLATION", 6, 1, order=self.second)

    def order(self, connection: Connection, status: str, items: Sequence[tuple[str, int]]) -> str:
        """Insert an order of products at 8.50; return its id."""
        at = now()
        order_id, subtotal = new_id(at), Decimal("8.50") * sum(quantity for _, quantity in items)
        amounts = {"subtotal": subtotal, "tax": Decimal("0.50"), "shipping": Decimal(2)}
        ids = {"company_id": self.tenant.company_id, "order_id": order_id}
        connection.execute(
            ORDERS.insert(),
            {
                "id": order_id,
                "company_id": self.tenant.company_id,
                "customer_id": self.customer,
                "status": status,
                **amounts,
                "total": sum(amounts.values()),
                "has_movements": True,
                "created_at": at,
                "updated_at": at,
            },
        )
        rows = [
            {"id": new_id(at), **ids, "product_id": product, "position": position, "quantity": quantity}
            for position, (product, quantity) in enumerate(items)
        ]
        connection.execute(ITEMS.insert().values(unit_price=Decimal("8.50")), rows)
        return order_id

    def move(
        self,
        connection: Connection,
        product: str,
        sequence: int,
        reason: str,
        before: int,
        delta: int,
        order: str | None = None,
        return_id: str | None = None,
    ) -> str:
        """Insert a movement and update its product; return the id of the movement."""
        at = now()
        row = {
            "id": new_id(at),
            "company_id": self.tenant.company_id,
            "product_id": product,
            "sequence": sequence,
            "reason": reason,
            "delta": delta,
            "stock_before": before,
            "stock_after": before + delta,
            "order_id": order,
            "return_id": return_id,
            "actor_type": "USER",
            "actor_id": "tester",
            "created_at": at,
        }
        connection.execute(MOVEMENTS.insert(), row)
        changed = {"stock": before + delta, "movement_sequence": sequence}
        connection.execute(PRODUCTS.update().where(PRODUCTS.c.id == product).values(**changed))
        return str(row["id"])

    def add_counts(self, product_id: str, count: int) -> None:
        """Insert movements of a product without stock that do not change it."""
        at = now()
        row = {"company_id": self.tenant.company_id, "product_id": product_id, "created_at": at}
        rows = [{"id": new_id(at), **row, "sequence": number} for number in range(1, count + 1)]
        values = {"reason": "COUNT", "delta": 0, "actor_type": "USER", "actor_id": "tester"}
        with unprotected(self.database) as connection:
            connection.execute(MOVEMENTS.insert().values(**values, stock_before=0, stock_after=0), rows)
            connection.execute(PRODUCTS.update().where(PRODUCTS.c.id == product_id).values(movement_sequence=count))

    def publish(self, order: str, ages: Sequence[timedelta]) -> list[str]:
        """Insert the events of an order, numbered from 1, with their ages; return their ids."""
        at = now()
        rows = [
            {
                "id": new_id(at - age),
                "company_id": self.tenant.company_id,
                "type": "order.status_changed",
                "entity_id": order,
                "sequence": number,
                "payload": "{}",
                "created_at": at - age,
            }
            for number, age in enumerate(ages, 1)
        ]
        with unprotected(self.database) as connection:
            connection.execute(EVENTS.insert(), rows)
            connection.execute(ORDERS.update().where(ORDERS.c.id == order).values(event_sequence=len(rows)))
        return [str(row["id"]) for row in rows]

    def movement(self, product: str, sequence: int) -> str:
        """Return the id of a movement."""
        statement = sa.select(MOVEMENTS.c.id).where(MOVEMENTS.c.product_id == product, MOVEMENTS.c.sequence == sequence)
        with self.database.transaction() as session:
            return str(session.execute(statement).scalar_one())

    def update(self, rows: Table, row_id: str, **values: object) -> None:
        """Change one row as no server does."""
        self.execute(rows.update().where(rows.c.id == row_id).values(**values))

    def delete(self, rows: Table, *row_ids: str) -> None:
        """Delete rows as no server does."""
        self.execute(rows.delete().where(rows.c.id.in_(row_ids)))

    def execute(self, statement: Executable) -> None:
        """Execute a statement as no server does."""
        with unprotected(self.database) as connection:
            connection.execute(statement)

    def verify(self) -> dict[str, Result]:
        """Run every check over this company; return the results that are not clean by the name of the check."""
        return {name: result for name, result in run(self.database, self.tenant).items() if result.bad}

    def problems(self) -> dict[str, str]:
        """Run every check over this company; return the texts of the first problems by the name of the check."""
        return {
            name: result.first.problem.text.removesuffix(CORRECT)
            for name, result in self.verify().items()
            if result.first
        }


def run(database: Database, *tenants: Tenant) -> dict[str, Result]:
    """Run every check over companies; return the results by the name of the check."""

    @contextlib.contextmanager
    def transaction(company_id: str) -> Iterator[Context]:
        with database.transaction() as session:
            yield factories.context(session, company_id)

    companies = [VerifiedCompany(tenant.company_id, tenant.slug) for tenant in tenants]
    return {
        check.name: result
        for group in verifier.groups(CHECKS)
        for check, result in zip(group, verifier.run(group, companies, transaction, _ignore), strict=True)
    }


def _ignore(_done: int, _total: int) -> None:
    """Show no progress."""


def first(result: Result) -> tuple[str, Any, Any]:
    """Return the slug, the id and the label of the first problem."""
    assert result.first
    return result.first.company, result.first.problem.id, result.first.problem.label
