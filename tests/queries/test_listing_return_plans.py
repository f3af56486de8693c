"""The plans of lists and writes of returns: an index serves each of them on both databases."""

import random
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from app.context import Context
from app.db import Database
from app.queries import tenant
from app.services import order_refunds, orders, return_creation, return_items, return_versions, returns
from models import ReturnStatus
from tests.queries.test_listing_plans import (
    AFTERWARDS,
    MINUTE,
    RECENTLY,
    ROWS,
    START,
    FilledCompany,
    combined,
    filled_company,
    is_indexed,
    is_scan,
    is_sorted,
    run_page,
)
from tests.support.servers import PostgresqlStore, SqliteStore

LOOKED_UP = re.compile("uq_returns_company_id_external_id|ix_returns_company_id_order_id_created_at_id")
PARTS = ("return_items", "refunds")  # of the statements that read items and amounts


def fill_returns(company: FilledCompany) -> None:
    """Create 20 returns of each of 1,000 orders, which `fill` has created, with an item and a refund each."""
    chance = random.Random(3)
    at = [START + number * MINUTE for number in range(ROWS)]
    common = [{"id": f"c{number:024}", "company_id": company.company_id} for number in range(ROWS)]
    order_ids = [f"c{number // 20:024}" for number in range(ROWS)]
    first, nothing = {"position": 0, "quantity": 1}, dict.fromkeys(("goods", "subtotal", "tax", "shipping", "total"), 0)
    tables: dict[sa.Table, list[dict[str, Any]]] = {
        orders.ITEMS: [{"order_id": row["id"], "product_id": row["id"], "unit_price": 1, **first} for row in common],
        return_items.TABLE: [
            {
                "order_id": order_id,
                "customer_id": chance.choice([company.customer_id, *[None] * 9]),
                "status": chance.choice(list(ReturnStatus)),
                "external_id": f"RMA-{number}",
                "requested_at": at[number],
                "created_at": at[number],
                "updated_at": AFTERWARDS if number < 60 else at[number],
            }
            for number, order_id in enumerate(order_ids)
        ],
        return_items.ITEMS: [
            {"return_id": row["id"], "order_item_id": order_id, **first}
            for row, order_id in zip(common, order_ids, strict=True)
        ],
        order_refunds.TABLE: [
            {"return_id": row["id"], "order_id": order_id, "method": "MANUAL", "lines": [], "refunded_at": START}
            | nothing
            for row, order_id in zip(common, order_ids, strict=True)
        ],
    }
    with company.database.transaction(write=True) as session:
        for table, fields in tables.items():
            rows = [{**row, **one} for row, one in zip(common, fields, strict=True)]
            session.connection().execute(table.insert(), rows)


@pytest.fixture(scope="module")
def company(store: SqliteStore | PostgresqlStore) -> Iterator[FilledCompany]:
    """Return a company with returns."""
    with filled_company(store, fill_returns) as company:
        yield company


def is_page(plan: str) -> bool:
    return not any(part in plan for part in PARTS)


def is_efficient(database: Database, plan: str, names: Sequence[str]) -> bool:
    """Return whether the plan of a page with these filters uses an index, in the order of the list where it can."""
    may_sort = "updated_since" in names or (len(names) > 1 and not database.is_sqlite)
    return is_indexed(plan, "returns") and (may_sort or not is_sorted(plan))


def test_an_index_serves_every_combination_of_filters(company: FilledCompany) -> None:
    order, external = {"order_id": f"c{77:024}"}, {"external_id": "RMA-77"}
    filters = {"status": "APPROVED", "customer_id": company.customer_id, "since": START, "until": RECENTLY}
    bad = {}
    for given in combined({**filters, "updated_since": AFTERWARDS}):
        found = company.plans(partial(run_page, returns.page, given))
        pages, parts = [plan for plan in found if is_page(plan)], [plan for plan in found if not is_page(plan)]
        if not all(is_efficient(company.database, plan, list(given)) for plan in pages) or any(map(scans, parts)):
            bad[tuple(given)] = found
        for lookup in (order, external, {**order, **external}):
            (page, *others) = company.plans(partial(run_page, returns.page, {**given, **lookup}))
            if not LOOKED_UP.search(page) or is_scan(page, "returns") or any(map(scans, others)):
                bad[(*given, *lookup)] = [page, *others]

    assert bad == {}


def test_a_page_has_a_fixed_number_of_statements(company: FilledCompany) -> None:
    counts = {limit: len(company.plans(partial(run_page, returns.page, {"limit": limit}))) for limit in (20, 100)}

    assert counts == {20: 4, 100: 4}  # the page, its items, which are refunded, and what of their orders is refunded


def test_an_index_serves_each_statement_of_a_write(company: FilledCompany) -> None:
    return_id, order_id = f"c{157:024}", f"c{7:024}"
    statements = (
        partial(run_statement, return_creation.SELECT_RETURNED.sql, {"order_id": order_id}),
        partial(run_statement, return_versions.VERSION.sql, {"id": return_id}),
        partial(run_statement, returns.SELECT_ONE.sql, {"id": return_id}),
        partial(run_statement, return_items.SELECT_ITEMS.sql, {"return_ids": [return_id]}),
    )

    for run in statements:
        (plan,) = company.plans(run)
        assert not scans(plan), plan


def run_statement(statement: sa.Executable, parameters: dict[str, Any], ctx: Context) -> object:
    return ctx.session.execute(statement, tenant.params(ctx, **parameters)).all()


def scans(plan: str) -> bool:
    """Return whether a plan reads a whole table."""
    tables = ("returns", "return_items", "order_items", "products", "orders", "refunds")
    return any(is_scan(plan, name) for name in tables)
