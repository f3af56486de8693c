"""The demo company in a fresh database, and everything that it has."""

from collections import defaultdict
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.demo import company as demo_company
from app.verification.verifier import Result
from models import Company, Customer, Order, OrderItem, PriceOverride, Product
from tests.support import factories, verified_shop
from tests.support.factories import Tenant


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The rows of the demo company by their ids; orders from the oldest to the newest."""

    company: Company
    customers: dict[str, Customer]
    products: dict[str, Product]
    overrides: dict[tuple[str, str], PriceOverride]
    orders: list[Order]
    items: dict[str, list[OrderItem]]


def load(database: Database) -> Demo:
    """Return everything that the only company of a database has."""
    items: dict[str, list[OrderItem]] = defaultdict(list)
    with database.transaction() as session:
        for item in session.scalars(sa.select(OrderItem).order_by(OrderItem.position)):
            items[item.order_id].append(item)
        overrides = session.scalars(sa.select(PriceOverride))
        return Demo(
            company=session.scalars(sa.select(Company)).one(),
            customers={customer.id: customer for customer in session.scalars(sa.select(Customer))},
            products={product.id: product for product in session.scalars(sa.select(Product))},
            overrides={(override.customer_id, override.product_id): override for override in overrides},
            orders=list(session.scalars(sa.select(Order).order_by(Order.created_at))),
            items=items,
        )


def verify(database: Database, demo: Demo) -> dict[str, Result]:
    """Return what `distribu verify` finds."""
    tenant = Tenant(company_id=demo.company.id, slug=demo.company.slug, key="", key_id="")
    return verified_shop.run(database, tenant)


@pytest.fixture
def company_id(fresh_database: Database) -> str:
    """Create the demo company."""
    with fresh_database.transaction(write=True) as session:
        company = demo_company.create_company(session, now=now())
        session.flush()
        demo_company.fill(factories.context(session, company.id))
        return company.id


@pytest.fixture
def demo(fresh_database: Database, company_id: str) -> Demo:
    """Return the demo company after its creation."""
    return load(fresh_database)
