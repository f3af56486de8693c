"""Exports of products: an import reads them back unchanged."""

import csv
import io
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import gtin
from app.context import now
from app.db import Database
from app.product_import import product_export
from app.product_import.product_csv import FIELDS
from app.product_import.product_export import ProductCount, ProductExport
from models import MAX_STOCK, PriceBreak, Product, new_id
from tests.product_import.conftest import counts, run, stored
from tests.support import factories
from tests.support.factories import Tenant

MAX = 9_007_199_254_740_991
PARTS = st.sampled_from(
    ["=", "+", "-", "@", "'", '"', ";", "|", ",", "\\", "\uff1d", "\u2028", "\ufeff", "sep=;", "1,5"]
)
LETTERS = st.characters(exclude_categories=["Cc", "Cs"])


def texts(longest: int, *more: str) -> st.SearchStrategy[str]:
    """Return texts as the API stores them: not empty, normalized and trimmed."""
    parts = st.lists(PARTS | LETTERS | st.sampled_from(["é", "e\u0301", *more]), min_size=1, max_size=12)
    trimmed = parts.map(lambda found: unicodedata.normalize("NFC", "".join(found)).strip())
    return trimmed.filter(lambda text: 0 < len(text) <= longest)


BARCODES = st.sampled_from([7, 11, 12, 13]).flatmap(
    lambda length: st.text("0123456789", min_size=length, max_size=length).map(
        lambda digits: digits + gtin.check_digit(digits)
    )
)
CENTS = st.decimals(0, Decimal("9999999999.99"), places=2)
BREAKS = st.dictionaries(st.integers(2, 1_000_000), CENTS, max_size=20).map(
    lambda prices: tuple(PriceBreak(quantity, prices[quantity]) for quantity in sorted(prices))
)
RULES = st.sampled_from([(None, None, None), (24, 12, 240), (1, 1, 1_000_000), (None, 7, None), (5, None, 5)])
PRODUCTS = st.fixed_dictionaries(
    {
        "sku": texts(100),
        "name": texts(200),
        "description": st.none() | texts(2000, "\n", "\r", "\r\n", "\t"),
        "category": st.none() | texts(100),
        "unit": texts(50),
        "price": CENTS,
        "price_breaks": BREAKS,
        "rules": RULES,
        "stock": st.integers(0, MAX_STOCK),
        "low_stock_threshold": st.integers(0, MAX),
        "is_active": st.booleans(),
        "external_id": st.none() | texts(255),
        "barcode": st.none() | BARCODES,
        "image_url": st.none() | texts(1000).map(lambda text: f"https://a/;=+{quote(text)}"),
    }
)


def exported(database: Database, shop: Tenant, **filters: Any) -> str:
    export = ProductExport(factories.transactions(database, shop.company_id), **filters)
    return "".join(text for _, text in export.chunks())


def skus(content: str) -> list[str]:
    return [row["sku"] for row in csv.DictReader(io.StringIO(content.removeprefix("\ufeff")))]


def state(database: Database, shop: Tenant) -> Mapping[str, object]:
    with database.transaction() as session:
        rows = session.query(Product).filter_by(company_id=shop.company_id)
        return {row.id: (row.updated_at, *(getattr(row, field) for field in FIELDS.values())) for row in rows}


