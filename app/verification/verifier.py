"""Run checks over companies, range by range, each in a short transaction that only reads."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from app.context import Context
from app.verification.check import AnyCheck, CompanyRanges, Findings, Problem
from app.verification.ranges import IdRange

Checks = Sequence[AnyCheck]
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

    checked: int = 0
    bad: int = 0
    first: FirstProblem | None = None


def groups(checks: Checks) -> Sequence[Checks]:
    """Return the checks in groups that share their ranges, in the order of the first check of each."""
    found: dict[CompanyRanges, list[AnyCheck]] = {}
    for check in checks:
        found.setdefault(check.ranges, []).append(check)
    return list(found.values())


def run(
    group: Checks, companies: Sequence[VerifiedCompany], transaction: Transaction, on_progress: OnProgress
) -> list[Result]:
    """Run a group of checks over the companies, in their order. Return the result of each check."""
    ranges = [(company, ids) for company in companies for ids in _ranges(group, company, transaction)]
    results = [Result() for _ in group]
    for number, (company, ids) in enumerate(ranges, 1):
        with transaction(company.id) as ctx:
            findings = [check.run(ctx, ids) for check in group]
        results = [_add(result, company, found) for result, found in zip(results, findings, strict=True)]
        on_progress(number, len(ranges))
    return results


def _ranges(group: Checks, company: VerifiedCompany, transaction: Transaction) -> list[IdRange]:
    with transaction(company.id) as ctx:
        return list(group[0].ranges.of_company(ctx))


def _add(result: Result, company: VerifiedCompany, found: Findings) -> Result:
    first = result.first or (FirstProblem(company.slug, found.first) if found.first else None)
    return Result(result.checked + found.checked, result.bad + found.bad, first)
