"""Run a check over companies, range by range, each in a short transaction that only reads."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from app.context import Context
from app.verification.check import Check, IdRange, Problem

Transaction = Callable[[str], AbstractContextManager[Context]]  # opens one for the company with this id
OnProgress = Callable[[int, int], None]  # called with the number of ranges that are done, and of all


class VerifiedCompany(NamedTuple):
    """A company to check. People know it by its slug."""

    id: str
    slug: str


class FirstProblem(NamedTuple):
    """The first bad row of a check, and the slug of its company."""

    company: str
    problem: Problem


class Result(NamedTuple):
    """How many rows a check has read, how many of them are bad, and the first bad one."""

    checked: int
    bad: int
    first: FirstProblem | None


def run(
    check: Check[Any], companies: Sequence[VerifiedCompany], transaction: Transaction, on_progress: OnProgress
) -> Result:
    """Run one check over the companies, in their order."""
    ranges = [(company, ids) for company in companies for ids in _ranges(check, company, transaction)]
    result = Result(0, 0, None)
    for number, (company, ids) in enumerate(ranges, 1):
        with transaction(company.id) as ctx:
            checked, bad, problem = check.run(ctx, ids)
        first = result.first or (FirstProblem(company.slug, problem) if problem else None)
        result = Result(result.checked + checked, result.bad + bad, first)
        on_progress(number, len(ranges))
    return result


def _ranges(check: Check[Any], company: VerifiedCompany, transaction: Transaction) -> list[IdRange]:
    with transaction(company.id) as ctx:
        return list(check.ranges(ctx))
