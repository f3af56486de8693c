"""Every total of the inventory report equals a plain sum over the products, to the cent."""

from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from app.db import Database
from app.reports import inventory
from tests.reports.conftest import PROPERTY, Rows
from tests.support import factories

PRODUCTS = st.lists(
    st.fixed_dictionaries(
        {
            "stock": st.integers(0, 50) | st.sampled_from([0, 5, 6, 1_000_000, 2**53 - 1]),
            "low_stock_threshold": st.integers(0, 7),
            "price": st.decimals(0, 1000, places=2) | st.sampled_from([Decimal("99999999.99"), Decimal("0.01")]),
            "category": st.sampled_from([None, "Baking", "Hygiene", "baking"]),
            "is_active": st.booleans(),
        }
    ),
    max_size=12,
)


def is_low(product: dict[str, Any]) -> bool:
    return bool(product["stock"] <= product["low_stock_threshold"])


def value(product: dict[str, Any]) -> Decimal:
    return Decimal(product["stock"] * product["price"])


def totals(products: Rows) -> tuple[int, int, Decimal, int, int]:
    units = [product["stock"] for product in products]
    return len(products), sum(units), sum(map(value, products), Decimal(0)), sum(map(is_low, products)), units.count(0)


@PROPERTY
@given(products=PRODUCTS, limit=st.sampled_from([0, 1, 3, 1000]))
@example(products=[], limit=100)
@example(
    products=[{"stock": 2**53 - 1, "price": Decimal("99999999.99"), "category": None, "low_stock_threshold": 5}] * 3,
    limit=2,
)
def test_every_total_is_the_plain_sum(database: Database, products: Rows, limit: int) -> None:
    tenant = factories.tenant(database)
    created = {factories.product(database, tenant.company_id, **product): product for product in products}
    with database.transaction() as session:
        report = inventory.build(factories.context(session, tenant.company_id), limit=limit)

    assert report.totals == totals(products)
    assert {entry.category for entry in report.by_category} == {product["category"] for product in products}
    for category, *of_category in report.by_category:
        assert tuple(of_category) == totals([product for product in products if product["category"] == category])
    values = sorted(map(value, products), reverse=True)
    assert [entry.value for entry in report.products] == values[: max(limit, 1)]
    for entry in report.products:
        product = created[entry.product_id]
        assert (entry.value, entry.is_low_stock) == (value(product), is_low(product))
