"""An upgrade refolds the texts of rows that were folded in another way."""

import threading
import time
from collections.abc import Sequence

import sqlalchemy as sa

from app import schema_version
from app.db import Database
from app.queries import search_texts
from app.services import customers, products
from models import Customer, Product, searchable
from tests.support import factories
from tests.support.servers import open_database

STALE = "i\u0307stanbul"  # how İstanbul was folded


def fold(database: Database, model: type[Product | Customer], ids: Sequence[str], text: str) -> None:
    with database.transaction(write=True) as session:
        session.execute(sa.update(model).where(model.id.in_(ids)).values(search_text=text))


def texts(database: Database, model: type[Product | Customer]) -> dict[str, str]:
    with database.transaction() as session:
        return {row.id: row.search_text for row in session.execute(sa.select(model.id, model.search_text))}


def test_an_upgrade_refolds_what_was_folded_in_another_way(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    product = factories.product(fresh_database, tenant.company_id, name="\u0130stanbul", sku=None, category=None)
    customer = factories.customer(fresh_database, tenant.company_id, name="\u0130stanbul")
    other = factories.product(fresh_database, tenant.company_id, name="Flour", sku=None, category=None)
    fold(fresh_database, Product, [product], STALE)
    fold(fresh_database, Customer, [customer], STALE)

    schema_version.upgrade(fresh_database)

    with fresh_database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        for text in ("istanbul", "\u0130STANBUL", "ista", "\u0131stan"):
            assert [row.id for row in products.page(ctx, search=text).rows] == [product]
            assert [row.id for row in customers.page(ctx, search=text).rows] == [customer]
        row = products.get(ctx, product)
    assert row.updated_at == row.created_at
    assert texts(fresh_database, Product) == {product: "istanbul", other: "flour"}


def test_only_rows_that_differ_are_written_in_all_batches(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    made = factories.products(fresh_database, tenant.company_id, 2 * search_texts.BATCH + 1, name="\u0130stanbul")
    correct = texts(fresh_database, Product)
    stale = [made[0], *made[search_texts.BATCH - 1 : search_texts.BATCH + 1], made[-1]]
    fold(fresh_database, Product, stale, STALE)

    assert search_texts.refresh(fresh_database) == len(stale)
    assert search_texts.refresh(fresh_database) == 0
    assert texts(fresh_database, Product) == correct


def test_a_concurrent_change_keeps_its_text(fresh_database: Database, database_url: str) -> None:
    tenant = factories.tenant(fresh_database)
    product = factories.product(fresh_database, tenant.company_id, name="\u0130stanbul", sku=None, category=None)
    fold(fresh_database, Product, [product], STALE)
    other = open_database(database_url)
    refreshing = threading.Thread(target=search_texts.refresh, args=[other])

    with fresh_database.transaction(write=True) as session:
        values = {"name": "Ankara", "search_text": searchable("Ankara")}
        session.execute(sa.update(Product).where(Product.id == product).values(values))
        refreshing.start()
        time.sleep(1)  # it has read the old text by then, and waits for the row
    refreshing.join(60)
    other.dispose()

    assert not refreshing.is_alive()
    assert texts(fresh_database, Product) == {product: "ankara"}
