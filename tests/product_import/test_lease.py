"""The lease of an import: one import at a time, and what happens when its process is killed."""

import io
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from app.context import now
from app.db import Database
from app.errors import DatabaseUnavailableError
from app.http import housekeeping
from app.product_import import applying, importer, lease, staging
from app.product_import.comparison import compare_rows
from app.product_import.product_csv import ProductCsv
from models import Event, ImportState, InventoryMovement, Product, ProductImport
from tests.product_import.conftest import audited, count_rows, counts, indexed, run, stored
from tests.support import factories
from tests.support.factories import Tenant


class TestExpiredLease:
    """The process was killed: staged changes are removed, an import that is being applied is completed."""

    ROWS = "".join(f"S-{number},Item {number},2\n" for number in range(1500))

    @pytest.fixture
    def known(self, fresh_database: Database, shop: Tenant) -> str:
        return factories.product(fresh_database, shop.company_id, sku="S-7", name="Known", price=Decimal(1))

    def abandon(self, database: Database, shop: Tenant, *, batches: int) -> None:
        """Stage the rows, apply some batches, and let the lease expire."""
        transactions = factories.transactions(database, shop.company_id)
        with transactions(write=True) as ctx:
            claim = lease.acquire(ctx)
            assert claim is not None
            rows = list(ProductCsv(io.BytesIO(f"sku,name,price\n{self.ROWS}".encode())).numbered_rows())
            staging.stage(ctx, claim, [change for _, change in compare_rows(ctx, rows)])
        with transactions(write=True) as ctx:
            after, done = "", Counter[str]()
            for _ in range(batches):
                last = applying.next_batch(ctx, claim, after)
                done.update(applying.apply(ctx, claim, after, last))
                after = last
            state = ImportState.APPLYING if batches else ImportState.STAGING
            lease.renew(ctx, claim, state=state, applied_to=after, **done)
        with database.transaction(write=True) as session:
            session.execute(sa.update(ProductImport).values(lease_ends_at=now() - timedelta(seconds=1)))

    def test_an_import_that_is_only_staged_is_removed(self, fresh_database: Database, shop: Tenant, known: str) -> None:
        self.abandon(fresh_database, shop, batches=0)

        housekeeping.resume_imports(fresh_database)

        assert factories.count(fresh_database, Product, shop.company_id) == 1
        assert stored(fresh_database, shop, "S-7").name == "Known"
        assert count_rows(fresh_database) == 0
        assert indexed(fresh_database) == {"S-7": 1}
        assert audited(fresh_database, shop) == []

    @pytest.mark.parametrize("batches", [1, 2, 3])
    def test_an_import_that_is_being_applied_is_completed(
        self, fresh_database: Database, shop: Tenant, known: str, batches: int
    ) -> None:
        self.abandon(fresh_database, shop, batches=batches)

        housekeeping.resume_imports(fresh_database)

        assert factories.count(fresh_database, Product, shop.company_id) == 1500
        assert stored(fresh_database, shop, "S-7").id == known
        assert stored(fresh_database, shop, "S-7").name == "Item 7"
        assert count_rows(fresh_database) == 0
        assert set(indexed(fresh_database).values()) == {1}
        entries = Counter(entry[0] for entry in audited(fresh_database, shop))
        assert entries == {"product.created": 1499, "product.updated": 1, "product.imported": 1}
        self.assert_recorded_once(fresh_database, known)

    @staticmethod
    def assert_recorded_once(database: Database, known: str) -> None:
        """Each product has one event and an opening row, from the import and not from the process that resumed it."""
        with database.transaction() as session:
            events = session.query(Event.entity_id, Event.type, Event.sequence, Event.request_id).all()
            openings = session.query(InventoryMovement).filter(InventoryMovement.product_id != known).all()
        assert len({event.entity_id for event in events}) == len(events) == 1500
        assert Counter(event.type for event in events) == {"product.created": 1499, "product.updated": 1}
        assert {(event.sequence, event.request_id) for event in events} == {(1, "test")}
        assert len(openings) == 1499
        assert {(row.reason, row.actor_type, row.actor_id, row.request_id) for row in openings} == {
            ("OPENING", "USER", "tester", "test")
        }

    def test_the_next_import_completes_it_too(self, fresh_database: Database, shop: Tenant, known: str) -> None:
        self.abandon(fresh_database, shop, batches=1)

        result = run(fresh_database, shop, "sku,name,price\nS-7,Last,1\n")

        assert counts(result) == (0, 1, 0)
        assert factories.count(fresh_database, Product, shop.company_id) == 1500
        assert stored(fresh_database, shop, "S-7").name == "Last"

    def test_a_process_that_only_paused_cannot_go_on(self, fresh_database: Database, shop: Tenant, known: str) -> None:
        self.abandon(fresh_database, shop, batches=0)
        transactions = factories.transactions(fresh_database, shop.company_id)
        with fresh_database.transaction() as session:
            (row,) = session.scalars(sa.select(ProductImport)).all()
        old = lease.Claim(id=row.id, claims=row.claims, state=ImportState.STAGING)
        with transactions(write=True) as ctx:
            assert lease.take_over(ctx) is not None

        failure = pytest.raises(DatabaseUnavailableError, match="another process took it over")
        with failure, transactions(write=True) as ctx:
            lease.load_progress(ctx, old)

    def test_a_running_import_is_left_alone(self, fresh_database: Database, shop: Tenant) -> None:
        transactions = factories.transactions(fresh_database, shop.company_id)
        with transactions(write=True) as ctx:
            assert lease.acquire(ctx) is not None

        housekeeping.resume_imports(fresh_database)

        assert count_rows(fresh_database) == 1
        assert not importer.resume(transactions)
        with transactions(write=True) as ctx:
            assert lease.acquire(ctx) is None
