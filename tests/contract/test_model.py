"""The API against a model of it in plain Python: stock, totals and statuses agree after every step."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.db import Database
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.servers import Server

STATUSES = ("SUBMITTED", "CONFIRMED", "SHIPPED", "DELIVERED", "CANCELLED")
NEXT_STATUSES = {
    "SUBMITTED": {"CONFIRMED", "CANCELLED"},
    "CONFIRMED": {"SHIPPED", "CANCELLED"},
    "SHIPPED": {"DELIVERED"},
    "DELIVERED": set[str](),
    "CANCELLED": set[str](),
}


@dataclass
class ModelOrder:
    items: list[tuple[str, int]]
    total: Decimal
    status: str = "SUBMITTED"


@dataclass
class Model:
    stock: dict[str, int] = field(default_factory=dict)
    price: dict[str, Decimal] = field(default_factory=dict)
    tax: dict[str, Decimal] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    overrides: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    orders: dict[str, ModelOrder] = field(default_factory=dict)

    def place(self, customer: str, items: list[tuple[str, int]]) -> ModelOrder | None:
        """Return the order, or None if a rule refuses it."""
        wanted: dict[str, int] = {}
        for product, quantity in items:
            wanted[product] = wanted.get(product, 0) + quantity
        if customer in self.blocked or any(self.stock[product] < number for product, number in wanted.items()):
            return None
        for product, number in wanted.items():
            self.stock[product] -= number
        prices = {product: self.overrides.get((customer, product), self.price[product]) for product in wanted}
        subtotal = sum((prices[product] * quantity for product, quantity in items), Decimal(0))
        tax = (subtotal * self.tax[customer]).quantize(Decimal("0.01"), ROUND_HALF_UP)
        return ModelOrder(items, subtotal + tax + Decimal("2.50"))

    def change_status(self, order: ModelOrder, status: str, *, restock: bool) -> bool:
        """Change the status. Return whether that is allowed."""
        if status not in NEXT_STATUSES[order.status] or (restock and status != "CANCELLED"):
            return False
        order.status = status
        for product, quantity in order.items if restock else []:
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
    def override(self, customer: str, product: str, price: Decimal) -> None:
        if (customer, product) not in self.model.overrides:
            factories.price_override(self.database, self.tenant.company_id, customer, product, str(price))
            self.model.overrides[customer, product] = price

    @rule(
        target=orders,
        customer=customers,
        items=st.lists(st.tuples(products, st.integers(1, 6)), min_size=1, max_size=4),
    )
    def place(self, customer: str, items: list[tuple[str, int]]) -> str | None:
        expected = self.model.place(customer, items)
        response = self.client.post("/orders", json=factories.order_body(customer, *items))
        if expected is None:
            assert response.status_code == 422
            return None
        data: dict[str, Any] = response.json()["data"]
        assert response.status_code == 201
        self.model.orders[data["id"]] = expected
        return str(data["id"])

    @rule(order=orders, status=st.sampled_from(STATUSES), restock=st.booleans())
    def change_status(self, *, order: str | None, status: str, restock: bool) -> None:
        if order is None:
            return
        allowed = self.model.change_status(self.model.orders[order], status, restock=restock)
        body = {"status": status, "restock": restock}
        assert self.client.patch(f"/orders/{order}", json=body).status_code == (200 if allowed else 422)

    @invariant()
    def stock_agrees(self) -> None:
        listed = {product["id"]: product["stock"] for product in self.client.walk("/products", limit=100)}
        assert listed == self.model.stock

    @invariant()
    def orders_agree(self) -> None:
        listed = {order["id"]: order for order in self.client.walk("/orders", limit=100)}
        assert listed.keys() == self.model.orders.keys()
        for order_id, order in self.model.orders.items():
            data = listed[order_id]
            assert data["status"] == order.status
            assert Decimal(str(data["total"])) == order.total
            assert [(item["productId"], item["quantity"]) for item in data["items"]] == order.items


def test_the_api_and_the_model_agree(server: Server, database: Database, contract: Contract) -> None:
    Machine.server, Machine.database, Machine.contract = server, database, contract
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    )
