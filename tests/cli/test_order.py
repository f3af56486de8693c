"""`distribu order`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app import spec
from app.db import Database
from app.schemas.order_previews import order_preview
from app.schemas.orders import ORDER_CREATE, OrderStatusUpdate, order_detail, order_with_items
from app.services import order_previews, orders
from models import OrderStatus
from tests.cli.conftest import Command, listed
from tests.support import factories
from tests.support.factories import Tenant

ADDRESS = {"name": "Acme", "street": "Dock 1", "postalCode": "10115", "city": "Berlin", "country": "DE"}
LONG_AGO = datetime(2026, 1, 1, 12, tzinfo=UTC)

Place = Callable[..., str]


@pytest.fixture
def customer_id(fresh_database: Database, shop: Tenant) -> str:
    """Return a customer."""
    return factories.customer(fresh_database, shop.company_id, email="orders@acme.com", name="Acme Restaurants")


@pytest.fixture
def place(fresh_database: Database, shop: Tenant, customer_id: str) -> Place:
    """Return a function that places an order."""
    product_id = factories.product(fresh_database, shop.company_id, name="Widget", sku="W-1", stock=1_000_000)

    def place(customer_id: str = customer_id, at: datetime | None = None, quantity: int = 10, **fields: Any) -> str:
        body = factories.order_body(customer_id, (product_id, quantity), **fields)
        with fresh_database.transaction(write=True) as session:
            ctx = factories.context(session, shop.company_id)
            order, _ = orders.place(replace(ctx, now=at or ctx.now), ORDER_CREATE.load(body))
            return str(order.id)

    return place


class TestList:
    def test_json_equals_that_of_the_api(
        self, distribu: Command, shop: Tenant, fresh_database: Database, place: Place
    ) -> None:
        order_id = place(poNumber="PO-1")

        (only,) = listed(distribu, "order", shop.slug)

        with fresh_database.transaction() as session:
            expected = order_with_items(*orders.get(factories.context(session, shop.company_id), order_id))
        assert only == expected
        assert list(only) == list(expected)

    def test_filters_orders(
        self, distribu: Command, shop: Tenant, fresh_database: Database, customer_id: str, place: Place
    ) -> None:
        other = factories.customer(fresh_database, shop.company_id)
        older = place(at=LONG_AGO)
        newer = place(other, poNumber="PO-1", externalId="S-1")
        with fresh_database.transaction(write=True) as session:
            orders.change_status(
                factories.context(session, shop.company_id), newer, OrderStatusUpdate(status=OrderStatus.CONFIRMED)
            )

        def ids(*options: str) -> list[str]:
            return [order["id"] for order in listed(distribu, "order", shop.slug, *options)]

        assert ids() == [newer, older]
        assert ids("--status", "CONFIRMED") == [newer]
        assert ids("--customer", "Orders@Acme.com") == ids("--customer", customer_id) == [older]
        assert ids("--since", "2026-01-01T12:00:00.001") == [newer]
        assert ids("--since", "2026-01-01T12:00:00Z") == [newer, older]
        assert ids("--until", "2026-01-01T12:00:00Z") == [older]
        assert ids("--until", "2025-12-31") == []
        assert ids("--until", "2026-01-01") == [older]  # the whole day, as people mean it
        assert ids("--limit", "1") == [newer]
        assert ids("--po-number", "PO-1") == [newer]
        assert ids("--po-number", "PO-12") == []
        assert ids("--external-id", "S-1") == [newer]
        assert ids("--external-id", "s-1") == []

    def test_an_unknown_customer_is_rejected(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        other = factories.tenant(fresh_database)
        foreign = factories.customer(fresh_database, other.company_id)

        outcome = distribu("order", "list", "--company", shop.slug, "--customer", foreign)

        assert outcome.error == "Customer not found."
        assert outcome.code == 1

    def test_the_table_is_limited_and_a_message_says_so(self, distribu: Command, shop: Tenant, place: Place) -> None:
        place(at=LONG_AGO, poNumber="OLDER")
        place(poNumber="PO-1")

        outcome = distribu("order", "list", "--company", shop.slug, "--limit", "1")

        assert "OLDER" not in outcome.out
        assert "85.00" in outcome.out
        assert outcome.err == "There are more than 1. Use --limit 0 to list all.\n"


class TestShow:
    def test_json_equals_that_of_the_api(
        self, distribu: Command, shop: Tenant, fresh_database: Database, place: Place
    ) -> None:
        order_id = place(shippingAddress=ADDRESS)

        shown = distribu("order", "show", order_id, "--company", shop.slug, "--json").json

        with fresh_database.transaction() as session:
            expected = order_detail(*orders.get(factories.context(session, shop.company_id), order_id))
        assert shown == expected
        assert list(shown) == list(expected)

    def test_prints_customer_items_and_amounts(
        self, distribu: Command, shop: Tenant, fresh_database: Database, place: Place
    ) -> None:
        factories.terms(fresh_database, shop.company_id, tax_rate="0.07", shipping="9.50")
        order_id = place(
            poNumber="PO-1", externalId="S-1", notes="Before\n11am. \x1b[31m", shippingAddress=ADDRESS, quantity=200
        )

        outcome = distribu("order", "show", order_id, "--company", shop.slug)

        lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
        assert f"Order {order_id}" in lines
        assert "Status SUBMITTED" in lines
        assert "External ID S-1" in lines
        assert "Customer Acme Restaurants, orders@acme.com" in lines
        assert "Currency USD" in lines
        assert "Ship to Acme, Dock 1, 10115 Berlin, DE" in lines
        assert "Notes Before 11am. \N{REPLACEMENT CHARACTER}[31m" in lines
        assert "W-1 Widget 200 8.50 1700.00" in lines
        assert lines[-4:] == ["Subtotal 1700.00", "Tax 119.00", "Shipping 9.50", "Total 1828.50"]
        assert outcome.err == ""

    def test_empty_values_are_not_printed(self, distribu: Command, shop: Tenant, place: Place) -> None:
        outcome = distribu("order", "show", place(), "--company", shop.slug)

        assert "Ship to" not in outcome.out
        assert "Notes" not in outcome.out

    def test_an_order_of_another_company_is_not_found(
        self, distribu: Command, fresh_database: Database, place: Place
    ) -> None:
        order_id = place()
        other = factories.tenant(fresh_database)

        outcome = distribu("order", "show", order_id, "--company", other.slug)

        assert outcome.error == "Order not found."
        assert outcome.code == 1


class TestShip:
    @pytest.fixture
    def confirmed(self, fresh_database: Database, shop: Tenant, place: Place) -> str:
        """Return a confirmed order of 10 units."""
        order_id = place()
        with fresh_database.transaction(write=True) as session:
            change = OrderStatusUpdate(status=OrderStatus.CONFIRMED)
            orders.change_status(factories.context(session, shop.company_id), order_id, change)
        return order_id

    def test_ships_everything_that_is_left(self, distribu: Command, shop: Tenant, confirmed: str) -> None:
        options = ["--company", shop.slug, "--json"]
        tracking = ["--tracking-number", "NF-1", "--tracking-number", "NF-2", "--tracking-number", "NF-1"]
        url = ["--tracking-url", "https://tracking.example/NF-1"]
        details = [*tracking, *url, "--carrier", "Northway", "--shipped-at", "2026-04-17T06:30:00.1239Z"]

        part = distribu("order", "ship", confirmed, "W-1=4", *details, *options).json
        rest = distribu("order", "ship", confirmed, *options).json

        order = distribu("order", "show", confirmed, *options).json
        assert order["status"] == "SHIPPED"
        assert order["shipments"] == [part, rest]
        assert [shipment["items"] for shipment in (part, rest)] == [
            [{"orderItemId": order["items"][0]["id"], "quantity": quantity}] for quantity in (4, 6)
        ]
        assert (part["carrier"], part["trackingNumbers"]) == ("Northway", ["NF-1", "NF-2"])
        assert (part["trackingUrl"], part["shippedAt"]) == (url[1], "2026-04-17T06:30:00.123Z")
        assert (rest["carrier"], rest["trackingNumbers"], rest["trackingUrl"]) == (None, [], None)

    def test_an_item_can_be_named_by_its_id(self, distribu: Command, shop: Tenant, confirmed: str) -> None:
        options = ["--company", shop.slug]
        (item,) = distribu("order", "show", confirmed, *options, "--json").json["items"]

        shipped = distribu("order", "ship", confirmed, f"{item['id']}=4", "--carrier", "Northway", *options)
        assert shipped.code == 0
        assert "Northway" in shipped.out

        assert "Northway" in distribu("order", "show", confirmed, *options).out

    @pytest.mark.parametrize(
        ("items", "message"),
        [
            (["W-1=11"], "Only 10 of Widget can still be shipped."),
            (["W-2=1"], "The order has no item 'W-2'. Name one by its SKU or its id."),
            (
                ["W-1=1", "W-1=2"],
                "orderItemId is the same as in /items/0: send one item with the sum of the quantities",
            ),
        ],
    )
    def test_items_that_cannot_be_shipped_are_refused(
        self, distribu: Command, shop: Tenant, confirmed: str, items: list[str], message: str
    ) -> None:
        outcome = distribu("order", "ship", confirmed, *items, "--company", shop.slug)

        assert (outcome.code, outcome.error) == (1, message)

    def test_a_sku_of_several_items_is_ambiguous(
        self, distribu: Command, shop: Tenant, fresh_database: Database, customer_id: str
    ) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="D-1", stock=9)
        draft = ORDER_CREATE.load(factories.order_body(customer_id, (product, 1), (product, 2)))
        with fresh_database.transaction(write=True) as session:
            order, items = orders.place(factories.context(session, shop.company_id), draft)

        outcome = distribu("order", "ship", order.id, "D-1=1", "--company", shop.slug)

        ids = ", ".join(item.id for item in items)
        assert outcome.error == f"The order has several items 'D-1'. Name one by its id: {ids}."

    def test_an_order_that_is_not_confirmed_is_refused(self, distribu: Command, shop: Tenant, place: Place) -> None:
        outcome = distribu("order", "ship", place(), "--company", shop.slug)

        assert (outcome.code, outcome.error) == (1, "Order cannot be shipped while SUBMITTED.")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--tracking-url", "tracking.example"], "must be an http or https URL of at most 2048 characters"),
            (["--carrier", "x" * 101], "must be at most 100 characters."),
            ([f"--tracking-number={number}" for number in range(21)], "Give at most 20 tracking numbers, not 21."),
        ],
    )
    def test_an_invalid_option_is_rejected(
        self, distribu: Command, shop: Tenant, options: list[str], message: str
    ) -> None:
        outcome = distribu("order", "ship", "x", "--company", shop.slug, *options)

        assert outcome.code == 2
        assert message in outcome.err


class TestPreview:
    @pytest.fixture(autouse=True)
    def catalogue(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, name="Widget", sku="W=1", stock=10)
        factories.product(fresh_database, shop.company_id, name="Gadget", sku="G-1", stock=10, order_multiple=4)

    def test_json_equals_that_of_the_api(
        self, distribu: Command, shop: Tenant, fresh_database: Database, customer_id: str
    ) -> None:
        items = [{"sku": "W=1", "quantity": 11}, {"sku": "G-1", "quantity": 5}, {"sku": "none", "quantity": 1}]
        draft = ORDER_CREATE.load({"customerId": customer_id, "items": items})

        options = ["--company", shop.slug, "--customer", "orders@acme.com", "--json"]
        shown = distribu("order", "preview", "W=1=11", "G-1=5", " none =1", *options).json

        with fresh_database.transaction() as session:
            ctx = factories.context(session, shop.company_id)
            expected = order_preview(order_previews.preview(ctx, draft))
        assert shown == expected
        assert list(shown) == list(expected)
        assert [problem["code"] for problem in shown["problems"]] == [
            "insufficient_stock",
            "quantity_not_allowed",
            "product_not_found",
        ]

    def test_prints_items_amounts_and_problems(self, distribu: Command, shop: Tenant, customer_id: str) -> None:
        options = ["--company", shop.slug, "--customer", customer_id]

        outcome = distribu("order", "preview", "W=1=2", *options)
        assert (outcome.code, outcome.err) == (0, "The order can be placed.\n")
        assert "Widget" in outcome.out
        assert "17.00" in outcome.out
        lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
        assert lines[:2] == ["Customer Acme Restaurants, orders@acme.com", "Currency USD"]

        outcome = distribu("order", "preview", "G-1=3", *options)
        assert outcome.code == 0
        assert "Gadget can be ordered in multiples of 4." in outcome.out

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ("W-1", "'W-1' is not a SKU and a quantity like WDG-1=12."),
            ("=1", "'=1' is not a SKU and a quantity like WDG-1=12."),
            ("W-1=x", "'x' is not a whole number."),
            ("W-1=\uff11", "'\uff11' is not a whole number."),
            ("W-1=0", "0 is not between 1 and 1000000."),
            ("W-1=1000001", "1000001 is not between 1 and 1000000."),
        ],
    )
    def test_an_invalid_item_is_rejected(self, distribu: Command, shop: Tenant, item: str, message: str) -> None:
        outcome = distribu("order", "preview", item, "--company", shop.slug, "--customer", "orders@acme.com")

        assert outcome.code == 2
        assert message in outcome.err

    def test_it_has_as_many_items_as_an_order(self, distribu: Command, shop: Tenant, customer_id: str) -> None:
        options = ["--company", shop.slug, "--customer", customer_id]
        most = spec.document()["components"]["schemas"]["OrderCreate"]["properties"]["items"]["maxItems"]

        assert distribu("order", "preview", *["W=1=1"] * most, *options).code == 0
        outcome = distribu("order", "preview", *["W=1=1"] * (most + 1), *options)

        assert (outcome.code, outcome.error) == (2, "An order has at most 200 items. These are 201.")

    def test_an_unknown_customer_is_rejected(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("order", "preview", "W=1=1", "--company", shop.slug, "--customer", "unknown@example.com")

        assert (outcome.code, outcome.error) == (1, "Customer not found.")
