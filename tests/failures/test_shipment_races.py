"""Shipments of an order that several clients create at the same time, also while its status changes."""

import uuid
from collections import Counter
from functools import partial
from typing import Any

import httpx
import pytest

from app.db import Database
from models import AuditEntry, Event
from tests.support import factories, waiting
from tests.support.client import Client, refusals
from tests.support.factories import Tenant, order_body

CLIENTS = 6


class Dock:
    """A company, and a client that ships its orders."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        self.client, self.database = client, database
        self._company_id = tenant.company_id
        self._customer = factories.customer(database, tenant.company_id)

    def order(self, quantity: int) -> dict[str, Any]:
        product = factories.product(self.database, self._company_id, stock=quantity)
        order = self.client.post("/orders", json=order_body(self._customer, (product, quantity))).json()["data"]
        return dict(self.client.patch(f"/orders/{order['id']}", json={"status": "CONFIRMED"}).json()["data"])

    def ship(self, order: dict[str, Any], quantity: int, **headers: str) -> partial[httpx.Response]:
        items = [{"orderItemId": order["items"][0]["id"], "quantity": quantity}]
        return partial(self.client.post, f"/orders/{order['id']}/shipments", json={"items": items}, headers=headers)

    def get(self, order: dict[str, Any]) -> dict[str, Any]:
        return dict(self.client.get(f"/orders/{order['id']}").json()["data"])

    def recorded(self, order: dict[str, Any]) -> Counter[str]:
        """Return how often each event and each audited action occurred: `event order.shipped`."""
        with self.database.transaction() as session:
            events = session.query(Event).filter_by(entity_id=order["id"]).all()
            entries = session.query(AuditEntry).filter_by(entity_id=order["id"]).all()
            return Counter([*(f"event {one.type}" for one in events), *(f"audit {one.action}" for one in entries)])


@pytest.fixture
def dock(client: Client, tenant: Tenant, database: Database) -> Dock:
    return Dock(client, tenant, database)


def test_one_of_many_concurrent_shipments_gets_the_last_unit(dock: Dock) -> None:
    for shipped in (0, 2):  # the first shipment of an order, and a later one
        order = dock.order(shipped + 1)
        for _ in range(shipped):
            dock.ship(order, 1)().raise_for_status()

        responses = waiting.concurrently(*[dock.ship(order, 1)] * CLIENTS)

        assert Counter(response.status_code for response in responses) == {201: 1, 422: CLIENTS - 1}
        refused = [refusals(response)[0] for response in responses if response.status_code == 422]
        assert {(detail["code"], detail["left"]) for detail in refused} == {("shipment_quantity_exceeded", 0)}
        assert sum(shipment["items"][0]["quantity"] for shipment in dock.get(order)["shipments"]) == shipped + 1
        recorded = dock.recorded(order)
        assert (recorded["event order.shipped"], recorded["audit order.shipped"]) == (1, shipped + 1)


def test_concurrent_shipments_that_fit_are_all_created(dock: Dock) -> None:
    order = dock.order(CLIENTS)

    responses = waiting.concurrently(*[dock.ship(order, 1)] * CLIENTS)

    assert {response.status_code for response in responses} == {201}
    after = dock.get(order)
    times = [shipment["createdAt"] for shipment in after["shipments"]]
    assert len(set(times)) == CLIENTS
    assert times == sorted(times)
    assert after["updatedAt"] == times[-1]
    assert dock.recorded(order)["event order.shipped"] == 1


def test_either_the_shipment_or_the_cancellation_wins(dock: Dock) -> None:
    for _ in range(10):
        order = dock.order(1)
        cancel = partial(dock.client.patch, f"/orders/{order['id']}", json={"status": "CANCELLED", "restock": True})

        shipped, cancelled = waiting.concurrently(dock.ship(order, 1), cancel)

        after, recorded = dock.get(order), dock.recorded(order)
        if shipped.status_code == 201:
            assert refusals(cancelled)[0]["currentStatus"] == "SHIPPED"
            assert (after["status"], len(after["shipments"])) == ("SHIPPED", 1)
        else:
            assert refusals(shipped)[0]["currentStatus"] == "CANCELLED"
            assert (cancelled.status_code, after["status"], after["shipments"]) == (200, "CANCELLED", [])
        assert recorded["event order.shipped"] + recorded["event order.cancelled"] == 1
        assert recorded["audit order.shipped"] == len(after["shipments"])


def test_duplicate_requests_create_one_shipment(dock: Dock) -> None:
    order = dock.order(CLIENTS)
    ship = dock.ship(order, 1, **{"Idempotency-Key": str(uuid.uuid4())})

    responses = waiting.concurrently(*[ship] * CLIENTS)

    assert {response.status_code for response in responses} <= {201, 409}
    created = [response.json()["data"] for response in responses if response.status_code == 201]
    assert created
    assert all(shipment == created[0] for shipment in created)
    assert ship().json()["data"] == created[0]
    assert dock.get(order)["shipments"] == created[:1]


def test_concurrent_updates_of_different_members_are_all_kept(dock: Dock) -> None:
    order = dock.order(1)
    made = dock.ship(order, 1)().json()["data"]
    fields = {"carrier": "Northway", "trackingNumbers": ["NF-1"], "trackingUrl": "https://tracking.example/NF-1"}
    path = f"/orders/{order['id']}/shipments/{made['id']}"
    calls = [partial(dock.client.patch, path, json={name: value}) for name, value in fields.items()]

    responses = waiting.concurrently(*calls)

    assert {response.status_code for response in responses} == {200}
    times = {response.json()["data"]["updatedAt"] for response in responses}
    after = dock.get(order)
    assert len(times) == len(fields)
    assert after["shipments"] == [{**made, **fields, "updatedAt": max(times)}]
    assert after["updatedAt"] == max(times)
    assert dock.recorded(order)["audit order.shipment_updated"] == len(fields)
