"""What a benchmark is asked for and what it found out, for people and for scripts."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Figures
from benchmarks.plans import Plan

LIMIT = 1.2  # what compares itself to a baseline may cost this many times its CPU time
HEADINGS = ("median ms", "server CPU ms", "database CPU ms", "CPU ratio", "statements")
WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How much to do: rows to fill in, rounds over all cases, requests a case and round."""

    rows: int
    rounds: int
    requests: int


class Finding(Protocol):
    """What any benchmark found out: a table for people, and what is not as it must be."""

    @property
    def title(self) -> str:
        """Say what was measured."""

    @property
    def faults(self) -> list[str]:
        """Say what is not as it must be."""

    def table(self) -> Table:
        """Return the figures for people."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One figure, and how much it may be; None where it only tells."""

    name: str
    value: float
    allowed: float | None
    unit: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one benchmark found out about one site; `plans` by the name of a case, one for each of its statements."""

    title: str
    figures: Sequence[Figures]
    plans: dict[str, list[Plan]]
    resident_mib: float
    checks: Sequence[Check] = ()

    @property
    def faults(self) -> list[str]:
        """Say what is not as it must be."""
        return [*self._slow(), *self._unindexed(), *self._beyond()]

    def table(self) -> Table:
        """Return the figures for people."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("case")
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for each in self.figures:
            table.add_row(each.case, *_cells(each), str(len(self.plans.get(each.case, ())) or ""))
        return table

    def _slow(self) -> Iterator[str]:
        for each in self.figures:
            if each.ratio is not None and each.ratio > LIMIT:
                yield f"{each.case}: {each.ratio:.2f} times the CPU time it is compared to, {LIMIT} are allowed"

    def _beyond(self) -> Iterator[str]:
        for each in self.checks:
            if each.allowed is not None and each.value > each.allowed:
                yield f"{each.name}: {each.value:.1f} {each.unit}, {each.allowed:.1f} are allowed"

    def _unindexed(self) -> Iterator[str]:
        for case, plans in self.plans.items():
            if not all(plan.is_good for plan in plans):
                yield f"{case}: sorted, or read without an index"


def show(result: Finding) -> None:
    """Print tables for people."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(result.table())
    if isinstance(result, Result):
        _show_more(console, result)


def _show_more(console: Console, result: Result) -> None:
    for check in result.checks:
        allowed = "" if check.allowed is None else f" (allowed: {check.allowed:.1f})"
        console.print(f"{check.name}: {check.value:.1f} {check.unit}{allowed}", soft_wrap=True)
    console.print(f"Resident memory of the server: {result.resident_mib:.0f} MiB\n")
    for plan, cases in _by_plan(result).items():
        console.print(f"Plan of {'; '.join(cases)}:", style="bold", soft_wrap=True)
        console.print(plan, markup=False, soft_wrap=True)
        console.print()


def document(results: Sequence[Finding]) -> str:
    """Return all results as JSON."""
    return json.dumps([_plain(result) for result in results], indent=2)


def _plain(result: Finding) -> dict[str, Any]:
    return {
        **dataclasses.asdict(result),  # type: ignore[call-overload]
        "faults": result.faults,
    }


def _cells(figures: Figures) -> Iterator[str]:
    for value in (figures.latency_ms, figures.server_cpu_ms, figures.database_cpu_ms):
        yield f"{value:.2f}" if value else ""
    yield f"{figures.ratio:.2f}" if figures.ratio else ""


def _by_plan(result: Result) -> dict[str, list[str]]:
    """Group cases that the database treats the same: their plans differ in values only."""
    groups: dict[str, list[str]] = {}
    for case, plans in result.plans.items():
        groups.setdefault("\n".join(plan.text for plan in plans), []).append(case)
    return groups
