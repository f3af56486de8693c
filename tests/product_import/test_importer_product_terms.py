"""Price breaks and quantity rules in imports (contract, section 9.4)."""

import io
from decimal import Decimal
from typing import Any

import pytest

from app.db import Database
from app.product_import import importer
from app.product_import.product_csv import ProductCsv, RejectedFileError
from models import MAX_PRICE_BREAKS, PriceBreak, Product
from tests.product_import.conftest import counts, error, file_with, read, run, stored
from tests.product_import.test_change_events import current, published, run_during
from tests.support import factories
from tests.support.client import Contract
from tests.support.factories import Tenant

HEADER = "sku,name,price,priceBreaks,minOrderQuantity,orderMultiple,maxOrderQuantity"
BREAKS = (PriceBreak(10, Decimal("8.00")), PriceBreak(50, Decimal("7.50")))
RULES: dict[str, Any] = {"min_order_quantity": 24, "order_multiple": 12, "max_order_quantity": 240}
NAMES = {
    "min_order_quantity": "minOrderQuantity",
    "order_multiple": "orderMultiple",
    "max_order_quantity": "maxOrderQuantity",
}


def terms(product: Product) -> tuple[object, ...]:
    return product.price_breaks, product.min_order_quantity, product.order_multiple, product.max_order_quantity


def cell(count: int) -> str:
    return ";".join(f"{number + 2}=1" for number in range(count))


class TestCells:
    @pytest.mark.parametrize(
        ("text", "breaks"),
        [
            ("10=8.00;50=7.50", BREAKS),
            (" 10 = $8 ; 50=7.5 ", BREAKS),
            ("2=0", (PriceBreak(2, Decimal(0)),)),
            ("1000000=9999999999.99", (PriceBreak(1_000_000, Decimal("9999999999.99")),)),
            ("1,000=1,234.50", (PriceBreak(1000, Decimal("1234.50")),)),
        ],
    )
    def test_price_breaks(self, text: str, breaks: tuple[PriceBreak, ...]) -> None:
        rows, errors = read(file_with(priceBreaks=text))

        assert (rows[0]["price_breaks"], errors) == (breaks, [])

    def test_the_number_of_price_breaks_is_limited(self) -> None:
        (row,), errors = read(file_with(priceBreaks=cell(MAX_PRICE_BREAKS)))

        assert (len(row["price_breaks"] or ()), errors) == (MAX_PRICE_BREAKS, [])
        assert error(priceBreaks=cell(MAX_PRICE_BREAKS + 1)) == "must have at most 20 price breaks"

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("10:8.00", "must be quantities with their prices, like 10=8.00;50=7.50"),
            ("10=8.00;", "must be quantities with their prices, like 10=8.00;50=7.50"),
            ("1=8.00", "has the quantity '1', which must be at least 2"),
            ("1000001=8.00", "has the quantity '1000001', which must be at most 1000000"),
            ("2.5=8.00", "has the quantity '2.5', which must be a whole number"),
            ("=8.00", "has the quantity '', which must be a whole number"),
            ("2=-1", "has the price '-1', which must be at least 0"),
            ("2=8.0001", "has the price '8.0001', which must have at most two decimal places"),
            ("2=", "has the price '', which must be a number like 12.50"),
            ("10=8;10=7", "must be in ascending order of minQuantity: 10 comes after 10"),
            ("10=8;20=7;15=6", "must be in ascending order of minQuantity: 15 comes after 20"),
        ],
    )
    def test_other_texts_are_rejected(self, text: str, rule: str) -> None:
        assert error(priceBreaks=text) == rule

    def test_they_show_the_decimal_mark_of_the_file(self) -> None:
        (row,), errors = read('sku;name;price;priceBreaks\nW-1;Widget;1.234;"10=1.200,50"\n')

        assert (row["price"], row["price_breaks"], errors) == (Decimal(1234), (PriceBreak(10, Decimal("1200.50")),), [])

    @pytest.mark.parametrize("column", NAMES.values())
    @pytest.mark.parametrize(
        ("text", "rule"),
        [("0", "must be at least 1"), ("1000001", "must be at most 1000000"), ("1.5", "must be a whole number")],
    )
    def test_quantity_rules_have_limits(self, column: str, text: str, rule: str) -> None:
        assert error(**{column: text}) == rule
        for valid in ("1", "1000000"):
            assert read(file_with(**{column: valid}))[1] == []