class TestRoundTrip:
    @settings(max_examples=20, deadline=None)
    @given(
        st.lists(PRODUCTS, max_size=8, unique_by=(lambda row: row["sku"], lambda row: row["external_id"] or object()))
    )
    def test_an_import_of_an_export_changes_nothing(self, database: Database, rows: list[dict[str, Any]]) -> None:
        shop = factories.tenant(database)
        for row in rows:
            minimum, multiple, maximum = row.pop("rules")
            rules = {"min_order_quantity": minimum, "order_multiple": multiple, "max_order_quantity": maximum}
            factories.product(database, shop.company_id, **row, **rules)
        before = state(database, shop)

        content = exported(database, shop)
        results = [run(database, shop, content, clear_empty=clear_empty) for clear_empty in (False, True)]

        assert [counts(result) for result in results] == [(0, 0, len(rows))] * 2
        assert state(database, shop) == before

    def test_a_copy_in_another_company_is_the_same(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(
            fresh_database,
            shop.company_id,
            sku="=W-1",
            name='=HYPERLINK("https://a", "b")',
            description="'=1\r\n- a;=b",
            stock=MAX_STOCK - 1,
            external_id="@E",
            barcode="4006381333931",
            image_url="https://a/b",
            is_active=False,
            price_breaks=(PriceBreak(10, Decimal("8.05")), PriceBreak(50, Decimal("7.50"))),
            min_order_quantity=10,
            order_multiple=5,
            max_order_quantity=500,
        )
        other = factories.tenant(fresh_database)
        content = exported(fresh_database, shop).replace(str(MAX_STOCK - 1), "7")

        assert counts(run(fresh_database, other, content)) == (1, 0, 0)
        original, copy = (stored(fresh_database, tenant, "=W-1") for tenant in (shop, other))
        for field in FIELDS.values():
            assert getattr(copy, field) == (7 if field == "stock" else getattr(original, field))


class TestExport:
    def test_has_the_columns_of_an_import_and_one_format_of_numbers(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        factories.product(
            fresh_database,
            shop.company_id,
            sku="W-1",
            name='6" = 15 cm',
            category=None,
            price=Decimal(1234),
            price_breaks=(PriceBreak(10, Decimal(1230)), PriceBreak(50, Decimal("1199.90"))),
            order_multiple=5,
            stock=1000,
        )

        assert exported(fresh_database, shop) == (
            "\ufeff"
            '"sku","name","description","category","unit","price","stock","isActive",'
            '"externalId","barcode","lowStockThreshold","imageUrl","priceBreaks","minOrderQuantity","orderMultiple","maxOrderQuantity"\n'
            '"W-1","6"" = 15 cm","","","each",1234.00,1000,"true","","",5,"","10=1230.00;50=1199.90","",5,""\n'
        )

    def test_has_every_page(self, fresh_database: Database, shop: Tenant) -> None:
        count = 2 * product_export.PAGE + 1
        with fresh_database.transaction(write=True) as session:
            session.add_all(product(shop, f"S-{number:04}") for number in range(count))

        assert sorted(skus(exported(fresh_database, shop))) == [f"S-{number:04}" for number in range(count)]

    def test_products_without_a_sku_and_of_another_company_are_left_out(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        factories.product(fresh_database, factories.tenant(fresh_database).company_id)
        factories.product(fresh_database, shop.company_id, sku=None)
        factories.product(fresh_database, shop.company_id, sku="W-1")

        export = ProductExport(factories.transactions(fresh_database, shop.company_id))
        assert export.count() == ProductCount(exported=1, without_sku=1)
        assert skus(exported(fresh_database, shop)) == ["W-1"]

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"category": "Tools"}, ["W-1", "W-2"]),
            ({"active": True}, ["W-1", "W-3"]),
            ({"active": False}, ["W-2"]),
            ({"category": "Tools", "active": False}, ["W-2"]),
            ({"category": "tools"}, []),
        ],
    )
    def test_can_be_filtered(
        self, fresh_database: Database, shop: Tenant, filters: dict[str, Any], expected: list[str]
    ) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", category="Tools")
        factories.product(fresh_database, shop.company_id, sku="W-2", category="Tools", is_active=False)
        factories.product(fresh_database, shop.company_id, sku="W-3", category="Food")
        factories.product(fresh_database, shop.company_id, sku=None, category="Tools", is_active=False)

        assert skus(exported(fresh_database, shop, **filters)) == expected


def product(shop: Tenant, sku: str) -> Product:
    at = now()
    ids = {"id": new_id(at), "company_id": shop.company_id, "sku": sku}
    return Product(name=sku, price=Decimal(1), created_at=at, updated_at=at, **ids)
