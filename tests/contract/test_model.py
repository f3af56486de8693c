"""The API against a model of it in plain Python: stock, totals and statuses agree after every step."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.db import Database
from app.schemas.orders import OrderCreate, OrderItemCreate
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.servers import Server

STATUSES = ("SUBMITTED", "CONFIRMED", "SHIPPED", "DELIVERED", "CANCELLED")
NEXT = {
    "SUBMITTED": {"CONFIRMED", "CANCELLED"},
    "CONFIRMED": {"SHIPPED", "CANCELLED"},
    "SHIPPED": {"DELIVERED"},
    "DELIVERED": set[str](),
    "CANCELLED": set[str](),
}


@dataclass
class ModelOrder:
    lines: list[tuple[str, int]]
    total: Decimal
    status: str = "SUBMITTED"


@dataclass
class Model:
    stock: dict[str, int] = field(default_factory=dict)
    price: dict[str, Decimal] = field(default_factory=dict)
    tax: dict[str, Decimal] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    agreed: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    orders: dict[str, ModelOrder] = field(default_factory=dict)

    def place(self, customer: str, lines: list[tuple[str, int]]) -> ModelOrder | None:
        """Return the order, None where a rule refuses it."""
        wanted: dict[str, int] = {}
        for product, quantity in lines:
            wanted[product] = wanted.get(product, 0) + quantity
        if customer in self.blocked or any(self.stock[product] < number for product, number in wanted.items()):
            return None
        for product, number in wanted.items():
            self.stock[product] -= number
        prices = {product: self.agreed.get((customer, product), self.price[product]) for product in wanted}
        subtotal = sum((prices[product] * quantity for product, quantity in lines), Decimal(0))
        tax = (subtotal * self.tax[customer]).quantize(Decimal("0.01"), ROUND_HALF_UP)
        return ModelOrder(lines, subtotal + tax + Decimal("2.50"))

    def move(self, order: ModelOrder, status: str, *, restock: bool) -> bool:
        """Tell whether the move is allowed, and make it."""
        if status not in NEXT[order.status] or (restock and status != "CANCELLED"):
            return False
        order.status = status
        for product, quantity in order.lines if restock else []:
            self.stock[product] += quantity
        return True


class Machine(RuleBasedStateMachine):
    server: ClassVar[Server]
    database: ClassVar[Database]
    contract: ClassVar[Contract]
    products = Bundle("products")
    customers = Bundle("customers")
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.tenant = factories.tenant(self.database)
        factories.terms(self.database, self.tenant.company_id, tax_rate="0.07", shipping="2.50")
        self.client = Client(self.server.url, self.tenant.key, self.contract)
        self.model = Model()

    def teardown(self) -> None:
        self.client.close()

    @rule(target=products, stock=st.integers(0, 12), price=st.decimals("0", "99.99", places=2))
    def product(self, stock: int, price: Decimal) -> str:
        made = factories.product(self.database, self.tenant.company_id, stock=stock, price=price)
        self.model.stock[made], self.model.price[made] = stock, price
        return made

    @rule(target=customers, rate=st.none() | st.sampled_from(["0", "0.055", "0.3"]))
    def customer(self, rate: str | None) -> str:
        body = {"email": f"m{len(self.model.tax)}@example.com", "taxRateOverride": rate and float(rate)}
        made = str(self.client.post("/customers", json=body).json()["data"]["id"])
        self.model.tax[made] = Decimal(rate or "0.07")
        return made

    @rule(customer=customers, blocked=st.booleans())
    def block(self, *, customer: str, blocked: bool) -> None:
        body = {"status": "BLOCKED" if blocked else "ACTIVE"}
        assert self.client.patch(f"/customers/{customer}", json=body).status_code == 200
        (self.model.blocked.add if blocked else self.model.blocked.discard)(customer)

    @rule(customer=customers, product=products, price=st.decimals("0", "50", places=2))
    def agree(self, customer: str, product: str, price: Decimal) -> None:
        if (customer, product) not in self.model.agreed:
            factories.price_override(self.database, self.tenant.company_id, customer, product, str(price))
            self.model.agreed[customer, product] = price

    @rule(
        target=orders,
        customer=customers,
        lines=st.lists(st.tuples(products, st.integers(1, 6)), min_size=1, max_size=4),
    )
    def place(self, customer: str, lines: list[tuple[str, int]]) -> str | None:
        expected = self.model.place(customer, lines)
        response = self.client.post("/orders", json=factories.order_body(customer, *lines))
        if expected is None:
            assert response.status_code == 422
            return None
        data: dict[str, Any] = response.json()["data"]
        assert response.status_code == 201
        self.model.orders[data["id"]] = expected
        return str(data["id"])

    @rule(order=orders, status=st.sampled_from(STATUSES), restock=st.booleans())
    def move(self, *, order: str | None, status: str, restock: bool) -> None:
        if order is None:
            return
        allowed = self.model.move(self.model.orders[order], status, restock=restock)
        body = {"status": status, "restock": restock}
        assert self.client.patch(f"/orders/{order}", json=body).status_code == (200 if allowed else 422)

    @invariant()
    def stock_agrees(self) -> None:
        shown = {each["id"]: each["stock"] for each in self.client.walk("/products", limit=100)}
        assert shown == self.model.stock

    @invariant()
    def orders_agree(self) -> None:
        shown = {each["id"]: each for each in self.client.walk("/orders", limit=100)}
        assert shown.keys() == self.model.orders.keys()
        for order_id, order in self.model.orders.items():
            each = shown[order_id]
            assert each["status"] == order.status
            assert Decimal(str(each["total"])) == order.total
            assert [(item["productId"], item["quantity"]) for item in each["items"]] == order.lines


def test_the_api_and_the_model_agree(server: Server, database: Database, contract: Contract) -> None:
    Machine.server, Machine.database, Machine.contract = server, database, contract
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    )


class TestTheDatabaseItselfRefuses:
    def test_an_item_of_another_companys_product(self, fresh_database: Database) -> None:
        mine, other = factories.tenant(fresh_database), factories.tenant(fresh_database)
        order = self._order(fresh_database, mine.company_id)
        foreign = factories.product(fresh_database, other.company_id)

        with pytest.raises(Exception, match=r"(?i)foreign key"):
            self._execute(
                fresh_database,
                "INSERT INTO order_items (id, company_id, order_id, position, product_id, quantity, unit_price) "
                f"VALUES ('c1', '{mine.company_id}', '{order}', 1, '{foreign}', 1, 1)",
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
    def test_changing_the_audit_log(self, fresh_database: Database, statement: str | dict[str, str]) -> None:
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
        "change", ["total = total + 1", "status = 'LOST'", "tax = -1, total = total - tax - 1", "shipping = -1"]
    )
    def test_an_order_that_does_not_add_up(self, fresh_database: Database, change: str) -> None:
        self._order(fresh_database, factories.tenant(fresh_database).company_id)

        with pytest.raises(Exception, match=r"(?i)check"):
            self._execute(fresh_database, f"UPDATE orders SET {change}")

    def test_negative_stock(self, fresh_database: Database) -> None:
        factories.product(fresh_database, factories.tenant(fresh_database).company_id, stock=1)

        with pytest.raises(Exception, match=r"(?i)check"):
            self._execute(fresh_database, "UPDATE products SET stock = stock - 2")

    @staticmethod
    def _execute(database: Database, statement: str) -> None:
        with database.connection() as connection:
            connection.exec_driver_sql(statement)

    @staticmethod
    def _order(database: Database, company_id: str) -> str:
        from app.services import orders  # noqa: PLC0415

        customer = factories.customer(database, company_id)
        product = factories.product(database, company_id, stock=5)
        with database.transaction(write=True) as session:
            draft = OrderCreate(customer_id=customer, items=[OrderItemCreate(product_id=product, quantity=1)])
            order, _ = orders.place(factories.context(session, company_id), draft)
        return order.id
