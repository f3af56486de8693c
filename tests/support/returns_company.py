"""A company with shipped orders, and methods that return, decide on and receive their items."""

import json
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import httpx

from models import AuditEntry, Event, InventoryMovement
from tests.support import factories
from tests.support.company import Company
from tests.support.factories import order_body

STEPS = {
    "SUBMITTED": [],
    "CONFIRMED": ["CONFIRMED"],
    "SHIPPED": ["CONFIRMED", "SHIPPED"],
    "DELIVERED": ["CONFIRMED", "SHIPPED", "DELIVERED"],
    "CANCELLED": ["CANCELLED"],
}
RETURN_STEPS = {
    "REQUESTED": [],
    "APPROVED": ["APPROVED"],
    "REJECTED": ["REJECTED"],
    "RECEIVED": ["APPROVED", "RECEIVED"],
    "REFUNDED": ["APPROVED", "RECEIVED", "REFUNDED"],
}


class ReturnsCompany(Company):
    """A company that takes items of its orders back."""

    def order(self, *quantities: int, status: str = "SHIPPED", price: str = "8.50") -> dict[str, Any]:
        """Place an order with an item of these quantities each, and move it to a status."""
        names = [f"Tea {number}" for number in range(len(quantities))]
        products = [self.product(name=name, price=Decimal(price), stock=100) for name in names]
        return self.order_of(*zip(products, quantities, strict=True), status=status)

    def order_of(self, *items: tuple[str, int], status: str = "SHIPPED") -> dict[str, Any]:
        """Place an order of products in quantities, and move it to a status."""
        customer = factories.customer(self.database, self.tenant.company_id)
        order = self.client.post("/orders", json=order_body(customer, *items)).raise_for_status().json()["data"]
        for step in STEPS[status]:
            order = self.client.patch(f"/orders/{order['id']}", json={"status": step}).json()["data"]
        return dict(order)

    def send_back(
        self, order: dict[str, Any], *quantities: int, key: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Create a return with the quantities of the first items; 0 leaves an item out."""
        items = [
            {"orderItemId": item["id"], "quantity": quantity}
            for item, quantity in zip(order["items"], quantities, strict=False)
            if quantity
        ]
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.client.post("/returns", json={"orderId": order["id"], "items": items, **fields}, headers=headers)

    def returned(
        self, order: dict[str, Any], *quantities: int, status: str = "REQUESTED", **fields: Any
    ) -> dict[str, Any]:
        """Create a return, and move it to a status."""
        response = self.send_back(order, *quantities, **fields)
        assert response.status_code == 201, response.text
        found = dict(response.json()["data"])
        for step in RETURN_STEPS[status]:
            found = self._moved(found, step)
        return found

    def _moved(self, found: dict[str, Any], status: str) -> dict[str, Any]:
        """Move a return to its next status."""
        if status == "RECEIVED":
            return self.received(found)
        if status in {"APPROVED", "REJECTED"}:
            return self.decided(found, status)
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        response = self.client.post(f"/returns/{found['id']}/refund", json={"method": "MANUAL"}, headers=headers)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"]["return"])

    def decide(self, found: dict[str, Any], status: str, **fields: Any) -> httpx.Response:
        return self.client.patch(f"/returns/{found['id']}", json={"status": status, **fields})

    def decided(self, found: dict[str, Any], status: str) -> dict[str, Any]:
        response = self.decide(found, status)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"])

    def receive(self, found: dict[str, Any], *quantities: tuple[int, int], key: str | None = None) -> httpx.Response:
        """Receive the first items in these received and restocked quantities, and the others completely."""
        items = [
            {"returnItemId": item["id"], "receivedQuantity": received, "restockQuantity": restocked}
            for item, (received, restocked) in zip(found["items"], quantities, strict=False)
        ]
        return self.receive_body(found, {"items": items} if items else None, key)

    def receive_body(self, found: dict[str, Any], body: Any, key: str | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.client.post(f"/returns/{found['id']}/receive", json=body, headers=headers)

    def received(self, found: dict[str, Any], *quantities: tuple[int, int]) -> dict[str, Any]:
        response = self.receive(found, *quantities)
        assert response.status_code == 200, response.text
        return dict(response.json()["data"])

    def get(self, found: dict[str, Any]) -> dict[str, Any]:
        return dict(self.client.get(f"/returns/{found['id']}").raise_for_status().json()["data"])

    def stock(self, product_id: str) -> int:
        return int(self.client.get(f"/products/{product_id}").json()["data"]["stock"])

    def events(self, found: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the events of a return or another entity, oldest first."""
        with self.database.transaction() as session:
            rows = session.query(Event).filter_by(entity_id=found["id"]).order_by(Event.sequence).all()
            return [json.loads(row.payload) for row in rows]

    def audited(self, found: dict[str, Any], entity: str = "return") -> list[tuple[str, dict[str, Any]]]:
        """Return the action and the details of the audit entries of a return or another entity, oldest first."""
        with self.database.transaction() as session:
            rows = session.query(AuditEntry).filter_by(entity_id=found["id"], entity_type=entity)
            return [(row.action, row.details) for row in rows.order_by(AuditEntry.created_at, AuditEntry.id)]

    def movements(self, found: dict[str, Any]) -> Sequence[InventoryMovement]:
        """Return the movements that a return caused."""
        with self.database.transaction() as session:
            return session.query(InventoryMovement).filter_by(return_id=found["id"]).all()
