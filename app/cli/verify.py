"""`distribu verify`: check what must always hold in the database (contract, section 11)."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from app.cli import options, output, progress, runtime
from app.context import Context
from app.db import Database
from app.schemas.base import Json
from app.services import companies
from app.verification import verifier
from app.verification.check import AnyCheck, Problem
from app.verification.checks import CHECKS
from app.verification.kept_seal import KeptSealCheck
from app.verification.verifier import Checks, FirstProblem, Result, VerifiedCompany

SEAL = re.compile("[0-9a-fA-F]{64}")


class Seal(click.ParamType[bytes]):
    """A seal as `GET /audit-seal` shows it."""

    name = "seal"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Parse hexadecimal digits in upper or lower case."""
        if SEAL.fullmatch(value) is None:
            self.fail(f"'{value}' is not a seal. A seal has 64 hexadecimal digits.", param, ctx)
        return bytes.fromhex(value)


@click.command()
@click.option("--company", "slug", metavar="SLUG", type=options.TEXT, help="Check only the company with this slug.")
@click.option("--seal", metavar="HEX", type=Seal(), help="Check that the audit log of the company contains this seal.")
@options.as_json
def verify(slug: str | None, seal: bytes | None, as_json: bool) -> None:
    """Check that stock, orders, returns, events and the audit log are consistent.

    The stock of every product must equal its movements, the movements of every order its items, the amounts of every
    order its total. No more may be shipped, returned or refunded than was ordered, what was restocked must equal the
    movements, and credit notes and events must be numbered without gaps. The seals of the audit log must show that no
    entry was changed, removed, inserted or moved. The command changes nothing, and the server can run at the same time.

    With --seal, a seal that was kept elsewhere must be in the audit log. This also shows that the end of the log was
    not removed.

    It prints one line for each kind of check, and the first wrong row of each kind. The exit code is 1 if any row is
    wrong.
    """
    if seal is not None and slug is None:
        raise click.UsageError("--seal needs --company: each company has its own seals.")
    checks = CHECKS if seal is None else (*CHECKS, KeptSealCheck(seal))
    with runtime.current_database() as database:
        verified = _companies(database, slug)
        results = [
            result for group in verifier.groups(checks) for result in _run(database, group, verified, as_json=as_json)
        ]
    if as_json:
        output.document({"checks": [_to_json(check, result) for check, result in results]})
    if any(result.bad for _, result in results):
        raise click.exceptions.Exit(1)


def _companies(database: Database, slug: str | None) -> list[VerifiedCompany]:
    """Return the company with this slug, or all. Raises NotFoundError."""
    with database.transaction() as session:
        found = companies.list_all(session) if slug is None else [companies.find(session, slug)]
        return [VerifiedCompany(company.id, company.slug) for company in found]


def _run(
    database: Database, group: Checks, verified: Sequence[VerifiedCompany], *, as_json: bool
) -> list[tuple[AnyCheck, Result]]:
    """Run checks with a progress bar on a terminal, and print their results."""

    @contextmanager
    def transaction(company_id: str) -> Iterator[Context]:
        with database.transaction() as session:
            database.lift_time_limit(session)  # one product may have millions of movements
            yield runtime.context_for(session, company_id)

    with progress.bars() as bars:
        task = bars.add_task(f"Checking {group[0].subject}", total=None)
        found = verifier.run(
            group, verified, transaction, lambda done, total: bars.update(task, completed=done, total=total)
        )
    results = list(zip(group, found, strict=True))
    if not as_json:
        for check, result in results:
            _show(check, result)
    return results


def _show(check: AnyCheck, result: Result) -> None:
    if result.first is None:
        output.text(f"✓ {result.checked:,} {check.subject}: {check.rule}")
        return
    output.text(f"✗ {result.checked:,} {check.subject}: {check.rule} (problems: {result.bad:,})")
    output.text(f"  {_sentence(result.first)}")


def _sentence(first: FirstProblem) -> str:
    """Return 'acme-foods: product WDG-001 (c…): stock is 42, its movements add up to 40. …'."""
    problem = first.problem
    row = problem.id if problem.label is None else f"{output.cell(problem.label)} ({problem.id})"
    return f"{first.company}: {problem.entity} {row}{problem.separator}{output.cell(problem.text)}"


def _to_json(check: AnyCheck, result: Result) -> Json:
    return {
        "name": check.name,
        "checked": result.checked,
        "problems": result.bad,
        "first": None if result.first is None else _row(result.first.company, result.first.problem),
    }


def _row(company: str, problem: Problem) -> Json:
    return {"company": company, "entity": problem.entity, "id": problem.id, "problem": problem.text}
