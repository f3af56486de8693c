"""Statements that the driver executes: the same rows and errors as through SQLAlchemy, on both databases."""

import contextlib

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.context import now
from app.db import Database
from app.driver import DriverSelect, DriverStatement
from app.errors import NotFoundError
from app.queries.rows import Row, Statement, Write
from models import Company, Customer, Product, new_id
from models.base import EPOCH, MILLISECOND, table
from tests.support import factories
from tests.support.factories import Tenant

TABLE = table(Product)
IS_CHEAP = sa.case((TABLE.c.price < 10, 1), else_=0)
SELECT = sa.select(TABLE.c.id, TABLE.c.updated_at, TABLE.c.is_active, TABLE.c.sku, IS_CHEAP).where(
    TABLE.c.id == sa.bindparam("id"), TABLE.c.updated_at >= sa.bindparam("since", type_=TABLE.c.updated_at.type)
)


class ProductRow(Row):
    id: str
    stock: int


COLUMNS = (TABLE.c.id, TABLE.c.stock)
HAS_ID = TABLE.c.id.in_(sa.bindparam("ids", expanding=True))
SELECT_BY_IDS = Statement(ProductRow, sa.select(*COLUMNS).where(HAS_ID).order_by(TABLE.c.id))
UPDATE_STOCK = Write(sa.update(TABLE).where(TABLE.c.id == sa.bindparam("own_id")))
INSERT_CUSTOMER = Write(table(Customer).insert())


