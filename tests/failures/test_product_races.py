"""Products that several clients write at the same time: one of them wins, and the others get a clear response."""

from collections import Counter
from functools import partial

import httpx
import pytest

from app.db import Database
from models import Event, InventoryMovement, Product
from tests.support import factories, waiting
from tests.support.client import Client
from tests.support.factories import Tenant, order_body

CLIENTS = 8


def statuses(*calls: partial[httpx.Response]) -> list[int]:
    return sorted(response.status_code for response in waiting.concurrently(*calls))


@pytest.mark.parametrize("name", ["sku", "externalId"])
def test_one_of_many_concurrent_upserts_creates(client: Client, database: Database, tenant: Tenant, name: str) -> None:
    for number in range(5):
        code = f"{name} {number}"
        bodies = [{"name": f"Client {client_number}", "price": 1} for client_number in range(CLIENTS)]

        found = statuses(*[partial(client.put, "/products", params={name: code}, json=body) for body in bodies])

        assert found == [200] * (CLIENTS - 1) + [201]
        (product,) = client.walk("/products", **{name: code})
        with database.transaction() as session:
            types = Counter(event.type for event in session.query(Event).filter(Event.entity_id == product["id"]))
        assert types == {"product.created": 1, "product.updated": CLIENTS - 1}


@pytest.mark.parametrize("has_key", [False, True])
def test_one_of_many_concurrent_creations_wins(client: Client, *, has_key: bool) -> None:
    for number in range(5):
        body = {"name": "Same", "price": 1, "sku": f"A{number}", "externalId": f"{number}"}
        headers = [{"Idempotency-Key": f"{number}-{one}"} if has_key else {} for one in range(CLIENTS)]

        responses = waiting.concurrently(
            *[partial(client.post, "/products", json=body, headers=sent) for sent in headers]
        )

        assert sorted(response.status_code for response in responses) == [201] + [422] * (CLIENTS - 1)
        codes = {
            tuple(detail["code"] for detail in response.json()["details"])
            for response in responses
            if response.status_code == 422
        }
        assert codes == {("sku_taken", "external_id_taken")}


def test_either_the_order_or_the_deletion_of_a_product_wins(client: Client, database: Database, tenant: Tenant) -> None:
    customer = factories.customer(database, tenant.company_id)
    for product in factories.products(database, tenant.company_id, 20, stock=5, name="Last"):
        order = partial(client.post, "/orders", json=order_body(customer, (product, 1)))
        delete = partial(client.delete, f"/products/{product}")

        ordered, deleted = waiting.concurrently(order, delete)

        if ordered.status_code == 201:
            assert (deleted.status_code, deleted.json()["code"]) == (422, "product_in_use")
        else:
            assert (ordered.status_code, ordered.json()["code"]) == (422, "product_not_found")
            assert deleted.status_code == 200


def test_concurrent_updates_of_different_members_are_all_kept(
    client: Client, database: Database, tenant: Tenant
) -> None:
    product = factories.product(database, tenant.company_id, stock=100)
    customer = factories.customer(database, tenant.company_id)
    path = f"/products/{product}"
    bodies: list[dict[str, object]] = [
        {"name": "New"},
        {"price": 2},
        {"unit": "kg"},
        {"category": "Tea"},
        {"barcode": "96385074"},
        {"lowStockThreshold": 1},
    ]
    orders = [partial(client.post, "/orders", json=order_body(customer, (product, 1)))] * 4

    found = statuses(*[partial(client.patch, path, json=body) for body in bodies], *orders)

    assert found == [200] * len(bodies) + [201] * len(orders)
    after = client.get(path).json()["data"]
    assert after["stock"] == 96
    assert all(after[name] == value for body in bodies for name, value in body.items())
    with database.transaction() as session:
        stored = session.get_one(Product, product)
        moved = session.query(InventoryMovement).filter(InventoryMovement.product_id == product).count()
        sequences = [event.sequence for event in session.query(Event).filter(Event.entity_id == product)]
    assert (stored.movement_sequence, moved) == (4, 5)
    assert sorted(sequences) == list(range(1, len(bodies) + 1))
