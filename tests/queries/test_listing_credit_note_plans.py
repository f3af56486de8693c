"""An index serves every combination of filters of credit notes, and every sum of refunds."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from app.db import Database
from app.reports import sales
from app.schemas.reports import ReportRange
from app.services import credit_notes, order_refunds
from app.services.order_refunds import ReceivedReturn
from models import CreditNoteStatus, RefundMethod, Return, ReturnStatus
from models.base import table
from tests.queries.test_listing_plans import (
    MINUTE,
    RECENTLY,
    ROWS,
    START,
    combined,
    fill,
    is_scan,
    is_sorted,
    plans,
    run_page,
    vacuum,
)
from tests.support import factories

LOOKUPS = {"order_id": f"c{70:024}", "return_id": f"c{77:024}"}
VOID_EVERY = 200  # credit notes


def fill_refunds(database: Database, company_id: str, customer_id: str) -> None:
    """Create a return of each order that `fill` has created, and a refund of each. Every fourth one is manual."""
    times = [START + number * MINUTE for number in range(ROWS)]
    ids = [{"id": f"c{number:024}", "company_id": company_id} for number in range(ROWS)]
    returns = [
        {
            **own,
            "order_id": f"c{number // 10:024}",
            "status": ReturnStatus.REFUNDED,
            "requested_at": at,
            "created_at": at,
            "updated_at": at,
        }
        for number, (own, at) in enumerate(zip(ids, times, strict=True))
    ]
    amounts = {"goods": Decimal(1), "subtotal": Decimal(1), "tax": 0, "shipping": 0, "total": Decimal(1)}
    refunds = []
    for number, (own, at) in enumerate(zip(ids, times, strict=True)):
        is_manual, is_void = number % 4 == 0, number % VOID_EVERY == 1
        refunds.append(
            {
                **own,
                **amounts,
                "order_id": f"c{number // 10:024}",
                "return_id": own["id"],
                "customer_id": customer_id if number % 30 == 1 else None,
                "method": RefundMethod.MANUAL if is_manual else RefundMethod.CREDIT_NOTE,
                "number": None if is_manual else number,
                "lines": [],
                "refunded_at": at,
                "void_reason": "A mistake." if is_void else None,
                "voided_at": at if is_void else None,
            }
        )
    with database.transaction(write=True) as session:
        session.connection().execute(table(Return).insert(), returns)
        session.connection().execute(order_refunds.TABLE.insert(), refunds)


@pytest.fixture
def company(fresh_database: Database) -> tuple[str, str]:
    """Return the ids of a company with refunds, and of a customer with some of them."""
    company_id = factories.tenant(fresh_database).company_id
    customer_id = fill(fresh_database, company_id)
    fill_refunds(fresh_database, company_id, customer_id)
    vacuum(fresh_database)
    return company_id, customer_id


def test_an_index_serves_every_combination_of_filters(fresh_database: Database, company: tuple[str, str]) -> None:
    company_id, customer_id = company
    bad: dict[tuple[str, ...], Sequence[str]] = {}
    for status in (None, *CreditNoteStatus):
        filters: dict[str, Any] = {"customer_id": customer_id, "since": START, "until": RECENTLY}
        for given in combined(filters | LOOKUPS):
            query = {**given, "status": status}
            (plan,) = plans(fresh_database, company_id, partial(run_page, credit_notes.page, query))
            is_lookup = not LOOKUPS.keys().isdisjoint(given)
            is_found = "ix_refunds_company_id_order_id" in plan or "ix_refunds_company_id_return_id" in plan
            may_sort = len(query) > 1 and not fresh_database.is_sqlite  # where it expects less than a page
            if is_scan(plan, "refunds") or is_lookup != is_found or (is_sorted(plan) and not may_sort):
                bad[str(status), *given] = [plan]
    assert bad == {}


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "ix_refunds_notes_refunded_at"),
        ({"status": "ISSUED"}, "ix_refunds_notes_refunded_at"),
        ({"status": "VOID"}, "ix_refunds_company_id_refunded_at_id"),
        ({"cursor": f"c{9001:024}"}, "ix_refunds_notes_refunded_at"),
    ],
)
def test_a_page_reads_only_its_credit_notes(
    fresh_database: Database, company: tuple[str, str], query: dict[str, Any], index: str
) -> None:
    *positions, page = plans(fresh_database, company[0], partial(run_page, credit_notes.page, {**query, "limit": 50}))

    assert index in page, page
    assert not is_sorted(page), page
    assert not any(is_scan(plan, "refunds") for plan in positions), positions


def test_indexes_serve_what_returns_can_be_refunded(fresh_database: Database, company: tuple[str, str]) -> None:
    returns = [
        ReceivedReturn(id=f"c{number:024}", order_id=f"c{number // 10:024}", status=status, goods=Decimal(1))
        for number, status in ((70, "RECEIVED"), (71, "REFUNDED"), (201, "REFUNDED"))
    ]

    found = plans(fresh_database, company[0], partial(order_refunds.refundable_amounts, returns=returns))

    assert len(found) == 2
    assert "ix_refunds_company_id_return_id" in found[0], found
    assert "ix_refunds_company_id_order_id" in found[1], found
    assert not any(is_scan(plan, name) for plan in found for name in ("refunds", "orders")), found


def test_the_sales_report_reads_only_an_index_of_refunds(fresh_database: Database, company: tuple[str, str]) -> None:
    period = ReportRange(start=RECENTLY - timedelta(days=1), end=RECENTLY, preset="custom", label="")

    plan, _ = plans(fresh_database, company[0], lambda ctx: sales.build(ctx, period))

    index = "ix_refunds_company_id_refunded_at_voided_at_total"
    assert f"COVERING INDEX {index}" in plan or f"Index Only Scan using {index}" in plan, plan
