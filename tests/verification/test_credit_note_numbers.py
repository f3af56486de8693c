"""The credit notes of a company are numbered from 1 to its counter, without gaps."""

import pytest

from app.db import Database
from app.verification.ranges import RANGE_ROWS
from tests.support.verified_returns import REFUNDS, VerifiedReturns
from tests.support.verified_shop import first, run, unprotected


def add_notes(returns: VerifiedReturns, count: int) -> None:
    """Void the last credit note again and again: each is a credit note of the same return."""
    with unprotected(returns.database) as connection:
        row = connection.execute(REFUNDS.select().where(REFUNDS.c.id == returns.void)).one()._asdict()
        rows = [{**row, "id": f"{row['id'][:-5]}{number:05}", "number": number} for number in range(3, count + 1)]
        connection.execute(REFUNDS.insert(), rows)
    returns.set_counter(count)


def without_unique_numbers(database: Database) -> None:
    """Replace the table by one that has no constraints: SQLite cannot drop one."""
    with unprotected(database) as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("ALTER TABLE refunds RENAME TO constrained_refunds")
            connection.exec_driver_sql("CREATE TABLE refunds AS SELECT * FROM constrained_refunds")
        else:
            connection.exec_driver_sql("ALTER TABLE refunds DROP CONSTRAINT uq_refunds_company_id_number")


def test_the_credit_notes_of_each_company_are_numbered(returns: VerifiedReturns) -> None:
    other = VerifiedReturns(returns.database)

    assert returns.verify() == other.verify() == {}
    assert run(returns.database, returns.tenant, other.tenant)["creditNoteNumbers"].checked == 4


def test_a_missing_first_number_is_a_problem(returns: VerifiedReturns) -> None:
    returns.delete(REFUNDS, returns.void)

    text = "its number is 2, that of the credit note before it is 0."
    assert returns.problems() == {"creditNoteNumbers": text}
    assert first(returns.verify()["creditNoteNumbers"]) == (returns.tenant.slug, returns.note, None)


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_below_one_is_a_problem(returns: VerifiedReturns, number: int) -> None:
    returns.update(REFUNDS, returns.void, number=number)

    text = f"its number is {number}, that of the credit note before it is 0."
    assert returns.problems()["creditNoteNumbers"] == text


def test_a_gap_is_a_problem(returns: VerifiedReturns) -> None:
    returns.update(REFUNDS, returns.note, number=3)
    returns.set_counter(3)

    text = "its number is 3, that of the credit note before it is 1."
    assert returns.problems() == {"creditNoteNumbers": text}


def test_two_credit_notes_with_one_number_are_a_problem(returns: VerifiedReturns) -> None:
    without_unique_numbers(returns.database)
    returns.update(REFUNDS, returns.note, number=1)
    returns.set_counter(1)

    text = "its number is 1, that of the credit note before it is 1."
    assert returns.problems() == {"creditNoteNumbers": text}


@pytest.mark.parametrize("counter", [0, 1, 3])
def test_another_counter_is_a_problem(returns: VerifiedReturns, counter: int) -> None:
    returns.set_counter(counter)

    text = f"credit_note_number is {counter}, the number of its last credit note is 2."
    assert returns.problems() == {"creditNoteNumbers": text}
    assert first(returns.verify()["creditNoteNumbers"]) == (returns.tenant.slug, returns.tenant.company_id, None)


def test_a_counter_without_credit_notes_is_a_problem(returns: VerifiedReturns) -> None:
    returns.delete(REFUNDS, returns.void, returns.note)

    text = "credit_note_number is 2, the number of its last credit note is 0."
    assert returns.problems()["creditNoteNumbers"] == text


def test_the_numbers_of_every_range_are_compared(returns: VerifiedReturns) -> None:
    add_notes(returns, RANGE_ROWS + 2)

    assert returns.verify() == {}
    assert run(returns.database, returns.tenant)["creditNoteNumbers"].checked == RANGE_ROWS + 2

    returns.execute(REFUNDS.delete().where(REFUNDS.c.number.in_([RANGE_ROWS - 1, RANGE_ROWS + 1])))

    text = f"its number is {RANGE_ROWS}, that of the credit note before it is {RANGE_ROWS - 2}."
    assert returns.problems() == {"creditNoteNumbers": text}
    assert returns.verify()["creditNoteNumbers"].bad == 2


@pytest.mark.parametrize("count", [RANGE_ROWS, RANGE_ROWS + 1])
def test_a_missing_number_at_the_end_of_a_range_is_a_problem(returns: VerifiedReturns, count: int) -> None:
    add_notes(returns, count)
    returns.execute(REFUNDS.delete().where(REFUNDS.c.number == count))

    text = f"credit_note_number is {count}, the number of its last credit note is {count - 1}."
    assert returns.problems() == {"creditNoteNumbers": text}
