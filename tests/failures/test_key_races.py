"""API keys that several clients create at the same time."""

from functools import partial

from app.db import Database
from tests.support import factories, waiting
from tests.support.client import Client, refusals
from tests.support.factories import Tenant

MAX_ACTIVE = 100
CLIENTS = 8


def test_concurrent_creations_do_not_exceed_the_limit(client: Client, database: Database, tenant: Tenant) -> None:
    for _ in range(MAX_ACTIVE - 4):  # the key of the client is another one
        factories.api_key(database, tenant.company_id)
    create = partial(client.post, "/api-keys", json={"name": "ERP", "scopes": ["keys:read"]})

    responses = waiting.concurrently(*[create] * CLIENTS)

    assert sorted(response.status_code for response in responses) == [201] * 3 + [422] * 5
    codes = [refusals(response)[0]["code"] for response in responses if response.status_code == 422]
    assert codes == ["key_limit_reached"] * 5
    assert len(list(client.walk("/api-keys", status="Active", limit=100))) == MAX_ACTIVE
