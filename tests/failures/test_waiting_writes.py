"""Writes that wait on their connection for the next statement: if one fails, the request fails, and leaves nothing."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.db import Database
from models import AuditEntry, Base, Customer, Delivery, Event, InventoryMovement, Order, OrderItem, StoredResponse
from models.base import table
from tests.support import factories
from tests.support.client import Client
from tests.support.factories import Tenant, order_body

pytestmark = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
CREATE = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.company_id = '{company_id}' THEN RAISE EXCEPTION 'made to fail' USING ERRCODE = '{code}'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail();
"""


@contextmanager
def failing(database: Database, tenant: Tenant, model: type[Base], code: str) -> Iterator[None]:
    """Let the inserts into a table fail that are those of a company."""
    statement = CREATE.format(company_id=tenant.company_id, code=code, table=table(model).name)
    with database.connection() as connection:
        connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        with database.connection() as connection:
            connection.exec_driver_sql("DROP FUNCTION fail() CASCADE")


@pytest.mark.parametrize("code", ["40P01", "57014"])
@pytest.mark.parametrize("model", [OrderItem, InventoryMovement, AuditEntry, Event, Delivery, StoredResponse])
def test_an_order_is_placed_with_all_its_writes_or_refused(
    client: Client, tenant: Tenant, database: Database, model: type[Base], code: str
) -> None:
    product = factories.product(database, tenant.company_id, stock=5)
    customer = factories.customer(database, tenant.company_id)
    assert client.post("/webhooks", json={"url": "https://example.com/", "events": ["*"]}).status_code == 201
    body, headers = order_body(customer, (product, 2)), {"Idempotency-Key": str(uuid.uuid4())}

    with failing(database, tenant, model, code):
        refused = client.post("/orders", json=body, headers=headers)
        stored = factories.count(database, Order, tenant.company_id)
    placed = client.post("/orders", json=body, headers=headers)

    assert (refused.status_code, refused.json()["code"], stored) == (503, "database_unavailable", 0)
    assert placed.status_code == 201
    assert "idempotency-replayed" not in placed.headers
    assert client.get(f"/products/{product}").json()["data"]["stock"] == 3


def test_a_request_without_a_key_is_refused_too(client: Client, tenant: Tenant, database: Database) -> None:
    with failing(database, tenant, AuditEntry, "57014"):
        refused = client.post("/customers", json={"email": "a@example.com"})

    assert refused.status_code == 503
    assert factories.count(database, Customer, tenant.company_id) == 0
    assert client.post("/customers", json={"email": "a@example.com"}).status_code == 201
