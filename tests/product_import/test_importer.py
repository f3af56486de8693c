"""Imports of products: what is written, and with how many statements."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.product_import import importer
from app.product_import.comparison import ProductChange
from app.product_import.importer import ImportResult
from app.product_import.product_csv import ProductCsv, RejectedFileError
from models import MAX_STOCK, Event, Product, new_id, searchable
from models.base import MILLISECOND
from tests.product_import.conftest import audited, count_rows, counts, indexed, moved, movements, run, stored
from tests.support import factories, waiting
from tests.support.factories import Tenant

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class TestRun:
    def test_a_new_product_has_the_defaults(self, fresh_database: Database, shop: Tenant) -> None:
        result = run(fresh_database, shop, "sku,name,price\nW-1,Widget,8.5\n")

        product = stored(fresh_database, shop, "W-1")
        assert counts(result) == (1, 0, 0)
        assert (product.unit, product.stock, product.is_active) == ("each", 0, True)
        assert (product.low_stock_threshold, product.price) == (5, Decimal("8.50"))
        assert product.created_at == product.updated_at
        assert product.search_text == searchable("Widget", "W-1")

    def test_a_missing_column_leaves_the_field_as_it_is(self, fresh_database: Database, shop: Tenant) -> None:
        kept: dict[str, Any] = {"description": "Blue", "category": "Hardware", "unit": "box", "stock": 7}
        factories.product(fresh_database, shop.company_id, sku="W-1", is_active=False, created_at=LONG_AGO, **kept)

        result = run(fresh_database, shop, "sku,name,price\nW-1,Renamed,9\n")

        product = stored(fresh_database, shop, "W-1")
        assert counts(result) == (0, 1, 0)
        assert (product.name, product.price, product.is_active) == ("Renamed", Decimal("9.00"), False)
        assert {name: getattr(product, name) for name in kept} == kept
        assert product.search_text == searchable("Renamed", "W-1", "Hardware")
        assert product.created_at == LONG_AGO < product.updated_at

    def test_an_empty_cell_leaves_the_field_as_it_is(self, fresh_database: Database, shop: Tenant) -> None:
        kept: dict[str, Any] = {"description": "Blue", "category": "Hardware", "unit": "box", "stock": 77}
        factories.product(fresh_database, shop.company_id, sku="W-1", is_active=False, **kept)

        run(fresh_database, shop, "sku,name,price,description,category,unit,stock,isActive\nW-1,Widget,9,,,, ,\n")

        product = stored(fresh_database, shop, "W-1")
        assert {name: getattr(product, name) for name in kept} == kept
        assert (product.name, product.is_active) == ("Widget", False)
        assert product.search_text == searchable("Widget", "W-1", "Hardware")

    def test_rows_may_have_different_empty_cells(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", category="Hardware", stock=77)
        factories.product(fresh_database, shop.company_id, sku="W-2", category="Hardware", stock=77)

        run(fresh_database, shop, "sku,name,price,category,stock\nW-1,Widget,9,,5\nW-2,Widget,9,Tools,\nW-3,New,1,,\n")

        changed = [stored(fresh_database, shop, sku) for sku in ("W-1", "W-2", "W-3")]
        assert [(product.category, product.stock) for product in changed] == [("Hardware", 5), ("Tools", 77), (None, 0)]

    def test_an_empty_cell_clears_the_field_on_request(self, fresh_database: Database, shop: Tenant) -> None:
        old: dict[str, Any] = {"description": "Blue", "category": "Hardware", "unit": "box", "stock": 77}
        factories.product(fresh_database, shop.company_id, sku="W-1", is_active=False, **old)

        content = "sku,name,price,category,unit,stock,isActive\nW-1,Widget,9,,,,\n"
        run(fresh_database, shop, content, clear_empty=True)

        product = stored(fresh_database, shop, "W-1")
        assert (product.category, product.unit, product.stock, product.is_active) == (None, "each", 0, True)
        assert product.description == "Blue"  # it has no column
        assert product.search_text == searchable("Widget", "W-1")

    def test_a_row_that_changes_nothing_is_not_written(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(
            fresh_database, shop.company_id, sku="W-1", name="Widget", price=Decimal("8.50"), created_at=LONG_AGO
        )

        result = run(fresh_database, shop, "sku,name,price\nW-1, Widget ,8.5\n")

        assert counts(result) == (0, 0, 1)
        assert stored(fresh_database, shop, "W-1").updated_at == LONG_AGO

    def test_products_of_another_company_are_not_changed(self, fresh_database: Database, shop: Tenant) -> None:
        other = factories.tenant(fresh_database)
        factories.product(fresh_database, other.company_id, sku="W-1", name="Theirs")

        result = run(fresh_database, shop, "sku,name,price\nW-1,Ours,1\n")

        assert counts(result) == (1, 0, 0)
        assert stored(fresh_database, other, "W-1").name == "Theirs"

    def test_rows_with_errors_reject_the_whole_file(self, fresh_database: Database, shop: Tenant) -> None:
        rows = "".join(f"S-{number},Item,1\n" for number in range(600))

        with pytest.raises(RejectedFileError) as caught:
            run(fresh_database, shop, f"sku,name,price\n{rows}S-x,Item,x\nS-y,Item,y\n")

        assert [error.line for error in caught.value.errors] == [602, 603]
        with fresh_database.transaction() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(Product)) == 0

    def test_the_number_of_statements_does_not_grow_with_the_rows_of_a_batch(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        def statements(count: int, price: int) -> int:
            written: list[str] = []

            def note(*arguments: Any) -> None:
                written.append(arguments[2])

            sa.event.listen(sa.Engine, "before_cursor_execute", note)
            try:
                rows = "".join(f"S-{number},Item,{price}\n" for number in range(count))
                run(fresh_database, shop, "sku,name,price\n" + rows)
            finally:
                sa.event.remove(sa.Engine, "before_cursor_execute", note)
            return sum(not statement.startswith(("BEGIN", "PRAGMA", "SELECT CAST")) for statement in written)

        statements(1, 1)  # some are executed once only
        assert statements(4, 2) == statements(400, 3)


class TestAudit:
    def test_each_changed_product_has_an_entry_with_before_and_after(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        known = factories.product(fresh_database, shop.company_id, sku="W-1", name="Old", category="Tools", stock=3)
        factories.product(fresh_database, shop.company_id, sku="W-2", name="Same", price=Decimal(9))

        run(fresh_database, shop, "sku,name,price,stock\nW-1,New,8.50,5\nW-2,Same,9,\nW-3,Made,1.25,2\n")

        made = stored(fresh_database, shop, "W-3")
        values: dict[str, Any] = {"sku": "W-3", "name": "Made", "description": None, "category": None}
        values |= {"unit": "each", "price": 1.25, "stock": 2, "isActive": True}
        values |= {"externalId": None, "barcode": None, "lowStockThreshold": 5, "imageUrl": None}
        values |= {"priceBreaks": [], "minOrderQuantity": None, "orderMultiple": None, "maxOrderQuantity": None}
        assert audited(fresh_database, shop) == [
            ("product.created", "product", made.id, {"after": values}),
            ("product.imported", "company", shop.company_id, {"created": 1, "updated": 1, "unchanged": 1}),
            (
                "product.updated",
                "product",
                known,
                {"before": {"name": "Old", "stock": 3}, "after": {"name": "New", "stock": 5}},
            ),
        ]

    def test_details_that_are_too_long_are_left_out(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", description="ä" * 2000)

        run(fresh_database, shop, f"sku,name,price,description\nW-1,New,8.50,{'ö' * 2000}\n")

        assert ("product.updated", {}) in [(entry[0], entry[3]) for entry in audited(fresh_database, shop)]


class TestLedger:
    def test_a_new_product_has_an_opening_row(self, fresh_database: Database, shop: Tenant) -> None:
        run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,3\nW-2,Gadget,1,\n")

        for sku, stock in (("W-1", 3), ("W-2", 0)):
            product = stored(fresh_database, shop, sku)
            (opening,) = movements(fresh_database, shop, product.id)
            assert (opening.reason, opening.delta, opening.stock_after) == ("OPENING", stock, stock)
            assert (opening.actor_type, opening.actor_id, opening.request_id) == ("USER", "tester", "test")
            assert opening.created_at == product.created_at

    def test_a_changed_stock_is_a_movement(self, fresh_database: Database, shop: Tenant) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", stock=5)

        for stock in (8, 0):
            run(fresh_database, shop, f"sku,name,price,stock\nW-1,Widget,8.50,{stock}\n")

        assert moved(fresh_database, shop, product) == [("OPENING", 5), ("IMPORT", 3), ("IMPORT", -8)]
        movement = movements(fresh_database, shop, product)[-1]
        assert (movement.actor_type, movement.actor_id, movement.request_id) == ("USER", "tester", "test")
        assert (movement.reference, movement.note, movement.order_id) == (None, None, None)
        assert movement.created_at == stored(fresh_database, shop, "W-1").updated_at

    def test_a_stock_that_stays_is_no_movement(self, fresh_database: Database, shop: Tenant) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", stock=5)

        run(fresh_database, shop, "sku,name,price,stock\nW-1,Renamed,8.50,5\n")

        assert moved(fresh_database, shop, product) == [("OPENING", 5)]


class TestAdditionalColumns:
    CONTENT = (
        "sku,name,price,External ID,barcode,low stock threshold,imageUrl\n"
        "W-1,Widget,8.50,E-1,4006381333931,12,https://example.com/w.jpg\n"
    )

    def test_are_created_and_updated(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget")

        results = [
            run(fresh_database, shop, self.CONTENT),
            run(fresh_database, shop, self.CONTENT),
            run(fresh_database, shop, self.CONTENT.replace("W-1", "W-2").replace("E-1", "E-2")),
        ]

        assert [counts(result) for result in results] == [(0, 1, 0), (0, 0, 1), (1, 0, 0)]
        for sku, external_id in (("W-1", "E-1"), ("W-2", "E-2")):
            product = stored(fresh_database, shop, sku)
            assert (product.external_id, product.barcode) == (external_id, "4006381333931")
            assert (product.low_stock_threshold, product.image_url) == (12, "https://example.com/w.jpg")

    def test_empty_cells_leave_or_clear_them(self, fresh_database: Database, shop: Tenant) -> None:
        run(fresh_database, shop, self.CONTENT)
        empty = "sku,name,price,externalId,barcode,lowStockThreshold,imageUrl\nW-1,Widget,8.50,,,,\n"

        assert counts(run(fresh_database, shop, empty)) == (0, 0, 1)
        assert counts(run(fresh_database, shop, empty, clear_empty=True)) == (0, 1, 0)
        product = stored(fresh_database, shop, "W-1")
        assert (product.external_id, product.barcode, product.image_url) == (None, None, None)
        assert product.low_stock_threshold == 5

    def test_a_new_threshold_decides_whether_stock_falls_to_it(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", stock=30)

        run(fresh_database, shop, "sku,name,price,stock,lowStockThreshold\nW-1,Widget,8.50,20,20\n")

        with fresh_database.transaction() as session:
            types = session.scalars(sa.select(Event.type).order_by(Event.sequence)).all()
        assert types == ["product.updated", "product.low_stock"]

    def test_a_taken_external_id_is_an_error_of_its_line(self, fresh_database: Database, shop: Tenant) -> None:
        other = factories.tenant(fresh_database)
        factories.product(fresh_database, other.company_id, external_id="E-3")
        factories.product(fresh_database, shop.company_id, sku="W-1", external_id="E-1")
        unnamed = factories.product(fresh_database, shop.company_id, sku=None, external_id="E-2")
        rows = "".join(f"S-{number},Item,1,\n" for number in range(600))
        content = f"sku,name,price,externalId\nW-1,Own,1,\nA,New,1,E-1\n{rows}B,New,1,E-2\nC,New,1,E-3\n"

        for act in (run, preview):
            with pytest.raises(RejectedFileError) as caught:
                act(fresh_database, shop, content)
            assert [(error.line, error.error) for error in caught.value.errors] == [
                (3, "externalId 'E-1' already belongs to the product with the sku 'W-1'"),
                (604, f"externalId 'E-2' already belongs to the product with the id '{unnamed}'"),
            ]
        assert factories.count(fresh_database, Product, shop.company_id) == 2
        assert count_rows(fresh_database) == 0
        assert indexed(fresh_database).keys() == {"W-1", None, stored_sku(fresh_database, other)}

    def test_errors_of_cells_hide_no_other_error(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", external_id="E-1", max_order_quantity=5)
        content = "sku,name,price,externalId,minOrderQuantity\nA,New,1,E-1,\nB,New,free,E-2,\nW-1,Own,1,,6\n,,1,,\n"

        changes = list[ProductChange]()
        for act in (run, partial(preview, on_change=changes.append)):
            with pytest.raises(RejectedFileError) as caught:
                act(fresh_database, shop, content)
            assert [(error.line, error.error) for error in caught.value.errors] == [
                (2, "externalId 'E-1' already belongs to the product with the sku 'W-1'"),
                (3, "price 'free' must be a number like 12.50"),
                (4, "minOrderQuantity (6) must be at most maxOrderQuantity (5)"),
                (5, "sku is required"),
                (5, "name is required"),
            ]
        assert changes == []
        assert count_rows(fresh_database) == 0

    def test_a_stock_has_a_maximum(self, fresh_database: Database, shop: Tenant) -> None:
        more = MAX_STOCK + 1
        factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget")

        assert counts(run(fresh_database, shop, f"sku,name,price,stock\nW-1,Widget,8.50,{MAX_STOCK}\n")) == (0, 1, 0)
        with pytest.raises(RejectedFileError) as caught:
            run(fresh_database, shop, f"sku,name,price,stock\nW-1,Widget,8.50,{more}\nW-2,New,1,{more}\n")
        message = f"stock '{more}' must be at most {MAX_STOCK}"
        assert [(error.line, error.error) for error in caught.value.errors] == [(2, message), (3, message)]


class TestConcurrentChanges:
    """What happens between the comparison of a product and its update."""

    def run(self, database: Database, shop: Tenant, content: str, act: Callable[[], None]) -> ImportResult:
        product_csv = ProductCsv(io.BytesIO(content.encode()))
        transactions = factories.transactions(database, shop.company_id)
        return importer.run(transactions, product_csv, on_progress=lambda *_: act())

    def set(self, database: Database, product_id: str, **values: Any) -> None:
        with database.transaction(write=True) as session:
            session.execute(sa.update(Product).where(Product.id == product_id).values(updated_at=now(), **values))

    def delete(self, database: Database, product_id: str) -> None:
        with database.transaction(write=True) as session:
            session.execute(sa.delete(Product).where(Product.id == product_id))

    def test_a_stock_replaces_what_an_order_has_left(self, fresh_database: Database, shop: Tenant) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", stock=10)

        def order() -> None:
            self.set(fresh_database, product, stock=7)

        result = self.run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,20\n", order)

        assert counts(result) == (0, 1, 0)
        assert stored(fresh_database, shop, "W-1").stock == 20
        assert ("product.updated", "product", product, {"before": {"stock": 7}, "after": {"stock": 20}}) in audited(
            fresh_database, shop
        )

    def test_fields_that_the_file_does_not_give_keep_concurrent_changes(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", name="Old", stock=10, category="Old")

        def change() -> None:
            self.set(fresh_database, product, stock=7, category="New")

        self.run(fresh_database, shop, "sku,name,price\nW-1,Widget,8.50\n", change)

        after = stored(fresh_database, shop, "W-1")
        assert (after.name, after.stock, after.category) == ("Widget", 7, "New")
        assert after.search_text == searchable("Widget", "W-1", "New")

    def test_a_product_that_has_become_equal_to_its_row_is_not_written(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        product = factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", stock=10)

        def order() -> None:
            self.set(fresh_database, product, stock=7)

        result = self.run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,7\n", order)

        assert counts(result) == (0, 0, 1)
        assert audited(fresh_database, shop) == []

    def test_a_product_that_was_created_meanwhile_is_updated(self, fresh_database: Database, shop: Tenant) -> None:
        def create() -> None:
            factories.product(fresh_database, shop.company_id, sku="W-2", name="Theirs", stock=4, category=None)

        content = "sku,name,price,stock\nW-1,Widget,8.50,1\nW-2,Gadget,1,\n"
        result = self.run(fresh_database, shop, content, create)

        assert counts(result) == (1, 1, 0)
        assert (stored(fresh_database, shop, "W-2").name, stored(fresh_database, shop, "W-2").stock) == ("Gadget", 4)
        assert indexed(fresh_database) == dict.fromkeys(("W-1", "W-2"), 1)

    def test_a_product_that_was_deleted_meanwhile_is_created(self, fresh_database: Database, shop: Tenant) -> None:
        deleted = factories.product(fresh_database, shop.company_id, sku="W-1", stock=10, category="Tools")
        kept = factories.product(fresh_database, shop.company_id, sku="W-2", stock=10)

        result = self.run(
            fresh_database,
            shop,
            "sku,name,price,stock\nW-1,Widget,8.50,4\nW-2,Gadget,1,9\n",
            lambda: self.delete(fresh_database, deleted),
        )

        created = stored(fresh_database, shop, "W-1")
        assert counts(result) == (1, 1, 0)
        assert (created.name, created.stock, created.category) == ("Widget", 4, None)
        assert created.id != deleted
        assert moved(fresh_database, shop, deleted) == [("OPENING", 10)]
        assert moved(fresh_database, shop, created.id) == [("OPENING", 4)]
        assert moved(fresh_database, shop, kept) == [("OPENING", 10), ("IMPORT", -1)]
        assert {entry[2] for entry in audited(fresh_database, shop)} == {created.id, kept, shop.company_id}
        assert indexed(fresh_database) == dict.fromkeys(("W-1", "W-2"), 1)

    def test_a_product_that_was_deleted_and_created_again_meanwhile_is_updated(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        deleted = factories.product(fresh_database, shop.company_id, sku="W-1", stock=10)

        def replace() -> None:
            self.delete(fresh_database, deleted)
            factories.product(fresh_database, shop.company_id, sku="W-1", stock=1, category="Theirs")

        result = self.run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,8.50,4\n", replace)

        product = stored(fresh_database, shop, "W-1")
        assert counts(result) == (0, 1, 0)
        assert (product.name, product.category) == ("Widget", "Theirs")
        assert moved(fresh_database, shop, product.id) == [("OPENING", 1), ("IMPORT", 3)]
        assert {entry[2] for entry in audited(fresh_database, shop)} == {product.id, shop.company_id}

    def test_products_are_matched_by_the_sku_that_they_have_when_a_row_is_applied(
        self, fresh_database: Database, shop: Tenant
    ) -> None:
        """W-1 gets the sku of a new row, and its own row creates a product."""
        product = factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", stock=10)

        result = self.run(
            fresh_database,
            shop,
            "sku,name,price,stock\nW-1,One,1,4\nW-2,Two,2,9\n",
            lambda: self.set(fresh_database, product, sku="W-2"),
        )

        assert counts(result) == (1, 1, 0)
        assert (stored(fresh_database, shop, "W-2").id, stored(fresh_database, shop, "W-2").name) == (product, "Two")
        assert stored(fresh_database, shop, "W-1").name == "One"
        assert moved(fresh_database, shop, product) == [("OPENING", 10), ("IMPORT", -1)]
        assert moved(fresh_database, shop, stored(fresh_database, shop, "W-1").id) == [("OPENING", 4)]
        assert indexed(fresh_database) == dict.fromkeys(("W-1", "W-2"), 1)

    def test_two_products_that_exchanged_their_skus_meanwhile(self, fresh_database: Database, shop: Tenant) -> None:
        first = factories.product(fresh_database, shop.company_id, sku="W-1", stock=1)
        second = factories.product(fresh_database, shop.company_id, sku="W-2", stock=2)

        def exchange() -> None:
            for product, sku in ((first, "W-3"), (second, "W-1"), (first, "W-2")):
                self.set(fresh_database, product, sku=sku)

        result = self.run(fresh_database, shop, "sku,name,price,stock\nW-1,One,1,10\nW-2,Two,2,20\n", exchange)

        assert counts(result) == (0, 2, 0)
        products = [stored(fresh_database, shop, sku) for sku in ("W-1", "W-2")]
        assert [(row.id, row.name, row.stock) for row in products] == [(second, "One", 10), (first, "Two", 20)]
        assert moved(fresh_database, shop, first) == [("OPENING", 1), ("IMPORT", 19)]
        assert moved(fresh_database, shop, second) == [("OPENING", 2), ("IMPORT", 8)]

    def test_an_external_id_that_was_taken_meanwhile_is_not_imported(
        self, fresh_database: Database, shop: Tenant, caplog: pytest.LogCaptureFixture
    ) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", external_id="E-0", stock=3)

        def take() -> None:
            for number in (1, 2):
                factories.product(fresh_database, shop.company_id, sku=f"T-{number}", external_id=f"E-{number}")

        content = "sku,name,price,externalId\nW-1,One,1,E-1\nW-2,Two,2,E-2\nW-3,Three,3,E-3\n"
        result = self.run(fresh_database, shop, content, take)

        assert counts(result) == (2, 1, 0)
        products = [stored(fresh_database, shop, sku) for sku in ("W-1", "W-2", "W-3")]
        assert [(row.name, row.external_id) for row in products] == [("One", "E-0"), ("Two", None), ("Three", "E-3")]
        assert sorted(caplog.messages) == [
            f"the external id 'E-{number}' of the product W-{number} was not imported: another product has it now"
            for number in (1, 2)
        ]
        assert indexed(fresh_database) == dict.fromkeys(("W-1", "W-2", "W-3", "T-1", "T-2"), 1)

    @pytest.mark.parametrize("column", ["sku", "external_id"])
    def test_a_product_that_is_being_created_meanwhile_is_found(
        self, fresh_database: Database, shop: Tenant, column: str
    ) -> None:
        """On PostgreSQL, the import waits for the other transaction, and finds its product when it tries again.

        On SQLite, it waits before it compares.
        """
        values: dict[str, Any] = {"sku": "T-1", column: "W-1"}
        at = now()
        row = {"id": new_id(at), "company_id": shop.company_id, "name": "Theirs", "price": Decimal(1), **values}
        with ThreadPoolExecutor(1) as threads:
            with fresh_database.transaction(write=True) as session:
                session.execute(sa.insert(Product).values(created_at=at, updated_at=at, **row))
                content = "sku,name,price,externalId\nW-1,Ours,1,W-1\n"
                running = threads.submit(run, fresh_database, shop, content)
                if not fresh_database.is_sqlite:
                    waiting.eventually(lambda: is_waiting(fresh_database), "the import to wait")
            if fresh_database.is_sqlite and column == "external_id":
                with pytest.raises(RejectedFileError):
                    running.result()
                return
            result = running.result()

        assert counts(result) == ((0, 1, 0) if column == "sku" else (1, 0, 0))
        assert stored(fresh_database, shop, "W-1").external_id == ("W-1" if column == "sku" else None)

    def test_a_slow_clock_does_not_set_updated_at_back(self, fresh_database: Database, shop: Tenant) -> None:
        later = now() + timedelta(hours=1)
        factories.product(fresh_database, shop.company_id, sku="W-1", updated_at=later)

        run(fresh_database, shop, "sku,name,price\nW-1,Widget,1\n")

        assert stored(fresh_database, shop, "W-1").updated_at == later + MILLISECOND

    @pytest.mark.parametrize("field", ["updated_at", "counted_at"])
    def test_a_movement_is_later_than_the_one_before(self, fresh_database: Database, shop: Tenant, field: str) -> None:
        later = now() + timedelta(hours=1)
        product_id = factories.product(fresh_database, shop.company_id, sku="W-1", **{field: later})

        run(fresh_database, shop, "sku,name,price,stock\nW-1,Widget,1,77\n")

        *_, movement = movements(fresh_database, shop, product_id)
        assert movement.created_at == later + timedelta(milliseconds=1)


def is_waiting(database: Database) -> bool:
    """Return whether a transaction of PostgreSQL waits for another one."""
    with database.transaction() as session:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid' AND query LIKE 'INSERT%'"
        return bool(session.scalar(sa.text(query)))


def preview(
    database: Database, shop: Tenant, content: str, on_change: Callable[[ProductChange], None] = lambda _: None
) -> ImportResult:
    """Preview an import. By default, ignore the changes."""
    product_csv = ProductCsv(io.BytesIO(content.encode()))
    return importer.preview(factories.transactions(database, shop.company_id), product_csv, on_change=on_change)


def stored_sku(database: Database, shop: Tenant) -> str | None:
    """Return the sku of the only product of a company."""
    with database.transaction() as session:
        return session.scalars(sa.select(Product.sku).where(Product.company_id == shop.company_id)).one()


class TestPreview:
    def test_shows_what_would_change_and_writes_nothing(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", name="Widget", stock=3)
        content = "sku,name,price,stock\nW-1,Widget,8.50,5\nW-2,Gadget,1,\n"
        before = stored(fresh_database, shop, "W-1").updated_at
        changes: list[ProductChange] = []

        product_csv = ProductCsv(io.BytesIO(content.encode()))
        transactions = factories.transactions(fresh_database, shop.company_id)
        result = importer.preview(transactions, product_csv, on_change=changes.append)

        assert counts(result) == (1, 1, 0)
        assert [(change.fields["sku"], change.existing is None) for change in changes] == [
            ("W-1", False),
            ("W-2", True),
        ]
        assert changes[0].details == {"before": {"stock": 3}, "after": {"stock": 5}}
        assert stored(fresh_database, shop, "W-1").updated_at == before
        assert count_rows(fresh_database) == 0
        assert factories.count(fresh_database, Product, shop.company_id) == 1
