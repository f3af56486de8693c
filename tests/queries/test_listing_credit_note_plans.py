"""An index serves every combination of filters of credit notes, and every sum of refunds."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

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
    FilledCompany,
    combined,
    filled_company,
    is_scan,
    is_sorted,
    run_page,
)
from tests.support.servers import PostgresqlStore, SqliteStore

LOOKUPS = {"order_id": f"c{70:024}", "return_id": f"c{77:024}"}
VOID_EVERY = 200  # credit notes


def fill_refunds(company: FilledCompany) -> None:
    """Create a return of each order that `fill` has created, and a refund of each. Every fourth one is manual."""
    times = [START + number * MINUTE for number in range(ROWS)]
    ids = [{"id": f"c{number:024}", "company_id": company.company_id} for number in range(ROWS)]
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
                "customer_id": company.customer_id if number % 30 == 1 else None,
                "method": RefundMethod.MANUAL if is_manual else RefundMethod.CREDIT_NOTE,
                "number": None if is_manual else number,
                "lines": [],
                "refunded_at": at,
                "void_reason": "A mistake." if is_void else None,
                "voided_at": at if is_void else None,
            }
        )
    with company.database.transaction(write=True) as session:
        session.connection().execute(table(Return).insert(), returns)
        session.connection().execute(order_refunds.TABLE.insert(), refunds)


@pytest.fixture(scope="module")
def company(store: SqliteStore | PostgresqlStore) -> Iterator[FilledCompany]:
    """Return a company with refunds."""
    with filled_company(store, fill_refunds) as company:
        yield company


def test_an_index_serves_every_combination_of_filters(company: FilledCompany) -> None:
    bad: dict[tuple[str, ...], Sequence[str]] = {}
    for status in (None, *CreditNoteStatus):
        filters: dict[str, Any] = {"customer_id": company.customer_id, "since": START, "until": RECENTLY}
        for given in combined(filters | LOOKUPS):
            query = {**given, "status": status}
            (plan,) = company.plans(partial(run_page, credit_notes.page, query))
            is_lookup = not LOOKUPS.keys().isdisjoint(given)
            is_found = "ix_refunds_company_id_order_id" in plan or "ix_refunds_company_id_return_id" in plan
            may_sort = len(query) > 1 and not company.database.is_sqlite  # where it expects less than a page
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
def test_a_page_reads_only_its_credit_notes(company: FilledCompany, query: dict[str, Any], index: str) -> None:
    *positions, page = company.plans(partial(run_page, credit_notes.page, {**query, "limit": 50}))

    assert index in page, page
    assert not is_sorted(page), page
    assert not any(is_scan(plan, "refunds") for plan in positions), positions


def test_indexes_serve_what_returns_can_be_refunded(company: FilledCompany) -> None:
    returns = [
        ReceivedReturn(id=f"c{number:024}", order_id=f"c{number // 10:024}", status=status, goods=Decimal(1))
        for number, status in ((70, "RECEIVED"), (71, "REFUNDED"), (201, "REFUNDED"))
    ]

    found = company.plans(partial(order_refunds.refundable_amounts, returns=returns))

    assert len(found) == 2
    assert "ix_refunds_company_id_return_id" in found[0], found
    assert "ix_refunds_company_id_order_id" in found[1], found
    assert not any(is_scan(plan, name) for plan in found for name in ("refunds", "orders")), found


def test_the_sales_report_reads_only_an_index_of_refunds(company: FilledCompany) -> None:
    period = ReportRange(start=RECENTLY - timedelta(days=1), end=RECENTLY, preset="custom", label="")

    plan, _ = company.plans(lambda ctx: sales.build(ctx, period))

    index = "ix_refunds_company_id_refunded_at_voided_at_total"
    assert f"COVERING INDEX {index}" in plan or f"Index Only Scan using {index}" in plan, plan
