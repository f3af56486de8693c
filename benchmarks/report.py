"""Workloads and results of benchmarks, for people and for scripts."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Measurement
from benchmarks.plans import Plan

MAX_RATIO = 1.2  # CPU time of a case, divided by that of its baseline
HEADINGS = ("median ms", "server CPU ms", "database CPU ms", "CPU ratio", "statements")
WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class Workload:
    """How much to do: rows to insert, rounds over all cases, requests per case and round."""

    rows: int
    rounds: int
    requests: int


class Result(Protocol):
    """The result of any benchmark: a table for people, and the limits that were exceeded."""

    @property
    def title(self) -> str:
        """Return what was measured."""

    @property
    def failures(self) -> list[str]:
        """Return the limits that were exceeded."""

    def table(self) -> Table:
        """Return the measurements as a table for people."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One measured value and its limit, an upper one unless `is_minimum`; None if it has none."""

    name: str
    value: float
    allowed: float | None
    unit: str
    is_minimum: bool = False

    @property
    def is_met(self) -> bool:
        """Return True unless the value exceeds the limit."""
        if self.allowed is None:
            return True
        return self.value >= self.allowed if self.is_minimum else self.value <= self.allowed

    @property
    def limit(self) -> str:
        """Return the limit as text, empty if there is none."""
        if self.allowed is None:
            return ""
        return f"at {'least' if self.is_minimum else 'most'} {self.allowed:.1f}"

    @property
    def measured(self) -> str:
        """Return the value with its unit."""
        return f"{self.value:.1f} {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class RequestsResult:
    """The result of measured requests; `plans` has a plan for each statement, by the name of the case."""

    title: str
    measurements: Sequence[Measurement]
    plans: dict[str, list[Plan]]
    resident_mib: float
    checks: Sequence[Check] = ()

    @property
    def failures(self) -> list[str]:
        """Return the limits that were exceeded."""
        return [*self._slow(), *self._unindexed(), *self._above_limit()]

    def table(self) -> Table:
        """Return the measurements as a table for people."""
        table = Table(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("case")
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        for measurement in self.measurements:
            statements = str(len(self.plans.get(measurement.case, ())) or "")
            table.add_row(measurement.case, *_cells(measurement), statements)
        return table

    def _slow(self) -> Iterator[str]:
        for measurement in self.measurements:
            if measurement.ratio is not None and measurement.ratio > MAX_RATIO:
                yield f"{measurement.case}: {measurement.ratio:.2f} times the CPU time of its baseline"

    def _above_limit(self) -> Iterator[str]:
        for check in self.checks:
            if not check.is_met:
                yield f"{check.name}: {check.measured} ({check.limit})"

    def _unindexed(self) -> Iterator[str]:
        for case, plans in self.plans.items():
            if not all(plan.is_good for plan in plans):
                yield f"{case}: sorted, or read without an index"


def show(result: Result) -> None:
    """Print tables for people."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(result.table())
    if isinstance(result, RequestsResult):
        _show_more(console, result)


def _show_more(console: Console, result: RequestsResult) -> None:
    for check in result.checks:
        limit = f" ({check.limit})" if check.limit else ""
        console.print(f"{check.name}: {check.measured}{limit}", soft_wrap=True)
    console.print(f"Resident memory of the server: {result.resident_mib:.0f} MiB\n")
    for plan, cases in _by_plan(result).items():
        console.print(f"Plan of {'; '.join(cases)}:", style="bold", soft_wrap=True)
        console.print(plan, markup=False, soft_wrap=True)
        console.print()


def document(results: Sequence[Result]) -> str:
    """Return all results as JSON."""
    return json.dumps([_plain(result) for result in results], indent=2)


def _plain(result: Result) -> dict[str, Any]:
    return {
        **dataclasses.asdict(result),  # type: ignore[call-overload]
        "failures": result.failures,
    }


def _cells(measurement: Measurement) -> Iterator[str]:
    for value in (measurement.latency_ms, measurement.server_cpu_ms, measurement.database_cpu_ms):
        yield f"{value:.2f}" if value else ""
    yield f"{measurement.ratio:.2f}" if measurement.ratio else ""


def _by_plan(result: RequestsResult) -> dict[str, list[str]]:
    """Group the cases with the same plans."""
    groups: dict[str, list[str]] = {}
    for case, plans in result.plans.items():
        groups.setdefault("\n".join(plan.text for plan in plans), []).append(case)
    return groups
