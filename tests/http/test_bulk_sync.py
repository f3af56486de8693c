"""A client that keeps 5,000 products up to date within the rate limit of its key."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from app.db import Database
from tests.support import factories, waiting
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server

PRODUCTS, BATCH = 5_000, 1_000
CALLS = PRODUCTS // BATCH


@pytest.fixture
def limited(server: Server, tenant: Tenant, database: Database, contract: Contract) -> Iterator[Client]:
    """Return a client whose key can send 60 requests in 6 seconds: a minute, ten times as fast."""
    _, key = factories.api_key(database, tenant.company_id, rate_limit="60/6 seconds")
    with Client(server.url, key, contract) as client:
        yield client


def send(client: Client, items: list[dict[str, Any]]) -> list[int]:
    """Send a batch until it is accepted, waiting as long as the server says; return the status of each attempt."""
    statuses, key = list[int](), str(uuid.uuid4())
    deadline = time.monotonic() + waiting.SECONDS
    while time.monotonic() < deadline:
        response = client.post("/bulk/products", json={"items": items}, headers={"Idempotency-Key": key})
        statuses.append(response.status_code)
        if response.status_code == 200:
            break
        time.sleep(int(response.headers["Retry-After"]))
    return statuses


def test_a_client_that_honours_retry_after_sends_each_batch_at_most_twice(limited: Client) -> None:
    """A batch counts as 21 requests. One that is refused is accepted after the time that the 429 names."""
    items = [{"sku": f"S-{number:04}", "name": f"Product {number}", "price": 1.5} for number in range(PRODUCTS)]

    attempts = [send(limited, items[start : start + BATCH]) for start in range(0, PRODUCTS, BATCH)]

    assert len(attempts) == CALLS
    assert {tuple(statuses) for statuses in attempts} <= {(200,), (429, 200)}
