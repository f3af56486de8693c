"""Import products from CSV: create or update by sku, all rows or none, beside orders (contract, section 11).

1. Read the whole file. When a row is wrong, the database is not touched.
2. Compare it with the products and stage what differs, in short transactions whose effect is visible nowhere else.
3. Apply what is staged in one transaction. When others would have to wait for longer than HOLD_SECONDS, commit and go
   on in another one. From the first of these commits on the import will be completed: when its process is killed, a
   server or the next import goes on with it.

What a killed process left behind is removed by the next import, or by a server. A stock is compared and written
under the lock of its product: it replaces what orders have left until then, and orders that follow count from it.
Not here: what a file may look like (`product_file`), what is written (`staging`), and who may go on (`lease`).
"""

import contextlib
import pickle
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from typing import IO, TypeVar

from sqlalchemy.exc import DBAPIError

from app.context import Actor, ActorType, Context, Transactions
from app.errors import DatabaseUnavailableError
from app.product_import import comparison, lease, staging
from app.product_import.comparison import Change
from app.product_import.lease import LEASE, Claim
from app.product_import.product_file import ProductFile, Record, RejectedFileError
from app.services import audit
from models import ImportState

BATCH = 500  # rows that are read, compared and staged together
HOLD_SECONDS = 0.7  # orders may wait for so long for an import that is then applied at once; many a large one is
SHORT_HOLD_SECONDS = 0.2  # and for so long for each further transaction of one that is not
PAUSE_SECONDS = 0.25  # between those; longer than SQLite's waiting writers sleep between two tries (0.1 s)
YIELD_SECONDS = 0.025  # after staging or removing some rows: on SQLite, nothing else can write until then
WAIT_SECONDS = 0.5  # between two looks at another import of the same company
ATTEMPTS = 5  # of a transaction that waits for others in vain; each waits for 5 s

T = TypeVar("T")
Watch = Callable[[str, int, int], None]  # takes what is done now, how much of it is done, and how much there is


@dataclass(kw_only=True, slots=True)
class Report:
    """How many rows of a file became a new product, changed one, or said what was known."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """What the good rows of a file say, outside of memory: there may be millions."""

    file: IO[bytes]
    count: int

    def batches(self) -> Iterator[list[Record]]:
        """Yield the rows in the order of the file."""
        self.file.seek(0)
        done = 0
        while done < self.count:
            batch: list[Record] = pickle.load(self.file)  # noqa: S301 - written above, to a file that no other user can open
            done += len(batch)
            yield batch


def run(
    transactions: Transactions,
    product_file: ProductFile,
    *,
    clear_empty: bool = False,
    watch: Watch = lambda *_: None,
    on_wait: Callable[[], None] = lambda: None,
) -> Report:
    """Create or update the products of a CSV file, and return what was done.

    An empty cell leaves what a product has, or clears it when `clear_empty`. `on_wait` is called once when another
    import of the company has to end first. Raises RejectedFileError when rows are wrong.
    """
    with _read(product_file, clear_empty=clear_empty) as rows, _claimed(transactions, on_wait) as claimed:
        _stage(transactions, claimed, rows, watch)
        return _apply(transactions, claimed)


def preview(
    transactions: Transactions, product_file: ProductFile, *, clear_empty: bool = False, see: Callable[[Change], None]
) -> Report:
    """Show each change that an import would make now, and return how many; nothing is written."""
    report = Report()
    with _read(product_file, clear_empty=clear_empty) as rows:
        for batch in rows.batches():
            with transactions() as ctx:
                changes = list(comparison.compare(ctx, batch))
            found = [change for change in changes if change]
            report.unchanged += len(changes) - len(found)
            report.created += sum(change.found is None for change in found)
            report.updated += sum(change.found is not None for change in found)
            for change in found:
                see(change)
    return report


def resume(transactions: Transactions) -> bool:
    """Complete or remove the company's import if its process left it behind; return whether there was one."""
    claimed = _step(transactions, lease.take_over)
    if claimed is None:
        return False
    if claimed.state is ImportState.APPLYING:
        _apply(transactions, claimed)
    _remove(transactions, claimed)
    return True


