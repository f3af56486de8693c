"""Checks that run while the server writes report no problems."""

import random
import threading
from functools import partial

from app.db import Database, retrying
from app.schemas.orders import OrderCreate, OrderItemCreate, OrderStatusUpdate
from app.services import orders
from models import OrderStatus
from tests.support import factories, waiting
from tests.support.factories import Tenant
from tests.support.verified_shop import run

ROUNDS = 15


def write(database: Database, tenant: Tenant, customer_id: str, product_ids: list[str], stop: threading.Event) -> None:
    """Place orders, cancel some of them, and create and delete products, until `stop` is set."""
    chance = random.Random(7)
    while not stop.is_set():
        chosen = chance.sample(product_ids, 2)
        retrying(partial(place, database, tenant, customer_id, chosen, is_cancelled=chance.random() < 0.5))


def place(database: Database, tenant: Tenant, customer_id: str, product_ids: list[str], *, is_cancelled: bool) -> None:
    items = [OrderItemCreate(product_id=product_id, quantity=1) for product_id in product_ids]
    with database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        order, _ = orders.place(ctx, OrderCreate(customer_id=customer_id, items=items))
    if is_cancelled:
        with database.transaction(write=True) as session:
            ctx = factories.context(session, tenant.company_id)
            orders.change_status(ctx, order.id, OrderStatusUpdate(status=OrderStatus.CANCELLED, restock=True))


def test_concurrent_orders_are_no_problem(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    customer_id = factories.customer(fresh_database, tenant.company_id)
    product_ids = factories.products(fresh_database, tenant.company_id, 5, stock=1_000_000)
    work = partial(write, fresh_database, tenant, customer_id, product_ids)

    with waiting.in_background(work, count=3):
        rounds = [run(fresh_database, tenant) for _ in range(ROUNDS)]

    results = [*rounds, run(fresh_database, tenant)]
    assert [{name: result.first for name, result in round_.items() if result.first} for round_ in results] == [
        {} for _ in results
    ]
    assert results[-1]["orderAmounts"].checked > results[0]["orderAmounts"].checked
    assert results[-1]["eventGaps"].checked > 0
