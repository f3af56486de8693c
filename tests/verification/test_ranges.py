"""Ranges together include every id."""

from app.db import Database
from app.verification import ranges
from app.verification.ranges import RANGE_ROWS, IdRange, Ranges
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.verified_shop import MOVEMENTS, VerifiedShop


def of_company(database: Database, tenant: Tenant, found: Ranges) -> list[IdRange]:
    with database.transaction() as session:
        return list(found.of_company(factories.context(session, tenant.company_id)))


def test_a_range_ends_after_its_number_of_rows(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    assert of_company(fresh_database, tenant, ranges.PRODUCTS) == [("", "~")]

    ids = factories.products(fresh_database, tenant.company_id, RANGE_ROWS - 1)
    assert of_company(fresh_database, tenant, ranges.PRODUCTS) == [("", "~")]

    ids += factories.products(fresh_database, tenant.company_id, 2)
    assert of_company(fresh_database, tenant, ranges.PRODUCTS) == [("", ids[-2]), (ids[-2], "~")]


def test_every_table_limits_a_range(shop: VerifiedShop) -> None:
    shop.add_counts(shop.one, RANGE_ROWS)

    assert of_company(shop.database, shop.tenant, ranges.PRODUCTS) == [("", shop.one), (shop.one, "~")]
    assert of_company(shop.database, shop.tenant, ranges.ORDERS) == [("", "~")]

    shop.execute(MOVEMENTS.update().values(order_id=shop.first))

    assert of_company(shop.database, shop.tenant, ranges.ORDERS) == [("", shop.first), (shop.first, "~")]


def test_rows_of_other_companies_do_not_count(shop: VerifiedShop) -> None:
    shop.add_counts(shop.one, RANGE_ROWS)
    other = factories.tenant(shop.database)

    assert of_company(shop.database, other, ranges.PRODUCTS) == [("", "~")]
