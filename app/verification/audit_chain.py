"""The seals of the audit log prove that its entries are unchanged (contract, section 9.8).

Entries are read in the order of the log, each with its seal. In an unchanged log, the numbers of the seals have no
gaps, and each seal follows from the one before it and the entry. Otherwise, `ChainWalk` finds out which entry is the
first that was changed, removed, inserted or moved: the one with the lowest number.

Entries after the last sealed one are not sealed yet. An entry before it without a seal was inserted.
"""

from collections.abc import Iterator

from app.context import Context
from app.queries import tenant
from app.queries.rows import Statement
from app.services.audit_seals import ENTRIES, START, Position, PositionRow, after_position, is_after_position
from app.verification import seal_lookups
from app.verification.chain_walk import ChainWalk, Found
from app.verification.check import Findings
from app.verification.ranges import FIRST, LAST, RANGE_ROWS, IdRange
from app.verification.seal_lookups import SELECT_ENTRIES

SELECT_LAST_OF_RANGE = Statement(
    PositionRow,
    tenant.select(ENTRIES.c.created_at, ENTRIES.c.id)
    .where(is_after_position())
    .order_by(ENTRIES.c.created_at, ENTRIES.c.id)
    .offset(RANGE_ROWS - 1)
    .limit(1),
)


class Entries:
    """Ranges of RANGE_ROWS entries in the order of the log, named after their last ids."""

    def of_company(self, ctx: Context) -> Iterator[IdRange]:
        """Yield ranges that together include every entry, also those that are added later."""
        after, position = FIRST, START
        while (
            last := SELECT_LAST_OF_RANGE.one_or_none(ctx.session, tenant.params(ctx, **after_position(*position)))
        ) is not None:
            yield IdRange(after, last.id)
            after, position = last.id, (last.created_at, last.id)
        yield IdRange(after, LAST)


class AuditChainCheck:
    """Verifies the chain of one company after another. It continues where the previous range ended."""

    name = "auditChain"
    subject = "audit entries"
    rule = "the seals prove that they are unchanged"

    def __init__(self) -> None:
        """Initialize before the first company."""
        self.ranges = Entries()
        self._walk = ChainWalk()
        self._position: Position = START

    def run(self, ctx: Context, ids: IdRange) -> Findings:
        """Verify the entries of a range."""
        if ids.after == FIRST:
            self._walk, self._position = ChainWalk(), START
        is_last = ids.last == LAST
        last_number = seal_lookups.last_number(ctx)  # read before the entries: later seals have higher numbers
        checked, found = 0, list[Found]()
        while rows := SELECT_ENTRIES.all(ctx.session, tenant.params(ctx, **after_position(*self._position))):
            self._position = (rows[-1].created_at, rows[-1].id)
            checked += len(rows)
            found += self._walk.follow(ctx, rows)
            if not is_last or len(rows) < RANGE_ROWS:
                break
        if is_last:
            found += self._walk.end(ctx, last_number)
        first = min(found, key=lambda problem: problem.number, default=None)
        return Findings(checked, sum(problem.entries for problem in found), first and first.problem)


CHECK = AuditChainCheck()