@contextmanager
def _read(product_file: ProductFile, *, clear_empty: bool) -> Iterator[Rows]:
    count = 0
    with tempfile.TemporaryFile() as file:
        for batch in _batches(product_file.records()):
            pickle.dump([comparison.given(record, clear_empty=clear_empty) for record in batch], file)
            count += len(batch)
        if product_file.errors:
            raise RejectedFileError(product_file.errors)
        yield Rows(file=file, count=count)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, BATCH)):
        yield batch


@contextmanager
def _claimed(transactions: Transactions, on_wait: Callable[[], None]) -> Iterator[Claim]:
    """Yield the right to import; afterwards nothing is left of it, unless it is being applied."""
    claimed = _claim(transactions, on_wait)
    try:
        yield claimed
    except BaseException:
        with contextlib.suppress(DatabaseUnavailableError, DBAPIError):  # the next import can do it too
            _remove(transactions, claimed)
        raise
    _remove(transactions, claimed)


def _claim(transactions: Transactions, on_wait: Callable[[], None]) -> Claim:
    while (claimed := _step(transactions, lease.begin)) is None:
        if not resume(transactions):
            on_wait()
            on_wait = _nothing
            time.sleep(WAIT_SECONDS)
    return claimed


def _nothing() -> None:
    """Do nothing."""


def _stage(transactions: Transactions, claimed: Claim, rows: Rows, watch: Watch) -> None:
    done, unchanged, renewed = 0, 0, time.monotonic()
    for batch in rows.batches():
        with transactions() as ctx:
            changes = [change for change in comparison.compare(ctx, batch) if change]
        done += len(batch)
        unchanged += len(batch) - len(changes)
        if changes or time.monotonic() - renewed > LEASE.seconds / 3:
            _step(transactions, partial(staging.stage, claimed=claimed, changes=changes))
            renewed = time.monotonic()
            time.sleep(YIELD_SECONDS)
        watch("Comparing", done, rows.count)
    _step(transactions, lambda ctx: staging.finish_staging(ctx, claimed, unchanged))


def _apply(transactions: Transactions, claimed: Claim) -> Report:
    while (report := _step(transactions, lambda ctx: _apply_some(ctx, claimed))) is None:
        time.sleep(PAUSE_SECONDS)
    return report


def _apply_some(ctx: Context, claimed: Claim) -> Report | None:
    """Apply what is left until others have waited for HOLD_SECONDS; return what was done once all is."""
    progress = lease.progress(ctx, claimed)
    counts = Counter(created=progress.created, updated=progress.updated, unchanged=progress.unchanged)
    if progress.state == ImportState.DONE:  # the commit was made, but its confirmation was lost
        return Report(**counts)
    after, deadline = progress.applied_to, None
    while last := staging.next_part(ctx, claimed, after):
        if deadline is None and staging.blocks_others(ctx, last):
            is_first = progress.state == ImportState.STAGING
            deadline = time.monotonic() + (HOLD_SECONDS if is_first else SHORT_HOLD_SECONDS)
        counts.update(staging.apply(ctx, claimed, after, last))
        after = last
        if deadline is not None and time.monotonic() > deadline:
            lease.keep(ctx, claimed, state=ImportState.APPLYING, applied_to=after, **counts)
            return None
    lease.keep(ctx, claimed, state=ImportState.DONE, **counts)
    report = Report(**counts)
    if report.created or report.updated:
        actor = Actor(type=ActorType(progress.actor_type), id=progress.actor_id)
        own = replace(ctx, actor=actor, request_id=progress.request_id)
        audit.record(own, "product.imported", "company", ctx.company_id, asdict(report))
    return report


def _remove(transactions: Transactions, claimed: Claim) -> None:
    while not _step(transactions, lambda ctx: staging.discard(ctx, claimed)):
        time.sleep(YIELD_SECONDS)


def _step(transactions: Transactions, act: Callable[[Context], T]) -> T:
    """Act in a short, separate writing transaction; repeat it when it timed out waiting for a lock."""
    for _ in range(1, ATTEMPTS):
        with contextlib.suppress(DatabaseUnavailableError), transactions(write=True) as ctx:
            return act(ctx)
        time.sleep(PAUSE_SECONDS)
    with transactions(write=True) as ctx:
        return act(ctx)
