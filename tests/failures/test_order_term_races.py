"""Prices that change while orders are placed, and previews alongside orders, on both databases."""

import itertools
from functools import partial
from typing import Any

import httpx
import pytest

from app.db import Database
from app.schemas.orders import ORDER_CREATE
from app.services import order_previews
from tests.support import factories, waiting
from tests.support.client import Client
from tests.support.factories import Tenant, order_body
from tests.support.held_write import held_write
from tests.support.servers import Server

OLD = {"price": 10, "priceBreaks": [{"minQuantity": 5, "price": 9}]}
NEW = {"price": 20, "priceBreaks": [{"minQuantity": 5, "price": 18}]}
ROUNDS = 10


def unit_prices(response: httpx.Response) -> set[float]:
    assert response.status_code == 201, response.text
    return {item["unitPrice"] for item in response.json()["data"]["items"]}


@pytest.mark.parametrize("is_override", [False, True])
def test_an_order_has_one_of_two_prices_as_a_whole(
    client: Client, database: Database, tenant: Tenant, *, is_override: bool
) -> None:
    product = factories.product(database, tenant.company_id, sku="RACE", stock=10_000)
    customer = factories.customer(database, tenant.company_id)
    path = f"/customers/{customer}/prices/{product}" if is_override else f"/products/{product}"
    change = partial(client.put if is_override else client.patch, path)
    assert change(json=OLD).status_code in {200, 201}
    items: list[dict[str, Any]] = [{"productId": product, "quantity": 2}, {"sku": "RACE", "quantity": 3}]
    place = partial(client.post, "/orders", json={"customerId": customer, "items": items})

    for terms in itertools.islice(itertools.cycle([NEW, OLD]), ROUNDS):
        changed, *placed = waiting.concurrently(partial(change, json=terms), place, place, place)

        assert changed.status_code == 200
        assert all(unit_prices(response) in ({9.0}, {18.0}) for response in placed)


def test_a_preview_does_not_wait_for_a_write(
    client: Client, database: Database, server: Server, tenant: Tenant
) -> None:
    product = factories.product(database, tenant.company_id, stock=5)
    customer = factories.customer(database, tenant.company_id)
    statement = f"UPDATE products SET stock = 4, updated_at = :now WHERE id = '{product}'"

    with held_write(server.database_url, statement) as held:
        response = client.post("/order-previews", json=order_body(customer, (product, 5)))
        held.kill()

    assert response.json()["data"]["canBePlaced"] is True


def test_an_order_does_not_wait_for_a_preview(client: Client, database: Database, tenant: Tenant) -> None:
    product = factories.product(database, tenant.company_id, stock=5)
    customer = factories.customer(database, tenant.company_id)
    body = order_body(customer, (product, 5))

    with database.transaction() as session:
        order_previews.preview(factories.context(session, tenant.company_id), ORDER_CREATE.load(body))
        response = client.post("/orders", json=body)

    assert response.status_code == 201
