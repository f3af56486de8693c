"""`distribu product set` and `product delete`."""

from typing import Any

import pytest

from app.db import Database
from models import Event
from tests.cli.conftest import Command, entries, listed
from tests.support import factories
from tests.support.factories import Tenant

FIELDS = {
    "--name": " Flour ",
    "--price": "8.50",
    "--stock": "7",
    "--external-id": "ERP-1",
    "--barcode": "96385074",
    "--description": "Strong",
    "--category": "Baking",
    "--unit": "sack",
    "--low-stock-threshold": "3",
    "--image-url": "https://images.example/flour.jpg",
    "--price-breaks": "10=8; 50=7.55",
    "--min-order-quantity": "5",
    "--order-multiple": "5",
    "--max-order-quantity": "500",
}


def run(distribu: Command, shop: Tenant, command: str, *options: str) -> Any:
    return distribu("product", command, *options, "--company", shop.slug)


class TestSet:
    def test_creates_a_product_with_every_member(self, distribu: Command, shop: Tenant) -> None:
        options = [word for option in FIELDS.items() for word in option]

        made = run(distribu, shop, "set", "--sku", "A", *options, "--inactive", "--json").json

        assert [made] == listed(distribu, "product", shop.slug)
        assert {name: value for name, value in made.items() if name not in {"id", "createdAt", "updatedAt"}} == {
            "name": "Flour",
            "sku": "A",
            "externalId": "ERP-1",
            "barcode": "96385074",
            "description": "Strong",
            "category": "Baking",
            "unit": "sack",
            "price": 8.5,
            "priceBreaks": [{"minQuantity": 10, "price": 8.0}, {"minQuantity": 50, "price": 7.55}],
            "minOrderQuantity": 5,
            "orderMultiple": 5,
            "maxOrderQuantity": 500,
            "stock": 7,
            "lowStockThreshold": 3,
            "imageUrl": "https://images.example/flour.jpg",
            "isActive": False,
        }

    def test_changes_what_is_given_and_clears_with_an_empty_text(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        run(distribu, shop, "set", "--external-id", "1", "--name", "Flour", "--price", "1", "--category", "Baking")

        changed = run(distribu, shop, "set", "--external-id", "1", "--price", "2", "--category", "", "--json").json

        assert (changed["name"], changed["price"], changed["category"], changed["sku"]) == ("Flour", 2, None, None)
        same = run(distribu, shop, "set", "--external-id", "1", "--price", "2", "--json").json
        assert same == changed
        assert [entry["action"] for entry in entries(distribu, shop.slug)][:2] == ["product.updated", "product.created"]
        with fresh_database.transaction() as session:
            found = session.query(Event).filter(Event.entity_id == changed["id"]).order_by(Event.sequence).all()
        assert [event.type for event in found] == ["product.created", "product.updated"]

    def test_an_empty_text_clears_price_breaks_and_quantity_rules(self, distribu: Command, shop: Tenant) -> None:
        names = ("--price-breaks", "--min-order-quantity", "--order-multiple", "--max-order-quantity")
        full = [word for option in FIELDS.items() for word in option]
        shown = run(distribu, shop, "set", "--sku", "A", *full)

        cleared, same = (
            run(distribu, shop, "set", "--sku", "A", *(word for name in names for word in (name, "")), "--json").json
            for _ in range(2)
        )

        assert "10=8.00;50=7.55" in shown.out
        assert cleared["priceBreaks"] == []
        assert [cleared[name] for name in ("minOrderQuantity", "orderMultiple", "maxOrderQuantity")] == [None] * 3
        assert same == cleared

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--name", "x", "--price", "1"), "Give --sku or --external-id."),
            (("--sku", "A", "--barcode", "96385075"), "must end with the check digit 4: 96385074."),
            (("--sku", "A", "--barcode", "1"), "must have 8, 12, 13 or 14 digits."),
            (("--sku", "A", "--price", "-1"), "must be at least 0."),
            (("--sku", "A", "--unit", " "), "must not be empty."),
            (
                ("--sku", "A", "--image-url", "ftp://x"),
                "must be an http or https URL, with special characters percent-encoded.",
            ),
            (("--sku", "A", "--price-breaks", "10:8"), "must be quantities with their prices, like 10=8.00;50=7.50."),
            (
                ("--sku", "A", "--price-breaks", "10=8;10=7"),
                "must be in ascending order of minQuantity: 10 comes after 10.",
            ),
            (("--sku", "A", "--order-multiple", "0"), "must be at least 1."),
            (("--sku", "x" * 101), "must be at most 100 characters."),
            (("--sku", " "), "is required."),
        ],
    )
    def test_an_invalid_option_is_rejected(
        self, distribu: Command, shop: Tenant, options: tuple[str, ...], message: str
    ) -> None:
        outcome = run(distribu, shop, "set", *options)

        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.rstrip().endswith(message)

    def test_refusals_are_one_line(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        factories.product(fresh_database, shop.company_id, sku="A", external_id="1", stock=3)
        factories.product(fresh_database, shop.company_id, sku="B")

        def error(*options: str) -> str:
            outcome = run(distribu, shop, "set", *options)
            assert (outcome.code, outcome.out) == (1, "")
            return str(outcome.err)

        assert error("--sku", "C", "--price", "1") == "Error: name is required\n"
        assert error("--sku", "A", "--stock", "4") == "Error: stock is changed with inventory adjustments\n"
        taken = "Error: A product with this external ID already exists.\n"
        assert error("--sku", "B", "--external-id", "1") == taken


class TestDelete:
    @pytest.mark.parametrize("by", ["sku", "id"])
    def test_deletes_a_product(self, distribu: Command, shop: Tenant, fresh_database: Database, by: str) -> None:
        product_id = factories.product(fresh_database, shop.company_id, sku="A", name="Gone")

        deleted = run(distribu, shop, "delete", "A" if by == "sku" else product_id, "--json").json

        assert deleted == {"id": product_id, "sku": "A", "name": "Gone", "deleted": True}
        assert listed(distribu, "product", shop.slug) == []
        assert entries(distribu, shop.slug)[0]["action"] == "product.deleted"

    def test_a_product_in_use_and_an_unknown_one_stay(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        factories.product(fresh_database, shop.company_id, sku="A", name="Flour", stock=3)
        distribu("inventory", "adjust", "A", "--delta", "1", "--reason", "RECEIVED", "--company", shop.slug)

        outcome = run(distribu, shop, "delete", "A")

        assert outcome.code == 1
        assert outcome.err == "Error: Flour has stock movements. Set isActive to false instead.\n"
        assert run(distribu, shop, "delete", "B").err == "Error: Product not found.\n"
