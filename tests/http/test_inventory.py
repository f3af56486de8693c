"""Inventory movements (contract, section 9.3), over HTTP on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db import Database
from app.services import movements
from models import MovementReason, Product, Scope, new_id
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server

AT = datetime(2026, 4, 16, 14, 22, tzinfo=UTC)
ORDER = f"c{1:024}"


class Warehouse:
    """A company, and methods to create what a test needs."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        self.client = client
        self.tenant = tenant
        self.database = database

    def product(self, **fields: Any) -> str:
        return factories.product(self.database, self.tenant.company_id, **{"stock": 10, **fields})

    def insert(self, product_id: str, *rows: dict[str, Any]) -> list[str]:
        """Insert movements as they are, one minute apart from AT on; return their ids."""
        inserted = [
            {
                "id": new_id(AT + number * timedelta(minutes=1)),
                "company_id": self.tenant.company_id,
                "product_id": product_id,
                "sequence": number + 1,
                "reason": MovementReason.OTHER,
                "delta": 1,
                "stock_before": 0,
                "stock_after": 1,
                "reference": None,
                "order_id": None,
                "actor_type": "USER",
                "actor_id": "tester",
                "created_at": AT + number * timedelta(minutes=1),
                **fields,
            }
            for number, fields in enumerate(rows)
        ]
        with self.database.transaction(write=True) as session:
            session.connection().execute(movements.TABLE.insert(), inserted)
        return [str(row["id"]) for row in inserted]

    def listed(self, path: str, **query: Any) -> list[str]:
        return [movement["id"] for movement in self.client.get(path, params=query).raise_for_status().json()["data"]]


@pytest.fixture
def warehouse(client: Client, tenant: Tenant, database: Database) -> Warehouse:
    return Warehouse(client, tenant, database)


@pytest.fixture
def others(server: Server, database: Database, contract: Contract) -> Iterator[Warehouse]:
    """Return the warehouse of another company."""
    tenant = factories.tenant(database)
    with Client(server.url, tenant.key, contract) as client:
        yield Warehouse(client, tenant, database)


def error(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["error"])


class TestGetInventoryMovement:
    def test_returns_exactly_the_members_of_the_contract(self, warehouse: Warehouse) -> None:
        product, order = warehouse.product(), new_id(AT)
        fields = {"reason": "SALE", "delta": -3, "stock_before": 10, "stock_after": 7, "order_id": order}
        (movement,) = warehouse.insert(product, {**fields, "reference": "DN-1", "note": "Dock B.", "request_id": "r-1"})

        assert warehouse.client.get(f"/inventory-movements/{movement}").json() == {
            "data": {
                "id": movement,
                "productId": product,
                "delta": -3,
                "stockBefore": 10,
                "stockAfter": 7,
                "reason": "SALE",
                "reference": "DN-1",
                "note": "Dock B.",
                "orderId": order,
                "returnId": None,
                "actorType": "USER",
                "actorId": "tester",
                "requestId": "r-1",
                "createdAt": "2026-04-16T14:22:00.000Z",
            }
        }

    def test_an_unknown_id_and_one_of_another_company_are_404(self, warehouse: Warehouse, others: Warehouse) -> None:
        (foreign,) = others.insert(others.product(), {})

        for movement in (foreign, "c" + "0" * 24, "nope", "x" * 200):
            assert error(warehouse.client.get(f"/inventory-movements/{movement}"), 404) == "Movement not found."


