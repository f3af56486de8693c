"""Revisions and models say the same; pages are served by an index, in a fixed number of statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.db import Database
from app.services import products
from models import Base
from tests.support import factories


def test_the_revisions_make_what_the_models_describe(fresh_database: Database) -> None:
    with fresh_database.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


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
def test_a_page_takes_one_statement_and_its_cursor_one_more(fresh_database: Database, filters: dict[str, Any]) -> None:
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
