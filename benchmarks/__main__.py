"""`python -m benchmarks`: this server under load, alongside others, and what its requests may cost."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import (
    apis,
    bench,
    deliveries,
    imports,
    layers,
    lock,
    orders,
    page,
    paging,
    previews,
    report,
    seals,
    stores,
    tables,
    wrk,
)
from benchmarks import memory as memories
from benchmarks.bench import Plan
from benchmarks.compare import Load
from benchmarks.memory import Soak
from benchmarks.page import Results
from benchmarks.report import Result, Workload
from benchmarks.stores import Deployment
from tests.support.servers import ROOT

BENCHMARKS: dict[str, Callable[[Deployment, Workload, Progress], Result]] = {
    "products": paging.run,
    "orders": orders.run,
    "previews": previews.run,
    "deliveries": deliveries.run,
    "import": imports.run,
    "seal": seals.run,
    "lock": lock.run,
}
BUILD = ROOT / "build"
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Measure this server. `load` compares it with others; `limits` compares it with what it may cost."""


@main.command()
@click.option(
    "--peer", "peers", nargs=3, multiple=True, metavar="NAME URL KEY", help="A running server to compare with."
)
@click.option("--scenario", "scenarios", type=click.Choice(list(apis.SCENARIOS)), multiple=True, help="Instead of all.")
@click.option("--connections", type=click.IntRange(min=1), default=16, show_default=True, help="Of the load.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds over all servers.")
@click.option("--seconds", type=click.IntRange(min=1), default=5, show_default=True, help="Duration of each run.")
@click.option(
    "--synchronous",
    type=click.Choice(["NORMAL", "FULL"]),
    default="NORMAL",
    show_default=True,
    help="Durability of SQLite in the comparison: that of the other servers.",
)
@click.option("--profile", "is_profiled", is_flag=True, help="Sample each server: CPU time by layer. Needs root.")
@click.option("--output", type=NEW_FILE, default=BUILD / "bench.json", help="Where the result is written as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def load(
    peers: tuple[tuple[str, str, str], ...],
    scenarios: tuple[str, ...],
    synchronous: str,
    output: Path,
    *,
    is_profiled: bool,
    as_json: bool,
    **amounts: int,
) -> None:
    """Send the same requests to this server and to others, in turn.

    This command starts and fills this server. It finds the process of another server by its port, if it is on this
    machine. The exit code is 1 if this server exceeds a limit.
    """
    wrk.require()
    if is_profiled:
        layers.require()
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=output.parent) as directory, _progress() as progress:
        plan = Plan(
            others=[apis.connect(*peer) for peer in peers],
            scenarios=scenarios or list(apis.SCENARIOS),
            synchronous=synchronous,
            load=Load(**amounts),
            directory=Path(directory),
            is_profiled=is_profiled,
        )
        result = bench.run(plan, progress)
    output.write_text(result.to_json())
    if as_json:
        click.echo(result.to_json())
    else:
        tables.show(result)
    sys.exit(not all(check.is_met for check in result.checks()))


@main.command()
@click.option("--only", type=click.Choice(stores.NAMES), help="One database instead of both.")
@click.option("--what", type=click.Choice(list(BENCHMARKS)), help="One benchmark instead of all.")
@click.option("--rows", type=click.IntRange(min=1_000), default=1_000_100, show_default=True, help="Rows to insert.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Rounds over all cases.")
@click.option(
    "--requests", type=click.IntRange(min=1), default=100, show_default=True, help="Requests per case and round."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def limits(only: str | None, what: str | None, *, as_json: bool, **amounts: int) -> None:
    """Measure what requests cost with much data. The exit code is 1 if a limit is exceeded."""
    workload = Workload(**amounts)
    chosen = [what] if what else list(BENCHMARKS)
    results = [result for name in ([only] if only else stores.NAMES) for result in _run(name, chosen, workload)]
    if as_json:
        click.echo(report.document(results))
    else:
        for result in results:
            report.show(result)
    failures = [f"{result.title}\n  {failure}" for result in results for failure in result.failures]
    for failure in failures:
        click.echo(f"Limit exceeded: {failure}", err=True)
    sys.exit(bool(failures))


@main.command()
@click.option("--minutes", type=click.IntRange(min=1), default=60, show_default=True, help="Stop after this time.")
@click.option("--output", type=NEW_FILE, default=BUILD / "memory.json", help="The state of the run, and its result.")
def memory(minutes: int, output: Path) -> None:
    """Send a million requests to one process and watch its memory.

    The command can be interrupted. The server keeps running, and the next call continues. The exit code is 1 if a limit
    is exceeded, or if requests remain.
    """
    wrk.require()
    output.parent.mkdir(parents=True, exist_ok=True)
    soak = memories.run(output, minutes, _show_sample)
    for check in soak.checks():
        click.echo(f"{check.name}: {check.measured} ({check.limit}: {'met' if check.is_met else 'not met'})")
    if not soak.is_complete:
        click.echo(f"{memories.REQUESTS - soak.done:,} requests remain. Run this command again to send them.", err=True)
    sys.exit(not soak.is_complete or not all(check.is_met for check in soak.checks()))


def _show_sample(soak: Soak) -> None:
    click.echo(f"{soak.done:>9,} requests: {soak.samples[-1].resident_mib:.1f} MiB", err=True)


@main.command("page")
@click.option("--results", type=click.Path(exists=True, file_okay=False, path_type=Path), default=BUILD)
def write_page(results: Path) -> None:
    """Write docs/performance.md and its pictures from the results of `load` and `memory`."""
    page.publish(results)
    page.write(Results.read())


def _run(name: str, chosen: list[str], workload: Workload) -> list[Result]:
    with _progress() as progress:
        results: list[Result] = []
        for benchmark in chosen:
            with stores.deployment(name) as deployment:
                results.append(BENCHMARKS[benchmark](deployment, workload, progress))
        return results


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


if __name__ == "__main__":
    main()
