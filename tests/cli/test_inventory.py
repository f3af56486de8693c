"""`distribu inventory`."""

import getpass
from typing import Any

import pytest

from app.db import Database
from app.schemas.inventory import INVENTORY_MOVEMENT
from app.services import movements
from models import Product
from tests.cli.conftest import Command, Outcome, dump, entries
from tests.support import factories
from tests.support.factories import Tenant

Inventory = Command


@pytest.fixture
def product_id(fresh_database: Database, shop: Tenant) -> str:
    """Return a product of the shop."""
    return factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", stock=10, low_stock_threshold=3)


@pytest.fixture
def inventory(distribu: Command, shop: Tenant, product_id: str) -> Inventory:
    """Return a function that runs a command for the shop, which has the product W-1."""

    def run(verb: str, *arguments: str) -> Outcome:
        return distribu("inventory", verb, *arguments, "--company", shop.slug)

    assert product_id
    return run


def stock(database: Database, product_id: str) -> int:
    with database.transaction() as session:
        return session.get_one(Product, product_id).stock


def shown(database: Database, company_id: str, **filters: Any) -> list[dict[str, Any]]:
    """Return the movements of a company as the API shows them."""
    with database.transaction() as session:
        page = movements.page(factories.context(session, company_id), **filters)
    return [INVENTORY_MOVEMENT.render(row) for row in page.rows]


class TestAdjust:
    def test_prints_the_movement_like_the_api(
        self, inventory: Inventory, fresh_database: Database, shop: Tenant, product_id: str
    ) -> None:
        details = ("--reference", " DN-1 ", "--note", "Dock B.", "--expected-stock", "10")
        movement = inventory("adjust", "W-1", "--delta", "-3", "--reason", "DAMAGED", *details, "--json").json

        assert movement == shown(fresh_database, shop.company_id)[0]
        assert (movement["delta"], movement["stockAfter"], movement["reference"], movement["note"]) == (
            *(-3, 7),
            *("DN-1", "Dock B."),
        )
        assert (movement["actorType"], movement["actorId"]) == ("USER", getpass.getuser())
        assert stock(fresh_database, product_id) == 7

    def test_prints_a_table(self, inventory: Inventory) -> None:
        outcome = inventory("adjust", "W-1", "--delta", "5", "--reason", "RECEIVED")

        words = outcome.out.split()
        assert outcome.code == 0
        assert [word for word in ("W-1", "Widget", "5", "10", "15", "RECEIVED") if word not in words] == []
        assert outcome.err == ""

    def test_says_that_the_stock_is_low(self, inventory: Inventory) -> None:
        assert inventory("adjust", "W-1", "--delta", "-6", "--reason", "LOST").err == ""
        assert (
            inventory("adjust", "W-1", "--delta", "-1", "--reason", "LOST").err
            == "The stock is low: its threshold is 3.\n"
        )

    def test_is_audited(self, inventory: Inventory, distribu: Command, shop: Tenant, product_id: str) -> None:
        inventory("adjust", product_id, "--delta", "1", "--reason", "OTHER")

        entry = entries(distribu, shop.slug)[0]
        assert (entry["action"], entry["actorId"], entry["entityId"]) == (
            "inventory.adjusted",
            getpass.getuser(),
            product_id,
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--delta", "0", "--reason", "OTHER"), "Use 'distribu inventory count' to record a count."),
            (("--delta", "1000001", "--reason", "OTHER"), "1000001 is not between -1000000 and 1000000."),
            (("--delta", "x", "--reason", "OTHER"), "'x' is not a whole number."),
            (("--delta", "1", "--reason", "SALE"), "'SALE' is not one of 'RECEIVED', 'RETURNED'"),
            (("--delta", "1", "--reason", "DAMAGED"), "delta must be negative for the reason DAMAGED"),
            (("--delta", "-1", "--reason", "RECEIVED"), "delta must be positive for the reason RECEIVED"),
            (("--delta", "-11", "--reason", "LOST"), "Not enough stock for Widget. Only 10 available."),
            (("--delta", "1"), "Missing option '--reason'"),
            (("--reason", "OTHER"), "Missing option '--delta'"),
            (
                ("--delta", "1", "--reason", "OTHER", "--expected-stock", "9"),
                "Stock has changed. Expected 9, found 10. If the change is still right, use --expected-stock 10.",
            ),
            (("--delta", "1", "--reason", "OTHER", "--reference", "x" * 256), "must be at most 255 characters."),
            (("--delta", "1", "--reason", "OTHER", "--note", "x" * 501), "must be at most 500 characters."),
        ],
    )
    def test_a_refused_adjustment_changes_nothing(
        self, inventory: Inventory, fresh_database: Database, options: tuple[str, ...], message: str
    ) -> None:
        before = dump(fresh_database)

        assert message in inventory("adjust", "W-1", *options).error
        assert dump(fresh_database) == before

    def test_an_unknown_product_is_named(self, inventory: Inventory) -> None:
        assert inventory("adjust", "W-2", "--delta", "1", "--reason", "OTHER").error == "Product not found."


