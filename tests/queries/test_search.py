"""Search finds what a comparison of all texts finds, after any changes, with an index and without one."""

import io
import string
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import schema_version
from app.db import Database
from app.product_import import importer
from app.product_import.product_csv import ProductCsv
from app.queries import search, search_index
from app.queries.search import MAX_CANDIDATES
from app.schemas.customers import CustomerCreate, CustomerUpdate
from app.services import customers, products
from models import Customer, Product, searchable
from tests.support import factories
from tests.support.servers import PostgresqlStore, open_database

FEW_LETTERS = "aAbßẞİǆ %_\\\"'*()^:-+😀Σς"
TEXTS = st.text(FEW_LETTERS, min_size=1, max_size=12)
# Parts of these texts occur often; the others hardly ever.
NEEDLES = TEXTS | st.text(FEW_LETTERS, max_size=4) | st.text(string.printable.strip(), min_size=1, max_size=20)


def remove_index(database: Database) -> None:
    """Make the database one whose engine does not support trigrams."""
    with database.transaction(write=True) as session:
        for index in map(search_index.name, search_index.SEARCHED):
            if database.is_sqlite:
                statements = [f"DROP TRIGGER {index}_{event}" for event in ("insert", "update", "delete")]
                statements.append(f"DROP TABLE {index}_rows")
            else:
                statements = [f"DROP FUNCTION {index} CASCADE"]
            for statement in (*statements, f"DROP TABLE {index}"):
                session.execute(sa.text(statement))


@pytest.fixture(params=["with an index", "without"])
def searched(fresh_database: Database, request: pytest.FixtureRequest) -> Database:
    if request.param == "without":
        remove_index(fresh_database)
    return fresh_database


def found(database: Database, company_id: str, page: Callable[..., Any], **filters: Any) -> list[str]:
    """Return the ids on all pages."""
    ids: list[str] = []
    cursor = None
    with database.transaction() as session:
        ctx = factories.context(session, company_id)
        while True:
            result = page(ctx, limit=3, cursor=cursor, **filters)
            ids += [row.id for row in result.rows]
            cursor = result.next_cursor
            if cursor is None:
                return ids


def candidates(database: Database, company_id: str, text: str) -> list[str]:
    """Return the products that the index finds for a text."""
    with database.transaction() as session:
        return sorted(search.candidates(factories.context(session, company_id), products.TABLE, text) or [])


