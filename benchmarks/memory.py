"""A million requests to one process: its resident memory halfway and at the end.

The server keeps running when the command stops, so that a later call continues: the state is in a file.
"""

import dataclasses
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks import apis, compare, machine, measure, shop, wrk
from benchmarks.apis import Api, Ids
from benchmarks.bench import OWN_NAME
from benchmarks.machine import Machine
from benchmarks.report import Check
from benchmarks.wrk import Request
from tests.support.servers import Server, SqliteStore, open_database

REQUESTS = 1_000_000
CONNECTIONS = 16
CHUNK_SECONDS = 10.0
MIX = {"get": 14, "list": 2, "cursor": 2, "orders": 1, "create": 1}  # requests of each scenario, of every 20
MAX_MIB = 130.0
MAX_GROWTH_MIB = 1.0  # from half of the requests to the end


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The resident memory of the server after a number of requests, in MiB."""

    requests: int
    resident_mib: float


@dataclass(frozen=True, kw_only=True)
class Soak:
    """A run that may be continued: the server, and the samples so far."""

    machine: Machine
    url: str
    key: str
    pid: int
    directory: str
    samples: Sequence[Sample]

    @property
    def done(self) -> int:
        """Return the number of requests so far."""
        return self.samples[-1].requests

    @property
    def is_complete(self) -> bool:
        """Return True if all requests were sent."""
        return self.done >= REQUESTS

    def after(self, requests: int) -> Sample:
        """Return the first sample after this many requests, or the last one."""
        return next((sample for sample in self.samples if sample.requests >= requests), self.samples[-1])

    def checks(self) -> list[Check]:
        """Return the limits."""
        half, end = self.after(REQUESTS // 2), self.samples[-1]
        growth = end.resident_mib - half.resident_mib
        return [
            Check(name=f"memory after {end.requests:,} requests", value=end.resident_mib, allowed=MAX_MIB, unit="MiB"),
            Check(name=f"growth after {half.requests:,}", value=growth, allowed=MAX_GROWTH_MIB, unit="MiB"),
        ]

    def to_json(self) -> str:
        """Return the document that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a document."""
        content = json.loads(text)
        samples = [Sample(**sample) for sample in content["samples"]]
        return cls(**{**content, "machine": Machine(**content["machine"]), "samples": samples})


class DetachedServer(Server):
    """A server in a separate session: Ctrl-C stops the command, not the server."""

    command = ("setsid", *Server.command)


def run(state: Path, minutes: float, report: Callable[[Soak], None]) -> Soak:
    """Start a run, or continue the one in the file `state`, for at most some minutes. Stop the server at the end.

    `report` is called after each part. Raises RuntimeError if the server refuses requests.
    """
    soak = _continued(state) or _started(state.parent)
    state.write_text(soak.to_json())
    machine.pin_load()
    machine.pin_server(soak.pid)
    api = Api(name=OWN_NAME, url=soak.url, key=soak.key, pid=soak.pid)
    requests = wrk.write(Path(soak.directory) / "requests", _mixed(apis.ids(api)))
    end = time.monotonic() + minutes * 60
    while not soak.is_complete and time.monotonic() < end:
        soak = _next(soak, api, requests)
        state.write_text(soak.to_json())
        report(soak)
    if soak.is_complete:
        _stop(soak)
    return soak


def _mixed(found: Ids) -> list[Request]:
    """Return requests of all scenarios in a fixed order."""
    sources = {scenario: iter(apis.requests(scenario, found)) for scenario in MIX}
    rounds = apis.VARIANTS // max(MIX.values())
    return [next(sources[name]) for _ in range(rounds) for name, count in MIX.items() for _ in range(count)]


def _next(soak: Soak, api: Api, requests: Path) -> Soak:
    """Return the run with one more sample."""
    done = compare.turn(api, requests, CONNECTIONS, CHUNK_SECONDS).run
    sample = Sample(requests=soak.done + done.requests, resident_mib=measure.resident_mib(soak.pid))
    return dataclasses.replace(soak, samples=[*soak.samples, sample])


def _continued(state: Path) -> Soak | None:
    """Return the run in the file if it is not complete and its server still runs."""
    if not state.exists():
        return None
    soak = Soak.from_json(state.read_text())
    port = int(soak.url.rpartition(":")[2])
    return None if soak.is_complete or measure.listener(port) != soak.pid else soak


def _started(parent: Path) -> Soak:
    """Start a server with new data."""
    directory = parent / "memory-data"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    url = SqliteStore(directory).create("memory")
    database = open_database(url)
    key = shop.fill(database, lambda _: None).key
    database.dispose()
    server = DetachedServer(url, directory / "log", "--no-worker", sqlite_synchronous="NORMAL")
    server.start()
    assert server.process is not None  # it is started
    pid = server.process.pid
    first = Sample(requests=0, resident_mib=measure.resident_mib(pid))
    described = machine.describe()
    return Soak(machine=described, url=server.url, key=key, pid=pid, directory=str(directory), samples=[first])


def _stop(soak: Soak) -> None:
    os.kill(soak.pid, signal.SIGTERM)
    shutil.rmtree(soak.directory, ignore_errors=True)
