"""The result of a comparison as tables for people, in a terminal."""

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import layers
from benchmarks.apis import TITLES
from benchmarks.bench import OWN_NAME, Bench
from benchmarks.compare import Figures
from benchmarks.report import WIDTH

HEADINGS = ("req/s", "p50 ms", "p99 ms", "CPU ms", f"{OWN_NAME} ÷ it", "bytes")


def show(bench: Bench) -> None:
    """Print everything that was measured."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    for line in conditions(bench):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(_comparison(bench))
    console.print(_memory(bench))
    if bench.profiles:
        for scenario in dict.fromkeys(profile.scenario for profile in bench.profiles):
            console.print(_layers(bench, scenario))
    for check in bench.checks():
        limit = f" ({check.limit}: {'met' if check.is_met else 'not met'})" if check.limit else ""
        console.print(f"{check.name}: {check.measured}{limit}", soft_wrap=True)


def conditions(bench: Bench) -> Iterator[str]:
    """Yield where and how it was measured, the disk first."""
    disk, machine, load = bench.disk, bench.machine, bench.load
    yield (
        f"fdatasync of this disk: {disk.median_ms:.2f} ms, 99th percentile {disk.p99_ms:.2f} ms: "
        f"{disk.flushes_per_second:,.0f} flushes per second, one after the other."
    )
    yield (
        f"{machine.date}, commit {machine.commit}, {machine.processor}, {machine.cores} cores, Python "
        f"{machine.python}, SQLite {machine.sqlite}, synchronous={bench.synchronous}."
    )
    yield (
        f"{load.connections} connections, {load.rounds} rounds of {load.seconds:g} s, the servers in turn, median. "
        + ("Server on one core, load on another one." if machine.is_pinned else "Server and load share all cores.")
    )
    if machine.is_busy:
        yield f"The load average was {machine.load:.1f} at the start: times are only relative, compare the ratios."


def _comparison(bench: Bench) -> Table:
    table = _table("scenario", "server", *HEADINGS, texts=2)
    for scenario in dict.fromkeys(figures.scenario for figures in bench.figures):
        title = TITLES[scenario]
        for server in bench.servers:
            figures = bench.figure(server, scenario)
            if figures:
                table.add_row(title, server, *_cells(bench, figures))
                title = ""
        table.add_section()
    return table


def _cells(bench: Bench, figures: Figures) -> Iterator[str]:
    yield f"{figures.rate:,.0f}"
    yield f"{figures.p50_ms:.1f}"
    yield f"{figures.p99_ms:.1f}"
    yield f"{figures.cpu_ms:.2f}" if figures.cpu_ms else ""
    found = bench.ratio(figures.server, figures.scenario)
    yield f"{found:.2f}" if found and figures.server != OWN_NAME else ""
    yield f"{figures.response_bytes:,}"


def _memory(bench: Bench) -> Table:
    table = _table("resident memory after all scenarios", "MiB", texts=1)
    for memory in bench.memory:
        table.add_row(memory.server, f"{memory.resident_mib:.0f}" if memory.resident_mib else "")
    return table


def _layers(bench: Bench, scenario: str) -> Table:
    profiles = [profile for profile in bench.profiles if profile.scenario == scenario]
    title = f"{TITLES[scenario]}: CPU µs of a request"
    table = _table(title, *(profile.server for profile in profiles), texts=1)
    for layer in layers.ORDER:
        table.add_row(layer, *(f"{profile.layers[layer]:,.0f}" for profile in profiles))
    table.add_row("all", *(f"{sum(profile.layers.values()):,.0f}" for profile in profiles))
    return table


def _table(*headings: str, texts: int) -> Table:
    """Return an empty table: `texts` columns of text, then numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < texts else "right")
    return table
