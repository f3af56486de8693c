"""Importing products: what is written, and with how many statements."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from app.services import imports
from app.services.imports import Report
from app.services.sheets import RejectedFileError, Sheet
from models import Product, searchable
from tests.support import factories
from tests.support.factories import Tenant

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop(fresh_database: Database) -> Tenant:
    """Return a company in the fresh database."""
    return factories.tenant(fresh_database)


def run(database: Database, shop: Tenant, content: str) -> Report:
    with database.transaction(write=True) as session:
        return imports.run(factories.context(session, shop.company_id), Sheet(io.BytesIO(content.encode())))


def stored(database: Database, shop: Tenant, sku: str) -> Product:
    statement = sa.select(Product).where(Product.company_id == shop.company_id, Product.sku == sku)
    with database.transaction() as session:
        return session.scalars(statement).one()


def counts(report: Report) -> tuple[int, int, int]:
    return report.created, report.updated, report.unchanged


class TestRun:
    def test_a_new_row_has_the_defaults_of_a_product(self, fresh_database: Database, shop: Tenant) -> None:
        report = run(fresh_database, shop, "sku,name,price\nW-1,Widget,8.5\n")

        product = stored(fresh_database, shop, "W-1")
        assert counts(report) == (1, 0, 0)
        assert (product.unit, product.stock, product.is_active) == ("each", 0, True)
        assert (product.low_stock_threshold, product.price) == (5, Decimal("8.50"))
        assert product.created_at == product.updated_at
        assert product.search_text == searchable("Widget", "W-1")

    def test_a_column_that_is_not_there_leaves_what_is_stored(self, fresh_database: Database, shop: Tenant) -> None:
        kept: dict[str, Any] = {"description": "Blue", "category": "Hardware", "unit": "box", "stock": 7}
        factories.product(fresh_database, shop.company_id, sku="W-1", is_active=False, created_at=LONG_AGO, **kept)

        report = run(fresh_database, shop, "sku,name,price\nW-1,Renamed,9\n")

        product = stored(fresh_database, shop, "W-1")
        assert counts(report) == (0, 1, 0)
        assert (product.name, product.price, product.is_active) == ("Renamed", Decimal("9.00"), False)
        assert {name: getattr(product, name) for name in kept} == kept
        assert product.search_text == searchable("Renamed", "W-1", "Hardware")
        assert product.created_at == LONG_AGO < product.updated_at

    def test_an_empty_cell_clears_what_is_stored(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(fresh_database, shop.company_id, sku="W-1", category="Hardware", unit="box", stock=7)

        run(fresh_database, shop, "sku,name,price,category,unit,stock\nW-1,Widget,9,,,\n")

        product = stored(fresh_database, shop, "W-1")
        assert (product.category, product.unit, product.stock) == (None, "each", 0)
        assert product.search_text == searchable("Widget", "W-1")

    def test_a_row_that_says_what_is_known_is_not_written(self, fresh_database: Database, shop: Tenant) -> None:
        factories.product(
            fresh_database, shop.company_id, sku="W-1", name="Widget", price=Decimal("8.50"), created_at=LONG_AGO
        )

        report = run(fresh_database, shop, "sku,name,price\nW-1, Widget ,8.5\n")

        assert counts(report) == (0, 0, 1)
        assert stored(fresh_database, shop, "W-1").updated_at == LONG_AGO

    def test_sees_only_its_own_company(self, fresh_database: Database, shop: Tenant) -> None:
        other = factories.tenant(fresh_database)
        factories.product(fresh_database, other.company_id, sku="W-1", name="Theirs")

        report = run(fresh_database, shop, "sku,name,price\nW-1,Ours,1\n")

        assert counts(report) == (1, 0, 0)
        assert stored(fresh_database, other, "W-1").name == "Theirs"

    def test_bad_rows_raise_so_that_nothing_stays(self, fresh_database: Database, shop: Tenant) -> None:
        rows = "".join(f"S-{number},Item,1\n" for number in range(600))

        with pytest.raises(RejectedFileError) as caught:
            run(fresh_database, shop, f"sku,name,price\n{rows}S-x,Item,x\nS-y,Item,y\n")

        assert [each.line for each in caught.value.errors] == [602, 603]
        with fresh_database.transaction() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(Product)) == 0

    def test_a_batch_costs_three_statements(self, fresh_database: Database, shop: Tenant) -> None:
        factories.products(fresh_database, shop.company_id, 1, sku="S-0")
        factories.products(fresh_database, shop.company_id, 1, sku="S-700")
        statements: list[str] = []

        def note(*arguments: Any) -> None:
            statements.append(arguments[2].split(maxsplit=1)[0])

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            rows = "".join(f"S-{number},Item,1\n" for number in range(1000))
            run(fresh_database, shop, "sku,name,price\n" + rows)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)

        written = [each for each in statements if each not in {"BEGIN", "PRAGMA"}]
        assert written == ["SELECT", *["SELECT", "INSERT", "UPDATE"] * 2, "INSERT"]  # the last one is the audit entry
