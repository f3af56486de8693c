"""An index serves every combination of filters of a list, and every report on orders."""

import functools
import operator
import random
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import combinations
from typing import Any

import pytest
import sqlalchemy as sa

from app.context import Context
from app.db import Database
from app.errors import InvalidCursorError
from app.reports import customers as customers_report
from app.reports import inventory, sales
from app.schemas.customers import CustomerKey
from app.schemas.prices import PriceOverrideUpsert
from app.schemas.products import ProductKey
from app.schemas.reports import ReportRange
from app.services import (
    audit,
    customers,
    keys,
    movements,
    order_shipments,
    orders,
    price_writes,
    prices,
    product_writes,
    products,
    shipments,
    unique_values,
)
from app.services.price_plans import PriceWrite
from app.services.product_plans import ProductWrite
from models import CustomerStatus, KeyStatus, MovementReason, OrderStatus
from tests.support import factories
from tests.support.servers import PostgresqlStore, SqliteStore, open_database

ROWS = 20_000  # enough that PostgreSQL does not scan the whole table for a page
START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RECENTLY = START + (ROWS - 100) * MINUTE
AFTERWARDS = START + ROWS * MINUTE  # when some rows were updated, after the last one was created
KINDS = (*["common"] * 96, *"ABCD")
SHIPPED = slice(100, 600)  # the numbers of the orders with shipments
ACTOR_TYPES = ("API_KEY", "USER", "SYSTEM")
Run = Callable[[Context], object]


@dataclass(frozen=True, kw_only=True)
class FilledCompany:
    """A company with many rows of each kind, and one of its customers."""

    database: Database
    company_id: str
    customer_id: str

    def plans(self, run: Run) -> list[str]:
        """Return the plan of every statement that `run` executes."""
        return plans(self.database, self.company_id, run)


def fill(database: Database, company_id: str) -> str:
    """Create orders, products and customers of many kinds. Return the id of a customer with orders."""
    chance = random.Random(1)
    times = [START + number * MINUTE for number in range(ROWS)]
    customer_ids = [factories.customer(database, company_id, created_at=START) for _ in range(30)]
    common = [
        {
            "id": f"c{number:024}",
            "company_id": company_id,
            "created_at": at,
            "updated_at": AFTERWARDS if number < 60 else at,
        }
        for number, at in enumerate(times)
    ]
    order_fields: list[dict[str, Any]] = [
        {
            "customer_id": chance.choice(customer_ids),
            "status": chance.choice(list(OrderStatus)),
            "total": Decimal(chance.randint(1, 999)),
            "po_number": f"PO-{number % 1000}",
            "external_id": f"SHOP-{number}",
        }
        for number in range(len(common))
    ]
    amounts = [{"subtotal": fields["total"], "tax": 0, "shipping": 0} for fields in order_fields]
    product_fields: list[dict[str, Any]] = [
        {
            "name": row["id"],
            "sku": f"SKU-{number}",
            "external_id": f"ERP-{number}",
            "barcode": f"{number % 1000:08}",
            "stock": chance.randint(0, 99),
            "category": chance.choice("ABCDEFGH"),
            "is_active": chance.random() < 0.5,
            "price": 1,
        }
        for number, row in enumerate(common)
    ]
    customer_fields: list[dict[str, Any]] = [
        {
            "email": f"{row['id']}@example.com",
            "external_id": f"CRM-{number}",
            "status": chance.choice(list(CustomerStatus)),
        }
        for number, row in enumerate(common)
    ]
    with database.transaction(write=True) as session:
        for table, *parts in (
            (orders.TABLE, order_fields, amounts),
            (products.TABLE, product_fields),
            (customers.TABLE, customer_fields),
        ):
            rows = [functools.reduce(operator.or_, fields) for fields in zip(common, *parts, strict=True)]
            session.connection().execute(table.insert(), rows)
        session.connection().execute(movements.TABLE.insert(), movement_rows(company_id, times, chance))
        session.connection().execute(audit.TABLE.insert(), audit_rows(company_id, times, chance))
        session.connection().execute(prices.TABLE.insert(), price_rows(company_id, customer_ids, common))
    return customer_ids[0]


