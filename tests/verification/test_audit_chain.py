"""The seals of the audit log show which entry was changed, removed, inserted or moved (contract, section 9.8)."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.db import Database
from app.queries.rows import Statement
from app.services.audit_seals import ENTRIES
from app.services.audit_seals import TABLE as SEALS
from app.verification import audit_chain, seal_lookups
from app.verification.kept_seal import KeptSealCheck
from tests.support.sealed_log import SealedLog

CHANGED = "was changed: it does not match its seal"
MOVED = "was moved: its place in the log is not that of its seal"
INSERTED = "was inserted: later entries are sealed"


@pytest.fixture
def log(fresh_database: Database) -> SealedLog:
    """Return a sealed log with eight entries."""
    return SealedLog(fresh_database)


@pytest.fixture(params=[3, 5_000])
def range_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify the log in several ranges, and in one."""
    monkeypatch.setattr(audit_chain, "RANGE_ROWS", request.param)
    limited = {"SELECT_ENTRIES": audit_chain, "SELECT_SEALS": seal_lookups}
    for name, module in limited.items():
        statement: Any = getattr(module, name)
        monkeypatch.setattr(module, name, Statement(statement.row_type, statement.sql.limit(request.param)))
    last: Any = audit_chain.SELECT_LAST_OF_RANGE
    monkeypatch.setattr(
        audit_chain, "SELECT_LAST_OF_RANGE", Statement(last.row_type, last.sql.offset(request.param - 1))
    )


@pytest.mark.usefixtures("range_rows")
class TestTampering:
    def test_an_unchanged_log_has_no_problem(self, log: SealedLog) -> None:
        assert log.verify() == (8, 0, None)

    def test_entries_that_are_not_sealed_yet_are_no_problem(self, log: SealedLog) -> None:
        log.append(4)

        assert log.verify() == (12, 0, None)

    @pytest.mark.parametrize("number", [0, 4, 7])
    def test_a_changed_entry_is_named(self, log: SealedLog, number: int) -> None:
        log.update(ENTRIES, log.ids[number], action="order.placed")

        assert log.problem() == (f"audit entry {log.ids[number]}", CHANGED)
        assert log.verify().bad == 1

    def test_a_changed_time_is_named(self, log: SealedLog) -> None:
        at = log.value(ENTRIES, log.ids[3], "created_at")
        log.update(ENTRIES, log.ids[3], created_at=at + timedelta(milliseconds=1))

        assert log.problem() == (f"audit entry {log.ids[3]}", CHANGED)

    def test_the_first_of_several_changed_entries_is_named(self, log: SealedLog) -> None:
        for number in (6, 2, 5):
            log.update(ENTRIES, log.ids[number], action="order.placed")

        assert log.problem() == (f"audit entry {log.ids[2]}", CHANGED)
        assert log.verify().bad == 3

    @pytest.mark.parametrize("details", ['{"total": 1e999}', "[" * 900 + "]" * 900, '"\\ud800"'])
    def test_details_without_canonical_json_are_a_change(self, log: SealedLog, details: str) -> None:
        log.update(
            ENTRIES,
            log.ids[2],
            details=sa.cast(details, sa.Text) if log.database.is_sqlite else sa.text(f"'{details}'"),
        )

        assert log.problem() == (f"audit entry {log.ids[2]}", CHANGED)

    @pytest.mark.parametrize("number", [0, 4, 7])
    def test_a_removed_entry_is_named(self, log: SealedLog, number: int) -> None:
        log.delete(ENTRIES, log.ids[number])

        assert log.problem() == (f"audit entry {log.ids[number]}", "was removed")
        assert log.verify()[:2] == (7, 1)

    def test_the_first_of_several_removed_entries_is_named(self, log: SealedLog) -> None:
        log.delete(ENTRIES, *log.ids[1:7])

        assert log.problem() == (f"audit entry {log.ids[1]}", "was removed")
        assert log.verify()[:2] == (2, 6)

    def test_the_removal_of_all_entries_is_seen(self, log: SealedLog) -> None:
        log.delete(ENTRIES, *log.ids)

        assert log.problem() == (f"audit entry {log.ids[0]}", "was removed")
        assert log.verify()[:2] == (0, 8)

    @pytest.mark.parametrize("end", [2, 5, 8])
    def test_a_removed_end_of_the_log_is_seen(self, log: SealedLog, end: int) -> None:
        log.delete(ENTRIES, *log.ids[end - 2 :])

        assert log.problem() == (f"audit entry {log.ids[end - 2]}", "was removed")

    @pytest.mark.parametrize(("columns", "text"), [(("details", "entity_id"), CHANGED), (("created_at",), MOVED)])
    def test_the_first_of_two_swapped_entries_is_named(
        self, log: SealedLog, columns: tuple[str, ...], text: str
    ) -> None:
        log.swap(ENTRIES, log.ids[2], log.ids[4], *columns)

        assert log.problem() == (f"audit entry {log.ids[2]}", text)
        assert log.verify().bad == 2

    def test_swapped_ids_are_seen(self, log: SealedLog) -> None:
        one, other = log.ids[2], log.ids[4]
        log.update(ENTRIES, one, id="temporary")
        log.update(ENTRIES, other, id=one)
        log.update(ENTRIES, "temporary", id=other)

        assert log.problem() == (f"audit entry {one}", MOVED)

    def test_swapped_seals_are_seen(self, log: SealedLog) -> None:
        log.swap(SEALS, log.ids[2], log.ids[3], "number", "seal")

        entity, text = log.problem()
        assert entity in {f"audit entry {log.ids[2]}", f"audit entry {log.ids[3]}"}
        assert text in {CHANGED, MOVED}

    @pytest.mark.parametrize(("number", "seconds"), [(6, 0.5), (4, -10)])
    def test_an_entry_that_was_moved_ahead_is_named(self, log: SealedLog, number: int, seconds: float) -> None:
        log.update(ENTRIES, log.ids[number], created_at=log.start + timedelta(seconds=seconds))

        assert log.problem() == (f"audit entry {log.ids[number]}", MOVED)
        assert log.verify().bad == 1

    @pytest.mark.parametrize("seconds", [4.5, 7200])
    def test_an_entry_that_was_moved_back_is_named(self, log: SealedLog, seconds: float) -> None:
        log.update(ENTRIES, log.ids[1], created_at=log.start + timedelta(seconds=seconds))

        assert log.problem() == (f"audit entry {log.ids[1]}", MOVED)
        assert log.verify().bad == 1

    @pytest.mark.parametrize("seconds", [-1, 2.5, 5.5])
    def test_an_inserted_entry_is_named_and_never_sealed(self, log: SealedLog, seconds: float) -> None:
        log.add(seconds)
        (inserted,) = set(log.entry_ids()) - set(log.ids)

        for count in (9, 10):
            assert log.problem() == (f"audit entry {inserted}", INSERTED)
            assert log.verify()[:2] == (count, 1)
            log.append()
            log.seal()
            assert log.sealed_ids() == [entry_id for entry_id in log.entry_ids() if entry_id != inserted]

    def test_the_first_of_several_inserted_entries_is_named(self, log: SealedLog) -> None:
        log.add(4.5, 2.7, 2.5)
        first = next(entry_id for entry_id in log.entry_ids() if entry_id not in log.ids)

        assert log.problem() == (f"audit entry {first}", INSERTED)
        assert log.verify().bad == 3

    @pytest.mark.parametrize("number", [0, 4])
    def test_a_changed_seal_is_named(self, log: SealedLog, number: int) -> None:
        log.update(SEALS, log.ids[number], seal=bytes(32))

        text = "was changed: the next seal follows from another one"
        assert log.problem() == (f"seal of audit entry {log.ids[number]}", text)
        assert log.verify().bad == 1

    def test_a_change_of_the_last_seal_is_seen(self, log: SealedLog) -> None:
        log.update(SEALS, log.ids[-1], seal=bytes(32))

        assert log.problem() == (f"audit entry {log.ids[-1]}", CHANGED)

    @pytest.mark.parametrize("number", [0, 4])
    def test_a_removed_seal_is_named(self, log: SealedLog, number: int) -> None:
        log.delete(SEALS, log.ids[number])

        assert log.problem() == (f"seal of audit entry {log.ids[number]}", "was removed")
        assert log.verify().bad == 1

    def test_an_entry_that_was_removed_with_its_seal_is_seen(self, log: SealedLog) -> None:
        log.delete(SEALS, *log.ids[3:5])
        log.delete(ENTRIES, *log.ids[3:5])

        assert log.problem() == ("audit entry number 4", "was removed with its seal")
        assert log.verify().bad == 2

    def test_an_entry_that_was_given_to_another_company_is_seen_in_both(self, log: SealedLog) -> None:
        other = SealedLog(log.database)
        log.update(ENTRIES, log.ids[3], company_id=other.tenant.company_id)

        assert log.problem() == (f"audit entry {log.ids[3]}", "was removed")
        assert other.problem() == (f"audit entry {log.ids[3]}", INSERTED)

    def test_the_sealer_continues_after_any_of_these(self, log: SealedLog) -> None:
        log.delete(ENTRIES, log.ids[-1])
        log.update(ENTRIES, log.ids[-2], created_at=log.start)
        log.append(2)
        log.seal()

        assert log.sealed_ids()[:8] == log.ids
        assert len(log.sealed_ids()) == 10


