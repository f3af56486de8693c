"""Returns against a model in plain Python: quantities, statuses and stock agree after every step."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db import Database
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.returns_company import ReturnsCompany

STOCK = 100
ORDERED = st.lists(st.integers(1, 4), min_size=1, max_size=4)
PART = st.lists(st.integers(0, 5), min_size=4, max_size=4)
PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=0, max_size=4)
STEP = st.one_of(
    st.tuples(st.just("create"), PART),
    st.tuples(st.just("decide"), st.integers(0, 5), st.sampled_from(["APPROVED", "REJECTED"])),
    st.tuples(st.just("receive"), st.integers(0, 5), PAIRS),
)
NEXT = {"REQUESTED": {"APPROVED", "REJECTED"}, "APPROVED": {"RECEIVED", "REJECTED"}}


@dataclass
class ModelReturn:
    """A return: the position in the order and the quantity of each item, and what was received of it."""

    items: list[tuple[int, int]]
    found: dict[str, Any]
    status: str = "REQUESTED"
    received: list[tuple[int, int]] = field(default_factory=list)

    def counted(self, position: int) -> int:
        """Return how many units of an item of the order count as returned."""
        if self.status == "REJECTED":
            return 0
        counts = [received for received, _ in self.received] or [quantity for _, quantity in self.items]
        return sum(count for (at, _), count in zip(self.items, counts, strict=True) if at == position)


class ReturnsModel:
    """What an order with these quantities has to do. Its items have two products in turn."""

    def __init__(self, company: ReturnsCompany, ordered: list[int]) -> None:
        self.company, self.ordered = company, ordered
        products = [company.product(stock=STOCK) for _ in range(2)]
        self.products = [products[position % 2] for position in range(len(ordered))]
        self.order = company.order_of(*zip(self.products, ordered, strict=True))
        self.returns: list[ModelReturn] = []

    def left(self, position: int) -> int:
        return self.ordered[position] - sum(found.counted(position) for found in self.returns)

    def create(self, quantities: list[int]) -> None:
        items = [(position, quantity) for position, quantity in enumerate(quantities[: len(self.ordered)]) if quantity]
        if not items:
            return
        response = self.company.send_back(self.order, *quantities)
        left = [self.left(position) for position, quantity in items if quantity > self.left(position)]
        if left:
            assert [detail["left"] for detail in refusals(response)] == left
        else:
            assert response.status_code == 201, response.text
            self.returns.append(ModelReturn(items, response.json()["data"]))

    def decide(self, number: int, status: str) -> None:
        if not self.returns:
            return
        found = self.returns[number % len(self.returns)]
        response = self.company.decide(found.found, status)
        if status in NEXT.get(found.status, set()):
            assert response.json()["data"]["status"] == status
            found.status = status
        else:
            self._refused(response, ["invalid_return_transition"])

    def receive(self, number: int, pairs: list[tuple[int, int]]) -> None:
        if not self.returns:
            return
        found = self.returns[number % len(self.returns)]
        given = pairs[: len(found.items)]
        received = [*given, *((quantity, 0) for _, quantity in found.items[len(given) :])]
        codes = [] if found.status == "APPROVED" else ["invalid_return_transition"]
        for (_, quantity), (arrived, restocked) in zip(found.items, given, strict=False):
            codes += ["receive_quantity_exceeded"] * ((arrived > quantity) + (restocked > arrived))
        codes += [] if any(arrived for arrived, _ in received) else ["nothing_received"]
        response = self.company.receive(found.found, *pairs)
        if codes:
            self._refused(response, codes)
        else:
            assert response.status_code == 200, response.text
            found.status, found.received = "RECEIVED", received

    def check(self) -> None:
        """Compare the server with the model."""
        listed = list(self.company.client.walk("/returns", orderId=self.order["id"]))
        assert [one["id"] for one in listed] == [one.found["id"] for one in reversed(self.returns)]
        for one, found in zip(listed, reversed(self.returns), strict=True):
            pairs: list[Any] = [(item["receivedQuantity"], item["restockedQuantity"]) for item in one["items"]]
            expected: list[Any] = list(found.received) or [(None, None)] * len(found.items)
            assert (one["status"], pairs) == (found.status, expected)
            goods = sum(arrived for arrived, _ in found.received) * 8.5
            assert one["refundableAmount"] == goods
        for product in set(self.products):
            sold = sum(self.ordered[at] for at, name in enumerate(self.products) if name == product)
            assert self.company.stock(product) == STOCK - sold + self._restocked(product)

    def _restocked(self, product: str) -> int:
        return sum(
            restocked
            for found in self.returns
            for (position, _), (_, restocked) in zip(found.items, found.received, strict=False)
            if self.products[position] == product
        )

    @staticmethod
    def _refused(response: Any, codes: list[str]) -> None:
        assert [detail["code"] for detail in refusals(response)] == codes


@pytest.fixture
def company(client: Client, tenant: Tenant, database: Database) -> ReturnsCompany:
    return ReturnsCompany(client, tenant, database)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ordered=ORDERED, steps=st.lists(STEP, min_size=6, max_size=16))
def test_any_steps_leave_what_the_model_has(
    company: ReturnsCompany, ordered: list[int], steps: list[tuple[Any, ...]]
) -> None:
    model = ReturnsModel(company, ordered)

    for name, *arguments in steps:
        getattr(model, name)(*arguments)

    model.check()
