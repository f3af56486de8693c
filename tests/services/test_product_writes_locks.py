"""Products that a transaction locks while another one changes them."""

import contextlib
from collections.abc import Callable, Sequence

import pytest
import sqlalchemy as sa

from app.context import Context
from app.db import Database
from app.queries import tenant as tenants
from app.schemas.products import ProductKey
from app.services import ordered_products, price_writes, product_writes
from app.services.product_plans import ProductWrite
from models import Product
from tests.support import factories, waiting
from tests.support.factories import Tenant

JOINS = {"hashjoin", "mergejoin", "nestloop"}
Lock = Callable[[Context, Sequence[str]], Sequence[str]]


def lock_to_write(ctx: Context, ids: Sequence[str]) -> Sequence[str]:
    keys = [ProductKey("id", product_id) for product_id in ids]
    catalogue = product_writes.load(ctx, [ProductWrite(key=key, fields={}) for key in keys])
    return [product.id for key in keys if (product := catalogue.find(key)) is not None]


def lock_to_order(ctx: Context, ids: Sequence[str]) -> Sequence[str]:
    keys = [ProductKey("sku", "unknown"), *(ProductKey("id", product_id) for product_id in ids)]
    return [key.value for key in ordered_products.lock(ctx, keys, "c") if key.column == "id"]


def lock_to_set_prices(ctx: Context, ids: Sequence[str]) -> Sequence[str]:
    parameters = tenants.params(ctx, ids=ids, skus=[], external_ids=[])
    return [product.id for product in price_writes.SELECT_PRODUCTS_FOR_SHARE.all(ctx.session, parameters)]


@pytest.mark.parametrize("lock", [lock_to_write, lock_to_order, lock_to_set_prices])
@pytest.mark.parametrize("join", ["hashjoin", "nestloop"])
def test_products_that_a_concurrent_transaction_changes_are_found(
    database: Database, tenant: Tenant, lock: Lock, join: str
) -> None:
    """PostgreSQL evaluates a statement again for a row that has changed, in a way that depends on the plan."""
    ids = sorted(factories.products(database, tenant.company_id, 500))[:3]
    with database.transaction(write=True) as session:
        session.execute(sa.text("ANALYZE products"))

    def run() -> Sequence[str]:
        with database.transaction(write=True) as session:
            for other in JOINS - {join} if not database.is_sqlite else ():
                session.execute(sa.text(f"SET LOCAL enable_{other} = off"))
            return lock(factories.context(session, tenant.company_id), ids)

    with contextlib.ExitStack() as stack, database.transaction(write=True) as session:
        session.execute(sa.update(Product).where(Product.id == ids[1]).values(sku="Theirs"))
        (locked,) = stack.enter_context(waiting.threads(run))
        if not database.is_sqlite:
            waiting.eventually(lambda: is_waiting(database), "the statement to wait")

    assert sorted(locked.result()) == ids


def is_waiting(database: Database) -> bool:
    """Return whether a transaction of PostgreSQL waits for a lock on products."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM products%'"
    with database.transaction() as session:
        return bool(session.scalar(sa.text(query)))
