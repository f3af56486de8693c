"""The walk along the chain of a company, entry by entry, and what is wrong with the entries that break it.

An entry has the expected number if it is one more than that of the entry before it. There are these cases:

- The number is expected: the entry was changed, unless its seal follows from the previous one. If the next entry shows
  that the seal should be another one, the seal was changed.
- There is no number: the entry is not sealed yet, or it was inserted if a sealed entry follows.
- The number is higher: the entries in between were removed, or moved to another place. If this entry does not match
  its own seal, it was itself moved.
- The number is lower: the entry was moved, and that was found before.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.context import Context
from app.services import audit_seals
from app.services.audit_seals import GENESIS, SealedEntryRow
from app.verification import seal_lookups
from app.verification.check import Problem
from app.verification.seal_lookups import ChainedEntryRow

ENTRY, SEAL = "audit entry", "seal of audit entry"
ADVICE = "Compare it with a backup, as in docs/deployment.md, The seal of the audit log."


class Found(NamedTuple):
    """A problem, its place in the chain, and the number of entries that have it."""

    number: int
    problem: Problem
    entries: int = 1


class ChainWalk:
    """How far the chain is verified: the number and the seal of the last entry that is in its place.

    The seal is None if it was removed: then the next entry cannot be verified.
    """

    def __init__(self) -> None:
        """Start before the first entry."""
        self._number = 0
        self._seal: bytes | None = GENESIS
        self._first_unsealed: str | None = None  # of the entries since then without a seal
        self._unsealed = 0
        self._displaced: set[str] = set()  # reported as moved

    def follow(self, ctx: Context, rows: Sequence[ChainedEntryRow]) -> list[Found]:
        """Verify the next entries. Return the problems."""
        found: list[Found] = []
        for row in rows:
            if row.number == self._number + 1 and not self._unsealed and _computed(self._seal, row) == row.seal:
                self._number, self._seal = row.number, row.seal
            else:
                found += self._examine(ctx, row)
        return found

    def end(self, ctx: Context, last_number: int) -> list[Found]:
        """Verify that no entry up to the last seal is missing after the last row. Return the problems."""
        return list(self._close_gap(ctx, last_number + 1)) if last_number > self._number else []

    def _examine(self, ctx: Context, row: ChainedEntryRow) -> Iterator[Found]:
        if row.number is None:
            self._first_unsealed = self._first_unsealed or row.id
            self._unsealed += 1
        elif row.number <= self._number:
            yield from self._moved(row.number, row.id)
        elif (expected := self._expected_elsewhere(ctx, row, row.number)) is not None:
            if _computed(self._seal, expected) != expected.seal:  # both were moved: they were swapped
                yield from self._moved(self._number + 1, expected.id)
            yield from self._moved(row.number, row.id)
        else:
            yield from self._close_gap(ctx, row.number)
            yield from self._verify(ctx, row, row.number)

    def _expected_elsewhere(self, ctx: Context, row: ChainedEntryRow, number: int) -> ChainedEntryRow | None:
        """Return the entry that is expected here, if it exists and `row` is in the wrong place."""
        if number == self._number + 1 or _computed(seal_lookups.seal(ctx, number - 1), row) == row.seal:
            return None
        return seal_lookups.entry(ctx, self._number + 1)

    def _moved(self, number: int, entry_id: str) -> Iterator[Found]:
        if entry_id not in self._displaced:
            self._displaced.add(entry_id)
            yield _found(number, ENTRY, entry_id, "was moved: its place in the log is not that of its seal")

    def _verify(self, ctx: Context, row: ChainedEntryRow, number: int) -> Iterator[Found]:
        """Compare an entry that is in its place with its seal."""
        computed, self._number, previous = _computed(self._seal, row), number, self._seal
        self._seal = row.seal
        if previous is None or computed == row.seal or row.id in self._displaced:
            return
        following = seal_lookups.entry(ctx, number + 1)
        if computed and following is not None and _computed(computed, following) == following.seal:
            self._seal = computed
            yield _found(number, SEAL, row.id, "was changed: the next seal follows from another one")
        else:
            yield _found(number, ENTRY, row.id, "was changed: it does not match its seal")

    def _close_gap(self, ctx: Context, before: int) -> Iterator[Found]:
        """Report entries without a seal, and seals up to the number `before` without an entry in this place."""
        expected, missing = self._number + 1, before - self._number - 1
        for seal in seal_lookups.seals_between(ctx, self._number, before):
            missing -= 1
            self._number, self._seal = seal.number, seal.seal
            if seal.has_entry:
                yield from self._moved(seal.number, seal.id)
            else:
                yield _found(seal.number, ENTRY, seal.id, "was removed")
        if self._number != before - 1:
            self._number, self._seal = before - 1, None
        yield from self._report_unsealed(expected, missing)

    def _report_unsealed(self, expected: int, missing_seals: int) -> Iterator[Found]:
        """Report entries without a seal before a sealed one, and seals that do not exist."""
        if self._first_unsealed is not None:
            name, text = (SEAL, "was removed") if missing_seals else (ENTRY, "was inserted: later entries are sealed")
            yield _found(expected, name, self._first_unsealed, text, self._unsealed)
        elif missing_seals:
            yield _found(expected, "audit entry number", str(expected), "was removed with its seal", missing_seals)
        self._first_unsealed, self._unsealed = None, 0


def _found(number: int, entity: str, entity_id: str, text: str, entries: int = 1) -> Found:
    return Found(number, Problem(entity, entity_id, None, f"{text}. {ADVICE}", " "), entries)


def _computed(previous: bytes | None, row: SealedEntryRow) -> bytes | None:
    """Return what the seal of an entry should be, None if it has none."""
    try:
        return None if previous is None else audit_seals.digest(previous, row)
    except ValueError:
        return None
