"""Prices that several clients set at the same time, also while products are deleted."""

import uuid
from collections import Counter
from functools import partial

import httpx

from app.db import Database
from models import AuditEntry, PriceOverride
from tests.support import factories, waiting
from tests.support.client import Client
from tests.support.factories import Tenant

CLIENTS = 6


def put(client: Client, customer: str, product: str, price: int) -> partial[httpx.Response]:
    return partial(client.put, f"/customers/{customer}/prices/{product}", json={"price": price})


def test_one_of_many_concurrent_requests_creates_a_price(client: Client, database: Database, tenant: Tenant) -> None:
    customer = factories.customer(database, tenant.company_id)
    for product in factories.products(database, tenant.company_id, 5):
        calls = [put(client, customer, product, number) for number in range(1, CLIENTS + 1)]

        found = Counter(response.status_code for response in waiting.concurrently(*calls))

        assert found == {201: 1, 200: CLIENTS - 1}
        stored = client.get(f"/customers/{customer}/prices/{product}").json()["data"]
        with database.transaction() as session:
            entries = session.query(AuditEntry).filter_by(entity_id=customer).order_by(AuditEntry.created_at).all()
        chain = [entry.details for entry in entries if entry.details["productId"] == product]
        assert len(chain) == CLIENTS
        followed = {details["before"]: details["after"] for details in chain}
        assert len(followed) == CLIENTS  # each change began with the result of another one
        assert {*followed.values()} - {*followed} == {f"{stored['price']:.2f}"}


def test_bulk_requests_with_the_same_prices_in_opposite_orders(
    client: Client, database: Database, tenant: Tenant
) -> None:
    customer = factories.customer(database, tenant.company_id)
    products = factories.products(database, tenant.company_id, 100)
    items = [{"customerId": customer, "productId": product, "price": 3} for product in products]
    calls = [
        partial(
            client.post,
            "/bulk/prices",
            json={"items": items[:: 1 if number % 2 else -1]},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        for number in range(4)
    ]

    responses = waiting.concurrently(*calls)

    results = [result["status"] for response in responses for result in response.json()["data"]["results"]]
    assert Counter(results) == {201: 100, 200: 300}
    assert factories.count(database, PriceOverride, tenant.company_id) == 100


def test_either_the_price_or_the_deletion_of_a_product_comes_first(
    client: Client, database: Database, tenant: Tenant
) -> None:
    customer = factories.customer(database, tenant.company_id)
    for product in factories.products(database, tenant.company_id, 10):
        delete = partial(client.delete, f"/products/{product}")

        price, deleted = waiting.concurrently(put(client, customer, product, 1), delete)

        assert deleted.status_code == 200
        assert (price.status_code, price.json().get("error")) in {(201, None), (404, "Product not found.")}
    assert factories.count(database, PriceOverride, tenant.company_id) == 0


def test_either_the_price_or_its_removal_comes_first(client: Client, database: Database, tenant: Tenant) -> None:
    customer = factories.customer(database, tenant.company_id)
    for product in factories.products(database, tenant.company_id, 10):
        path = f"/customers/{customer}/prices/{product}"
        client.put(path, json={"price": 1}).raise_for_status()

        changed, removed = waiting.concurrently(
            partial(client.put, path, json={"price": 2}), partial(client.delete, path)
        )

        assert (removed.status_code, changed.status_code) in {(200, 200), (200, 201)}
        entries = [entry for entry in client.walk("/audit-log", entityId=customer) if product in str(entry["metadata"])]
        actions = [entry["action"] for entry in reversed(entries)]
        if changed.status_code == 200:
            assert actions == ["price.set", "price.set", "price.removed"]
        assert sorted(actions) == ["price.removed", "price.set", "price.set"]
