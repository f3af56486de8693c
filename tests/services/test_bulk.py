"""The number of statements of a bulk request does not depend on its items."""

from typing import Any

import pytest

from app.db import Database
from app.schemas import bulk as requests
from app.schemas.inventory import BULK_INVENTORY_ADJUSTMENT
from app.schemas.prices import BULK_PRICE
from app.schemas.products import BULK_PRODUCT
from app.services import bulk
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.statements import counted


def product(number: int, **fields: Any) -> dict[str, Any]:
    return {"sku": f"S-{number}", "name": f"Product {number}", **fields}


@pytest.mark.parametrize("number", [1, 300])
def test_products(database: Database, tenant: Tenant, number: int) -> None:
    counts = []
    for price in (1, 2, 2):  # create, update, leave unchanged
        items = [product(index, price=price) for index in range(number)]
        request = requests.load({"mode": "each", "items": [*items, product(0, price=3)]}, BULK_PRODUCT)
        with database.transaction(write=True) as session, counted(session) as statements:
            outcomes = bulk.upsert_products(factories.context(session, tenant.company_id), request)
        assert len(outcomes) == number + 1
        counts.append(len(statements))

    assert counts == [6, 6, 1]


@pytest.mark.parametrize("number", [1, 300])
def test_adjustments(database: Database, tenant: Tenant, number: int) -> None:
    products = factories.products(database, tenant.company_id, number, stock=10, low_stock_threshold=9)
    items = [{"productId": product, "delta": -1, "reason": "LOST"} for product in products * 2]
    request = requests.load({"items": items}, BULK_INVENTORY_ADJUSTMENT)
    with database.transaction(write=True) as session, counted(session) as statements:
        outcomes = bulk.adjust_inventory(factories.context(session, tenant.company_id), request)

    assert len(outcomes) == 2 * number
    assert len(statements) == 7


@pytest.mark.parametrize("number", [1, 300])
def test_prices(database: Database, tenant: Tenant, number: int) -> None:
    customer = factories.customer(database, tenant.company_id)
    products = factories.products(database, tenant.company_id, number)
    counts = []
    for price in (1, 2, 2):  # create, update, leave unchanged
        items = [{"customerId": customer, "productId": product, "price": price} for product in products]
        request = requests.load({"mode": "each", "items": [*items, {**items[0], "productId": "x"}]}, BULK_PRICE)
        with database.transaction(write=True) as session, counted(session) as statements:
            outcomes = bulk.upsert_prices(factories.context(session, tenant.company_id), request)
        assert len(outcomes) == number + 1
        counts.append(len(statements))

    assert counts == [5, 5, 3]
