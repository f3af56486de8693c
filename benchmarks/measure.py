"""The cost of requests that are sent one at a time: latency, CPU time and memory. Linux only.

Compare CPU time: other work on the machine delays a response, but hardly changes its CPU time. It includes the
database, where an inefficient statement spends its time. Not in this module: what is measured (`paging.py`), and how
results are printed (`report.py`).
"""

import contextlib
import http.client
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

LISTENING = "0A"  # a state of a socket (Linux, tcp_states.h)
SCHEDULER_CLOCK = 2  # CPU time of a process with all its threads, in nanoseconds (Linux, posix-timers.h)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Requests of equal cost: `paths` in turn. `baseline` names the case to compare with."""

    name: str
    paths: Sequence[str]
    baseline: str | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running server, an API key, and the root processes of server and database (None: inside the server)."""

    port: int
    key: str
    server_pid: int
    database_pid: int | None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Medians of one case, in milliseconds per request; `ratio` is its CPU time divided by that of its baseline."""

    case: str
    latency_ms: float
    server_cpu_ms: float
    database_cpu_ms: float
    ratio: float | None


@dataclass(kw_only=True)
class Samples:
    """Samples of one case: a latency for each request, CPU times for each round, all in milliseconds."""

    latency: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        """Return the median CPU time of server and database together."""
        return statistics.median(map(sum, zip(self.server, self.database, strict=True)))


def measure(
    target: Target, cases: Sequence[Case], *, rounds: int, requests: int, tick: Callable[[], None]
) -> list[Measurement]:
    """Measure `cases` in turn, `rounds` times, with `requests` requests each; call `tick` after each turn.

    A disturbance of the machine then affects all cases. One more round comes first, to warm up.
    Raises RuntimeError for a response that is not 200.
    """
    samples = {case.name: Samples() for case in cases}
    for number in range(rounds + 1):
        for case in cases:
            _turn(target, case, requests, samples[case.name] if number else Samples())
            tick()
    return [_measurement(case, samples) for case in cases]


def get(connection: http.client.HTTPConnection, path: str, key: str) -> bytes:
    """Return the body of the response to a GET. Raises RuntimeError unless the status is 200."""
    connection.request("GET", "/api/v1" + path, headers={"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    body = response.read()
    if response.status != http.HTTPStatus.OK:
        raise RuntimeError(f"GET {path} returned {response.status}: {body[:200].decode(errors='replace')}")
    return body


def post(connection: http.client.HTTPConnection, path: str, body: str, key: str) -> None:
    """Send a JSON body. Raises RuntimeError unless the status is 200 or 201."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1" + path, body, headers)
    response = connection.getresponse()
    content = response.read()
    if response.status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        raise RuntimeError(f"POST {path} returned {response.status}: {content[:200].decode(errors='replace')}")


def cpu_ms(before: dict[int, float], after: dict[int, float]) -> float:
    """Return the CPU milliseconds between two results of `cpu_clocks`; processes that have ended are omitted."""
    return sum(value - before.get(pid, 0) for pid, value in after.items()) * 1000


def cpu_clocks(root: int | None) -> dict[int, float]:
    """Return the CPU seconds of a process and its descendants, by process id."""
    return {} if root is None else {pid: time.clock_gettime(~pid << 3 | SCHEDULER_CLOCK) for pid in tree(root)}


def resident_mib(root: int) -> float:
    """Return the resident memory of a process and its descendants, in MiB."""
    return sum(_status_kib(pid, "VmRSS") for pid in tree(root)) / 1024


def peak_mib(root: int) -> float:
    """Return the peak resident memory of a process and its descendants, in MiB."""
    return sum(_status_kib(pid, "VmHWM") for pid in tree(root)) / 1024


def parent(pid: int) -> int:
    """Return the id of the process that started another one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def listener(port: int) -> int | None:
    """Return the id of the process that listens on a TCP port of this machine: the first one, if several share it."""
    found = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()]
    sockets = {f"socket:[{line[9]}]" for line in found if line[1].endswith(f":{port:04X}") and line[3] == LISTENING}
    processes = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # it was closed in the meantime, or belongs to another user
            if str(descriptor.readlink()) in sockets:
                processes.add(int(descriptor.parts[2]))
    return next((pid for pid in sorted(processes) if parent(pid) not in processes), None)


def _turn(target: Target, case: Case, requests: int, samples: Samples) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    get(connection, case.paths[0], target.key)  # connects
    server, database = cpu_clocks(target.server_pid), cpu_clocks(target.database_pid)
    for path in islice(cycle(case.paths), requests):
        start = time.perf_counter()
        get(connection, path, target.key)
        samples.latency.append((time.perf_counter() - start) * 1000)
    samples.server.append(cpu_ms(server, cpu_clocks(target.server_pid)) / requests)
    samples.database.append(cpu_ms(database, cpu_clocks(target.database_pid)) / requests)
    connection.close()


def _measurement(case: Case, samples: dict[str, Samples]) -> Measurement:
    own = samples[case.name]
    return Measurement(
        case=case.name,
        latency_ms=statistics.median(own.latency),
        server_cpu_ms=statistics.median(own.server),
        database_cpu_ms=statistics.median(own.database),
        ratio=own.cpu_ms / samples[case.baseline].cpu_ms if case.baseline else None,
    )


def tree(root: int) -> Iterator[int]:
    """Yield the id of a process and those of its descendants."""
    yield root
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def _status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
