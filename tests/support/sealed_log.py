"""A company whose audit log is sealed, and changes of it that the server did not make."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Table

from app.context import Context, now
from app.db import Database
from app.delivery.sealer import Sealer
from app.services import audit, audit_seals, unsealed_entries
from app.services.audit_seals import ENTRIES
from app.services.audit_seals import TABLE as SEALS
from app.verification import audit_chain, verifier
from app.verification.check import AnyCheck
from app.verification.verifier import Result, VerifiedCompany
from models.base import MILLISECOND
from tests.support import factories, waiting
from tests.support.verified_shop import unprotected

ADVICE = ". Compare it with a backup, as in docs/deployment.md, The seal of the audit log."
HOUR = timedelta(hours=1)


class SealedLog:
    """A log with `count` entries one second apart, and after them the two entries of a new company."""

    def __init__(self, database: Database, count: int = 6) -> None:
        self.database = database
        self.tenant = factories.tenant(database)
        self.start = now() - HOUR
        self.add(*range(count))
        self.seal()
        self.ids = self.entry_ids()

    @contextlib.contextmanager
    def context(self, *, write: bool = False) -> Iterator[Context]:
        """Yield the context of a transaction."""
        with self.database.transaction(write=write) as session:
            yield factories.context(session, self.tenant.company_id)

    def add(self, *seconds: float, details: dict[str, Any] | None = None) -> None:
        """Record entries with a time so many seconds after the start."""
        with self.context(write=True) as ctx:
            for number in seconds:
                at = replace(ctx, now=self.start + timedelta(seconds=number))
                audit.record(at, "price.set", "customer", str(number), details or {"total": 12.5, "count": 1})

    def append(self, count: int = 1) -> None:
        """Record entries now."""
        with self.context(write=True) as ctx:
            for number in range(count):
                audit.record(ctx, "price.set", "customer", str(number))

    def seal(self) -> None:
        """Seal every entry."""
        seal_all(self.database)

    def entry_ids(self) -> list[str]:
        """Return the ids of the entries in the order of the log."""
        query = sa.select(ENTRIES.c.id).where(ENTRIES.c.company_id == self.tenant.company_id)
        with self.context() as ctx:
            return list(ctx.session.scalars(query.order_by(ENTRIES.c.created_at, ENTRIES.c.id)))

    def sealed_ids(self) -> list[str]:
        """Return the ids of the sealed entries in the order of their numbers, which have no gaps."""
        query = sa.select(SEALS.c.number, SEALS.c.id).where(SEALS.c.company_id == self.tenant.company_id)
        with self.context() as ctx:
            rows = ctx.session.execute(query.order_by(SEALS.c.number)).all()
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        return [row.id for row in rows]

    def latest(self) -> bytes:
        """Return the last seal."""
        with self.context() as ctx:
            last = audit_seals.latest(ctx)
        assert last is not None
        return last.seal

    def value(self, table: Table, entry_id: str, column: str) -> Any:
        """Return a value of an entry or seal."""
        with self.context() as ctx:
            return ctx.session.execute(sa.select(table.c[column]).where(table.c.id == entry_id)).scalar_one()

    def update(self, table: Table, entry_id: str, **values: Any) -> None:
        """Change an entry or a seal."""
        with unprotected(self.database) as connection:
            connection.execute(sa.update(table).where(table.c.id == entry_id).values(**values))

    def delete(self, table: Table, *ids: str) -> None:
        """Remove entries or seals."""
        with unprotected(self.database) as connection:
            connection.execute(sa.delete(table).where(table.c.id.in_(ids)))

    def swap(self, table: Table, one: str, other: str, *columns: str) -> None:
        """Exchange the values of two entries or seals."""
        first = {name: self.value(table, one, name) for name in columns}
        second = {name: self.value(table, other, name) for name in columns}
        with unprotected(self.database) as connection:
            for number, (row_id, values) in enumerate([(one, second), (other, first)]):
                temporary = {"number": 1_000 + number} if "number" in values else {}
                if temporary:
                    connection.execute(sa.update(table).where(table.c.id == row_id).values(**temporary))
            for row_id, values in ((one, second), (other, first)):
                connection.execute(sa.update(table).where(table.c.id == row_id).values(**values))

    def verify(self, check: AnyCheck = audit_chain.CHECK) -> Result:
        """Return the result of a check of the company."""

        @contextlib.contextmanager
        def transaction(company_id: str) -> Iterator[Context]:
            with self.database.transaction() as session:
                yield factories.context(session, company_id)

        company = VerifiedCompany(self.tenant.company_id, self.tenant.slug)
        (result,) = verifier.run([check], [company], transaction, lambda *_: None)
        return result

    def problem(self) -> tuple[str, str]:
        """Return the entity and the id of the first problem of the chain, and its text without the advice."""
        first = self.verify().first
        assert first is not None
        assert first.company == self.tenant.slug
        assert first.problem.text.endswith(ADVICE)
        return f"{first.problem.entity} {first.problem.id}", first.problem.text.removesuffix(ADVICE)


def seal_all(database: Database) -> None:
    """Seal every entry that every company has now."""
    sealer, until = Sealer(database, settling=timedelta(0)), now() + MILLISECOND

    def is_done() -> bool:
        sealer.seal_batch()
        with database.transaction() as session:
            return not unsealed_entries.pending_companies(session, until)

    waiting.eventually(is_done, "every entry is sealed")
