"""A check counts and reports the rows of every range and company."""

import sqlalchemy as sa

from app.db import Database
from app.verification.ranges import RANGE_ROWS
from tests.support import factories
from tests.support.verified_shop import MOVEMENTS, PRODUCTS, VerifiedShop, first, run, unprotected


def test_rows_of_every_range_are_checked(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    ids = factories.products(fresh_database, tenant.company_id, RANGE_ROWS + 1, stock=5)
    with unprotected(fresh_database) as connection:
        connection.execute(PRODUCTS.update().where(PRODUCTS.c.id.in_([ids[0], ids[-1]])).values(stock=6))

    result = run(fresh_database, tenant)["stock"]

    assert (result.checked, result.bad) == (RANGE_ROWS + 1, 2)
    assert first(result)[1] == ids[0]


def test_a_product_with_more_movements_than_a_range_has_rows_is_checked_as_a_whole(shop: VerifiedShop) -> None:
    product_ids = factories.products(shop.database, shop.tenant.company_id, 3)
    for product_id, count in zip(product_ids, (1, RANGE_ROWS, 1), strict=True):
        shop.add_counts(product_id, count)

    assert shop.verify() == {}

    shop.update(MOVEMENTS, shop.movement(product_ids[1], RANGE_ROWS), stock_before=1, stock_after=1)
    shop.update(MOVEMENTS, shop.movement(product_ids[2], 1), stock_before=1, stock_after=1)

    assert shop.verify()["movements"].bad == 2


def test_problems_of_other_companies_are_not_counted(shop: VerifiedShop) -> None:
    other = VerifiedShop(shop.database)
    other.update(PRODUCTS, other.one, stock=41)

    assert shop.verify() == {}
    assert run(shop.database, shop.tenant)["stock"].checked == 2

    result = run(shop.database, shop.tenant, other.tenant)["stock"]
    assert (result.checked, result.bad) == (4, 1)
    assert first(result) == (other.tenant.slug, other.one, "WDG-001")


def test_the_first_company_with_a_problem_is_reported(shop: VerifiedShop) -> None:
    other = VerifiedShop(shop.database)
    shop.execute(sa.update(PRODUCTS).values(stock=41))

    assert first(run(shop.database, other.tenant, shop.tenant)["stock"])[0] == other.tenant.slug
    assert run(shop.database, other.tenant, shop.tenant)["stock"].bad == 4