class TestImport:
    def test_creates_and_updates(self, fresh_database: Database, shop: Tenant, contract: Contract) -> None:
        first = run(fresh_database, shop, f"{HEADER}\nW-1,One,9,10=8;50=7.5,24,12,240\nW-2,Two,9,,,,\n")
        created = current(fresh_database, shop, "W-1")
        second = run(fresh_database, shop, f"{HEADER}\nW-1,One,9,,12,,\nW-2,Two,9,2=8.05,,6,\n")
        third = run(fresh_database, shop, f"{HEADER}\nW-1,One,9,,12,,\nW-2,Two,9,2=8.05,,6,\n")

        assert [counts(result) for result in (first, second, third)] == [(2, 0, 0), (0, 2, 0), (0, 0, 2)]
        assert terms(stored(fresh_database, shop, "W-1")) == (BREAKS, 12, 12, 240)
        assert terms(stored(fresh_database, shop, "W-2")) == ((PriceBreak(2, Decimal("8.05")),), None, 6, None)
        found = published(fresh_database, shop, contract)
        events = {(event["data"]["sku"], event["sequence"]): event for event in found}
        assert events["W-1", 1]["data"] == created
        assert events["W-2", 1]["data"]["priceBreaks"] == []
        assert events["W-1", 2]["data"]["changed"] == ["minOrderQuantity"]
        assert events["W-2", 2]["data"]["changed"] == ["priceBreaks", "orderMultiple"]
        assert events["W-2", 2]["data"]["priceBreaks"] == [{"minQuantity": 2, "price": 8.05}]

    def test_an_empty_cell_clears_if_requested(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", price_breaks=BREAKS, **RULES)

        run(fresh_database, shop, f"{HEADER}\nW-1,One,9,,,,\n")
        assert terms(stored(fresh_database, shop, "W-1")) == (BREAKS, 24, 12, 240)
        run(fresh_database, shop, f"{HEADER}\nW-1,One,9,,,,\n", clear_empty=True)
        assert terms(stored(fresh_database, shop, "W-1")) == ((), None, None, None)

    def test_rules_that_contradict_each_other_reject_the_file(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-3", **RULES)
        content = f"{HEADER}\nW-1,One,9,,12,12,12\nW-2,Two,9,,25,12,24\nW-3,Three,9,,,7,\n"

        for act in (importer.run, importer.preview):
            options: dict[str, Any] = {"on_change": lambda _: None} if act is importer.preview else {}
            with pytest.raises(RejectedFileError) as caught:
                act(
                    factories.transactions(fresh_database, shop.company_id),
                    ProductCsv(io.BytesIO(content.encode())),
                    **options,
                )
            assert [(found.line, found.error) for found in caught.value.errors] == [
                (3, "minOrderQuantity (25) must be at most maxOrderQuantity (24)"),
                (3, "minOrderQuantity (25) must be a multiple of orderMultiple (12)"),
                (4, "minOrderQuantity (24) must be a multiple of orderMultiple (7)"),
                (4, "maxOrderQuantity (240) must be a multiple of orderMultiple (7)"),
            ]
        assert stored(fresh_database, shop, "W-3").name != "Three"

    def test_a_product_that_has_changed_meanwhile_is_compared_again(
        self, fresh_database: Database, shop: Tenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Rules that contradict those of the change are left out, and everything else is imported."""
        ids = [factories.product(fresh_database, shop.company_id, sku=sku) for sku in ("W-1", "W-2")]

        def act() -> None:
            with fresh_database.transaction(write=True) as session:
                for product in session.query(Product).filter(Product.id.in_(ids)):
                    product.max_order_quantity = 30
                    product.stock += 1

        run_during(fresh_database, shop, f"{HEADER}\nW-1,One,9,10=8;50=7.5,,15,\nW-2,Two,9,10=8;50=7.5,36,12,\n", act)

        products = [stored(fresh_database, shop, sku) for sku in ("W-1", "W-2")]
        assert [(product.name, *terms(product)) for product in products] == [
            ("One", BREAKS, None, 15, 30),
            ("Two", BREAKS, None, None, 30),
        ]
        contradiction = "minOrderQuantity (36) must be at most maxOrderQuantity (30)"
        message = "the quantity rules of the product W-2 were not imported, because they have changed since"
        assert caplog.messages == [f"{message}: {contradiction}"]
