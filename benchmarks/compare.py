"""Every scenario on every server in turn, for several rounds: rate, latency and CPU time of a request."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import apis, measure, wrk
from benchmarks.apis import Api
from benchmarks.wrk import Run

WARM_UP_SECONDS = 1.0
MIN_ACCEPTED = 0.999  # of the responses of a run; otherwise it measured something else


@dataclass(frozen=True, kw_only=True)
class Load:
    """How much: connections, rounds over all servers, seconds of each run."""

    connections: int
    rounds: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Medians over the rounds of one scenario on one server. `cpu_ms` is None for a server on another machine."""

    server: str
    scenario: str
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None
    response_bytes: int


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One run of a scenario on a server, and the CPU time of the server for each request."""

    run: Run
    cpu_ms: float | None


def prepare(servers: Sequence[Api], scenarios: Sequence[str], directory: Path) -> dict[tuple[str, str], Path]:
    """Write the requests of each server and scenario to a file; return the files by both names."""
    found = {server.name: apis.ids(server) for server in servers}
    return {
        (server.name, scenario): wrk.write(
            directory / f"{number}-{scenario}.requests", apis.requests(scenario, found[server.name])
        )
        for number, server in enumerate(servers)
        for scenario in scenarios
    }


def measure_all(
    servers: Sequence[Api],
    scenarios: Sequence[str],
    files: Mapping[tuple[str, str], Path],
    load: Load,
    advance: Callable[[], None],
) -> list[Figures]:
    """Return the figures of each scenario on each server. `advance` is called after each run.

    One short run comes first, to warm up. A disturbance of the machine affects all servers: they take turns. Raises
    RuntimeError if a server refuses requests.
    """
    figures = []
    for scenario in scenarios:
        turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
        for number in range(load.rounds + 1):
            for server in servers:
                seconds = load.seconds if number else WARM_UP_SECONDS
                done = turn(server, files[server.name, scenario], load.connections, seconds)
                turns[server.name] += [done] if number else []
                advance()
        figures += [_figures(server.name, scenario, turns[server.name]) for server in servers]
    return figures


def turn(server: Api, requests: Path, connections: int, seconds: float) -> Turn:
    """Run a scenario once. Raises RuntimeError if the server refuses requests."""
    before = measure.cpu_clocks(server.pid)
    done = wrk.run(server.url, requests, server.key, connections=connections, seconds=seconds)
    cpu_ms = measure.cpu_ms(before, measure.cpu_clocks(server.pid)) / max(done.requests, 1)
    check(server.name, done)
    return Turn(run=done, cpu_ms=cpu_ms if server.pid is not None else None)


def check(name: str, done: Run) -> None:
    """Raise RuntimeError unless nearly all requests of a run were accepted."""
    if done.requests - done.refused < MIN_ACCEPTED * done.requests or not done.requests:
        counts = f"{done.refused} of {done.requests} requests, and {done.failed} connections failed"
        raise RuntimeError(f"{name} refused {counts}.")


def _figures(server: str, scenario: str, turns: Sequence[Turn]) -> Figures:
    runs = [turn.run for turn in turns]
    cpu = [turn.cpu_ms for turn in turns if turn.cpu_ms is not None]
    return Figures(
        server=server,
        scenario=scenario,
        rate=statistics.median(run.rate for run in runs),
        p50_ms=statistics.median(run.p50_ms for run in runs),
        p99_ms=statistics.median(run.p99_ms for run in runs),
        cpu_ms=statistics.median(cpu) if cpu else None,
        response_bytes=round(statistics.median(run.bytes / run.requests for run in runs)),
    )