class TestCount:
    def test_sets_the_stock(self, inventory: Inventory, fresh_database: Database, product_id: str) -> None:
        movement = inventory("count", "W-1", "4", "--reference", "Stocktake 7", "--json").json
        correction = inventory("count", "W-1", "6", "--reason", "CORRECTION", "--json").json

        assert (movement["delta"], movement["reason"], movement["reference"]) == (-6, "COUNT", "Stocktake 7")
        assert (correction["delta"], correction["reason"]) == (2, "CORRECTION")
        assert stock(fresh_database, product_id) == 6

    def test_a_count_that_agrees_is_recorded(
        self, inventory: Inventory, fresh_database: Database, shop: Tenant
    ) -> None:
        outcome = inventory("count", "W-1", "10")

        assert outcome.code == 0
        assert outcome.err == "The count agrees with the stock. It was recorded, and the stock did not change.\n"
        assert shown(fresh_database, shop.company_id)[0]["delta"] == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("-1",), "No such option '-1'."),
            (("1000000000001",), "1000000000001 is not between 0 and 1000000000000."),
            (("5", "--reason", "LOST"), "'LOST' is not one of 'COUNT', 'CORRECTION'"),
            (("5", "--expected-stock", "9"), "Stock has changed. Expected 9, found 10."),
        ],
    )
    def test_a_refused_count_changes_nothing(
        self, inventory: Inventory, fresh_database: Database, arguments: tuple[str, ...], message: str
    ) -> None:
        before = dump(fresh_database)

        assert message in inventory("count", "W-1", *arguments).error
        assert dump(fresh_database) == before


class TestMovements:
    def test_json_equals_that_of_the_api(self, inventory: Inventory, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id)
        inventory("count", "W-1", "7")

        assert inventory("movements", "--json").json == shown(fresh_database, shop.company_id)

    def test_filters_movements(
        self, inventory: Inventory, fresh_database: Database, shop: Tenant, product_id: str
    ) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-2")
        inventory("count", "W-1", "7", "--reference", "A")
        inventory("adjust", "W-2", "--delta", "1", "--reason", "OTHER", "--reference", "B")

        def found(*options: str) -> list[tuple[str, str | None]]:
            rows = inventory("movements", *options, "--json").json
            return sorted((row["reason"], row["reference"]) for row in rows)

        assert found("W-1") == found(product_id) == [("COUNT", "A"), ("OPENING", None)]
        assert found("--reference", "B") == [("OTHER", "B")]
        assert found("--reason", "COUNT") == [("COUNT", "A")]
        assert found("--until", "2026-01-01") == []
        assert found("--order", "unknown") == []
        assert len(found("--since", "2026-01-01")) == 4

    def test_prints_a_table_with_skus(self, inventory: Inventory) -> None:
        inventory("count", "W-1", "7", "--note", "Shelf 3")

        outcome = inventory("movements", "--limit", "1")

        assert [word for word in ("W-1", "-3", "7", "COUNT") if word not in outcome.out.split()] == []
        assert "There are more than 1. Use --limit 0 to list all." in outcome.err

    def test_says_that_there_are_none(self, inventory: Inventory) -> None:
        outcome = inventory("movements", "--reason", "STOLEN")

        assert (outcome.code, outcome.out, outcome.err) == (0, "", "No movements found.\n")