class TestDriverStatement:
    @pytest.mark.parametrize("count", [0, 1, 3, 65])
    def test_a_list_may_have_any_length(self, database: Database, tenant: Tenant, count: int) -> None:
        ids = factories.products(database, tenant.company_id, count, stock=7)

        with database.transaction() as session:
            assert SELECT_BY_IDS.all(session, {"ids": ids}) == [(product_id, 7) for product_id in sorted(ids)]
            assert SELECT_BY_IDS.rows(session, {"ids": ids}).column("id") == sorted(ids)

    def test_lists_of_similar_lengths_share_a_text(self, database: Database) -> None:
        statement = DriverStatement(SELECT_BY_IDS.sql)
        with database.transaction() as session:
            sent: list[str] = []
            sa.event.listen(session.connection(), "before_cursor_execute", lambda *given: sent.append(given[2]))
            for count in range(33, 65):
                statement.fetch(session, {"ids": ["c1"] * count})

        assert len(sent) == 32
        assert len(set(sent)) == 1

    def test_a_write_counts_the_rows_that_it_changed(self, database: Database, tenant: Tenant) -> None:
        ids = factories.products(database, tenant.company_id, 3)

        with database.transaction(write=True) as session:
            assert UPDATE_STOCK.count(session, [{"own_id": ids[0], "stock": 3}]) == 1
            assert UPDATE_STOCK.count(session, [{"own_id": "c1", "stock": 3}]) == 0
            assert UPDATE_STOCK.count(session, [{"own_id": own_id, "stock": 4} for own_id in [*ids[1:], "c1"]]) == 2
        with database.transaction() as session:
            assert {row.stock for row in SELECT_BY_IDS.all(session, {"ids": ids})} == {3, 4}

    def test_defaults_of_columns_are_inserted(self, database: Database, tenant: Tenant) -> None:
        at = now()
        row = {"company_id": tenant.company_id, "name": "Anna", "created_at": at, "updated_at": at}
        emails = {new_id(at): "a@example.com", new_id(at): "b@example.com"}

        with database.transaction(write=True) as session:
            rows = [{**row, "id": customer_id, "email": email} for customer_id, email in emails.items()]
            INSERT_CUSTOMER.one(session, rows[0])
            INSERT_CUSTOMER.all(session, rows[1:])
            found = [session.get_one(Customer, customer_id) for customer_id in emails]

        assert [(row.event_sequence, row.created_at) for row in found] == [(0, at)] * 2
        assert all(row.email in row.search_text and "anna" in row.search_text for row in found)

    def test_errors_are_those_of_sqlalchemy(self, database: Database, tenant: Tenant) -> None:
        company = Write(table(Company).insert())
        row = {"id": tenant.company_id, "name": "Twice", "slug": "twice", "created_at": now()}
        missing = DriverStatement(sa.select(sa.column("missing")).select_from(TABLE))

        with pytest.raises(IntegrityError) as duplicate, database.transaction(write=True) as session:
            company.count(session, [row])
        with pytest.raises(IntegrityError), database.transaction(write=True) as session:
            company.one(session, row)
        with pytest.raises(IntegrityError), database.transaction(write=True) as session:
            company.all(session, [{**row, "slug": slug} for slug in ("third", "fourth")])
        with database.transaction() as session, pytest.raises(DBAPIError, match="SELECT missing"):
            missing.fetch(session, {})

        assert duplicate.value.statement is not None
        assert duplicate.value.orig.__class__.__module__.partition(".")[0] in {"sqlite3", "psycopg"}

    def test_everything_in_a_session_is_one_transaction(self, database: Database, tenant: Tenant) -> None:
        (product,) = factories.products(database, tenant.company_id, 1, stock=7)

        with contextlib.suppress(NotFoundError), database.transaction(write=True) as session:
            UPDATE_STOCK.one(session, {"own_id": product, "stock": 8})
            assert session.get_one(Product, product).stock == 8
            with session.begin_nested() as savepoint:
                UPDATE_STOCK.one(session, {"own_id": product, "stock": 9})
                savepoint.rollback()
            assert SELECT_BY_IDS.one(session, {"ids": [product]}).stock == 8
            raise NotFoundError("Product")
        with database.transaction() as session:
            assert SELECT_BY_IDS.one(session, {"ids": [product]}).stock == 7

    @pytest.mark.parametrize("write", [True, False])
    def test_objects_of_the_session_are_written_before(self, database: Database, tenant: Tenant, write: bool) -> None:  # noqa: FBT001 - a parameter
        (product,) = factories.products(database, tenant.company_id, 1, stock=7)

        with database.transaction(write=write) as session:
            session.get_one(Product, product).stock = 8
            assert SELECT_BY_IDS.one(session, {"ids": [product]}).stock == 8

    def test_a_transaction_that_reads_has_one_snapshot_on_sqlite(self, database: Database, tenant: Tenant) -> None:
        (product,) = factories.products(database, tenant.company_id, 1, stock=7)

        with database.transaction() as session:
            assert SELECT_BY_IDS.one(session, {"ids": [product]}).stock == 7
            with database.transaction(write=True) as other:
                UPDATE_STOCK.one(other, {"own_id": product, "stock": 8})
            found = SELECT_BY_IDS.one(session, {"ids": [product]}).stock

        assert found == (7 if database.is_sqlite else 8)  # PostgreSQL: a snapshot for each statement


class TestDriverSelect:
    def test_times_are_milliseconds_and_parameters_are_converted(self, database: Database, tenant: Tenant) -> None:
        at = now()
        product = factories.product(database, tenant.company_id, sku="100%'s; \\", updated_at=at)
        select = DriverSelect(database.reader, SELECT)

        assert select.rows({"id": product, "since": at}) == [
            (product, (at - EPOCH) // MILLISECOND, True, "100%'s; \\", 1)
        ]
        assert select.rows({"id": product, "since": at + MILLISECOND}) == []
        assert select.rows({"id": "'; DROP TABLE products; --", "since": at}) == []

    def test_a_value_that_the_driver_refuses_yields_none(self, database: Database) -> None:
        """Then the usual way reports it."""
        select = DriverSelect(database.reader, sa.select(sa.column("missing")).select_from(TABLE))

        assert select.rows({}) is None
        assert DriverSelect(database.reader, SELECT).rows({"id": "c1", "since": now()}) == []

    def test_the_next_transaction_is_not_affected(self, database: Database, tenant: Tenant) -> None:
        product = factories.product(database, tenant.company_id)
        select = DriverSelect(database.reader, SELECT)

        for _ in range(30):  # more than there are connections
            assert select.rows({"id": product, "since": EPOCH}) != []
            with database.transaction() as session:
                assert session.get_one(Product, product).id == product