def expected(database: Database, company_id: str, model: type[Any], needle: str) -> list[str]:
    """Return the ids of the rows that contain a text, by comparing every row."""
    fields = ("name", "sku", "category") if model is Product else ("email", "name")
    with database.transaction() as session:
        rows = session.scalars(sa.select(model).where(model.company_id == company_id)).all()
        rows = sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)
        texts = {row.id: [searchable(getattr(row, field)) for field in fields] for row in rows}
        return [row_id for row_id, parts in texts.items() if any(searchable(needle) in part for part in parts)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_search_finds_exactly_the_rows_that_contain_the_text(searched: Database, data: st.DataObject) -> None:
    tenant, other = factories.tenant(searched), factories.tenant(searched)
    names = data.draw(st.lists(TEXTS, min_size=1, max_size=8))
    for company in (tenant.company_id, other.company_id):
        made = [factories.product(searched, company, name=name, sku=None, category=None) for name in names]
    made = made[: data.draw(st.integers(0, len(made)))]
    with searched.transaction(write=True) as session:  # `made` is what is left of the other company's products
        for product in made[::2]:
            values = {"name": "bbb", "search_text": "bbb"}
            session.execute(sa.update(Product).where(Product.id == product).values(values))
        session.execute(sa.delete(Product).where(Product.id.in_(made[1::2])))

    for needle in data.draw(st.lists(NEEDLES, min_size=1, max_size=5)):
        for company in (tenant.company_id, other.company_id):
            wanted = expected(searched, company, Product, needle)
            assert found(searched, company, products.page, search=needle) == wanted, needle


@pytest.mark.parametrize(
    "needle", ["gouda", "OUD", "ud", "100% gouda", "old gouda from the far north of holland", "😀😀"]
)
def test_a_changed_product_is_found_by_its_new_name(searched: Database, needle: str) -> None:
    tenant = factories.tenant(searched)
    factories.products(searched, tenant.company_id, 5)
    before = "Old gouda from the far north of Holland"

    for name in (before, "100% Gouda 😀😀", before, "Edam"):
        product_csv = ProductCsv(io.BytesIO(f"sku,name,price\nG-1,{name},1\n".encode()))
        importer.run(factories.transactions(searched, tenant.company_id), product_csv)
        assert found(searched, tenant.company_id, products.page, search=needle) == expected(
            searched, tenant.company_id, Product, needle
        )


def test_a_changed_customer_is_found_by_the_new_name(searched: Database) -> None:
    tenant = factories.tenant(searched)
    with searched.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        made = customers.create(ctx, CustomerCreate(email="anna@example.com", name="Anna"))
        customers.update(ctx, made.id, CustomerUpdate(name="Berta"))

    for needle in ("anna", "berta", "ann", "nothing", "example.com"):
        wanted = expected(searched, tenant.company_id, Customer, needle)
        assert found(searched, tenant.company_id, customers.page, search=needle) == wanted


def test_the_index_finds_texts_that_few_rows_contain(searched: Database, request: pytest.FixtureRequest) -> None:
    tenant = factories.tenant(searched)
    beginning = "Stainless hexagon bolt, box of"
    few = factories.products(searched, tenant.company_id, MAX_CANDIDATES, name=f"{beginning} few, common")
    one = factories.product(searched, tenant.company_id, name=f"{beginning} one, common")

    with searched.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        texts = ("ONE,", f"{beginning} one", "nowhere", "few", "common", beginning, "on")
        found = {text: search.candidates(ctx, products.TABLE, text) for text in texts}

    indexed = {
        "ONE,": [one],
        f"{beginning} one": [one],
        "nowhere": [],
        "few": few,
        "common": None,
        beginning: None,
        "on": None,
    }
    sorted_ids = {text: ids and sorted(ids) for text, ids in found.items()}
    assert sorted_ids == (indexed if "without" not in request.node.name else dict.fromkeys(indexed))


def test_a_text_in_too_many_rows_for_the_index_is_found_in_all(searched: Database) -> None:
    tenant = factories.tenant(searched)
    made = factories.products(searched, tenant.company_id, MAX_CANDIDATES + 1, name="Common")

    with searched.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        page = products.page(ctx, limit=100, search="common")
        rest = products.page(ctx, limit=100, search="common", cursor=made[50])

    assert [row.id for row in page.rows] == made[:-101:-1]
    assert [row.id for row in rest.rows] == made[49::-1]


def test_search_combines_with_every_other_filter(searched: Database) -> None:
    tenant = factories.tenant(searched)
    old, new = (datetime(year, 1, 1, tzinfo=UTC) for year in (2024, 2025))
    wanted = [
        factories.product(searched, tenant.company_id, name="Rare rye", category="Flour", created_at=at, updated_at=new)
        for at in (old, new)
    ]
    for fields in ({"category": "Dairy"}, {"is_active": False}, {"updated_at": old}, {"name": "Wheat"}):
        values = {"name": "Rare rye", "category": "Flour", "updated_at": new, **fields}
        factories.product(searched, tenant.company_id, created_at=old, **values)

    filters = {"search": "rare", "category": "Flour", "active": True, "updated_since": new}
    assert found(searched, tenant.company_id, products.page, **filters) == wanted[::-1]


def test_vacuum_keeps_the_index_correct(searched: Database) -> None:
    tenant = factories.tenant(searched)
    made = factories.products(searched, tenant.company_id, 30)
    with searched.transaction(write=True) as session:
        session.execute(sa.delete(Product).where(Product.id.in_(made[:20])))
    engine = sa.create_engine(searched.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("VACUUM"))
    engine.dispose()

    for row in expected(searched, tenant.company_id, Product, "product"):
        with searched.transaction() as session:
            name = session.scalars(sa.select(Product.name).where(Product.id == row)).one()
        assert row in found(searched, tenant.company_id, products.page, search=name)


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_a_role_that_may_not_create_extensions_has_no_index(store: PostgresqlStore) -> None:
    with store.restricted("plain_role") as url:
        database = open_database(url)
        assert not schema_version.upgrade(database).has_search_index
        tenant = factories.tenant(database)
        made = factories.product(database, tenant.company_id, name="Gouda")
        assert found(database, tenant.company_id, products.page, search="oud") == [made]
        database.dispose()


def test_an_upgrade_creates_an_index_of_the_existing_rows_once(fresh_database: Database) -> None:
    remove_index(fresh_database)
    tenant = factories.tenant(fresh_database)
    made = factories.product(fresh_database, tenant.company_id, name="Gouda")

    for _ in range(2):
        assert schema_version.upgrade(fresh_database).has_search_index
        assert candidates(fresh_database, tenant.company_id, "gouda") == [made]


def test_an_upgrade_rebuilds_a_lost_index(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    made = factories.product(fresh_database, tenant.company_id, name="Gouda")
    with fresh_database.transaction(write=True) as session:
        session.execute(sa.text("DROP TABLE search_products"))

    assert schema_version.upgrade(fresh_database).has_search_index
    another = factories.product(fresh_database, tenant.company_id, name="Gouda")
    assert candidates(fresh_database, tenant.company_id, "gouda") == [made, another]


def test_a_lost_trigger_rebuilds_an_index(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    trigger = "search_products_insert" if fresh_database.is_sqlite else "search_products ON products"
    with fresh_database.transaction(write=True) as session:
        session.execute(sa.text(f"DROP TRIGGER {trigger}"))
    made = factories.product(fresh_database, tenant.company_id, name="Gouda")
    assert candidates(fresh_database, tenant.company_id, "gouda") == []

    with fresh_database.connection() as connection:
        assert search_index.ensure(connection)

    assert candidates(fresh_database, tenant.company_id, "gouda") == [made]


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_an_extension_in_a_schema_without_privileges_is_not_used(store: PostgresqlStore) -> None:
    with store.restricted("reached") as url:
        store.execute_in("reached", "CREATE SCHEMA elsewhere", "CREATE EXTENSION pg_trgm SCHEMA elsewhere")
        database = open_database(url)
        assert not schema_version.upgrade(database).has_search_index
        database.dispose()


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_an_extension_in_any_usable_schema_is_used(store: PostgresqlStore) -> None:
    with store.restricted("served") as url:
        store.execute_in("served", "CREATE SCHEMA elsewhere", "CREATE EXTENSION pg_trgm SCHEMA elsewhere")
        store.execute_in("served", "GRANT USAGE ON SCHEMA elsewhere TO served")
        database = open_database(url)
        assert schema_version.upgrade(database).has_search_index
        tenant = factories.tenant(database)
        made = factories.product(database, tenant.company_id, name="Gouda")
        assert candidates(database, tenant.company_id, "gouda") == [made]
        database.dispose()