@pytest.mark.parametrize(
    "values",
    [
        {"actor_type": "SYSTEM"},
        {"actor_id": "someone"},
        {"entity_type": "order"},
        {"entity_id": "another"},
        {"request_id": "another"},
        {"address": "192.0.2.1"},
        {"details": {"total": 12.51, "count": 1}},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_change_of_any_member_is_seen(log: SealedLog, values: dict[str, Any]) -> None:
    log.update(ENTRIES, log.ids[3], **values)

    assert log.problem() == (f"audit entry {log.ids[3]}", CHANGED)


class TestKeptSeal:
    def test_a_kept_seal_is_found_after_more_entries(self, log: SealedLog) -> None:
        kept = log.latest()
        log.append()
        log.seal()

        assert log.verify(KeptSealCheck(kept)) == (1, 0, None)

    def test_a_removed_end_of_the_log_is_seen(self, log: SealedLog) -> None:
        kept = log.latest()
        log.delete(SEALS, *log.ids[5:])
        log.delete(ENTRIES, *log.ids[5:])

        assert log.verify() == (5, 0, None)
        result = log.verify(KeptSealCheck(kept))
        assert result.first is not None
        assert (result.bad, result.first.problem.id) == (1, kept.hex())

    def test_a_chain_that_was_written_again_is_seen(self, log: SealedLog) -> None:
        kept = log.latest()
        log.update(ENTRIES, log.ids[0], action="order.placed")
        log.delete(SEALS, *log.ids)
        log.seal()

        assert log.verify() == (8, 0, None)
        assert log.verify(KeptSealCheck(kept)).bad == 1

    def test_the_seal_of_another_company_is_not_found(self, log: SealedLog) -> None:
        other = SealedLog(log.database)

        assert log.verify(KeptSealCheck(other.latest())).bad == 1
