"""A seal that was kept outside of the database is in the audit log (contract, section 9.8).

Together with the check of the chain, this proves that the log still has every entry up to that seal, unchanged.
"""

from collections.abc import Iterator

from sqlalchemy import bindparam

from app.context import Context
from app.queries import tenant
from app.queries.rows import Row, Statement
from app.services.audit_seals import TABLE
from app.verification.check import Findings, Problem
from app.verification.ranges import FIRST, LAST, IdRange


class NumberRow(Row):
    """The number of a seal."""

    number: int


SELECT_NUMBER = Statement(
    NumberRow, tenant.select(TABLE.c.number).where(TABLE.c.seal == bindparam("seal", type_=TABLE.c.seal.type)).limit(1)
)
MISSING = (
    "is not in the audit log: an entry up to it was changed or removed, or it is the seal of another company. "
    "Compare the log with a backup, as in docs/deployment.md, The seal of the audit log."
)


class AllRows:
    """One range with every row."""

    def of_company(self, ctx: Context) -> Iterator[IdRange]:
        """Yield the range."""
        del ctx  # its rows play no part
        yield IdRange(FIRST, LAST)


class KeptSealCheck:
    """Finds a seal in the log of a company."""

    name = "keptSeal"
    subject = "kept seal"
    rule = "the audit log contains it"

    def __init__(self, seal: bytes) -> None:
        """Initialize with the seal that was kept."""
        self.ranges = AllRows()
        self._seal = seal

    def run(self, ctx: Context, ids: IdRange) -> Findings:
        """Find the seal."""
        del ids  # the only range
        if SELECT_NUMBER.one_or_none(ctx.session, tenant.params(ctx, seal=self._seal)) is not None:
            return Findings(1, 0, None)
        return Findings(1, 1, Problem("seal", self._seal.hex(), None, MISSING, " "))
