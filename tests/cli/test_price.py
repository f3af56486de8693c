"""`distribu price`."""

import getpass
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from app.db import Database
from tests.cli.conftest import Command, Outcome, dump, entries, listed
from tests.support import factories
from tests.support.factories import Tenant


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A customer and a product."""

    customer_id: str
    product_id: str


@pytest.fixture
def pair(fresh_database: Database, shop: Tenant) -> Pair:
    """Return a customer and a product of the shop."""
    return Pair(
        customer_id=factories.customer(fresh_database, shop.company_id, email="orders@acme.com"),
        product_id=factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", price=Decimal(9)),
    )


@pytest.fixture
def price(distribu: Command, shop: Tenant) -> Command:
    """Return a function that runs a command on the price of the widget for the customer by default."""

    def run(
        verb: str, *arguments: str, customer: str = "orders@acme.com", product: str = "W-1", **settings: Any
    ) -> Outcome:
        return distribu("price", verb, "--company", shop.slug, "--customer", customer, "--product", product, *arguments)

    return run


class TestSet:
    def test_prints_the_new_and_the_previous_price(self, price: Command, pair: Pair) -> None:
        first = price("set", "8.5", "--json").json
        second = price("set", "7", "--json", customer=pair.customer_id, product=pair.product_id).json
        third = price("set", "7.00", "--json").json

        expected = {
            "customerId": pair.customer_id,
            "customer": "orders@acme.com",
            "productId": pair.product_id,
            "sku": "W-1",
            "product": "Widget",
            "price": 8.5,
            "before": None,
            "priceBreaks": [],
        }
        assert first == expected
        assert list(first) == list(expected)
        assert (second["price"], second["before"]) == (7.0, 8.5)
        assert (third["price"], third["before"]) == (7.0, 7.0)

    def test_prints_a_table_by_default(self, price: Command, pair: Pair) -> None:
        outcome = price("set", "8.5")

        assert "orders@acme.com" in outcome.out
        assert "8.50" in outcome.out
        assert outcome.err == ""

    def test_price_breaks_are_set_kept_and_removed(
        self, distribu: Command, price: Command, pair: Pair, shop: Tenant
    ) -> None:
        breaks = [{"minQuantity": 10, "price": 8.0}, {"minQuantity": 50, "price": 7.5}]

        assert price("set", "8.5", "--price-breaks", "10=8; 50=7.50", "--json").json["priceBreaks"] == breaks
        assert price("set", "8.25", "--json").json["priceBreaks"] == breaks
        assert "10=8.00;50=7.50" in price("set", "8.25").out
        assert [row["priceBreaks"] for row in listed(distribu, "price", shop.slug)] == [breaks]
        assert "10=8.00;50=7.50" in distribu("price", "list", "--company", shop.slug).out
        assert price("set", "8.25", "--price-breaks", "", "--json").json["priceBreaks"] == []

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("10", "must be quantities with their prices, like 10=8.00;50=7.50"),
            ("50=7;10=8", "must be in ascending order of minQuantity: 10 comes after 50"),
            ("1=7", "must be at least 2"),
            ("10=-1", "must be at least 0"),
        ],
    )
    def test_invalid_price_breaks_are_rejected(self, price: Command, pair: Pair, text: str, rule: str) -> None:
        outcome = price("set", "8.5", "--price-breaks", text)

        assert outcome.code == 2
        assert rule in outcome.error

    def test_is_audited_only_when_something_changed(
        self, distribu: Command, price: Command, pair: Pair, shop: Tenant
    ) -> None:
        price("set", "8.5")
        price("set", "8.50")

        prices = [entry for entry in entries(distribu, shop.slug) if entry["action"] == "price.set"]
        (entry,) = prices
        assert (entry["entityType"], entry["entityId"]) == ("customer", pair.customer_id)
        assert (entry["actorType"], entry["actorId"]) == ("USER", getpass.getuser())
        assert entry["metadata"] == {"productId": pair.product_id, "before": None, "after": "8.50"}

    @pytest.mark.parametrize("amount", ["1.005", "10000000000"])
    def test_an_invalid_amount_is_rejected(
        self, price: Command, pair: Pair, fresh_database: Database, amount: str
    ) -> None:
        before = dump(fresh_database)

        outcome = price("set", amount)

        assert outcome.error == "The price must be between 0 and 9999999999.99, with at most 2 decimal places."
        assert outcome.code == 1
        assert dump(fresh_database) == before

    def test_a_negative_price_is_rejected(self, price: Command, pair: Pair) -> None:
        assert price("set", "--", "-1").error.startswith("The price must be between 0")

    @pytest.mark.parametrize("amount", ["free", "-1"])
    def test_an_unreadable_price_is_rejected(self, price: Command, amount: str) -> None:
        outcome = price("set", amount)

        assert outcome.error
        assert outcome.code == 2

    def test_customers_and_products_of_another_company_are_not_found(
        self, price: Command, pair: Pair, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)
        customer_id = factories.customer(fresh_database, other.company_id)
        product_id = factories.product(fresh_database, other.company_id, sku="THEIRS")

        assert price("set", "1", customer=customer_id).error == "Customer not found."
        assert price("set", "1", product=product_id).error == "Product not found."
        assert price("set", "1", product="THEIRS").error == "Product not found."


class TestList:
    def test_lists_price_overrides_with_catalogue_prices(
        self, distribu: Command, shop: Tenant, price: Command, pair: Pair, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)
        customer_id = factories.customer(fresh_database, other.company_id)
        product_id = factories.product(fresh_database, other.company_id)
        factories.price_override(fresh_database, other.company_id, customer_id, product_id, "1")
        price("set", "8.5")

        (only,) = listed(distribu, "price", shop.slug)

        expected = {
            "customerId": pair.customer_id,
            "customer": "orders@acme.com",
            "productId": pair.product_id,
            "sku": "W-1",
            "product": "Widget",
            "price": 8.5,
            "cataloguePrice": 9.0,
            "priceBreaks": [],
        }
        assert only == expected
        assert list(only) == list(expected)

    def test_the_table_has_the_currency_of_the_company(
        self, distribu: Command, shop: Tenant, price: Command, pair: Pair
    ) -> None:
        distribu("company", "update", shop.slug, "--currency", "EUR")
        price("set", "8.5")

        lines = distribu("price", "list", "--company", shop.slug).out.splitlines()

        assert any(line.split() == ["orders@acme.com", "W-1", "Widget", "8.50", "9.00", "EUR"] for line in lines)

    def test_an_empty_list_is_a_message(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("price", "list", "--company", shop.slug)

        assert (outcome.out, outcome.code) == ("", 0)
        assert outcome.err == "There are no price overrides. Catalogue prices apply to every customer.\n"


class TestRemove:
    def test_prints_the_removed_price(self, distribu: Command, shop: Tenant, price: Command, pair: Pair) -> None:
        price("set", "8.5")

        removed = price("remove", "--json").json

        assert (removed["customer"], removed["product"]) == ("orders@acme.com", "Widget")
        assert (removed["price"], removed["before"]) == (None, 8.5)
        assert listed(distribu, "price", shop.slug) == []
        entry = entries(distribu, shop.slug)[0]
        assert (entry["action"], entry["entityId"]) == ("price.removed", pair.customer_id)
        created_at = entry["metadata"].pop("createdAt")
        assert created_at < entry["createdAt"]
        assert entry["metadata"] == {"productId": pair.product_id, "before": "8.50", "after": None}

    def test_a_price_override_that_does_not_exist_is_not_found(self, price: Command, pair: Pair) -> None:
        outcome = price("remove")

        assert outcome.error == "Price not found."
        assert outcome.code == 1
