"""The totals of the sales report in hand-written SQL. The report is compared with the fastest statement."""

import time
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.db import Database
from models import OrderStatus
from models.base import EPOCH, MILLISECOND

DAY = 86_400_000
STATUSES = ", ".join(f"('{status}')" for status in OrderStatus)
IN_RANGE = "company_id = :company AND created_at BETWEEN :first AND :last"
SQLITE = {
    "GROUP BY": f"SELECT created_at / {DAY}, status, count(*), sum(total) FROM orders WHERE {IN_RANGE} GROUP BY 1, 2",
    "lookups": f"""
        WITH RECURSIVE days(day) AS
          (SELECT :first / {DAY} UNION ALL SELECT day + 1 FROM days WHERE day < :last / {DAY}),
          statuses(status) AS (VALUES {STATUSES})
        SELECT day, status, (SELECT count(*) || ',' || coalesce(sum(total), 0) FROM orders
          WHERE company_id = :company AND orders.status = statuses.status
          AND created_at BETWEEN max(day * {DAY}, :first) AND min(day * {DAY} + {DAY - 1}, :last))
        FROM days, statuses""",
}
POSTGRESQL = {
    "GROUP BY": f"""SELECT (created_at AT TIME ZONE 'UTC')::date, status, count(*), sum(total) FROM orders
        WHERE {IN_RANGE} GROUP BY 1, 2""",
    "lookups": f"""SELECT day, status, counted, revenue
        FROM generate_series(CAST(:first AS timestamptz), CAST(:last AS timestamptz), '1 day') day
        CROSS JOIN (VALUES {STATUSES}) statuses(status) CROSS JOIN LATERAL
          (SELECT count(*) counted, sum(total) revenue FROM orders WHERE company_id = :company
           AND orders.status = statuses.status AND created_at >= day AND created_at < day + interval '1 day') found""",
}
ROUNDS = 7


def fastest_ms(database: Database, company_id: str, first: datetime, last: datetime) -> dict[str, float]:
    """Return the shortest of ROUNDS times of each statement, in milliseconds, with its rows fetched."""
    statements = SQLITE if database.is_sqlite else POSTGRESQL
    ends: list[Any] = [first, last]
    if database.is_sqlite:
        ends = [(end - EPOCH) // MILLISECOND for end in ends]
    values = {"company": company_id, "first": ends[0], "last": ends[1]}
    with database.transaction() as session:
        return {name: _best_ms(session, sa.text(sql), values) for name, sql in statements.items()}


def _best_ms(session: Any, statement: sa.TextClause, values: dict[str, Any]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        session.execute(statement, values).all()
        times.append(time.perf_counter() - start)
    return min(times) * 1000
