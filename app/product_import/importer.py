"""Import products from CSV: create or update by sku, all rows or none, alongside orders (contract, section 11).

1. Read the whole file. If a row has an error, the database is not touched.
2. Compare the rows with the products and stage the changes, in short transactions without any visible effect.
3. Apply the staged changes in one transaction. If orders would have to wait for longer than HOLD_SECONDS, commit and
   continue in another one. From the first of these commits on, the import will be completed: if its process is killed,
   a server or the next import continues it.

If a process is killed before that, the next import or a server removes the staged rows. A stock is compared and written
under the lock of its product: it replaces the current stock, and later orders are deducted from it. Not in this module:
what a file may look like (`product_csv`), what is written (`staging`, `applying`), and who may continue (`lease`).
"""

import contextlib
import pickle
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from typing import IO, TypeVar

from sqlalchemy.exc import DBAPIError, IntegrityError

from app.context import Actor, ActorType, Context, Transactions
from app.errors import DatabaseUnavailableError
from app.product_import import applying, comparison, lease, staging
from app.product_import.comparison import ProductChange
from app.product_import.lease import LEASE, Claim, ImportRow
from app.product_import.product_csv import NumberedRow, ProductCsv, RejectedFileError, RowError
from app.services import audit
from models import ImportState

BATCH = 500  # rows that are read, compared and staged together
HOLD_SECONDS = 0.7  # how long orders may wait for an import that is applied in one transaction
SHORT_HOLD_SECONDS = 0.2  # how long they may wait for each additional transaction
PAUSE_SECONDS = 0.25  # between those; longer than a waiting writer of SQLite sleeps between two attempts (0.1 s)
YIELD_SECONDS = 0.025  # after rows are staged or removed, so that others can write to SQLite
WAIT_SECONDS = 0.5  # between two checks for another import of the same company
MAX_ATTEMPTS = 5  # of a transaction that times out waiting for a lock; each waits for 5 s

T = TypeVar("T")
OnProgress = Callable[[str, int, int], None]  # called with the name of the step, the completed amount and the total


@dataclass(kw_only=True, slots=True)
class ImportResult:
    """The number of rows that created a product, updated one, or changed nothing."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRows:
    """The rows of a file in a temporary file: there may be millions."""

    file: IO[bytes]
    count: int
    errors: Sequence[RowError]  # of the cells of other rows

    def batches(self) -> Iterator[list[NumberedRow]]:
        """Yield the rows in the order of the file."""
        self.file.seek(0)
        done = 0
        while done < self.count:
            batch: list[NumberedRow] = pickle.load(self.file)  # noqa: S301 - written by _read, readable by this user only
            done += len(batch)
            yield batch


def run(
    transactions: Transactions,
    product_csv: ProductCsv,
    *,
    clear_empty: bool = False,
    on_progress: OnProgress = lambda *_: None,
    on_wait: Callable[[], None] = lambda: None,
) -> ImportResult:
    """Create or update the products of a CSV file.

    An empty cell leaves the field of the product unchanged or, with `clear_empty`, clears it. `on_wait` is called once
    if another import of the company has to finish first. Raises RejectedFileError if rows have errors.
    """
    with _read(product_csv, clear_empty=clear_empty) as rows:
        if rows.errors:
            return _preview(transactions, rows, lambda _: None)  # it raises, and does not wait for another import
        with _claimed(transactions, on_wait) as claim:
            _stage(transactions, claim, rows, on_progress)
            return _apply(transactions, claim)


def preview(
    transactions: Transactions,
    product_csv: ProductCsv,
    *,
    clear_empty: bool = False,
    on_change: Callable[[ProductChange], None],
) -> ImportResult:
    """Call `on_change` with each change that an import would make. Nothing is written."""
    with _read(product_csv, clear_empty=clear_empty) as rows:
        return _preview(transactions, rows, on_change)


def _preview(transactions: Transactions, rows: StoredRows, on_change: Callable[[ProductChange], None]) -> ImportResult:
    result, errors = ImportResult(), list(rows.errors)
    for batch in rows.batches():
        with transactions() as ctx:
            compared = comparison.compare_rows(ctx, batch)
            errors += comparison.check(ctx, compared)
        changes = [change for _, change in compared]
        created = sum(change.existing is None for change in changes)
        result.created += created
        result.updated += len(changes) - created
        result.unchanged += len(batch) - len(changes)
        for change in [] if rows.errors else changes:
            on_change(change)
    if errors:
        raise RejectedFileError(sorted(errors, key=lambda error: error.line))
    return result


def resume(transactions: Transactions) -> bool:
    """Complete or remove the company's import if its lease has expired. Return whether there was such an import."""
    claim = _retry(transactions, lease.take_over)
    if claim is None:
        return False
    if claim.state is ImportState.APPLYING:
        _apply(transactions, claim)
    _remove(transactions, claim)
    return True


