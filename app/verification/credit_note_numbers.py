"""The credit notes of a company are numbered from 1 to its counter, without gaps (contract, section 9.7)."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.verification.check import CORRECT, CountRow, Findings, Problem
from app.verification.ranges import FIRST, LAST, OFFSET, RANGE_ROWS, IdRange
from models import Company, Refund
from models.base import table

REFUNDS, COMPANIES = table(Refund), table(Company)
NUMBER = REFUNDS.c.number
MIN_NUMBER, MAX_NUMBER = -(2**63), 2**63 - 1
AFTER, UP_TO = bindparam("after", type_=NUMBER.type), bindparam("up_to", type_=NUMBER.type)
PREVIOUS = bindparam("previous", type_=NUMBER.type)


class NumberRow(Row):
    """The number at the end of a range."""

    number: int


class NoteRow(Row):
    """A credit note and the number before it, or the company, its counter and the last number."""

    id: str
    number: int
    is_company: bool
    previous: int


IS_IN_RANGE = sa.and_(NUMBER > AFTER, NUMBER <= UP_TO)
SELECT_END = Statement(
    NumberRow,
    sa.select(NUMBER.label("number"))
    .where(tenant.where(REFUNDS), NUMBER > AFTER)
    .order_by(NUMBER)
    .offset(OFFSET)
    .limit(1),
)
COUNT = Statement(
    CountRow, sa.select(sa.func.count().label("number")).select_from(REFUNDS).where(tenant.where(REFUNDS), IS_IN_RANGE)
)
# The credit notes, and after the last one the company with its counter.
ENTRIES = sa.union_all(
    tenant.select(REFUNDS.c.id, NUMBER, sa.literal_column("0", sa.Integer).label("is_company")).where(IS_IN_RANGE),
    sa.select(COMPANIES.c.id, COMPANIES.c.credit_note_number, sa.literal_column("1", sa.Integer)).where(
        COMPANIES.c.id == bindparam(tenant.COMPANY_PARAMETER), UP_TO == MAX_NUMBER
    ),
).subquery()
ORDER = (ENTRIES.c.is_company, ENTRIES.c.number, ENTRIES.c.id)
LINKS = sa.select(
    ENTRIES, sa.func.coalesce(sa.func.lag(ENTRIES.c.number).over(order_by=ORDER), PREVIOUS).label("previous")
).subquery()
SELECT_BAD = Statement(
    NoteRow,
    sa.select(
        LINKS.c.id,
        sa.type_coerce(LINKS.c.number, NUMBER.type).label("number"),  # not null in a range of numbers
        (LINKS.c.is_company == 1).label("is_company"),
        LINKS.c.previous,
    )
    .where(LINKS.c.number != LINKS.c.previous + 1 - LINKS.c.is_company)
    .order_by(LINKS.c.is_company, LINKS.c.number, LINKS.c.id),
)


class Numbers:
    """Ranges of RANGE_ROWS credit notes in the order of their numbers."""

    def of_company(self, ctx: Context) -> Iterator[IdRange]:
        """Yield ranges of numbers, written as texts, that together include every credit note."""
        after = FIRST
        while (end := _end(ctx, after)) is not None:
            yield IdRange(after, end)
            after = end
        yield IdRange(after, LAST)


class CreditNoteNumbersCheck:
    """Compares the number of every credit note with the one before it, and the last one with the counter."""

    name = "creditNoteNumbers"
    subject = "credit notes"
    rule = "they are numbered without gaps"

    def __init__(self) -> None:
        """Prepare the ranges."""
        self.ranges = Numbers()

    def run(self, ctx: Context, ids: IdRange) -> Findings:
        """Check the credit notes of a range, and after the last one the counter of the company."""
        after, up_to = int(ids.after or MIN_NUMBER), MAX_NUMBER if ids.last == LAST else int(ids.last)
        parameters = tenant.params(ctx, after=after, up_to=up_to, previous=int(ids.after or 0))
        bad = SELECT_BAD.all(ctx.session, parameters)
        checked = COUNT.one(ctx.session, parameters).number
        return Findings(checked, len(bad), _problem(bad[0]) if bad else None)


def _end(ctx: Context, after: str) -> str | None:
    """Return the last number of the range after `after`, None if fewer credit notes remain."""
    parameters = tenant.params(ctx, after=int(after or MIN_NUMBER), offset=RANGE_ROWS - 1)
    found = SELECT_END.one_or_none(ctx.session, parameters)
    return None if found is None else str(found.number)


def _problem(row: NoteRow) -> Problem:
    if row.is_company:
        text = f"credit_note_number is {row.number}, the number of its last credit note is {row.previous}"
        return Problem("company", row.id, None, f"{text}. {CORRECT}")
    text = f"its number is {row.number}, that of the credit note before it is {row.previous}"
    return Problem("credit note", row.id, None, f"{text}. {CORRECT}")


CHECK = CreditNoteNumbersCheck()