class TestListInventoryMovements:
    def test_the_movements_of_all_products_are_listed_newest_first(self, warehouse: Warehouse) -> None:
        product = warehouse.product(created_at=AT - timedelta(days=1))
        ids = warehouse.insert(product, {}, {}, {})

        opening = warehouse.listed("/inventory-movements", reason="OPENING")

        assert len(opening) == 1
        assert warehouse.listed("/inventory-movements") == [*reversed(ids), *opening]

    def test_pages_are_complete(self, warehouse: Warehouse) -> None:
        same_time = [{"created_at": AT}] * 5
        product = warehouse.product(created_at=AT - timedelta(days=1))
        warehouse.insert(product, *same_time, {}, {})

        for path in ("/inventory-movements", f"/products/{product}/inventory-movements"):
            walked = [movement["id"] for movement in warehouse.client.walk(path, limit=2)]
            assert walked == warehouse.listed(path)
            assert len(walked) == 8

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"reason": "SALE"}, {1, 2}),
            ({"reference": "DN-1"}, {0, 1}),
            ({"reference": "  DN-1 "}, {0, 1}),
            ({"reference": "dn-1"}, set()),
            ({"reference": ""}, set()),
            ({"reference": "Cafe\u0301"}, {3}),
            ({"orderId": ORDER}, {1, 2}),
            ({"orderId": "unknown"}, set()),
            ({"since": "2026-04-16T14:24:00.000Z"}, {2, 3}),
            ({"since": "2026-04-16T14:24:00.001Z"}, {3}),
            ({"until": "2026-04-16T14:23:00.000Z"}, {0, 1}),
            ({"until": "2026-04-16T14:22:59.999Z"}, {0}),
            ({"reason": "SALE", "reference": "DN-1", "orderId": ORDER, "since": "2026-04-16"}, {1}),
        ],
        ids=str,
    )
    def test_filters_select_matching_movements(
        self, warehouse: Warehouse, query: dict[str, str], expected: set[int]
    ) -> None:
        product = warehouse.product(created_at=AT - timedelta(days=1))
        ids = warehouse.insert(
            product,
            {"reference": "DN-1"},
            {"reference": "DN-1", "reason": "SALE", "order_id": ORDER},
            {"reason": "SALE", "order_id": ORDER},
            {"reference": "Caf\u00e9"},
        )

        for path in ("/inventory-movements", f"/products/{product}/inventory-movements"):
            listed = warehouse.listed(path, **query)
            assert {number for number, id_ in enumerate(ids) if id_ in listed} == expected

    def test_a_product_filter_and_the_list_of_a_product_return_the_same(self, warehouse: Warehouse) -> None:
        one, two = warehouse.product(), warehouse.product()
        warehouse.insert(one, {}, {})
        warehouse.insert(two, {})

        of_one = warehouse.listed(f"/products/{one}/inventory-movements")

        assert len(of_one) == 3
        assert warehouse.listed("/inventory-movements", productId=one) == of_one
        assert warehouse.listed("/inventory-movements", productId="unknown") == []

    def test_the_movements_of_another_company_are_not_listed(self, warehouse: Warehouse, others: Warehouse) -> None:
        foreign = others.product()
        others.insert(foreign, {"reference": "DN-1"})

        assert warehouse.listed("/inventory-movements") == []
        assert warehouse.listed("/inventory-movements", productId=foreign) == []
        assert warehouse.listed("/inventory-movements", reference="DN-1") == []
        path = f"/products/{foreign}/inventory-movements"
        assert error(warehouse.client.get(path), 404) == "Product not found."

    def test_the_opening_row_of_a_deleted_product_stays_in_the_list(self, warehouse: Warehouse) -> None:
        product = warehouse.product()
        opening = warehouse.listed(f"/products/{product}/inventory-movements")
        with warehouse.database.transaction(write=True) as session:
            session.delete(session.get_one(Product, product))

        assert warehouse.listed("/inventory-movements", productId=product) == opening
        assert warehouse.client.get(f"/inventory-movements/{opening[0]}").status_code == 200
        assert error(warehouse.client.get(f"/products/{product}/inventory-movements"), 404) == "Product not found."

    def test_an_unknown_product_in_the_path_is_404(self, warehouse: Warehouse) -> None:
        response = warehouse.client.get("/products/unknown/inventory-movements")

        assert error(response, 404) == "Product not found."

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"reason": "STOLE"}, "reason must be one of RECEIVED, RETURNED, DAMAGED"),
            ({"since": "yesterday"}, "since must be a date or a time in ISO 8601"),
            ({"until": "2026-02-30"}, "until must be a date or a time in ISO 8601"),
            ({"limit": "x"}, "limit must be a whole number"),
            ({"cursor": "unknown"}, "Invalid cursor."),
            ({"reference": "x" * 256}, "reference must be at most 255 characters"),
            ({"sku": "x"}, "sku is not a known parameter"),
        ],
    )
    def test_an_invalid_parameter_is_400(self, warehouse: Warehouse, query: dict[str, str], message: str) -> None:
        for path in ("/inventory-movements", f"/products/{warehouse.product()}/inventory-movements"):
            response = warehouse.client.get(path, params=query)

            assert error(response, 400).startswith(message)
            assert response.json()["details"][0]["pointer"] == f"/query/{next(iter(query))}"

    def test_the_list_of_a_product_has_no_product_filter(self, warehouse: Warehouse) -> None:
        response = warehouse.client.get(f"/products/{warehouse.product()}/inventory-movements?productId=x")

        assert error(response, 400) == "productId is not a known parameter"

    def test_every_read_requires_the_scope(self, warehouse: Warehouse, anonymous: Client) -> None:
        company_id = warehouse.tenant.company_id
        _, key = factories.api_key(warehouse.database, company_id, scopes=[Scope.PRODUCTS_WRITE])

        for path in ("/inventory-movements", "/inventory-movements/x", "/products/x/inventory-movements"):
            response = anonymous.get(path, headers={"Authorization": f"Bearer {key}"})
            assert "products:read" in error(response, 403)