@contextmanager
def _read(product_csv: ProductCsv, *, clear_empty: bool) -> Iterator[StoredRows]:
    count = 0
    with tempfile.TemporaryFile() as file:
        for batch in _batches(product_csv.numbered_rows()):
            resolve = partial(comparison.resolve_empty_cells, clear=clear_empty)
            pickle.dump([NumberedRow(row.line, resolve(row.fields)) for row in batch], file)
            count += len(batch)
        yield StoredRows(file=file, count=count, errors=product_csv.errors)


def _batches(rows: Iterable[NumberedRow]) -> Iterator[list[NumberedRow]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


@contextmanager
def _claimed(transactions: Transactions, on_wait: Callable[[], None]) -> Iterator[Claim]:
    """Yield the claim of an import. Remove the import afterwards, unless it is being applied."""
    claim = _acquire(transactions, on_wait)
    try:
        yield claim
    except BaseException:
        with contextlib.suppress(DatabaseUnavailableError, DBAPIError):  # the next import can also remove it
            _remove(transactions, claim)
        raise
    _remove(transactions, claim)


def _acquire(transactions: Transactions, on_wait: Callable[[], None]) -> Claim:
    has_waited = False
    while (claim := _retry(transactions, lease.acquire)) is None:
        if not resume(transactions):
            if not has_waited:
                on_wait()
            has_waited = True
            time.sleep(WAIT_SECONDS)
    return claim


def _stage(transactions: Transactions, claim: Claim, rows: StoredRows, on_progress: OnProgress) -> None:
    """Compare and stage the rows. Raises RejectedFileError with all errors that only the comparison finds."""
    done, unchanged, renewed_at, errors = 0, 0, time.monotonic(), list[RowError]()
    for batch in rows.batches():
        with transactions() as ctx:
            compared = comparison.compare_rows(ctx, batch)
            errors += comparison.check(ctx, compared)
        done += len(batch)
        unchanged += len(batch) - len(compared)
        changes = [] if errors else [change for _, change in compared]
        if changes or time.monotonic() - renewed_at > LEASE.seconds / 3:
            _retry(transactions, partial(staging.stage, claim=claim, changes=changes))
            renewed_at = time.monotonic()
            time.sleep(YIELD_SECONDS)
        on_progress("Comparing", done, rows.count)
    if errors:
        raise RejectedFileError(errors)
    _retry(transactions, lambda ctx: staging.finish_staging(ctx, claim, unchanged))


def _apply(transactions: Transactions, claim: Claim) -> ImportResult:
    while (result := _retry(transactions, lambda ctx: _apply_batches(ctx, claim))) is None:
        time.sleep(PAUSE_SECONDS)
    return result


def _apply_batches(ctx: Context, claim: Claim) -> ImportResult | None:
    """Apply the remaining batches until orders have waited for HOLD_SECONDS. Return the result once all are applied."""
    progress = lease.load_progress(ctx, claim)
    counts = Counter(created=progress.created, updated=progress.updated, unchanged=progress.unchanged)
    if progress.state == ImportState.DONE:  # committed, but the confirmation of the commit was lost
        return ImportResult(**counts)
    after, deadline = progress.applied_to, None
    while last := applying.next_batch(ctx, claim, after):
        if deadline is None and staging.blocks_orders(ctx, last):
            is_first = progress.state == ImportState.STAGING
            deadline = time.monotonic() + (HOLD_SECONDS if is_first else SHORT_HOLD_SECONDS)
        counts.update(applying.apply(ctx, claim, after, last))
        after = last
        if deadline is not None and time.monotonic() > deadline:
            lease.renew(ctx, claim, state=ImportState.APPLYING, applied_to=after, **counts)
            return None
    lease.renew(ctx, claim, state=ImportState.DONE, **counts)
    result = ImportResult(**counts)
    if result.created or result.updated:
        _record(ctx, progress, result)
    return result


def _record(ctx: Context, progress: ImportRow, result: ImportResult) -> None:
    """Record the import for the actor who started it, even if another process has completed it."""
    actor = Actor(type=ActorType(progress.actor_type), id=progress.actor_id)
    original = replace(ctx, actor=actor, request_id=progress.request_id)
    audit.record(original, "product.imported", "company", ctx.company_id, asdict(result))


def _remove(transactions: Transactions, claim: Claim) -> None:
    while not _retry(transactions, lambda ctx: staging.discard(ctx, claim)):
        time.sleep(YIELD_SECONDS)


def _retry(transactions: Transactions, work: Callable[[Context], T]) -> T:
    """Run `work` in a short, separate transaction. Retry it if it times out waiting for a lock.

    Retry it too if another transaction has just created a product with the same sku or external id: it is found now.
    """
    for _ in range(1, MAX_ATTEMPTS):
        with contextlib.suppress(DatabaseUnavailableError, IntegrityError), transactions(write=True) as ctx:
            return work(ctx)
        time.sleep(PAUSE_SECONDS)
    with transactions(write=True) as ctx:
        return work(ctx)
