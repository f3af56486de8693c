"""A check reads ranges of ids that together include every row."""

import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.verification import stock
from app.verification.check import RANGE_ROWS, IdRange
from models import new_id
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.verified_shop import MOVEMENTS, PRODUCTS, VerifiedShop, first, run, unprotected


def ranges(database: Database, tenant: Tenant) -> list[IdRange]:
    with database.transaction() as session:
        return list(stock.CHECK.ranges(factories.context(session, tenant.company_id)))


def add_counts(shop: VerifiedShop, product_id: str, count: int) -> None:
    """Insert movements of a product that do not change its stock."""
    at, row = now(), {"company_id": shop.tenant.company_id, "product_id": product_id, "created_at": now()}
    rows = [{"id": new_id(at), **row, "sequence": number} for number in range(1, count + 1)]
    values = {"reason": "COUNT", "delta": 0, "actor_type": "USER", "actor_id": "tester"}
    with unprotected(shop.database) as connection:
        connection.execute(MOVEMENTS.insert().values(**values, stock_before=0, stock_after=0), rows)
        connection.execute(PRODUCTS.update().where(PRODUCTS.c.id == product_id).values(movement_sequence=count))


def test_the_ranges_include_every_id(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    assert ranges(fresh_database, tenant) == [("", "~")]

    ids = factories.products(fresh_database, tenant.company_id, RANGE_ROWS - 1)
    assert ranges(fresh_database, tenant) == [("", "~")]

    ids += factories.products(fresh_database, tenant.company_id, 2)
    assert ranges(fresh_database, tenant) == [("", ids[-2]), (ids[-2], "~")]


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
        add_counts(shop, product_id, count)

    assert shop.verify() == {}
    assert len(ranges(shop.database, shop.tenant)) == 2

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
