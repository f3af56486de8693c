"""Revisions and models describe one schema; pages are read from an index, in a fixed number of statements."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from app import schema_check
from app.context import now
from app.db import Database
from app.errors import RefusalError
from app.schemas.orders import OrderCreate, OrderItemCreate
from app.schemas.webhooks import WebhookCreate, WebhookSecretRotate
from app.services import orders, products, webhook_secrets, webhooks
from models import Base
from tests.support import factories


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the tables of the search index, which the revisions do not create."""
    return kind != "table" or not str(name).startswith("search_")


def test_the_revisions_create_the_schema_of_the_models(fresh_database: Database) -> None:
    with fresh_database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, Base.metadata) == []


def test_a_downgrade_keeps_the_newest_previous_secret(fresh_database: Database) -> None:
    tenant = factories.tenant(fresh_database)
    with fresh_database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        made = webhooks.create(ctx, WebhookCreate(url="https://example.com/", events=["order.created"]))
        *_, before, last = [webhooks.rotate_secret(ctx, made.id, WebhookSecretRotate()) for _ in range(3)]

    with fresh_database.connection() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(schema_check.MIGRATIONS))
        config.set_main_option("path_separator", "os")
        command.downgrade(config, "0007")
        kept = connection.execute(sa.text("SELECT secret, previous_secret FROM webhooks")).one()
        command.upgrade(config, "head")

    assert tuple(kept) == (last.secret, before.secret)
    with fresh_database.transaction() as session:
        row = webhooks.SELECT_SECRETS.one(session, {"own_company_id": tenant.company_id, "id": made.id})
    assert webhook_secrets.valid(row, now()) == [last.secret, before.secret]


@contextmanager
def recorded(session: Any) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    engine = session.connection().engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield statements
    sa.event.remove(engine, "before_cursor_execute", note)


FILTERS: list[dict[str, Any]] = [
    {},
    {"category": "Hardware"},
    {"active": True},
    {"category": "Hardware", "active": True},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_a_page_takes_one_statement_and_a_cursor_one_more(fresh_database: Database, filters: dict[str, Any]) -> None:
    tenant = factories.tenant(fresh_database)
    factories.products(fresh_database, tenant.company_id, 120)
    with fresh_database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        with recorded(session) as statements:
            page = products.page(ctx, limit=100, **filters)
        assert len(statements) == 1
        with recorded(session) as statements:
            products.page(ctx, limit=100, cursor=page.next_cursor, **filters)
        assert len(statements) == 2


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_a_page_is_served_by_an_index_without_sorting(fresh_database: Database, filters: dict[str, Any]) -> None:
    tenant = factories.tenant(fresh_database)
    made = factories.products(fresh_database, tenant.company_id, 3000)
    with fresh_database.transaction(write=True) as session:
        session.execute(sa.text("ANALYZE"))
    with fresh_database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        with recorded(session) as statements:
            products.page(ctx, limit=100, cursor=made[1500], **filters)
        statement, parameters = statements[-1]
        explain = "EXPLAIN QUERY PLAN " if fresh_database.is_sqlite else "EXPLAIN "
        rows = session.connection().exec_driver_sql(explain + statement, parameters).all()
    plan = "\n".join(str(row[-1]) for row in rows)

    assert "ix_products_company_id_" in plan, plan
    assert "TEMP B-TREE" not in plan, plan
    assert "Sort" not in plan, plan


@pytest.mark.parametrize("lines", [1, 20])
def test_a_page_of_orders_takes_the_same_statements_for_any_number_of_items(
    fresh_database: Database, lines: int
) -> None:
    tenant = factories.tenant(fresh_database)
    customer = factories.customer(fresh_database, tenant.company_id)
    bought = factories.products(fresh_database, tenant.company_id, lines, stock=1000)
    items = [OrderItemCreate(product_id=product, quantity=1) for product in bought]
    draft = OrderCreate(customer_id=customer, items=items)
    with fresh_database.transaction(write=True) as session:
        ctx = factories.context(session, tenant.company_id)
        with recorded(session) as statements:
            orders.place(ctx, draft)
        assert len(statements) == 9
        refused = OrderCreate(
            customer_id="x", items=[OrderItemCreate(product_id=product, quantity=2000) for product in bought]
        )
        with recorded(session) as statements, pytest.raises(RefusalError) as caught:
            orders.place(ctx, refused)
        assert len(caught.value.refusals) == 1 + lines
        assert len(statements) == 2
        for _ in range(100):
            orders.place(ctx, draft)
    with fresh_database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        with recorded(session) as statements:
            page = orders.page(ctx, limit=100)
        assert len(page.items) == 100 * lines
        assert len(statements) == 2
        with recorded(session) as statements:
            orders.page(ctx, limit=100, cursor=page.page.next_cursor)
        assert len(statements) == 3


ORDER_FILTERS: list[dict[str, Any]] = [{}, {"status": "SUBMITTED"}, {"customer_id": "c" + "0" * 24}]


@pytest.mark.parametrize("filters", ORDER_FILTERS, ids=str)
def test_a_page_of_orders_is_served_by_an_index(fresh_database: Database, filters: dict[str, Any]) -> None:
    tenant = factories.tenant(fresh_database)
    customer = factories.customer(fresh_database, tenant.company_id)
    factories.orders(fresh_database, tenant.company_id, customer, 3000)
    with fresh_database.transaction(write=True) as session:
        session.execute(sa.text("ANALYZE"))
    with fresh_database.transaction() as session:
        ctx = factories.context(session, tenant.company_id)
        with recorded(session) as statements:
            orders.page(ctx, limit=100, **filters)
        statement, parameters = statements[0]
        explain = "EXPLAIN QUERY PLAN " if fresh_database.is_sqlite else "EXPLAIN "
        rows = session.connection().exec_driver_sql(explain + statement, parameters).all()
    plan = "\n".join(str(row[-1]) for row in rows)

    assert re.search("ix_orders_(company_id_|placed)", plan), plan
    assert "TEMP B-TREE" not in plan, plan
    assert "Sort" not in plan, plan
