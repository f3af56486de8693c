"""`python -m benchmarks`: measure what must stay fast. A benchmark is a module with a function `run`."""

import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import deliveries, imports, orders, paging, report, stores
from benchmarks.report import Finding, Workload
from benchmarks.stores import Site

BENCHMARKS: dict[str, Callable[[Site, Workload, Progress], Finding]] = {
    "products": paging.run,
    "orders": orders.run,
    "deliveries": deliveries.run,
    "import": imports.run,
}


@click.command()
@click.option("--only", type=click.Choice(stores.NAMES), help="One database instead of both.")
@click.option("--what", type=click.Choice(list(BENCHMARKS)), help="One benchmark instead of all.")
@click.option("--rows", type=click.IntRange(min=1_000), default=1_000_100, show_default=True, help="Rows to fill in.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Rounds over all cases.")
@click.option("--requests", type=click.IntRange(min=1), default=100, show_default=True, help="Per case and round.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(only: str | None, what: str | None, *, as_json: bool, **amounts: int) -> None:
    """Measure what a request costs. Ends with 1 when something is not as it must be."""
    workload = Workload(**amounts)
    chosen = [what] if what else list(BENCHMARKS)
    results = [result for name in ([only] if only else stores.NAMES) for result in _run(name, chosen, workload)]
    if as_json:
        click.echo(report.document(results))
    else:
        for result in results:
            report.show(result)
    faults = [f"{result.title}\n  {fault}" for result in results for fault in result.faults]
    for fault in faults:
        click.echo(f"Not good enough: {fault}", err=True)
    sys.exit(bool(faults))


def _run(name: str, chosen: list[str], workload: Workload) -> list[Finding]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        results: list[Finding] = []
        for benchmark in chosen:
            with stores.site(name) as site:
                results.append(BENCHMARKS[benchmark](site, workload, progress))
        return results


if __name__ == "__main__":
    main()
