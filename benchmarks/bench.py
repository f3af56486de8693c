"""The comparison of this server with others: what is measured, in which order, and the result as a document."""

import dataclasses
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rich.progress import Progress

from benchmarks import compare, disk, layers, machine, measure, shop, writes
from benchmarks.apis import Api
from benchmarks.compare import Figures, Load
from benchmarks.disk import Disk
from benchmarks.layers import Profile
from benchmarks.machine import Machine
from benchmarks.report import Check
from benchmarks.writes import Writes
from tests.support.servers import Server, SqliteStore, open_database

OWN_NAME = "Distribu"
STARTS = 5
MAX_READY_SECONDS = 2.0
DISK_SAMPLES = 500


@dataclass(frozen=True, kw_only=True)
class Start:
    """Medians of several starts: seconds until `/readyz` returns 200, and the CPU seconds of the server by then."""

    ready_s: float
    cpu_s: float


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The resident memory of a server after all scenarios, in MiB."""

    server: str
    resident_mib: float | None


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Everything that one run measured. `synchronous` is that of the comparison; orders in `writes` use FULL."""

    machine: Machine
    disk: Disk
    load: Load
    synchronous: str
    figures: Sequence[Figures]
    memory: Sequence[Memory]
    start: Start
    writes: Writes | None
    profiles: Sequence[Profile]

    @property
    def servers(self) -> list[str]:
        """Return the names of the servers, this one first."""
        return [memory.server for memory in self.memory]

    def figure(self, server: str, scenario: str) -> Figures | None:
        """Return the figures of a scenario on a server, if it was measured."""
        found = (figure for figure in self.figures if (figure.server, figure.scenario) == (server, scenario))
        return next(found, None)

    def ratio(self, server: str, scenario: str) -> float | None:
        """Return the CPU time of this server for a request, divided by that of another one."""
        own, other = self.figure(OWN_NAME, scenario), self.figure(server, scenario)
        return own.cpu_ms / other.cpu_ms if own and other and own.cpu_ms and other.cpu_ms else None

    def checks(self) -> list[Check]:
        """Return the limits of this server."""
        ready = Check(name="time from start to ready", value=self.start.ready_s, allowed=MAX_READY_SECONDS, unit="s")
        return [ready, *(self.writes.checks() if self.writes else ())]

    def to_json(self) -> str:
        """Return the document that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a document."""
        content: dict[str, Any] = json.loads(text)
        written = content["writes"]
        return cls(
            machine=Machine(**content["machine"]),
            disk=Disk(**content["disk"]),
            load=Load(**content["load"]),
            synchronous=content["synchronous"],
            figures=[Figures(**figures) for figures in content["figures"]],
            memory=[Memory(**memory) for memory in content["memory"]],
            start=Start(**content["start"]),
            writes=Writes(**{**written, "disk": Disk(**written["disk"])}) if written else None,
            profiles=[Profile(**profile) for profile in content["profiles"]],
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run measures. `others` are servers that run already."""

    others: Sequence[Api]
    scenarios: Sequence[str]
    synchronous: str
    load: Load
    directory: Path
    is_profiled: bool


def run(plan: Plan, progress: Progress) -> Bench:
    """Measure the disk, then this server and the others, then orders that wait for the disk, then starts."""
    described = machine.describe()
    machine.pin_load()
    disk_ms = disk.sample(plan.directory, DISK_SAMPLES)
    store = SqliteStore(plan.directory)
    url = store.create("benchmark")
    task = progress.add_task("data", total=shop.ORDERS)
    database = open_database(url)
    key = shop.fill(database, lambda count: progress.advance(task, count)).key
    database.dispose()
    with _server(url, plan.directory, key, plan.synchronous) as own:
        figures, memory, profiles = _compare(plan, [own, *plan.others], progress)
    return Bench(
        machine=described,
        disk=disk.summary(disk_ms),
        load=plan.load,
        synchronous=plan.synchronous,
        figures=figures,
        memory=memory,
        start=_starts(url, plan.directory),
        writes=_writes(plan, url, key, progress),
        profiles=profiles,
    )


def _compare(
    plan: Plan, servers: Sequence[Api], progress: Progress
) -> tuple[list[Figures], list[Memory], list[Profile]]:
    for server in servers:
        if server.pid is not None:
            machine.pin_server(server.pid)
    files = compare.prepare(servers, plan.scenarios, plan.directory)
    total = len(servers) * len(plan.scenarios) * (plan.load.rounds + 1)
    task = progress.add_task("scenarios", total=total)
    figures = compare.measure_all(servers, plan.scenarios, files, plan.load, lambda: progress.advance(task))
    memory = [
        Memory(server=server.name, resident_mib=measure.resident_mib(server.pid) if server.pid else None)
        for server in servers
    ]
    return figures, memory, list(_profiles(plan, servers, files, progress)) if plan.is_profiled else []


def _profiles(
    plan: Plan, servers: Sequence[Api], files: Mapping[tuple[str, str], Path], progress: Progress
) -> Iterator[Profile]:
    task = progress.add_task("profiles", total=len(servers) * len(plan.scenarios))
    for scenario in plan.scenarios:
        for server in servers:
            if server.pid is not None:
                yield layers.profile(server, scenario, files[server.name, scenario], plan.load, plan.directory)
            progress.advance(task)


def _writes(plan: Plan, url: str, key: str, progress: Progress) -> Writes | None:
    """Return what orders cost with the default setting of SQLite, if orders and reads are measured at all."""
    if not {"create", "get"} <= set(plan.scenarios):
        return None
    task = progress.add_task("orders on disk", total=plan.load.rounds)
    with _server(url, plan.directory, key, "FULL") as own:
        assert own.pid is not None  # this machine
        machine.pin_server(own.pid)
        files = compare.prepare([own], ["create", "get"], plan.directory)
        return writes.measure(own, files, plan.load, plan.directory, lambda: progress.advance(task))


def _starts(url: str, directory: Path) -> Start:
    """Start the server STARTS times, on any core."""
    ready, cpu = [], []
    for _ in range(STARTS):
        server = Server(url, directory / "log", "--no-worker")
        begin = time.monotonic()
        server.start()
        ready.append(time.monotonic() - begin)
        assert server.process is not None  # it is started
        cpu.append(sum(measure.cpu_clocks(server.process.pid).values()))
        server.stop()
    return Start(ready_s=statistics.median(ready), cpu_s=statistics.median(cpu))


@contextmanager
def _server(url: str, directory: Path, key: str, synchronous: str) -> Iterator[Api]:
    """Run this server without a worker: the others deliver nothing either."""
    with Server(url, directory / "log", "--no-worker", sqlite_synchronous=synchronous) as server:
        assert server.process is not None  # it is started
        yield Api(name=OWN_NAME, url=server.url, key=key, pid=server.process.pid)
