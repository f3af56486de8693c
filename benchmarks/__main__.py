"""`python -m benchmarks`: measurements with limits. A benchmark is a module with a function `run`."""

import sys
from collections.abc import Callable

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import deliveries, imports, orders, paging, previews, report, seals, stores
from benchmarks.report import Result, Workload
from benchmarks.stores import Deployment

BENCHMARKS: dict[str, Callable[[Deployment, Workload, Progress], Result]] = {
    "products": paging.run,
    "orders": orders.run,
    "previews": previews.run,
    "deliveries": deliveries.run,
    "import": imports.run,
    "seal": seals.run,
}


@click.command()
@click.option("--only", type=click.Choice(stores.NAMES), help="One database instead of both.")
@click.option("--what", type=click.Choice(list(BENCHMARKS)), help="One benchmark instead of all.")
@click.option("--rows", type=click.IntRange(min=1_000), default=1_000_100, show_default=True, help="Rows to insert.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="Rounds over all cases.")
@click.option(
    "--requests", type=click.IntRange(min=1), default=100, show_default=True, help="Requests per case and round."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(only: str | None, what: str | None, *, as_json: bool, **amounts: int) -> None:
    """Measure what requests cost. The exit code is 1 if a limit is exceeded."""
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


def _run(name: str, chosen: list[str], workload: Workload) -> list[Result]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        results: list[Result] = []
        for benchmark in chosen:
            with stores.deployment(name) as deployment:
                results.append(BENCHMARKS[benchmark](deployment, workload, progress))
        return results


if __name__ == "__main__":
    main()
