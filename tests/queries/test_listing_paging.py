"""Paging while the list changes: no row is skipped or repeated, regardless of concurrent inserts and deletes."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from app.context import now
from app.db import Database
from models import Product
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.servers import Server

HOURS = st.integers(0, 2)  # few, so that many products are created at the same time
CHANGES = st.lists(st.tuples(st.sampled_from(["insert", "delete"]), HOURS, st.integers(0, 10_000)), max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.lists(HOURS, max_size=12), limit=st.integers(1, 4), rounds=st.lists(CHANGES, max_size=6))
def test_a_walk_returns_every_product_that_stays_exactly_once(
    server: Server,
    database: Database,
    contract: Contract,
    start: list[int],
    limit: int,
    rounds: list[list[tuple[str, int, int]]],
) -> None:
    tenant = factories.tenant(database)
    base = now()
    alive = {product for hour in start for product in _insert(database, tenant.company_id, base, hour)}
    stays, seen, cursor, changes = set(alive), [], None, iter(rounds)
    with Client(server.url, tenant.key, contract) as client:
        while True:
            page = client.get("/products", params={"limit": limit} | ({"cursor": cursor} if cursor else {})).json()
            seen += [item["id"] for item in page["data"]]
            cursor = page["pagination"]["nextCursor"]
            if cursor is None:
                break
            for kind, hour, pick in next(changes, []):
                if kind == "insert":
                    alive |= set(_insert(database, tenant.company_id, base, hour))
                elif victims := sorted(alive - {cursor}):  # without the row of the cursor there is no next page
                    victim = victims[pick % len(victims)]
                    _delete(database, victim)
                    alive.discard(victim)
                    stays.discard(victim)

    assert len(seen) == len(set(seen))
    assert stays <= set(seen)


def _insert(database: Database, company_id: str, base: datetime, hour: int) -> list[str]:
    return factories.products(database, company_id, 1, created_at=base - timedelta(hours=hour))


def _delete(database: Database, product_id: str) -> None:
    with database.transaction(write=True) as session:
        session.execute(delete(Product).where(Product.id == product_id))


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_a_walk_ends_where_the_list_does(database: Database, server: Server, contract: Contract, count: int) -> None:
    tenant = factories.tenant(database)
    made = factories.products(database, tenant.company_id, count)

    with Client(server.url, tenant.key, contract) as client:
        walked = [item["id"] for item in client.walk("/products", limit=100)]

    assert walked == sorted(made, reverse=True)