def price_rows(company_id: str, customer_ids: Sequence[str], common: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a price for each product, for one of the customers."""
    return [
        {
            "id": row["id"],
            "company_id": company_id,
            "customer_id": customer_ids[number % len(customer_ids)],
            "product_id": row["id"],
            "price": 1,
            "created_at": row["created_at"],
        }
        for number, row in enumerate(common)
    ]


def movement_rows(company_id: str, times: Sequence[datetime], chance: random.Random) -> list[dict[str, Any]]:
    """Return movements of 40 products; every second one has an order and every third one a reference."""
    return [
        {
            "id": f"c{number:024}",
            "company_id": company_id,
            "product_id": f"c{number % 40:024}",
            "sequence": number // 40 + 1,
            "reason": chance.choice([reason for reason in MovementReason if reason != MovementReason.OPENING]),
            "delta": 1,
            "stock_before": 0,
            "stock_after": 1,
            "reference": None if number % 3 else f"DN-{number % 1000}",
            "order_id": None if number % 2 else f"c{number // 10 * 10:024}",
            "actor_type": "USER",
            "actor_id": "tester",
            "created_at": at,
        }
        for number, at in enumerate(times)
    ]


def audit_rows(company_id: str, times: Sequence[datetime], chance: random.Random) -> list[dict[str, Any]]:
    """Return entries of three requests each. One in a hundred is of each kind that is not common."""
    return [
        {
            "id": f"c{number:024}",
            "company_id": company_id,
            "action": f"order.{chance.choice(KINDS)}",
            "actor_type": chance.choices(ACTOR_TYPES, (98, 1, 1))[0],
            "actor_id": f"key-{chance.choice(KINDS)}",
            "entity_type": f"type-{chance.choice(KINDS)}",
            "entity_id": f"c{number % 4000:024}",
            "details": {},
            "request_id": f"request-{number // 3}",
            "created_at": at,
        }
        for number, at in enumerate(times)
    ]


def fill_shipments(company: FilledCompany) -> None:
    """Create 40 shipments of each of 500 orders, which `fill` has created. No other test looks up these orders."""
    times = [START + number * MINUTE for number in range(ROWS)]
    common = [{"id": f"c{number:024}", "company_id": company.company_id} for number in range(ROWS)]
    item_rows = [
        {
            **row,
            "order_id": row["id"],
            "position": 0,
            "product_id": row["id"],
            "quantity": 40,
            "unit_price": 1,
        }
        for row in common[SHIPPED]
    ]
    shipment_rows = [
        {
            **row,
            "order_id": common[SHIPPED][number // 40]["id"],
            "tracking_numbers": [],
            "shipped_at": at,
            "created_at": at,
            "updated_at": at,
        }
        for number, (row, at) in enumerate(zip(common, times, strict=True))
    ]
    shipped_rows = [
        {
            **row,
            "shipment_id": row["id"],
            "order_item_id": common[SHIPPED][number // 40]["id"],
            "position": 0,
            "quantity": 1,
        }
        for number, row in enumerate(common)
    ]
    with company.database.transaction(write=True) as session:
        connection = session.connection()
        connection.execute(orders.ITEMS.insert(), item_rows)
        connection.execute(order_shipments.TABLE.insert(), shipment_rows)
        connection.execute(order_shipments.ITEMS.insert(), shipped_rows)
        is_shipped = orders.TABLE.c.id.in_([row["id"] for row in common[SHIPPED]])
        connection.execute(orders.TABLE.update().values(has_shipments=True).where(is_shipped))


VACUUM = {"sqlite": "PRAGMA wal_checkpoint(TRUNCATE)", "postgresql": "VACUUM ANALYZE"}


def vacuum(database: Database) -> None:
    engine = sa.create_engine(database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(VACUUM[database.url.get_backend_name()]))
    engine.dispose()


@contextmanager
def filled_company(
    store: SqliteStore | PostgresqlStore, fill_more: Callable[[FilledCompany], None]
) -> Iterator[FilledCompany]:
    """Create and fill a database for all tests of a module: they only read it."""
    url = store.create(f"filled_{uuid.uuid4().hex}")
    database = open_database(url)
    company_id = factories.tenant(database).company_id
    company = FilledCompany(database=database, company_id=company_id, customer_id=fill(database, company_id))
    fill_more(company)
    vacuum(database)
    yield company
    database.dispose()
    store.drop(url)


@pytest.fixture(scope="module")
def filled(store: SqliteStore | PostgresqlStore) -> Iterator[FilledCompany]:
    """Return a company with shipments."""
    with filled_company(store, fill_shipments) as company:
        yield company


def plans(database: Database, company_id: str, run: Run) -> list[str]:
    """Return the plan of every statement that `run` executes, except the one that reads locks."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "pg_locks" not in statement:
            seen.append((statement, parameters))

    with database.transaction() as session:
        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", note)
        run(factories.context(session, company_id))
        sa.event.remove(connection, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        return ["\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + s, p)) for s, p in seen]


def run_page(page: Callable[..., object], filters: dict[str, Any], ctx: Context) -> object:
    return page(ctx, **filters)


def combined(filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for size in range(len(filters) + 1):
        for names in combinations(filters, size):
            yield {name: filters[name] for name in names}


LOOKED_UP = {
    "orders": re.compile("ix_orders_company_id_po_number_created_at_id|uq_orders_company_id_external_id"),
    "products": re.compile(r"uq_products_company_id|\(company_id=\? AND (sku|external_id)=\?\)|ix_products_barcode"),
    "customers": re.compile(r"uq_customers_company_id|\(company_id=\? AND (email|external_id)=\?\)"),
    "audit_entries": re.compile("ix_audit_entries_company_id_(entity|request)_id_created_at_id"),
    "inventory_movements": re.compile("ix_inventory_movements_(order|reference)"),
}
SEARCHED = {"products", "customers"}


def is_indexed(plan: str, table: str) -> bool:
    return re.search(f"ix_{table}_(company_id_|low_stock)", plan) is not None and not is_scan(plan, table)


def is_scan(plan: str, table: str) -> bool:
    return "Seq Scan" in plan or f"SCAN {table}" in plan


def is_sorted(plan: str) -> bool:
    return "Sort" in plan or "TEMP B-TREE" in plan


def test_an_index_serves_every_combination_of_filters(filled: FilledCompany) -> None:
    since = {"updated_since": AFTERWARDS}
    reference, order = {"reference": "DN-78"}, {"order_id": f"c{70:024}"}
    entity, request = {"entity_id": f"c{77:024}"}, {"request_id": "request-7"}
    lists: Sequence[tuple[str, Callable[..., object], dict[str, Any], dict[str, Any]]] = [
        *(
            (
                "orders",
                orders.page,
                {"status": "SHIPPED", "customer_id": filled.customer_id, "since": START, "until": RECENTLY, **since},
                lookup,
            )
            for lookup in ({"po_number": "PO-77"}, {"external_id": "SHOP-77"})
        ),
        *(
            ("products", products.page, {"category": "A", "active": True, "low_stock": low_stock, **since}, lookup)
            for lookup in ({"sku": "SKU-77"}, {"external_id": "ERP-77"}, {"barcode": "00000077"})
            for low_stock in (True, False)
        ),
        *(
            ("customers", customers.page, {"status": "ACTIVE", **since}, lookup)
            for lookup in ({"email": f"c{77:024}@example.com"}, {"external_id": "CRM-77"})
        ),
        *(
            (
                "inventory_movements",
                movements.page,
                {"product_id": f"c{7:024}", "reason": "DAMAGED", "since": START, "until": RECENTLY},
                lookup,
            )
            for lookup in (reference, order, {**reference, **order})
        ),
        *(
            (
                "audit_entries",
                audit.page,
                {
                    "action": "order.A",
                    "actor_type": "USER",
                    "actor_id": "key-B",
                    "entity_type": "type-C",
                    "since": START,
                    "until": RECENTLY,
                },
                lookup,
            )
            for lookup in (entity, request, {**entity, **request})
        ),
    ]
    bad = {}
    for table, page, filters, lookup in lists:
        for given in combined({**filters, "search": "abc"} if table in SEARCHED else filters):
            (plan, *items) = filled.plans(partial(run_page, page, {**given, **lookup}))
            if (
                not LOOKED_UP[table].search(plan)
                or is_scan(plan, table)
                or any("order_items" not in item_plan for item_plan in items)
            ):
                bad[table, *given, *lookup] = [plan, *items]
        for given in combined(filters):
            found = filled.plans(partial(run_page, page, given))
            pages = [plan for plan in found if "order_items" not in plan]
            if "updated_since" in given and "company_id_updated_at_" not in pages[-1]:
                bad[table, *given, "older"] = pages
            # Older rows that were updated are sorted. PostgreSQL also sorts where it expects less than a page.
            may_sort = "updated_since" in given or (len(given) > 1 and not filled.database.is_sqlite)
            if not all(is_indexed(plan, table) and (may_sort or not is_sorted(plan)) for plan in pages):
                bad[table, *given] = pages

    assert bad == {}


def test_an_index_serves_each_key_of_a_write(filled: FilledCompany) -> None:
    keys = [ProductKey("sku", "SKU-1"), ProductKey("external_id", "ERP-2"), ProductKey("id", f"c{3:024}")]
    writes = [ProductWrite(key=key, fields={}) for key in keys]

    for named in (writes[:1], writes):
        (plan,) = filled.plans(partial(product_writes.load, writes=named))
        assert not is_scan(plan, "products"), plan
        assert "company_id=?)" not in plan, plan


def test_an_index_serves_the_price_overrides_of_a_product(filled: FilledCompany) -> None:
    plan, *_ = filled.plans(partial(prices.delete_of_product, product_id=f"c{1:024}"))

    assert "ix_price_overrides_company_id_product_id" in plan


def test_an_index_serves_the_prices_of_a_customer(filled: FilledCompany) -> None:
    for cursor in ({}, {"cursor": f"c{9000:024}"}):
        run = partial(run_page, partial(prices.page, customer_id=filled.customer_id), cursor)
        (_, *positions, page) = filled.plans(run)
        assert "ix_price_overrides_customer" in page, page
        assert not is_sorted(page), page
        assert not any(is_scan(plan, "price_overrides") for plan in positions), positions


def test_an_index_serves_the_shipments_of_an_order(filled: FilledCompany) -> None:
    order_id, shipment_id = f"c{SHIPPED.start + 7:024}", f"c{7 * 40 + 15:024}"

    for cursor in ({}, {"cursor": shipment_id}):
        run = partial(run_page, partial(shipments.page, order_id=order_id, limit=5), cursor)
        (_, *positions, page, items) = filled.plans(run)
        assert "ix_shipments_company_id_order_id_created_at_id" in page, page
        assert not is_sorted(page), page
        assert not any(is_scan(plan, "shipment") for plan in (*positions, items)), [*positions, items]

    *_, found = filled.plans(partial(orders.get, order_id=order_id))
    assert "ix_shipments_company_id_order_id_created_at_id" in found, found
    assert not is_scan(found, "shipment"), found


def test_an_index_finds_a_price_that_was_removed(filled: FilledCompany) -> None:
    def run(ctx: Context) -> None:
        with pytest.raises(InvalidCursorError):
            prices.page(ctx, filled.customer_id, cursor="unknown")

    *_, removal = filled.plans(run)
    assert "ix_audit_entries_company_id_entity_id_created_at_id" in removal, removal
    assert not is_sorted(removal), removal


def test_an_index_serves_each_price_of_a_write(filled: FilledCompany) -> None:
    customer, draft = CustomerKey("id", filled.customer_id), PriceOverrideUpsert(price=Decimal(1))
    writes = [PriceWrite(customer, ProductKey("sku", f"SKU-{number}"), draft) for number in range(3)]

    for named in (writes[:1], writes):
        found = filled.plans(partial(price_writes.load, writes=named))
        assert len(found) == 3
        for plan, table in zip(found, ("customers", "products", "price_overrides"), strict=True):
            assert not is_scan(plan, table), plan


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (customers.TABLE, {"email": f"c{7:024}@example.com", "external_id": "CRM-8"}),
        (customers.TABLE, {"external_id": "CRM-8"}),
        (orders.TABLE, {"external_id": "SHOP-7"}),
    ],
)
def test_an_index_finds_the_owners_of_unique_values(
    filled: FilledCompany, table: sa.Table, values: dict[str, object]
) -> None:
    (plan,) = filled.plans(partial(unique_values.taken, table=table, values=values))
    of_nulls = partial(unique_values.taken, table=table, values=dict.fromkeys(values))

    assert filled.plans(of_nulls) == []
    assert sum(LOOKED_UP[table.name].search(line) is not None for line in plan.splitlines()) == len(values), plan
    assert not is_scan(plan, table.name), plan


SEARCH_INDEX_SCAN = {
    "sqlite": "SCAN search_{} VIRTUAL TABLE INDEX",
    "postgresql": "Bitmap Index Scan on search_{}_search_text",
}
BY_ID = re.compile(
    r"sqlite_autoindex_\w+ \((company_id=\? AND )?id=\?\)|Scan (using|on) (pk_\w+|uq_\w+_company_id_id)\b"
)


@pytest.mark.parametrize(
    ("table", "page", "filters"),
    [
        (
            "products",
            products.page,
            {"category": "A", "active": True, "low_stock": True, "updated_since": RECENTLY},
        ),
        ("customers", customers.page, {"status": "ACTIVE", "updated_since": RECENTLY}),
    ],
    ids=("products", "customers"),
)
def test_indexes_serve_search_with_every_combination_of_filters(
    filled: FilledCompany, table: str, page: Callable[..., object], filters: dict[str, Any]
) -> None:
    filled.plans(partial(run_page, page, {"search": "abc"}))  # looks up once whether there is an index
    for given in combined(filters):
        rare = filled.plans(partial(run_page, page, {**given, "search": "000000013210"}))
        common = filled.plans(partial(run_page, page, {**given, "search": "c000"}))

        index_plan, page_plan = rare
        assert SEARCH_INDEX_SCAN[filled.database.url.get_backend_name()].format(table) in index_plan, index_plan
        assert BY_ID.search(page_plan), page_plan
        assert all(is_indexed(plan, table) for plan in common[1:]), (given, common)


@pytest.mark.parametrize("length", [timedelta(hours=6), timedelta(days=1)])
def test_a_report_reads_only_an_index(filled: FilledCompany, length: timedelta) -> None:
    period = ReportRange(start=RECENTLY - length, end=RECENTLY, preset="custom", label="")

    by_day = filled.plans(lambda ctx: sales.build(ctx, period))
    by_customer = filled.plans(lambda ctx: customers_report.build(ctx, period))

    assert (len(by_day), len(by_customer)) == (2, 1)
    only = (
        "COVERING INDEX ix_orders_",
        "Index Only Scan using ix_orders_",
        "Index Only Scan Backward using ix_orders_",
    )
    for plan in [*by_day, *by_customer]:
        assert any(scan in plan for scan in only), plan
        assert "Seq Scan on orders" not in plan, plan
        assert "SCAN orders" not in plan, plan
    assert "status_created_at_id_total" in by_day[1]


def test_an_inventory_report_takes_two_statements(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)

    assert len(plans(fresh_database, tenant.company_id, inventory.build)) == 2


def test_an_index_serves_the_keys_with_each_status(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    ends: Sequence[dict[str, Any]] = [{}, {"revoked_at": START}, {"expires_at": START}]
    rows = [
        {
            "id": f"c{number:024}",
            "company_id": tenant.company_id,
            "name": "Key",
            "prefix": f"dk_{number:09}",
            "digest": number.to_bytes(32, "big"),
            "scopes": [],
            "created_at": START + number * MINUTE,
            "created_by": "tester",
            "revoked_at": None,
            "expires_at": None,
            **ends[number % 3],
        }
        for number in range(ROWS)
    ]
    with fresh_database.transaction(write=True) as session:
        session.connection().execute(keys.TABLE.insert(), rows)
    vacuum(fresh_database)

    for status in (None, *KeyStatus):
        for cursor in (None, f"c{ROWS // 2:024}"):
            run = partial(run_page, keys.page, {"status": status, "cursor": cursor})
            plan = plans(fresh_database, tenant.company_id, run)[-1]

            assert is_indexed(plan, "api_keys"), plan
            assert not is_sorted(plan), plan
