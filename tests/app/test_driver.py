"""Selects that skip SQLAlchemy: the same rows on both databases, and lost connections are replaced."""

import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.driver import DriverSelect
from models import Product
from models.base import EPOCH, MILLISECOND, table
from tests.support import factories
from tests.support.factories import Tenant

TABLE = table(Product)
IS_CHEAP = sa.case((TABLE.c.price < 10, 1), else_=0)
SELECT = sa.select(TABLE.c.id, TABLE.c.updated_at, TABLE.c.is_active, TABLE.c.sku, IS_CHEAP).where(
    TABLE.c.id == sa.bindparam("id"), TABLE.c.updated_at >= sa.bindparam("since", type_=TABLE.c.updated_at.type)
)


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
