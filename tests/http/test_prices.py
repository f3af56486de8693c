"""Price overrides of customers (contract, section 9.4), over HTTP on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app.db import Database
from models import AuditEntry, Event, PriceOverride, Scope, new_id
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant, order_body
from tests.support.servers import Server

BREAKS = [{"minQuantity": 10, "price": 7.5}, {"minQuantity": 50, "price": 7}]
OUT_OF_ORDER = "priceBreaks must be in ascending order of minQuantity: "


class PriceWalk:
    """The list of the prices of a customer, and the ids of its products with the newest price first."""

    def __init__(self, client: Client, path: str, newest_first: list[str]) -> None:
        self.client = client
        self.path = path
        self.newest_first = newest_first

    def path_of(self, product_id: str) -> str:
        return f"{self.path}/{product_id}"

    def page(self, **parameters: Any) -> list[str]:
        """Return the ids of the products on a page."""
        response = self.client.get(self.path, params=parameters)
        assert response.status_code == 200, response.text
        return [price["productId"] for price in response.json()["data"]]


class Prices:
    """A company with a customer and a product, and methods that set and read the price between them."""

    def __init__(self, client: Client, tenant: Tenant, database: Database) -> None:
        self.client = client
        self.tenant = tenant
        self.database = database
        self.customer_id = factories.customer(database, tenant.company_id)
        self.product_id = self.product()
        self.path = f"/customers/{self.customer_id}/prices/{self.product_id}"

    def product(self, **fields: Any) -> str:
        return factories.product(self.database, self.tenant.company_id, **{"price": Decimal(9), "stock": 99, **fields})

    def put(self, body: Any, **headers: str) -> httpx.Response:
        return self.client.put(self.path, json=body, headers=headers)

    def set(self, **fields: Any) -> dict[str, Any]:
        response = self.put({"price": 8.5, **fields})
        assert response.status_code in {200, 201}, response.text
        return dict(response.json()["data"])

    def listed(self, count: int) -> "PriceWalk":
        """Set the prices of new products, and return the list of them."""
        products = [self.product() for _ in range(count)]
        walk = PriceWalk(self.client, f"/customers/{self.customer_id}/prices", products[::-1])
        for product_id in products:
            assert self.client.put(walk.path_of(product_id), json={"price": 1}).status_code == 201
        return walk

    def entries(self) -> list[tuple[str, Any]]:
        """Return the action and the details of each audit entry of the customer."""
        with self.database.transaction() as session:
            found = session.scalars(
                sa.select(AuditEntry).where(AuditEntry.entity_id == self.customer_id).order_by(AuditEntry.id)
            )
            return [(entry.action, entry.details) for entry in found]


@pytest.fixture
def prices(client: Client, tenant: Tenant, database: Database) -> Prices:
    return Prices(client, tenant, database)


@pytest.fixture
def theirs(database: Database) -> tuple[str, str]:
    """Return the ids of a customer and a product of another company that have a price."""
    other = factories.tenant(database)
    customer_id = factories.customer(database, other.company_id)
    product_id = factories.product(database, other.company_id)
    factories.price_override(database, other.company_id, customer_id, product_id, "1")
    return customer_id, product_id


def with_scope(server: Server, tenant: Tenant, database: Database, contract: Contract, scope: Scope) -> Client:
    _, key = factories.api_key(database, tenant.company_id, scopes=[scope])
    return Client(server.url, key, contract)


@pytest.fixture
def reader(server: Server, tenant: Tenant, database: Database, contract: Contract) -> Iterator[Client]:
    with with_scope(server, tenant, database, contract, Scope.CUSTOMERS_READ) as client:
        yield client


@pytest.fixture
def writer(server: Server, tenant: Tenant, database: Database, contract: Contract) -> Iterator[Client]:
    with with_scope(server, tenant, database, contract, Scope.CUSTOMERS_WRITE) as client:
        yield client


class TestUpsert:
    def test_a_new_price_is_201_with_its_location(self, prices: Prices) -> None:
        response = prices.put({"price": 8.5, "priceBreaks": BREAKS})

        assert response.status_code == 201
        assert response.headers["Location"] == f"/api/v1{prices.path}"
        price = response.json()["data"]
        assert list(price) == ["productId", "price", "priceBreaks", "createdAt", "updatedAt"]
        assert (price["productId"], price["price"], price["priceBreaks"]) == (prices.product_id, 8.5, BREAKS)
        assert price["createdAt"] == price["updatedAt"]
        assert prices.client.get(prices.path).json() == response.json()

    def test_an_existing_price_is_200_without_a_location(self, prices: Prices) -> None:
        before = prices.set()

        response = prices.put({"price": 8.25})

        assert response.status_code == 200
        assert "Location" not in response.headers
        after = response.json()["data"]
        assert (after["price"], after["createdAt"]) == (8.25, before["createdAt"])
        assert after["updatedAt"] >= before["updatedAt"]

    def test_absent_price_breaks_are_unchanged_and_null_and_an_empty_list_are_none(self, prices: Prices) -> None:
        assert prices.set(priceBreaks=BREAKS)["priceBreaks"] == BREAKS
        assert prices.set(price=8)["priceBreaks"] == BREAKS
        assert prices.set(priceBreaks=None)["priceBreaks"] == []
        assert prices.set(priceBreaks=BREAKS)["priceBreaks"] == BREAKS
        assert prices.set(priceBreaks=[])["priceBreaks"] == []

    def test_a_price_that_does_not_change_is_not_written(self, prices: Prices) -> None:
        before = prices.set(priceBreaks=BREAKS)

        assert prices.set() == before
        assert prices.set(priceBreaks=BREAKS) == before
        assert len(prices.entries()) == 1

    def test_each_change_is_audited_and_sends_no_event(self, prices: Prices) -> None:
        prices.set()
        prices.set(price=8)
        prices.set(price=8, priceBreaks=BREAKS)

        ids = {"productId": prices.product_id}
        assert prices.entries() == [
            ("price.set", {**ids, "before": None, "after": "8.50"}),
            ("price.set", {**ids, "before": "8.50", "after": "8.00"}),
            ("price.set", {**ids, "before": "8.00", "after": "8.00", "priceBreaks": {"before": [], "after": BREAKS}}),
        ]
        assert factories.count(prices.database, Event, prices.tenant.company_id) == 0

    def test_a_price_that_the_previous_version_stored_has_the_time_of_its_creation(self, prices: Prices) -> None:
        factories.price_override(prices.database, prices.tenant.company_id, prices.customer_id, prices.product_id, "5")

        price = prices.client.get(prices.path).json()["data"]

        assert price["updatedAt"] == price["createdAt"]
        assert price["priceBreaks"] == []

    def test_new_orders_have_the_price(self, prices: Prices) -> None:
        prices.set(price=0.01)

        order = prices.client.post("/orders", json=order_body(prices.customer_id, (prices.product_id, 3))).json()

        assert (order["data"]["items"][0]["unitPrice"], order["data"]["total"]) == (0.01, 0.03)

    @pytest.mark.parametrize("price", [0, 0.01, 9999999999.99])
    def test_a_price_at_the_limit_is_accepted(self, prices: Prices, price: float) -> None:
        assert prices.set(price=price)["price"] == price
        breaks = [{"minQuantity": 2, "price": price}, {"minQuantity": 10**6, "price": price}]
        assert prices.set(price=1, priceBreaks=breaks)["priceBreaks"] == breaks

    def test_twenty_price_breaks_are_accepted(self, prices: Prices) -> None:
        breaks = [{"minQuantity": quantity, "price": 1} for quantity in range(2, 22)]

        assert prices.set(priceBreaks=breaks)["priceBreaks"] == breaks

    @pytest.mark.parametrize(
        ("body", "pointer", "message"),
        [
            ({}, "/price", "price is required"),
            ({"price": None}, "/price", "price must be a number"),
            ({"price": "8.5"}, "/price", "price must be a number"),
            ({"price": -0.01}, "/price", "price must be at least 0"),
            ({"price": 0.001}, "/price", "price must have at most 2 decimal places"),
            ({"price": 10**10}, "/price", "price must be at most 9999999999.99"),
            ({"price": 1, "currency": "EUR"}, "/currency", "currency is not a known field"),
            ({"price": 1, "productId": "c"}, "/productId", "productId is not a known field"),
            ({"price": 1, "priceBreaks": {}}, "/priceBreaks", "priceBreaks must be a list"),
            (
                {"price": 1, "priceBreaks": [{"minQuantity": number, "price": 1} for number in range(2, 23)]},
                "/priceBreaks",
                "priceBreaks must have at most 20 items",
            ),
        ],
    )
    def test_an_invalid_body_is_rejected(self, prices: Prices, body: Any, pointer: str, message: str) -> None:
        response = prices.put(body)

        assert (response.status_code, response.json()["error"]) == (400, message)
        assert response.json()["details"] == [{"pointer": pointer, "message": message}]
        assert prices.client.get(prices.path).status_code == 404

    @pytest.mark.parametrize(
        ("entry", "pointer", "message"),
        [
            ({"price": 1}, "/minQuantity", "minQuantity is required"),
            ({"minQuantity": 2}, "/price", "price is required"),
            ({"minQuantity": 1, "price": 1}, "/minQuantity", "minQuantity must be at least 2"),
            ({"minQuantity": 10**6 + 1, "price": 1}, "/minQuantity", "minQuantity must be at most 1000000"),
            ({"minQuantity": 2.5, "price": 1}, "/minQuantity", "minQuantity must be a whole number"),
            ({"minQuantity": "2", "price": 1}, "/minQuantity", "minQuantity must be a number"),
            ({"minQuantity": 2, "price": -1}, "/price", "price must be at least 0"),
            ({"minQuantity": 2, "price": 0.001}, "/price", "price must have at most 2 decimal places"),
            ({"minQuantity": 2, "price": 1, "unit": "each"}, "/unit", "unit is not a known field"),
            (7, "", "priceBreaks[0] must be an object"),
        ],
    )
    def test_an_invalid_price_break_is_rejected(self, prices: Prices, entry: Any, pointer: str, message: str) -> None:
        response = prices.put({"price": 1, "priceBreaks": [entry]})

        assert response.status_code == 400
        assert response.json()["details"] == [{"pointer": f"/priceBreaks/0{pointer}", "message": message}]

    @pytest.mark.parametrize(
        ("quantities", "position", "found"),
        [((10, 10), 1, "10 comes after 10"), ((2, 50, 49), 2, "49 comes after 50")],
    )
    def test_price_breaks_out_of_order_are_rejected(
        self, prices: Prices, quantities: tuple[int, ...], position: int, found: str
    ) -> None:
        breaks = [{"minQuantity": quantity, "price": 1} for quantity in quantities]

        response = prices.put({"price": 1, "priceBreaks": breaks})

        message = OUT_OF_ORDER + found
        assert (response.status_code, response.json()["error"]) == (400, message)
        assert response.json()["details"] == [{"pointer": f"/priceBreaks/{position}/minQuantity", "message": message}]

    def test_unknown_customers_and_products_are_not_found(self, prices: Prices, theirs: tuple[str, str]) -> None:
        customer_id, product_id = theirs
        for path, error in (
            (f"/customers/x/prices/{prices.product_id}", "Customer not found."),
            (f"/customers/x/prices/{product_id}", "Customer not found."),
            (f"/customers/{customer_id}/prices/{product_id}", "Customer not found."),
            (f"/customers/{prices.customer_id}/prices/{product_id}", "Product not found."),
            (f"/customers/{prices.customer_id}/prices/x", "Product not found."),
        ):
            response = prices.client.put(path, json={"price": 1})

            assert (response.status_code, response.json()["error"]) == (404, error)

    def test_a_duplicate_request_receives_the_same_response(self, prices: Prices) -> None:
        first = prices.put({"price": 8}, **{"Idempotency-Key": "once"})
        prices.set(price=7)
        again = prices.put({"price": 8.0}, **{"Idempotency-Key": "once"})
        other = prices.put({"price": 9}, **{"Idempotency-Key": "once"})

        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert prices.client.get(prices.path).json()["data"]["price"] == 7

    def test_it_requires_the_scope_to_write(self, prices: Prices, reader: Client, writer: Client) -> None:
        refused = reader.put(prices.path, json={"price": 1})

        assert refused.status_code == 403
        assert '"customers:write"' in refused.json()["error"]
        assert writer.put(prices.path, json={"price": 1}).status_code == 201


class TestGet:
    def test_it_names_what_does_not_exist(self, prices: Prices, theirs: tuple[str, str]) -> None:
        customer_id, product_id = theirs
        for path, error in (
            (f"/customers/{customer_id}/prices/{product_id}", "Customer not found."),
            (f"/customers/{prices.customer_id}/prices/{product_id}", "Product not found."),
            (prices.path, "Price not found."),
        ):
            response = prices.client.get(path)

            assert (response.status_code, response.json()) == (404, {"error": error, "code": "not_found"})

    def test_it_requires_the_scope_to_read(self, prices: Prices, reader: Client, writer: Client) -> None:
        prices.set()

        assert reader.get(prices.path).status_code == 200
        assert '"customers:read"' in writer.get(prices.path).json()["error"]


class TestList:
    def test_a_walk_returns_each_price_once_with_the_newest_first(
        self, prices: Prices, theirs: tuple[str, str]
    ) -> None:
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        products = sorted(prices.product() for _ in range(5))
        times = [at, at, at, at + timedelta(minutes=1), at - timedelta(minutes=1)]
        for product_id, created_at in zip(products, times, strict=True):
            ids = {"company_id": prices.tenant.company_id, "customer_id": prices.customer_id, "product_id": product_id}
            with prices.database.transaction(write=True) as session:
                session.add(PriceOverride(id=new_id(at), **ids, price=Decimal(1), created_at=created_at))
        other = factories.customer(prices.database, prices.tenant.company_id)  # has prices for the same products
        factories.price_override(prices.database, prices.tenant.company_id, other, products[0], "3")
        path = f"/customers/{prices.customer_id}/prices"

        walked = [price["productId"] for price in prices.client.walk(path, limit=2)]

        newest_first = [products[3], products[2], products[1], products[0], products[4]]
        assert walked == newest_first
        page = prices.client.get(path, params={"limit": 2}).json()
        assert page["pagination"] == {"hasMore": True, "nextCursor": products[2]}

    def test_a_cursor_that_is_not_a_product_of_the_list_is_rejected(
        self, prices: Prices, theirs: tuple[str, str]
    ) -> None:
        other = factories.customer(prices.database, prices.tenant.company_id)
        factories.price_override(prices.database, prices.tenant.company_id, other, prices.product_id, "3")
        path = f"/customers/{prices.customer_id}/prices"

        for cursor in (prices.product_id, theirs[1], prices.customer_id, "x"):
            response = prices.client.get(path, params={"cursor": cursor})

            assert (response.status_code, response.json()["error"]) == (400, "Invalid cursor.")

    def test_a_removed_price_is_still_a_cursor(self, prices: Prices) -> None:
        walk = prices.listed(6)
        first = walk.page(limit=2)
        removed = first[-1]
        prices.client.delete(walk.path_of(removed))

        rest = walk.page(limit=4, cursor=removed)

        assert first + rest == walk.newest_first

    def test_the_price_of_a_deleted_product_is_still_a_cursor(self, prices: Prices) -> None:
        walk = prices.listed(5)
        removed = walk.newest_first[1]
        assert prices.client.delete(f"/products/{removed}").status_code == 200

        assert walk.page(limit=3, cursor=removed) == walk.newest_first[2:]

    def test_a_removed_price_is_no_cursor_of_another_customer(self, prices: Prices) -> None:
        walk = prices.listed(2)
        other = factories.customer(prices.database, prices.tenant.company_id)
        prices.client.delete(walk.path_of(walk.newest_first[0]))

        response = prices.client.get(f"/customers/{other}/prices", params={"cursor": walk.newest_first[0]})

        assert (response.status_code, response.json()["error"]) == (400, "Invalid cursor.")

    def test_a_price_that_was_set_again_is_a_cursor_at_its_new_position(self, prices: Prices) -> None:
        walk = prices.listed(4)
        again = walk.newest_first[2]
        prices.client.delete(walk.path_of(again))
        prices.client.put(walk.path_of(again), json={"price": 2})
        others = [product_id for product_id in walk.newest_first if product_id != again]

        assert walk.page(limit=9) == [again, *others]
        assert walk.page(limit=9, cursor=again) == others

        prices.client.delete(walk.path_of(again))

        assert walk.page(limit=9, cursor=again) == others  # the position of the price that was removed last

    def test_a_customer_without_prices_has_an_empty_list(self, prices: Prices, theirs: tuple[str, str]) -> None:
        response = prices.client.get(f"/customers/{prices.customer_id}/prices")

        assert response.json() == {"data": [], "pagination": {"hasMore": False, "nextCursor": None}}
        for customer_id in ("x", theirs[0]):
            unknown = prices.client.get(f"/customers/{customer_id}/prices")
            assert (unknown.status_code, unknown.json()["error"]) == (404, "Customer not found.")

    def test_it_requires_the_scope_to_read(self, prices: Prices, reader: Client, writer: Client) -> None:
        path = f"/customers/{prices.customer_id}/prices"

        assert reader.get(path).status_code == 200
        assert writer.get(path).status_code == 403


class TestDelete:
    def test_the_catalogue_price_applies_again(self, prices: Prices) -> None:
        prices.set(priceBreaks=BREAKS)

        response = prices.client.delete(prices.path)

        assert response.status_code == 200
        assert response.json() == {"data": {"productId": prices.product_id, "deleted": True}}
        assert prices.client.get(prices.path).json()["error"] == "Price not found."
        assert prices.client.delete(prices.path).json()["error"] == "Price not found."
        order = prices.client.post("/orders", json=order_body(prices.customer_id, (prices.product_id, 1))).json()
        assert order["data"]["items"][0]["unitPrice"] == 9

    def test_it_is_audited_and_sends_no_event(self, prices: Prices) -> None:
        created_at = prices.set(priceBreaks=BREAKS)["createdAt"]

        prices.client.delete(prices.path)

        details = {"productId": prices.product_id, "before": "8.50", "after": None, "createdAt": created_at}
        assert prices.entries()[1:] == [("price.removed", {**details, "priceBreaks": {"before": BREAKS, "after": []}})]
        assert factories.count(prices.database, Event, prices.tenant.company_id) == 0

    def test_it_names_what_does_not_exist(self, prices: Prices, theirs: tuple[str, str]) -> None:
        customer_id, product_id = theirs
        for path, error in (
            (f"/customers/{customer_id}/prices/{product_id}", "Customer not found."),
            (f"/customers/{prices.customer_id}/prices/{product_id}", "Product not found."),
            (prices.path, "Price not found."),
        ):
            response = prices.client.delete(path)

            assert (response.status_code, response.json()["error"]) == (404, error)

    def test_it_requires_the_scope_to_write(self, prices: Prices, reader: Client, writer: Client) -> None:
        prices.set()

        assert reader.delete(prices.path).status_code == 403
        assert writer.delete(prices.path).status_code == 200

    def test_the_price_of_a_deleted_product_goes_along(self, prices: Prices) -> None:
        prices.set(priceBreaks=BREAKS)

        assert prices.client.delete(f"/products/{prices.product_id}").status_code == 200

        assert prices.client.get(prices.path).json()["error"] == "Product not found."
        assert prices.client.get(f"/customers/{prices.customer_id}/prices").json()["data"] == []
        assert [action for action, _ in prices.entries()] == ["price.set", "price.removed"]
